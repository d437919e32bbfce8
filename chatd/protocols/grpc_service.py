"""The gRPC ChatService: calls to the realm, and notices back. Specification: docs/grpc.md.

    client                                    server
      CreateAccount(mason)            ->
                                      <-        CreateAccountResponse
      ReceiveMessages(mason)          ->
                                      <-        Server: Account mason has been created!
      SendMessage(mason, wayne, hi)   ->
                                      <-        ChatMessageResponse
                                      <-        Server: Your message has been sent!
                                      <-        wayne: hello                  whenever one comes

The calls run on asyncio, which shares the reactor's loop; what they do with the realm runs as Twisted's
coroutines.
"""

from __future__ import annotations

import asyncio
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from itertools import count
from typing import Any, TypeVar

import grpc
from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio as health_aio
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server
from grpc_reflection.v1alpha import reflection
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from chatd.accounts import Account, check_name
from chatd.codecs import chat_pb2 as pb
from chatd.credentials import IFollowingSession, Named, NamedWithPassword
from chatd.errors import (
    Busy,
    IllegalName,
    NameTaken,
    PasswordNeeded,
    PasswordRequired,
    PasswordTooLong,
    PatternInvalid,
    PatternTooLong,
    Refused,
    StoreUnavailable,
    UnknownAccount,
    WrongPassword,
)
from chatd.patterns import matcher
from chatd.protocols.grpc_person import Person
from chatd.protocols.pacing import Allowance
from chatd.protocols.tls import Certificate

T = TypeVar("T")

_IDLE = 600.0
"""seconds without a call or a stream after which somebody counts as logged out"""
_PERSONS = 20_000
"""accounts with something owed to them that are remembered"""
_STREAMS = 16
"""streams that an account may have open"""
_HEADROOM = 4_096
_SERVICE = pb.DESCRIPTOR.services_by_name["ChatService"].full_name
_STATUS: dict[type[Refused], grpc.StatusCode] = {
    UnknownAccount: grpc.StatusCode.NOT_FOUND,
    NameTaken: grpc.StatusCode.ALREADY_EXISTS,
    IllegalName: grpc.StatusCode.INVALID_ARGUMENT,
    PasswordTooLong: grpc.StatusCode.INVALID_ARGUMENT,
    PasswordRequired: grpc.StatusCode.UNAUTHENTICATED,
    PasswordNeeded: grpc.StatusCode.UNAUTHENTICATED,
    WrongPassword: grpc.StatusCode.UNAUTHENTICATED,
    Busy: grpc.StatusCode.RESOURCE_EXHAUSTED,
    StoreUnavailable: grpc.StatusCode.UNAVAILABLE,
}


class _Letter:
    """A text on its way, as the realm takes it."""

    __slots__ = ("number", "recipient", "text", "thread_id")

    sender = key = None

    def __init__(self, number: int, request: Any) -> None:
        self.number = number
        self.recipient: str = request.recipient_id
        self.text: str = request.message
        self.thread_id: int = request.thread_id


class Caller:
    """Who calls, as far as that can be told: taken down at once, since a call that has been cancelled can no
    longer be asked."""

    def __init__(self, context: Any) -> None:
        self.peer: str = context.peer()
        sort, _, rest = self.peer.partition(":")
        self.address = rest.rpartition(":")[0].strip("[]") if sort in ("ipv4", "ipv6") else "local"
        """without the port: of `ipv4:127.0.0.1:5000`, 127.0.0.1"""
        self._authorization: list[str] = [
            value for key, value in context.invocation_metadata() or () if key == "authorization"
        ]

    def password(self, name: str) -> str | None:
        """The password that came along (RFC 7617), if it is one for this account. Raises `WrongPassword`."""
        if not self._authorization:
            return None
        scheme, _, encoded = self._authorization[0].partition(" ")
        try:
            user, colon, password = b64decode(encoded, validate=True).decode().partition(":")
        except (NotBase64, UnicodeDecodeError):
            user = colon = password = ""
        if scheme.lower() != "basic" or not colon or user.lower() != name.lower():
            raise WrongPassword()
        return password


