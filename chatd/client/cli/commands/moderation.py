"""Moderation: ban accounts and patterns of names from a room, and silence its members."""

from __future__ import annotations

import re

from chatd.client.cli.commands.arguments import (
    WrongArguments,
    leading_room,
    name_and_room,
    room_or_target,
    split_word,
)
from chatd.client.cli.commands.context import CommandContext
from chatd.codecs import v1_messages as c
from chatd.core.names import is_room

_MAX_LISTED = 1_000
_TIME = re.compile(r"(\d{1,6})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


async def ban(context: CommandContext, arguments: str) -> None:
    """Ban an account, or all that match a pattern, from a room."""
    room, arguments = leading_room(arguments, context.target)
    await context.request_and_show(c.Ban(0, room, *_restriction(arguments)))


async def silence(context: CommandContext, arguments: str) -> None:
    """Silence a member of a room."""
    room, arguments = leading_room(arguments, context.target)
    await context.request_and_show(c.Silence(0, room, *_restriction(arguments)))


def _restriction(arguments: str) -> tuple[str, int, str]:
    """The name, the time in seconds (0: without end) and the reason."""
    name, reason = split_word(arguments)
    if not name or is_room(name):
        raise WrongArguments()
    seconds = 0
    word, rest = split_word(reason)
    if word == "for":
        time, rest = split_word(rest)
        match = _TIME.fullmatch(time)
        if match is not None:
            seconds, reason = int(match[1]) * _SECONDS[match[2]], rest
        elif not time or time[:1].isdigit():
            raise WrongArguments()
    return name, seconds, reason.strip()


async def unban(context: CommandContext, arguments: str) -> None:
    """End the ban of an account or a pattern."""
    name, room = name_and_room(arguments, context.target)
    await context.request_and_show(c.Unban(0, room, name))


async def unsilence(context: CommandContext, arguments: str) -> None:
    """Let a silenced member send again."""
    name, room = name_and_room(arguments, context.target)
    await context.request_and_show(c.Unsilence(0, room, name))


async def bans(context: CommandContext, arguments: str) -> None:
    """List the bans of a room."""
    await _list(context, c.FindBans, arguments, "Nothing is banned.")


async def silenced(context: CommandContext, arguments: str) -> None:
    """List the silenced members of a room."""
    await _list(context, c.FindSilenced, arguments, "No member is silenced.")


async def _list(
    context: CommandContext,
    request: type[c.FindBans] | type[c.FindSilenced],
    arguments: str,
    nothing: str,
) -> None:
    room = room_or_target(arguments, context.target)
    after, count = "", 0
    while count < _MAX_LISTED:
        answer: c.Restrictions = await context.request_and_show(request(0, room, after))
        count += len(answer.restrictions)
        if not answer.more or not answer.restrictions:
            break
        after = answer.restrictions[-1].name
    if not count:
        context.output.note(nothing)
