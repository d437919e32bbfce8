"""Rooms: join, leave, create and delete them, their topic, access, members and roles."""

from __future__ import annotations

from chatd.client.cli.commands.arguments import (
    UsageProblem,
    WrongArguments,
    leading_room,
    name_and_room,
    room_or_target,
    selected_room,
    single_word,
    split_word,
)
from chatd.client.cli.commands.context import CommandContext
from chatd.client.cli.output import wording
from chatd.codecs import v1_messages as c
from chatd.core.errors import Refused
from chatd.core.names import LOBBY, complete_room_name, is_room

_MAX_LISTED = 1_000
_MAX_NAMES = 100
"""names in one request"""
_ROLES = frozenset({"member", "moderator", "deputy", "owner"})
_SWITCH = frozenset({"on", "off"})
_HISTORIES = frozenset({"all", "joined"})


async def join(context: CommandContext, arguments: str) -> None:
    """Join a room, and send messages to it from now on."""
    room = _room(single_word(arguments))
    try:
        await _enter(context, c.Join(0, room))
    except Refused as refusal:
        if refusal.code != "unknown-room":
            raise
        raise Refused(
            f"There is no room {room}, or it is private. /create {room} creates a room."
        ) from None


async def create(context: CommandContext, arguments: str) -> None:
    """Create a room, and send messages to it from now on."""
    private = "--private" in arguments.split()[:2]
    if private:
        arguments = arguments.replace("--private", "", 1).lstrip()
    room, topic = split_word(arguments)
    await _enter(context, c.CreateRoom(0, _room(room), topic.strip(), private))


def _room(word: str) -> str:
    """A room's name, whose ``#`` may be missing."""
    if not word:
        raise WrongArguments()
    return complete_room_name(word)


async def _enter(context: CommandContext, request: c.Join | c.CreateRoom) -> None:
    answer = await context.enter_room(request)
    context.output.answer(request, answer)
    info = answer.state.room
    if info is not None:
        context.cache.add_names(info.room)
        context.set_target(info.room)
        if info.topic:
            context.output.note(f"The topic is: {info.topic}")


async def leave(context: CommandContext, arguments: str) -> None:
    """Leave a room, after a question to its last member, with whom it is deleted. The event `Left`,
    which follows, is printed."""
    room = room_or_target(arguments, context.target)
    info = context.client.rooms.get(room.lower())
    if info is not None and info.members == 1 and room.lower() != LOBBY:
        question = f"You are the last member: {info.room} will be deleted. Leave it? (y/n): "
        if not await context.confirm(question):
            context.output.note("Not left.")
            return
    await context.request_and_show(c.Leave(0, room))


async def list_rooms(context: CommandContext, arguments: str) -> None:
    """List the visible rooms whose names match a pattern."""
    pattern = single_word(arguments) if arguments.strip() else "*"
    if not pattern.startswith(("*", "?", "[")):
        pattern = complete_room_name(pattern)
    after, count = "", 0
    while True:
        answer: c.Rooms = await context.request_and_show(c.FindRooms(0, pattern, after))
        context.cache.add_names(*(info.room for info in answer.rooms))
        after, count = answer.last, count + len(answer.rooms)
        if not answer.more or not after or count >= _MAX_LISTED:
            break
    if not count:
        context.output.note("No room matches.")


async def topic(context: CommandContext, arguments: str) -> None:
    """Show the topic, set it, or remove it with ``-``."""
    room = selected_room(context.target)
    text = arguments.strip()
    if text:
        await context.request_and_show(c.SetTopic(0, room, "" if text == "-" else text))
        return
    info = context.client.rooms.get(room.lower())
    if info is None:
        raise Refused(f"You are not a member of {room}.")
    context.output.line(f"{info.room}: {info.topic or '(no topic)'}")


async def private(context: CommandContext, arguments: str) -> None:
    """Make a room private: joining it takes an invitation."""
    room = room_or_target(arguments, context.target)
    await context.request_and_show(c.SetPrivate(0, room, True))


async def public(context: CommandContext, arguments: str) -> None:
    """Make a room public: every account can join it."""
    room = room_or_target(arguments, context.target)
    await context.request_and_show(c.SetPrivate(0, room, False))


