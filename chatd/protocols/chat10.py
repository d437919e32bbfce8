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
from functools import lru_cache
from itertools import takewhile
from typing import Any, NamedTuple

from twisted.internet.interfaces import IDelayedCall

from chatd.auth.credentials import NameOnly
from chatd.codecs import chat10
from chatd.core.entries import TEXT, described, without_controls
from chatd.core.errors import (
    AddressBanned,
    AlreadyLoggedIn,
    Banned,
    LimitReached,
    NameTaken,
    PasswordRequired,
    Refused,
    Suspended,
    TextTooLong,
)
from chatd.core.names import LOBBY, NOTICE_SENDER, room_name
from chatd.realm.delivery import refusal_of
from chatd.realm.live_log import Run
from chatd.realm.peer import SessionOptions
from chatd.realm.positions import VERY_SOON
from chatd.realm.session import Session
from chatd.server.factory import ConnectionFactory
from chatd.server.states import PauseReason, Phase
from chatd.server.unframed import Unframed
from chatd.stores import Append

_APART = 0.25
"""seconds between two writes that a client without framing must not read as one"""


class OutgoingText:
    """A text to be sent to the lobby, as the realm takes it."""

    __slots__ = ("text",)

    recipient = LOBBY
    sender = key = None

    def __init__(self, text: str) -> None:
        self.text = text


