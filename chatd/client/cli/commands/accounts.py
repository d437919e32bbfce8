"""Accounts: ``/list`` all, and change or delete one's own."""

from __future__ import annotations

from chatd.client.cli.commands.arguments import (
    UsageProblem,
    WrongArguments,
    no_arguments,
    single_word,
)
from chatd.client.cli.commands.context import CommandContext
from chatd.client.cli.login import choose_password
from chatd.codecs import v1_messages as c

_MAX_LISTED = 1_000


async def list_accounts(context: CommandContext, arguments: str) -> None:
    """List the accounts whose names match a pattern."""
    pattern = single_word(arguments) if arguments.strip() else "*"
    after, count = "", 0
    while True:
        answer: c.Names = await context.request_and_show(c.FindAccounts(0, pattern, after))
        context.cache.add_names(*answer.names)
        count += len(answer.names)
        if not answer.more or not answer.names or count >= _MAX_LISTED:
            break
        after = answer.names[-1]
    if not count:
        context.output.note("No account matches.")
    elif answer.more:
        context.output.note(
            f"These are the first {count} accounts: use a pattern to list others, such as /list b*"
        )


async def passwd(context: CommandContext, arguments: str) -> None:
    """Change the password; in a pipe the new one is that of ``--new-password-file``.

    Without that option a script ends: its next lines may be the passwords.
    """
    no_arguments(arguments)
    if not context.screen.interactive and context.new_password is None:
        context.quit()
        raise UsageProblem(
            "In a pipe, /passwd takes the new password from the file of --new-password-file,"
            " never from a line. The client ends, so that no password is sent as a message."
        )
    old = await current_password(context, "Current password: ")
    new = context.new_password
    if context.screen.interactive:
        new = await choose_password(
            context.screen, "New password", context.client.welcome.open_accounts
        )
    await context.request_and_show(
        c.ChangePassword(0, old, new),
        "The password is changed, and your other sessions are logged out.",
    )
    context.password = new


async def certificate(context: CommandContext, arguments: str) -> None:
    """Set the certificates, by SHA-256, that can log in to the account without its password."""
    words = arguments.split()
    if not words:
        raise WrongArguments()
    password = await current_password(context, "Password: ")
    fingerprints = [] if words == ["none"] else words
    sentence = (
        "These certificates can now log in to your account."
        if fingerprints
        else "No certificate can log in to your account any more."
    )
    await context.request_and_show(c.SetCertificates(0, fingerprints, password), sentence)


async def unregister(context: CommandContext, arguments: str) -> None:
    """Delete the account and quit."""
    no_arguments(arguments)
    name = context.client.name
    question = f"Delete the account {name} and its mailbox? What it has sent stays. (y/n): "
    if not await context.confirm(question):
        context.output.note("Not deleted.")
        return
    password = await current_password(context, "Password: ")
    await context.request_and_show(c.DeleteAccount(0, password))
    context.output.line(f"DELETED ACCOUNT: {name}")
    context.quit()


async def current_password(context: CommandContext, prompt: str) -> str | None:
    """The account's password; a person has to type it again, a script never does."""
    if context.password is None or not context.screen.interactive:
        return context.password
    return await context.screen.ask(prompt, hidden=True)
