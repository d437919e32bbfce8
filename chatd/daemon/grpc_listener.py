"""A port for gRPC, which listens by itself: on asyncio, in the reactor's loop."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred

from chatd.config.option_types import Listen
from chatd.core.errors import CertificateUnusable
from chatd.protocols.doors import TITLES
from chatd.server.tls import Certificate

if TYPE_CHECKING:
    from chatd.protocols.grpc.server import GrpcServer


def use_asyncio() -> None:
    """Have Twisted run on asyncio, with uvloop under it if that is installed. Ends the process with
    a sentence if another reactor has been chosen."""
    from twisted.internet.asyncioreactor import AsyncioSelectorReactor, install

    if "twisted.internet.reactor" in sys.modules:
        from twisted.internet import reactor

        if not isinstance(reactor, AsyncioSelectorReactor):
            raise SystemExit(
                f"chatd: gRPC takes the asyncio reactor, not the {type(reactor).__name__}: "
                "leave out --reactor, or say --reactor=asyncio"
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
    """One port. It is taken by `bind`, and lets nobody in before `accept`."""

    title = TITLES["grpc"]

    def __init__(
        self, listen: Listen, factory: Any, certificate: Certificate | None = None
    ) -> None:
        """An ``ssl:`` endpoint without a certificate of its own has `certificate`. Ends the process
        with a sentence if there is none."""
        self.certificate: Certificate | None = None
        if listen.parts[0] == "ssl":
            given = dict(part.split("=", 1) for part in listen.parts[2:] if "=" in part)
            if "certKey" in given:
                path = os.path.abspath(given["certKey"])
                key = os.path.abspath(given.get("privateKey", given["certKey"]))
                try:
                    certificate = Certificate(path, key)
                except CertificateUnusable as unusable:
                    raise SystemExit(f"chatd: {unusable}") from None
            if certificate is None:
                raise SystemExit(
                    f"chatd: grpc={listen.endpoint} takes a certificate: --tls-cert, or certKey=FILE"
                )
            self.certificate = certificate
        self.local = listen.local
        self.address = listen.endpoint
        self._listen = listen
        self._factory = factory
        self._server: GrpcServer | None = None

    def bind(self) -> None:
        """Take the port, while asyncio runs. Raises `RuntimeError` if it cannot be had."""
        # Not sooner: a process that becomes a daemon must not have begun with gRPC.
        from chatd.protocols.grpc.server import GrpcServer

        kind, where, *_ = self._listen.parts
        interface = self._listen.interface or "[::]"
        host = f"[{interface}]" if ":" in interface and not interface.startswith("[") else interface
        address = f"unix:{where}" if kind == "unix" else f"{host}:{where}"
        server = GrpcServer(self._factory)
        port = server.bind(address, self.certificate)
        self._server = server
        self.address = where if kind == "unix" else f"{host}:{port}"

    def accept(self) -> None:
        """Let them in."""
        if self._server is not None:
            self._starting = asyncio.ensure_future(self._server.start())

    def finish(self, grace: float) -> Deferred[None]:
        """Let nobody in any more; fires when all are out, at the latest after so many seconds."""
        server, self._server = self._server, None
        if server is None:
            done: Deferred[None] = Deferred()
            done.callback(None)
            return done
        return Deferred.fromFuture(asyncio.ensure_future(server.stop(grace)))
