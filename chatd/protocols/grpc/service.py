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
                                      <-        wayne: hello              when one is committed

The calls run on asyncio, in the reactor's own event loop; coroutines of the realm run as Twisted
coroutines (`in_twisted`).
"""

from __future__ import annotations

import asyncio
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
from chatd.core.names import NAME_LENGTH, is_room
from chatd.core.simple_regex import matcher
from chatd.protocols.grpc.account import GrpcAccount
from chatd.protocols.grpc.caller import Caller
from chatd.realm.accounts import Account
from chatd.realm.delivery import refusal_of
from chatd.server.factory import ConnectionFactory
from chatd.server.rate_limit import TokenBucket

logger = Logger(namespace="chatd")

T = TypeVar("T")

IDLE = 600.0
"""seconds without a call or a stream after which an account is logged out"""
_MAX_ACCOUNTS = 20_000
"""accounts that the service holds at a time"""
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


class ChatService:
    """The calls. `factory` is the `chatd.server.factory.ConnectionFactory` that all other
    connections share.

    `thread_ids` holds the thread ids of the messages that wait to be durable, by the entry's id;
    all services of a daemon share it.
    """

    def __init__(
        self, factory: ConnectionFactory, thread_ids: dict[int, int] | None = None
    ) -> None:
        self._realm = factory.realm
        self._factory = factory
        self._limits = factory.limits
        self._clock = factory.clock
        self._accounts: dict[str, GrpcAccount] = {}
        self._token_buckets: dict[str, TokenBucket] = {}
        self._thread_ids = {} if thread_ids is None else thread_ids

    # Calls

    async def create_account(self, request: Any, caller: Caller) -> Any:
        """CreateAccount: register an account, with the password and the invite token of the call
        if there are any, and log in."""
        name = request.client_id
        password = caller.password(name)
        await self._realm.register(name, password, caller.invite)
        # The notices of a former account of that name are not for this one.
        former = self._accounts.pop(name.lower(), None)
        if former is not None:
            former.log_out()
        account = await self._logged_in(name, caller)
        account.notice(f"Account {name} has been created!")
        return pb.CreateAccountResponse()

    async def log_in(self, request: Any, caller: Caller) -> Any:
        """LogIn: open a session; from now on mail is sent to the account's streams."""
        account = await self._logged_in(request.client_id, caller)
        account.notice("You have been successfully logged in!")
        return pb.LogInResponse()

    async def log_out(self, request: Any, caller: Caller) -> Any:
        """LogOut: end the session and the streams."""
        await self._prove(request.client_id, caller)
        account = self._account(request.client_id)
        account.acknowledge()
        account.notice("You have been successfully logged out!")
        account.log_out()
        return pb.LogOutResponse()

    async def delete_account(self, request: Any, caller: Caller) -> Any:
        """DeleteAccount: delete the account with its mailbox, and end its streams."""
        record = await self._prove(request.client_id, caller)
        account = self._account(request.client_id)
        if account.session is not None and account.session.account == record.id:
            await self._realm.delete(account.session, record)
        else:
            await self._realm.delete_account(request.client_id, record)
        account.notice("Your account has been deleted!")
        account.log_out()
        return pb.DeleteAccountResponse()

    async def wild_card(self, request: Any, caller: Caller) -> Any:
        """WildCard: send the matching names in a notice."""
        if await self._realm.accounts.account(request.client_id) is None:
            # No account, no stream for the notice.
            return pb.WildCardResponse()
        await self._prove(request.client_id, caller)
        try:
            self._realm.accounts.check_pattern(request.pattern)
            names = await self._realm.accounts.names_like(matcher(request.pattern))
        except (PatternInvalid, PatternTooLong):
            names = []
        self._account(request.client_id).notice(
            f"Account matched: {','.join(names)}"
            if names
            else f"Account matched to: {request.pattern} doesn't exist"
        )
        return pb.WildCardResponse()

    async def send_message(self, request: Any, caller: Caller) -> Any:
        """SendMessage: answered when the message is durable."""
        account = await self._logged_in(request.sender_id, caller)
        session = account.session
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
            answered = account.sent(append)
            self._realm.flush()
            try:
                append = await answered
            finally:
                del self._thread_ids[append.id]
            refusal = refusal_of(append)
            if isinstance(refusal, UnknownAccount):
                notice = "Recipient is not found!"
            elif refusal is not None:
                raise refusal
        account.notice(notice)
        return pb.ChatMessageResponse()

    async def receive_messages(
        self, request: Any, caller: Caller, write: Callable[[Any], Awaitable[None]]
    ) -> None:
        """ReceiveMessages: write mail and notices of an account until it has logged out."""
        name = request.recipient_id
        account = self._accounts.get(name.lower())
        if account is None or account.session is not None:
            if await in_twisted(self._realm.accounts.account(name)) is None:
                return
            await in_twisted(self._prove(name, caller))
            account = self._account(name)
        elif await in_twisted(self._has_password(name)):
            await in_twisted(self._prove(name, caller))
        if len(account.streams) >= _STREAMS:
            raise Busy(f"an account has at most {_STREAMS} streams")
        stream = account.open()
        try:
            while True:
                await as_future(stream.ready())
                waiting = stream.next()
                if waiting is None:
                    return
                message, shown = waiting
                await write(message)
                account.entry_written(shown)
        finally:
            account.close(stream)
            account.last_call = self._clock.seconds()

    # Authentication

    async def _has_password(self, name: str) -> bool:
        stored = await self._realm.accounts.account(name)
        return stored is not None and stored[1].password is not None

    async def _prove(self, name: str, caller: Caller) -> Account:
        """The record of an account, if the caller may use the account.

        Raises `UnknownAccount`, `PasswordRequired`, `OpenAccountsForbidden`, `WrongPassword`.
        """
        password = caller.password(name)
        await self._realm.accounts.existing(name)
        return await self._factory.prove(name, password, caller.address)

    async def _logged_in(self, name: str, caller: Caller) -> GrpcAccount:
        """The account with a session, opened if it has none. Raises as `_prove`."""
        account = self._accounts.get(name.lower())
        if account is None or account.session is None or account.session.ended:
            await self._realm.accounts.display_name(name)
            password, address = caller.password(name), caller.address
            account = self._account(name)
            credentials = (
                NameOnly(name, address)
                if password is None
                else NamePassword(name, password, address)
            )
            session = await self._factory.log_in(credentials, account)
            if account.session is None or account.session.ended:
                account.name = name
                account.log_in(session)
                logger.info(
                    "Client {peer} connected  [ {account} ]", peer=caller.address, account=name
                )
            else:
                session.end()
        else:
            await self._prove(name, caller)
        return account

    def _account(self, name: str) -> GrpcAccount:
        account = self._accounts.get(name.lower())
        if account is None:
            if len(self._accounts) >= _MAX_ACCOUNTS:
                self.remove_idle()
            if len(self._accounts) >= _MAX_ACCOUNTS:
                raise Busy("too many accounts have something waiting for them")
            account = GrpcAccount(name, self._clock, self._thread_ids)
            self._accounts[name.lower()] = account
        account.last_call = self._clock.seconds()
        return account

    def remove_idle(self) -> None:
        """Log out and drop the accounts without a stream that made no call for `IDLE` seconds."""
        until = self._clock.seconds() - IDLE
        for key, account in list(self._accounts.items()):
            if account.idle or (not account.streams and account.last_call < until):
                account.log_out()
                del self._accounts[key]

    async def charge(self, caller: Caller, account: str) -> None:
        """Count a call that names an account against the rate of its client, and wait while the
        client is over it. Clients of unix sockets cannot be told apart by their address: a call of
        one of them counts against the rate of the account that it names."""
        rate = self._limits.rate
        if rate is None:
            return
        # No name is longer.
        peer = f"account {account[:NAME_LENGTH].lower()}" if caller.local else caller.peer
        now = self._clock.seconds()
        bucket = self._token_buckets.pop(peer, None)
        if bucket is None:
            bucket = TokenBucket(rate, rate * self._limits.burst_seconds, now)
        self._token_buckets[peer] = bucket
        while len(self._token_buckets) > _MAX_ACCOUNTS:
            del self._token_buckets[next(iter(self._token_buckets))]
        wait = bucket.consume(1, now)
        if wait:
            await asyncio.sleep(wait)

    def stop(self) -> None:
        """Log all accounts out; streams end after what is waiting for them."""
        for account in self._accounts.values():
            account.acknowledge()
            account.log_out()


def in_twisted(coroutine: Coroutine[Any, Any, T]) -> Awaitable[T]:
    """Run a coroutine as a Twisted coroutine, awaitable by asyncio. It is finished even if the call
    is cancelled."""
    return asyncio.shield(as_future(Deferred.fromCoroutine(coroutine)))


def as_future(deferred: Deferred[T]) -> asyncio.Future[T]:
    """A Deferred as a future of the running event loop."""
    return deferred.asFuture(asyncio.get_running_loop())
