"""Names of accounts and rooms, and of their logs."""

from __future__ import annotations

import string

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.core.errors import IllegalName, IllegalRoom
from chatd.core.names import (
    check_name,
    check_room_name,
    complete_room_name,
    is_mailbox,
    is_room,
    log_id,
    mailbox_log,
    mailbox_name,
    mailbox_owner,
    room_log,
    room_name,
)

LEGAL = string.ascii_letters + string.digits + "._-"
ILLEGAL = st.characters().filter(lambda char: char not in LEGAL)


class Names(SynchronousTestCase):
    """Names of accounts."""

    def refusal(self, name: str) -> str:
        """The sentence with which a name is refused."""
        return str(self.assertRaises(IllegalName, check_name, name))

    @settings(derandomize=True, deadline=None, max_examples=200)
    @given(st.text(LEGAL, min_size=1, max_size=32).filter(lambda name: name.lower() != "server"))
    def test_name_of_legal_characters_is_accepted(self, name: str) -> None:
        """1 to 32 letters, digits, dots, underscores and hyphens, in any order."""
        check_name(name)

    @settings(derandomize=True, deadline=None, max_examples=300)
    @given(st.text(LEGAL, max_size=15), ILLEGAL, st.text(max_size=15))
    def test_refusal_names_the_illegal_character(self, before: str, wrong: str, after: str) -> None:
        """The first one, if there are several."""
        self.assertEqual(
            self.refusal(before + wrong + after),
            f"Illegal username character: {wrong!r} (letters, digits and . _ - are legal)",
        )

    def test_letters_and_digits_of_other_scripts_are_refused(self) -> None:
        """No name looks like another one."""
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

    def test_empty_name_is_refused(self) -> None:
        """With a sentence of its own."""
        self.assertEqual(self.refusal(""), "Empty string is not a valid username.")

    def test_name_has_at_most_32_characters(self) -> None:
        """The sentence has the length of the name."""
        check_name("x" * 32)
        self.assertEqual(self.refusal("x" * 33), "username has 33 characters, the limit is 32")

    def test_name_of_the_daemon_is_reserved(self) -> None:
        """In any spelling."""
        for name in ("server", "Server", "SERVER"):
            self.assertEqual(self.refusal(name), f"the username {name} is reserved")
        check_name("servers")


class Rooms(SynchronousTestCase):
    """Names of rooms."""

    def test_room_name_is_a_word_after_a_hash(self) -> None:
        """Names of accounts and longer names are refused."""
        check_room_name("#Garden")
        for name in ("", "#", "Garden", "##a", "#a b", "#" + "n" * 33):
            self.assertRaises(IllegalRoom, check_room_name, name)

    def test_hash_can_be_omitted(self) -> None:
        """`complete_room_name` adds it."""
        self.assertEqual(complete_room_name("Garden"), "#Garden")
        self.assertEqual(complete_room_name("#Garden"), "#Garden")


class Logs(SynchronousTestCase):
    """Names of logs."""

    def test_log_is_named_by_the_id(self) -> None:
        """Of the account or the room."""
        self.assertEqual((mailbox_log(17), room_log(23)), ("@17", "#23"))
        self.assertEqual((log_id(mailbox_log(17)), log_id(room_log(23))), (17, 23))

    def test_clients_know_a_log_by_the_same_name_for_any_spelling(self) -> None:
        """In lower case."""
        self.assertEqual({mailbox_name("ANN"), mailbox_name("Ann"), mailbox_name("ann")}, {"@ann"})
        self.assertEqual({room_name("#Garden"), room_name("#gARDEN")}, {"#garden"})

    def test_name_shows_whether_it_is_a_room_or_a_mailbox(self) -> None:
        """A log and a recipient in the same way."""
        for log, room in (
            (mailbox_name("Ann"), False),
            (mailbox_log(17), False),
            (room_name("#Garden"), True),
            (room_log(23), True),
        ):
            self.assertEqual((is_room(log), is_mailbox(log)), (room, not room))
        self.assertEqual((is_room("Ann"), is_room("#Garden")), (False, True))

    def test_owner_of_a_mailbox(self) -> None:
        """The name in lower case."""
        self.assertEqual(mailbox_owner(mailbox_name("Ann")), "ann")

    def test_id_of_a_log(self) -> None:
        """Names without an id, and numbers of more than 63 bits, give 0."""
        self.assertEqual([log_id("@17"), log_id(f"#{2**63 - 1}")], [17, 2**63 - 1])
        for log in ("@server", "@", "@1a", "@-1", "@+1", f"@{2**63}", "@" + "9" * 30, "@\u0663"):
            self.assertEqual(log_id(log), 0, log)
