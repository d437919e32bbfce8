"""A gRPC server that takes only calls of its own methods, whose paths it does not decode.

grpcio matches the paths of registered methods as bytes, and decodes all others. With one that is
not UTF-8 this ends the server (`chatd.protocols.grpc.port`), as often as a client sends it. So the
server here never asks for a call of another method. Such a call waits until its client gives it up;
when some thousands wait, grpcio cancels further ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import grpc
from grpc._cython import cygrpc
from grpc.aio._server import Server

CAN_REGISTER = hasattr(cygrpc.AioServer, "_make_request_call_future")
"""whether this grpcio asks for the calls of registered methods by themselves; one that does not
decodes no path where that would end the server"""


class _Requests(cygrpc.AioServer):  # type: ignore[misc]  # grpcio has no types.
    """The server in the core of grpcio."""

    def _make_request_call_future(self, method: bytes | None) -> Any:
        """A future for the next call of a registered method; for None, which stands for all other
        calls, one that is never done."""
        if method is None:
            return asyncio.get_running_loop().create_future()
        return super()._make_request_call_future(method)


class RegisteredServer(Server):  # type: ignore[misc]
    """As `grpc.aio.server` makes it, but for the class of its core."""

    def __init__(
        self,
        interceptors: Sequence[grpc.aio.ServerInterceptor],
        options: Sequence[tuple[str, Any]],
        maximum_concurrent_rpcs: int | None,
    ) -> None:
        self._loop = cygrpc.get_working_loop()
        self._server = _Requests(
            self._loop, None, (), interceptors, tuple(options), maximum_concurrent_rpcs
        )
