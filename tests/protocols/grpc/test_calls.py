"""Calls under way: their bounds, in memory and at a port, and that none is counted after its end.

At a port the clients are on this machine, where no address has a bound of its own.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
from grpc_health.v1 import health_pb2
from twisted.trial.unittest import SynchronousTestCase

from chatd.admin import selfsigned
from chatd.codecs import chat_pb2 as pb
from chatd.core.errors import UnknownAccount
from chatd.protocols.grpc.calls import Call, Calls
from chatd.protocols.grpc.server import GrpcServer
from chatd.server.tls import Certificate
from tests.doubles.folders import folder
from tests.doubles.grpc_calls import Aborted, CallContext
from tests.doubles.v1_clients import MainPortServer

_PATIENCE = 20.0
_SETTINGS_FRAME = 4
_INITIAL_WINDOW_SIZE = 4
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition is true."""
    async with asyncio.timeout(_PATIENCE):
        while True:
            if condition():
                return
            await asyncio.sleep(0.001)


class Counting(SynchronousTestCase):
    """`Calls`, in memory."""

    def start(self, **limits: Any) -> None:
        """A server with these limits."""
        self.server = MainPortServer(**limits)
        self.port = GrpcServer(self.server.factory)
        self.calls: Calls = self.port._calls

    def call(
        self, behavior: Callable[[Call], Awaitable[Any]], address: str = "192.0.2.7"
    ) -> asyncio.Task[Any]:
        """A call from an address."""
        context = CallContext(peer=f"ipv4:{address}:5000")
        return asyncio.ensure_future(self.calls.carry_out(context, behavior))

    def waiting(self, address: str = "192.0.2.7") -> asyncio.Task[Any]:
        """A call that waits for its client."""
        return self.call(lambda call: asyncio.sleep(_PATIENCE), address)

    def working(self, address: str = "192.0.2.7") -> asyncio.Task[Any]:
        """A call that is being carried out."""

        async def work(call: Call) -> None:
            self.calls.request_arrived(call)
            await asyncio.sleep(_PATIENCE)

        return self.call(work, address)

    async def outcomes(self, tasks: list[asyncio.Task[Any]]) -> list[Any]:
        """The status and the sentence of each call, None for one that goes on, which is then
        cancelled."""
        for _ in range(5):
            await asyncio.sleep(0)
        outcomes = []
        for task in tasks:
            error = task.exception() if task.done() and not task.cancelled() else None
            outcomes.append(error.args if isinstance(error, Aborted) else error)
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.assert_nothing_is_left()
        return outcomes

    def assert_nothing_is_left(self) -> None:
        """No call is counted."""
        calls = self.calls
        counts = (len(calls), len(calls.idle), len(calls.requests), calls._working_in_all)
        self.assertEqual((counts, calls.working), ((0, 0, 0, 0), {}))
        self.assertEqual(calls.idle._shares, {})

    def test_address_loses_its_own_waiting_calls(self) -> None:
        """The one that has waited longest, when its share is used up."""
        self.start(address_unauthenticated=2)

        async def scenario() -> None:
            tasks = [self.waiting("192.0.2.8"), *(self.waiting() for _ in range(3))]
            sentence = "too many calls from your address wait for their client"
            self.assertEqual(await self.outcomes(tasks), [None, (EXHAUSTED, sentence), None, None])

        asyncio.run(scenario())
        self.assertEqual(self.server.realm.counters.quotas_met, {"address_unauthenticated": 1})

    def test_waiting_calls_are_bounded_in_all(self) -> None:
        """Clients on this machine may have all of them."""
        self.start(calls=2, address_unauthenticated=1)

        async def scenario() -> None:
            tasks = [self.waiting("127.0.0.1") for _ in range(3)]
            sentence = "too many calls wait for their clients; try again later"
            self.assertEqual(await self.outcomes(tasks), [(EXHAUSTED, sentence), None, None])

        asyncio.run(scenario())

    def test_further_calls_are_refused_while_too_many_are_carried_out(self) -> None:
        """Those that have begun are finished: they may have changed something."""
        self.start(calls=3, address_unauthenticated=2)

        async def scenario() -> None:
            tasks = [self.working() for _ in range(3)]
            tasks += [self.working("192.0.2.8") for _ in range(2)]
            outcomes = await self.outcomes(tasks)
            self.assertEqual(
                [each and each[0] for each in outcomes], [None, None, EXHAUSTED, None, EXHAUSTED]
            )
            self.assertEqual(
                outcomes[2][1], "An address can have at most 2 calls carried out at a time."
            )
            self.assertEqual(outcomes[4][1], "The server carries out at most 3 calls at a time.")

        asyncio.run(scenario())

    def test_call_with_a_session_is_not_counted(self) -> None:
        """Its session is."""
        self.start(calls=1)

        async def stream(call: Call) -> None:
            self.calls.request_arrived(call)
            self.calls.released(call)
            await asyncio.sleep(_PATIENCE)

        async def scenario() -> None:
            tasks = [self.call(stream) for _ in range(3)]
            self.assertEqual(await self.outcomes(tasks), [None] * 3)

        asyncio.run(scenario())

    def test_banned_address_has_no_calls(self) -> None:
        """Those under way are cancelled, later ones refused with the reason."""
        self.start()
        bans = self.server.realm.address_bans

        async def scenario() -> None:
            tasks = [self.waiting(), self.working(), self.waiting("192.0.2.8")]
            await asyncio.sleep(0.001)
            numbers: list[Any] = []

            async def ban() -> None:
                numbers.extend(await bans.ban("192.0.2.7", None, "spam"))

            self.server.run(ban())
            self.assertEqual(numbers[1:], [0, 2])
            await asyncio.sleep(0.001)
            self.assertEqual([task.cancelled() for task in tasks], [True, True, False])
            sentence = "An operator has banned your address: spam"
            self.assertEqual(
                await self.outcomes([self.waiting(), tasks[2]]),
                [(grpc.StatusCode.PERMISSION_DENIED, sentence), None],
            )

        asyncio.run(scenario())

    def test_nothing_is_counted_after_calls_have_ended(self) -> None:
        """Whatever they do, and however they end."""
        self.start(calls=5, address_unauthenticated=3)
        choose = random.Random(1)

        async def behavior(call: Call) -> None:
            await asyncio.sleep(0)
            if choose.random() < 0.7:
                self.calls.request_arrived(call)
                await asyncio.sleep(0)
                if choose.random() < 0.3:
                    self.calls.released(call)
            if choose.random() < 0.3:
                raise UnknownAccount()
            if choose.random() < 0.5:
                await asyncio.sleep(_PATIENCE)

        async def scenario() -> None:
            tasks = []
            for number in range(300):
                address = choose.choice(("192.0.2.1", "192.0.2.2", "127.0.0.1"))
                tasks.append(self.call(behavior, address))
                await asyncio.sleep(0)
                if number % 3 == 0:
                    choose.choice(tasks).cancel()
            await self.outcomes(tasks)

        asyncio.run(scenario())


