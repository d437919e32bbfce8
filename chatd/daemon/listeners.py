"""The ports of the daemon that run on Twisted endpoints."""

from __future__ import annotations

from typing import Any

from twisted.application.service import Service
from twisted.internet import tcp, unix
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory

from chatd.config.option_types import Listen
from chatd.protocols.doors import TITLES
from chatd.server.tcp_transport import TrackedServer
from chatd.server.tls import TLSTransport

_BACKLOG = 1024
"""connections that may wait to be accepted"""


class Listener(Service):
    """A port: an endpoint of Twisted's. Connections that come before `accept` wait in the
    kernel."""

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
            raise SystemExit(
                f"chatd: {listen.name}={listen.endpoint} is no endpoint: {error}"
            ) from None
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
            port.transport = TrackedServer
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
    where = (
        error.port.decode() if isinstance(error.port, bytes) else f"{error.interface}:{error.port}"
    )
    return f"cannot listen on {where}: {reason}"
