"""``/block``, ``/unblock`` and ``/blocked``: receive no messages from an account."""

from __future__ import annotations

from chatd.client.cli.commands.arguments import UsageProblem, no_arguments, single_word
from chatd.client.cli.commands.context import CommandContext
from chatd.codecs import v1_messages as c


async def block(context: CommandContext, arguments: str) -> None:
    """Stop receiving messages from an account."""
    name = single_word(arguments)
    if name.lower() == context.client.name.lower():
        raise UsageProblem("You cannot block yourself.")
    await context.request_and_show(
        c.Block(0, name),
        f"You will receive no messages from {name}; /unblock {name} ends this.",
    )


async def unblock(context: CommandContext, arguments: str) -> None:
    """Receive messages from an account again."""
    name = single_word(arguments)
    await context.request_and_show(
        c.Block(0, name, False), f"You will receive messages from {name} again."
    )


async def blocked(context: CommandContext, arguments: str) -> None:
    """List the blocked accounts."""
    no_arguments(arguments)
    answer: c.Names = await context.request_and_show(c.GetBlocked(0))
    context.blocking.set_names(answer.names)
    if not answer.names:
        context.output.note("You block no accounts.")
