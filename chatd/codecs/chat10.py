"""CHAT/1.0: bytes to messages and back, in its two framings: lines, and no framing at all.

The first message of a client shows its framing: it has a line break at its end, or nothing follows
it for a while, which the caller has to notice (`Decoder.pause`). The framing then holds for the
connection. Specification: docs/protocols/chat10.md.
"""

from __future__ import annotations

import re
from typing import TypeAlias

import msgspec

from chatd.core import invite_tokens
from chatd.core.entries import without_controls

VERSION = "CHAT/1.0"
LONGEST = 69_632
"""the greatest size of a message in bytes, without its line break; a longer one is dropped"""

_KEYWORD = b"REGISTER"
_LINE_BREAK = re.compile(r"\r\n|\r|\n")
# The original client reads so many bytes at once, and crashes on a character that is cut in two.
_CLIENT_READ = 2_048

REGISTERED = "200 Registration successful"
INVALID = "400 Invalid registration"
TAKEN = "401 Client already registered"
GOODBYE = f"DISCONNECT {VERSION}"


class Register(msgspec.Struct, frozen=True):
    """Log in to an account and join the lobby; the account is created if it does not exist, with an
    invite token where that is required."""

    name: str
    invite: str | None = None


class Text(msgspec.Struct, frozen=True):
    """A text to all accounts in the lobby."""

    text: str


class Disconnect(msgspec.Struct, frozen=True):
    """End the session."""


class TooLong(msgspec.Struct, frozen=True):
    """A message of more than `LONGEST` bytes."""


class Invalid(msgspec.Struct, frozen=True):
    """A first message that is not a registration."""


Command: TypeAlias = Register | Text | Disconnect | TooLong | Invalid


class Decoder:
    """Splits a stream into messages; `lines` is whether they are lines, None if unknown yet."""

    def __init__(self) -> None:
        self.lines: bool | None = None
        self._rest = b""
        self._first = True
        self._skipping = False
        self._ready: list[Command] = []
        # The words between `@` and `:`, as the client writes them before its texts.
        self._written_name: list[str] = []

    @property
    def unfinished(self) -> bool:
        """Whether a message has begun and not ended, as far as the framing shows it."""
        return bool(self._rest) or self._skipping

    def shows_lines(self, data: bytes) -> bool:
        """Whether the first message is a line, if `data` comes next."""
        return b"\n" in data or len(self._rest) + len(data) > LONGEST

    def feed(self, data: bytes) -> list[Command]:
        """The messages that `data` completes, in order."""
        if self.lines is None:
            if not self.shows_lines(data):
                self._rest += data
                return []
            self.lines = True
        if not self.lines:
            ready, self._ready = self._ready, []
            return ready + ([self._message(data)] if data else [])
        *complete, self._rest = (self._rest + data).split(b"\n")
        if self._skipping and complete:
            # The end of a line that was too long.
            self._skipping = False
            del complete[0]
        messages = [self._message(line) for line in complete]
        if self._skipping:
            self._rest = b""
        elif len(self._rest) > LONGEST:
            messages.append(self._message(self._rest))
            self._skipping = True
            self._rest = b""
        return messages

    def pause(self) -> None:
        """End the first message if it has no line break: nothing has arrived for a while.

        The next `feed` returns it.
        """
        if self.lines is None and self._rest:
            self.lines = False
            self._ready = [self._message(self._rest)]
            self._rest = b""

    def _message(self, data: bytes) -> Command:
        if len(data) > LONGEST and not self._first:
            return TooLong()
        text = data.replace(b"\r", b"").decode("utf-8", "replace").rstrip("\n")
        if self._first:
            self._first = False
            match text.split():
                case ["REGISTER", *words, version] if version == VERSION:
                    return self._register(words)
            return Invalid()
        if text.split(maxsplit=1)[:1] == ["DISCONNECT"]:
            return Disconnect()
        return Text(self._without_prefix(text))

    def _register(self, words: list[str]) -> Register | Invalid:
        self._written_name = words
        match words:
            case [name]:
                return Register(name)
            case [name, token] if invite_tokens.has_form(token):
                return Register(name, token)
        return Invalid()

    def _without_prefix(self, text: str) -> str:
        """The text after `@WORD: ` or `@WORD:`, or all of it; the prefix is ignored, as the session
        has the name. Other blanks are part of the text."""
        written, colon, rest = text.partition(":")
        words = written.removeprefix("@").split()
        if not colon or not written.startswith("@"):
            return text
        # A client that has registered with an invite token takes it for a part of the name.
        if len(written.split()) != 1 and words != self._written_name:
            return text
        return rest.removeprefix(" ")


def opens(data: bytes) -> bool | None:
    """Whether a connection that begins with `data` speaks CHAT/1.0; None if more must come."""
    if data.startswith(_KEYWORD):
        return data[len(_KEYWORD) :][:1].isspace() or (None if data == _KEYWORD else False)
    return None if _KEYWORD.startswith(data) else False


def opens_at_pause(data: bytes) -> bool:
    """Whether it does if nothing more comes for a moment: the keyword alone is malformed, too."""
    return data == _KEYWORD


def encode(text: str, lines: bool) -> bytes:
    """A message from the server, in a framing.

    With lines, characters that are not ASCII become ``?``: the original client crashes on them.
    """
    return text.encode("ascii", "replace") + b"\n" if lines else text.encode("utf-8", "replace")


def encode_text(sender: str, text: str, lines: bool) -> list[bytes]:
    """The messages for a text, one for each line: each has the sender's name as its prefix."""
    messages = []
    for line in _LINE_BREAK.split(without_controls(text)):
        if line.strip():
            messages += [
                encode(f"@{sender}: {part}", lines) for part in _parts(sender, line, lines)
            ]
    return messages


def _parts(sender: str, line: str, lines: bool) -> list[str]:
    """A line in parts, each of which the original client reads at once."""
    room = _CLIENT_READ - len(sender) - len("@: ")
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