class ChatService:
    """The calls. `factory` is the `chatd.protocols.factory.ConnectionFactory` of all other connections."""

    log = Logger()

    def __init__(self, factory: Any) -> None:
        self._realm = factory.realm
        self._portal = factory.portal
        self._checker = factory.checker
        self._passwords = factory.passwords
        self._limits = factory.limits
        self._clock = factory.clock
        self._persons: dict[str, Person] = {}
        self._allowances: dict[str, Allowance] = {}
        self._numbers = count(1)

    # Calls

    async def create_account(self, request: Any, caller: Caller) -> Any:
        """CreateAccount: a new account, logged in. With `authorization` it has that password."""
        name = request.client_id
        password = caller.password(name)
        realm = self._realm
        check_name(name)
        realm.check_register(password is None)
        if await realm.directory.account(name) is not None:
            raise NameTaken()
        hashed = None if password is None else await self._passwords.hash(password)
        await realm.register(name, Account(realm.now(), hashed))
        # Nothing of a former account of that name.
        former = self._persons.pop(name.lower(), None)
        if former is not None:
            former.log_out()
        person = await self._logged_in(name, caller)
        person.notice(f"Account {name} has been created!")
        return pb.CreateAccountResponse()

    async def log_in(self, request: Any, caller: Caller) -> Any:
        """LogIn: from now on its mail comes by its streams."""
        person = await self._logged_in(request.client_id, caller)
        person.notice("You have been successfully logged in!")
        return pb.LogInResponse()

    async def log_out(self, request: Any, caller: Caller) -> Any:
        """LogOut: its streams end."""
        await self._proven(request.client_id, caller)
        person = self._person(request.client_id)
        person.confirm()
        person.notice("You have been successfully logged out!")
        person.log_out()
        return pb.LogOutResponse()

    async def delete_account(self, request: Any, caller: Caller) -> Any:
        """DeleteAccount: it is gone, with its mail; its streams end."""
        name = await self._proven(request.client_id, caller)
        person = self._person(request.client_id)
        if person.session is not None:
            await self._realm.delete(person.session)
        else:
            await self._realm.remove(name)
        person.notice("Your account has been deleted!")
        person.log_out()
        return pb.DeleteAccountResponse()

    async def wild_card(self, request: Any, caller: Caller) -> Any:
        """WildCard: who matches is told by notice."""
        found = await self._realm.directory.account(request.client_id)
        if found is None:
            # There is nobody to be told.
            return pb.WildCardResponse()
        await self._proven(request.client_id, caller)
        try:
            self._realm.directory.check_pattern(request.pattern)
            names = await self._realm.directory.names_like(matcher(request.pattern))
        except (PatternInvalid, PatternTooLong):
            names = []
        self._person(request.client_id).notice(
            f"Account matched: {','.join(names)}"
            if names
            else f"Account matched to: {request.pattern} doesn't exist"
        )
        return pb.WildCardResponse()

    async def send_message(self, request: Any, caller: Caller) -> Any:
        """SendMessage: answered when it is durable."""
        person = await self._logged_in(request.sender_id, caller)
        session = person.session
        if session is None:
            raise UnknownAccount()
        letter = _Letter(next(self._numbers), request)
        notice = "Your message has been sent!"
        waiting = person.sent(letter.number)
        try:
            sent = self._realm.send(session, (letter,), self._realm.now())
            if not sent and await self._realm.directory.account(letter.recipient) is not None:
                sent = self._realm.send(session, (letter,), self._realm.now())
            if not sent:
                raise UnknownAccount()
        except StoreUnavailable:
            raise
        except Refused as refused:
            person.forget(letter.number)
            notice = str(refused)
            if letter.recipient.startswith("#") or isinstance(refused, UnknownAccount):
                notice = "Recipient is not found!"
        else:
            self._realm.flush()
            append = await waiting
            if append.refusal is not None:
                raise append.refusal
        person.notice(notice)
        return pb.ChatMessageResponse()

    async def receive_messages(
        self, request: Any, caller: Caller, write: Callable[[Any], Awaitable[None]]
    ) -> None:
        """ReceiveMessages: everything for an account, until it has logged out."""
        name = request.recipient_id
        person = self._persons.get(name.lower())
        if person is None or person.session is not None:
            if await _twisted(self._realm.directory.account(name)) is None:
                return
            await _twisted(self._proven(name, caller))
            person = self._person(name)
        elif caller.password(name) is None and await _twisted(self._has_password(name)):
            raise PasswordRequired()
        if len(person.streams) >= _STREAMS:
            raise Busy(f"an account has at most {_STREAMS} streams")
        stream = person.open()
        try:
            while True:
                await _future(stream.ready())
                found = stream.next()
                if found is None:
                    return
                await write(found[0])
                person.wrote(found[1])
        finally:
            person.close(stream)
            person.seen = self._clock.seconds()

    # Who it is

    async def _has_password(self, name: str) -> bool:
        found = await self._realm.directory.account(name)
        return found is not None and found[1].password is not None

    async def _proven(self, name: str, caller: Caller) -> str:
        """The name of the account, if the caller may be it. Raises `UnknownAccount`, `PasswordRequired`,
        `PasswordNeeded`, `WrongPassword`."""
        password = caller.password(name)
        found = await self._realm.directory.account(name)
        if found is None:
            raise UnknownAccount()
        await self._checker.prove(name, password, caller.address)
        shown: str = found[0]
        return shown

    async def _logged_in(self, name: str, caller: Caller) -> Person:
        """The person, with a session."""
        person = self._persons.get(name.lower())
        if person is None or person.session is None or person.session.ended:
            if await self._realm.directory.account(name) is None:
                raise UnknownAccount()
            password, address = caller.password(name), caller.address
            person = self._person(name)
            credentials = (
                Named(name, address) if password is None else NamedWithPassword(name, password, address)
            )
            _, session, _ = await self._portal.login(credentials, person, IFollowingSession)
            if person.session is None or person.session.ended:
                person.name = name
                person.log_in(session)
                self.log.info("Client {peer} connected  [ {account} ]", peer=caller.address, account=name)
            else:
                session.end()
        else:
            await self._proven(name, caller)
        return person

    def _person(self, name: str) -> Person:
        person = self._persons.get(name.lower())
        if person is None:
            if len(self._persons) >= _PERSONS:
                self.look()
            if len(self._persons) >= _PERSONS:
                raise Busy("too many accounts have something waiting for them")
            person = Person(name, self._clock, self._realm.remarks.delivered)
            self._persons[name.lower()] = person
        person.seen = self._clock.seconds()
        return person

    def look(self) -> None:
        """Forget those who have been gone for long, and log them out."""
        until = self._clock.seconds() - _IDLE
        for key, person in list(self._persons.items()):
            if person.idle or (not person.streams and person.seen < until):
                person.log_out()
                del self._persons[key]

    async def pace(self, peer: str) -> None:
        """Slow down who calls more often than a connection may send commands."""
        rate = self._limits.rate
        if rate is None:
            return
        now = self._clock.seconds()
        allowance = self._allowances.pop(peer, None)
        if allowance is None:
            allowance = Allowance(rate, rate * self._limits.burst_seconds, now)
        self._allowances[peer] = allowance
        while len(self._allowances) > _PERSONS:
            del self._allowances[next(iter(self._allowances))]
        wait = allowance.spend(1, now)
        if wait:
            await asyncio.sleep(wait)

    def stop(self) -> None:
        """Everybody is logged out, and told nothing more than what is owed."""
        for person in self._persons.values():
            person.confirm()
            person.log_out()


