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
coroutines (`chatd.protocols.grpc.futures`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, TypeVar

import grpc
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from chatd.codecs import chat_pb2 as pb
from chatd.core.errors import (
    AddressBanned,
    Busy,
    IllegalName,
    LimitReached,
    MailboxFull,
    NameTaken,
    OpenAccountsForbidden,
    PasswordRequired,
    PasswordTooLong,
    PatternInvalid,
    PatternTooLong,
    Refused,
    StoreUnavailable,
    Suspended,
    UnknownAccount,
    WrongPassword,
)
from chatd.core.names import is_room
from chatd.core.simple_regex import matcher
from chatd.protocols.grpc.account import GrpcAccount
from chatd.protocols.grpc.caller import Caller
from chatd.protocols.grpc.futures import as_future
from chatd.protocols.grpc.held_accounts import ATTEMPTS, HeldAccounts, credentials_of
from chatd.protocols.grpc.stream import Stream
from chatd.realm.delivery import refusal_of
from chatd.realm.requester import Requester
from chatd.stores import Append

logger = Logger(namespace="chatd")

T = TypeVar("T")

LIST_PART = 64 * 1024
"""characters of names that a notice may have; a longer list comes in several"""
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
    Suspended: grpc.StatusCode.PERMISSION_DENIED,
    AddressBanned: grpc.StatusCode.PERMISSION_DENIED,
    Busy: grpc.StatusCode.RESOURCE_EXHAUSTED,
    LimitReached: grpc.StatusCode.RESOURCE_EXHAUSTED,
    MailboxFull: grpc.StatusCode.RESOURCE_EXHAUSTED,
    StoreUnavailable: grpc.StatusCode.UNAVAILABLE,
}


class OutgoingText:
    """A text to be sent, as the realm takes it."""

    __slots__ = ("recipient", "text")

    sender = key = None

    def __init__(self, recipient: str, text: str) -> None:
        self.recipient = recipient
        self.text = text


