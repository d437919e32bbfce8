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
`requests` is the table of all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
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
from chatd.core.names import room_name
from chatd.protocols.v1.handlers import SESSION_REQUESTS, UNAUTHENTICATED_REQUESTS
from chatd.protocols.v1.rooms import room_info
from chatd.protocols.v1.unread_states import UnreadStates
from chatd.realm.delivery import refusal_of
from chatd.realm.live_log import Run
from chatd.realm.permissions import check_logged_in
from chatd.realm.session import Session
from chatd.server.connection import Connection
from chatd.server.factory import ConnectionFactory, Credentials
from chatd.server.states import Phase
from chatd.stores import Append

_UNREAD_EVENTS = 256 * 1024
"""bytes of `Sent` and `Receipt` that are written to a client that does not read; later ones are
dropped"""
_HASHING = (c.Register, c.LogIn, c.ChangePassword, c.SetCertificates, c.DeleteAccount)
"""requests that may wait for tens of seconds, until a password has been hashed"""
_WAITING_REQUESTS = 100
"""requests that may wait behind one of those; when there are more, the client is not read"""
_FRAME_HEADROOM = 32 * 1024
"""bytes that a frame may have beside its text"""


class V1Protocol(Connection):
    """The connection of one client of version 1."""

    session: Session | None
    features: frozenset[str] = frozenset()
    _asked = False
    _hashing = False
    _unread_events = 0
    _unread_states: UnreadStates | None = None

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
        """See `chatd.protocols.v1.requests.Requester`."""
        address = self.address
        credentials = (
            NameOnly(name, address, self.certificate)
            if password is None
            else NamePassword(name, password, address)
        )
        return await self._open_session(credentials)

    async def resume(self, name: str, token: str) -> Session:
        """See `chatd.protocols.v1.requests.Requester`."""
        return await self._open_session(NameToken(name, token, self.address))

    async def _open_session(self, credentials: Credentials) -> Session:
        session = await self.factory.log_in(credentials, self)
        self.log_out()
        self._unread_states = None
        self.apply_features(session)
        self.logged_in(session)
        return session

    def apply_features(self, session: Session) -> None:
        """See `chatd.protocols.v1.requests.Requester`."""
        session.wants_receipts = "receipts" in self.features
        session.wants_typing = "typing" in self.features

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
                parts.append(
                    encode(c.Refusal(request.ref, refusal.code, str(refusal), request.command))
                )
        self.transport.write(b"".join(parts))

    def echo(self, appends: Sequence[Append]) -> None:
        """See `chatd.realm.peer.Peer`."""
        for append in appends:
            self._notify(
                c.Sent(
                    append.log_name,
                    append.seq,
                    append.id,
                    append.time,
                    append.kind,
                    append.body,
                    append.about,
                )
            )

    def receipt(self, log: str, what: str, seqs: Sequence[int]) -> None:
        """See `chatd.realm.peer.Peer`."""
        self._notify(c.Receipt(log, what, list(seqs)))

    def typing(self, log: str, name: str, typing: bool) -> None:
        """See `chatd.realm.peer.Peer`."""
        data = _encoded_typing(log, name, typing)
        if self.writable:
            self.transport.write(data)
        else:
            self._unread.typing(log, name, data)

    def presence(self, name: str, status: str, text: str, seen: int) -> None:
        """See `chatd.realm.peer.Peer`."""
        if "presence" in self.features:
            data = _encoded_presence(name, status, text, seen)
            if self.writable:
                self.transport.write(data)
            else:
                self._unread.presence(name, data)

    def joined(self, log: str) -> None:
        """See `chatd.realm.peer.Peer`."""
        if not self.writable:
            self._unread.joined(log)
        elif self.session is not None:
            self.write(c.Joined(self.log_state(self.session, log)))

    def left(self, room: str, reason: str) -> None:
        """See `chatd.realm.peer.Peer`."""
        if not self.writable:
            self._unread.left(room_name(room), c.Left(room, reason))
        else:
            self.write(c.Left(room, reason))

    @property
    def _unread(self) -> UnreadStates:
        if self._unread_states is None:
            self._unread_states = UnreadStates()
        return self._unread_states

    def write_unread(self) -> None:
        """See `Connection`. The client learns the last state of what has changed meanwhile."""
        unread, self._unread_states = self._unread_states, None
        session = self.session
        if unread is None or session is None:
            return
        for log, left in unread.rooms():
            if left is not None:
                self.write(left)
            if log in session.subscriptions:
                session.show_unacknowledged(log)
                self.write(c.Joined(self.log_state(session, log)))
        self.transport.write(b"".join(unread.notices()))

    def session_ended(self, code: str, sentence: str) -> None:
        """See `chatd.realm.peer.Peer`."""
        self.write(c.Goodbye(code, sentence))
        super().session_ended(code, sentence)

    def close(self) -> None:
        """See `Connection`. A client that is logged in is sent a Goodbye."""
        if self.phase is Phase.OPEN and self.session is not None:
            self.write(c.Goodbye("stopping", "The server is stopping."))
        super().close()

    def _notify(self, message: c.Message) -> None:
        """Send an event, unless the client has not read too many events before it."""
        if self.writable:
            self._unread_events = 0
        elif self._unread_events > _UNREAD_EVENTS:
            return
        data = encode(message)
        self._unread_events += len(data)
        if not self.disconnected:
            self.transport.write(data)

    def write(self, message: c.Message) -> None:
        """See `chatd.protocols.v1.requests.Requester`."""
        if not self.disconnected:
            self.transport.write(encode(message))

    def refuse(self, ref: int, request: int, code: str, sentence: str) -> None:
        """Refuse a request, by its number and its command (0: not known)."""
        self.log_refusal(code)
        self.write(c.Refusal(ref, code, sentence, request))

    def _refuse_request(self, request: Any, refused: Refused) -> None:
        self.refuse(request.ref, request.command, refused.code, str(refused))

    def log_state(self, session: Session, log: str) -> c.LogState:
        """See `chatd.protocols.v1.requests.Requester`."""
        mailbox = session.mailbox
        head = session.subscriptions[log].live_log.head
        membership = mailbox.memberships.get(log)
        if membership is None:
            state = mailbox.state
            upto = min(state.cursor.upto, head)
            return c.LogState(log, session.created, head, upto, state.read)
        state = membership.state
        room = self.realm.rooms.loaded(log)
        info = None
        if room is not None:
            info = room_info(room, self.realm.rooms.member_role(session, log))
        return c.LogState(log, membership.since, head, state.cursor.upto, state.read, info)

    @property
    def about(self) -> str:
        """See `chatd.realm.peer.Peer`."""
        return f"version 1, from {self.peer}"

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


# One notice goes to many clients, one after another: it is encoded for the first of them only.


@lru_cache(maxsize=1)
def _encoded_typing(log: str, name: str, typing: bool) -> bytes:
    return encode(c.Typing(log, name, typing))


@lru_cache(maxsize=1)
def _encoded_presence(name: str, status: str, text: str, seen: int) -> bytes:
    return encode(c.Presence(c.Person(name, status, text, seen)))


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
