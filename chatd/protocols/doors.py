"""The table of doors: every protocol with its name, how a connection shows it, and its ports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

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

ConnectionMaker: TypeAlias = Callable[[ConnectionFactory], AnyConnection]

_TLS_RECORD = 0x16
"""the first byte of a TLS handshake (RFC 8446, section 5.1)"""
_TLS_ONLY = "This port speaks TLS only."
_NOT_TLS = "not by TLS"


@dataclass(frozen=True)
class Door:
    """A protocol and how clients reach it.

    `name` is what ``--listen`` calls it; `title` and `description` are for people. On a port of its
    own a connection is made by `protocol`; on the main port it is recognized by `signature`. A
    client that does not begin with TLS on a port that requires it gets `tls_only_reply`, in the
    framing of this protocol. `legacy_port` is where the protocol's own server used to listen.
    """

    name: str
    title: str
    description: str
    protocol: ConnectionMaker
    signature: Signature
    tls_only_reply: bytes
    legacy_port: int | None = None


def _is_not_text(data: bytes) -> bool:
    """Whether the first byte begins neither text nor TLS: classic reports whatever is wrong."""
    return data[0] < 0x20 and data[0] != _TLS_RECORD


DOORS = (
    # In this order signatures are tried. That of classic has all binary input that is left.
    Door(
        "v1",
        "version 1",
        "chatd's own client",
        V1Protocol,
        Signature(first_byte(1), V1Protocol),
        encode_message(Goodbye("tls-only", _TLS_ONLY)),
    ),
    Door(
        "classic",
        "classic",
        "binary",
        ClassicProtocol,
        Signature(_is_not_text, ClassicProtocol),
        classic.encode(classic.RESPONSE, _TLS_ONLY),
        legacy_port=9000,
    ),
    Door(
        "chat10",
        "CHAT/1.0",
        "text",
        Chat10Protocol,
        Signature(chat10.opens, Chat10Protocol, chat10.opens_at_pause),
        f"400 Invalid registration: {_TLS_ONLY}\n".encode(),
    ),
    Door(
        "ops",
        "ops",
        "text with op codes",
        partial(OpsProtocol, greets=True),
        Signature(ops.opens, OpsProtocol, lambda data: ops.opens(data) is not False),
        f"{_TLS_ONLY}\n".encode(),
        legacy_port=2023,
    ),
)
"""every protocol of the main port; each can have ports of its own as well"""


@dataclass(frozen=True)
class GrpcDoor:
    """gRPC has no connections of Twisted's: it listens on ports of its own only."""

    name: str = "grpc"
    title: str = "gRPC"
    description: str = "ChatService"
    legacy_port: int = 50051


GRPC = GrpcDoor()
ANY = "any"
"""what ``--listen`` calls a port that has all protocols of the main port"""


def shown_titles() -> str:
    """The protocols of the main port, with descriptions, for people."""
    return ", ".join(f"{door.title} ({door.description})" for door in DOORS)


def shown_title(name: str) -> str:
    """What the daemon prints for a name of ``--listen``."""
    if name == ANY:
        return "all protocols"
    titles = {door.name: door.title for door in (*DOORS, GRPC)}
    return titles[name]


def connection_maker(
    name: str, main_port: ConnectionMaker, secure: bool = False
) -> ConnectionMaker:
    """What makes the connections of a port, by its name in ``--listen``; `any` is `main_port`, or
    what is inside the TLS of that if the endpoint has TLS of its own (`secure`)."""
    if name == ANY:
        return _inside_tls if secure else main_port
    makers = {door.name: door.protocol for door in DOORS}
    return makers[name]


def main_port(certificate: Certificate | None = None, tls_only: bool = False) -> ConnectionMaker:
    """Return what makes the connections of a port that recognizes every protocol.

    Protocols are recognized in plain text, unless `tls_only`, and inside TLS if there is a
    certificate.
    """
    plain = [
        replace(
            door.signature, protocol=partial(Rejection, reply=door.tls_only_reply, reason=_NOT_TLS)
        )
        if tls_only
        else door.signature
        for door in DOORS
    ]
    if certificate is not None:
        plain.insert(0, Signature(first_byte(_TLS_RECORD), partial(_begin_tls, certificate)))
    unknown = _reject_without_tls if tls_only else _reject_unknown
    return lambda factory: Sniffer(factory, plain, unknown)


def _begin_tls(certificate: Certificate, factory: ConnectionFactory) -> Any:
    """Return a TLS transport with a `Sniffer` inside."""
    inside = PortFactory(factory, _inside_tls)
    return TLSFactory(certificate, inside, factory.clock).buildProtocol(None)


def _inside_tls(factory: ConnectionFactory) -> Sniffer:
    return Sniffer(factory, [door.signature for door in DOORS], _reject_unknown)


def _reject_unknown(factory: ConnectionFactory) -> Rejection:
    titles = ", ".join(door.title for door in DOORS)
    reply = f"Unknown protocol. This port speaks {titles}.\n"
    return Rejection(factory, reply.encode(), "unknown protocol")


def _reject_without_tls(factory: ConnectionFactory) -> Rejection:
    return Rejection(factory, f"{_TLS_ONLY}\n".encode(), _NOT_TLS)
