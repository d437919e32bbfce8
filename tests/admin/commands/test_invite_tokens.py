"""The commands about invite tokens."""

from __future__ import annotations

import re

from chatd.admin.command_line import REFUSED, WRONG_USAGE
from tests.doubles.admin import CommandCase

DAY = 86_400_000
"""milliseconds"""


class InviteTokens(CommandCase):
    """``invite``, ``invites`` and ``revoke``."""

    def test_the_token_is_alone_on_standard_output(self) -> None:
        """What it is good for is on standard error."""
        completed = self.command("invite", "--uses", "2", "--note", "for the choir")
        self.assertRegex(completed.stdout, r"\A[a-z2-7]{7}(-[a-z2-7]+)+\n\Z")
        self.assertIn("Valid for 2 accounts until ", completed.stderr)
        (token,) = self.json("invites")
        self.assertIn(f"-m chatd.admin revoke {token['key'][:12]}\n", completed.stderr)
        self.assertEqual((token["uses"], token["note"]), (2, "for the choir"))
        self.assertEqual(token["expires"] - token["created"], 7 * DAY)

    def test_hint_names_the_same_daemon(self) -> None:
        """By the options before the command."""
        hint = self.command("--admin", "a b.admin", "invite").stderr
        self.assertRegex(hint, r"-m chatd\.admin --admin 'a b\.admin' revoke \w+\n")

    def test_token_expires_after_the_chosen_time(self) -> None:
        """A time with a unit, or never."""
        for words, expires, sentence in (
            (["--expires", "30d"], 30 * DAY, "Valid for one account until "),
            (["--expires", "never"], None, "Valid for one account and does not expire. "),
        ):
            self.assertIn(sentence, self.command("invite", *words).stderr)
            self.assertEqual(self.json("invite", *words)[0]["expires"], expires)

    def test_invites_are_listed_without_their_tokens(self) -> None:
        """A row for each token, without its text."""
        token = self.command("invite", "--expires", "never", "--note", "for the choir").stdout
        heading, row = (re.split(r"\s\s+", line) for line in self.output("invites").splitlines())
        self.assertEqual(heading, ["HASH", "CREATED", "EXPIRES", "USES LEFT", "NOTE"])
        (stored,) = self.json("invites")
        self.assertEqual(row, [stored["key"][:12], "-", "never", "1", "for the choir"])
        self.assertNotIn(token.strip(), self.output("invites"))

    def test_token_is_revoked_by_itself_or_its_hash(self) -> None:
        """The beginning of the hash is enough; a revoked token is unknown."""
        token = self.command("invite").stdout.strip()
        (made,) = self.json("invite")
        key = made["key"]
        self.output("revoke", token)
        self.assertIn("no invite", self.failed(REFUSED, "revoke", token))
        self.assertEqual(self.output("revoke", key[:12]), f"Revoked: {key[:12]}\n")
        self.assertEqual(self.output("invites"), "")

    def test_wrong_options_create_nothing(self) -> None:
        """The daemon refuses well-formed values that are out of bounds."""
        for words in (["--uses", "many"], ["--uses", "0"], ["--expires", "5"], ["--expires", ""]):
            self.failed(WRONG_USAGE, "invite", *words)
        error = self.failed(WRONG_USAGE, "invite", "--uses", "0")
        self.assertIn("--uses: a number from 1 is expected, not '0'", error)
        self.failed(REFUSED, "invite", "--note", "x" * 501)
        self.assertEqual(self.json("invites"), [])
