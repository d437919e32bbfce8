"""The ports of the daemon that run on Twisted endpoints, and the admin socket."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.application.service import Service
from twisted.internet import tcp, unix
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.protocols.tls import TLSMemoryBIOFactory

from chatd.config.option_types import Listen
from chatd.core.errors import SocketUnusable
from chatd.protocols.admin.connection import AdminFactory
from chatd.protocols.doors import shown_title
from chatd.server.admission import Admission
from chatd.server.tcp_transport import TrackedServer
from chatd.server.tls import TLSTransport

_BACKLOG = 4096
"""connections that may wait in the kernel to be accepted, if it allows so many: after a restart all
clients connect at the same moment"""


class Listener(Service):
    """A port on a Twisted endpoint. Connections made before `accept` wait in the kernel, and so do
    those for which `admission` has no room."""

    def __init__(
        self, reactor: Any, listen: Listen, factory: Factory, admission: Admission | None = None
    ) -> None:
        """Raises SystemExit with a sentence if the endpoint is invalid."""
        self.port: Any = None
        self.title = shown_title(listen.name)
        self.local = listen.local
        endpoint = listen.endpoint
        if endpoint.startswith(("tcp:", "ssl:")) and ":backlog=" not in endpoint:
            endpoint += f":backlog={_BACKLOG}"
        try:
            self._endpoint = serverFromString(reactor, endpoint)
        except Exception as error:  # The parsers of endpoints raise anything.
            raise SystemExit(
                f"chatd: {listen.name}={listen.endpoint} is not a valid endpoint: {error}"
            ) from None
        self._description = endpoint
        self._factory = factory
        self._accepting = False
        self._admission = admission
        if admission is not None:
            admission.add(self)

    def privilegedStartService(self) -> None:
        """Bind the port. Raises SystemExit with a sentence if that fails."""
        super().privilegedStartService()  # type: ignore[no-untyped-call]
        failures: list[Any] = []
        self._endpoint.listen(self._factory).addCallbacks(self._bound, failures.append)
        if failures:
            failures[0].trap(CannotListenError, OSError)
            raise SystemExit(f"chatd: {self._why_not(failures[0].value)}")

    def _why_not(self, error: CannotListenError | OSError) -> str:
        if isinstance(error, CannotListenError):
            return cannot_listen_sentence(error)
        return f"cannot listen on {self._description}: {(error.strerror or str(error)).lower()}"

    def _bound(self, port: Any) -> None:
        self.port = port
        if isinstance(port, tcp.Port) and not isinstance(port, unix.Port):
            port.transport = TrackedServer
            if isinstance(port.factory, TLSMemoryBIOFactory):
                # The endpoint has TLS of its own.
                port.factory.protocol = TLSTransport
        if isinstance(port, tcp.Port) and self._admission is not None:
            port.doRead = partial(_accept_some, port, port.doRead, self._admission)  # type: ignore[method-assign]
        if not self._accepting:
            port.stopReading()

    def accept(self) -> None:
        """Accept connections."""
        self._accepting = True
        self.resume()

    def pause(self) -> None:
        """See `chatd.server.admission.AcceptingPort`."""
        if self.port is not None:
            self.port.stopReading()

    def resume(self) -> None:
        """See `chatd.server.admission.AcceptingPort`."""
        paused = self._admission is not None and self._admission.paused
        if self.port is not None and self._accepting and not paused:
            self.port.startReading()

    @property
    def address(self) -> str:
        """Host and port, or the path of the socket, for people."""
        host_port: Any = self.port.getHost() if self.port is not None else None
        host = getattr(host_port, "host", None)
        if host is None:
            path = getattr(host_port, "name", None)
            return path.decode() if isinstance(path, bytes) else str(path or self._description)
        return f"[{host}]:{host_port.port}" if ":" in host else f"{host}:{host_port.port}"

    def stopService(self) -> Any:
        """Accept no more connections."""
        self._accepting = False
        super().stopService()  # type: ignore[no-untyped-call]
        return self.port.stopListening() if self.port is not None else None


class AdminListener(Service):
    """The admin socket. It is made once the store is open; operators wait until `accept`."""

    def __init__(self, path: str, factory: AdminFactory, port: Any) -> None:
        """`port` is an `OwnerPort` at `path` for `factory`, which does not listen yet."""
        self.path = path
        self.factory = factory
        self._port = port

    def startService(self) -> None:
        """Make the socket. Raises SystemExit with a sentence if that fails."""
        super().startService()  # type: ignore[no-untyped-call]
        try:
            self._port.startListening()
        except SocketUnusable as unusable:
            raise SystemExit(f"chatd: {unusable}") from None
        self._port.stopReading()

    def accept(self) -> None:
        """Accept connections."""
        self._port.startReading()

    def stopService(self) -> Any:
        """Accept no more connections, and remove the socket."""
        super().stopService()  # type: ignore[no-untyped-call]
        return self._port.stopListening()


def _accept_some(port: Any, accept: Callable[[], None], admission: Admission) -> None:
    """Accept connections of a port, whose `doRead` is `accept`: no more than there is room for.
    Twisted would accept all that wait, a hundred and more at a stretch."""
    port.numberAccepts = max(1, min(port.numberAccepts, admission.room))
    accept()


def check_port(host: str, port: int) -> None:
    """Bind a port and release it again. Raises SystemExit with a sentence if that fails.

    Called while there is still a terminal to complain to: a daemon in the background has none.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
            trial.listen(1)
    except (OSError, UnicodeError) as error:
        problem = CannotListenError(host, port, error)
        raise SystemExit(f"chatd: {cannot_listen_sentence(problem)}") from None


def cannot_listen_sentence(error: CannotListenError) -> str:
    """Say which address cannot be listened on, and why."""
    reason = (getattr(error.socketError, "strerror", None) or str(error.socketError)).lower()
    address = (
        error.port.decode() if isinstance(error.port, bytes) else f"{error.interface}:{error.port}"
    )
    return f"cannot listen on {address}: {reason}"
