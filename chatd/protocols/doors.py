"""Which protocols there are, by name, and the ports on which they are spoken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from chatd.codecs import chat10, classic, ops
from chatd.codecs.v1 import encode as encode_message
from chatd.codecs.v1_messages import Goodbye
from chatd.protocols.chat10 import Chat10Protocol
from chatd.protocols.classic import ClassicProtocol
from chatd.protocols.ops import OpsProtocol
from chatd.protocols.v1.protocol import V1Protocol
from chatd.server.factory import AnyConnection, ConnectionFactory, PortFactory
from chatd.server.sniffer import Rejection, Signature, Sniffer, first_byte
from chatd.server.tls import Certificate, TLSFactory

TITLES = {
    "classic": "classic",
    "wire": "version 1",
    "chat": "CHAT/1.0",
    "ops": "ops",
    "grpc": "gRPC",
}
"""what each protocol is called when the daemon tells what listens where"""
SPOKEN = tuple(title for name, title in TITLES.items() if name != "grpc")
"""those of the main port"""

_TLS = 0x16


def _no_text(data: bytes) -> bool:
    """Bytes that no text begins with: a binary client, if a strange one."""
    return data[0] < 0x20 and data[0] != _TLS


_STARTS = (
    Signature(first_byte(1), V1Protocol),
    Signature(_no_text, ClassicProtocol),
    Signature(chat10.opens, Chat10Protocol),
    Signature(ops.opens, OpsProtocol, complete_at_pause=True),
)


class MainPort:
    """Makes the connections to a port that knows every protocol: in plain text unless there is TLS
    `only`, and inside TLS if there is a certificate."""

    def __init__(self, certificate: Certificate | None = None, only: bool = False) -> None:
        self._plain: tuple[Signature, ...] = _STARTS
        self._otherwise = _only_tls if only else _unknown
        if certificate is not None:
            found = certificate

            def in_tls(factory: ConnectionFactory) -> Any:
                return TLSFactory(
                    found, PortFactory(factory, _inside), factory.clock
                ).buildProtocol(None)

            tls = Signature(first_byte(_TLS), in_tls)
            self._plain = (tls, *(map(_refused, _STARTS, _REFUSALS) if only else _STARTS))

    def __call__(self, factory: ConnectionFactory) -> Sniffer:
        """A connection."""
        return Sniffer(factory, self._plain, self._otherwise)


def _inside(factory: ConnectionFactory) -> Sniffer:
    return Sniffer(factory, _STARTS, _unknown)


def _refused(start: Signature, words: bytes) -> Signature:
    """A protocol that is told to come by TLS."""
    return replace(start, protocol=lambda factory: Rejection(factory, words, "not by TLS"))


def _unknown(factory: ConnectionFactory) -> Rejection:
    spoken = ", ".join(SPOKEN)
    words = f"chatd does not know a protocol that begins so; it speaks {spoken}\n"
    return Rejection(factory, words.encode(), "unknown protocol")


def _only_tls(factory: ConnectionFactory) -> Rejection:
    return Rejection(factory, f"{_TLS_ONLY}\n".encode(), "not by TLS")


_TLS_ONLY = "This port speaks TLS only."
# In the order of _STARTS, so that each can be understood.
_REFUSALS = (
    encode_message(Goodbye("tls-only", _TLS_ONLY)),
    classic.encode(classic.RESPONSE, _TLS_ONLY),
    f"400 Invalid registration: {_TLS_ONLY}\n".encode(),
    f"{_TLS_ONLY}\n".encode(),
)

PORT_PROTOCOLS: Mapping[str, Callable[[ConnectionFactory], AnyConnection]] = {
    "any": MainPort(),
    "classic": ClassicProtocol,
    "wire": V1Protocol,
    "chat": Chat10Protocol,
    "ops": lambda factory: OpsProtocol(factory, greets=True),
}
"""what a connection to a port for this is, by name"""
