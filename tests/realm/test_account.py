"""Names of accounts, and what is stored of one."""

from __future__ import annotations

import string

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.core.errors import IllegalName
from chatd.core.names import check_name, mailbox_log
from chatd.realm.accounts import Account

LEGAL = string.ascii_letters + string.digits + "._-"
ILLEGAL = st.characters().filter(lambda char: char not in LEGAL)


class Names(SynchronousTestCase):
    """The one rule, and which part of it a name breaks."""

    def refusal(self, name: str) -> str:
        """What is said against a name."""
        return str(self.assertRaises(IllegalName, check_name, name))

    @settings(derandomize=True, deadline=None, max_examples=200)
    @given(st.text(LEGAL, min_size=1, max_size=32).filter(lambda name: name.lower() != "server"))
    def test_legal(self, name: str) -> None:
        """Up to 32 letters, digits, dots, underscores and hyphens are a name, in any order."""
        check_name(name)

    @settings(derandomize=True, deadline=None, max_examples=300)
    @given(st.text(LEGAL, max_size=15), ILLEGAL, st.text(max_size=15))
    def test_an_illegal_character_is_named(self, before: str, wrong: str, after: str) -> None:
        """Whoever uses a character that some protocol could not spell is told which one it was."""
        self.assertEqual(
            self.refusal(before + wrong + after),
            f"Illegal username character: {wrong!r} (letters, digits and . _ - are legal)",
        )

    def test_digits_and_letters_of_other_scripts(self) -> None:
        """A name that only looks like another one cannot be had."""
        for name in (
            "\u0430nn",
            "ann\n",
            "ann\0",
            "\u0663",
            "\u017f",
            "@ann",
            "#ann",
            "a|||b",
            "a*",
        ):
            self.refusal(name)

    def test_empty(self) -> None:
        """No name at all gets a sentence of its own."""
        self.assertEqual(self.refusal(""), "Empty string is not a valid username.")

    def test_length(self) -> None:
        """32 characters are a name, 33 are not, and the sentence counts them."""
        check_name("x" * 32)
        self.assertEqual(self.refusal("x" * 33), "username has 33 characters, the limit is 32")

    def test_reserved(self) -> None:
        """Nobody can speak as the daemon, however it is spelled."""
        for name in ("server", "Server", "SERVER"):
            self.assertEqual(self.refusal(name), f"the username {name} is reserved")
        check_name("servers")


class Inboxes(SynchronousTestCase):
    """Where mail goes."""

    def test_one_for_every_spelling(self) -> None:
        """Mail to ANN and to ann arrives in the same place."""
        self.assertEqual({mailbox_log("ANN"), mailbox_log("Ann"), mailbox_log("ann")}, {"@ann"})


class Accounts(SynchronousTestCase):
    """What is stored."""

    def test_survives_the_store(self) -> None:
        """An account is read as it was written, with a password or without."""
        for account in (Account(1_700_000_000_000), Account(0, "$argon2id$v=19$...")):
            stored = msgspec.msgpack.encode(account)
            self.assertEqual(msgspec.msgpack.decode(stored, type=Account), account)

    def test_fields_can_be_added(self) -> None:
        """An older daemon can read what a newer one has written with more fields at the end."""
        stored = msgspec.msgpack.encode([5, None, [], "later"])
        self.assertEqual(msgspec.msgpack.decode(stored, type=Account), Account(5))

    def test_open_unless_told(self) -> None:
        """An account has no password unless one was given."""
        self.assertIsNone(Account(0).password)