class ChatService(HeldAccounts):
    """The calls. `thread_ids` and `factory` are those of `HeldAccounts`."""

    async def create_account(self, request: Any, caller: Caller) -> Any:
        """CreateAccount: register an account, with the password and the invite token of the call
        if there are any, and log in."""
        self._check_running()
        name = request.client_id
        password = caller.password(name)
        await self._factory.register(name, password, caller.invite, caller)
        account, _ = await self._logged_in(name, caller)
        account.notice(f"Account {name} has been created!")
        return pb.CreateAccountResponse()

    async def log_in(self, request: Any, caller: Caller) -> Any:
        """LogIn: open a session; from now on mail is sent to the account's streams."""
        account, _ = await self._logged_in(request.client_id, caller)
        account.notice("You have been successfully logged in!")
        return pb.LogInResponse()

    async def log_out(self, request: Any, caller: Caller) -> Any:
        """LogOut: end the session and the streams."""
        self._check_running()
        account, _ = await self._proven(request.client_id, caller)
        account.notice("You have been successfully logged out!")
        # The connections of a unix socket cannot be told apart.
        account.log_out(None if caller.local else caller.peer)
        return pb.LogOutResponse()

    async def delete_account(self, request: Any, caller: Caller) -> Any:
        """DeleteAccount: delete the account with its mailbox, and end its streams."""
        self._check_running()
        account, record = await self._proven(request.client_id, caller)
        with account.used(), account.deleting():
            await self._realm.delete_account(request.client_id, record)
        account.notice("Your account has been deleted!")
        account.log_out()
        return pb.DeleteAccountResponse()

    async def wild_card(self, request: Any, caller: Caller) -> Any:
        """WildCard: send the matching names in a notice."""
        self._check_running()
        if await self._realm.accounts.account(request.client_id) is None:
            # No account, no stream for the notice.
            return pb.WildCardResponse()
        account, _ = await self._proven(request.client_id, caller)
        try:
            self._realm.accounts.check_pattern(request.pattern)
            matches = matcher(request.pattern)

            async def make(requester: Requester) -> list[str]:
                return await self._realm.accounts.names_like(matches, requester)

            with account.used():
                names = await self._factory.listings.get(
                    self.rates.client(caller, account), ("grpc", request.pattern), make
                )
        except (PatternInvalid, PatternTooLong):
            names = []
        if names:
            account.notice(*(f"Account matched: {part}" for part in _parts(names)))
        else:
            account.notice(f"Account matched to: {request.pattern} doesn't exist")
        return pb.WildCardResponse()

    async def send_message(self, request: Any, caller: Caller) -> Any:
        """SendMessage: answered when the message is durable."""
        account, session = await self._logged_in(request.sender_id, caller)
        notice = "Your message has been sent!"
        try:
            append = await self._realm.deliver(
                session, OutgoingText(request.recipient_id, request.message)
            )
        except StoreUnavailable:
            raise
        except Refused as refused:
            self._realm.counters.refused(refused.code, refused.quota)
            notice = str(refused)
            if is_room(request.recipient_id) or isinstance(refused, UnknownAccount):
                notice = "Recipient is not found!"
        else:
            refusal = refusal_of(await self._stored(account, append, request.thread_id))
            if isinstance(refusal, UnknownAccount):
                notice = "Recipient is not found!"
            elif refusal is not None:
                raise refusal
        account.notice(notice)
        return pb.ChatMessageResponse()

    async def _stored(self, account: GrpcAccount, append: Append, thread_id: int) -> Append:
        """Wait until an append is durable, or refused."""
        self._thread_ids[append.id] = thread_id
        try:
            with account.used(), account.sent(append) as answered:
                self._realm.flush()
                return await answered
        finally:
            del self._thread_ids[append.id]

    async def open_stream(self, request: Any, caller: Caller) -> Stream | None:
        """Open a stream of an account: until the account logs out, mail and notices are put on it.
        The stream of an account that has logged out has the notices that wait, and None is that of
        an unknown account, or of one that has nothing here. The caller writes what is `ready`, and
        at the end calls `close_stream`."""
        name = request.recipient_id
        for _ in range(ATTEMPTS):
            self._check_running()
            stored = await self._realm.accounts.account(name)
            account = self._accounts.get(name.lower())
            # What waits for a former account of that name is not for this one.
            if account is None or (
                account.logged_in if stored is None else account.id != stored[1].id
            ):
                if stored is not None:
                    await self._prove(name, caller)
                return None
            stream = Stream(account, caller.peer, caller.address)
            session = None
            reader = account.id
            with account.used():
                if account.logged_in:
                    session = await self._factory.log_in(credentials_of(name, caller), stream)
                    reader = session.account
                elif stored is not None and stored[1].password is not None:
                    reader = (await self._prove(name, caller)).id
            full = len(account.streams) >= _STREAMS
            # The account may have logged in or out meanwhile, or been deleted.
            current = self._holds(account) and account.logged_in == (session is not None)
            current = current and account.id == reader
            if current and not full and not self._stopping:
                account.last_call = self._clock.seconds()
                account.open(stream, session)
                return stream
            if session is not None:
                session.end()
            if full:
                raise Busy(f"an account has at most {_STREAMS} streams")
        raise Busy()

    def close_stream(self, stream: Stream) -> None:
        """The call of a stream has ended."""
        stream.account.close(stream)
        stream.account.last_call = self._clock.seconds()

    async def receive_messages(
        self, request: Any, caller: Caller, write: Callable[[Any], Awaitable[None]]
    ) -> None:
        """ReceiveMessages: write mail and notices of an account until it has logged out; a
        coroutine of asyncio, unlike the others."""
        opening = as_future(Deferred.fromCoroutine(self.open_stream(request, caller)))
        try:
            stream = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(self._close_cancelled)
            raise
        if stream is None:
            return
        caller.has_session()
        try:
            while True:
                await as_future(stream.ready())
                waiting = stream.next()
                if waiting is None:
                    return
                await write(waiting.message)
                stream.written(waiting)
        finally:
            self.close_stream(stream)

    def _close_cancelled(self, opening: asyncio.Future[Stream | None]) -> None:
        """Close a stream that was opened after its call had been cancelled."""
        if not opening.cancelled() and opening.exception() is None:
            stream = opening.result()
            if stream is not None:
                self.close_stream(stream)


def _parts(names: Sequence[str]) -> Iterator[str]:
    """Names with commas between them, in parts of at most `LIST_PART` characters: each stream that
    is not read holds a part in memory several times."""
    part: list[str] = []
    size = 0
    for name in names:
        if size + len(name) > LIST_PART:
            yield ",".join(part)
            part, size = [], 0
        part.append(name)
        size += len(name) + 1
    yield ",".join(part)
