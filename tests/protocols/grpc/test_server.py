"""`GrpcServer`: its handlers, the status of refusals, streams, and the rate of a client.

Handlers are called in the event loop of asyncio, without a port.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, TypeVar

import grpc
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import chat_pb2 as pb
from chatd.codecs import v1_messages as c
from chatd.core.errors import StoreUnavailable, UnknownAccount
from chatd.protocols.grpc import server as grpc_server
from chatd.protocols.grpc.futures import in_twisted
from chatd.protocols.grpc.server import GrpcServer
from chatd.realm.permissions import Policy
from chatd.realm.requester import Requester
from tests.doubles.grpc_calls import Aborted, CallContext
from tests.doubles.http2 import grpc_request
from tests.doubles.v1_clients import MainPortServer

T = TypeVar("T")

METHODS = pb.DESCRIPTOR.services_by_name["ChatService"].methods_by_name


class _NotifyingContext(CallContext):
    """A context that notifies when it has been written two messages."""

    def __init__(self) -> None:
        super().__init__()
        self.second_message = asyncio.Event()

    async def write(self, message: pb.ChatMessage) -> None:
        """See `CallContext`."""
        await super().write(message)
        if len(self.written) == 2:
            self.second_message.set()


async def _until(condition: Callable[[], bool]) -> None:
    """Wait until a condition is true."""
    async with asyncio.timeout(20):
        while True:
            if condition():
                return
            await asyncio.sleep(0.001)


class ServerCase(SynchronousTestCase):
    """A server without a port."""

    def setUp(self) -> None:
        self.start()

    def start(self, **limits: Any) -> None:
        """Make a server with these limits."""
        self.server = MainPortServer(**limits)
        self.port = GrpcServer(self.server.factory)
        self.handlers = self.port._handlers()

    def handler(self, name: str) -> Any:
        """The handler of a method."""
        details: Any = SimpleNamespace(method=f"/ChatService/{name}", invocation_metadata=())
        return self.handlers.service(details)

    def request(self, name: str, **fields: Any) -> Any:
        """A request of a method, as it is read from the network."""
        kind = getattr(pb, METHODS[name].input_type.name)
        return self.handler(name).request_deserializer(kind(**fields).SerializeToString())

    async def call(self, name: str, credentials: str = "", **fields: Any) -> Any:
        """The answer to a unary call. Raises `Aborted` if it is refused."""
        request = self.request(name, **fields)
        return await self.handler(name).unary_unary(request, CallContext(credentials))

    async def receive(self, context: CallContext, name: str) -> None:
        """Receive the messages of an account, which are written to the context."""
        request = self.request("ReceiveMessages", recipient_id=name)
        await self.handler("ReceiveMessages").unary_stream(request, context)

    def run_in_asyncio(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine of asyncio."""
        return asyncio.run(coroutine)

    def assert_aborted(self, coroutine: Coroutine[Any, Any, Any], status: grpc.StatusCode) -> str:
        """Check that a call is aborted with this status, and return the sentence."""
        aborted = self.assertRaises(Aborted, asyncio.run, coroutine)
        self.assertIs(aborted.args[0], status)
        sentence: str = aborted.args[1]
        return sentence


class Handlers(ServerCase):
    """The methods of the service."""

    def test_every_method_has_a_handler_of_its_kind(self) -> None:
        """The handlers convert messages from and to bytes."""
        for name, method in METHODS.items():
            handler = self.handler(name)
            self.assertEqual(
                (handler.request_streaming, handler.response_streaming),
                (False, name == "ReceiveMessages"),
            )
            request = getattr(pb, method.input_type.name)()
            self.assertEqual(handler.request_deserializer(request.SerializeToString()), request)
            answer = getattr(pb, method.output_type.name)()
            self.assertEqual(handler.response_serializer(answer), answer.SerializeToString())

    def test_unknown_method_has_none(self) -> None:
        """gRPC answers that an unknown method is unimplemented."""
        self.assertIsNone(self.handler("Fly"))

    def test_calls_are_answered(self) -> None:
        """The answer is the message of the method."""
        answer = self.run_in_asyncio(self.call("CreateAccount", client_id="mason"))
        self.assertEqual(answer, pb.CreateAccountResponse())
        self.assertTrue(self.server.realm.sessions.online("mason"))