class AtAPort(SynchronousTestCase):
    """A server at a port, and clients of grpcio or with sockets of their own."""

    @asynccontextmanager
    async def server(
        self, certificate: Certificate | None = None, **limits: Any
    ) -> AsyncIterator[int]:
        """A server with these limits; the number of its port."""
        self.memory_server = MainPortServer(**limits)
        server = GrpcServer(self.memory_server.factory)
        number = server.bind("127.0.0.1:0", certificate)
        await server.start()
        self.calls = server._calls
        try:
            async with asyncio.timeout(_PATIENCE):
                yield number
        finally:
            await server.stop(0)

    @asynccontextmanager
    async def client(self, **limits: Any) -> AsyncIterator[grpc.aio.Channel]:
        """A server with these limits; a client of it."""
        async with (
            self.server(**limits) as number,
            grpc.aio.insecure_channel(f"127.0.0.1:{number}") as channel,
        ):
            yield channel

    async def status(self, call: Any) -> tuple[grpc.StatusCode, str]:
        """The status of a call that is refused, and its sentence."""
        try:
            await call
        except grpc.aio.AioRpcError as error:
            return error.code(), error.details() or ""
        raise self.failureException("the call was not refused")

    def test_every_kind_of_call_is_counted(self) -> None:
        """With one request or several, one answer or several; unknown methods are refused. A call
        that waits for its client has a deadline, unless it watches the health of the service."""

        async def scenario() -> None:
            async with self.client() as channel:
                create = channel.unary_unary(
                    "/ChatService/CreateAccount",
                    request_serializer=pb.CreateAccountRequest.SerializeToString,
                    response_deserializer=pb.CreateAccountResponse.FromString,
                )
                answer = await create(pb.CreateAccountRequest(client_id="mason"))
                self.assertEqual(answer, pb.CreateAccountResponse())
                receive = channel.unary_stream(
                    "/ChatService/ReceiveMessages",
                    request_serializer=pb.ChatClient.SerializeToString,
                    response_deserializer=pb.ChatMessage.FromString,
                )(pb.ChatClient(recipient_id="mason"))
                self.assertIn("has been created", (await receive.read()).message)
                self.assertEqual((len(self.calls), len(self.calls.idle)), (1, 0))
                self.assertEqual(self.calls.working, {})
                watch = channel.unary_stream(
                    "/grpc.health.v1.Health/Watch",
                    request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
                    response_deserializer=health_pb2.HealthCheckResponse.FromString,
                )(health_pb2.HealthCheckRequest())
                await watch.read()
                clock, limits = self.memory_server.clock, self.memory_server.limits
                clock.pump([limits.login_time / 2] * 3)
                held_back = channel.stream_unary("/ChatService/LogIn")()
                reflect = channel.stream_stream(
                    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
                )()
                await until(lambda: len(self.calls.idle) == 3)
                unknown = channel.unary_unary("/ChatService/Fly")(b"")
                self.assertEqual((await self.status(unknown))[0], grpc.StatusCode.UNIMPLEMENTED)
                clock.pump([limits.login_time / 2] * 3)
                sentence = "the call has waited for its client for too long"
                self.assertEqual(await self.status(reflect.read()), (EXHAUSTED, sentence))
                self.assertFalse(receive.done() or watch.done())
                for call in (receive, watch, held_back):
                    call.cancel()
                await until(lambda: len(self.calls) == 0)
                self.assertEqual(len(self.calls.idle), 0)

        asyncio.run(scenario())

    def test_request_that_does_not_come_ends_its_call(self) -> None:
        """With a sentence."""

        async def scenario() -> None:
            async with self.client() as channel:
                call = channel.stream_unary("/ChatService/LogIn")()
                await until(lambda: len(self.calls.requests) == 1)
                self.memory_server.clock.advance(self.memory_server.limits.frame_time)
                self.assertEqual(
                    await self.status(call),
                    (EXHAUSTED, "the request of the call did not come in time"),
                )

        asyncio.run(scenario())

    def test_connections_of_a_port_are_bounded(self) -> None:
        """Further ones are closed at once."""

        async def scenario() -> None:
            async with self.server(grpc_connections=2) as number:
                clients = [await asyncio.open_connection("127.0.0.1", number) for _ in range(2)]
                for reader, _ in clients:
                    self.assertTrue(await reader.read(1))
                reader, writer = await asyncio.open_connection("127.0.0.1", number)
                self.assertEqual(await reader.read(1), b"")
                for each in (writer, *(writer for _, writer in clients)):
                    each.close()

        asyncio.run(scenario())

    def test_little_is_read_ahead_of_a_call(self) -> None:
        """A client may send no more than that before its call is read; grpcio's own default is
        4 MiB for each stream."""

        async def scenario() -> dict[int, int]:
            async with self.server() as number:
                reader, writer = await asyncio.open_connection("127.0.0.1", number)
                header = await reader.readexactly(9)
                self.assertEqual(header[3], _SETTINGS_FRAME)
                settings = await reader.readexactly(int.from_bytes(header[:3]))
                writer.close()
                return {
                    int.from_bytes(settings[at : at + 2]): int.from_bytes(settings[at + 2 : at + 6])
                    for at in range(0, len(settings), 6)
                }

        self.assertLessEqual(asyncio.run(scenario()).get(_INITIAL_WINDOW_SIZE, 65_535), 65_535)

    def test_tls_handshake_that_is_not_finished_is_ended(self) -> None:
        """The client has sent the first byte of it."""
        certificate, key, _ = selfsigned.make(folder(self), [])

        async def scenario() -> None:
            files = Certificate(str(certificate), str(key))
            async with self.server(files, handshake_time=0.1) as number:
                reader, writer = await asyncio.open_connection("127.0.0.1", number)
                writer.write(b"\x16")
                self.assertEqual(await reader.read(), b"")
                writer.close()

        asyncio.run(scenario())
