"""The inputs that fuzzing begins with: examples of each protocol, in the form of the targets."""

from __future__ import annotations

from collections.abc import Iterable

from chatd.codecs import admin
from chatd.codecs import v1_messages as c
from chatd.codecs.v1 import encode
from tests.codecs import classic_examples, v1_examples
from tests.doubles.http2 import grpc_request

_CHAT10 = (
    b"REGISTER luca CHAT/1.0\n",
    b"REGISTER luca CHAT/1.0\n@ann: hello\n@luca: /who\nDISCONNECT luca CHAT/1.0\n",
    b"REGISTER luca",
)
_OPS = (
    b"0|ann",
    b"1|ann",
    b"2|a*",
    b"3|ann|bob|hello",
    b"4|1",
    b"5|1",
    b"0|ann\n1|ann\n2|[a-c]+\n",
)
_CLASSIC = [example.data for example in classic_examples.EXAMPLES]
_V1 = [
    *(example.data for example in v1_examples.EXAMPLES),
    *(example.data for example in v1_examples.WRONG),
]
_SESSION = [
    encode(c.Register(1, "eve")),
    encode(c.Hello(2, "fuzz", "1", ["receipts", "presence", "typing", "tokens"])),
    encode(c.LogIn(3, "eve")),
    encode(c.Join(4, "#lobby")),
    encode(c.Send(5, "#lobby", "hello", "k")),
    encode(c.Send(6, "bob", "hello")),
]
_PATHS = (b"/ChatService/LogIn", b"/ChatService/WildCard", b"/ChatService/ReceiveMessages")


def _program(sends: Iterable[bytes]) -> bytes:
    """A program for the target `connections`: one connection sends."""
    return b"".join(bytes((0, len(piece))) + piece for piece in sends if len(piece) < 256)


def seeds(target: str) -> list[bytes]:
    """The inputs of a target."""
    match target:
        case "classic":
            return [b"\7" + data for data in (*_CLASSIC, b"".join(_CLASSIC[:4]))]
        case "v1":
            return [b"\7" + data for data in (*_V1, b"".join(_SESSION))]
        case "chat10":
            return [first + data for first in (b"\6", b"\7") for data in _CHAT10]
        case "ops":
            return [b"\x31" + data for data in _OPS]
        case "admin":
            return [
                admin.encode(admin.ListAccounts()),
                admin.encode(admin.DeleteAccount("ann")),
                b'{"ok":true}',
            ]
        case "sniffer":
            return [b"\7" + data for data in (*_CHAT10, *_OPS, *_CLASSIC[:4], *_SESSION[:2])]
        case "connections":
            return [
                _program(_SESSION),
                _program(_CLASSIC),
                _program(_CHAT10),
                _program(_OPS),
                *(_program([*_SESSION[:4], data]) for data in _V1),
            ]
        case "grpc":
            requests = [b"\0" + grpc_request(path, b"\x0a\x03ann") for path in _PATHS]
            return [*requests, *(b"\1" + path + b"\n\x0a\x03ann" for path in _PATHS)]
    raise ValueError(f"no such target: {target}")
