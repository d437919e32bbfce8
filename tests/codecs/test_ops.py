"""The codec of ops: commands and replies."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import ops


class Commands(SynchronousTestCase):
    """Commands from the client."""

    def test_one_read_is_one_command(self) -> None:
        """Missing and extra fields make it malformed."""
        for text, command in (
            ("0|mason123", ops.Login("mason123")),
            ("1|mason", ops.Create("mason")),
            ("1|mason|" + "ab-" * 13, ops.Create("mason", "ab-" * 13)),
            ("2", ops.List()),
            ("2|", ops.List()),
            ("2|m.son", ops.List("m.son")),
            ("3|wayne|hi", ops.Send("wayne", "hi")),
            ("3|wayne|a|b||c", ops.Send("wayne", "a|b||c")),
            ("3|wayne|", ops.Send("wayne", "")),
            ("3|wayne|é\n\tx", ops.Send("wayne", "é\n\tx")),
            ("4|mason123", ops.Fetch("mason123")),
            ("5|mason123", ops.Delete("mason123")),
            *[
                (text, ops.Malformed())
                for text in ("0", "1", "3", "3|wayne", "4", "5", "6|x", "", "x", "0|a|b")
            ],
            *[
                (text, ops.Malformed())
                for text in ("0|a|b", "1|a|b", "2|a|b", "22", " 2", "00|a", "quit", "|")
            ],
        ):
            self.assertEqual(ops.Decoder().feed(text.encode()), [command], text)

    def test_lines_are_commands(self) -> None:
        """Data that ends in a line break is one command for each line."""
        self.assertEqual(
            ops.Decoder().feed(b"1|a\n\n2\r\n3|a|x y\n"),
            [ops.Create("a"), ops.List(), ops.Send("a", "x y")],
        )
        self.assertEqual(ops.Decoder().feed(b"\n"), [])
        self.assertEqual(ops.Decoder().feed(b"3|a|x\ny"), [ops.Send("a", "x\ny")])

    def test_more_than_the_limit_at_once_is_refused_as_a_whole(self) -> None:
        """No part of it is a command, though it may look like one."""
        longest = b"3|a|".ljust(ops.LONGEST, b"x")
        self.assertEqual(ops.Decoder().feed(longest), [ops.Send("a", longest[4:].decode())])
        lines = b"2\n" * ops.MOST_COMMANDS
        self.assertEqual(ops.Decoder().feed(b"\n\r\n" + lines), ops.MOST_COMMANDS * [ops.List()])
        self.assertEqual(ops.Decoder().feed(lines + b"2\n"), [ops.TooMany()])
        for data in (longest + b"x", longest + b"\n", b"2\n" * (ops.LONGEST // 2) + b"\n"):
            self.assertEqual(ops.Decoder().feed(data), [ops.TooLong()])

    @settings(derandomize=True, deadline=None)
    @given(st.binary(max_size=300))
    def test_any_bytes_decode_to_commands(self, data: bytes) -> None:
        """Nothing is left over."""
        decoder = ops.Decoder()
        for command in decoder.feed(data):
            self.assertIsInstance(command, ops.Command)
        self.assertFalse(decoder.unfinished)

    def test_signature_is_recognized(self) -> None:
        """The first bytes of a connection decide whether it speaks ops."""
        for data, opens in (
            (b"2", None),
            (b"1|", True),
            (b"0|mason123", True),
            (b"2\n", True),
            (b"2\r\n", True),
            (b"22", False),
            (b"6|", False),
            (b"x", False),
            (b"3 |", False),
            (b"2\nx", False),
        ):
            self.assertIs(ops.opens(data), opens, data)

    def test_id_is_name_and_suffix(self) -> None:
        """Other texts give an empty name."""
        for id, name in (
            ("mason123", "mason"),
            ("a123123", "a123"),
            ("123", ""),
            ("mason", ""),
            ("", ""),
        ):
            self.assertEqual(ops.name_of(id), name)


class Replies(SynchronousTestCase):
    """Replies to the client, byte for byte."""

    def test_replies_are_those_of_the_original_server(self) -> None:
        """Every reply, with examples."""
        for reply, right in (
            (ops.created("mason"), "Success New Account Creation! Your new Account ID: mason123\n"),
            (ops.logged_in("mason"), "user : mason is now logged in\n"),
            (
                ops.unknown_id("x123"),
                "user with ID : x123 is not recognized in the system, "
                "please try a different name or create a new one\n",
            ),
            (ops.all_names(["mason", "wayne"]), "Showing all accounts: mason,wayne\n"),
            (ops.all_names([]), "Showing all accounts: \n"),
            (ops.matched(".*", ["mason", "wayne"]), "Account matched: mason,wayne\n"),
            (ops.matched("w.yne", []), "Account matched to: w.yne doesn't exist \n"),
            (ops.message("mason", "hi"), "mason: hi"),
            (ops.sent("mason", "hi", "wayne"), "Sender mason sends a new message hi to wayne\n"),
            (
                ops.left_in_mailbox("mason", "wayne"),
                "message from mason has been delivered to wayne's mailbox\n",
            ),
            (ops.unknown_recipient("wayne"), "Receiver: wayne doesn't exist \n"),
            (ops.mail("mason123"), "undelivered message for user ID mason123: \n"),
            (ops.mail_item("wayne", "hi"), "wayne sends: hi\n\n"),
            (ops.NO_MESSAGES, "No new messages\n"),
            (ops.UNKNOWN_MAILBOX, "User not Found "),
            (ops.DELETED, "Your account has been deleted\n"),
            (ops.MAIL_WAITS, "Please check your mailbox before deleting your account! \n"),
            (ops.UNKNOWN_ACCOUNT, "User Not Found! "),
            (ops.INVALID, "Please give a valid input as instructed in the documentation"),
            (
                ops.taken("mason"),
                "Username mason already exists. Please try a different username.\n",
            ),
            (
                ops.GREETING,
                "To get started on this chat room, please create or login your account first "
                "and type command as instructed in the documentation \n",
            ),
        ):
            self.assertEqual(reply, right)

    def test_replies_are_ascii_on_one_line(self) -> None:
        """Control characters are replaced."""
        self.assertEqual(
            ops.encode(ops.message("ann", "é\r\nb\n\n\tc\x1b[2J\x7f")), b"ann: ? b \tc?[2J?"
        )
