"""``/edit``, ``/delete``, ``/react`` and ``/unreact``: change a message, or react to it."""

from __future__ import annotations

from chatd.client.cli.commands.arguments import (
    UsageProblem,
    WrongArguments,
    leading_number,
    no_arguments,
    single_word,
    split_word,
)
from chatd.client.cli.commands.context import CommandContext
from chatd.client.cli.message_cache import CachedMessage, conversation_of
from chatd.codecs import v1_messages as c


async def edit(context: CommandContext, arguments: str) -> None:
    """Replace the text of one of the account's own messages."""
    count, text = leading_number(arguments, 1)
    if not text.strip():
        raise WrongArguments()
    message = _message(context, count, context.client.name)
    await context.post(c.Edit(0, message.log, message.seq, text), message)


async def delete(context: CommandContext, arguments: str) -> None:
    """Delete one of the account's own messages or, as a moderator, one of another member."""
    word, after_word = split_word(arguments)
    name = "" if not word or word.isdecimal() else word
    count, rest = leading_number(after_word if name else arguments, 1)
    no_arguments(rest)
    message = _message(context, count, name or context.client.name)
    await context.post(c.Retract(0, message.log, message.seq), message)


async def react(context: CommandContext, arguments: str) -> None:
    """React to a message."""
    count, reaction = leading_number(arguments, 1)
    message = _message(context, count)
    await context.post(c.React(0, message.log, message.seq, single_word(reaction)), message)


async def unreact(context: CommandContext, arguments: str) -> None:
    """Remove the account's own reaction to a message."""
    count, rest = leading_number(arguments, 1)
    no_arguments(rest)
    message = _message(context, count)
    await context.post(c.React(0, message.log, message.seq, ""), message)


def _message(context: CommandContext, count: int, sender: str | None = None) -> CachedMessage:
    """The message that is `count`-th from the end, among those of `sender` or of all senders."""
    messages = context.cache.messages(conversation_of(context.target), sender=sender)
    if len(messages) < count:
        raise UsageProblem(
            "No such message has been shown in this conversation. /history shows earlier ones."
        )
    return messages[-count]
