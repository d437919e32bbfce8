"""``/token``: make, list and revoke access tokens, with which bots and scripts log in."""

from __future__ import annotations

from chatd.client.cli.commands.accounts import current_password
from chatd.client.cli.commands.arguments import (
    UsageProblem,
    WrongArguments,
    no_arguments,
    single_word,
    split_word,
)
from chatd.client.cli.commands.context import CommandContext
from chatd.codecs import v1_messages as c

_DAY = 24 * 3600
_MOST_DAYS = 36_500


async def token(context: CommandContext, arguments: str) -> None:
    """Make, list or revoke."""
    action, rest = split_word(arguments)
    if action == "list":
        no_arguments(rest)
        answer: c.AccessTokens = await context.request_and_show(c.GetAccessTokens(0))
        if not answer.tokens:
            context.output.note("There are no access tokens.")
    elif action == "create":
        await _create(context, rest)
    elif action == "revoke":
        name = single_word(rest)
        sentence = f"The access token {name} is revoked."
        await context.request_and_show(c.RevokeAccessToken(0, name), sentence)
    else:
        raise WrongArguments()


async def _create(context: CommandContext, arguments: str) -> None:
    name, rest = split_word(arguments)
    days, rest = split_word(rest)
    scopes = [" ".join(scope.split()) for scope in rest.split(",")]
    number = days.isascii() and days.isdecimal() and int(days[:6]) <= _MOST_DAYS
    if not number or not rest.strip():
        raise UsageProblem(
            "Usage: /token create NAME DAYS SCOPE, ... such as: /token create ci 90 send #build"
        )
    password = await current_password(context, "Password: ")
    await context.request_and_show(
        c.CreateAccessToken(0, name, scopes, int(days) * _DAY, password),
        "It is not shown again. It logs in without the password: keep it secret.",
    )
