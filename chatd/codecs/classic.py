"""The classic protocol: frames to messages and back, both directions. No transport, no clock.

Frame: version 1 byte, always 0 | command 1 byte | length 40 bytes, big-endian | data, `length`
bytes. Data is ASCII strings joined by ``|||``, split from the left.

A `Decoder` turns bytes into messages. An error within one frame becomes `Malformed`, which is
answered, and the next frame is decoded. An error of framing becomes `Broken`, the last message of
the stream.
Specification: docs/protocols/classic.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from struct import Struct
from typing import ClassVar, Protocol, TypeAlias

import msgspec

from chatd.core import invite_tokens
from chatd.core.entries import TEXT, described, without_controls

CREATE, LIST, SEND, DELIVER, DELETE, LOGIN, RESPONSE, LISTRESPONSE = range(8)
VERSION = 0
SEPARATOR = "|||"
FENCE = "/"
"""the pattern of a LIST that matches no name, since none contains a slash. A client sends it behind
a command that has no reply: the LISTRESPONSE says that this has been carried out"""
HEADER_SIZE = 42

_HEADER = Struct(">BB36sI")
_NO_HIGH_BYTES = bytes(36)
_TWO_OF_THREE_BARS = re.compile(r"\|\|(?=\|)")
_NAMES = ("CREATE", "LIST", "SEND", "DELIVER", "DELETE", "LOGIN", "RESPONSE", "LISTRESPONSE")


def _send_header(size: int) -> str:
    """The header of a SEND with `size` bytes of data; each character is a byte."""
    return _HEADER.pack(VERSION, SEND, _NO_HIGH_BYTES, size).decode("latin-1")


_SEND_HEADERS = [_send_header(size) for size in range(512)]
"""the headers of short frames"""


class LogEntry(Protocol):
    """What is shown of an entry of a log."""

    @property
    def sender(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def body(self) -> str: ...


class Create(msgspec.Struct, frozen=True, gc=False):
    """Create an account and log in to it; without a password, or with an empty one, the account is
    open. `invite` is a token, where that is required."""

    name: str
    password: str | None = None
    invite: str | None = None


class Login(msgspec.Struct, frozen=True, gc=False):
    """Log in to an account."""

    name: str
    password: str | None = None


class List(msgspec.Struct, frozen=True, gc=False):
    """List the names of all accounts, or of those that match a file-name pattern."""

    pattern: str = ""


class Send(msgspec.Struct, frozen=True, gc=False):
    """A message, in either direction; `frame` is the complete frame, header included."""

    sender: str
    recipient: str
    text: str
    frame: bytes

    key: ClassVar[str | None] = None


class Deliver(msgspec.Struct, frozen=True, gc=False):
    """Get the waiting mail."""


class Delete(msgspec.Struct, frozen=True, gc=False):
    """Delete the account of the session."""


class Response(msgspec.Struct, frozen=True, gc=False):
    """The answer to CREATE and LOGIN, and to any request that failed; empty on success."""

    error: str = ""


class ListResponse(msgspec.Struct, frozen=True, gc=False):
    """The answer to LIST, in order of creation."""

    names: tuple[str, ...]


class Malformed(msgspec.Struct, frozen=True, gc=False):
    """A frame that cannot be decoded; the stream continues. `reason` is the answer to it."""

    reason: str


class Broken(msgspec.Struct, frozen=True, gc=False):
    """An error of framing: nothing after it can be decoded. `reason` says why."""

    reason: str


Command: TypeAlias = Create | Login | List | Send | Deliver | Delete | Malformed | Broken
Reply: TypeAlias = Send | Response | ListResponse | Malformed | Broken


class Decoder:
    """Splits a stream of bytes into frames, and decodes them.

    `limit` is the greatest length, in bytes, of the data of a frame. The length is checked
    before any data is buffered, so an unfinished frame takes at most `limit` + 42 bytes.
    """

    __slots__ = ("_broken", "_limit", "_need", "_parts", "_size", "_translate", "unfinished")

    def __init__(
        self, translate: Callable[[int, bytes, bytes], Command | Reply], limit: int
    ) -> None:
        self._translate = translate
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0
        self._need = HEADER_SIZE
        self._broken = False
        self.unfinished = False
        """whether a frame has begun and not ended"""

    def feed(self, data: bytes) -> list[Command | Reply]:
        """The messages that `data` completes, in order."""
        if self._broken:
            return []
        if self._parts:
            self._parts.append(data)
            self._size += len(data)
            if self._size < self._need:
                return []
            data = b"".join(self._parts)
            self._parts = []
        size = len(data)
        limit = self._limit
        translate = self._translate
        messages: list[Command | Reply] = []
        at = 0
        need = HEADER_SIZE
        while size - at >= HEADER_SIZE:
            version, command, high, length = _HEADER.unpack_from(data, at)
            if version or high != _NO_HIGH_BYTES or length > limit:
                break
            start = at + HEADER_SIZE
            end = start + length
            if end > size:
                need = end - at
                break
            if command == SEND:
                # The hot path: no function call for each message.
                try:
                    sender, recipient, text = data[start:end].decode("ascii").split("|||")
                except ValueError:
                    messages.append(translate(command, data[start:end], data[at:end]))
                else:
                    messages.append(Send(sender, recipient, text, data[at:end]))
            else:
                messages.append(translate(command, data[start:end], data[at:end]))
            at = end
        if at < size:
            reason = self._why_broken(data, at)
            if reason:
                self._broken = True
                self._size = 0
                self.unfinished = False
                messages.append(Broken(reason))
                return messages
            self._parts = [data[at:]]
            self._need = need
        self._size = size - at
        self.unfinished = at < size
        return messages

    def _why_broken(self, data: bytes, at: int) -> str:
        """The error in the header at `at`, as far as it has arrived; empty if there is none."""
        if data[at] != VERSION:
            return f"unknown version {data[at]}: a classic frame begins with version {VERSION}"
        header = data[at : at + HEADER_SIZE]
        if len(header) == HEADER_SIZE:
            length = int.from_bytes(header[2:])
            if length > self._limit:
                shown = str(length) if length < 2**64 else f"2^{length.bit_length() - 1} or more"
                return f"frame too long: its length is {shown} bytes, the limit is {self._limit}"
        return ""


def server_decoder(limit: int) -> Decoder:
    """A decoder of the messages that clients send to a server (`Command`)."""
    return Decoder(_command, limit)


def client_decoder(limit: int) -> Decoder:
    """A decoder of the messages that a server sends to clients (`Reply`)."""
    return Decoder(_reply, limit)


def _command(command: int, data: bytes, frame: bytes) -> Command:
    try:
        text = str(data, "ascii")
    except UnicodeDecodeError as error:
        return Malformed(
            f"non-ASCII data: byte 0x{data[error.start]:02x} at {error.start} in {_name(command)}"
        )
    if command in (CREATE, LOGIN):
        name, separator, password = text.partition(SEPARATOR)
        if command == LOGIN:
            return Login(name, password if separator else None)
        before, separator_of_token, token = password.rpartition(SEPARATOR)
        if separator_of_token and invite_tokens.has_form(token):
            return Create(name, before, token)
        return Create(name, password if separator else None)
    if command == LIST:
        return List(text)
    if command == SEND:
        fields = text.split(SEPARATOR)
        if len(fields) < 3:
            return Malformed(
                f"SEND takes sender, recipient and text, got {len(fields)} of the three"
            )
        if len(fields) > 3:
            # The original client of the recipient would crash if the frame were passed on.
            return Malformed("illegal character sequence ||| in text")
        return Send(fields[0], fields[1], fields[2], frame)
    if command in (DELIVER, DELETE):
        if text:
            return Malformed(f"{_name(command)} takes no data, got {len(text)} bytes")
        return Deliver() if command == DELIVER else Delete()
    if command in (RESPONSE, LISTRESPONSE):
        return Malformed(f"{_name(command)} is for the server to send, not for a client")
    return Malformed(f"unknown command {command}")


def _reply(command: int, data: bytes, frame: bytes) -> Reply:
    text = str(data, "ascii", "replace")
    if command == SEND:
        fields = text.split(SEPARATOR, 2)
        if len(fields) < 3:
            return Malformed(
                f"SEND takes sender, recipient and text, got {len(fields)} of the three"
            )
        return Send(fields[0], fields[1], fields[2], frame)
    if command == RESPONSE:
        return Response(text)
    if command == LISTRESPONSE:
        return ListResponse(tuple(text.split(SEPARATOR)) if text else ())
    return Malformed(f"{_name(command)} is not for a server to send")


def _name(command: int) -> str:
    return _NAMES[command] if command < len(_NAMES) else f"command {command}"


def encode(command: int, *fields: str) -> bytes:
    """A frame.

    Characters that are not ASCII become ``?``, because the original clients stop reading at them.
    """
    return _frame(command, fields)


def _frame(command: int, fields: Iterable[str]) -> bytes:
    data = SEPARATOR.join(fields).encode("ascii", "replace")
    return _HEADER.pack(VERSION, command, _NO_HIGH_BYTES, len(data)) + data


def encode_send(sender: str, recipient: str, text: str) -> bytes:
    """A SEND of exactly three fields: runs of three or more bars are broken up by blanks."""
    return encode(SEND, sender, recipient, _TWO_OF_THREE_BARS.sub("|| ", text))


def encode_entries(entries: Iterable[LogEntry], recipient: str) -> tuple[bytes, list[int]]:
    """The SENDs of entries to one recipient, and the size of each of them in bytes."""
    # On the hot path: all frames are encoded at once, with headers made before.
    frames: list[str] = []
    for entry in entries:
        text = entry.body if entry.kind == TEXT else described(entry.kind, entry.body)
        if "|||" in text or not text.isascii() or not text.isprintable():
            shown = without_controls(text)
            frames.append(encode_send(entry.sender, recipient, shown).decode("latin-1"))
            continue
        fields = f"{entry.sender}|||{recipient}|||{text}"
        size = len(fields)
        frames.append(f"{_SEND_HEADERS[size] if size < 512 else _send_header(size)}{fields}")
    return "".join(frames).encode("latin-1"), list(map(len, frames))


def encode_names(names: Iterable[str]) -> bytes:
    """A LISTRESPONSE."""
    return _frame(LISTRESPONSE, names)