async def visibility(context: CommandContext, arguments: str) -> None:
    """Let the members of a room read all of its history, or what was sent after they joined."""
    history, room = split_word(arguments)
    if history not in _HISTORIES:
        raise WrongArguments()
    room = room_or_target(room, context.target)
    await context.request_and_show(c.SetHistory(0, room, history))


async def room_settings(context: CommandContext, arguments: str) -> None:
    """Show the settings of a room, or set one of them."""
    room, arguments = leading_room(arguments, context.target)
    setting, value = split_word(arguments)
    if setting:
        value = single_word(value)
        await context.request_and_show(c.ConfigureRoom(0, room, setting.lower(), value.lower()))
        return
    info = context.client.rooms.get(room.lower())
    if info is None:
        raise Refused(f"You are not a member of {room}.")
    try:
        # The entry about a change may arrive after the answer to it.
        answer: c.Rooms = await context.request(c.FindRooms(0, info.room))
    except Refused as refusal:
        if refusal.code != "out-of-scope":
            raise
    else:
        info = answer.rooms[0] if answer.rooms else info
    context.output.line(wording.room_settings(info))


async def slow(context: CommandContext, arguments: str) -> None:
    """Set how many seconds a member of a room waits between two messages."""
    value, room = split_word(arguments)
    value = {"off": "0"}.get(value, value)
    if not value.isdecimal():
        raise WrongArguments()
    room = room_or_target(room, context.target)
    await context.request_and_show(c.ConfigureRoom(0, room, "slow", value))


async def read_only(context: CommandContext, arguments: str) -> None:
    """Let only the moderators of a room send to it, or all its members."""
    value, room = split_word(arguments)
    if value not in _SWITCH:
        raise WrongArguments()
    room = room_or_target(room, context.target)
    await context.request_and_show(c.ConfigureRoom(0, room, "read-only", value))


async def invite(context: CommandContext, arguments: str) -> None:
    """Invite an account to a room."""
    name, room = name_and_room(arguments, context.target)
    await context.request_and_show(c.Invite(0, room, name), f"{name} has been invited to {room}.")


async def kick(context: CommandContext, arguments: str) -> None:
    """Kick a member from a room, or withdraw an invitation."""
    name, room = name_and_room(arguments, context.target)
    await context.request_and_show(c.Kick(0, room, name))


async def role(context: CommandContext, arguments: str) -> None:
    """Set the role of a member of a room."""
    room, arguments = leading_room(arguments, context.target)
    name, role = split_word(arguments)
    role = role.strip().lower()
    if not name or role not in _ROLES:
        raise WrongArguments()
    await context.request_and_show(c.SetRole(0, room, name, role))


async def destroy(context: CommandContext, arguments: str) -> None:
    """Delete a room with all its messages."""
    room = single_word(arguments)
    if not is_room(room):
        raise WrongArguments()
    if room.lower() == LOBBY:
        raise UsageProblem(f"{LOBBY} cannot be deleted.")
    if await context.confirm(f"Delete {room} and all its messages? (y/n): "):
        await context.request_and_show(c.DeleteRoom(0, room))
    else:
        context.output.note("Not deleted.")


async def who(context: CommandContext, arguments: str) -> None:
    """List the members of a room with their presence, or show the presence of accounts."""
    names = arguments.split() or [context.target]
    if not names[0]:
        raise UsageProblem("No room is selected: name a room or accounts.")
    if not is_room(names[0]):
        await context.request_and_show(c.Who(0, names[:_MAX_NAMES]))
        return
    room = single_word(" ".join(names))
    after = ""
    for _ in range(_MAX_LISTED // 100):
        answer: c.Members = await context.request(c.FindMembers(0, room, after))
        members = [member.name for member in answer.members]
        people: c.People = await context.request(c.Who(0, members[:_MAX_NAMES]))
        context.cache.add_names(*members)
        context.output.members(
            room, answer.members, {person.name.lower(): person for person in people.people}
        )
        if not answer.more or not members:
            break
        after = members[-1]
