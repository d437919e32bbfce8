"""A session: one authenticated connection of an account, and the peer behind it.

There are two kinds. An `AutoAckSession` reads the mailbox only, and what it has shown counts as
read (classic, ops). An `AckSession` reads the mailbox and rooms, and its peer acknowledges: the
client of version 1 itself, or the protocol on behalf of its clients (CHAT/1.0, gRPC).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from chatd.realm.live_log import Run
from chatd.stores import Append

if TYPE_CHECKING:
    from chatd.realm.mailbox import Mailbox


SESSIONS_PER_COMMAND = 50
"""notified sessions that count as one command of the account that caused the notification"""


class Peer:
    """The connection of a session, which each protocol implements. Notifications that a protocol
    cannot express do nothing unless it overrides them."""

    takes_over = False
    """whether logging in here ends a session of the account elsewhere that is in the way"""

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

    def charge(self, commands: float) -> None:
        """Count work that this peer has caused as so many commands, where its rate is limited."""

    def failed(self) -> None:
        """Called while the exception is handled that `show` or another method of this peer has
        raised: log it, and abort the connection."""
        raise NotImplementedError

    def session_ended(self, code: str, sentence: str) -> None:
        """The server has ended the session: send the reason, as far as the protocol can, and
        close."""
        raise NotImplementedError

    def unsent(self) -> Sequence[int]:
        """The seqs of shown entries that have not left this process."""
        return ()

    def not_arrived(self) -> Sequence[int]:
        """The seqs of shown entries that may not have reached the client."""
        return ()

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

    def left(self, room: str, reason: str) -> None:
        """The account is no longer a member of a room."""


class Session:
    """A peer logged in as the account `name`, whose mailbox is `mailbox`.

    `since` is the time of the login, in milliseconds since 1970 (UTC).
    """

    __slots__ = (
        "_on_end",
        "answers",
        "closing",
        "ended",
        "mailbox",
        "name",
        "outbox",
        "peer",
        "since",
        "wants_receipts",
    )

    def __init__(
        self,
        name: str,
        mailbox: Mailbox,
        peer: Peer,
        since: int,
        on_end: Callable[[Session], None],
    ) -> None:
        """`on_end` is called when the session has ended."""
        self.name = name
        self.mailbox = mailbox
        self.peer = peer
        self.since = since
        self.answers: list[Append] = []
        self.outbox: list[Run] = []
        """runs committed just now, to be pushed"""
        self.ended = False
        self.closing = False
        """whether the connection is about to close"""
        self.wants_receipts = False
        self._on_end = on_end

    def push(self) -> bool:
        """Show the outbox. Returns whether the connection took all of it."""
        runs = self.outbox
        self.outbox = []
        self.peer.show(runs)
        return self.peer.writable

    def fall_behind(self) -> None:
        """Stop pushing; `catch_up` continues from here."""
        raise NotImplementedError

    @property
    def behind(self) -> bool:
        """Whether there are entries for `catch_up` to show."""
        raise NotImplementedError

    async def catch_up(self) -> None:
        """Show entries from the logs until there are no more, or the connection takes no more.

        Raises `StoreUnavailable`; entries that have not been shown by then still wait.
        """
        raise NotImplementedError

    def end(self, lost: Sequence[int] | None = None) -> None:
        """End the session, and save what has been read. Does nothing if the session has ended.
        `lost` is for sessions whose peers cannot acknowledge."""
        raise NotImplementedError

    def end_without_saving(self) -> None:
        """End the session and save nothing, because the account is deleted."""
        raise NotImplementedError

    def answer(self) -> None:
        """Answer the appends in `answers`; other sessions of the account see what was sent.

        A peer that raises an exception is aborted, and no other.
        """
        answers = self.answers
        self.answers = []
        try:
            self.peer.answer(answers)
        except Exception:
            self.peer.failed()
        if len(self.mailbox.subscriptions) > 1:
            for other in self.mailbox.sessions:
                if other is not self:
                    try:
                        other.echo(answers)
                    except Exception:
                        other.peer.failed()

    def charge(self, commands: float) -> None:
        """Count work that the session has caused as so many of its commands."""
        self.peer.charge(commands)

    def echo(self, appends: Sequence[Append]) -> None:
        """Another session of the account has sent these entries."""
