"""The command about access tokens: make, list and revoke those of an account."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.python import usage

from chatd.admin.commands.command import DaemonCommand
from chatd.admin.connection import Daemon
from chatd.admin.output import NEVER, Item, Output, moment
from chatd.codecs import admin as c
from chatd.config.option_types import seconds


class AccessTokens(DaemonCommand):
    """``token``: make a token and show it, this once; list them; revoke one."""

    name = "token"
    longdesc = (
        "Make, list or revoke access tokens, with which bots and scripts log in to an account."
    )
    synopsis = (
        "create NAME --name LABEL --scope SCOPE ... [--expires TIME] | list NAME | "
        "revoke NAME LABEL [--json]"
    )
    arguments = {"action": None, "account": None, "label": ""}
    optParameters = [
        ["name", None, None, "What a new token is called: letters, digits, dots, _ or -."],
        [
            "expires",
            None,
            NEVER,
            f"How long a new token is valid: a number and a unit (s m h d w), or {NEVER}.",
        ],
    ]

    def __init__(self) -> None:
        super().__init__()
        self.scopes: list[str] = []

    def opt_scope(self, scope: str) -> None:
        """What it permits: all, "send #ROOM", "send NAME" or "read #ROOM"; several times."""
        self.scopes.append(scope)

    def parseArgs(self, *words: str) -> None:
        """Store the action, the account and the label."""
        if words[:1] not in (("create",), ("list",), ("revoke",)):
            given = f", not {words[0]!r}" if words else ""
            raise usage.UsageError(f"create, list or revoke is expected{given}")
        if not all(words[1:2]) or len(words) < 2:
            raise usage.UsageError("NAME is missing")
        super().parseArgs(*words)

    def postOptions(self) -> None:
        """Check that the options belong to the action."""
        action = self["action"]
        if (action == "revoke") != bool(self["label"]):
            raise usage.UsageError(
                "LABEL is missing: revoke NAME LABEL"
                if action == "revoke"
                else f"unexpected argument: {self['label']!r}"
            )
        if (action == "create") != (self["name"] is not None) or (action == "create") != bool(
            self.scopes
        ):
            raise usage.UsageError(
                "--name and --scope are missing"
                if action == "create"
                else "--name and --scope are for create only"
            )
        try:
            self["seconds"] = None if self["expires"] == NEVER else seconds(self["expires"])
        except ValueError as error:
            raise usage.UsageError(f"--expires: {error}, or {NEVER}") from None

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `DaemonCommand.run`."""
        account = self["account"]
        if self["action"] == "create":
            request = c.CreateAccessToken(account, self["name"], self.scopes, self["seconds"])
            answer = daemon.ask(request)
            output.answer(answer, answer["token"])
            expires = answer["expires"]
            end = "It does not expire" if expires is None else f"Valid until {moment(expires)}"
            output.note(
                f"{end}. The token is not shown again. "
                f"To revoke it: {self.typed('token', 'revoke', answer['name'], self['name'])}"
            )
        elif self["action"] == "list":
            tokens = daemon.ask(c.ListAccessTokens(account))["items"]
            headings = ("TOKEN", "SCOPES", "CREATED", "EXPIRES", "LAST USED", "SESSIONS", "BY")
            output.table(tokens, headings, _row)
        else:
            answer = daemon.ask(c.RevokeAccessToken(account, self["label"]))
            output.answer(answer, f"Revoked: {self['label']} of {answer['name']}")


def _row(token: Item) -> Sequence[object]:
    return (
        token["label"],
        ", ".join(token["scopes"]),
        moment(token["created"]),
        NEVER if token["expires"] is None else moment(token["expires"]),
        moment(token["used"]),
        token["sessions"],
        "operator" if token["by_operator"] else "account",
    )