class Statuses(ServerCase):
    """The status with which a refused call is aborted."""

    def test_refusals_have_the_status_of_their_kind(self) -> None:
        """The sentence is that of the refusal."""
        self.run_in_asyncio(self.call("CreateAccount", "eve:secret", client_id="eve"))
        for coroutine, status in (
            (self.call("LogIn", client_id="x"), grpc.StatusCode.NOT_FOUND),
            (self.call("CreateAccount", client_id="EVE"), grpc.StatusCode.ALREADY_EXISTS),
            (self.call("CreateAccount", client_id="a b"), grpc.StatusCode.INVALID_ARGUMENT),
            (self.call("LogIn", client_id="eve"), grpc.StatusCode.UNAUTHENTICATED),
            (self.call("LogIn", "eve:guess", client_id="eve"), grpc.StatusCode.UNAUTHENTICATED),
        ):
            self.assertGreater(len(self.assert_aborted(coroutine, status)), 5)

    def test_failure_of_the_store_is_unavailable(self) -> None:
        """The client may send the message again."""
        self.run_in_asyncio(self.call("CreateAccount", client_id="mason"))
        self.server.store.refusal = StoreUnavailable("the store cannot write at the moment: full")
        self.assert_aborted(
            self.call("SendMessage", sender_id="mason", recipient_id="mason", message="hi"),
            grpc.StatusCode.UNAVAILABLE,
        )

    def test_refusals_of_other_kinds_are_permission_denied(self) -> None:
        """An example is registration that is closed."""
        self.server.realm.policy = Policy("closed")
        sentence = self.assert_aborted(
            self.call("CreateAccount", client_id="mason"), grpc.StatusCode.PERMISSION_DENIED
        )
        self.assertIn("New accounts cannot be registered here", sentence)


class Streams(ServerCase):
    """ReceiveMessages."""

    def test_stream_is_written_until_the_log_out(self) -> None:
        """Waiting mail and notices are written in order."""
        context = _NotifyingContext()
        ann = self.server.log_in("ann")

        async def conversation() -> None:
            await self.call("CreateAccount", client_id="mason")
            stream = asyncio.create_task(self.receive(context, "mason"))
            ann.request(c.Send(0, "mason", "hi"))
            await context.second_message.wait()
            await self.call("LogOut", client_id="mason")
            await stream

        self.run_in_asyncio(conversation())
        self.assertEqual(
            [message.message for message in context.written],
            ["hi", "Account mason has been created!", "You have been successfully logged out!"],
        )

    def test_stream_of_an_unknown_account_ends_at_once(self) -> None:
        """The call ends without an error, as on the former server."""
        context = CallContext()
        self.run_in_asyncio(self.receive(context, "nobody"))
        self.assertEqual(context.written, [])

    def test_stream_of_an_account_with_a_password_needs_it(self) -> None:
        """It is needed while the account is logged in, and for notices that wait afterwards."""
        self.run_in_asyncio(self.call("CreateAccount", "eve:secret", client_id="eve"))
        self.assert_aborted(self.receive(CallContext(), "eve"), grpc.StatusCode.UNAUTHENTICATED)
        self.run_in_asyncio(self.call("LogOut", "eve:secret", client_id="eve"))
        self.assert_aborted(self.receive(CallContext(), "eve"), grpc.StatusCode.UNAUTHENTICATED)
        context = CallContext("eve:secret")
        self.run_in_asyncio(self.receive(context, "eve"))
        self.assertEqual(len(context.written), 2)

    def test_streams_of_an_account_are_limited(self) -> None:
        """A cancelled stream frees its place."""

        async def open_streams() -> None:
            await self.call("CreateAccount", client_id="mason")
            streams = [asyncio.create_task(self.receive(CallContext(), "mason")) for _ in range(16)]
            await asyncio.sleep(0)
            with self.assertRaises(Aborted) as raised:
                await self.receive(CallContext(), "mason")
            self.assertIs(raised.exception.args[0], grpc.StatusCode.RESOURCE_EXHAUSTED)
            streams[0].cancel()
            await asyncio.wait(streams[:1])
            streams.append(asyncio.create_task(self.receive(CallContext(), "mason")))
            await self.call("LogOut", client_id="mason")
            await asyncio.gather(*streams[1:])

        self.run_in_asyncio(open_streams())


