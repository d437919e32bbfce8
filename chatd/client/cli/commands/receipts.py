"""``/receipts``: show which of one's latest private messages were delivered and read."""

from __future__ import annotations

from chatd.client.cli.commands.arguments import UsageProblem, no_arguments
from chatd.client.cli.commands.context import CommandContext
from chatd.client.cli.message_cache import conversation_of
from chatd.codecs import v1_messages as c
from chatd.core.names import is_room

_MAX_MESSAGES = 10


async def receipts(context: CommandContext, arguments: str) -> None:
    """Show the receipts of the latest messages to the current target."""
    no_arguments(arguments)
    if not context.target or is_room(context.target):
        raise UsageProblem("Only private messages have receipts: use /to NAME first.")
    log = conversation_of(context.target)
    own = [
        message
        for message in context.cache.messages(log, sender=context.client.name)
        if message.log == log
    ]
    texts = {message.seq: message.text for message in own[-_MAX_MESSAGES:]}
    if not texts:
        raise UsageProblem(f"This client has not yet shown a message from you to {context.target}.")
    answer: c.Receipts = await context.request(c.GetReceipts(0, log, list(texts)))
    context.output.receipts([(state, texts.get(state.seq, "")) for state in answer.states])
