"""CHAT/1.0: register a name, then write to the lobby. Specification: docs/protocols/chat10.md.

    client                              server
      REGISTER luca CHAT/1.0      ->
                                  <-    200 Registration successful
      @luca: hello                ->                            sent to all others in the lobby
                                  <-    @ann: hi                when others write to the lobby
      DISCONNECT luca CHAT/1.0    ->
                                  <-    DISCONNECT CHAT/1.0     and closes

The protocol has no acknowledgements and no history: a client gets what is sent to the lobby from
its registration on. Mail of the account is shown too, since the client can see it nowhere else; it
waits until it has arrived.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from itertools import takewhile
from typing import Any

from twisted.internet.interfaces import IDelayedCall

from chatd.auth.credentials import NameOnly
from chatd.codecs import chat10
from chatd.core.entries import TEXT, Entry, described, ranges
from chatd.core.errors import AlreadyLoggedIn, NameTaken, PasswordRequired, Refused
from chatd.core.names import LOBBY
from chatd.realm.ack_session import AckSession
from chatd.realm.live_log import Run
from chatd.server.factory import ConnectionFactory
from chatd.server.sniffer import PAUSE
from chatd.server.states import PauseReason, Phase
from chatd.server.unframed import Unframed
from chatd.stores import Append

_APART = 0.25
"""seconds between two writes that a client without framing must not read as one"""
_ACK_DELAY, _MAX_ACK_DELAY = 0.05, 2.0
"""seconds until it is looked whether entries have arrived: doubled while some have not"""


class OutgoingText:
    """A text to be sent to the lobby, as the realm takes it."""

    __slots__ = ("text",)

    recipient = LOBBY
    sender = key = None

    def __init__(self, text: str) -> None:
        self.text = text


class Chat10Protocol(Unframed):
    """The connection of one client, in either framing: lines, or no framing at all."""

    session: AckSession | None
    _decoder: chat10.Decoder
    _registered = False
    _wrote_at = 0.0
    _pause: IDelayedCall | None = None
    _acknowledging: IDelayedCall | None = None
    _delayed_close: IDelayedCall | None = None
    _ack_delay = _ACK_DELAY

    def __init__(self, factory: ConnectionFactory) -> None:
        super().__init__(factory, chat10.Decoder())
        # The seqs of mail that has been written, and the first and last of the lobby's entries.
        self._mail: list[int] = []
        self._lobby = (0, 0)

    @property
    def _lines(self) -> bool:
        return self._decoder.lines is not False

    # From the client

    def dataReceived(self, data: bytes) -> None:
        """See `Connection`. A registration without a line break is complete after a pause."""
        super().dataReceived(data)
        if self._decoder.lines is not None:
            self.framed = self._decoder.lines
            self._cancel_pause()
        elif self._pause is None:
            self._pause = self.clock.callLater(PAUSE, self._paused_input)
        else:
            self._pause.reset(PAUSE)

    def _paused_input(self) -> None:
        self._pause = None
        self._decoder.pause()
        self.dataReceived(b"")

    def _cancel_pause(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None

    def readConnectionLost(self) -> None:
        """See `Connection`. The end of the input completes a registration without a line break."""
        if self._pause is not None:
            self._cancel_pause()
            self._paused_input()
        super().readConnectionLost()

    def burst(self, messages: Sequence[chat10.Command]) -> int:
        """Send texts, until another message."""
        session = self.session
        if session is None:
            return 0
        batch = list(takewhile(lambda message: isinstance(message, chat10.Text), messages))
        texts = [
            OutgoingText(message.text)
            for message in batch
            if isinstance(message, chat10.Text) and message.text
        ]
        for text in texts:
            # One at a time: a refused text must not cost more than another.
            appends, refusal = self.realm.send(session, (text,))
            if appends:
                self.pending.append(text)
            elif refusal is not None:
                # The protocol has no reply for it.
                self.log_refusal(refusal.code)
        self.realm.flush()
        return len(batch)

    async def perform(self, message: chat10.Command) -> None:
        """Carry out one message, when all before it have been carried out."""
        match message:
            case chat10.Register(name):
                await self._register(name)
            case chat10.Disconnect():
                if self.pending:
                    self.requeue(message)
                else:
                    self.close()
            case chat10.Text() if self.session is not None:
                self.burst((message,))
            case _:
                self._refuse(chat10.INVALID, "malformed")

    async def _register(self, name: str) -> None:
        try:
            if self.realm.sessions.online(name):
                raise AlreadyLoggedIn()
            with suppress(NameTaken):
                await self.realm.register(name)
            session = await self.factory.log_in(
                NameOnly(name, self.address, self.certificate), self, AckSession
            )
            if len(session.mailbox.subscriptions) > 1:
                session.end()
                raise AlreadyLoggedIn()
            self.logged_in(session)
            if LOBBY not in session.subscriptions:
                await self.realm.rooms.join(session, LOBBY)
        except (AlreadyLoggedIn, PasswordRequired) as refused:
            self._refuse(chat10.TAKEN, refused.code)
        except Refused as refused:
            self._refuse(chat10.INVALID, refused.code)
        else:
            self._begin(session)

    def _begin(self, session: AckSession) -> None:
        self._registered = True
        self._write(chat10.encode(chat10.REGISTERED, self._lines))
        for log in list(session.subscriptions):
            if log not in (session.mailbox.log, LOBBY):
                session.unsubscribe(log)
        session.begin({LOBBY: session.subscriptions[LOBBY].live_log.head})
        if not self._lines:
            # A message in the same segment would hide the reply.
            session.fall_behind()
            self.pause_for(PauseReason.FIRST_REPLY)
            self.clock.callLater(_APART, self.resume_after, PauseReason.FIRST_REPLY)

    # To the client

    @property
    def writable(self) -> bool:
        """See `chatd.realm.session.Peer`."""
        return super().writable and not self.paused_for & PauseReason.FIRST_REPLY

    def show(self, runs: Sequence[Run]) -> None:
        """See `chatd.realm.session.Peer`."""
        for run in runs:
            self._show(run.log, run.entries)

    def _show(self, log: str, entries: Sequence[Append | Entry]) -> None:
        session = self.session
        if session is None:
            return
        for entry in entries:
            if log == LOBBY:
                self._lobby = (self._lobby[0] or entry.seq, entry.seq)
                if entry.kind == TEXT and entry.sender != session.name:
                    for data in chat10.encode_text(entry.sender, entry.body, self._lines):
                        self._write(data)
                continue
            self._mail.append(entry.seq)
            text = described(entry.kind, entry.body)
            parts = chat10.encode_text(entry.sender, f"(private) {text}", self._lines)
            for data in parts:
                self.transport.write(data)
                self._wrote_at = self.clock.seconds()
            size = sum(map(len, parts))
            self.writes.record_entries(entry.seq, [size], size)
        if self._acknowledging is None:
            self._ack_delay = _ACK_DELAY
            self._acknowledging = self.clock.callLater(self._ack_delay, self._acknowledge_arrived)

    def _acknowledge_arrived(self) -> None:
        """Acknowledge the entries that have arrived, and look later for the others."""
        self._acknowledging = None
        session = self.session
        if session is None or session.ended:
            return
        not_arrived = set(self.writes.not_arrived())
        arrived = [seq for seq in self._mail if seq not in not_arrived]
        self._mail = [seq for seq in self._mail if seq in not_arrived]
        for first, last in ranges(arrived):
            self._acknowledge(session, session.mailbox.log, first, last)
        if not not_arrived and self._lobby[1]:
            self._acknowledge(session, LOBBY, *self._lobby)
            self._lobby = (0, 0)
        if not_arrived:
            self._ack_delay = min(2 * self._ack_delay, _MAX_ACK_DELAY)
            self._acknowledging = self.clock.callLater(self._ack_delay, self._acknowledge_arrived)

    def _acknowledge(self, session: AckSession, log: str, first: int, last: int) -> None:
        # Entries whose acknowledgement is refused are shown again to another session.
        with suppress(Refused):
            session.acknowledge(log, first, last)

    def write_answers(self, messages: Sequence[OutgoingText], appends: Sequence[Append]) -> None:
        """See `Connection`. The protocol has no answers."""
        for append in appends:
            if append.refusal is not None:
                self.log_refusal(append.refusal.code)

    def joined(self, log: str) -> None:
        """See `chatd.realm.session.Peer`."""
        if self.session is not None and log != LOBBY:
            self.session.unsubscribe(log)

    @property
    def about(self) -> str:
        """See `chatd.realm.session.Peer`."""
        return f"CHAT/1.0, from {self.peer}"

    def _write(self, data: bytes) -> None:
        if not self.disconnected:
            self._wrote_at = self.clock.seconds()
            self.writes.record(len(data))
            self.transport.write(data)

    def _refuse(self, reply: str, code: str) -> None:
        self.log_refusal(code)
        self._write(chat10.encode(reply, self._lines))
        self.close_after_error()

    def flooded(self) -> None:
        """See `Unframed`. The protocol has no reply for it."""

    def frame_timed_out(self) -> None:
        """See `Connection`."""
        self.log_refusal("too-slow")
        if not self._registered:
            self._write(chat10.encode(chat10.INVALID, self._lines))
        self.close_after_error()

    # Closing

    def _close_when_done(self) -> None:
        if self.phase is Phase.FINISHING and self._registered and not self._lines:
            rest = self._wrote_at + _APART - self.clock.seconds()
            if rest > 0:
                # A client without framing must read DISCONNECT by itself.
                if self._delayed_close is None:
                    self._delayed_close = self.clock.callLater(rest + 0.001, self._close_now)
                return
        super()._close_when_done()

    def _close_now(self) -> None:
        self._delayed_close = None
        if self._registered:
            self._close_when_done()

    def log_out(self) -> None:
        """See `Connection`. A registered client is always sent DISCONNECT: it does not notice that
        the connection is closed."""
        if self._registered:
            self._registered = False
            if self.session is not None:
                self._acknowledge_arrived()
            self._write(chat10.encode(chat10.GOODBYE, self._lines))
        super().log_out()

    def connectionLost(self, *reason: Any) -> None:
        """See `Connection`."""
        self._cancel_pause()
        for call in (self._acknowledging, self._delayed_close):
            if call is not None:
                call.cancel()
        self._acknowledging = self._delayed_close = None
        super().connectionLost(*reason)
