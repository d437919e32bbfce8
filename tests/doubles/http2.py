"""A gRPC request in the bytes of HTTP/2 (RFC 9113, RFC 7541), with what gRPC's client refuses."""

from __future__ import annotations

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _SETTINGS = 0, 1, 4
_END_STREAM, _END_HEADERS = 1, 4
_AUTHORITY, _PATH = 1, 4
_POST, _HTTP = b"\x83", b"\x86"


def grpc_request(path: bytes, message: bytes = b"") -> bytes:
    """What a new connection sends for a call of `path` with one message. The connection answers
    nothing that the server asks."""
    block = (
        _POST
        + _HTTP
        + _indexed(_PATH, path)
        + _indexed(_AUTHORITY, b"localhost")
        + _named(b"content-type", b"application/grpc")
        + _named(b"te", b"trailers")
    )
    return (
        _PREFACE
        + _frame(_SETTINGS, 0, 0, b"")
        + _frame(_HEADERS, _END_HEADERS, 1, block)
        + _frame(_DATA, _END_STREAM, 1, b"\0" + len(message).to_bytes(4, "big") + message)
    )


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    length, number = len(payload).to_bytes(3, "big"), stream.to_bytes(4, "big")
    return length + bytes((kind, flags)) + number + payload


def _indexed(name: int, value: bytes) -> bytes:
    """A header field whose name is in the static table."""
    return bytes((name, len(value))) + value


def _named(name: bytes, value: bytes) -> bytes:
    return bytes((0, len(name))) + name + bytes((len(value),)) + value
