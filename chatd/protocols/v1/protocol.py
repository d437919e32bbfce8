"""Wire protocol version 1: messages of the catalogue to realm calls and back.

    client                                    server
      Hello 1                         ->
                                      <-        Welcome 1
      LogIn 2 alice, positions        ->
                                      <-        LoggedIn 2 with her logs
                                      <-        Pushed, Pushed, ...       what waits, log by log, in order
      Ack 0 @alice 7                  ->                                  need not be sent again
      Send 3 bob "hi" key             ->
                                      <-        Accepted 3 @bob 12        when it is durable
                                      <-        Pushed @alice 8           whenever something is said
                                      <-        Receipt @bob delivered    when bob has acknowledged it
      Join 4 #lobby                   ->
                                      <-        RoomState 4
      what makes no sense 5           ->
                                      <-        Refusal 5 code sentence

Each request has its own number, the answer has the same. What each message is:
`chatd.codecs.v1_messages`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chatd.auth.credentials import IAckSession, NameOnly, NamePassword
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
from chatd.core.entries import Entry
from chatd.core.errors import NotLoggedIn, Refused, UnknownAccount
from chatd.protocols.v1.requests import REQUESTS, room_info
from chatd.realm.ack_session import AckSession
from chatd.realm.live_log import Run
from chatd.realm.permissions import check_logged_in
from chatd.server.connection import Connection
from chatd.stores import Append

_OVERDRAFT = 256 * 1024
"""bytes of events that may be written to a client that does not read; what is beyond is not told"""
_FRAME_ROOM = 32 * 1024
"""bytes that a frame may have beside its text"""


class V1Protocol(Connection):
    """One client of version 1."""

    session: AckSession | None
    features: frozenset[str] = frozenset()
    _asked = False
    _overdraft = 0

    def __init__(self, factory: Any) -> None:
        self.longest_frame: int = factory.limits.text + _FRAME_ROOM
        """bytes of data that a frame from the client may have"""
        super().__init__(factory, server_decoder(self.longest_frame))

    def connectionMade(self) -> None:
        """As inherited. What has arrived is known by acknowledgements, so no write has to be
        watched."""
        super().connectionMade()
        self.tracked_transport.watch_window(False)

    # From the client

    def burst(self, messages: Sequence[Received]) -> int:
        """The hot path: texts to known recipients, and acknowledgements, until something else
        comes."""
        session = self.session
        if session is None:
            return 0
        done = 0
        count = len(messages)
        sent = False
        try:
            while done < count:
                message = messages[done]
                if message.__class__ is c.Send:
                    end = done + 1
                    while end < count and messages[end].__class__ is c.Send:
                        end += 1
                    run: Any = messages if end - done == count else messages[done:end]
                    taken = self.realm.send(session, run, self.realm.now())
                    if not taken:
                        break
                    self.unanswered += taken
                    done += taken
                    sent = True
                elif message.__class__ is c.Ack and not message.ref:
                    self._acknowledge(session, message)
                    done += 1
                else:
                    break
        except Refused:
            pass  # `perform` meets the same message and says why.
        if sent:
            self.realm.flush()
        return done

    async def perform(self, message: Received) -> None:
        """One request, when all before it have been taken."""
        match message:
            case c.Send():
                await self._send(message)
            case Malformed():
                self.refuse(message.ref, message.request, message.code, message.reason)
            case Broken():
                self.refuse(0, 0, "broken", message.reason)
                self.close_after_error()
            case c.LogOut() | c.DeleteAccount() if self.unanswered:
                self.requeue(message)
            case _:
                await self._request(message)

    async def _request(self, message: c.Message) -> None:
        ref: int = message.ref  # type: ignore[attr-defined]
        try:
            needs_session, carry_out = REQUESTS[message.__class__]
            if needs_session:
                check_logged_in(self.session)
            answer = await carry_out(self, message)
        except Refused as refused:
            self.refuse(ref, message.command, refused.code, str(refused))
        else:
            if answer is not None and (ref or not isinstance(answer, c.Done)):
                self.write(answer)

    async def _send(self, message: c.Send) -> None:
        try:
            session = check_logged_in(self.session)
            now = self.realm.now()
            sent = self.realm.send(session, (message,), now)
            if not sent and await self.realm.accounts.account(message.recipient) is not None:
                sent = self.realm.send(session, (message,), now)
            if not sent:
                raise UnknownAccount(f"there is no account called {message.recipient}")
        except Refused as refused:
            self.refuse(message.ref, message.command, refused.code, str(refused))
        else:
            self.unanswered += sent
            self.realm.flush()

    def _acknowledge(self, session: AckSession, message: c.Ack) -> None:
        due = session.acknowledge(message.log, message.first, message.last)
        if due:
            self.realm.receipts.notify_delivered(message.log, due)

    def acknowledge(self, message: c.Ack) -> None:
        """Take an acknowledgement. Raises `UnknownLog`, `NothingToAcknowledge`, `TooManyGaps`."""
        session = self.session
        if session is None:
            raise NotLoggedIn()
        self._acknowledge(session, message)

    async def log_in(self, name: str, password: str | None) -> AckSession:
        """Be an account, and nobody else any more. Raises what the portal does."""
        address = self.address
        credentials = (
            NameOnly(name, address, self.certificate)
            if password is None
            else NamePassword(name, password, address)
        )
        _, session, _ = await self.factory.portal.login(credentials, self, IAckSession)
        self.log_out()
        self.apply_features(session)
        self.logged_in(session)
        result: AckSession = session
        return result

    def apply_features(self, session: AckSession) -> None:
        """What the client wants to be told is what its session is told."""
        session.wants_receipts = "receipts" in self.features
        session.wants_typing = "typing" in self.features

    # To the client

    def push(self, runs: Sequence[Sequence[Append]]) -> None:
        """See `chatd.realm.ack_session.AckPeer`."""
        parts = [
            run.encoded or _encoded(run) if isinstance(run, Run) else _encode(run) for run in runs
        ]
        self.transport.write(parts[0] if len(parts) == 1 else b"".join(parts))

    def replay(self, log: str, entries: Sequence[Entry]) -> None:
        """See `chatd.realm.ack_session.AckPeer`."""
        self.transport.write(
            encode_pushed(
                [
                    (
                        log,
                        each.seq,
                        each.id,
                        each.time,
                        each.sender,
                        each.kind,
                        each.body,
                        each.about,
                    )
                    for each in entries
                ]
            )
        )

    def answer(self, appends: Sequence[Append]) -> None:
        """See `chatd.realm.session.Peer`."""
        parts: list[bytes] = []
        accepted: list[tuple[object, ...]] = []
        for append in appends:
            if append.refusal is None:
                accepted.append(
                    (append.message.ref, append.log, append.seq, append.id, append.time)
                )
            else:
                parts.append(encode_accepted(accepted))
                accepted = []
                message, refusal = append.message, append.refusal
                parts.append(
                    encode(c.Refusal(message.ref, refusal.code, str(refusal), message.command))
                )
        parts.append(encode_accepted(accepted))
        self.transport.write(b"".join(parts))
        self.answered(len(appends))

    def echo(self, appends: Sequence[Append]) -> None:
        """See `chatd.realm.ack_session.AckPeer`."""
        for append in appends:
            self.tell(
                c.Sent(
                    append.log,
                    append.seq,
                    append.id,
                    append.time,
                    append.kind,
                    append.body,
                    append.about,
                )
            )

    def receipt(self, log: str, what: str, seqs: Sequence[int]) -> None:
        """See `chatd.realm.ack_session.AckPeer`."""
        self.tell(c.Receipt(log, what, list(seqs)))

    def typing(self, log: str, name: str, typing: bool) -> None:
        """See `chatd.realm.ack_session.AckPeer`."""
        self.tell(c.Typing(log, name, typing))

    def presence(self, name: str, status: str, text: str, seen: int) -> None:
        """See `chatd.realm.ack_session.AckPeer`."""
        if "presence" in self.features:
            self.tell(c.Presence(c.Person(name, status, text, seen)))

    def joined(self, log: str) -> None:
        """See `chatd.realm.ack_session.AckPeer`."""
        if self.session is not None:
            self.write(c.Joined(self.log_state(self.session, log)))

    def left(self, room: str, reason: str) -> None:
        """See `chatd.realm.ack_session.AckPeer`."""
        self.write(c.Left(room, reason))

    def session_ended(self, code: str, sentence: str) -> None:
        """See `chatd.realm.session.Peer`."""
        self.write(c.Goodbye(code, sentence))
        super().session_ended(code, sentence)

    def close(self) -> None:
        """As inherited; says so to those who have not been told anything else."""
        if not self.disconnected and not self._ending and self.session is not None:
            self.write(c.Goodbye("stopping", "The server is stopping."))
        super().close()

    def tell(self, message: c.Message) -> None:
        """Send an event that a client who does not read can do without."""
        if self.writable:
            self._overdraft = 0
        elif self._overdraft > _OVERDRAFT:
            return
        data = encode(message)
        self._overdraft += len(data)
        if not self.disconnected:
            self.transport.write(data)

    def write(self, message: c.Message) -> None:
        """Send a message."""
        if not self.disconnected:
            self.transport.write(encode(message))

    def refuse(self, ref: int, request: int, code: str, sentence: str) -> None:
        """Say that something was not done."""
        self.log_refusal(code)
        self.write(c.Refusal(ref, code, sentence, request))

    def log_state(self, session: AckSession, log: str) -> c.LogState:
        """A log that the session follows, as the client is told."""
        read_state = session.mailbox.read_state
        position = read_state.positions.get(log)
        head = session.subscriptions[log].live_log.head
        if position is None:
            found = session.mailbox.acknowledged
            return c.LogState(log, session.created, head, min(found.upto, head), read_state.read)
        room = self.realm.rooms.loaded(log)
        info = None if room is None else room_info(room, session.name)
        return c.LogState(log, position.since, head, position.cursor.upto, position.read, info)

    @property
    def about(self) -> str:
        """See `chatd.realm.session.Peer`."""
        return f"version 1, from {self.peer}"

    def not_arrived(self) -> list[int]:
        """What has not been acknowledged is known; nothing has to be guessed."""
        return []

    async def _catch_up(self, session: Any) -> None:
        # Nothing has to be recorded: what is sent counts as read when it is acknowledged.
        await self._caught_up(session)

    def frame_timed_out(self) -> None:
        """See `Connection`."""
        time = self.factory.limits.frame_time
        self.refuse(
            0, 0, "too-slow", f"unfinished frame: the rest of it did not come within {time:g} s"
        )
        self.close_after_error()

    def is_alive(self) -> bool:
        """See `Connection`: a silent client is asked, then given up."""
        if self.received_data:
            self.received_data = self._asked = False
        elif self._asked:
            return False
        else:
            self._asked = True
            self.write(c.Ping(0))
        return True


def _encode(run: Sequence[Append]) -> bytes:
    """A run on the wire."""
    return encode_pushed(
        [
            (each.log, each.seq, each.id, each.time, each.sender, each.kind, each.body, each.about)
            for each in run
        ]
    )


def _encoded(run: Run) -> bytes:
    """The same, kept for all others who read it."""
    run.encoded = _encode(run)
    return run.encoded
