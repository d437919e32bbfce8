"""The classic protocol: commands to realm calls and back. Specification: docs/protocols/classic.md.

    client                        server
      CREATE name [password]  ->
                              <-    RESPONSE (empty)      and is logged in
      LIST pattern            ->
                              <-    LISTRESPONSE names
      SEND me, you, text      ->
                              <-    the same SEND         when it is durable
                              <-    SEND you, me, text    when a message to the client is committed
      DELIVER                 ->
                              <-    SEND, SEND, ...       the waiting mail, perhaps none
      DELETE                  ->                          no answer

Replies are sent in the order of the commands. A RESPONSE with a text answers a command that failed.
The first answer to CREATE and LOGIN is always a RESPONSE.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from chatd.auth.credentials import NameOnly, NamePassword
from chatd.codecs.classic import (
    FENCE,
    RESPONSE,
    SEPARATOR,
    Broken,
    Command,
    Create,
    Delete,
    Deliver,
    List,
    Login,
    Malformed,
    Send,
    encode,
    encode_entries,
    encode_names,
    encode_send,
    server_decoder,
)
from chatd.core.errors import (
    AlreadyLoggedIn,
    IllegalName,
    NameTaken,
    NotTheSender,
    Refused,
    UnknownAccount,
)
from chatd.core.names import NOTICE_SENDER
from chatd.realm.delivery import refusal_of
from chatd.realm.live_log import Run
from chatd.realm.peer import SessionOptions
from chatd.realm.permissions import check_list_accounts, check_logged_in
from chatd.realm.positions import VERY_SOON
from chatd.realm.requester import Requester
from chatd.realm.session import Session
from chatd.server.connection import Connection
from chatd.server.factory import ConnectionFactory
from chatd.stores import Append

_HEADROOM = 256
"""bytes that a SEND's names and separators may take beside the text"""
_SUCCESS = encode(RESPONSE)


