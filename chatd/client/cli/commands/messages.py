"""Messages: whom they go to, what is changed about them, what was said earlier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chatd.client.cli.commands import Misused, Usage, nothing, number, only, split
from chatd.client.cli.message_cache import Said, conversation
from chatd.codecs import v1_messages as c
from chatd.core.errors import Refused

if TYPE_CHECKING:
    from chatd.client.cli.chat import Chat

_PAGE = 20
# Entries of an inbox that are looked through for those of one sender.
_SOUGHT = 1_000


async def to(chat: Chat, rest: str) -> None:
    """Turn to a room or a person."""
    target = only(rest)
    if target.startswith("#"):
        if target.lower() not in chat.client.logs:
            raise Misused(f"You are not in {target}: /join {target} first.")
    elif not chat.seen.knows(target):
        answer: c.People = await chat.request(c.Who(0, [target]))
        there = [person.name for person in answer.people if person.status != "unknown"]
        if not there:
            raise Refused(f"There is no account {target}.")
        chat.seen.met(*there)
    chat.turn_to(target)


async def msg(chat: Chat, rest: str) -> None:
    """Say one thing to somebody, wherever we are."""
    target, text = split(rest)
    if not text.strip():
        raise Usage()
    await chat.say(target, text)


async def edit(chat: Chat, rest: str) -> None:
    """Replace a text of ours."""
    count, text = number(rest, 1)
    if not text.strip():
        raise Usage()
    said = _mine(chat, count)
    await chat.post(c.Edit(0, said.log, said.seq, text), said)


async def delete(chat: Chat, rest: str) -> None:
    """Delete a text of ours, or, as a moderator, of somebody else."""
    word, others = split(rest)
    name = "" if not word or word.isdecimal() else word
    count, rest = number(others if name else rest, 1)
    nothing(rest)
    said = _mine(chat, count) if not name else _last(chat, count, name)
    await chat.post(c.Retract(0, said.log, said.seq), said)


async def react(chat: Chat, rest: str) -> None:
    """React to a text."""
    count, reaction = number(rest, 1)
    said = _last(chat, count)
    await chat.post(c.React(0, said.log, said.seq, only(reaction)), said)


async def unreact(chat: Chat, rest: str) -> None:
    """Take a reaction back."""
    count, rest = number(rest, 1)
    nothing(rest)
    said = _last(chat, count)
    await chat.post(c.React(0, said.log, said.seq, ""), said)


def _mine(chat: Chat, count: int) -> Said:
    return _last(chat, count, chat.client.name)


def _last(chat: Chat, count: int, by: str | None = None) -> Said:
    said = chat.seen.said(conversation(chat.target), by=by)
    if len(said) < count:
        raise Misused("This client has not seen such a message here. /history shows more.")
    return said[-count]


async def receipts(chat: Chat, rest: str) -> None:
    """What became of what we wrote to somebody."""
    nothing(rest)
    if not chat.target or chat.target.startswith("#"):
        raise Misused("There are receipts for messages to people, not to rooms: /to NAME first.")
    log = conversation(chat.target)
    texts = {said.seq: said.text for said in _sent(chat, log)[-10:]}
    if not texts:
        raise Misused(f"You have not written to {chat.target} since this client was started.")
    answer: c.Receipts = await chat.request(c.GetReceipts(0, log, list(texts)))
    chat.output.states([(state, texts.get(state.seq, "")) for state in answer.states])


def _sent(chat: Chat, log: str) -> list[Said]:
    return [said for said in chat.seen.said(log, by=chat.client.name) if said.log == log]


@dataclass(frozen=True)
class Shown:
    """What /history has shown of a conversation: entries from the seq `first` on, texts from
    `since` on."""

    place: str
    first: int
    since: int


async def history(chat: Chat, rest: str) -> None:
    """What was said before; again: what was said before that."""
    count, rest = number(rest, _PAGE)
    place = rest.strip()
    if place.lower() == "@me":
        place = chat.seen.inbox
    elif place or chat.target:
        place = conversation(only(place) if place else chat.target)
    else:
        raise Usage()
    shown = chat.shown if chat.shown is not None and chat.shown.place == place else None
    log = place if place.startswith("#") else chat.seen.inbox
    state = chat.client.logs.get(log)
    if state is None:
        raise Refused(
            f"You are not in {chat.seen.written(log)}, so its history is not yours to read."
        )
    found, first, more = await _earlier(
        chat, log, place, shown.first if shown else state.head + 1, count
    )
    if log != place:
        found = _with_ours(chat, place, found, more, shown)
    chat.output.history(found, more)
    chat.shown = Shown(place, first, found[0].time if found else shown.since if shown else 0)


async def _earlier(
    chat: Chat, log: str, place: str, before: int, count: int
) -> tuple[list[c.Pushed], int, bool]:
    """Up to `count` of the entries of a log that belong to a conversation, the seq of the first one
    that was looked at, and whether there are earlier ones."""
    found: list[c.Pushed] = []
    sought = 0
    more = before > 1
    while more and len(found) < count and sought < _SOUGHT:
        page: c.Page = await chat.request(
            c.History(0, log, 0, before, 100 if log != place else count)
        )
        more = page.more
        sought += len(page.entries)
        for item in reversed(page.entries):
            if len(found) == count:
                more = True
                break
            before = item.seq
            entry = c.Pushed(log, *(getattr(item, field) for field in c.Item.__struct_fields__))
            if (log == place or item.sender.lower() == place[1:]) and not chat.blocking.hides(
                entry
            ):
                found.append(entry)
    return found[::-1], before, more


def _with_ours(
    chat: Chat, place: str, found: list[c.Pushed], more: bool, shown: Shown | None
) -> list[c.Pushed]:
    """What somebody said, and what we said to them meanwhile, as far as this client has seen
    that."""
    since = found[0].time if found and more else 0
    ours = [
        c.Pushed(said.log, said.seq, said.id, said.time, said.sender, "text", said.text)
        for said in _sent(chat, place)
        if said.time >= since and (shown is None or said.time < shown.since)
    ]
    return sorted([*found, *ours], key=lambda entry: (entry.time, entry.id))