class GrpcServer:
    """The service on a port of its own, with health checking and reflection. It needs a running asyncio loop,
    which must be the reactor's."""

    def __init__(self, factory: Any) -> None:
        self._service = ChatService(factory)
        self._looking = LoopingCall(self._service.look)
        self._looking.clock = factory.clock
        self._health: Any = None
        self._server: Any = None
        self._limits = factory.limits

    def bind(self, address: str, certificate: Certificate | None) -> int:
        """Take a port, without a certificate one in plain text; its number, 0 where it has none. Raises
        `RuntimeError` if it cannot be had."""
        options = (
            ("grpc.max_receive_message_length", self._limits.text + _HEADROOM),
            ("grpc.max_concurrent_streams", 1_000),
            ("grpc.so_reuseport", 0),
            ("grpc.keepalive_time_ms", 60_000),
            ("grpc.keepalive_timeout_ms", 20_000),
        )
        server = self._server = grpc.aio.server(options=options, maximum_concurrent_rpcs=20_000)
        server.add_generic_rpc_handlers((self._handlers(),))
        self._health = health_aio.HealthServicer()
        add_HealthServicer_to_server(self._health, server)
        names = (
            _SERVICE,
            health_pb2.DESCRIPTOR.services_by_name["Health"].full_name,
            reflection.SERVICE_NAME,
        )
        reflection.enable_server_reflection(names, server)
        if certificate is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, _credentials(certificate))
        if not port:
            raise RuntimeError(f"cannot listen on {address}")
        return int(port)

    async def start(self) -> None:
        """Let them in. (A coroutine of asyncio's.)"""
        await self._server.start()
        for name in ("", _SERVICE):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        self._looking.start(_IDLE / 10, now=False)

    async def stop(self, grace: float) -> None:
        """Take no more calls, and end those that are under way within so many seconds. (Likewise.)"""
        if self._looking.running:
            self._looking.stop()
        if self._health is not None:
            await self._health.enter_graceful_shutdown()
        self._service.stop()
        if self._server is not None:
            await self._server.stop(grace)

    def _handlers(self) -> grpc.GenericRpcHandler:
        service = self._service
        unary: dict[str, tuple[Any, Callable[[Any, Any], Coroutine[Any, Any, Any]]]] = {
            "SendMessage": (pb.ChatMessageRequest, service.send_message),
            "CreateAccount": (pb.CreateAccountRequest, service.create_account),
            "DeleteAccount": (pb.DeleteAccountRequest, service.delete_account),
            "WildCard": (pb.WildCardRequest, service.wild_card),
            "LogIn": (pb.LogOutRequest, service.log_in),
            "LogOut": (pb.LogOutRequest, service.log_out),
        }
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(
                partial(_unary, service, method),
                request_deserializer=kind.FromString,
                response_serializer=_serialized,
            )
            for name, (kind, method) in unary.items()
        }
        handlers["ReceiveMessages"] = grpc.unary_stream_rpc_method_handler(
            partial(_stream, service),
            request_deserializer=pb.ChatClient.FromString,
            response_serializer=_serialized,
        )
        return grpc.method_handlers_generic_handler(_SERVICE, handlers)


