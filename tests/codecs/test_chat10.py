"""The codec of CHAT/1.0: both framings, any input."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import chat10
from chatd.codecs.chat10 import (
    Decoder,
    Disconnect,
    Invalid,
    Register,
    Text,
    TooLong,
    encode_text,
)


def lines(*texts: str) -> list[chat10.Command]:
    """The messages of these lines after a registration."""
    decoder = Decoder()
    decoder.feed(b"REGISTER luca CHAT/1.0\n")
    return decoder.feed("".join(text + "\n" for text in texts).encode())


class Decoding(SynchronousTestCase):
    """Messages from the client."""

    def test_registration_decides_the_framing(self) -> None:
        """A registration has exactly three words."""
        for text, command in (
            ("REGISTER luca CHAT/1.0", Register("luca")),
            ("REGISTER  luca  CHAT/1.0 ", Register("luca")),
            ("REGISTER ROBERT CHAT/1.0", Register("ROBERT")),
            ("REGISTER user10 CHAT/1.0", Register("user10")),
            ("REGISTER luca CHAT/1.1", Invalid()),
            ("REGISTER luca", Invalid()),
            ("REGISTER a b CHAT/1.0", Invalid()),
            ("REGISTER CHAT/1.0", Invalid()),
            ("CHAT/1.0 luca REGISTER", Invalid()),
            ("@luca: hi", Invalid()),
        ):
            decoder = Decoder()
            self.assertEqual(decoder.feed(text.encode() + b"\r\n"), [command], text)
            self.assertIs(decoder.lines, True)
            decoder = Decoder()
            self.assertEqual((decoder.feed(text.encode()), decoder.lines), ([], None))
            decoder.pause()
            self.assertEqual((decoder.feed(b""), decoder.lines), ([command], False))

    def test_invite_token_may_follow_the_name(self) -> None:
        """The client takes it for a part of the name, and writes it before its texts."""
        token = "abcdefg-abcdefg-abcdefg-abcde"
        for written in (token, token.upper(), token.replace("-", "")):
            decoder = Decoder()
            self.assertEqual(
                decoder.feed(f"REGISTER luca {written} CHAT/1.0\n".encode()),
                [Register("luca", written)],
            )
            self.assertEqual(
                decoder.feed(f"@luca {written}: hi\n@luca: x\n@luca other: y\n".encode()),
                [Text("hi"), Text("x"), Text("@luca other: y")],
            )
        for words in (f"luca {token}x", f"luca {token} {token}", f"{token} luca"):
            data = f"REGISTER {words} CHAT/1.0\n".encode()
            self.assertEqual(Decoder().feed(data), [Invalid()], words)

    def test_pause_before_the_first_byte_decides_nothing(self) -> None:
        """The framing stays unknown."""
        decoder = Decoder()
        decoder.pause()
        self.assertEqual((decoder.feed(b""), decoder.lines), ([], None))

    def test_prefix_is_removed_and_blanks_are_kept(self) -> None:
        """The prefix of the sender is optional, and so is the blank after it."""
        for text, expected in (
            ("@luca: hello", Text("hello")),
            ("@luca:hello", Text("hello")),
            ("@luca:  hello  ", Text(" hello  ")),
            (" hello\t", Text(" hello\t")),
            ("@other: I am not luca", Text("I am not luca")),
            ("@luca: see http://x: y", Text("see http://x: y")),
            ("@luca: REGISTER DISCONNECT CHAT/1.0", Text("REGISTER DISCONNECT CHAT/1.0")),
            ("hello", Text("hello")),
            ("a: b", Text("a: b")),
            ("@a b: c", Text("@a b: c")),
            ("@luca:", Text("")),
            ("", Text("")),
            ("DISCONNECT luca CHAT/1.0", Disconnect()),
            ("DISCONNECT", Disconnect()),
            ("DISCONNECTED", Text("DISCONNECTED")),
        ):
            self.assertEqual(lines(text), [expected], text)

    def test_without_lines_one_read_is_one_message(self) -> None:
        """Line breaks are part of the message."""
        decoder = Decoder()
        decoder.feed(b"REGISTER bo CHAT/1.0")
        decoder.pause()
        self.assertEqual(decoder.feed(b"@bo: a\n@eve: b\n"), [Register("bo"), Text("a\n@eve: b")])
        self.assertEqual(
            decoder.feed(b"@bo: hi\nDISCONNECT bo CHAT/1.0"), [Text("hi\nDISCONNECT bo CHAT/1.0")]
        )
        self.assertEqual(decoder.feed(b"DISCONNECT bo CHAT/1.0"), [Disconnect()])
        self.assertFalse(decoder.unfinished)

    def test_message_over_the_limit_is_dropped_in_both_framings(self) -> None:
        """The rest of a line is dropped with it; the next line is a message."""
        longest, longer = b"x" * chat10.LONGEST, b"x" * (chat10.LONGEST + 1)
        decoder = Decoder()
        decoder.feed(b"REGISTER luca CHAT/1.0\n")
        self.assertEqual(decoder.feed(longest + b"\n"), [Text(longest.decode())])
        self.assertEqual(decoder.feed(longer + b"\n"), [TooLong()])
        self.assertEqual(decoder.feed(longer), [TooLong()])
        self.assertTrue(decoder.unfinished)
        self.assertEqual(decoder.feed(longer), [])
        self.assertEqual(decoder.feed(b"DISCONNECT\nhi\n"), [Text("hi")])
        self.assertFalse(decoder.unfinished)
        decoder = Decoder()
        decoder.feed(b"REGISTER bo CHAT/1.0")
        decoder.pause()
        self.assertEqual(decoder.feed(longest)[1:], [Text(longest.decode())])
        self.assertEqual(decoder.feed(longer), [TooLong()])

    def test_first_message_over_the_limit_is_invalid(self) -> None:
        """It counts as a line."""
        decoder = Decoder()
        self.assertEqual(decoder.feed(b"x" * chat10.LONGEST), [])
        self.assertEqual(decoder.feed(b"xx"), [Invalid()])
        self.assertIs(decoder.lines, True)

    @settings(derandomize=True, deadline=None)
    @given(st.lists(st.text(max_size=20), max_size=8), st.lists(st.integers(0, 200), max_size=20))
    def test_any_cut_of_lines_decodes_to_the_same(self, texts: list[str], cuts: list[int]) -> None:
        """A line may arrive in any number of pieces."""
        data = b"REGISTER luca CHAT/1.0\n" + "".join(text + "\n" for text in texts).encode()
        uncut = Decoder().feed(data)
        decoder = Decoder()
        at = 0
        messages = []
        for cut in (*sorted(cuts), len(data)):
            messages += decoder.feed(data[at:cut]) if cut > at else []
            at = max(at, cut)
        self.assertEqual(messages, uncut)

    @settings(derandomize=True, deadline=None)
    @given(st.lists(st.tuples(st.binary(max_size=80), st.booleans()), max_size=6))
    def test_any_bytes_decode_to_messages(self, chunks: list[tuple[bytes, bool]]) -> None:
        """Any bytes, with pauses anywhere."""
        decoder = Decoder()
        for data, pause in chunks:
            if pause:
                decoder.pause()
            for message in decoder.feed(data):
                self.assertIsInstance(message, chat10.Command)

    def test_signature_is_recognized(self) -> None:
        """The first bytes of a connection decide whether it speaks CHAT/1.0."""
        for data, opens in (
            (b"R", None),
            (b"REGISTER", None),
            (b"REGISTER ", True),
            (b"REGISTER luca", True),
            (b"REGISTER\n", True),
            (b"REGISTERED", False),
            (b"REGISTRY", False),
            (b"r", False),
        ):
            self.assertIs(chat10.opens(data), opens, data)


class Encoding(SynchronousTestCase):
    """Messages to the client."""

    def test_lines_are_ascii_with_one_line_break(self) -> None:
        """A text of several lines is several messages."""
        self.assertEqual(encode_text("ann", "hi", True), [b"@ann: hi\n"])
        self.assertEqual(encode_text("ann", "é €", True), [b"@ann: ? ?\n"])
        self.assertEqual(
            encode_text("ann", "a\r\n\n \n@eve: b", True), [b"@ann: a\n", b"@ann: @eve: b\n"]
        )
        self.assertEqual(encode_text("ann", "\x1b[2J\tx\x00", True), [b"@ann: ?[2J\tx?\n"])
        self.assertEqual(encode_text("ann", "", True), [])

    def test_without_lines_one_read_is_one_message(self) -> None:
        """Line breaks are part of the message."""
        self.assertEqual(encode_text("ann", "é\nb", False), ["@ann: é".encode(), b"@ann: b"])

    @settings(derandomize=True, deadline=None)
    @given(st.text(st.sampled_from("aé€\N{GRINNING FACE}\n\r\u2028"), max_size=3000), st.booleans())
    def test_every_message_has_the_sender_and_all_text_is_sent(
        self, text: str, framed: bool
    ) -> None:
        """The parts are in order."""
        messages = encode_text("ann", text, framed)
        sent = ""
        for data in messages:
            self.assertTrue(data.startswith(b"@ann: "), data)
            self.assertEqual(data.count(b"\n"), framed)
            if not framed:
                self.assertLessEqual(len(data), 2048)
            sent += data.decode().removeprefix("@ann: ").rstrip("\n")
        shown = text.translate({10: None, 13: None, 0x2028: "?"})
        self.assertEqual(sent, shown.encode("ascii", "replace").decode() if framed else shown)
