"""The gRPC ChatService: calls to the realm, and notices back.

Specification: docs/protocols/grpc.md.

    client                                    server
      CreateAccount(mason)            ->
                                      <-        CreateAccountResponse
      ReceiveMessages(mason)          ->
                                      <-        Server: Account mason has been created!
      SendMessage(mason, wayne, hi)   ->
                                      <-        ChatMessageResponse
                                      <-        Server: Your message has been sent!
                                      <-        wayne: hello                  whenever one comes

The calls run on asyncio, which shares the reactor's loop; what they do with the realm runs as
Twisted's coroutines.
"""

from __future__ import annotations

import asyncio
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import grpc
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from chatd.auth.credentials import NameOnly, NamePassword
from chatd.codecs import chat_pb2 as pb
from chatd.core.errors import (
    Busy,
    IllegalName,
    NameTaken,
    OpenAccountsForbidden,
    PasswordRequired,
    PasswordTooLong,
    PatternInvalid,
    PatternTooLong,
    Refused,
    StoreUnavailable,
    UnknownAccount,
    WrongPassword,
)
from chatd.core.names import is_room
from chatd.core.simple_regex import matcher
from chatd.protocols.grpc.account import GrpcAccount
from chatd.realm.ack_session import AckSession
from chatd.server.factory import ConnectionFactory
from chatd.server.rate_limit import TokenBucket

logger = Logger(namespace="chatd")

T = TypeVar("T")

IDLE = 600.0
"""seconds without a call or a stream after which somebody counts as logged out"""
_PERSONS = 20_000
"""accounts with something owed to them that are remembered"""
_STREAMS = 16
"""streams that an account may have open"""
SERVICE = pb.DESCRIPTOR.services_by_name["ChatService"].full_name
STATUS: dict[type[Refused], grpc.StatusCode] = {
    UnknownAccount: grpc.StatusCode.NOT_FOUND,
    NameTaken: grpc.StatusCode.ALREADY_EXISTS,
    IllegalName: grpc.StatusCode.INVALID_ARGUMENT,
    PasswordTooLong: grpc.StatusCode.INVALID_ARGUMENT,
    PasswordRequired: grpc.StatusCode.UNAUTHENTICATED,
    OpenAccountsForbidden: grpc.StatusCode.UNAUTHENTICATED,
    WrongPassword: grpc.StatusCode.UNAUTHENTICATED,
    Busy: grpc.StatusCode.RESOURCE_EXHAUSTED,
    StoreUnavailable: grpc.StatusCode.UNAVAILABLE,
}


class OutgoingText:
    """A text to be sent, as the realm takes it."""

    __slots__ = ("recipient", "text")

    sender = key = None

    def __init__(self, recipient: str, text: str) -> None:
        self.recipient = recipient
        self.text = text