def _credentials(certificate: Certificate) -> grpc.ServerCredentials:
    """The certificate as gRPC wants it: each handshake asks whether it has been read again."""
    known = certificate.pem

    def fetch() -> Any:
        nonlocal known
        if certificate.pem is known:
            return None
        known = certificate.pem
        return grpc.ssl_server_certificate_configuration([known])

    return grpc.dynamic_ssl_server_credentials(
        grpc.ssl_server_certificate_configuration([known]), fetch, require_client_authentication=False
    )


async def _unary(
    service: ChatService,
    method: Callable[[Any, Caller], Coroutine[Any, Any, Any]],
    request: Any,
    context: Any,
) -> Any:
    """A call with one answer."""
    caller = Caller(context)
    return await _refusing(
        context, caller, service.pace(caller.peer), lambda: _twisted(method(request, caller))
    )


async def _stream(service: ChatService, request: Any, context: Any) -> None:
    """A call with a stream of answers."""
    caller = Caller(context)
    await _refusing(
        context,
        caller,
        service.pace(caller.peer),
        lambda: service.receive_messages(request, caller, context.write),
    )


async def _refusing(
    context: Any, caller: Caller, first: Awaitable[None], then: Callable[[], Awaitable[T]]
) -> T:
    """What is refused ends the call with a status."""
    await first
    try:
        return await then()
    except Refused as refused:
        ChatService.log.info(
            "Client {peer} refused: {reason}  [  ]", peer=caller.address, reason=refused.code
        )
        status = _STATUS.get(type(refused), grpc.StatusCode.PERMISSION_DENIED)
        await context.abort(status, str(refused))
        raise


def _serialized(message: Any) -> bytes:
    data: bytes = message.SerializeToString()
    return data


def _twisted(coroutine: Coroutine[Any, Any, T]) -> Awaitable[T]:
    """One of Twisted's coroutines, for asyncio. What has begun is finished even if the caller has gone."""
    return asyncio.shield(_future(Deferred.fromCoroutine(coroutine)))


def _future(deferred: Deferred[T]) -> asyncio.Future[T]:
    return deferred.asFuture(asyncio.get_running_loop())
