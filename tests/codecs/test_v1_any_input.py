"""The codec of version 1: any messages and any bytes."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import inspect
from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs.v1 import (
    HEADER_SIZE,
    Broken,
    Decoder,
    Malformed,
    client_decoder,
    encode,
    server_decoder,
)
from chatd.codecs.v1_messages import MESSAGES, REPLIES, REQUESTS, Ack, Done, Message, Ping
from tests.codecs.test_v1 import PING, decoder, feed
from tests.codecs.v1_examples import LIMIT, frame

bounded = settings(derandomize=True, deadline=None, max_examples=300)
messages_only = settings(derandomize=True, deadline=None, max_examples=150)
"""for valid messages: each type has further examples of its own"""


def values(kind: inspect.Type) -> st.SearchStrategy[Any]:
    """Any value of a type of field."""
    match kind:
        case inspect.IntType(ge=ge, lt=lt, le=le):
            low = -(2**63) if ge is None else ge
            return st.integers(low, le if le is not None else 2**64 - 1 if lt is None else lt - 1)
        case inspect.StrType(max_length=longest):
            return st.text(max_size=min(longest or 100, 100))
        case inspect.BoolType():
            return st.booleans()
        case inspect.FloatType():
            return st.floats(allow_nan=False)
        case inspect.NoneType():
            return st.none()
        case inspect.UnionType(types=types):
            return st.one_of([values(one) for one in types])
        case inspect.ListType(item_type=item, max_length=longest):
            return st.lists(values(item), max_size=min(longest or 5, 5))
        case inspect.StructType(cls=cls):
            return structs(cls)
    raise AssertionError(f"no field has been of this type before: {kind}")


def structs(cls: type[Any]) -> st.SearchStrategy[Any]:
    """Any struct of a class."""
    info = inspect.type_info(cls)
    assert isinstance(info, inspect.StructType)
    return st.builds(cls, *[values(field.type) for field in info.fields])


def plain(message: msgspec.Struct) -> list[Any]:
    """A message as an array of plain values, as it is on the wire."""
    fields: list[Any] = msgspec.to_builtins(message)
    return fields


def optional(cls: type[Message]) -> int:
    """The number of fields with a default."""
    return len(cls.__struct_defaults__)


_requests = st.one_of([structs(kind) for kind in REQUESTS.values()])
_replies = st.one_of([structs(kind) for kind in REPLIES.values()])
_anything: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


class AnyInput(SynchronousTestCase):
    """Any sequences, cuts, fields and bytes (Hypothesis)."""

    @messages_only
    @given(st.lists(_requests, max_size=8), st.lists(st.integers(0, 1000)))
    def test_any_sequence_of_requests_is_decoded(
        self, messages: list[Message], cuts: list[int]
    ) -> None:
        """Encoded, cut anywhere, decoded: the same messages."""
        self._round_trip(messages, cuts, server_decoder(LIMIT))

    @messages_only
    @given(st.lists(_replies, max_size=8), st.lists(st.integers(0, 1000)))
    def test_any_sequence_of_replies_is_decoded(
        self, messages: list[Message], cuts: list[int]
    ) -> None:
        """Encoded, cut anywhere, decoded: the same messages."""
        self._round_trip(messages, cuts, client_decoder(LIMIT))

    def _round_trip(self, messages: list[Message], cuts: list[int], at: Decoder) -> None:
        data = b"".join(encode(message) for message in messages)
        edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
        parts = [data[a:b] for a, b in itertools.pairwise(edges)]
        self.assertEqual(feed(at, parts), messages)
        self.assertFalse(at.unfinished)

    def test_every_message_is_decoded_as_it_was_encoded(self) -> None:
        """Each type of message is tested, not only those that a sequence happens to have."""
        for kind in MESSAGES.values():

            @settings(derandomize=True, deadline=None, max_examples=20, database=None)
            @given(structs(kind))
            def check(message: Message) -> None:
                self.assertEqual(decoder(message).feed(encode(message)), [message])

            check()

    @messages_only
    @given(_requests | _replies, st.integers(0, 20))
    def test_omitted_fields_have_their_defaults(self, message: Message, count: int) -> None:
        """Omitting one more field is refused."""
        kind = type(message)
        count = min(count, optional(kind))
        fields = plain(message)
        present = len(fields) - count
        defaults = plain(
            kind(*[getattr(message, name) for name in kind.__struct_fields__[:present]])
        )
        (got,) = decoder(message).feed(
            frame(kind.command, msgspec.msgpack.encode(fields[:present]))
        )
        self.assertEqual(type(got), kind)
        assert isinstance(got, Message)
        self.assertEqual(plain(got), defaults)
        needed = len(fields) - optional(kind)
        (short,) = decoder(message).feed(
            frame(kind.command, msgspec.msgpack.encode(fields[: needed - 1]))
        )
        self.assertIsInstance(short, Malformed)

    @messages_only
    @given(_requests | _replies, st.lists(_anything, min_size=1, max_size=4))
    def test_unknown_fields_are_ignored(self, message: Message, more: list[Any]) -> None:
        """Any values may follow the last known field."""
        data = frame(message.command, msgspec.msgpack.encode([*plain(message), *more]))
        self.assertEqual(decoder(message).feed(data + data), [message, message])

    @messages_only
    @given(_requests, st.data())
    def test_field_of_wrong_type_is_refused_with_the_ref(
        self, message: Message, data: st.DataObject
    ) -> None:
        """A map, which no field takes."""
        fields = plain(message)
        at = data.draw(st.integers(0, len(fields) - 1))
        ref = fields[0] if at else 0
        fields[at] = {}
        (got,) = server_decoder(LIMIT).feed(frame(message.command, msgspec.msgpack.encode(fields)))
        assert isinstance(got, Malformed)
        self.assertEqual((got.ref, got.request, got.code), (ref, message.command, "malformed"))

    @bounded
    @given(st.integers(0, 255).filter(lambda number: number not in REQUESTS), _anything)
    def test_unknown_command_is_refused(self, command: int, value: Any) -> None:
        """Its data does not matter; the next frame is decoded."""
        data = frame(command, msgspec.msgpack.encode(value))
        got, ping = server_decoder(LIMIT).feed(data + PING)
        self.assertEqual(ping, Ping(7))
        assert isinstance(got, Malformed)
        self.assertEqual((got.request, got.code), (command, "unknown-command"))

    @bounded
    @given(
        st.lists(
            st.binary(max_size=200)
            | st.builds(frame, st.sampled_from(sorted(MESSAGES)), st.binary(max_size=60))
            | st.builds(
                frame, st.sampled_from(sorted(MESSAGES)), _anything.map(msgspec.msgpack.encode)
            )
            | st.just(encode(Ack(0, "@bob", 3)))
        ),
        st.booleans(),
    )
    def test_any_bytes_decode_to_messages(self, parts: list[bytes], server: bool) -> None:
        """At most the last one is `Broken`; there is no exception."""
        at = server_decoder(1000) if server else client_decoder(1000)
        messages = feed(at, parts)
        self.assertFalse(any(isinstance(message, Broken) for message in messages[:-1]))
        self.assertLessEqual(len(at._buffer), 1000 + HEADER_SIZE)

    @bounded
    @given(_requests | _replies, st.data())
    def test_changed_byte_affects_one_frame(self, message: Message, data: st.DataObject) -> None:
        """The frame gives a message or a refusal; the next frame is decoded."""
        bytes_ = bytearray(encode(message))
        bytes_[data.draw(st.integers(HEADER_SIZE, len(bytes_) - 1))] = data.draw(
            st.integers(0, 255)
        )
        at = decoder(message)
        follower = PING if message.command in REQUESTS else encode(Done(7))
        first, second = at.feed(bytes(bytes_) + follower)
        self.assertNotIsInstance(first, Broken)
        self.assertIn(second, (Ping(7), Done(7)))
