"""``/history``: show earlier messages of a room or of a conversation with an account, and
``/clear-mailbox``.

The server's mailbox holds the messages that were sent to this account. Those that it sent itself
are added from the message cache, as far as this client has shown them.
"""

from __future__ import annotations

import re

from chatd.client.cli.commands.arguments import (
    WrongArguments,
    leading_number,
    no_arguments,
    single_word,
)
from chatd.client.cli.commands.context import CommandContext, HistoryPosition
from chatd.client.cli.message_cache import conversation_of
from chatd.codecs import v1_messages as c
from chatd.core.errors import Refused
from chatd.core.names import is_room, mailbox_owner

_DEFAULT_COUNT = 20
# The beginning of a number that is below 0, and not the name of an account.
_NEGATIVE = re.compile(r"-[0-9]+(\s|$)")
_MAILBOX_PAGE = 100
# Entries of a mailbox that are searched for those of one sender.
_MAX_SEARCHED = 1_000
_ALL = 2**53 - 1
"""the greatest seq"""


async def history(context: CommandContext, arguments: str) -> None:
    """Show earlier messages; repeated, the messages before those."""
    count, rest = leading_number(arguments, _DEFAULT_COUNT)
    word = rest.strip()
    if _NEGATIVE.match(word):
        raise WrongArguments()
    if word.lower() == "@me":
        conversation = context.cache.mailbox
    elif word or context.target:
        conversation = conversation_of(single_word(word) if word else context.target)
    else:
        raise WrongArguments()
    previous = context.history_position
    if previous is not None and previous.conversation != conversation:
        previous = None
    log = conversation if is_room(conversation) else context.cache.mailbox
    followed = context.client.logs.get(log)
    if followed is None:
        room = context.cache.display_name(log)
        if context.client.scopes:
            raise Refused(f"The access token of this session does not permit reading {room}.")
        raise Refused(f"You are not a member of {room}, so you cannot read its history.")
    before = previous.first_seq if previous else followed.head + 1
    entries, first_seq, more = await _read_back(context, log, conversation, before, count)
    if log != conversation:
        entries = _with_own_messages(context, conversation, entries, more, previous)
    context.output.history(entries, more)
    first_time = previous.first_time if previous else 0
    if entries:
        first_time = entries[0].time
    context.history_position = HistoryPosition(conversation, first_seq, first_time)


async def clear_mailbox(context: CommandContext, arguments: str) -> None:
    """Remove all messages of the mailbox that were acknowledged."""
    no_arguments(arguments)
    question = "Remove all private messages that you have received, for ever? (y/n): "
    if await context.confirm(question):
        await context.request_and_show(
            c.ClearMailbox(0, _ALL), "Your mailbox is cleared; other mailboxes stay as they are."
        )
    else:
        context.output.note("Nothing is removed.")


async def _read_back(
    context: CommandContext, log: str, conversation: str, before: int, count: int
) -> tuple[list[c.Pushed], int, bool]:
    """Read a log backwards from `before`, for at most `count` entries of the conversation.

    Returns the entries, oldest first, the seq of the first entry looked at, and whether there are
    earlier ones.
    """
    entries: list[c.Pushed] = []
    searched = 0
    more = before > 1
    while more and len(entries) < count and searched < _MAX_SEARCHED:
        limit = _MAILBOX_PAGE if log != conversation else count
        page: c.Page = await context.request(c.History(0, log, 0, before, limit))
        more = page.more
        searched += len(page.entries)
        for item in reversed(page.entries):
            if len(entries) == count:
                more = True
                break
            before = item.seq
            entry = c.Pushed(log, *(getattr(item, field) for field in c.Item.__struct_fields__))
            belongs = log == conversation or item.sender.lower() == mailbox_owner(conversation)
            if belongs and not context.blocking.hides(entry):
                entries.append(entry)
    return entries[::-1], before, more


def _with_own_messages(
    context: CommandContext,
    conversation: str,
    entries: list[c.Pushed],
    more: bool,
    previous: HistoryPosition | None,
) -> list[c.Pushed]:
    """Add the account's own messages of the same time, from the cache, in order of time."""
    start = entries[0].time if entries and more else 0
    own = [
        c.Pushed(
            message.log,
            message.seq,
            message.id,
            message.time,
            message.sender,
            "text",
            message.text,
        )
        for message in context.cache.messages(conversation, sender=context.client.name)
        if message.log == conversation
        and message.time >= start
        and (previous is None or message.time < previous.first_time)
    ]
    return sorted([*entries, *own], key=lambda entry: (entry.time, entry.id))
