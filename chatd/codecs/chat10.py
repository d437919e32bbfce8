"""The bytes of CHAT/1.0, in its two framings: lines, and none at all. Specification:
docs/protocols/chat10.md.

Which one a client speaks shows in its first message: with a line break behind it, or with nothing
for a while, which only the owner of a clock can tell (`Decoder.pause`). It holds for the
connection.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

VERSION = "CHAT/1.0"
LONGEST = 65_536
"""bytes that a message may have; a line that goes on is cut here"""

_START = b"REGISTER "
# The old client reads so many bytes at once, and dies of a character that is cut in two.
_AT_ONCE = 2_048

REGISTERED = "200 Registration successful"
INVALID = "400 Invalid registration"
TAKEN = "401 Client already registered"
GOODBYE = f"DISCONNECT {VERSION}"


class Register(msgspec.Struct, frozen=True):
    """Be this account, in the lobby."""

    name: str


class Say(msgspec.Struct, frozen=True):
    """A text for everyone there."""

    text: str


class Disconnect(msgspec.Struct, frozen=True):
    """Leave."""


class Invalid(msgspec.Struct, frozen=True):
    """A first message that registers nobody."""


Command: TypeAlias = Register | Say | Disconnect | Invalid


class Decoder:
    """Cuts a stream into messages. `lines` is whether they end in line breaks; None: nobody knows
    yet."""

    def __init__(self) -> None:
        self.lines: bool | None = None
        self._rest = b""
        self._first = True
        self._ready: list[Command] = []

    @property
    def unfinished(self) -> bool:
        """Whether a message has begun and not ended, as far as one can tell."""
        return bool(self._rest)

    def feed(self, data: bytes) -> list[Command]:
        """The messages that `data` completes, in order."""
        if self.lines is None:
            data = self._rest + data
            if b"\n" not in data and len(data) <= LONGEST:
                self._rest = data
                return []
            self.lines = True
            self._rest = b""
        if not self.lines:
            ready, self._ready = self._ready, []
            return ready + ([self._message(data)] if data else [])
        *whole, self._rest = (self._rest + data).split(b"\n")
        while len(self._rest) > LONGEST:
            whole.append(self._rest[:LONGEST])
            self._rest = self._rest[LONGEST:]
        return [self._message(line) for line in whole]

    def pause(self) -> None:
        """Nothing has come for a moment: if the first message had no line break until now, it has
        none. It is among what `feed` gives next."""
        if self.lines is None and self._rest:
            self.lines = False
            self._ready = [self._message(self._rest)]
            self._rest = b""

    def _message(self, data: bytes) -> Command:
        text = data.replace(b"\r", b"").decode("utf-8", "replace").rstrip("\n")
        if self._first:
            self._first = False
            match text.split():
                case ["REGISTER", name, version] if version == VERSION:
                    return Register(name)
            return Invalid()
        if text.split(maxsplit=1)[:1] == ["DISCONNECT"]:
            return Disconnect()
        return Say(_said(text))


def _said(text: str) -> str:
    """What is behind `@WORD:`, or all of it: who sends it is known better."""
    word, colon, rest = text.partition(":")
    if not colon or not word.startswith("@") or len(word.split()) != 1:
        rest = text
    return rest.strip()


def opens(data: bytes) -> bool | None:
    """Whether a connection that begins so speaks CHAT/1.0; None: it may."""
    if data.startswith(_START):
        return True
    return None if _START.startswith(data) else False


def encode(text: str, lines: bool) -> bytes:
    """A message of the server's, in this framing. Where a line ends it there is no character but
    ASCII: the old client dies of others."""
    return text.encode("ascii", "replace") + b"\n" if lines else text.encode("utf-8", "replace")


def encode_said(sender: str, text: str, lines: bool) -> list[bytes]:
    """What somebody has said: a message for each line of it, none of which passes for somebody
    else's."""
    found = []
    for line in text.splitlines():
        shown = "".join(
            char if char.isprintable() else "?" if char != "\t" else " " for char in line
        )
        if shown.strip():
            found += [encode(f"@{sender}: {part}", lines) for part in _parts(sender, shown, lines)]
    return found


def _parts(sender: str, line: str, lines: bool) -> list[str]:
    """A line, in as many parts as the client must have to read each at once."""
    room = _AT_ONCE - len(sender) - len("@: ")
    if lines or len(line) * 4 <= room:
        return [line]
    parts = []
    start = size = 0
    for at, char in enumerate(line):
        width = len(char.encode("utf-8", "replace"))
        if size + width > room:
            parts.append(line[start:at])
            start, size = at, 0
        size += width
    return [*parts, line[start:]]