class Chat10Protocol(Unframed):
    """The connection of one client, in either framing: lines, or no framing at all."""

    session_options = SessionOptions(save_within=VERY_SOON)
    framed = None
    longest = chat10.LONGEST
    _decoder: chat10.Decoder
    _registered = False
    _wrote_at = 0.0
    _delayed_close: IDelayedCall | None = None

    def __init__(self, factory: ConnectionFactory) -> None:
        super().__init__(factory, chat10.Decoder())

    @property
    def _lines(self) -> bool:
        return self._decoder.lines is not False

    # From the client

    def dataReceived(self, data: bytes) -> None:
        """See `Connection`. A registration without a line break is complete after a pause."""
        if self.framed is None:
            self.cancel_pause()
            if self._decoder.shows_lines(data):
                self.framed = True
            else:
                self.await_pause()
        super().dataReceived(data)

    def input_paused(self) -> None:
        """See `Unframed`. A first message without a line break shows the framing."""
        if self.framed is None:
            self.framed = False
            self._decoder.pause()
            self.take_read(b"")
        else:
            super().input_paused()

    def burst(self, messages: Sequence[chat10.Command]) -> int:
        """Send texts, until another message."""
        session = self.session
        if session is None:
            return 0
        batch = list(takewhile(_sends, messages))
        for done, message in enumerate(batch):
            if not isinstance(message, chat10.Text):
                self.log_refusal(TextTooLong.code)
                continue
            if not message.text.strip():
                continue
            text = OutgoingText(message.text)
            # One at a time: a refused text must not cost more than another.
            appends, refusal = self.realm.send(session, (text,))
            if appends:
                self.pending.append(text)
            elif refusal is not None:
                # The protocol has no reply for it.
                self.log_refusal(refusal.code)
            else:
                # The lobby limits sending: `perform` looks closer.
                self.realm.flush()
                return done
        self.realm.flush()
        return len(batch)

    async def perform(self, message: chat10.Command) -> None:
        """Carry out one message, when all before it have been carried out."""
        match message:
            case chat10.Register(name, invite):
                await self._register(name, invite)
            case chat10.Disconnect():
                if self.pending:
                    self.requeue(message)
                else:
                    self.close()
            case chat10.Text(text) if self.session is not None:
                await self._send(self.session, OutgoingText(text))
            case chat10.TooLong() if self.session is not None:
                self.burst((message,))
            case _:
                self._refuse(chat10.INVALID, "malformed")

    async def _send(self, session: Session, text: OutgoingText) -> None:
        if not text.text.strip():
            return
        try:
            await self.realm.deliver(session, text)
        except Refused as refused:
            # The protocol has no reply for it.
            self.log_refusal(refused.code)
        else:
            self.pending.append(text)
            self.realm.flush()

    async def _register(self, name: str, invite: str | None) -> None:
        sessions = self.realm.sessions
        try:
            if sessions.is_in_use(name):
                raise AlreadyLoggedIn()
            with suppress(NameTaken):
                await self.factory.register(name, None, invite, self)
            session = await self.factory.log_in(
                NameOnly(name, self.address, self.certificate), self
            )
            if sessions.is_in_use(name, session):
                session.end()
                raise AlreadyLoggedIn()
            self.logged_in(session)
            if LOBBY not in session.subscriptions:
                await self.realm.rooms.join(session, LOBBY)
        except (AlreadyLoggedIn, PasswordRequired) as refused:
            self._refuse(chat10.TAKEN, refused.code, account=name)
        except (LimitReached, Banned, Suspended, AddressBanned) as refused:
            # A moderator, or an operator, has written the reason.
            sentence = " ".join(without_controls(str(refused)).split())
            # Old clients without framing compare the whole reply.
            reply = f"{chat10.INVALID}: {sentence}" if self._lines else chat10.INVALID
            self._refuse(reply, refused.code, refused.quota, name)
        except Refused as refused:
            self._refuse(chat10.INVALID, refused.code, refused.quota, name)
        else:
            self._begin(session)

    def _begin(self, session: Session) -> None:
        if session.ended or LOBBY not in session.subscriptions:
            # The account was deleted, or its member was kicked, meanwhile.
            self._refuse(chat10.INVALID, "unknown-account")
            return
        self._registered = True
        self._write(chat10.encode(chat10.REGISTERED, self._lines))
        for log in list(session.subscriptions):
            if log not in (session.mailbox.name, LOBBY):
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
        """See `chatd.realm.peer.Peer`."""
        return super().writable and not self.paused_for & PauseReason.FIRST_REPLY

    @property
    def separate_writes(self) -> bool:
        """See `chatd.realm.peer.Peer`."""
        return not self._lines

    def show(self, runs: Sequence[Run]) -> None:
        """See `chatd.realm.peer.Peer`."""
        session = self.session
        if session is None:
            return
        for run in runs:
            if run.log != LOBBY:
                self._show_mail(run)
            elif self._lines and session.account not in _encoded(run).authors:
                data, sizes, _ = _encoded(run)
                self.wrote_entries(run.log, run.entries[0].seq, sizes, len(data))
                if data:
                    self.transport.write(data)
            else:
                self._show_lobby(run, session)

    def _show_lobby(self, run: Run, session: Session) -> None:
        """Show what others have written; without lines, each message is a write of its own."""
        for entry in run.entries:
            others = entry.kind == TEXT and entry.author != session.account
            parts = chat10.encode_text(entry.sender, entry.body, self._lines) if others else []
            self._show_parts(run.log, entry.seq, parts)

    def _show_mail(self, run: Run) -> None:
        for entry in run.entries:
            text = f"(private) {described(entry.kind, entry.body)}"
            self._show_parts(
                run.log, entry.seq, chat10.encode_text(entry.sender, text, self._lines)
            )

    def _show_parts(self, log: str, seq: int, parts: Sequence[bytes]) -> None:
        size = sum(map(len, parts))
        self.wrote_entries(log, seq, (size,), size)
        for data in parts:
            self._wrote_at = self.clock.seconds()
            self.transport.write(data)

    def write_answers(self, messages: Sequence[OutgoingText], appends: Sequence[Append]) -> None:
        """See `Connection`. The protocol has no answers."""
        for append in appends:
            refusal = refusal_of(append)
            if refusal is not None:
                self.log_refusal(refusal.code, refusal.quota)

    def announcement(self, time: int, text: str) -> None:
        """See `chatd.realm.peer.Peer`. It is a message from the server; a client that does not read
        gets none."""
        if self.writable:
            for data in _encoded_announcement(text, self._lines):
                self._write(data)

    def joined(self, log: str) -> None:
        """See `chatd.realm.peer.Peer`."""
        if self.session is not None and log != LOBBY:
            self.session.unsubscribe(log)

    def left(self, room: str, reason: str, note: str = "", until: int = 0) -> None:
        """See `chatd.realm.peer.Peer`. What is still on its way acknowledges nothing after the
        account has joined again. A client that was removed from the lobby has no other room, so its
        session ends."""
        self.writes.forget(room_name(room))
        if room_name(room) == LOBBY and reason in ("kicked", "banned"):
            self.log_refusal(reason)
            self.close()

    @property
    def about(self) -> str:
        """See `chatd.realm.peer.Peer`."""
        return f"CHAT/1.0, from {self.address_and_port}"

    def _write(self, data: bytes) -> None:
        if not self.disconnected:
            self._wrote_at = self.clock.seconds()
            self.writes.record(len(data))
            self.transport.write(data)

    def _refuse(self, reply: str, code: str, quota: str = "", account: str = "") -> None:
        self.log_refusal(code, quota, account)
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
            self._write(chat10.encode(chat10.GOODBYE, self._lines))
        super().log_out()

    def connectionLost(self, *reason: Any) -> None:
        """See `Connection`."""
        if self._delayed_close is not None:
            self._delayed_close.cancel()
            self._delayed_close = None
        super().connectionLost(*reason)


def _sends(message: chat10.Command) -> bool:
    return isinstance(message, chat10.Text | chat10.TooLong)


class _Encoding(NamedTuple):
    """The texts of a run in lines, the size of each entry, and the ids of those who wrote them."""

    data: bytes
    sizes: list[int]
    authors: frozenset[int]


def _encoded(run: Run) -> _Encoding:
    """A run in lines, encoded once for all the connections that share it."""
    encodings = run.encodings
    if encodings is not None and _encoded in encodings:
        shared: _Encoding = encodings[_encoded]
        return shared
    texts = [
        b"".join(chat10.encode_text(entry.sender, entry.body, True)) if entry.kind == TEXT else b""
        for entry in run.entries
    ]
    authors = frozenset(entry.author for entry in run.entries)
    encoding = _Encoding(b"".join(texts), list(map(len, texts)), authors)
    if encodings is not None:
        encodings[_encoded] = encoding
    return encoding


@lru_cache(maxsize=2)
def _encoded_announcement(text: str, lines: bool) -> list[bytes]:
    """An announcement, which goes to many clients one after another."""
    return chat10.encode_text(NOTICE_SENDER, text, lines)