class Caller:
    """Who calls, as far as that can be told: taken down at once, since a call that has been
    cancelled can no longer be asked."""

    def __init__(self, context: Any) -> None:
        self.peer: str = context.peer()
        sort, _, rest = self.peer.partition(":")
        self.address = rest.rpartition(":")[0].strip("[]") if sort in ("ipv4", "ipv6") else "local"
        """without the port: of `ipv4:127.0.0.1:5000`, 127.0.0.1"""
        self._authorization: list[str] = [
            value for key, value in context.invocation_metadata() or () if key == "authorization"
        ]

    def password(self, name: str) -> str | None:
        """The password that came along (RFC 7617), if it is one for this account. Raises
        `WrongPassword`."""
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
    """The calls. `factory` is the `chatd.server.factory.ConnectionFactory` of all other
    connections."""

    def __init__(self, factory: ConnectionFactory) -> None:
        self._realm = factory.realm
        self._factory = factory
        self._limits = factory.limits
        self._clock = factory.clock
        self._persons: dict[str, GrpcAccount] = {}
        self._allowances: dict[str, TokenBucket] = {}
        self._thread_ids: dict[int, int] = {}
        """those of the messages that wait to be durable, by the entry's id"""

    # Calls

    async def create_account(self, request: Any, caller: Caller) -> Any:
        """CreateAccount: a new account, logged in. With `authorization` it has that password."""
        name = request.client_id
        password = caller.password(name)
        await self._realm.register(name, password)
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
            await self._realm.delete_account(name)
        person.notice("Your account has been deleted!")
        person.log_out()
        return pb.DeleteAccountResponse()

    async def wild_card(self, request: Any, caller: Caller) -> Any:
        """WildCard: who matches is told by notice."""
        found = await self._realm.accounts.account(request.client_id)
        if found is None:
            # There is nobody to be told.
            return pb.WildCardResponse()
        await self._proven(request.client_id, caller)
        try:
            self._realm.accounts.check_pattern(request.pattern)
            names = await self._realm.accounts.names_like(matcher(request.pattern))
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
        notice = "Your message has been sent!"
        try:
            append = await self._realm.deliver(
                session, OutgoingText(request.recipient_id, request.message)
            )
        except StoreUnavailable:
            raise
        except Refused as refused:
            notice = str(refused)
            if is_room(request.recipient_id) or isinstance(refused, UnknownAccount):
                notice = "Recipient is not found!"
        else:
            self._thread_ids[append.id] = request.thread_id
            answered = person.sent(append)
            self._realm.flush()
            try:
                append = await answered
            finally:
                del self._thread_ids[append.id]
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
            if await in_twisted(self._realm.accounts.account(name)) is None:
                return
            await in_twisted(self._proven(name, caller))
            person = self._person(name)
        elif await in_twisted(self._has_password(name)):
            await in_twisted(self._proven(name, caller))
        if len(person.streams) >= _STREAMS:
            raise Busy(f"an account has at most {_STREAMS} streams")
        stream = person.open()
        try:
            while True:
                await as_future(stream.ready())
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
        found = await self._realm.accounts.account(name)
        return found is not None and found[1].password is not None

    async def _proven(self, name: str, caller: Caller) -> str:
        """The name of the account, if the caller may be it. Raises `UnknownAccount`,
        `PasswordRequired`, `OpenAccountsForbidden`, `WrongPassword`."""
        password = caller.password(name)
        found = await self._realm.accounts.account(name)
        if found is None:
            raise UnknownAccount()
        await self._factory.prove(name, password, caller.address)
        shown: str = found[0]
        return shown

    async def _logged_in(self, name: str, caller: Caller) -> GrpcAccount:
        """The person, with a session."""
        person = self._persons.get(name.lower())
        if person is None or person.session is None or person.session.ended:
            if await self._realm.accounts.account(name) is None:
                raise UnknownAccount()
            password, address = caller.password(name), caller.address
            person = self._person(name)
            credentials = (
                NameOnly(name, address)
                if password is None
                else NamePassword(name, password, address)
            )
            session = await self._factory.log_in(credentials, person, AckSession)
            if person.session is None or person.session.ended:
                person.name = name
                person.log_in(session)
                logger.info(
                    "Client {peer} connected  [ {account} ]", peer=caller.address, account=name
                )
            else:
                session.end()
        else:
            await self._proven(name, caller)
        return person

    def _person(self, name: str) -> GrpcAccount:
        person = self._persons.get(name.lower())
        if person is None:
            if len(self._persons) >= _PERSONS:
                self.look()
            if len(self._persons) >= _PERSONS:
                raise Busy("too many accounts have something waiting for them")
            person = GrpcAccount(name, self._clock, self._thread_ids)
            self._persons[name.lower()] = person
        person.seen = self._clock.seconds()
        return person

    def look(self) -> None:
        """Forget those who have been gone for long, and log them out."""
        until = self._clock.seconds() - IDLE
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
            allowance = TokenBucket(rate, rate * self._limits.burst_seconds, now)
        self._allowances[peer] = allowance
        while len(self._allowances) > _PERSONS:
            del self._allowances[next(iter(self._allowances))]
        wait = allowance.consume(1, now)
        if wait:
            await asyncio.sleep(wait)

    def stop(self) -> None:
        """Everybody is logged out, and told nothing more than what is owed."""
        for person in self._persons.values():
            person.confirm()
            person.log_out()


def in_twisted(coroutine: Coroutine[Any, Any, T]) -> Awaitable[T]:
    """One of Twisted's coroutines, for asyncio. What has begun is finished even if the caller has
    gone."""
    return asyncio.shield(as_future(Deferred.fromCoroutine(coroutine)))


def as_future(deferred: Deferred[T]) -> asyncio.Future[T]:
    return deferred.asFuture(asyncio.get_running_loop())
