"""The codec of the classic protocol: the examples, limits, any input."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs.classic import (
    CREATE,
    DELETE,
    DELIVER,
    HEADER_SIZE,
    LIST,
    LOGIN,
    RESPONSE,
    SEND,
    Broken,
    Command,
    Create,
    Decoder,
    Delete,
    Deliver,
    List,
    ListResponse,
    Login,
    Malformed,
    Reply,
    Response,
    Send,
    client_decoder,
    encode,
    encode_entries,
    encode_names,
    encode_send,
    server_decoder,
)
from chatd.core.entries import EDIT, TEXT, Entry, described, without_controls
from tests.codecs.classic_examples import EXAMPLES, LIMIT, Example, frame

bounded = settings(derandomize=True, deadline=None, max_examples=300)
field = st.text(
    st.characters(min_codepoint=0, max_codepoint=127, exclude_characters="|"), max_size=40
)


def decoder(example: Example) -> Decoder:
    """A decoder for the receiver of an example."""
    return server_decoder(LIMIT) if example.sender == "client" else client_decoder(LIMIT)


def encoded(message: Command | Reply) -> bytes | None:
    """The bytes of a message, None if it cannot be sent."""
    match message:
        case Create(name, password, str(invite)):
            return encode(CREATE, name, password or "", invite)
        case Create(name, password):
            return encode(CREATE, name) if password is None else encode(CREATE, name, password)
        case Login(name, password):
            return encode(LOGIN, name) if password is None else encode(LOGIN, name, password)
        case List(pattern):
            return encode(LIST, pattern)
        case Send(sender, recipient, text, _):
            return encode_send(sender, recipient, text)
        case Deliver():
            return encode(DELIVER)
        case Delete():
            return encode(DELETE)
        case Response(error):
            return encode(RESPONSE, error)
        case ListResponse(names):
            return encode_names(names)
    return None


def feed(to: Decoder, parts: Sequence[bytes]) -> list[Command | Reply]:
    """All messages that these parts give."""
    return [message for part in parts for message in to.feed(part)]


class Examples(SynchronousTestCase):
    """All examples of the table."""

    def test_frames_decode_to_their_messages(self) -> None:
        """Nothing is left over, unless the stream is broken."""
        for example in EXAMPLES:
            at = decoder(example)
            self.assertEqual(at.feed(example.data), [example.message], example.title)
            self.assertFalse(at.unfinished, example.title)

    def test_messages_encode_to_their_frames(self) -> None:
        """Every message that can be sent."""
        for example in EXAMPLES:
            data = encoded(example.message)
            if data is not None:
                self.assertEqual(data, example.data, example.title)

    def test_message_is_decoded_with_its_last_byte(self) -> None:
        """The message is decoded with its last byte, once."""
        for example in EXAMPLES:
            at = decoder(example)
            single = [example.data[n : n + 1] for n in range(len(example.data))]
            self.assertEqual(feed(at, single), [example.message], example.title)

    def test_message_is_decoded_from_any_two_pieces(self) -> None:
        """The frame is unfinished until the second piece arrives."""
        for example in EXAMPLES:
            for cut in range(1, len(example.data)):
                at = decoder(example)
                first = at.feed(example.data[:cut])
                if isinstance(example.message, Broken):
                    self.assertEqual(
                        first + at.feed(example.data[cut:]), [example.message], example.title
                    )
                else:
                    self.assertEqual((first, at.unfinished), ([], True), example.title)
                    self.assertEqual(at.feed(example.data[cut:]), [example.message], example.title)

    def test_all_frames_of_one_piece_are_decoded(self) -> None:
        """Messages are in order; malformed frames do not affect the next ones."""
        for sender in ("client", "server"):
            some = [e for e in EXAMPLES if e.sender == sender and not isinstance(e.message, Broken)]
            at = decoder(some[0])
            data = b"".join(example.data for example in some)
            self.assertEqual(at.feed(data + data[:10]), [example.message for example in some])
            self.assertTrue(at.unfinished)
            self.assertEqual(at.feed(data[10:]), [example.message for example in some])

    def test_nothing_is_decoded_after_broken(self) -> None:
        """Further bytes give no messages."""
        for example in EXAMPLES:
            if isinstance(example.message, Broken):
                at = decoder(example)
                good = frame(DELIVER, b"")
                self.assertEqual(at.feed(good + example.data + good), [Deliver(), example.message])
                self.assertEqual(at.feed(good), [])


class Limits(SynchronousTestCase):
    """Lengths are checked before any data is buffered."""

    def test_frame_of_the_greatest_length_is_accepted(self) -> None:
        """Its length is the limit."""
        (message,) = server_decoder(100).feed(frame(LIST, b"x" * 100))
        self.assertEqual(message, List("x" * 100))

    def test_length_is_checked_with_the_header(self) -> None:
        """42 bytes are enough to refuse a frame."""
        for length in (101, 2**32 - 1, 2**32, 2**64, 2**319):
            (message,) = server_decoder(100).feed(frame(LIST, b"", length=length))
            self.assertIsInstance(message, Broken)
            self.assertIn("the limit is 100", str(message))

    def test_other_version_is_refused_by_its_first_byte(self) -> None:
        """The rest of the header is not awaited."""
        (message,) = server_decoder(100).feed(b"G")
        self.assertEqual(
            message, Broken("unknown version 71: a classic frame begins with version 0")
        )

    def test_buffer_is_bounded(self) -> None:
        """An unfinished frame takes at most the limit and the header, in pieces of any size."""
        at = server_decoder(100)
        data = frame(LIST, b"x" * 100)
        for n in range(len(data) - 1):
            at.feed(data[n : n + 1])
        self.assertEqual(sum(map(len, at._parts)), 100 + HEADER_SIZE - 1)


_commands = st.one_of(
    st.builds(Create, field, st.none() | field),
    st.builds(Login, field, st.none() | field),
    st.builds(List, field),
    st.builds(lambda a, b, c: Send(a, b, c, encode_send(a, b, c)), field, field, field),
    st.just(Deliver()),
    st.just(Delete()),
)
_replies = st.one_of(
    st.builds(Response, field),
    st.builds(ListResponse, st.lists(field.filter(bool), max_size=5).map(tuple)),
    st.builds(lambda a, b, c: Send(a, b, c, encode_send(a, b, c)), field, field, field),
)


class AnyInput(SynchronousTestCase):
    """Any sequences, cuts and bytes (Hypothesis)."""

    @bounded
    @given(st.lists(_commands), st.lists(st.integers(0, 4000)), st.booleans())
    def test_any_sequence_of_commands_is_decoded(
        self, messages: list[Command], cuts: list[int], reverse: bool
    ) -> None:
        """Encoded, cut anywhere, decoded: the same messages, frames of SEND byte for byte."""
        self._round_trip(messages, cuts, server_decoder(LIMIT))

    @bounded
    @given(st.lists(_replies), st.lists(st.integers(0, 4000)))
    def test_any_sequence_of_replies_is_decoded(
        self, messages: list[Reply], cuts: list[int]
    ) -> None:
        """Encoded, cut anywhere, decoded: the same messages."""
        self._round_trip(messages, cuts, client_decoder(LIMIT))

    def _round_trip(
        self, messages: Sequence[Command | Reply], cuts: list[int], at: Decoder
    ) -> None:
        data = b"".join(encoded(message) or b"" for message in messages)
        edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
        parts = [data[a:b] for a, b in itertools.pairwise(edges)]
        self.assertEqual(feed(at, parts), list(messages))

    @bounded
    @given(st.lists(st.binary(max_size=200) | st.just(frame(SEND, b"a|||b|||c"))), st.booleans())
    def test_any_bytes_decode_to_messages(self, parts: list[bytes], server: bool) -> None:
        """At most the last one is `Broken`; there is no exception."""
        at = server_decoder(1000) if server else client_decoder(1000)
        messages = feed(at, parts)
        self.assertFalse(any(isinstance(message, Broken) for message in messages[:-1]))
        self.assertLessEqual(sum(map(len, at._parts)), 1000 + HEADER_SIZE)

    @bounded
    @given(st.text(max_size=60), field)
    def test_any_text_is_sent_as_three_ascii_fields(self, text: str, name: str) -> None:
        """Other protocols can send texts that are not ASCII."""
        (message,) = client_decoder(LIMIT).feed(encode_send(name, "Bobert", text))
        assert isinstance(message, Send)
        self.assertEqual((message.sender, message.recipient), (name, "Bobert"))
        self.assertNotIn("|||", message.text)
        self.assertEqual(
            message.text.replace(" ", ""), text.encode("ascii", "replace").decode().replace(" ", "")
        )

    @bounded
    @given(
        st.lists(
            st.tuples(
                field, st.sampled_from((TEXT, EDIT)), st.text(max_size=60) | st.just("x" * 600)
            )
        ),
        field,
    )
    def test_entries_are_encoded_as_one_send_each(
        self, entries: list[tuple[str, str, str]], recipient: str
    ) -> None:
        """All at once, and the same bytes as one by one; the sizes say where each one ends."""
        data, sizes = encode_entries(
            [Entry(1, 1, 1, sender, kind, body) for sender, kind, body in entries], recipient
        )
        frames = [
            encode_send(sender, recipient, without_controls(described(kind, body)))
            for sender, kind, body in entries
        ]
        self.assertEqual(data, b"".join(frames))
        self.assertEqual(sizes, list(map(len, frames)))

    def test_runs_of_bars_are_broken_up_by_blanks(self) -> None:
        """Three or more bars would end a field."""
        for text, sent in (
            ("|||", "|| |"),
            ("a||||b", "a|| ||b"),
            ("||", "||"),
            ("|||||||", "|| || || |"),
        ):
            (message,) = client_decoder(LIMIT).feed(encode_send("a", "b", text))
            assert isinstance(message, Send)
            self.assertEqual(message.text, sent)

    def test_reason_names_the_error(self) -> None:
        """Each reason of `Malformed` names the field or byte."""
        for example in EXAMPLES:
            if isinstance(example.message, Malformed):
                self.assertGreater(len(example.message.reason), 10)
