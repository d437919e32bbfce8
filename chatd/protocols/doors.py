"""Which protocols there are, by name, and the ports on which they are spoken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from twisted.application.service import Service
from twisted.internet import tcp, unix
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory

from chatd.codecs import chat10, classic, ops
from chatd.codecs.v1 import encode as encode_message
from chatd.codecs.v1_messages import Goodbye
from chatd.config.option_types import Listen
from chatd.protocols.chat10 import ChatProtocol
from chatd.protocols.classic import ClassicProtocol
from chatd.protocols.ops import OpsProtocol
from chatd.protocols.v1.protocol import WireProtocol
from chatd.server.factory import ConnectionFactory, Entrance, Member
from chatd.server.sniffer import Farewell, Sniff, Start, first_byte
from chatd.server.tcp_transport import PromptServer
from chatd.server.tls import Certificate, TLSFactory, TLSTransport

TITLES = {"classic": "classic", "wire": "version 1", "chat": "CHAT/1.0", "ops": "ops", "grpc": "gRPC"}
"""what each protocol is called when the daemon tells what listens where"""
SPOKEN = tuple(title for name, title in TITLES.items() if name != "grpc")
"""those of the main port"""

_TLS = 0x16
_BACKLOG = 1024
"""connections that may wait to be accepted"""


def _no_text(data: bytes) -> bool:
    """Bytes that no text begins with: a binary client, if a strange one."""
    return data[0] < 0x20 and data[0] != _TLS


_STARTS = (
    Start(first_byte(1), WireProtocol),
    Start(_no_text, ClassicProtocol),
    Start(chat10.opens, ChatProtocol),
    Start(ops.opens, OpsProtocol, pause=True),
)


class MainPort:
    """Makes the connections to a port that knows every protocol: in plain text unless there is TLS `only`,
    and inside TLS if there is a certificate."""

    def __init__(self, certificate: Certificate | None = None, only: bool = False) -> None:
        self._plain: tuple[Start, ...] = _STARTS
        self._otherwise = _only_tls if only else _unknown
        if certificate is not None:
            found = certificate

            def in_tls(factory: ConnectionFactory) -> Any:
                return TLSFactory(found, Entrance(factory, _inside), factory.clock).buildProtocol(None)

            tls = Start(first_byte(_TLS), in_tls)
            self._plain = (tls, *(map(_refused, _STARTS, _REFUSALS) if only else _STARTS))

    def __call__(self, factory: ConnectionFactory) -> Sniff:
        """A connection."""
        return Sniff(factory, self._plain, self._otherwise)


def _inside(factory: ConnectionFactory) -> Sniff:
    return Sniff(factory, _STARTS, _unknown)


def _refused(start: Start, words: bytes) -> Start:
    """A protocol that is told to come by TLS."""
    return replace(start, protocol=lambda factory: Farewell(factory, words, "not by TLS"))


def _unknown(factory: ConnectionFactory) -> Farewell:
    spoken = ", ".join(SPOKEN)
    words = f"chatd does not know a protocol that begins so; it speaks {spoken}\n"
    return Farewell(factory, words.encode(), "unknown protocol")


def _only_tls(factory: ConnectionFactory) -> Farewell:
    return Farewell(factory, f"{_TLS_ONLY}\n".encode(), "not by TLS")


_TLS_ONLY = "This port speaks TLS only."
# In the order of _STARTS, so that each can be understood.
_REFUSALS = (
    encode_message(Goodbye("tls-only", _TLS_ONLY)),
    classic.encode(classic.RESPONSE, _TLS_ONLY),
    f"400 Invalid registration: {_TLS_ONLY}\n".encode(),
    f"{_TLS_ONLY}\n".encode(),
)

ENTRANCES: Mapping[str, Callable[[ConnectionFactory], Member]] = {
    "any": MainPort(),
    "classic": ClassicProtocol,
    "wire": WireProtocol,
    "chat": ChatProtocol,
    "ops": lambda factory: OpsProtocol(factory, greets=True),
}
"""what a connection to a port for this is, by name"""


class Listener(Service):
    """A port: an endpoint of Twisted's. Connections that come before `accept` wait in the kernel."""

    logger = Logger(namespace="chatd")

    def __init__(self, reactor: Any, listen: Listen, factory: Factory) -> None:
        """Ends the process with a sentence if there is no such endpoint."""
        self.port: Any = None
        self.title = TITLES.get(listen.name, "all of these")
        self.local = listen.local
        endpoint = listen.endpoint
        if endpoint.startswith(("tcp:", "ssl:")) and ":backlog=" not in endpoint:
            endpoint += f":backlog={_BACKLOG}"
        try:
            self._endpoint = serverFromString(reactor, endpoint)
        except Exception as error:  # Whatever an endpoint's parser makes of a mistake.
            raise SystemExit(f"chatd: {listen.name}={listen.endpoint} is no endpoint: {error}") from None
        self._description = endpoint
        self._factory = factory
        self._accepting = False

    def privilegedStartService(self) -> None:
        """Bind the port; failing that, end the process with a sentence."""
        super().privilegedStartService()  # type: ignore[no-untyped-call]
        failures: list[Any] = []
        self._endpoint.listen(self._factory).addCallbacks(self._bound, failures.append)
        if failures:
            failures[0].trap(CannotListenError)
            raise SystemExit(f"chatd: {why_not_listening(failures[0].value)}")

    def _bound(self, port: Any) -> None:
        self.port = port
        if isinstance(port, tcp.Port) and not isinstance(port, unix.Port):
            port.transport = PromptServer
            if isinstance(port.factory, TLSMemoryBIOFactory):
                # An endpoint with TLS of its own.
                port.factory.protocol = TLSTransport
        if not self._accepting:
            port.stopReading()

    def accept(self) -> None:
        """Let them in."""
        self._accepting = True
        if self.port is not None:
            self.port.startReading()

    @property
    def address(self) -> str:
        """Where it listens, for people."""
        found: Any = self.port.getHost() if self.port is not None else None
        host = getattr(found, "host", None)
        if host is None:
            name = getattr(found, "name", None)
            return name.decode() if isinstance(name, bytes) else str(name or self._description)
        return f"[{host}]:{found.port}" if ":" in host else f"{host}:{found.port}"

    def stopService(self) -> Any:
        """Let nobody in any more."""
        super().stopService()  # type: ignore[no-untyped-call]
        return self.port.stopListening() if self.port is not None else None


def why_not_listening(error: CannotListenError) -> str:
    """In words."""
    reason = (getattr(error.socketError, "strerror", None) or str(error.socketError)).lower()
    where = error.port.decode() if isinstance(error.port, bytes) else f"{error.interface}:{error.port}"
    return f"cannot listen on {where}: {reason}"
