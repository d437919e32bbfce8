"""The codec of version 1: the examples, and frames."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs.v1 import (
    HEADER_SIZE,
    LONGEST_REPLY,
    Broken,
    Decoder,
    Malformed,
    Received,
    client_decoder,
    encode,
    server_decoder,
)
from chatd.codecs.v1_messages import (
    MESSAGES,
    REPLIES,
    REQUESTS,
    Hello,
    Item,
    LoggedIn,
    LogState,
    Member,
    Members,
    Message,
    Names,
    Page,
    People,
    Person,
    Ping,
    Pong,
    RoomInfo,
    Rooms,
    Send,
)
from chatd.core.limits import Limits
from chatd.stores import PAGE_BYTES
from tests.codecs.v1_examples import EXAMPLES, LIMIT, SAME, WRONG, frame

PING = encode(Ping(7))


def decoder(message: Message) -> Decoder:
    """A decoder for the receiver of a message."""
    return server_decoder(LIMIT) if message.command in REQUESTS else client_decoder(LIMIT)


def feed(to: Decoder, parts: Sequence[bytes]) -> list[Received]:
    """All messages that these parts give."""
    return [message for part in parts for message in to.feed(part)]


def without_sentences(messages: Sequence[Received]) -> list[Received]:
    """The messages without their sentences, which are for users."""
    return [
        msgspec.structs.replace(message, reason="")
        if isinstance(message, Malformed | Broken)
        else message
        for message in messages
    ]


class Examples(SynchronousTestCase):
    """All examples of the tables."""

    def test_every_message_has_one_example(self) -> None:
        """The examples are in the order of the command numbers."""
        self.assertEqual([type(example.message) for example in EXAMPLES], list(MESSAGES.values()))

    def test_messages_encode_to_their_frames(self) -> None:
        """Every message has the bytes of its example."""
        for example in EXAMPLES:
            self.assertEqual(encode(example.message), example.data, example)

    def test_frames_decode_to_their_messages(self) -> None:
        """Nothing is left over; other encodings give the same message."""
        for example in (*EXAMPLES, *SAME):
            at = decoder(example.message)
            self.assertEqual(at.feed(example.data), [example.message], example)
            self.assertFalse(at.unfinished, example)

    def test_invalid_frames_are_refused(self) -> None:
        """The next frame is decoded, unless the stream is broken."""
        for wrong in WRONG:
            at = server_decoder(LIMIT)
            got = at.feed(wrong.data + PING)
            self.assertGreater(len(getattr(got[0], "reason", "")), 10, wrong.title)
            rest = [] if isinstance(wrong.answer, Broken) else [Ping(7)]
            self.assertEqual(without_sentences(got), [wrong.answer, *rest], wrong.title)
            self.assertFalse(at.unfinished, wrong.title)

    def test_message_is_decoded_with_its_last_byte(self) -> None:
        """Each byte is fed alone; the message is decoded once."""
        for example in EXAMPLES:
            at = decoder(example.message)
            single = [example.data[n : n + 1] for n in range(len(example.data))]
            self.assertEqual(feed(at, single[:-1]), [], example)
            self.assertTrue(at.unfinished, example)
            self.assertEqual(at.feed(single[-1]), [example.message], example)
            self.assertFalse(at.unfinished, example)

    def test_message_is_decoded_from_any_two_pieces(self) -> None:
        """An empty piece changes nothing."""
        for example in EXAMPLES:
            for cut in range(1, len(example.data)):
                at = decoder(example.message)
                self.assertEqual(feed(at, [example.data[:cut], b""]), [], example)
                self.assertTrue(at.unfinished, example)
                self.assertEqual(at.feed(example.data[cut:]), [example.message], example)

    def test_all_frames_of_one_piece_are_decoded(self) -> None:
        """The beginning of another frame follows them."""
        for side in (REQUESTS, REPLIES):
            some = [example for example in EXAMPLES if example.message.command in side]
            messages = [example.message for example in some]
            data = b"".join(example.data for example in some)
            at = decoder(messages[-1])
            self.assertEqual(at.feed(data + data[:7]), messages)
            self.assertTrue(at.unfinished)
            self.assertEqual(at.feed(data[7:]), messages)
            self.assertFalse(at.unfinished)

    def test_messages_of_the_other_direction_are_refused(self) -> None:
        """Server messages from a client, and the other way round."""
        for example in EXAMPLES:
            command = example.message.command
            if command in (Ping.command, Pong.command):
                continue
            at = client_decoder(LIMIT) if command in REQUESTS else server_decoder(LIMIT)
            (message,) = at.feed(example.data)
            assert isinstance(message, Malformed)
            self.assertEqual((message.request, message.code), (command, "unknown-command"))


class Frames(SynchronousTestCase):
    """Headers, lengths and counts."""

    def test_frame_of_the_greatest_length_is_accepted(self) -> None:
        """Its length is the limit."""
        text = "x" * 90
        data = encode(Send(1, "bob", text))
        self.assertEqual(server_decoder(len(data) - HEADER_SIZE).feed(data), [Send(1, "bob", text)])
        (message,) = server_decoder(len(data) - HEADER_SIZE - 1).feed(data)
        assert isinstance(message, Malformed)
        self.assertEqual(
            (message.ref, message.request, message.code), (0, Send.command, "frame-too-long")
        )

    def test_longest_replies_fit_the_limit(self) -> None:
        """The greatest answers, with names and topics of the greatest length."""
        limits = Limits()
        name, topic = "n" * 33, "🌱" * limits.topic
        room = RoomInfo(name, 2**53, topic, True, name, limits.members, "moderator")
        state = LogState(name, 2**53, 2**53, 2**53, 2**53, room)
        most = limits.text // 4
        texts = ["🌱" * most] * (PAGE_BYTES // most) + [""] * 1000
        for reply in (
            LoggedIn(1, name, [state] * (limits.rooms + 1)),
            Rooms(1, [room] * 200, True, name),
            Page(
                1,
                name,
                [Item(2**53, 2**63, 2**53, name, "reaction", text, 2**63) for text in texts],
            ),
            People(1, [Person(name, "away", "🌱" * 512, 2**53)] * 100),
            Names(1, [name] * 1000, True),
            Members(1, [Member(name, "moderator")] * 1000, True),
        ):
            self.assertEqual(client_decoder(LONGEST_REPLY).feed(encode(reply)), [reply])

    def test_too_long_frame_is_discarded(self) -> None:
        """It is refused at its header, and the next frame is decoded, wherever it is cut."""
        for length in (101, 256 * 100):
            data = frame(Send.command, PING * (length // len(PING)) + b"x" * (length % len(PING)))
            for pieces in (
                [data + PING],
                [data, PING],
                [data[:6], data[6:] + PING],
                [data[:3], data[3:9], data[9:] + PING[:1], PING[1:]],
                [data[n : n + 7] for n in range(0, len(data), 7)] + [PING],
            ):
                at = server_decoder(100)
                refused, ping = feed(at, pieces)
                assert isinstance(refused, Malformed)
                self.assertEqual((refused.code, ping), ("frame-too-long", Ping(7)))

    def test_discarded_frame_counts_as_unfinished(self) -> None:
        """The deadline for unfinished frames applies to it."""
        at = server_decoder(100)
        self.assertEqual(len(at.feed(frame(10, b"", length=200))), 1)
        self.assertTrue(at.unfinished)
        self.assertEqual(at.feed(b"x" * 199), [])
        self.assertTrue(at.unfinished)
        self.assertEqual(at.feed(b"x"), [])
        self.assertFalse(at.unfinished)

    def test_length_above_the_skipped_maximum_breaks_the_stream(self) -> None:
        """Six bytes are enough, and nothing after them is decoded."""
        for at, length in (
            (server_decoder(100), 25_601),
            (server_decoder(100), 2**32 - 1),
            (client_decoder(100), 101),
        ):
            (message,) = at.feed(frame(2, b"", length=length))
            self.assertIn("the limit is 100", getattr(message, "reason", ""))
            self.assertIsInstance(message, Broken)
            self.assertEqual(at.feed(PING), [])
            self.assertFalse(at.unfinished)

    def test_other_version_breaks_the_stream_at_its_first_byte(self) -> None:
        """Frames before it are decoded, and nothing after it."""
        for version in (0, 2, 71, 255):
            at = server_decoder(100)
            ping, broken = at.feed(PING + bytes([version]))
            self.assertEqual(ping, Ping(7))
            self.assertIn(f"unknown version {version}", getattr(broken, "reason", ""))
            self.assertIsInstance(broken, Broken)
            self.assertEqual(at.feed(PING), [])

    def test_buffer_is_bounded(self) -> None:
        """An unfinished frame takes little more than its own bytes, in pieces of any size."""
        data = frame(Send.command, b"x" * LIMIT)[:-1]
        for size in (1, 2, 7, 1000):
            at = server_decoder(LIMIT)
            tracemalloc.start()
            try:
                for n in range(0, len(data), size):
                    at.feed(data[n : n + size])
                allocated, _ = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            self.assertLess(allocated, 1.5 * LIMIT, size)

    def test_discarded_frame_is_not_buffered(self) -> None:
        """Its length does not matter."""
        at = server_decoder(LIMIT)
        at.feed(frame(Send.command, b"", length=256 * LIMIT))
        piece = b"x" * LIMIT
        tracemalloc.start()
        try:
            for _ in range(200):
                at.feed(piece)
            allocated, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        self.assertLess(allocated, 10_000)

    def test_huge_counts_cost_no_memory(self) -> None:
        """An array or a text may claim any size."""
        for count in (2**16, 2**27, 2**32 - 1):
            many = count.to_bytes(4)
            for data in (
                b"\xdd" + many + b"\x05",
                b"\x94\x05\xa0\xa0\xdd" + many + b"\xa0",
                b"\x92\x05\xdb" + many + b"x",
                b"\x92\x05\xdd" + many,
                b"\x92\x05\xdf" + many,
                b"\x92\x05\xc6" + many,
            ):
                tracemalloc.start()
                try:
                    (message,) = server_decoder(LIMIT).feed(frame(Hello.command, data))
                    _, most = tracemalloc.get_traced_memory()
                finally:
                    tracemalloc.stop()
                self.assertIsInstance(message, Malformed)
                self.assertLess(most, 100_000, data)

    def test_deep_nesting_is_refused(self) -> None:
        """Fields that the decoder ignores are checked too."""
        for deep in (b"\x91" * 100_000, b"\x81\xa0" * 50_000):
            for data in (deep, b"\x91" + deep, b"\x92\x05" + deep):
                for command in REQUESTS:
                    (message,) = server_decoder(LIMIT).feed(frame(command, data))
                    assert isinstance(message, Malformed)
                    self.assertEqual((message.request, message.code), (command, "malformed"))

    def test_text_that_is_not_utf8_is_refused(self) -> None:
        """Every field is checked; surrogates are not valid."""
        for wrong in (b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xf0\x9f\x8c", b"\xc0\x80"):
            text = bytes([0xA0 + len(wrong)]) + wrong
            for data in (b"\x93\x07" + text + b"\xa1x", b"\x93\x07\xa3bob" + text):
                (message,) = server_decoder(LIMIT).feed(frame(Send.command, data))
                assert isinstance(message, Malformed)
                self.assertEqual((message.ref, message.code), (7, "malformed"))
