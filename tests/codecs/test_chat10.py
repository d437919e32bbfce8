"""The bytes of CHAT/1.0."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import chat10
from chatd.codecs.chat10 import Decoder, Disconnect, Invalid, Register, Say, encode_said


def lines(*texts: str) -> list[chat10.Command]:
    """What lines mean after a registration."""
    decoder = Decoder()
    decoder.feed(b"REGISTER luca CHAT/1.0\n")
    return decoder.feed("".join(text + "\n" for text in texts).encode())


class Messages(SynchronousTestCase):
    """From the client."""

    def test_registering(self) -> None:
        """Exactly three words, in either framing."""
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

    def test_nothing_is_no_message(self) -> None:
        """Silence before the first byte tells nothing."""
        decoder = Decoder()
        decoder.pause()
        self.assertEqual((decoder.feed(b""), decoder.lines), ([], None))

    def test_what_is_said(self) -> None:
        """The text behind the prefix, or all of it if there is none; nothing at its ends."""
        for text, said in (
            ("@luca: hello", Say("hello")),
            ("@luca:hello", Say("hello")),
            ("@luca:  hello  ", Say("hello")),
            ("@other: I am not luca", Say("I am not luca")),
            ("@luca: see http://x: y", Say("see http://x: y")),
            ("@luca: REGISTER DISCONNECT CHAT/1.0", Say("REGISTER DISCONNECT CHAT/1.0")),
            ("hello", Say("hello")),
            ("a: b", Say("a: b")),
            ("@a b: c", Say("@a b: c")),
            ("@luca:", Say("")),
            ("", Say("")),
            ("DISCONNECT luca CHAT/1.0", Disconnect()),
            ("DISCONNECT", Disconnect()),
            ("DISCONNECTED", Say("DISCONNECTED")),
        ):
            self.assertEqual(lines(text), [said], text)

    def test_without_lines(self) -> None:
        """One read is one message, whatever is in it."""
        decoder = Decoder()
        decoder.feed(b"REGISTER bo CHAT/1.0")
        decoder.pause()
        self.assertEqual(decoder.feed(b"@bo: a\n@eve: b\n"), [Register("bo"), Say("a\n@eve: b")])
        self.assertEqual(
            decoder.feed(b"@bo: hi\nDISCONNECT bo CHAT/1.0"), [Say("hi\nDISCONNECT bo CHAT/1.0")]
        )
        self.assertEqual(decoder.feed(b"DISCONNECT bo CHAT/1.0"), [Disconnect()])
        self.assertFalse(decoder.unfinished)

    def test_a_line_without_end(self) -> None:
        """Is cut off."""
        decoder = Decoder()
        decoder.feed(b"REGISTER luca CHAT/1.0\n")
        found = decoder.feed(b"x" * (chat10.LONGEST + 10)) + decoder.feed(b"\n")
        self.assertEqual(
            [len(each.text) for each in found if isinstance(each, Say)], [chat10.LONGEST, 10]
        )

    @settings(derandomize=True, deadline=None)
    @given(st.lists(st.text(max_size=20), max_size=8), st.lists(st.integers(0, 200), max_size=20))
    def test_pieces(self, texts: list[str], cuts: list[int]) -> None:
        """However the lines are cut on their way, they mean the same."""
        data = b"REGISTER luca CHAT/1.0\n" + "".join(text + "\n" for text in texts).encode()
        whole = Decoder().feed(data)
        decoder = Decoder()
        at = 0
        found = []
        for cut in (*sorted(cuts), len(data)):
            found += decoder.feed(data[at:cut]) if cut > at else []
            at = max(at, cut)
        self.assertEqual(found, whole)

    @settings(derandomize=True, deadline=None)
    @given(st.lists(st.tuples(st.binary(max_size=80), st.booleans()), max_size=6))
    def test_anything(self, chunks: list[tuple[bytes, bool]]) -> None:
        """Any bytes, with pauses anywhere, are messages."""
        decoder = Decoder()
        for data, pause in chunks:
            if pause:
                decoder.pause()
            for message in decoder.feed(data):
                self.assertIsInstance(message, chat10.Command)

    def test_how_it_opens(self) -> None:
        """What the main port looks at."""
        for data, opens in (
            (b"R", None),
            (b"REGISTER", None),
            (b"REGISTER ", True),
            (b"REGISTER luca", True),
            (b"REGISTRY", False),
            (b"r", False),
        ):
            self.assertIs(chat10.opens(data), opens, data)


class Shown(SynchronousTestCase):
    """To the client."""

    def test_lines(self) -> None:
        """ASCII, a line break at the end of each, and none inside."""
        self.assertEqual(encode_said("ann", "hi", True), [b"@ann: hi\n"])
        self.assertEqual(encode_said("ann", "é €", True), [b"@ann: ? ?\n"])
        self.assertEqual(
            encode_said("ann", "a\r\n\n \n@eve: b", True), [b"@ann: a\n", b"@ann: @eve: b\n"]
        )
        self.assertEqual(encode_said("ann", "\x1b[2J\tx\x00", True), [b"@ann: ?[2J x?\n"])
        self.assertEqual(encode_said("ann", "", True), [])

    def test_without_lines(self) -> None:
        """UTF-8, and at most as much as the client reads at once."""
        self.assertEqual(encode_said("ann", "é\nb", False), ["@ann: é".encode(), b"@ann: b"])

    @settings(derandomize=True, deadline=None)
    @given(st.text(st.sampled_from("aé€\N{GRINNING FACE}\n\r\u2028"), max_size=3000), st.booleans())
    def test_every_message_is_the_senders(self, text: str, framed: bool) -> None:
        """And all of it is there, in order."""
        found = encode_said("ann", text, framed)
        said = ""
        for data in found:
            self.assertTrue(data.startswith(b"@ann: "), data)
            self.assertEqual(data.count(b"\n"), framed)
            if not framed:
                self.assertLessEqual(len(data), 2048)
            said += data.decode().removeprefix("@ann: ").rstrip("\n")
        shown = "".join(text.splitlines())
        self.assertEqual(said, shown.encode("ascii", "replace").decode() if framed else shown)
