"""A log with local subscribers: how far it goes, and which sessions get what is appended to it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

import msgspec

from chatd.core.entries import Entry
from chatd.stores import Append, Store

MIN_RETAINED = 256
"""entries of a log that an ephemeral store retains after they have been read, at least"""
TRIM_INTERVAL = 4 * MIN_RETAINED
"""entries appended to a log before an ephemeral store is asked again to trim it"""
_FEW = 8
"""subscribers of a log that are held in a tuple, which takes less memory than a dict"""


class Run(msgspec.Struct, gc=False):
    """Entries of one log with successive seqs: committed together, or read together from the log.

    `log` is the name by which clients know the log. `encodings` is for peers: the run as they send
    it, by the function that encodes it, so that a run is encoded once however many sessions it is
    shown to; None: it is shown to one session.
    """

    log: str
    entries: Sequence[Append | Entry]
    encodings: dict[Callable[[Run], Any], Any] | None = None


class Subscriber(Protocol):
    """One session's subscription to one log. While it is `live`, every run is pushed to it when it
    is committed.

    `session` is a `chatd.realm.session.Session`, `sent` the seq up to which it has been sent the
    entries, or more while it is `live`.
    """

    live: bool
    sent: int
    session: Any

    @property
    def position(self) -> int:
        """The seq up to which the session needs no entries of the log."""


class LiveLog:
    """A log with its subscribers. `log` names it in the store, `name` is the name by which clients
    know it; `head` is the last seq known to be committed."""

    __slots__ = (
        "fan_out_after",
        "head",
        "limits_sending",
        "log",
        "name",
        "separate_writes",
        "store",
        "subscriptions",
        "trim_at",
    )

    def __init__(self, store: Store, log: str, name: str) -> None:
        self.store = store
        self.log = log
        self.name = name
        self.head = 0
        self.limits_sending = False
        """whether some of those who can append to the log may not do so at all times
        (`chatd.realm.room_speech`)"""
        self.subscriptions: Collection[Subscriber] = ()
        """in the order in which they subscribed; not to be iterated over while that may change"""
        self.separate_writes = 0
        """how many of them have a peer with `Peer.separate_writes`"""
        self.fan_out_after: int | None = None
        """while entries are pushed in parts (`chatd.realm.fan_out`): the seq of the last one that
        every live subscription has been sent"""
        self.trim_at = sys.maxsize
        """the head at which an ephemeral store is asked to trim the log"""

    def subscribe(self, subscriber: Subscriber) -> None:
        """Push later entries to one more subscriber."""
        self.separate_writes += subscriber.session.peer.separate_writes
        subscriptions = self.subscriptions
        if isinstance(subscriptions, dict):
            subscriptions[subscriber] = None
        elif len(subscriptions) < _FEW:
            self.subscriptions = (*subscriptions, subscriber)
        else:
            self.subscriptions = dict.fromkeys((*subscriptions, subscriber))
        if self.store.ephemeral and self.trim_at == sys.maxsize:
            self.trim_at = self.head + TRIM_INTERVAL

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Stop pushing to a subscriber."""
        self.separate_writes -= subscriber.session.peer.separate_writes
        subscriptions = self.subscriptions
        if isinstance(subscriptions, dict):
            subscriptions.pop(subscriber, None)
            if len(subscriptions) < _FEW:
                self.subscriptions = tuple(subscriptions)
        else:
            self.subscriptions = tuple(other for other in subscriptions if other is not subscriber)

    @property
    def pushed(self) -> int:
        """The seq up to which every live subscription has been sent the entries."""
        return self.head if self.fan_out_after is None else self.fan_out_after

    @property
    def consumed(self) -> int:
        """The seq up to which no session needs the entries, as far as this daemon knows."""
        raise NotImplementedError

    def trim_consumed(self) -> None:
        """Trim what no session needs, except for the latest entries."""
        self.store.trim(self.log, self.consumed - MIN_RETAINED)
        self.trim_at = self.head + TRIM_INTERVAL
