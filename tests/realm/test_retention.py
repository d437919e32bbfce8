"""Retention: which entries are trimmed, and which never are."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet import reactor
from twisted.internet.defer import succeed
from twisted.trial.unittest import SynchronousTestCase, TestCase

from chatd.core.entries import Cursor
from chatd.core.limits import Retention
from chatd.core.names import REPORTS, is_room, log_id, mailbox_log, room_log
from chatd.realm import changes
from chatd.realm.accounts import Account
from chatd.realm.retention import AT_ONCE, INTERVAL_SECONDS, PAUSE_SECONDS, Trimming
from chatd.realm.room import RoomRecord
from chatd.realm.tasks import Tasks
from chatd.stores import Append, CreateLog, DropLog, Position
from chatd.stores.memory import MemoryStore
from chatd.stores.sqlite.store import SQLiteStore
from tests.doubles.folders import folder
from tests.doubles.realm import RealmHarness, Runner
from tests.doubles.stores import NULL_ORIGIN, FailingDocumentStore

DAY = 86_400_000
NOW = 1_000 * DAY
"""the time of these tests, in milliseconds"""

if TYPE_CHECKING:
    _Case = TestCase
else:
    _Case = object


def no_sessions(account: int) -> None:
    """What sessions have consumed if there are none."""


class _Trimmed(_Case):
    """The tests of trimming; subclasses make `store` in `setUp`."""

    store: Any
    ids: dict[str, int]
    """of the accounts and rooms, by name in lower case"""

    async def account(self, name: str, times: Sequence[int], cursor: Cursor | None = None) -> None:
        """Create an account with entries of these times in its mailbox, and with this cursor; all
        of them are read if there is none."""
        log = self.log(name)
        account = Account(0, id=log_id(log))
        await self.store.write([changes.create(name, account), CreateLog(log)])
        read = Cursor(len(times)) if cursor is None else cursor
        await self.store.save([Position(account.id, log, read)])
        await self.append(name, times)

    async def room(self, name: str, times: Sequence[int]) -> None:
        """Create a room with entries of these times."""
        log = self.log(name)
        await self.store.write([changes.create(name, RoomRecord(0, log_id(log))), CreateLog(log)])
        await self.append(name, times)

    def log(self, name: str) -> str:
        """The log of the account or the room of that name; reports are a log without an id."""
        if name == REPORTS:
            return name
        id = self.ids.setdefault(name.lower(), len(self.ids) + 1)
        return room_log(id) if is_room(name) else mailbox_log(id)

    async def append(self, name: str, times: Sequence[int]) -> None:
        """Append entries of these times to a log."""
        log = self.log(name)
        head = await self.store.head(log)
        self.store.append(
            [
                Append(log, 1000 * len(log) + head + at, time, "Ann", "x", NULL_ORIGIN)
                for at, time in enumerate(times)
            ]
        )
        self.store.flush()
        await self.store.head(log)

    async def trim(self, age: int | None = None, count: int | None = None, **options: Any) -> None:
        """Trim all logs once; `age` is in days."""
        runner = Tasks(lambda coroutine: None, lambda seconds: succeed(None))
        retention = Retention(None if age is None else age * 86_400, count)
        consumed = options.get("consumed", no_sessions)
        await Trimming(self.store, retention, runner, lambda: NOW, consumed).trim_all()

    async def seqs(self, name: str) -> list[int]:
        """The seqs of the entries that a log still has."""
        log = self.log(name.removeprefix("@") if name != REPORTS else name)
        return [entry.seq for entry in await self.store.read(log, 0, 10_000)]

    async def test_entries_are_trimmed_by_age(self) -> None:
        """Entries older than the limit are trimmed, those just as old are not."""
        times = [NOW - DAY * days for days in (90, 31, 31, 30, 29, 1, 0)]
        await self.account("Ann", times)
        await self.room("#Garden", times)
        await self.trim(age=30)
        self.assertEqual(await self.seqs("@ann"), [4, 5, 6, 7])
        self.assertEqual(await self.seqs("#garden"), [4, 5, 6, 7])

    async def test_entries_are_trimmed_by_number(self) -> None:
        """The latest entries stay, however old they are."""
        await self.account("Ann", [1] * 10)
        await self.room("#garden", [1] * 2)
        await self.trim(count=3)
        self.assertEqual(await self.seqs("@ann"), [8, 9, 10])
        self.assertEqual(await self.seqs("#garden"), [1, 2])

    async def test_entries_are_trimmed_by_age_and_number(self) -> None:
        """The limit that trims more counts."""
        old, new = NOW - 40 * DAY, NOW - DAY
        await self.account("Ann", [old] * 2 + [new] * 5)
        await self.account("Bob", [old] * 6 + [new])
        await self.trim(age=30, count=4)
        self.assertEqual(await self.seqs("@ann"), [4, 5, 6, 7])
        self.assertEqual(await self.seqs("@bob"), [7])

    async def test_bisection_finds_the_first_young_entry(self) -> None:
        """The first young entry is found at every position, and again when the log has grown."""
        for length in (1, 2, 3, 4, 7, 8, 9):
            for old in range(length + 1):
                name = f"a{length}.{old}"
                await self.account(name, [NOW - 2 * DAY] * old + [NOW] * (length - old))
        await self.trim(age=1)
        for length in (1, 2, 3, 4, 7, 8, 9):
            for old in range(length + 1):
                log = f"@a{length}.{old}"
                self.assertEqual(await self.seqs(log), list(range(old + 1, length + 1)), log)
                self.assertEqual(await self.store.head(self.log(log[1:])), length)
        await self.append("a4.2", [NOW] * 2)
        await self.trim(count=3)
        self.assertEqual(await self.seqs("@a4.2"), [4, 5, 6])

    async def test_waiting_mail_is_never_trimmed(self) -> None:
        """A mailbox is trimmed up to its first waiting entry; without a cursor, not at all."""
        await self.account("Ann", [1] * 9, Cursor(3, ((5, 9),)))
        await self.account("Bob", [1] * 9, Cursor(0, ((2, 9),)))
        await self.account("Cid", [1] * 9, Cursor())
        for options in ({"age": 1}, {"count": 1}, {"age": 1, "count": 1}):
            await self.trim(**options)
        self.assertEqual(await self.seqs("@ann"), [4, 5, 6, 7, 8, 9])
        self.assertEqual(await self.seqs("@bob"), list(range(1, 10)))
        self.assertEqual(await self.seqs("@cid"), list(range(1, 10)))

    async def test_sessions_count_instead_of_the_saved_cursor(self) -> None:
        """While an account has sessions, what they have consumed is trimmed."""
        await self.account("Ann", [1] * 9, Cursor(0))
        await self.account("Bob", [1] * 9, Cursor(9))
        await self.trim(age=1, consumed={self.ids["ann"]: 7, self.ids["bob"]: 2}.get)
        self.assertEqual(await self.seqs("@ann"), [8, 9])
        self.assertEqual(await self.seqs("@bob"), [3, 4, 5, 6, 7, 8, 9])

    async def test_nothing_is_trimmed_without_a_limit(self) -> None:
        """Logs that are empty, or trimmed to the end, are passed over."""
        await self.account("Ann", [1] * 3)
        await self.account("Bob", [])
        await self.trim()
        self.assertEqual(await self.seqs("@ann"), [1, 2, 3])
        await self.trim(age=1)
        await self.trim(age=1, count=1)
        self.assertEqual(await self.seqs("@ann"), [])

    async def test_reports_are_not_trimmed(self) -> None:
        """The log of reports belongs to no account."""
        await self.store.write([CreateLog(REPORTS)])
        await self.append(REPORTS, [1] * 3)
        await self.trim(age=1, count=1)
        self.assertEqual(await self.seqs(REPORTS), [1, 2, 3])

    async def test_all_logs_are_trimmed(self) -> None:
        """All logs are trimmed, even if there are more than are read together."""
        names = [f"u{number}" for number in range(2 * AT_ONCE + 3)]
        for name in names:
            await self.account(name, [1, 1])
        await self.trim(count=1)
        for name in names:
            self.assertEqual(await self.seqs("@" + name), [2])


class InMemory(_Trimmed, TestCase):
    """With the store in memory."""

    def setUp(self) -> None:
        self.ids = {}
        self.store = MemoryStore()

    async def test_mailbox_that_is_deleted_while_its_log_is_read(self) -> None:
        """The mail of the next account of the name stays."""
        await self.account("Ann", [1] * 9)
        times = 0
        read = self.store.read

        def meanwhile(log: str, after: int, limit: int) -> Any:
            nonlocal times
            times += 1
            if times == 2:
                new = mailbox_log(77)
                self.store.write(
                    [
                        DropLog(log),
                        changes.delete_any(Account, "Ann"),
                        changes.create("Ann", Account(0, id=77)),
                        CreateLog(new),
                    ]
                )
                self.store.append([Append(new, 77, NOW, "Bob", "y", NULL_ORIGIN)])
                self.store.flush()
            return read(log, after, limit)

        self.patch(self.store, "read", meanwhile)
        await self.trim(count=1, consumed={self.ids["ann"]: 9}.get)
        self.assertEqual(await self.seqs("@ann"), [])
        self.ids["ann"] = 77
        self.assertEqual(await self.seqs("@ann"), [1])


class InFile(_Trimmed, TestCase):
    """With SQLite."""

    def setUp(self) -> None:
        self.ids = {}
        self.store = SQLiteStore(reactor, os.path.join(folder(self), "chatd.db"))
        self.store.start()

    def tearDown(self) -> Any:
        return self.store.stop()


class InTheBackground(SynchronousTestCase):
    """Trimming at intervals."""

    def trimming(self, store: Any, runner: Runner) -> None:
        """Start trimming all but the last entry of each log."""
        retention = Retention(count=1)
        runner.spawn(Trimming(store, retention, runner.background, lambda: NOW, no_sessions).run())

    def test_logs_are_trimmed_at_intervals(self) -> None:
        """Logs are trimmed at once and every ten minutes, also after a failure of the store."""
        store, runner = FailingDocumentStore(), Runner()
        self.create(store, 1)
        self.append(store, 3)
        self.trimming(store, runner)
        self.assertEqual(self.seqs(store), [3])
        self.append(store, 3)
        runner.clock.pump([PAUSE_SECONDS, INTERVAL_SECONDS - PAUSE_SECONDS * 2])
        self.assertEqual(self.seqs(store), [3, 4, 5, 6])
        store.readable = False
        runner.clock.pump([PAUSE_SECONDS * 2, INTERVAL_SECONDS / 2])
        self.assertEqual(self.seqs(store), [3, 4, 5, 6])
        store.readable = True
        runner.clock.advance(INTERVAL_SECONDS)
        self.assertEqual(self.seqs(store), [6])
        self.assertEqual(runner.failures, [])

    def test_trimming_pauses_between_logs(self) -> None:
        """After some logs there is a pause, so that other requests are not delayed."""
        store, runner = MemoryStore(), Runner()
        for number in range(AT_ONCE + 1):
            self.create(store, number + 1)
        last = room_log(AT_ONCE + 1)
        self.append(store, 2, last)
        self.trimming(store, runner)
        self.assertEqual(self.seqs(store, last), [1, 2])
        runner.clock.advance(PAUSE_SECONDS)
        self.assertEqual(self.seqs(store, last), [2])

    def create(self, store: Any, room: int) -> None:
        """Create a room; rooms are trimmed in the order of their ids."""
        record = RoomRecord(0, room)
        store.write([changes.create(f"#r{room:03}", record), CreateLog(room_log(room))])

    def append(self, store: Any, count: int, log: str = "#1") -> None:
        """Append so many entries."""
        store.append([Append(log, number, 1, "Ann", "x", NULL_ORIGIN) for number in range(count)])
        store.flush()

    def seqs(self, store: Any, log: str = "#1") -> list[int]:
        """The seqs of the entries that a log still has."""
        return [entry.seq for entry in self.successResultOf(store.read(log, 0, 100))]


class WithSessions(SynchronousTestCase):
    """`Mailbox.consumed` is what sessions need no longer."""

    def test_mailbox_with_a_session_is_trimmed(self) -> None:
        """Entries that may not have arrived are not trimmed."""
        harness = RealmHarness()
        harness.register("Ann", "Bob")
        recorder = harness.login("Ann")
        harness.login("Bob")
        harness.send("Bob", "Ann", *"abcdef")
        harness.settle()
        recorder.lost = 2
        recorder.arrive()
        mailbox = harness.mailbox("Ann")
        assert mailbox is not None
        trimming = Trimming(
            harness.store,
            Retention(count=1),
            Tasks(harness.runner.spawn, lambda seconds: succeed(None)),
            lambda: NOW,
            lambda account: mailbox.consumed if account == mailbox.account else None,
        )
        harness.run(trimming.trim_all())
        left = [
            entry.body
            for entry in self.successResultOf(harness.store.read(harness.log("@ann"), 0, 100))
        ]
        self.assertEqual(left, ["e", "f"])
