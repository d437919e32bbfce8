"""Presence: one's own (``/away``, ``/back``, ``/hide``, ``/show``) and that of other accounts."""

from __future__ import annotations

from chatd.client.cli.commands.arguments import WrongArguments, no_arguments, single_word
from chatd.client.cli.commands.context import CommandContext
from chatd.codecs import v1_messages as c

_MAX_NAMES = 100
"""names in one request"""


async def away(context: CommandContext, arguments: str) -> None:
    """Set the account away, with an optional text."""
    hidden = await _is_hidden(context)
    await _set_presence(
        context, arguments.strip(), hidden, "You are shown as away; /back ends this."
    )


async def back(context: CommandContext, arguments: str) -> None:
    """Set the account back from away."""
    no_arguments(arguments)
    await _set_presence(
        context, None, await _is_hidden(context), "You are no longer shown as away."
    )


async def hide(context: CommandContext, arguments: str) -> None:
    """Appear offline to other accounts."""
    no_arguments(arguments)
    await _set_presence(
        context, context.away_text, True, "You appear offline to others; /show ends this."
    )


async def show(context: CommandContext, arguments: str) -> None:
    """Stop appearing offline."""
    no_arguments(arguments)
    await _set_presence(context, context.away_text, False, "Others can see that you are online.")


async def _is_hidden(context: CommandContext) -> bool:
    """Whether the account is hidden, perhaps by an earlier session: then it appears offline."""
    answer: c.People = await context.request(c.Who(0, [context.client.name]))
    return [person.status for person in answer.people] == ["off"]


async def _set_presence(
    context: CommandContext, text: str | None, hidden: bool, sentence: str
) -> None:
    request = c.SetPresence(0, text is not None, text or "", hidden)
    await context.request_and_show(request, sentence)
    context.away_text = text


async def seen(context: CommandContext, arguments: str) -> None:
    """Show the presence of an account, and when it was last seen."""
    await context.request_and_show(c.Who(0, [single_word(arguments)]))


async def watch(context: CommandContext, arguments: str) -> None:
    """Show the presence of accounts, now and whenever it changes."""
    await context.request_and_show(
        c.Who(0, _names(arguments), True), "You will be notified of changes."
    )


async def unwatch(context: CommandContext, arguments: str) -> None:
    """Stop watching accounts."""
    await context.request_and_show(
        c.Unwatch(0, _names(arguments)), "You will not be notified any more."
    )


def _names(arguments: str) -> list[str]:
    if not arguments.strip():
        raise WrongArguments()
    return arguments.split()[:_MAX_NAMES]
