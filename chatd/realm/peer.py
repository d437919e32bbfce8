"""The peer of a session: the connection behind it, and the rules of its protocol."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from chatd.core.addresses import LOCAL
from chatd.realm.live_log import Run
from chatd.realm.positions import SOON
from chatd.stores import Append


class SessionOptions(msgspec.Struct, frozen=True):
    """The rules of a protocol for its sessions.

    `exclusive`: an account has one such session at a time, and with `takes_over` a new one ends
    it. `fetches`: mail that waits at login is shown when the client asks for it. `rooms`: the
    session follows the rooms of its account. `save_within` is within how many seconds what is
    acknowledged is saved.
    """

    exclusive: bool = False
    takes_over: bool = False
    fetches: bool = False
    rooms: bool = True
    save_within: float = SOON


class Peer:
    """The connection of a session, which each protocol implements. Notifications that a protocol
    cannot express do nothing unless it overrides them."""

    session_options = SessionOptions()
    """the rules for the sessions of this protocol"""

    @property
    def address(self) -> str:
        """The address of the client, without its port; `LOCAL` for one of a unix socket."""
        return LOCAL

    @property
    def network(self) -> str:
        """As what the client is counted (`chatd.core.addresses.network_of`)."""
        return LOCAL

    @property
    def separate_writes(self) -> bool:
        """Whether each entry that is shown takes a write of its own. It does not change while the
        peer has a session."""
        return False

    @property
    def writable(self) -> bool:
        """Whether the connection has taken all that it was given. When that becomes true again,
        the protocol calls `Session.catch_up`."""
        raise NotImplementedError

    @property
    def about(self) -> str:
        """The protocol and the address of the client, for operators."""
        raise NotImplementedError

    def show(self, runs: Sequence[Run]) -> None:
        """Send entries to the client, committed just now or read from a log."""
        raise NotImplementedError

    def answer(self, appends: Sequence[Append]) -> None:
        """Send the outcome of appends that this peer sent, in the order in which it sent them."""
        raise NotImplementedError

    @property
    def disconnected(self) -> bool:
        """Whether the connection is closed, so that answers are of no use."""
        return False

    def charge(self, commands: float) -> None:
        """Count work that this peer has caused as so many commands, where its rate is limited."""

    def failed(self) -> None:
        """Called while the exception is handled that `show` or another method of this peer has
        raised: log it, and abort the connection."""
        raise NotImplementedError

    def session_ending(self) -> None:
        """The session is about to end: acknowledge, for a client that cannot, what has arrived."""

    def session_ended(self, code: str, sentence: str) -> None:
        """The server has ended the session: send the reason, as far as the protocol can, and
        close."""
        raise NotImplementedError

    def hung_up(self) -> bool:
        """Whether the client has closed the connection, although this may not be noticed yet."""
        return False

    def echo(self, appends: Sequence[Append]) -> None:
        """Another session of the account has sent these entries to a mailbox."""

    def receipt(self, log: str, what: str, seqs: Sequence[int]) -> None:
        """Entries of a log have been ``delivered`` or ``read``."""

    def typing(self, log: str, name: str, typing: bool) -> None:
        """An account is typing in a conversation or a room, or has stopped."""

    def presence(self, name: str, status: str, text: str, seen: int) -> None:
        """The presence of a watched account has changed."""

    def joined(self, log: str) -> None:
        """Another session of the account has joined a room."""

    def left(self, room: str, reason: str, note: str = "", until: int = 0) -> None:
        """The account is no longer a member of a room. Of a ban, `note` is what the moderator gives
        as the reason, and `until` its end (milliseconds since 1970; 0: none)."""

    def announcement(self, time: int, text: str) -> None:
        """An operator has announced something to all sessions: one line of printable text."""
