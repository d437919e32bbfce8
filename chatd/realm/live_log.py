"""A log that somebody here reads: how far it goes, and who is handed what is appended to it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Protocol

from chatd.stores import Append, Store

MIN_RETAINED = 256
"""entries of a log that a volatile store keeps after they have been read, at least"""
TRIM_BATCH = 4 * MIN_RETAINED


class Run(list[Append]):
    """Entries of one log that were committed together, in order, with seqs that follow each other,
    for several readers. (For one, a list is enough.)

    `encoded` is for the protocol whose peers acknowledge: what the run is on the wire, made once,
    however many read it.
    """

    encoded: bytes | None = None


class Subscriber(Protocol):
    """One session's reading of one log. While it is `live`, it takes every run as it is committed.

    `session` is the `chatd.realm.session.Session`."""

    live: bool
    session: Any

    @property
    def position(self) -> int:
        """Up to which seq it needs nothing from the log any more."""


class LiveLog:
    """A log with its readers. `head` is the last seq known to be committed; `claimed` whether the
    store may say that a session takes all there is (`chatd.realm.claims`)."""

    __slots__ = ("claimed", "head", "log", "store", "subscriptions", "trim_at")

    def __init__(self, store: Store, log: str) -> None:
        self.store = store
        self.log = log
        self.head = 0
        self.claimed = False
        self.subscriptions: Sequence[Subscriber] = ()
        self.trim_at = sys.maxsize
        """the head at which a volatile store should be told what it may forget"""

    def subscribe(self, subscription: Subscriber) -> None:
        """One more reads it."""
        # A new sequence each time: whoever is going through the old one goes on undisturbed.
        self.subscriptions = (*self.subscriptions, subscription)
        if self.store.ephemeral and self.trim_at == sys.maxsize:
            self.trim_at = self.head + TRIM_BATCH

    def unsubscribe(self, subscription: Subscriber) -> None:
        """One less."""
        self.subscriptions = tuple(
            other for other in self.subscriptions if other is not subscription
        )

    @property
    def consumed(self) -> int:
        """Up to which seq nobody needs the entries any more, as far as this daemon knows."""
        raise NotImplementedError

    def trim_consumed(self) -> None:
        """Have the store drop what nobody needs, but for the latest entries."""
        self.store.trim(self.log, self.consumed - MIN_RETAINED)
        self.trim_at = self.head + TRIM_BATCH
