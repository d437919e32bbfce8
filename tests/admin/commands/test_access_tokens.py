"""The command about access tokens."""

from __future__ import annotations

import re

from chatd.admin.command_line import REFUSED, WRONG_USAGE
from tests.doubles.admin import CommandCase

DAY = 86_400_000
"""milliseconds"""


class AccessTokens(CommandCase):
    """``token create``, ``token list`` and ``token revoke``."""

    def test_the_token_is_alone_on_standard_output(self) -> None:
        """How to revoke it is on standard error; it opens the account."""
        scopes = ("--scope", "all", "--scope", "send ann")
        completed = self.command("token", "create", "ann", "--name", "bot", *scopes)
        self.assertRegex(completed.stdout, r"\Achatd_[\w-]{32}\n\Z")
        self.assertIn("It does not expire", completed.stderr)
        self.assertRegex(completed.stderr, r"-m chatd\.admin .*token revoke Ann bot\n")
        tokens = self.harness.realm.access_tokens
        opened = self.harness.run(tokens.account("ann", completed.stdout.strip()))
        self.assertEqual(opened[0], "Ann")

    def test_tokens_are_listed_without_themselves(self) -> None:
        """A row for each, with its scopes and its expiry."""
        words = ("token", "create", "ann", "--name", "bot", "--scope", "all", "--expires", "2d")
        (made,) = self.json(*words)
        (listed,) = self.json("token", "list", "ann")
        self.assertEqual(listed["expires"] - listed["created"], 2 * DAY)
        self.assertEqual((made["name"], made["expires"]), ("Ann", listed["expires"]))
        self.assertEqual((listed["label"], listed["scopes"]), ("bot", ["all"]))
        text = self.output("token", "list", "ann")
        heading, row = (re.split(r"\s\s+", line) for line in text.splitlines())
        self.assertEqual(
            heading, ["TOKEN", "SCOPES", "CREATED", "EXPIRES", "LAST USED", "SESSIONS", "BY"]
        )
        self.assertEqual((row[0], row[1], row[4:]), ("bot", "all", ["-", "0", "operator"]))
        self.assertNotIn(made["token"], text)

    def test_revoked_token_is_not_listed(self) -> None:
        """A second revocation is refused."""
        self.command("token", "create", "ann", "--name", "bot", "--scope", "all")
        self.assertEqual(self.output("token", "revoke", "ann", "BOT"), "Revoked: BOT of Ann\n")
        self.assertEqual(self.output("token", "list", "ann"), "")
        self.assertIn("no access token", self.failed(REFUSED, "token", "revoke", "ann", "bot"))

    def test_wrong_usage_changes_nothing(self) -> None:
        """Options belong to one action only."""
        for words in (
            ("token",),
            ("token", "make", "ann"),
            ("token", "create", "ann"),
            ("token", "create", "ann", "--name", "bot"),
            ("token", "create", "ann", "--scope", "all"),
            ("token", "create", "ann", "bot", "--name", "bot", "--scope", "all"),
            ("token", "create", "ann", "--name", "b", "--scope", "all", "--expires", "soon"),
            ("token", "list", "ann", "--scope", "all"),
            ("token", "list", "ann", "bot"),
            ("token", "revoke", "ann"),
        ):
            self.failed(WRONG_USAGE, *words)
        self.failed(REFUSED, "token", "create", "ann", "--name", "b", "--scope", "write")
        self.assertEqual(self.output("token", "list", "ann"), "")
