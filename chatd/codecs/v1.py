"""Wire protocol version 1: frames to messages of the catalogue and back. No transport, no clock.

Frame: version 1 byte, always 1 | command 1 byte | length 4 bytes, big-endian | data, `length`
bytes. Data is one MessagePack array (https://github.com/msgpack/msgpack/blob/master/spec.md), see
`catalogue`.

A `Decoder` turns bytes into messages. What is wrong with one frame becomes `Malformed` (refuse it,
go on); what makes the rest of the stream meaningless becomes `Broken`, the last message there will
be.
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
"""bytes of data that a frame of the server's has at most"""

_PUSHED, _ACCEPTED = Pushed.command, Accepted.command
_HEADER = Struct(">BBI")
_ENCODER = msgspec.msgpack.Encoder()
_ANY_ARRAY: msgspec.msgpack.Decoder[list[msgspec.Raw]] = msgspec.msgpack.Decoder(list[msgspec.Raw])
_ANY_INT: msgspec.msgpack.Decoder[int] = msgspec.msgpack.Decoder(int)


class Malformed(msgspec.Struct, frozen=True, gc=False):
    """A frame that means nothing; the next one may. `code` and `reason` are what to tell its
    sender; `ref` is the request's if it could be read, else 0; `request` is the number of the
    command."""

    ref: int
    request: int
    code: str
    reason: str


class Broken(msgspec.Struct, frozen=True, gc=False):
    """From here on the stream means nothing. `reason` says why."""

    reason: str


Received: TypeAlias = Message | Malformed | Broken


class Decoder:
    """Cuts a stream of bytes into frames and these into messages.

    `limit` is the greatest length, in bytes, that a frame's data may declare. It is compared before
    a single byte is kept for the frame, so an unfinished frame holds at most `limit` + 6 bytes. A
    longer one, up to `skipped`, is passed over as it comes and refused; beyond that the stream is
    broken.
    """

    __slots__ = ("_broken", "_decoders", "_kept", "_limit", "_need", "_passing", "_skipped")

    def __init__(self, messages: Mapping[int, type[Message]], limit: int, skipped: int = 0) -> None:
        self._decoders = _decoders(messages)
        self._limit = limit
        self._skipped = max(skipped, limit)
        # The beginning of an unfinished frame; no list of its pieces, as each would take 40 bytes
        # more.
        self._kept = bytearray()
        # How many bytes there must be before looking at them again is worth while.
        self._need = HEADER_SIZE
        # How many bytes of a frame that is too long are still to come.
        self._passing = 0
        self._broken = False

    @property
    def unfinished(self) -> bool:
        """Whether a frame has begun and not ended."""
        return len(self._kept) > 0 or self._passing > 0

    def feed(self, data: bytes) -> list[Received]:
        """The messages that `data` completes, in order."""
        if self._broken:
            return []
        if self._passing:
            passed = min(self._passing, len(data))
            self._passing -= passed
            data = data[passed:]
        if self._kept:
            self._kept += data
            if len(self._kept) < self._need:
                return []
            data = bytes(self._kept)
            self._kept.clear()
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
                self._passing = max(0, at + HEADER_SIZE + length - size)
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
                messages.append(Broken(reason))
                return messages
            self._kept += data[at:]
        self._need = need
        return messages

    def _too_long(self, command: int, length: int) -> Malformed:
        return Malformed(
            0,
            command,
            "frame-too-long",
            f"frame too long: {length} bytes of data, the limit is {self._limit}",
        )

    def _why_broken(self, data: bytes, at: int) -> str:
        """What is wrong with the header that begins at `at`, as far as it is there; empty:
        nothing."""
        if data[at] != VERSION:
            return f"unknown version {data[at]}: every frame of this connection begins with version {VERSION}"
        header = data[at : at + HEADER_SIZE]
        if len(header) == HEADER_SIZE:
            length = int.from_bytes(header[2:])
            if length > self._skipped:
                return f"frame too long: {length} bytes of data, the limit is {self._limit}"
        return ""


_known_decoders: dict[int, dict[int, msgspec.msgpack.Decoder[Message]]] = {}


def _decoders(messages: Mapping[int, type[Message]]) -> dict[int, msgspec.msgpack.Decoder[Message]]:
    """A decoder of data for each command; made once, as connections come by the thousand."""
    found = _known_decoders.get(id(messages))
    if found is None:
        found = {number: msgspec.msgpack.Decoder(kind) for number, kind in messages.items()}
        _known_decoders[id(messages)] = found
    return found


def _malformed(
    command: int, body: bytes, error: Exception, known: Mapping[int, object]
) -> Malformed:
    ref = 0
    try:
        values = _ANY_ARRAY.decode(body)
        ref = max(0, _ANY_INT.decode(values[0])) if values else 0
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass  # Then it is nobody's.
    if ref >= 2**53:
        ref = 0
    if command not in known:
        return Malformed(ref, command, "unknown-command", f"unknown command {command}")
    return Malformed(ref, command, "malformed", f"the data of command {command} is wrong: {error}")


def server_decoder(limit: int) -> Decoder:
    """A decoder for what clients send to a server."""
    return Decoder(REQUESTS, limit, 256 * limit)


def client_decoder(limit: int) -> Decoder:
    """A decoder for what a server sends to clients."""
    return Decoder(REPLIES, limit)


def encode(message: Message) -> bytes:
    """One frame."""
    data = _ENCODER.encode(message)
    return _HEADER.pack(VERSION, message.command, len(data)) + data


def encode_pushed(entries: Iterable[tuple[object, ...]]) -> bytes:
    """The frames of `Pushed`, each from a tuple of its fields: no object for each on the hot
    path."""
    return _encode_all(_PUSHED, entries)


def encode_accepted(answers: Iterable[tuple[object, ...]]) -> bytes:
    """The frames of `Accepted`, likewise."""
    return _encode_all(_ACCEPTED, answers)


def _encode_all(command: int, messages: Iterable[tuple[object, ...]]) -> bytes:
    parts: list[bytes] = []
    for fields in messages:
        data = _ENCODER.encode(fields)
        parts += (_HEADER.pack(VERSION, command, len(data)), data)
    return b"".join(parts)
