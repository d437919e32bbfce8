"""`GrpcPort`: a request that ends grpcio's server does not end the port."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from time import monotonic
from typing import Any

import grpc
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from chatd.protocols.grpc import port as port_module
from chatd.protocols.grpc.port import GrpcPort
from tests.doubles.http2 import grpc_request

_NOT_UTF_8 = b"/\xa0hatService/LogIn"
_BUSY = 10.0
"""seconds more than a second that a busy machine may take"""
_STOPPING = 5.0
"""seconds within which a port must stop"""


async def _tick(request: bytes, context: Any) -> None:
    """Send the time, each 10 ms."""
    while True:
        await context.write(str(monotonic()).encode())
        await asyncio.sleep(0.01)


def _server(again: bool = False) -> Any:
    handler = grpc.unary_stream_rpc_method_handler(_tick)
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("S", {"C": handler}),))
    return server


async def _until(condition: Callable[[], bool]) -> None:
    """Wait until a condition is true."""
    async with asyncio.timeout(_STOPPING):
        while True:
            if condition():
                return
            await asyncio.sleep(0.001)


async def _read_present(stream: Any) -> None:
    """Read a stream up to what is sent from now on."""
    began = monotonic()
    while float(await stream.read()) < began:
        pass


class _Client:
    """A port, and calls to it; a context manager of asyncio."""

    def __init__(self) -> None:
        self.port = GrpcPort(_server)
        self.number = self.port.bind("127.0.0.1:0", None)
        self._channels: list[Any] = []
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> _Client:
        await self.port.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for channel in self._channels:
            await channel.close()
        for writer in self._writers:
            writer.close()
        await asyncio.wait_for(self.port.stop(0), _STOPPING)

    async def call(self) -> Any:
        """A stream over a connection of its own, as soon as the port accepts one."""
        await _until(self.accepts)
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{self.number}")
        self._channels.append(channel)
        return channel.unary_stream("/S/C")(b"", timeout=_STOPPING)

    async def send_request(self, path: bytes) -> None:
        """Send a request in the bytes of HTTP/2."""
        _, writer = await asyncio.open_connection("127.0.0.1", self.number)
        self._writers.append(writer)
        writer.write(grpc_request(path))

    async def end_server(self) -> None:
        """Send a request that ends the server, and wait until the port refuses connections."""
        await self.send_request(_NOT_UTF_8)
        await _until(lambda: not self.accepts())

    def accepts(self) -> bool:
        """Whether the port accepts connections."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.number)) == 0


class Restarts(SynchronousTestCase):
    """A path that is not UTF-8 ends grpcio's server."""

    def test_server_is_started_again_within_a_second_and_calls_go_on(self) -> None:
        """As often as it is ended. Each time is logged as critical."""

        async def ended_twice() -> None:
            async with _Client() as client:
                former = await client.call()
                await former.read()
                for _ in range(2):
                    await client.end_server()
                    began = monotonic()
                    stream = await client.call()
                    self.assertLess(monotonic() - began, 1.0 + _BUSY)
                    await _read_present(stream)
                await _read_present(former)

        with capturedLogs() as logs:
            asyncio.run(ended_twice())
        critical = [event for event in logs if event["log_level"] is LogLevel.critical]
        self.assertEqual(len(critical), 2)
        self.assertIn("UnicodeDecodeError", critical[0]["error"])

    def test_servers_that_have_ended_are_bounded(self) -> None:
        """The calls of the oldest are cancelled."""
        self.patch(port_module, "MAX_ENDED", 1)

        async def ended_twice() -> None:
            async with _Client() as client:
                former = [await client.call()]
                await former[0].read()
                for _ in range(2):
                    await client.end_server()
                    former.append(await client.call())
                    await former[-1].read()
                with self.assertRaises(grpc.aio.AioRpcError):
                    while True:
                        await former[0].read()
                await _read_present(former[1])
                await _until(lambda: len(client.port._ended) == 1)

        asyncio.run(ended_twice())

    def test_port_that_is_taken_meanwhile_is_bound_when_it_is_free(self) -> None:
        """It is tried again and again, and that is logged once."""
        self.patch(port_module, "RESTART_INTERVAL", 0.05)

        async def taken() -> None:
            async with _Client() as client:
                await client.end_server()
                with socket.create_server(("127.0.0.1", client.number)):
                    await _until(lambda: bool(failed()))
                    await asyncio.sleep(0.1)
                await _read_present(await client.call())

        def failed() -> list[Any]:
            return [event for event in logs if "tried again" in event["log_format"]]

        with capturedLogs() as logs:
            asyncio.run(taken())
        self.assertEqual(len(failed()), 1)

    def test_port_stops_while_it_is_started_again(self) -> None:
        """Nothing listens on it afterwards."""

        async def stopped() -> None:
            async with _Client() as client:
                await client.end_server()
            self.assertFalse(client.accepts())

        asyncio.run(stopped())
