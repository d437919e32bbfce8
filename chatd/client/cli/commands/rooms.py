"""Rooms: who is in them, what they are called, who may do what there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatd.client.cli.commands import Misused, Usage, is_room, only, room_of, split
from chatd.codecs import v1_messages as c
from chatd.core.errors import Refused

if TYPE_CHECKING:
    from chatd.client.cli.chat import Chat

_MANY = 1_000
_ROLES = frozenset({"member", "moderator", "owner"})


async def join(chat: Chat, rest: str) -> None:
    """Become a member, and turn to the room."""
    room = _room(only(rest))
    try:
        await _enter(chat, c.Join(0, room))
    except Refused as refused:
        if refused.code != "unknown-room":
            raise
        raise Refused(
            f"There is no room {room}, or one has to be invited. /create {room} makes it."
        ) from None


async def create(chat: Chat, rest: str) -> None:
    """Make a room, and turn to it."""
    words = rest.split()
    private = "--private" in words[:2]
    if private:
        rest = rest.replace("--private", "", 1).lstrip()
    room, topic = split(rest)
    await _enter(chat, c.CreateRoom(0, _room(room), topic.strip(), private))


def _room(word: str) -> str:
    if not word:
        raise Usage()
    return word if is_room(word) else f"#{word}"


async def _enter(chat: Chat, request: c.Join | c.CreateRoom) -> None:
    answer = await chat.enter(request)
    chat.output.answer(request, answer)
    info = answer.state.room
    if info is not None:
        chat.seen.met(info.room)
        chat.turn_to(info.room)
        if info.topic:
            chat.output.note(f"The topic is: {info.topic}")


async def leave(chat: Chat, rest: str) -> None:
    """Be no member any more; that we are told of like others are."""
    await chat.ask(c.Leave(0, room_of(chat, rest)))


async def rooms(chat: Chat, rest: str) -> None:
    """Those that we may see."""
    pattern = only(rest) if rest.strip() else "*"
    after, found = "", 0
    while True:
        answer: c.Rooms = await chat.ask(c.FindRooms(0, _matching(pattern), after))
        chat.seen.met(*(info.room for info in answer.rooms))
        after, found = answer.last, found + len(answer.rooms)
        if not answer.more or not after or found >= _MANY:
            break
    if not found:
        chat.output.note("There is no such room.")


def _matching(pattern: str) -> str:
    """Rooms begin with #, whether that is typed or not."""
    return pattern if pattern.startswith(("#", "*", "?", "[")) else f"#{pattern}"


async def topic(chat: Chat, rest: str) -> None:
    """Show the topic, change it, or, with -, remove it."""
    room = room_of(chat, "")
    text = rest.strip()
    if text:
        await chat.ask(c.SetTopic(0, room, "" if text == "-" else text))
        return
    info = chat.client.rooms.get(room.lower())
    if info is None:
        raise Refused(f"You are not in {room}.")
    chat.output.line(f"{info.room}: {info.topic or '(no topic)'}")


async def private(chat: Chat, rest: str) -> None:
    """Who comes has to be invited."""
    await chat.ask(c.SetPrivate(0, room_of(chat, rest), True))


async def public(chat: Chat, rest: str) -> None:
    """Everyone may come."""
    await chat.ask(c.SetPrivate(0, room_of(chat, rest), False))


async def invite(chat: Chat, rest: str) -> None:
    """Let somebody come."""
    name, room = split(rest)
    if not name or is_room(name):
        raise Usage()
    room = room_of(chat, room)
    await chat.ask(c.Invite(0, room, name), f"{name} has been invited to {room}.")


async def kick(chat: Chat, rest: str) -> None:
    """Put somebody out."""
    name, room = split(rest)
    if not name or is_room(name):
        raise Usage()
    await chat.ask(c.Kick(0, room_of(chat, room), name))


async def role(chat: Chat, rest: str) -> None:
    """Make somebody more, or less."""
    name, which = split(rest)
    which = which.strip().lower()
    if not name or which not in _ROLES:
        raise Usage()
    await chat.ask(c.SetRole(0, room_of(chat, ""), name, which))


async def destroy(chat: Chat, rest: str) -> None:
    """Delete a room with all that was said there."""
    if not rest.strip():
        raise Usage()
    room = room_of(chat, rest)
    if await chat.agreed(f"Delete {room} with all that was said there? (y/n): "):
        await chat.ask(c.DeleteRoom(0, room))
    else:
        chat.output.note("Not deleted.")


async def who(chat: Chat, rest: str) -> None:
    """Who is in a room, or how some people are."""
    names = rest.split() or [chat.target]
    if not names[0]:
        raise Misused("You are in no room now: name one, or somebody.")
    if not is_room(names[0]):
        await chat.ask(c.Who(0, names[:100]))
        return
    room = only(" ".join(names))
    after = ""
    for _ in range(_MANY // 100):
        answer: c.Members = await chat.request(c.FindMembers(0, room, after))
        members = [each.name for each in answer.members]
        people: c.People = await chat.request(c.Who(0, members[:100]))
        chat.seen.met(*members)
        chat.output.members(
            room, answer.members, {each.name.lower(): each for each in people.people}
        )
        if not answer.more or not members:
            break
        after = members[-1]
