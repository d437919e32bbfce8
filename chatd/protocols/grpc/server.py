"""The gRPC server of one port: the ChatService, health checking and reflection."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

import grpc
from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio as health_aio
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server
from grpc_reflection.v1alpha import reflection
from twisted.internet.task import LoopingCall

from chatd.codecs import chat_pb2 as pb
from chatd.core.errors import Refused
from chatd.protocols.grpc.caller import Caller
from chatd.protocols.grpc.calls import Calls, CountingInterceptor, caller_of
from chatd.protocols.grpc.futures import in_twisted
from chatd.protocols.grpc.held_accounts import IDLE
from chatd.protocols.grpc.port import GrpcPort
from chatd.protocols.grpc.registered import CAN_REGISTER, RegisteredServer
from chatd.protocols.grpc.service import SERVICE, STATUS, ChatService
from chatd.protocols.grpc.stream import KEEPALIVE_INTERVAL, KEEPALIVE_TIMEOUT
from chatd.server.factory import ConnectionFactory
from chatd.server.tls import Certificate

T = TypeVar("T")

_HEADROOM = 4_096
_WINDOW = 16_384
"""bytes of a stream that are read ahead of its call"""
_calls: set[asyncio.Task[Any] | None] = set()


class GrpcServer:
    """One port with the ChatService, health checking and reflection.

    It runs in the event loop of asyncio, which must be the reactor's.
    """

    def __init__(
        self, factory: ConnectionFactory, thread_ids: dict[int, int] | None = None
    ) -> None:
        """`thread_ids`: see `ChatService`."""
        self._service = ChatService(factory, thread_ids)
        self._idle_check = LoopingCall(self._service.remove_idle)
        self._idle_check.clock = factory.clock
        self._health: Any = None
        self._limits = factory.limits
        self.connections = factory.limits.grpc_connections
        """how many the port may have, as it is bound"""
        self._calls = Calls(factory, self._service.refusals)
        self._port = GrpcPort(self._make)

    def bind(self, address: str, certificate: Certificate | None) -> int:
        """Bind a port, with TLS if there is a certificate. Raises `RuntimeError` if that fails.

        Returns the number of the port; for a unix socket a number without a meaning.
        """
        self._health = health_aio.HealthServicer()
        return self._port.bind(address, None if certificate is None else _credentials(certificate))

    def _make(self, again: bool) -> Any:
        """A server with all services; `again`: a request has ended one before."""
        make = RegisteredServer if again and CAN_REGISTER else grpc.aio.server
        server = make(
            interceptors=(CountingInterceptor(self._calls),),
            options=self._options(),
            maximum_concurrent_rpcs=20_000,
        )
        server.add_generic_rpc_handlers((self._handlers(),))
        if CAN_REGISTER:
            server.add_registered_method_handlers(SERVICE, self._methods())
        add_HealthServicer_to_server(self._health, server)
        names = (
            SERVICE,
            health_pb2.DESCRIPTOR.services_by_name["Health"].full_name,
            reflection.SERVICE_NAME,
        )
        reflection.enable_server_reflection(names, server)
        return server

    def _options(self) -> tuple[tuple[str, int], ...]:
        limits = self._limits
        return (
            ("grpc.max_receive_message_length", limits.text + _HEADROOM),
            ("grpc.max_concurrent_streams", 1_000),
            ("grpc.so_reuseport", 0),
            ("grpc.max_allowed_incoming_connections", self.connections),
            ("grpc.max_connection_idle_ms", int(limits.login_time * 1000)),
            ("grpc.server_handshake_timeout_ms", int(limits.handshake_time * 1000)),
            # What a client may send on a stream before it is read. With probing, it is 4 MiB.
            ("grpc.http2.bdp_probe", 0),
            ("grpc.http2.lookahead_bytes", _WINDOW),
            ("grpc.keepalive_time_ms", int(KEEPALIVE_INTERVAL * 1000)),
            ("grpc.keepalive_timeout_ms", int(KEEPALIVE_TIMEOUT * 1000)),
            # The former is for the options of TCP; a ping would be awaited for a minute.
            ("grpc.http2.ping_timeout_ms", int(KEEPALIVE_TIMEOUT * 1000)),
        )

    async def start(self) -> None:
        """Accept calls; a coroutine for asyncio."""
        await self._port.start()
        for name in ("", SERVICE):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        self._idle_check.start(IDLE / 10, now=False)

    async def stop(self, grace: float) -> None:
        """Accept no more calls, end the others in `grace` seconds; a coroutine for asyncio."""
        if self._idle_check.running:
            self._idle_check.stop()
        if self._health is not None:
            await self._health.enter_graceful_shutdown()
        self._service.stop()
        await self._port.stop(grace)
        self._calls.stop()

    def _handlers(self) -> grpc.GenericRpcHandler:
        return grpc.method_handlers_generic_handler(SERVICE, self._methods())

    def _methods(self) -> dict[str, grpc.RpcMethodHandler]:
        service = self._service
        # The type of the request, its field with the account of the client, and the method.
        unary: dict[str, tuple[Any, str, Callable[[Any, Any], Coroutine[Any, Any, Any]]]] = {
            "SendMessage": (pb.ChatMessageRequest, "sender_id", service.send_message),
            "CreateAccount": (pb.CreateAccountRequest, "client_id", service.create_account),
            "DeleteAccount": (pb.DeleteAccountRequest, "client_id", service.delete_account),
            "WildCard": (pb.WildCardRequest, "client_id", service.wild_card),
            "LogIn": (pb.LogOutRequest, "client_id", service.log_in),
            "LogOut": (pb.LogOutRequest, "client_id", service.log_out),
        }
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(
                partial(_unary, service, field, method),
                request_deserializer=kind.FromString,
                response_serializer=_serialized,
            )
            for name, (kind, field, method) in unary.items()
        }
        handlers["ReceiveMessages"] = grpc.unary_stream_rpc_method_handler(
            partial(_stream, service),
            request_deserializer=pb.ChatClient.FromString,
            response_serializer=_serialized,
        )
        return handlers


def _credentials(certificate: Certificate) -> grpc.ServerCredentials:
    """Return the certificate for gRPC, which asks at each handshake if it was read again."""
    current = certificate.pem

    def fetch() -> Any:
        nonlocal current
        if certificate.pem is current:
            return None
        current = certificate.pem
        return grpc.ssl_server_certificate_configuration([current])

    return grpc.dynamic_ssl_server_credentials(
        grpc.ssl_server_certificate_configuration([current]),
        fetch,
        require_client_authentication=False,
    )


async def _unary(
    service: ChatService,
    account_field: str,
    method: Callable[[Any, Caller], Coroutine[Any, Any, Any]],
    request: Any,
    context: Any,
) -> Any:
    """Carry out a call with one answer."""
    caller = caller_of(context)
    return await _refusing(
        service,
        context,
        caller,
        getattr(request, account_field),
        lambda: in_twisted(method(request, caller)),
    )


async def _stream(service: ChatService, request: Any, context: Any) -> None:
    """Carry out a call with a stream of answers."""
    caller = caller_of(context)

    async def write(message: Any) -> None:
        try:
            await context.write(message)
        except grpc.aio.InternalError:
            # The client has disconnected; gRPC would log a traceback.
            raise asyncio.CancelledError from None

    await _refusing(
        service,
        context,
        caller,
        request.recipient_id,
        lambda: service.receive_messages(request, caller, write),
    )


async def _refusing(
    service: ChatService,
    context: Any,
    caller: Caller,
    account: str,
    call_method: Callable[[], Awaitable[T]],
) -> T:
    """Carry out a call that names an account, after a wait if its connection is over its rate; a
    refusal ends it with a status."""
    # The event loop has weak references to tasks only, and a server that has ended has none.
    call = asyncio.current_task()
    _calls.add(call)
    try:
        await service.rates.wait_for_connection(caller, account)
        return await call_method()
    except asyncio.CancelledError:
        caller.disconnected = True
        raise
    except Refused as refused:
        service.refusals.log(caller, refused, account)
        status = STATUS.get(type(refused), grpc.StatusCode.PERMISSION_DENIED)
        await context.abort(status, str(refused))
        raise
    finally:
        _calls.discard(call)


def _serialized(message: Any) -> bytes:
    data: bytes = message.SerializeToString()
    return data
