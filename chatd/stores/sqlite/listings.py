"""Listings of keys, a step at a time, on a thread and a read connection of their own.

A step reads a few hundred keys along an index, in a transaction of its own: a transaction that
lasted longer would keep the write-ahead log from being started anew, so that the file grew. So a
listing is not of one moment: a document that is created or deleted meanwhile may be in it or not.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from queue import SimpleQueue
from typing import Literal

from chatd.core.errors import StoreUnavailable
from chatd.core.glob import matcher

_ROWS = 512
"""keys that one step reads at most"""
_FEWEST_ROWS = 64
"""keys that it reads at least"""


class Listing:
    """A listing of the keys of a kind and scope that match a glob, in order of `column`.

    It begins after the value `after` of that column, and ends with `limit` keys if it is given.
    `answer` is called once, with the keys or with a refusal, on the thread of the lister.
    """

    def __init__(
        self,
        column: Literal["id", "key"],
        kind: str,
        scope: str,
        pattern: str,
        after: int | str,
        limit: int | None,
        answer: Callable[[list[str] | StoreUnavailable], None],
    ) -> None:
        self.answer = answer
        self.keys: list[str] = []
        """what has been found"""
        self._query = (
            f"SELECT {column}, key FROM visible_documents WHERE kind = ? AND scope = ?"
            f" AND {column} > ? ORDER BY {column} LIMIT ?"
        )
        self._kind = kind
        self._scope = scope
        self._matches = matcher(pattern)
        self._after = after
        self._limit = limit

    def step(self, connection: sqlite3.Connection) -> bool:
        """Read some of the keys; whether the listing is complete. May raise `sqlite3.Error`."""
        keys = self.keys
        rows = _ROWS
        if self._limit is not None:
            rows = min(rows, max(_FEWEST_ROWS, self._limit - len(keys)))
        page = connection.execute(
            self._query, (self._kind, self._scope, self._after, rows)
        ).fetchall()
        keys += [key for _, key in page if self._matches(key)]
        if self._limit is not None and len(keys) >= self._limit:
            del keys[self._limit :]
            return True
        if len(page) < rows:
            return True
        self._after = page[-1][0]
        return False


class ListerWorker:
    """Answers listings; those in the queue take turns, a step each.

    None in the queue ends it: the listings that are not complete are refused.
    """

    def __init__(
        self, listings: SimpleQueue[Listing | None], connection: sqlite3.Connection
    ) -> None:
        self._listings = listings
        self._connection = connection

    def ready(self) -> bool:
        """See `Worker`."""
        return not self._listings.empty()

    def step(self) -> bool:
        """See `Worker`. Does one step of a listing."""
        listing = self._listings.get()
        if listing is None:
            self._connection.close()
            while not self._listings.empty():
                listing = self._listings.get()
                assert listing is not None
                listing.answer(StoreUnavailable("the daemon stops"))
            return False
        try:
            complete = listing.step(self._connection)
        except sqlite3.Error as error:
            listing.answer(StoreUnavailable(f"the store cannot be read at the moment: {error}"))
            return True
        if complete:
            listing.answer(listing.keys)
        else:
            self._listings.put(listing)
        return True
