"""What operators may ask of a running daemon: plain records in and out.

The admin socket uses it; so can every other interface for operators. Nothing here checks who asks:
the caller decides that. Times are milliseconds since 1970 (UTC).

A listing comes in pages: at most `limit` items, from the first after `after` on. `Page.last` is the
`after` of the next page.
"""

from __future__ import annotations

import os.path
import secrets
from collections.abc import Callable
from typing import Protocol

import msgspec

from chatd.core.errors import BackupFailed, BadRequest
from chatd.core.names import is_room
from chatd.realm.account_operations import AccountOperations
from chatd.realm.accounts import Account
from chatd.realm.erasure import Erasure
from chatd.realm.mass_deletion import MassDeletion
from chatd.realm.personal_data import PersonalData
from chatd.realm.realm import Realm
from chatd.realm.room import RoomRecord
from chatd.realm.room_operations import RoomOperations
from chatd.realm.tasks import gather
from chatd.realm.token_operations import TokenOperations
from chatd.stores import COMMIT_TIMES, OnlineBackup, StoreCounts


class StoreStatistics(msgspec.Struct, frozen=True):
    """What a store has done since the daemon started: entries that it has answered, stored or
    refused, the characters of their texts, its batches, and how many seconds their commits took.

    `commits` counts them by their times: ``0.002`` those of more than 0.001 and at most 0.002
    seconds, and ``longer`` those of more than a second.
    """

    entries: int
    characters: int
    batches: int
    commit_seconds: float
    longest_commit: float
    commits: dict[str, int]


class Statistics(msgspec.Struct, frozen=True):
    """Counts of a running daemon, and when it started."""

    started: int
    accounts: int
    rooms: int
    sessions: int
    accounts_online: int
    rooms_in_memory: int
    store_backlog: int
    """characters of text that the store has accepted and not committed yet"""
    refusals: dict[str, int]
    """since the start: requests and connections that were refused, by the code of the refusal"""
    quotas_met: dict[str, int]
    """since the start: how often a bound was met, by its name"""
    queues: dict[str, int]
    """the lengths of the daemon's queues, by name"""
    store: StoreStatistics
    """what the store has done since the start"""


class LogLevel(Protocol):
    """How much the daemon logs."""

    @property
    def level(self) -> str:
        """The least important level that is logged."""

    def set(self, level: str) -> None:
        """Log this level and those above it from now on."""


class Operations(AccountOperations, RoomOperations, TokenOperations):
    """Everything that operators may ask of one daemon. Here is what concerns the daemon as a whole,
    and the features that answer requests of operators themselves.

    `random_bytes` gives so many bytes that cannot be guessed, for invite tokens; `log_level` is
    None if it cannot be changed.
    """

    def __init__(
        self,
        realm: Realm,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
        log_level: LogLevel | None = None,
    ) -> None:
        AccountOperations.__init__(self, realm)
        RoomOperations.__init__(self, realm)
        TokenOperations.__init__(self, realm, random_bytes)
        self._log_level = log_level
        self._started = realm.now()
        self.suspensions = realm.suspensions
        self.announcements = realm.announcements
        self.audit = realm.audit
        self.mass_deletion = MassDeletion(realm, self.accounts)
        self.personal_data = PersonalData(realm)
        self.erasure = Erasure(realm)
        self.reports = realm.reports
        self.address_bans = realm.address_bans

    async def statistics(self) -> Statistics:
        """Counts of accounts, rooms, sessions and work in progress."""
        accounts, rooms = await gather(
            self._documents.count(Account), self._documents.count(RoomRecord)
        )
        sessions = self._realm.sessions.all()
        counters = self._realm.counters
        return Statistics(
            started=self._started,
            accounts=accounts,
            rooms=rooms,
            sessions=len(sessions),
            accounts_online=len({session.account for session in sessions}),
            rooms_in_memory=sum(map(is_room, self._realm.delivery.live_logs)),
            store_backlog=self._store.backlog,
            refusals=dict(counters.refusals),
            quotas_met=dict(counters.quotas_met),
            queues=counters.queues,
            store=_store_statistics(self._store.counts),
        )

    def log_level(self, level: str) -> str:
        """Log lines of this level and above from now on; with an empty text, change nothing.
        Returns the level. Raises `BadRequest` if it cannot be changed."""
        if self._log_level is None:
            raise BadRequest("the log of this daemon has no level")
        if level:
            self._log_level.set(level)
        return self._log_level.level

    async def backup(self, path: str) -> None:
        """Write a copy of the whole store, as of one moment, to a new file.

        Raises `BadRequest` unless the path is absolute, and `BackupFailed`.
        """
        if not os.path.isabs(path):
            raise BadRequest(
                "the path of a backup must be absolute: the daemon may run in another directory"
            )
        if not isinstance(self._store, OnlineBackup):
            raise BackupFailed(
                "this kind of store has no online backup (a store in memory, for example)"
            )
        await self._store.backup(path)


def _store_statistics(counts: StoreCounts) -> StoreStatistics:
    times = [*map(str, COMMIT_TIMES), "longer"]
    return StoreStatistics(
        counts.entries,
        counts.characters,
        counts.batches,
        round(counts.commit_seconds, 6),
        round(counts.longest_commit, 6),
        dict(zip(times, counts.commits, strict=True)),
    )
