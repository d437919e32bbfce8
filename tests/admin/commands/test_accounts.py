"""The commands about accounts."""

from __future__ import annotations

import getpass
import re
from pathlib import Path

from chatd.admin.command_line import REFUSED, WRONG_USAGE
from tests.doubles.admin import CommandCase
from tests.doubles.folders import folder

FINGERPRINT = "ab" * 32
"""a well-formed fingerprint"""


class Listings(CommandCase):
    """``users`` and ``sessions``."""

    def test_users_are_listed_with_login_and_sessions(self) -> None:
        """A row for each account that matches."""
        self.harness.login("Ann")
        self.output("reset-password", "bob", typed="secret\n")
        heading, *rows = self.output("users").splitlines()
        self.assertEqual(
            re.split(r"\s\s+", heading), ["NAME", "LOGIN", "CREATED", "LAST SEEN", "SESSIONS"]
        )
        self.assertEqual(
            [row.split() for row in rows],
            [["Ann", "open", "-", "now", "1"], ["bob", "password", "-", "-", "0"]],
        )
        self.assertEqual([user["name"] for user in self.json("users", "b*")], ["bob"])
        self.assertEqual(self.output("users", "c*"), "")

    def test_all_pages_are_shown(self) -> None:
        """A page has a thousand accounts at most."""
        self.harness.register(*(f"c{number:04}" for number in range(1001)))
        self.assertEqual(len(self.json("users", "c*")), 1001)

    def test_sessions_of_all_accounts_or_of_one_are_listed(self) -> None:
        """An unknown account is an error."""
        self.harness.login("Ann")
        self.harness.login("bob")
        heading, *rows = self.output("sessions").splitlines()
        self.assertEqual(heading.split(), ["NAME", "SINCE", "CONNECTION"])
        self.assertEqual(
            [re.split(r"\s\s+", row) for row in rows],
            [["Ann", "-", "a test"], ["bob", "-", "a test"]],
        )
        self.assertEqual([item["name"] for item in self.json("sessions", "BOB")], ["bob"])
        self.assertIn("no account", self.failed(REFUSED, "sessions", "nobody"))


class EndSessions(CommandCase):
    """``end-sessions``."""

    def test_reason_for_ending_sessions_need_not_be_quoted(self) -> None:
        """The number of sessions is shown."""
        reasons: list[str] = []
        reader = self.harness.login("Ann")
        self.patch(reader, "session_ended", lambda code, sentence: reasons.append(sentence))
        self.assertEqual(
            self.output("end-sessions", "ann", "that", "is", "enough"),
            "Sessions of ann that were ended: 1\n",
        )
        self.assertEqual(reasons, ["that is enough"])
        self.assertEqual(self.json("end-sessions", "ann"), [{"sessions": 0}])
        self.assertIn("no account", self.failed(REFUSED, "end-sessions", "nobody"))


class SetPassword(CommandCase):
    """``reset-password``."""

    def setUp(self) -> None:
        super().setUp()
        self.file = Path(folder(self), "password")

    def test_password_is_read_from_standard_input_or_a_file(self) -> None:
        """Only the first line counts; its line break is removed."""
        self.file.write_text("second\r\nrest\n")
        for words, password in (
            ([], "typed"),
            (["--password-file", "-"], "typed"),
            (["--password-file", str(self.file)], "second"),
        ):
            self.assertEqual(
                self.output("reset-password", "ann", *words, typed="typed\nrest\n"),
                "Ann has a new password; its sessions were ended\n",
            )
            self.assertEqual(self.password("ann"), f"hash of {password}")

    def test_open_removes_the_password(self) -> None:
        """The output warns that anyone can log in."""
        self.output("reset-password", "ann", typed="secret\n")
        self.assertEqual(
            self.output("reset-password", "ann", "--open"),
            "Ann is open: anyone can log in to it; its sessions were ended\n",
        )
        self.assertIsNone(self.password("ann"))

    def test_wrong_usage_changes_nothing(self) -> None:
        """No password, two sources, or a file that cannot be read."""
        self.file.write_bytes(b"\xff\n")
        for words, typed in (
            (["--password-file", "/nowhere/password"], ""),
            (["--password-file", str(self.file)], ""),
            (["--open", "--password-file", "-"], "secret\n"),
            ([], ""),
            ([], "\n"),
        ):
            self.failed(WRONG_USAGE, "reset-password", "ann", *words, typed=typed)
            self.assertIsNone(self.password("ann"))
        sentence = self.failed(WRONG_USAGE, "reset-password", "ann", typed="caf\udce9\n")
        self.assertIn("the password is not valid text", sentence)

    def test_password_is_asked_for_twice_at_a_terminal(self) -> None:
        """Nothing is changed if the answers differ."""
        prompts: list[str] = []
        answers = ["third", "other", "third", "third"]

        def ask(prompt: str) -> str:
            prompts.append(prompt)
            return answers.pop(0)

        self.patch(getpass, "getpass", ask)
        self.assertIn("differ", self.failed(REFUSED, "reset-password", "ann", terminal=True))
        self.assertIsNone(self.password("ann"))
        self.output("reset-password", "ann", terminal=True)
        self.assertEqual(self.password("ann"), "hash of third")
        self.assertEqual(prompts, ["New password for ann: ", "Again: "] * 2)


class SetCertificates(CommandCase):
    """``certificate``."""

    def certificates(self) -> tuple[str, ...]:
        """The stored fingerprints of Ann."""
        _, account = self.harness.run(self.harness.realm.accounts.account("ann"))
        certificates: tuple[str, ...] = account.certificates
        return certificates

    def test_new_certificates_replace_the_stored_ones(self) -> None:
        """The word `none` removes all of them."""
        other = "cd" * 32
        self.assertEqual(
            self.output("certificate", "ann", f"{FINGERPRINT},{other}"),
            "Ann can log in by certificate\n",
        )
        self.assertEqual(self.certificates(), (FINGERPRINT, other))
        self.assertEqual(
            self.output("certificate", "ann", "none"), "Ann can no longer log in by certificate\n"
        )
        self.assertEqual(self.certificates(), ())

    def test_a_malformed_fingerprint_is_refused(self) -> None:
        """A fingerprint has 64 hexadecimal digits."""
        self.assertIn("SHA-256", self.failed(REFUSED, "certificate", "ann", "xyz"))
        self.assertIn("missing", self.failed(WRONG_USAGE, "certificate", "ann"))


class DeleteAccount(CommandCase):
    """``delete``."""

    def test_delete_without_a_terminal_requires_yes(self) -> None:
        """An answer on standard input does not count."""
        self.assertIn("--yes", self.failed(WRONG_USAGE, "delete", "ann", typed="yes\n"))
        self.assertEqual(self.json("delete", "ann", "--yes"), [{"name": "Ann"}])
        self.assertEqual(self.output("delete", "-y", "bob"), "Deleted: bob\n")
        self.assertIn("no account", self.failed(REFUSED, "delete", "--yes", "nobody"))

    def test_delete_asks_at_a_terminal(self) -> None:
        """Anything but yes cancels."""
        question = "Delete the account bob and its mailbox? (yes/no) "
        for answer in ("no\n", "\n", "maybe\n"):
            completed = self.command("delete", "bob", typed=answer, terminal=True)
            self.assertEqual((completed.status, completed.stdout), (REFUSED, question))
            self.assertIn("cancelled", completed.stderr)
        self.assertEqual(len(self.json("users")), 2)
        for name, answer in (("bob", "yes\n"), ("ann", " Y\n")):
            self.output("delete", name, typed=answer, terminal=True)
        self.assertEqual(self.json("users"), [])
