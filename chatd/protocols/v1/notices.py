"""Version 1: what a client is sent besides entries and answers.

These are notices about what has happened: messages that other sessions sent, receipts, typing,
presence, rooms joined and left. A client that does not read them gets a bounded number of events,
and of states the last one, when it reads on (`chatd.protocols.v1.unread_states`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from chatd.codecs import v1_messages as c
from chatd.codecs.v1 import encode
from chatd.core.names import room_name
from chatd.protocols.v1.rooms import room_info
from chatd.protocols.v1.unread_states import UnreadStates
from chatd.realm.session import Session
from chatd.server.connection import Connection
from chatd.stores import Append

_UNREAD_EVENTS = 256 * 1024
"""bytes of `Sent` and `Receipt` that are written to a client that does not read; later ones are
dropped"""


class NotifiedConnection(Connection):
    """A connection whose client is sent notices; `features` are those that it has asked for."""

    session: Session | None
    features: frozenset[str] = frozenset()
    _unread_events = 0
    _unread_states: UnreadStates | None = None

    def write(self, message: c.Message) -> None:
        """See `chatd.protocols.v1.requests.V1Connection`."""
        if not self.disconnected:
            self.transport.write(encode(message))

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

    def left(self, room: str, reason: str, note: str = "", until: int = 0) -> None:
        """See `chatd.realm.peer.Peer`."""
        if not self.writable:
            self._unread.left(room_name(room), c.Left(room, reason, note, until))
        else:
            self.write(c.Left(room, reason, note, until))

    def announcement(self, time: int, text: str) -> None:
        """See `chatd.realm.peer.Peer`."""
        self._write_event(_encoded_announcement(time, text))

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

    def _notify(self, message: c.Message) -> None:
        """Send an event, unless the client has not read too many events before it."""
        self._write_event(encode(message))

    def _write_event(self, data: bytes) -> None:
        if self.writable:
            self._unread_events = 0
        elif self._unread_events > _UNREAD_EVENTS:
            return
        self._unread_events += len(data)
        if not self.disconnected:
            self.transport.write(data)

    def log_state(self, session: Session, log: str) -> c.LogState:
        """See `chatd.protocols.v1.requests.V1Connection`."""
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
        upto = state.cursor.upto
        if session.scope is not None:
            upto = session.subscriptions[log].position
        return c.LogState(log, membership.since, head, upto, state.read, info)


# One notice goes to many clients, one after another: it is encoded for the first of them only.


@lru_cache(maxsize=1)
def _encoded_typing(log: str, name: str, typing: bool) -> bytes:
    return encode(c.Typing(log, name, typing))


@lru_cache(maxsize=1)
def _encoded_presence(name: str, status: str, text: str, seen: int) -> bytes:
    return encode(c.Presence(c.Person(name, status, text, seen)))


@lru_cache(maxsize=1)
def _encoded_announcement(time: int, text: str) -> bytes:
    return encode(c.Announcement(time, text))
