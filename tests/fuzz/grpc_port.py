"""Fuzz target: whole connections to a gRPC port, of a daemon that runs on a thread of this process.

An input is what the client sends, in HTTP/2 (RFC 9113). The daemon must neither log an error of its
own nor keep another client from being served.
"""

from __future__ import annotations

import asyncio
import socket
import tempfile
import threading
import time
from contextlib import suppress
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from twisted.internet.asyncioreactor import AsyncioSelectorReactor

from chatd.config.options import Options
from chatd.daemon.service import makeService
from chatd.daemon.system import System
from tests.doubles.http2 import grpc_request
from tests.fuzz.connections import FailureLog

_PATIENCE = 30.0
_LONGEST_DOWN = 1.0
"""seconds for which the port may be down, whatever is sent to it"""
_CHECK_EVERY = 100
"""inputs after which the other client makes a call"""


class ThreadSystem(System):
    """The system of a daemon that does not run on the main thread, and so gets no signals."""

    def handle_signals(self, reactor: Any, certificates: Any) -> None:
        """See `System`."""


class GrpcPort:
    """The target: a daemon with a gRPC port, and a client that is served whatever others send."""

    def __init__(self) -> None:
        self._log = FailureLog()
        self._inputs = 0
        self._address: Any = None
        started = threading.Event()
        threading.Thread(target=self._serve, args=(started,), daemon=True).start()
        assert started.wait(_PATIENCE), "the daemon has not started"
        self._channel = grpc.insecure_channel(self._address)
        self._check_served()

    def _serve(self, started: threading.Event) -> None:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        reactor = AsyncioSelectorReactor(loop)
        options = Options()
        with tempfile.TemporaryDirectory() as folder:
            options.parseOptions(
                f"--store memory --port 0 --listen grpc=tcp:0 --admin {folder}/admin".split()
            )
            service: Any = makeService(options, reactor, ThreadSystem())
            service.privilegedStartService()
            service.startService()
            self._address = service.listeners[1].address
            reactor.callLater(0.5, started.set)
            reactor.run(installSignalHandlers=False)

    def _check_served(self) -> None:
        """Have the other client make a call."""
        stub = health_pb2_grpc.HealthStub(self._channel)
        until = time.monotonic() + _LONGEST_DOWN
        while True:
            try:
                stub.Check(health_pb2.HealthCheckRequest(), timeout=_PATIENCE, wait_for_ready=True)
                return
            except grpc.RpcError as error:
                # The call was made while the server was started again.
                if error.code() is not grpc.StatusCode.CANCELLED or time.monotonic() > until:
                    raise

    def _connect(self) -> socket.socket:
        """A new connection, at the latest when the port has been down for a second."""
        host, _, port = self._address.rpartition(":")
        until = time.monotonic() + _LONGEST_DOWN
        while True:
            try:
                return socket.create_connection((host.strip("[]"), int(port)), _PATIENCE)
            except ConnectionRefusedError:
                if time.monotonic() > until:
                    raise
            time.sleep(0.02)

    def check(self, data: bytes) -> None:
        """Send the input on a connection of its own: as it is, or, if its first byte is odd, as the
        path and the message of a call; read until the daemon is silent, and close."""
        if not data:
            return
        if data[0] % 2:
            path, _, message = data[1:].partition(b"\n")
            # A path that is not UTF-8 ends the server of grpcio, which is started again: that
            # takes half a second, and has a test of its own.
            path = path[:120].decode(errors="ignore").encode()
            data = b"\0" + grpc_request(path, message[:100])
        with self._connect() as client:
            client.settimeout(0.005)
            with suppress(OSError):
                client.sendall(data[1:])
                while client.recv(65_536):
                    pass
        self._inputs += 1
        if self._inputs % _CHECK_EVERY == 0:
            self._check_served()
        self._log.check()