class ClassicProtocol(Connection):
    """The connection of one classic client. `spelling` is the name as the client spelled it when it
    logged in: the client compares the names in a SEND with that."""

    session_options = SessionOptions(
        exclusive=True, fetches=True, rooms=False, save_within=VERY_SOON
    )
    only_read = (List,)
    spelling = ""

    def __init__(self, factory: ConnectionFactory) -> None:
        super().__init__(factory, server_decoder(factory.limits.text + _HEADROOM))

    # From the client

    def burst(self, messages: Sequence[Command]) -> int:
        """The hot path: SENDs whose recipients need no look-up, until another command or a
        refusal."""
        session = self.session
        if session is None:
            return 0
        sends: Any = messages
        for message in messages:
            if message.__class__ is not Send:
                sends = list(takewhile(_is_send, messages))
                break
        # A refusal is not sent from here: `perform` sends it after the answers that are pending.
        appends, _ = self.realm.send(session, sends)
        count = len(appends)
        if count:
            self.pending += sends if count == len(sends) else sends[:count]
            self.realm.flush()
        return count

    async def perform(self, message: Command) -> None:
        """Carry out one command, when all before it have been carried out."""
        if self.pending and not isinstance(message, Send):
            self.requeue(message)
            return
        try:
            match message:
                case Send():
                    await self._send(message)
                case Create():
                    await self._create(message)
                case Login():
                    await self._login(message)
                case List():
                    await self._list(message.pattern or "*")
                case Malformed():
                    self._refuse(message.reason, "malformed")
                case Broken():
                    self._refuse(message.reason, "broken")
                    self.close_after_error()
                case Delete():
                    await self._delete()
                case Deliver():
                    self._deliver()
        except Refused as refused:
            account = message.name if isinstance(message, Create | Login) else ""
            self._refuse(str(refused), refused.code, refused.quota, account)

    async def _list(self, pattern: str) -> None:
        if pattern == FENCE:
            self._write(encode_names([]))
            return
        check_list_accounts(
            self.session, self.realm.policy, "attempting to list accounts before logging in"
        )

        async def make(requester: Requester) -> bytes:
            return encode_names(await self.realm.accounts.names(pattern, requester))

        answer = await self.factory.listings.get(self, ("classic", pattern), make)
        self._write(answer)
        self.wrote_listing(len(answer))

    async def _send(self, message: Send) -> None:
        shown = _shown(message)
        try:
            session = check_logged_in(
                self.session, f"attempting to send a message before logging in, {shown}"
            )
            await self.realm.deliver(session, message)
        except Refused as refused:
            if self.pending:
                # The echoes of earlier messages come before this refusal.
                self.requeue(message)
            elif isinstance(refused, NotTheSender):
                self._refuse(
                    "specified from name is not the sender. Got username "
                    f"{message.sender}, current username is {self.spelling}, {shown}",
                    refused.code,
                )
            elif isinstance(refused, UnknownAccount):
                self._refuse(_unknown_recipient(message), refused.code)
            else:
                raise
        else:
            self.pending.append(message)
            self.realm.flush()

    async def _create(self, message: Create) -> None:
        try:
            password = _password(message)
            account = await self.factory.register(message.name, password, message.invite, self)
        except NameTaken:
            raise NameTaken("username already exists") from None
        await self.entries_arrive()
        session = await self.realm.sessions.open(message.name, account, self)
        self._change_session(session, message.name)

    async def _login(self, message: Login) -> None:
        password = _password(message)
        address = self.address
        credentials = (
            NamePassword(message.name, password, self)
            if password
            else NameOnly(message.name, address, self.certificate)
        )
        await self.entries_arrive()
        try:
            session = await self.factory.log_in(credentials, self)
        except UnknownAccount:
            raise UnknownAccount("username does not exist") from None
        except AlreadyLoggedIn:
            raise AlreadyLoggedIn("user is already logged in") from None
        self._change_session(session, message.name)

    def _change_session(self, session: Session, spelling: str) -> None:
        self.end_former_session()
        self.spelling = spelling
        self._write(_SUCCESS)
        self.logged_in(session)
        session.begin({})

    async def _delete(self) -> None:
        session = check_logged_in(self.session, "attempting to delete an account before logging in")
        await self.realm.delete(session)
        self.session = None
        self.writes.reset()
        self.log_session_end(session)

    def _deliver(self) -> None:
        session = check_logged_in(
            self.session, "attempting to deliver undelivered messages before logging in"
        )
        session.fetch_mail()

    # To the client

    def show(self, runs: Sequence[Run]) -> None:
        """See `chatd.realm.peer.Peer`."""
        for run in runs:
            data, sizes = encode_entries(run.entries, self.spelling)
            self.wrote_entries(run.log, run.entries[0].seq, sizes, len(data))
            self.transport.write(data)

    def write_answers(self, messages: Sequence[Send], appends: Sequence[Append]) -> None:
        """See `Connection`. The echo of a SEND says that it is durable."""
        frames = [message.frame for message in messages]
        for append in appends:
            if append.refusal is not None:
                frames = list(map(self._answer_to, messages, appends))
                break
        self._write(b"".join(frames))

    def _answer_to(self, message: Send, append: Append) -> bytes:
        """The echo of a SEND, or its refusal."""
        refusal = refusal_of(append)
        if refusal is None:
            return message.frame
        self.log_refusal(refusal.code, refusal.quota)
        # The account may have been deleted since the message was sent.
        unknown = isinstance(refusal, UnknownAccount)
        return encode(RESPONSE, _unknown_recipient(message) if unknown else str(refusal))

    def announcement(self, time: int, text: str) -> None:
        """See `chatd.realm.peer.Peer`. It is a SEND from the server; a client that does not read
        gets none."""
        if self.writable:
            self._write(encode_send(NOTICE_SENDER, self.spelling, text))

    @property
    def about(self) -> str:
        """See `chatd.realm.peer.Peer`."""
        return f"classic, from {self.address_and_port}"

    def frame_timed_out(self) -> None:
        """See `Connection`."""
        time = self.factory.limits.frame_time
        self._refuse(f"unfinished frame: the rest of it did not come within {time:g} s", "too-slow")
        self.close_after_error()

    def _refuse(self, sentence: str, code: str, quota: str = "", account: str = "") -> None:
        # The log gets the code: a sentence may quote a message.
        self.log_refusal(code, quota, account)
        self._write(encode(RESPONSE, sentence))

    def _write(self, data: bytes) -> None:
        self.writes.record(len(data))
        self.transport.write(data)


def _shown(message: Send) -> str:
    return f"for message: from: {message.sender} | to: {message.recipient} | body: {message.text}"


def _unknown_recipient(message: Send) -> str:
    return f"specific recipient {message.recipient} does not exist, {_shown(message)}"


def _is_send(message: Command) -> bool:
    return isinstance(message, Send)


def _password(message: Create | Login) -> str | None:
    if SEPARATOR in message.name + (message.password or ""):
        raise IllegalName("illegal character sequence ||| in username")
    return message.password or None
