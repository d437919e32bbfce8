"""Version 1: one connection. Messages of the catalogue to realm calls and back.

    client                                server
      Hello 1                       ->
                                    <-    Welcome 1
      LogIn 2 alice, positions      ->
                                    <-    LoggedIn 2 with her logs
                                    <-    Pushed, Pushed, ...     what waits, log by log, in order
      Ack 0 @alice 7                ->                            she has her mailbox up to 7
      Send 3 bob "hi" key           ->
                                    <-    Accepted 3 @bob 12      when the message is durable
                                    <-    Pushed @alice 8         when a message to her is committed
                                    <-    Receipt @bob delivered  when bob has acknowledged 12
      Join 4 #lobby                 ->
                                    <-    RoomState 4
      an invalid request 5          ->
                                    <-    Refusal 5 code sentence

Every request has a number of its own, and its answer has the same. The messages are described in
`chatd.codecs.v1_messages`; this module has the frequent ones (`Send`, `Ack`, `Pushed`, `Accepted`),
`requests` is the table of all others, and `notices` has the other events.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chatd.auth.credentials import NameOnly, NamePassword, NameToken
from chatd.codecs import v1_messages as c
from chatd.codecs.v1 import (
    Broken,
    Malformed,
    Received,
    encode,
    encode_accepted,
    encode_pushed,
    server_decoder,
)
from chatd.core.errors import Refused
from chatd.protocols.v1.handlers import ONLY_READ, SESSION_REQUESTS, UNAUTHENTICATED_REQUESTS
from chatd.protocols.v1.notices import NotifiedConnection
from chatd.protocols.v1.scopes import RIGHTS
from chatd.realm.access_token import ALL
from chatd.realm.delivery import refusal_of
from chatd.realm.live_log import Run
from chatd.realm.permissions import check_logged_in, check_right
from chatd.realm.session import Session
from chatd.server.factory import ConnectionFactory, Credentials
from chatd.server.states import Phase
from chatd.stores import Append

_HASHING = (
    c.Register,
    c.LogIn,
    c.ChangePassword,
    c.SetCertificates,
    c.DeleteAccount,
    c.CreateAccessToken,
)
"""requests that may wait for tens of seconds, until a password has been hashed"""
_NAMING = (c.Register, c.LogIn, c.Resume)
"""requests that name the account of the client"""
_WAITING_REQUESTS = 100
"""requests that may wait behind one of those; when there are more, the client is not read"""
_FRAME_HEADROOM = 32 * 1024
"""bytes that a frame may have beside its text"""


class V1Protocol(NotifiedConnection):
    """The connection of one client of version 1."""

    only_read = tuple(ONLY_READ)
    _asked = False
    _hashing = False

    def __init__(self, factory: ConnectionFactory) -> None:
        self.longest_frame: int = factory.limits.text + _FRAME_HEADROOM
        """bytes of data that a frame from the client may have"""
        super().__init__(factory, server_decoder(self.longest_frame))

    # From the client

    def burst(self, messages: Sequence[Received]) -> int:
        """The hot path: texts whose recipients need no look-up, and acknowledgements, until
        another request."""
        session = self.session
        if session is None:
            return 0
        done = 0
        count = len(messages)
        sent = False
        while done < count:
            message = messages[done]
            if message.__class__ is c.Send:
                end = done + 1
                while end < count and messages[end].__class__ is c.Send:
                    end += 1
                texts: Any = messages if end - done == count else messages[done:end]
                appends, refusal = self.realm.send(session, texts)
                taken = len(appends)
                if taken:
                    self.pending += texts if taken == len(texts) else texts[:taken]
                    sent = True
                    done += taken
                if refusal is not None:
                    self._refuse_request(messages[done], refusal)
                    done += 1
                elif done < end:
                    break
            elif message.__class__ is c.Ack and not message.ref:
                try:
                    session.acknowledge(message.log, message.first, message.last, message.since)
                except Refused as refused:
                    self._refuse_request(message, refused)
                done += 1
            else:
                break
        if sent:
            self.realm.flush()
        return done

    async def perform(self, message: Received) -> None:
        """Carry out one request, when all before it have been carried out."""
        match message:
            case Malformed():
                self.refuse(message.ref, message.request, message.code, message.reason)
            case Broken():
                self.refuse(0, 0, "broken", message.reason)
                self.close_after_error()
            case c.LogOut() | c.DeleteAccount() if self.pending:
                self.requeue(message)
            case _:
                try:
                    await self._carry_out(message)
                except Refused as refused:
                    self._refuse_request(message, refused)

    async def _carry_out(self, request: Any) -> None:
        kind = request.__class__
        if kind in _HASHING:
            self._hashing = True
            self._queue = self._answer_pings(self._queue)
            self._update_read_pause()
        try:
            await self._answer(kind, request)
        finally:
            self._hashing = False

    async def _answer(self, kind: type[c.Message], request: Any) -> None:
        handler = UNAUTHENTICATED_REQUESTS.get(kind)
        if handler is not None:
            answer = await handler(self, request)
        else:
            session = check_logged_in(self.session)
            if session.scope is not None:
                check_right(session, RIGHTS.get(kind, ALL))
            if kind is c.Send:
                await self.realm.deliver(session, request)
                self.pending.append(request)
                self.realm.flush()
                return
            answer = await SESSION_REQUESTS[kind](self, session, request)
        if answer is not None and (request.ref or not isinstance(answer, c.Done)):
            self.write(answer)

    def _parse(self, data: bytes) -> Sequence[Any]:
        messages = super()._parse(data)
        return self._answer_pings(messages) if self._hashing else messages

    def _answer_pings(self, messages: Sequence[Any]) -> list[Any]:
        """Answer each `Ping`, which would have to wait for long, and return the other messages."""
        others = []
        for message in messages:
            if isinstance(message, c.Ping):
                self.write(c.Pong(message.ref))
            else:
                others.append(message)
        return others

    def reads_while_working(self) -> bool:
        """See `Connection`. A client that gets no answer to its `Ping` gives up."""
        return self._hashing and not self._input and len(self._queue) <= _WAITING_REQUESTS

    async def log_in(self, name: str, password: str | None) -> Session:
        """See `chatd.protocols.v1.requests.V1Connection`."""
        address = self.address
        credentials = (
            NameOnly(name, address, self.certificate)
            if password is None
            else NamePassword(name, password, self)
        )
        return await self._open_session(credentials)

    async def resume(self, name: str, token: str) -> Session:
        """See `chatd.protocols.v1.requests.V1Connection`."""
        return await self._open_session(NameToken(name, token, self.address))

    async def _open_session(self, credentials: Credentials) -> Session:
        session = await self.factory.log_in(credentials, self)
        self.log_out()
        self._unread_states = None
        self.apply_features(session)
        self.logged_in(session)
        return session

    def apply_features(self, session: Session) -> None:
        """See `chatd.protocols.v1.requests.V1Connection`."""
        session.wants_receipts = "receipts" in self.features and session.scope is None
        session.wants_typing = "typing" in self.features and session.scope is None

    # To the client

    def show(self, runs: Sequence[Run]) -> None:
        """See `chatd.realm.peer.Peer`."""
        if len(runs) == 1:
            self.transport.write(_encoded(runs[0]))
        else:
            self.transport.write(b"".join(map(_encoded, runs)))

    def write_answers(self, messages: Sequence[Any], appends: Sequence[Append]) -> None:
        """See `Connection`."""
        accepted: list[tuple[object, ...]] = []
        for append in appends:
            if append.refusal is not None:
                self._write_each_answer(messages, appends)
                return
            # Not with `zip`, which takes a third of the time of this method.
            ref = messages[len(accepted)].ref
            accepted.append((ref, append.log_name, append.seq, append.id, append.time))
        self.transport.write(encode_accepted(accepted))

    def _write_each_answer(self, messages: Sequence[Any], appends: Sequence[Append]) -> None:
        """Answer messages some of which are refused."""
        parts: list[bytes] = []
        for request, append in zip(messages, appends, strict=True):
            refusal = refusal_of(append)
            if refusal is None:
                answer = (request.ref, append.log_name, append.seq, append.id, append.time)
                parts.append(encode_accepted((answer,)))
            else:
                self.log_refusal(refusal.code, refusal.quota)
                parts.append(
                    encode(c.Refusal(request.ref, refusal.code, str(refusal), request.command))
                )
        self.transport.write(b"".join(parts))

    def show_reason(self, code: str, sentence: str) -> None:
        """See `Connection`."""
        self.write(c.Goodbye(code, sentence))

    def close(self) -> None:
        """See `Connection`. A client that is logged in is sent a Goodbye."""
        if self.phase is Phase.OPEN and self.session is not None:
            self.write(c.Goodbye("stopping", "The server is stopping."))
        super().close()

    def refuse(self, ref: int, request: int, code: str, sentence: str) -> None:
        """Refuse what is no request, by its number and its command (0: not known)."""
        self.log_refusal(code)
        self.write(c.Refusal(ref, code, sentence, request))

    def _refuse_request(self, request: Any, refused: Refused) -> None:
        account = request.name if isinstance(request, _NAMING) else ""
        self.log_refusal(refused.code, refused.quota, account)
        self.write(c.Refusal(request.ref, refused.code, str(refused), request.command))

    @property
    def about(self) -> str:
        """See `chatd.realm.peer.Peer`."""
        return f"version 1, from {self.address_and_port}"

    def frame_timed_out(self) -> None:
        """See `Connection`."""
        time = self.factory.limits.frame_time
        self.refuse(
            0, 0, "too-slow", f"unfinished frame: the rest of it did not come within {time:g} s"
        )
        self.close_after_error()

    def is_alive(self) -> bool:
        """See `Connection`. A silent client is sent a Ping, and is given up if it stays silent."""
        if self.received_data:
            self.received_data = self._asked = False
        elif self._asked:
            return False
        else:
            self._asked = True
            self.write(c.Ping(0))
        return True


def _encoded(run: Run) -> bytes:
    """A run as bytes, encoded once for all the connections that share it."""
    encodings = run.encodings
    if encodings is not None and _encoded in encodings:
        shared: bytes = encodings[_encoded]
        return shared
    log = run.log
    data = encode_pushed(
        [
            (log, each.seq, each.id, each.time, each.sender, each.kind, each.body, each.about)
            for each in run.entries
        ]
    )
    if encodings is not None:
        encodings[_encoded] = data
    return data
