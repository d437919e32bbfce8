"""Wire protocol version 1: frames to messages of the catalogue and back. No transport, no clock.

Frame: version 1 byte, always 1 | command 1 byte | length 4 bytes, big-endian | data, `length`
bytes. Data is one MessagePack array (https://github.com/msgpack/msgpack/blob/master/spec.md), the
fields of a message of `chatd.codecs.v1_messages`.

A `Decoder` turns bytes into messages. An error within one frame becomes `Malformed`: the frame is
refused, the next one is decoded. An error of framing becomes `Broken`, the last message of the
stream.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from struct import Struct
from typing import TypeAlias

import msgspec

from chatd.codecs.v1_messages import REPLIES, REQUESTS, Accepted, Message, Pushed

VERSION = 1
HEADER_SIZE = 6
LONGEST_REPLY = 2 * 1024 * 1024
"""bytes of data that a frame from the server has at most"""

_PUSHED, _ACCEPTED = Pushed.command, Accepted.command
_HEADER = Struct(">BBI")
_HEADERS = {
    command: [_HEADER.pack(VERSION, command, size) for size in range(512)]
    for command in (_PUSHED, _ACCEPTED)
}
"""the headers of short frames of the frequent messages, by command"""
_ENCODER = msgspec.msgpack.Encoder()
_ANY_ARRAY: msgspec.msgpack.Decoder[list[msgspec.Raw]] = msgspec.msgpack.Decoder(list[msgspec.Raw])
_ANY_INT: msgspec.msgpack.Decoder[int] = msgspec.msgpack.Decoder(int)


class Malformed(msgspec.Struct, frozen=True, gc=False):
    """A frame that cannot be decoded; the stream continues with the next one.

    `code` and `reason` are those of the refusal to send. `ref` is that of the request, 0 if it
    could not be read; `request` is the command number.
    """

    ref: int
    request: int
    code: str
    reason: str


class Broken(msgspec.Struct, frozen=True, gc=False):
    """An error of framing: nothing after it can be decoded. `reason` says why."""

    reason: str


Received: TypeAlias = Message | Malformed | Broken


class Decoder:
    """Splits a stream of bytes into frames, and decodes them.

    `limit` is the greatest length, in bytes, of the data of a frame. The length is checked before
    any data is buffered, so an unfinished frame takes at most `limit` + 6 bytes. The data of a
    longer frame, up to `skipped` bytes, is discarded as it arrives, and the frame is refused; a
    length above that breaks the stream.
    """

    __slots__ = (
        "_broken",
        "_buffer",
        "_decoders",
        "_discarding",
        "_limit",
        "_need",
        "_skipped",
        "unfinished",
    )

    def __init__(self, messages: Mapping[int, type[Message]], limit: int, skipped: int = 0) -> None:
        self._decoders = _decoders(messages)
        self._limit = limit
        self._skipped = max(skipped, limit)
        # The beginning of an unfinished frame, in one buffer: a list of pieces would take 40 more
        # bytes for each.
        self._buffer = bytearray()
        # The number of bytes with which decoding can continue.
        self._need = HEADER_SIZE
        # The number of bytes of a frame above `limit` that have not arrived yet.
        self._discarding = 0
        self._broken = False
        self.unfinished = False
        """whether a frame has begun and not ended"""

    def feed(self, data: bytes) -> list[Received]:
        """The messages that `data` completes, in order."""
        if self._broken:
            return []
        if self._discarding:
            discarded = min(self._discarding, len(data))
            self._discarding -= discarded
            self.unfinished = self._discarding > 0
            data = data[discarded:]
        if self._buffer:
            self._buffer += data
            if len(self._buffer) < self._need:
                return []
            data = bytes(self._buffer)
            self._buffer.clear()
        size = len(data)
        limit = self._limit
        decoders = self._decoders
        messages: list[Received] = []
        at = 0
        need = HEADER_SIZE
        while size - at >= HEADER_SIZE:
            version, command, length = _HEADER.unpack_from(data, at)
            if version != VERSION:
                break
            if length > limit:
                if length > self._skipped:
                    break
                messages.append(self._too_long(command, length))
                self._discarding = max(0, at + HEADER_SIZE + length - size)
                at = min(size, at + HEADER_SIZE + length)
                continue
            end = at + HEADER_SIZE + length
            if end > size:
                need = end - at
                break
            body = data[at + HEADER_SIZE : end]
            try:
                messages.append(decoders[command].decode(body))
            except (KeyError, msgspec.MsgspecError, ValueError, RecursionError) as error:
                messages.append(_malformed(command, body, error, decoders))
            at = end
        if at < size:
            reason = self._why_broken(data, at)
            if reason:
                self._broken = True
                self.unfinished = False
                messages.append(Broken(reason))
                return messages
            self._buffer += data[at:]
            self._need = need
        self.unfinished = at < size or self._discarding > 0
        return messages

    def _too_long(self, command: int, length: int) -> Malformed:
        return Malformed(
            0,
            command,
            "frame-too-long",
            f"frame too long: {length} bytes of data, the limit is {self._limit}",
        )

    def _why_broken(self, data: bytes, at: int) -> str:
        """The error in the header at `at`, as far as it has arrived; empty if there is none."""
        if data[at] != VERSION:
            return (
                f"unknown version {data[at]}:"
                f" every frame of this connection begins with version {VERSION}"
            )
        header = data[at : at + HEADER_SIZE]
        if len(header) == HEADER_SIZE:
            length = int.from_bytes(header[2:])
            if length > self._skipped:
                return f"frame too long: {length} bytes of data, the limit is {self._limit}"
        return ""


_decoder_cache: dict[int, dict[int, msgspec.msgpack.Decoder[Message]]] = {}


def _decoders(messages: Mapping[int, type[Message]]) -> dict[int, msgspec.msgpack.Decoder[Message]]:
    """A decoder of data for each command; cached, because thousands of connections share them."""
    decoders = _decoder_cache.get(id(messages))
    if decoders is None:
        decoders = {number: msgspec.msgpack.Decoder(kind) for number, kind in messages.items()}
        _decoder_cache[id(messages)] = decoders
    return decoders


def _malformed(
    command: int, body: bytes, error: Exception, commands: Mapping[int, object]
) -> Malformed:
    """The refusal of a frame whose data cannot be decoded, with its `ref` if that can be read."""
    ref = 0
    try:
        values = _ANY_ARRAY.decode(body)
        ref = max(0, _ANY_INT.decode(values[0])) if values else 0
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass  # The refusal has the ref 0.
    if ref >= 2**53:
        ref = 0
    if command not in commands:
        return Malformed(ref, command, "unknown-command", f"unknown command {command}")
    return Malformed(ref, command, "malformed", f"the data of command {command} is wrong: {error}")


def server_decoder(limit: int) -> Decoder:
    """A decoder of the messages that clients send to a server."""
    return Decoder(REQUESTS, limit, 256 * limit)


def client_decoder(limit: int) -> Decoder:
    """A decoder of the messages that a server sends to clients."""
    return Decoder(REPLIES, limit)


def encode(message: Message) -> bytes:
    """The frame of a message."""
    data = _ENCODER.encode(message)
    return _HEADER.pack(VERSION, message.command, len(data)) + data


def encode_pushed(entries: Iterable[tuple[object, ...]]) -> bytes:
    """Frames of `Pushed`, each from a tuple of its fields: the hot path creates no objects."""
    return _encode_all(_PUSHED, entries)


def encode_accepted(answers: Iterable[tuple[object, ...]]) -> bytes:
    """Frames of `Accepted`, each from a tuple of its fields."""
    return _encode_all(_ACCEPTED, answers)


def _encode_all(command: int, messages: Iterable[tuple[object, ...]]) -> bytes:
    headers = _HEADERS[command]
    parts: list[bytes] = []
    add, encode_fields = parts.append, _ENCODER.encode
    for fields in messages:
        data = encode_fields(fields)
        size = len(data)
        add(headers[size] if size < len(headers) else _HEADER.pack(VERSION, command, size))
        add(data)
    return b"".join(parts)
