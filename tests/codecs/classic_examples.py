"""Examples of the classic protocol, for the tests of the codec and docs/protocols/classic.md."""

from __future__ import annotations

import msgspec

from chatd.codecs.classic import (
    Broken,
    Command,
    Create,
    Delete,
    Deliver,
    List,
    ListResponse,
    Login,
    Malformed,
    Reply,
    Response,
    Send,
)


def frame(command: int, data: bytes, version: int = 0, length: int | None = None) -> bytes:
    """A frame, made without the codec under test."""
    size = len(data) if length is None else length
    return bytes([version, command]) + size.to_bytes(40) + data


class Example(msgspec.Struct, frozen=True):
    """A message and its frame; `sender` is client or server."""

    title: str
    sender: str
    data: bytes
    message: Command | Reply


LIMIT = 65_792
_SEND = frame(2, b"Alicia|||Bobert|||Hello, Bobert!")
_EMPTY = frame(2, b"Alicia|||Bobert|||")
_BARS = frame(2, b"Alicia|||Bobert||||x")

EXAMPLES = [
    Example("CREATE an open account", "client", frame(0, b"Alicia"), Create("Alicia")),
    Example(
        "CREATE an account with a password",
        "client",
        frame(0, b"Alicia|||s3cret"),
        Create("Alicia", "s3cret"),
    ),
    Example(
        "CREATE an open account with an invite token",
        "client",
        frame(0, b"Alicia||||||abcdefg-abcdefg-abcdefg-abcde"),
        Create("Alicia", "", "abcdefg-abcdefg-abcdefg-abcde"),
    ),
    Example("LOGIN", "client", frame(5, b"Alicia"), Login("Alicia")),
    Example(
        "LOGIN with a password", "client", frame(5, b"Alicia|||s3cret"), Login("Alicia", "s3cret")
    ),
    Example("LIST all accounts", "client", frame(1, b""), List("")),
    Example("LIST by a pattern", "client", frame(1, b"[AB]*t?"), List("[AB]*t?")),
    Example("SEND", "client", _SEND, Send("Alicia", "Bobert", "Hello, Bobert!", _SEND)),
    Example("SEND an empty text", "client", _EMPTY, Send("Alicia", "Bobert", "", _EMPTY)),
    Example(
        "SEND a text that begins with a bar", "client", _BARS, Send("Alicia", "Bobert", "|x", _BARS)
    ),
    Example("DELIVER", "client", frame(3, b""), Deliver()),
    Example("DELETE", "client", frame(4, b""), Delete()),
    Example("RESPONSE: success", "server", frame(6, b""), Response("")),
    Example(
        "RESPONSE: an error",
        "server",
        frame(6, b"username already exists"),
        Response("username already exists"),
    ),
    Example(
        "LISTRESPONSE", "server", frame(7, b"Alicia|||Bobert"), ListResponse(("Alicia", "Bobert"))
    ),
    Example("LISTRESPONSE without names", "server", frame(7, b""), ListResponse(())),
    Example(
        "SEND, as an echo or a delivery",
        "server",
        _SEND,
        Send("Alicia", "Bobert", "Hello, Bobert!", _SEND),
    ),
    Example("an unknown command", "client", frame(8, b""), Malformed("unknown command 8")),
    Example(
        "a command that only the server sends",
        "client",
        frame(6, b""),
        Malformed("RESPONSE is for the server to send, not for a client"),
    ),
    Example(
        "a field is missing",
        "client",
        frame(2, b"Alicia|||Bobert"),
        Malformed("SEND takes sender, recipient and text, got 2 of the three"),
    ),
    Example(
        "bars in a text",
        "client",
        frame(2, b"Alicia|||Bobert|||a|||b"),
        Malformed("illegal character sequence ||| in text"),
    ),
    Example(
        "data with DELIVER",
        "client",
        frame(3, b"x"),
        Malformed("DELIVER takes no data, got 1 bytes"),
    ),
    Example(
        "data with DELETE",
        "client",
        frame(4, b"xy"),
        Malformed("DELETE takes no data, got 2 bytes"),
    ),
    Example(
        "a byte that is not ASCII",
        "client",
        frame(0, b"Al\xefcia"),
        Malformed("non-ASCII data: byte 0xef at 2 in CREATE"),
    ),
    Example(
        "another version",
        "client",
        frame(0, b"", version=2),
        Broken("unknown version 2: a classic frame begins with version 0"),
    ),
    Example(
        "a length over the limit",
        "client",
        frame(0, b"", length=65_793),
        Broken("frame too long: its length is 65793 bytes, the limit is 65792"),
    ),
    Example(
        "the greatest possible length",
        "client",
        frame(0, b"", length=2**320 - 1),
        Broken("frame too long: its length is 2^319 or more bytes, the limit is 65792"),
    ),
]
