"""A port for gRPC, which has its own server: on asyncio, in the reactor's event loop."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed

from chatd.config.option_types import Listen
from chatd.core.errors import CertificateUnusable, SocketUnusable
from chatd.protocols.doors import GRPC
from chatd.server.factory import ConnectionFactory
from chatd.server.owner_socket import making_socket
from chatd.server.tls import Certificate

if TYPE_CHECKING:
    from chatd.protocols.grpc.server import GrpcServer


def use_asyncio() -> None:
    """Install the asyncio reactor, with uvloop as its event loop if that is installed.

    Raises SystemExit with a sentence if another reactor is installed already.
    """
    from twisted.internet.asyncioreactor import AsyncioSelectorReactor, install

    if "twisted.internet.reactor" in sys.modules:
        from twisted.internet import reactor

        if not isinstance(reactor, AsyncioSelectorReactor):
            raise SystemExit(
                f"chatd: gRPC requires the asyncio reactor, not the {type(reactor).__name__}: "
                "leave out --reactor, or use --reactor=asyncio"
            )
        return
    try:
        from uvloop import new_event_loop
    except ImportError:
        new_event_loop = asyncio.new_event_loop
    loop = new_event_loop()
    asyncio.set_event_loop(loop)
    install(loop)


class GrpcListener(Service):
    """One gRPC port. Calls made before `accept` wait."""

    title = GRPC.title

    def __init__(
        self,
        listen: Listen,
        factory: ConnectionFactory,
        certificate: Certificate | None = None,
        thread_ids: dict[int, int] | None = None,
    ) -> None:
        """An ``ssl:`` endpoint that names no certificate uses `certificate`. `thread_ids` is shared
        by all gRPC ports (`chatd.protocols.grpc.service.ChatService`).

        Raises SystemExit with a sentence if such an endpoint has no usable certificate.
        """
        self.certificate = _certificate(listen, certificate) if listen.parts[0] == "ssl" else None
        self.local = listen.local
        self.address = listen.endpoint
        self._listen = listen
        self._factory = factory
        self._thread_ids = thread_ids
        self.most: int | None = None
        """how many connections the port may have, if the limits allow more; to be set before it is
        bound"""
        self._server: GrpcServer | None = None
        self._starting: asyncio.Future[None] | None = None

    def privilegedStartService(self) -> None:
        """Bind the port. Raises SystemExit with a sentence if that fails."""
        super().privilegedStartService()  # type: ignore[no-untyped-call]
        # Not imported before: gRPC must not be loaded when twistd forks to become a daemon, and a
        # daemon without a gRPC port starts faster and is smaller without it.
        from chatd.protocols.grpc.server import GrpcServer

        kind, place = self._listen.parts[0], self._listen.path or self._listen.parts[1]
        interface = self._listen.interface or "[::]"
        host = f"[{interface}]" if ":" in interface and not interface.startswith("[") else interface
        address = f"unix:{place}" if kind == "unix" else f"{host}:{place}"
        server = GrpcServer(self._factory, self._thread_ids)
        if self.most is not None:
            server.connections = min(server.connections, self.most)
        # gRPC would replace the socket of another daemon.
        making = making_socket(place, "socket") if kind == "unix" else nullcontext()
        try:
            with making:
                port = server.bind(address, self.certificate)
        except SocketUnusable as unusable:
            raise SystemExit(f"chatd: {unusable}") from None
        except RuntimeError:
            raise SystemExit(f"chatd: cannot listen on {address} for gRPC") from None
        self._server = server
        self.address = place if kind == "unix" else f"{host}:{port}"

    def accept(self) -> None:
        """Accept calls."""
        if self._server is not None:
            self._starting = asyncio.ensure_future(self._server.start())

    def accepting(self) -> Deferred[None]:
        """Fires when calls are accepted; fails if that has failed."""
        if self._starting is None:
            return succeed(None)
        return Deferred.fromFuture(asyncio.shield(self._starting))

    def finish(self, grace: float) -> Deferred[None]:
        """Accept no more calls; fires when all calls have ended, at most `grace` seconds later."""
        server, self._server = self._server, None
        if server is None:
            return succeed(None)
        return Deferred.fromFuture(asyncio.ensure_future(self._finish(server, grace)))

    async def _finish(self, server: GrpcServer, grace: float) -> None:
        if self._starting is not None:
            await asyncio.wait((self._starting,))
        await server.stop(grace)


def _certificate(listen: Listen, default: Certificate | None) -> Certificate:
    """The certificate that an ``ssl:`` endpoint names, or the default."""
    options = dict(part.split("=", 1) for part in listen.parts[2:] if "=" in part)
    if "certKey" in options:
        path = os.path.abspath(options["certKey"])
        key = os.path.abspath(options.get("privateKey", options["certKey"]))
        try:
            return Certificate(path, key)
        except CertificateUnusable as unusable:
            raise SystemExit(f"chatd: {unusable}") from None
    if default is None:
        raise SystemExit(
            f"chatd: grpc={listen.endpoint} requires a certificate: --tls-cert, or certKey=FILE"
        )
    return default
