"""``/report``: report an account to the operators."""

from __future__ import annotations

from chatd.client.cli.commands.arguments import WrongArguments, split_word
from chatd.client.cli.commands.context import CommandContext
from chatd.client.cli.message_cache import conversation_of
from chatd.codecs import v1_messages as c
from chatd.core.names import is_room


async def report(context: CommandContext, arguments: str) -> None:
    """Report an account, with its latest message in the current room or to this account."""
    name, reason = split_word(arguments)
    if not name or not reason.strip():
        raise WrongArguments()
    conversation = conversation_of(context.target if is_room(context.target) else name)
    messages = context.cache.messages(conversation, sender=name)
    log, seq = (messages[-1].log, messages[-1].seq) if messages else ("", 0)
    details = ", with their latest message" if messages else ""
    await context.request_and_show(
        c.Report(0, name, reason.strip(), log, seq),
        f"You have reported {name} to the operators{details}.",
    )
