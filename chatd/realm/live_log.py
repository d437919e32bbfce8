"""A log that somebody here reads: how far it goes, and who is handed what is appended to it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Protocol

from chatd.stores import Append, Store

KEPT = 256
"""entries of a log that a volatile store keeps after they have been read, at least"""
FORGOTTEN_AT_ONCE = 4 * KEPT


class Run(list[Append]):
    """Entries of one log that were committed together, in order, with seqs that follow each other, for
    several readers. (For one, a list is enough.)

    `encoded` is for the protocol whose peers acknowledge: what the run is on the wire, made once, however
    many read it.
    """

    encoded: bytes | None = None


class Reading(Protocol):
    """One session's reading of one log. While it is `live`, it takes every run as it is committed.

    `session` is the `chatd.realm.session.Session`."""

    live: bool
    session: Any

    @property
    def position(self) -> int:
        """Up to which seq it needs nothing from the log any more."""


class Feed:
    """A log with its readers. `head` is the last seq known to be committed; `claimed` whether the store
    may say that a session takes all there is (`chatd.realm.mailbox`)."""

    __slots__ = ("claimed", "forget_at", "head", "log", "readers", "store")

    def __init__(self, store: Store, log: str) -> None:
        self.store = store
        self.log = log
        self.head = 0
        self.claimed = False
        self.readers: Sequence[Reading] = ()
        self.forget_at = sys.maxsize
        """the head at which a volatile store should be told what it may forget"""

    def attach(self, reader: Reading) -> None:
        """One more reads it."""
        # A new sequence each time: whoever is going through the old one goes on undisturbed.
        self.readers = (*self.readers, reader)
        if self.store.volatile and self.forget_at == sys.maxsize:
            self.forget_at = self.head + FORGOTTEN_AT_ONCE

    def detach(self, reader: Reading) -> None:
        """One less."""
        self.readers = tuple(other for other in self.readers if other is not reader)

    @property
    def forgettable(self) -> int:
        """Up to which seq nobody needs the entries any more, as far as this daemon knows."""
        raise NotImplementedError

    def forget(self) -> None:
        """Have the store drop what nobody needs, but for the latest entries."""
        self.store.trim(self.log, self.forgettable - KEPT)
        self.forget_at = self.head + FORGOTTEN_AT_ONCE
