"""``/to`` and ``/msg``: choose the recipient of messages, and send one to another recipient."""

from __future__ import annotations

from collections.abc import Iterable

from chatd.client.cli.commands.arguments import (
    UsageProblem,
    WrongArguments,
    single_word,
    split_word,
)
from chatd.client.cli.commands.context import CommandContext
from chatd.codecs import v1_messages as c
from chatd.core.errors import Refused
from chatd.core.names import is_room


def send_targets(scopes: Iterable[str]) -> list[str]:
    """The rooms and accounts that an access token with these scopes may send to."""
    return [scope.partition(" ")[2] for scope in scopes if scope.startswith("send ")]


async def to(context: CommandContext, arguments: str) -> None:
    """Send messages to a room or an account from now on."""
    target = single_word(arguments)
    permitted = send_targets(context.client.scopes)
    if target.lower() in map(str.lower, permitted):
        pass  # It need not be able to read there, or to ask about the account.
    elif is_room(target):
        if target.lower() not in context.client.logs:
            raise UsageProblem(f"You are not a member of {target}: use /join {target} first.")
    elif not context.cache.has_name(target):
        answer: c.People = await context.request(c.Who(0, [target]))
        names = [person.name for person in answer.people if person.status != "unknown"]
        if not names:
            raise Refused(f"There is no account called {target}.")
        context.cache.add_names(*names)
    context.set_target(target)


async def msg(context: CommandContext, arguments: str) -> None:
    """Send one message to a room or an account; the target stays as it is."""
    target, text = split_word(arguments)
    if not text.strip():
        raise WrongArguments()
    await context.send(target, text)