class Cancelled(ServerCase):
    """Streams whose clients go away."""

    def streams(self) -> int:
        """How many streams `mason` has."""
        return len(self.port._service._accounts["mason"].streams)

    @asynccontextmanager
    async def raw_stream(self) -> AsyncIterator[asyncio.StreamWriter]:
        """A stream of `mason` over a port, by a connection that answers nothing."""
        number = self.port.bind("127.0.0.1:0", None)
        await self.port.start()
        await self.call("CreateAccount", client_id="mason")
        _, writer = await asyncio.open_connection("127.0.0.1", number)
        request = pb.ChatClient(recipient_id="mason").SerializeToString()
        writer.write(grpc_request(b"/ChatService/ReceiveMessages", request))
        await _until(lambda: self.streams() == 1)
        yield writer
        writer.close()
        await self.port.stop(0)

    def test_stream_of_a_client_that_does_not_answer_pings_ends(self) -> None:
        """The network of the client may have died."""
        self.patch(grpc_server, "KEEPALIVE_INTERVAL", 0.1)
        self.patch(grpc_server, "KEEPALIVE_TIMEOUT", 0.1)

        async def conversation() -> None:
            async with self.raw_stream():
                await _until(lambda: self.streams() == 0)

        self.run_in_asyncio(conversation())

    def test_stream_of_a_client_that_does_not_read_and_disconnects(self) -> None:
        """It ends without a traceback in the log."""
        ann = self.server.log_in("ann")

        async def conversation() -> None:
            async with self.raw_stream() as writer:
                stream = self.port._service._accounts["mason"].streams[0]
                await _until(lambda: not stream._waiting)
                for number in range(10):
                    ann.send(c.Send(number + 1, "mason", "x" * 10_000))
                # HTTP/2 allows 65,535 bytes, so the write of the seventh waits.
                await _until(lambda: len(stream._waiting) == 3)
                writer.transport.abort()
                await _until(lambda: self.streams() == 0)

        with self.assertNoLogs():
            self.run_in_asyncio(conversation())

    def test_stream_that_is_cancelled_while_its_password_is_verified_leaves_no_session(
        self,
    ) -> None:
        """The login is finished, and the stream is closed then."""

        async def conversation() -> None:
            await self.call("CreateAccount", "mason:secret", client_id="mason")
            hold = self.server.passwords.hold = Deferred()
            stream = asyncio.create_task(self.receive(CallContext("mason:secret"), "mason"))
            await asyncio.sleep(0)
            stream.cancel()
            await asyncio.wait((stream,))
            self.assertTrue(stream.cancelled())
            hold.callback(None)
            self.assertEqual(self.streams(), 1)
            await asyncio.sleep(0)

        self.run_in_asyncio(conversation())
        self.assertEqual(self.streams(), 0)
        self.assertFalse(self.server.realm.sessions.online("mason"))


class CancelledListing(ServerCase):
    """A listing for a call that its client cancels."""

    def test_listing_learns_that_its_call_was_cancelled(self) -> None:
        """So it ends at its next step."""
        hold: Deferred[list[str]] = Deferred()
        requesters: list[Requester] = []

        async def names_like(_: object, requester: Requester) -> list[str]:
            requesters.append(requester)
            return await hold

        async def conversation() -> None:
            await self.call("CreateAccount", client_id="mason")
            self.patch(self.server.realm.accounts, "names_like", names_like)
            call = asyncio.create_task(self.call("WildCard", client_id="mason", pattern="x"))
            await asyncio.sleep(0)
            self.assertFalse(requesters[0].disconnected)
            call.cancel()
            await asyncio.wait((call,))
            self.assertTrue(requesters[0].disconnected)
            hold.callback([])

        self.run_in_asyncio(conversation())


class CancelledWork(SynchronousTestCase):
    """Work for a call that its client has cancelled."""

    def test_refusal_of_a_cancelled_call_is_not_reported_as_an_error(self) -> None:
        """The work is finished, and nothing waits for its outcome."""
        reported: list[str] = []
        work: Deferred[None] = Deferred()

        async def wait() -> None:
            await work

        async def cancel() -> None:
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda _, context: reported.append(context["message"]))
            call = asyncio.ensure_future(in_twisted(wait()))
            call.cancel()
            await asyncio.wait([call])
            work.errback(UnknownAccount())
            await asyncio.sleep(0)
            gc.collect()

        asyncio.run(cancel())
        self.assertEqual(reported, [])


class Rate(ServerCase):
    """Calls over the rate of a client."""

    def test_client_over_its_rate_waits(self) -> None:
        """Each client has a rate of its own, at a unix socket each account; without a limit no call
        waits."""
        waits: list[float] = []

        async def record(seconds: float) -> None:
            waits.append(seconds)

        self.patch(asyncio, "sleep", record)
        self.start(rate=10.0, burst_seconds=0.1, account_rate=100.0)
        self.run_in_asyncio(self.call("CreateAccount", client_id="mason"))
        self.assertEqual(waits, [])
        for _ in range(2):
            self.run_in_asyncio(self.call("LogIn", client_id="mason"))
        self.assertEqual([round(wait, 6) for wait in waits], [0.1, 0.2])
        self.run_in_asyncio(
            self.handler("LogIn").unary_unary(
                self.request("LogIn", client_id="mason"), CallContext(peer="ipv4:192.0.2.8:5000")
            )
        )
        self.assertEqual(len(waits), 2)
        self.start(rate=10.0, burst_seconds=0.1)
        for name in ("ann", "ANN", "bob"):
            self.run_in_asyncio(
                self.handler("WildCard").unary_unary(
                    self.request("WildCard", client_id=name, pattern="x"),
                    CallContext(peer="unix:"),
                )
            )
        self.assertEqual([round(wait, 6) for wait in waits[2:]], [0.1])
        waits.clear()
        self.start(rate=None)
        for number in range(20):
            self.run_in_asyncio(self.call("CreateAccount", client_id=f"user{number}"))
        self.assertEqual(waits, [])
