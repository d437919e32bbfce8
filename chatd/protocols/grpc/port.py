"""A port on which grpcio's server is started again when one request has ended it.

grpcio decodes the path of a request in the loop that accepts requests, so a path that is not UTF-8
ends the loop with a `UnicodeDecodeError`, and the server refuses every client from then on. The
calls that it has accepted are not affected. They go on, while another server accepts further calls
on the same port: one that the same request does not end, where grpcio allows that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import grpc
from twisted.logger import Logger

logger = Logger(namespace="chatd")

CHECK_INTERVAL = 0.2
"""seconds between two questions whether the server still accepts requests"""
RESTART_INTERVAL = 0.5
"""seconds between two starts of a server, at least"""
MAX_ENDED = 8
"""servers that have ended and still have calls; beyond that, those of the oldest are cancelled"""
LONGEST_CALL = 86_400.0
"""seconds for which the calls of a server that has ended go on, at most"""


class GrpcPort:
    """One port: its server, and former ones with calls that go on.

    `make` returns a `grpc.aio.Server` with its services, not bound or started. It is given whether
    a request has ended one before.
    """

    def __init__(self, make: Callable[[bool], Any]) -> None:
        self._make = make
        self._again = False
        self._address = ""
        self._credentials: grpc.ServerCredentials | None = None
        self._server: Any = None
        self._ended: list[Any] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._watching: asyncio.Task[None] | None = None

    def bind(self, address: str, credentials: grpc.ServerCredentials | None) -> int:
        """Bind the port, with TLS if there are credentials. Raises `RuntimeError` if that fails.

        Returns the number of the port; for a unix socket a number without a meaning.
        """
        self._credentials = credentials
        self._server, port = self._bound(address)
        # Port 0 is another one each time it is bound.
        self._address = (
            address if address.startswith("unix:") else f"{address.rpartition(':')[0]}:{port}"
        )
        return port

    def _bound(self, address: str) -> tuple[Any, int]:
        server = self._make(self._again)
        if self._credentials is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, self._credentials)
        if not port:
            raise RuntimeError(f"cannot listen on {address}")
        return server, int(port)

    async def start(self) -> None:
        """Accept calls, until `stop`."""
        await self._server.start()
        self._watching = asyncio.create_task(self._watch())

    async def stop(self, grace: float) -> None:
        """Accept no more calls, and end the others in `grace` seconds."""
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            await asyncio.wait((watching,))
        servers = [*self._ended, self._server]
        self._ended = []
        await asyncio.gather(*(server.stop(grace) for server in servers if server is not None))

    async def _watch(self) -> None:
        """Start another server whenever one has ended."""
        while True:
            started = asyncio.get_running_loop().time()
            failure = await _ended(self._server)
            self._again = True
            logger.critical(
                "A request has ended the gRPC server at {address}: it is started again, and its "
                "calls go on. This is a fault of grpcio: {error}",
                address=self._address,
                error=repr(failure),
            )
            await asyncio.sleep(
                max(0.0, started + RESTART_INTERVAL - asyncio.get_running_loop().time())
            )
            self._retire(self._server)
            self._server = None
            await self._start_again()

    async def _start_again(self) -> None:
        failed = False
        while self._server is None:
            try:
                self._server, _ = self._bound(self._address)
            except RuntimeError:
                if not failed:
                    failed = True
                    logger.critical(
                        "cannot listen on {address} for gRPC; it is tried again and again",
                        address=self._address,
                    )
                await asyncio.sleep(RESTART_INTERVAL)
        await self._server.start()
        logger.info("gRPC is listening on {address} again", address=self._address)

    def _retire(self, server: Any) -> None:
        """Let the calls of a server that has ended go on, and release it after the last one."""
        self._ended.append(server)
        self._spawn(self._release(server))
        if len(self._ended) > MAX_ENDED:
            self._spawn(self._ended[0].stop(None))

    async def _release(self, server: Any) -> None:
        await server.stop(LONGEST_CALL)
        if server in self._ended:
            self._ended.remove(server)

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        # The event loop has weak references to tasks only.
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _ended(server: Any) -> BaseException | None:
    """Return when a server accepts no more requests, with the exception that has ended it."""
    try:
        # With a time it raises the exception at once, without a time only after the last call.
        while await server.wait_for_termination(CHECK_INTERVAL):
            pass
    except Exception as error:
        return error
    return None
