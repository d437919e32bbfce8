"""What all sessions are: a peer logged in as an account, that sends and is told what became of it.

There are two kinds, for two kinds of protocols. A `chatd.realm.auto_ack_session.AutoAckSession`
speaks for a peer that cannot acknowledge anything: what it has been handed counts as read. A
`chatd.realm.ack_session.AckSession` is for one that acknowledges, and that reads rooms besides its
inbox.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from chatd.stores import Append

if TYPE_CHECKING:
    from chatd.realm.mailbox import Mailbox


class Peer(Protocol):
    """What a protocol is to any session."""

    @property
    def writable(self) -> bool:
        """Whether the connection has taken all it was given; when it has again, call
        `Session.catch_up`."""

    @property
    def about(self) -> str:
        """The protocol and where the peer is, for operators."""

    def answer(self, appends: Sequence[Append]) -> None:
        """Tell what became of appends that this peer sent, in order."""

    def session_ended(self, code: str, sentence: str) -> None:
        """The session has been ended from this side: say why, as far as the protocol can, and
        close."""


class Session:
    """A peer logged in as the account `name`, whose inbox is `mailbox`.

    `since` is when, in milliseconds since 1970 (UTC).
    """

    __slots__ = (
        "_went",
        "answers",
        "ended",
        "leaving",
        "mailbox",
        "name",
        "outbox",
        "since",
        "wants_receipts",
    )

    peer: Peer

    def __init__(
        self, name: str, mailbox: Mailbox, since: int, went: Callable[[Session], None]
    ) -> None:
        """`went` is called when it has ended."""
        self.name = name
        self.mailbox = mailbox
        self.since = since
        self.answers: list[Append] = []
        self.outbox: list[Sequence[Append]] = []
        self.ended = False
        self.leaving = False
        self.wants_receipts = False
        self._went = went

    def push(self) -> bool:
        """Hand over the outbox; False if the peer could not take all of it and has fallen
        behind."""
        raise NotImplementedError

    def fall_behind(self) -> None:
        """Stop pushing."""
        raise NotImplementedError

    @property
    def behind(self) -> bool:
        """Whether there is something for `catch_up` to do."""
        raise NotImplementedError

    async def catch_up(self) -> None:
        """Read on in the log until there is nothing more to send, or the peer takes no more.

        May raise `StoreUnavailable`; what has not been sent by then still waits.
        """
        raise NotImplementedError

    def end(self) -> None:
        """Log out. Ending twice is ending once."""
        raise NotImplementedError

    def vanish(self) -> None:
        """Log out with nothing left to keep: the account is gone."""
        raise NotImplementedError

    def answer(self) -> None:
        """Let the peer know what became of what it sent."""
        answers = self.answers
        self.answers = []
        self.peer.answer(answers)
        if len(self.mailbox.subscriptions) > 1:
            for other in self.mailbox.sessions:
                if other is not self:
                    other.echo(answers)

    def echo(self, appends: Sequence[Append]) -> None:
        """Another session of the account has sent this."""
