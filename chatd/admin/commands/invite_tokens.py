"""Commands about invite tokens: create, list, revoke."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.python import usage

from chatd.admin.commands.class_invitations import check_server, invite_all, read_names
from chatd.admin.commands.command import DaemonCommand
from chatd.admin.connection import Daemon
from chatd.admin.output import NEVER, Item, Output, moment
from chatd.codecs import admin as c
from chatd.config.option_types import seconds

_SHOWN = 12
"""characters of a token's hash that are shown; enough to name the token by"""


class CreateInviteToken(DaemonCommand):
    """``invite``: create a token and show it, this once; with ``--names``, one for each name."""

    name = "invite"
    longdesc = (
        "Create an invite token, with which accounts can be created; or one for each name in a "
        "file."
    )
    synopsis = (
        "[--uses N] [--expires TIME] [--note TEXT] [--json] | --names FILE --server URL "
        "[--expires TIME] [--note TEXT] [--json]"
    )
    optParameters = [
        ["uses", None, "1", "Number of accounts that can be created with it."],
        [
            "expires",
            None,
            "7d",
            f"How long it is valid: a number and a unit (s m h d w), or {NEVER}.",
        ],
        ["note", None, None, "A note for operators."],
        ["names", None, None, "Create a token for each name in FILE, one a line; - is stdin."],
        [
            "server",
            None,
            None,
            "With --names: where people reach the daemon, as chat[s]://HOST[:PORT].",
        ],
    ]

    def postOptions(self) -> None:
        """Check the number and the time."""
        self["uses"] = self.number("uses", minimum=1)
        try:
            self["seconds"] = None if self["expires"] == NEVER else seconds(self["expires"])
        except ValueError as error:
            raise usage.UsageError(f"--expires: {error}, or {NEVER}") from None
        if (self["names"] is None) != (self["server"] is None):
            raise usage.UsageError("--names and --server belong together")
        if self["names"] is not None:
            check_server(self["server"])
            if self["uses"] != 1:
                raise usage.UsageError("--names and --uses exclude each other")

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `DaemonCommand.run`."""
        if self["names"] is not None:
            names, note = read_names(self["names"]), self["note"] or ""
            invite_all(names, self["server"], self["seconds"], note, daemon, output)
            return
        request = c.CreateInviteToken(self["uses"], self["seconds"], self["note"] or "")
        answer = daemon.ask(request)
        output.answer(answer, answer["token"])
        accounts = "one account" if self["uses"] == 1 else f"{self['uses']} accounts"
        expires = answer["expires"]
        end = "and does not expire" if expires is None else f"until {moment(expires)}"
        output.note(
            f"Valid for {accounts} {end}. The token is not shown again; give it to the people who "
            "will create the accounts. "
            f"To revoke it: {self.typed('revoke', answer['key'][:_SHOWN])}"
        )


class ListInviteTokens(DaemonCommand):
    """``invites``: a table of tokens, by their hashes."""

    name = "invites"
    longdesc = "List invite tokens by the beginnings of their hashes."
    synopsis = "[--json]"

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `DaemonCommand.run`."""

        def row(token: Item) -> Sequence[object]:
            return (
                token["key"][:_SHOWN],
                moment(token["created"]),
                NEVER if token["expires"] is None else moment(token["expires"]),
                token["uses"],
                token["note"],
            )

        tokens = daemon.ask(c.ListInviteTokens())["items"]
        output.table(tokens, ("HASH", "CREATED", "EXPIRES", "USES LEFT", "NOTE"), row)


class RevokeInviteToken(DaemonCommand):
    """``revoke``: delete a token."""

    name = "revoke"
    longdesc = "Revoke an invite token, given as the token or the beginning of its hash."
    synopsis = "TOKEN|HASH [--json]"
    arguments = {"token": None}

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `DaemonCommand.run`."""
        answer = daemon.ask(c.RevokeInviteToken(self["token"]))
        output.answer(answer, f"Revoked: {answer['key'][:_SHOWN]}")
