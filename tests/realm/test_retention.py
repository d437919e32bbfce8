"""What is trimmed, and what never is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from twisted.internet import reactor
from twisted.internet.defer import succeed
from twisted.trial.unittest import SynchronousTestCase, TestCase

from chatd.core.entries import Cursor
from chatd.core.limits import Retention
from chatd.realm.accounts import Account
from chatd.realm.retention import AT_ONCE, INTERVAL_SECONDS, PAUSE_SECONDS, Trimming
from chatd.realm.room import RoomRecord
from chatd.realm.tasks import Tasks
from chatd.stores import Append
from chatd.stores.memory import MemoryStore
from chatd.stores.sqlite.store import SQLiteStore
from tests.doubles.folders import folder
from tests.doubles.realm import RealmHarness, Runner
from tests.doubles.stores import FailingPageStore
from tests.stores.contract import NULL_ORIGIN

DAY = 86_400_000
NOW = 1_000 * DAY
"""the time of these tests, in milliseconds"""

if TYPE_CHECKING:
    _Case = TestCase
else:
    _Case = object


def nobody(log: str) -> None:
    """There are no sessions."""


class _Trimmed(_Case):
    """Subclasses make `store` in `setUp`."""

    store: Any

    async def account(self, name: str, times: Sequence[int], cursor: Cursor | None = None) -> None:
        """An account with mail of these times, read as far as `cursor` says; all of it without
        one."""
        await self.store.create(Account.document_kind, name, msgspec.msgpack.encode(Account(0)))
        read = Cursor(len(times)) if cursor is None else cursor
        await self.store.create(
            Cursor.document_kind, "@" + name.lower(), msgspec.msgpack.encode(read)
        )
        await self.said("@" + name.lower(), times)

    async def room(self, name: str, times: Sequence[int]) -> None:
        """A room in which something was said at these times."""
        await self.store.create(
            RoomRecord.document_kind, name, msgspec.msgpack.encode(RoomRecord(0, ""))
        )
        await self.said(name.lower(), times)

    async def said(self, log: str, times: Sequence[int]) -> None:
        """Entries."""
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
        """Once over everything; `age` in days."""
        runner = Tasks(lambda coroutine: None, lambda seconds: succeed(None))
        retention = Retention(None if age is None else age * 86_400, count)
        read = options.get("read", nobody)
        await Trimming(self.store, retention, runner, lambda: NOW, read).trim_all()

    async def kept(self, log: str) -> list[int]:
        """The seqs that are still there."""
        return [entry.seq for entry in await self.store.read(log, 0, 10_000)]

    async def test_by_age(self) -> None:
        """What is older goes, what is just as old stays; inboxes and rooms alike."""
        times = [NOW - DAY * days for days in (90, 31, 31, 30, 29, 1, 0)]
        await self.account("Ann", times)
        await self.room("#Garden", times)
        await self.trim(age=30)
        self.assertEqual(await self.kept("@ann"), [4, 5, 6, 7])
        self.assertEqual(await self.kept("#garden"), [4, 5, 6, 7])

    async def test_by_count(self) -> None:
        """The latest stay, however old they are."""
        await self.account("Ann", [1] * 10)
        await self.room("#garden", [1] * 2)
        await self.trim(count=3)
        self.assertEqual(await self.kept("@ann"), [8, 9, 10])
        self.assertEqual(await self.kept("#garden"), [1, 2])

    async def test_by_both(self) -> None:
        """Whichever keeps less."""
        old, new = NOW - 40 * DAY, NOW - DAY
        await self.account("Ann", [old] * 2 + [new] * 5)
        await self.account("Bob", [old] * 6 + [new])
        await self.trim(age=30, count=4)
        self.assertEqual(await self.kept("@ann"), [4, 5, 6, 7])
        self.assertEqual(await self.kept("@bob"), [7])

    async def test_every_place_where_age_may_begin(self) -> None:
        """The bisection finds it, wherever it is, and again when it has moved on."""
        for length in (1, 2, 3, 4, 7, 8, 9):
            for old in range(length + 1):
                name = f"a{length}.{old}"
                await self.account(name, [NOW - 2 * DAY] * old + [NOW] * (length - old))
        await self.trim(age=1)
        for length in (1, 2, 3, 4, 7, 8, 9):
            for old in range(length + 1):
                log = f"@a{length}.{old}"
                self.assertEqual(await self.kept(log), list(range(old + 1, length + 1)), log)
                self.assertEqual(await self.store.head(log), length)
        await self.said("@a4.2", [NOW] * 2)
        await self.trim(count=3)
        self.assertEqual(await self.kept("@a4.2"), [4, 5, 6])

    async def test_mail_that_waits_is_never_trimmed(self) -> None:
        """Up to the first entry that waits, whatever has been read after it; without a cursor,
        nothing."""
        await self.account("Ann", [1] * 9, Cursor(3, ((5, 9),)))
        await self.account("Bob", [1] * 9, Cursor(0, ((2, 9),)))
        await self.store.create(Account.document_kind, "Cid", msgspec.msgpack.encode(Account(0)))
        await self.said("@cid", [1] * 9)
        for options in ({"age": 1}, {"count": 1}, {"age": 1, "count": 1}):
            await self.trim(**options)
        self.assertEqual(await self.kept("@ann"), [4, 5, 6, 7, 8, 9])
        self.assertEqual(await self.kept("@bob"), list(range(1, 10)))
        self.assertEqual(await self.kept("@cid"), list(range(1, 10)))

    async def test_sessions_know_better(self) -> None:
        """While somebody reads, what they have read counts, and not what the store has been
        told."""
        await self.account("Ann", [1] * 9, Cursor(0))
        await self.account("Bob", [1] * 9, Cursor(9))
        await self.trim(age=1, read={"@ann": 7, "@bob": 2}.get)
        self.assertEqual(await self.kept("@ann"), [8, 9])
        self.assertEqual(await self.kept("@bob"), [3, 4, 5, 6, 7, 8, 9])

    async def test_nothing_to_keep_by(self) -> None:
        """Without a retention everything stays; logs that are empty, or all trimmed, do no harm."""
        await self.account("Ann", [1] * 3)
        await self.account("Bob", [])
        await self.trim()
        self.assertEqual(await self.kept("@ann"), [1, 2, 3])
        await self.trim(age=1)
        await self.trim(age=1, count=1)
        self.assertEqual(await self.kept("@ann"), [])

    async def test_other_logs_are_left_alone(self) -> None:
        """What users have told the operators is nobody's inbox."""
        await self.said("@server", [1] * 3)
        await self.trim(age=1, count=1)
        self.assertEqual(await self.kept("@server"), [1, 2, 3])

    async def test_many_logs(self) -> None:
        """More than are looked at together."""
        names = [f"u{number}" for number in range(2 * AT_ONCE + 3)]
        for name in names:
            await self.account(name, [1, 1])
        await self.trim(count=1)
        for name in names:
            self.assertEqual(await self.kept("@" + name), [2])


class InMemory(_Trimmed, TestCase):
    """What holds of any store."""

    def setUp(self) -> None:
        self.store = MemoryStore()

    async def test_a_log_that_has_become_another(self) -> None:
        """An account is deleted, and made again, while its log is looked at: the new mail stays."""
        await self.account("Ann", [1] * 9)
        times = 0
        read = self.store.read

        def meanwhile(log: str, after: int, limit: int) -> Any:
            nonlocal times
            times += 1
            if times == 2:
                self.store.drop(log)
                self.store.append([Append(log, 77, NOW, "Bob", "y", NULL_ORIGIN)])
                self.store.flush()
            return read(log, after, limit)

        self.patch(self.store, "read", meanwhile)
        await self.trim(count=1, read={"@ann": 9}.get)
        self.assertEqual(await self.kept("@ann"), [1])


class InFile(_Trimmed, TestCase):
    """The same in SQLite."""

    def setUp(self) -> None:
        self.store = SQLiteStore(reactor, os.path.join(folder(self), "chatd.db"))
        self.store.start()

    def tearDown(self) -> Any:
        return self.store.stop()


class InTheBackground(SynchronousTestCase):
    """Round after round."""

    def trimming(self, store: Any, runner: Runner) -> None:
        """Begin, with one entry kept of each log."""
        retention = Retention(count=1)
        runner.spawn(Trimming(store, retention, runner.background, lambda: NOW, nobody).go_on())

    def test_rounds(self) -> None:
        """The first at once, the next after ten minutes, also when a round has failed."""
        store, runner = FailingPageStore(), Runner()
        store.create(RoomRecord.document_kind, "#garden", msgspec.msgpack.encode(RoomRecord(0, "")))
        self.say(store, 3)
        self.trimming(store, runner)
        self.assertEqual(self.seqs(store), [3])
        self.say(store, 3)
        runner.clock.pump([PAUSE_SECONDS, INTERVAL_SECONDS - PAUSE_SECONDS * 2])
        self.assertEqual(self.seqs(store), [3, 4, 5, 6])
        store.failing = True
        runner.clock.pump([PAUSE_SECONDS * 2, INTERVAL_SECONDS / 2])
        self.assertEqual(self.seqs(store), [3, 4, 5, 6])
        store.failing = False
        runner.clock.advance(INTERVAL_SECONDS)
        self.assertEqual(self.seqs(store), [6])
        self.assertEqual(runner.failures, [])

    def test_it_rests_between_logs(self) -> None:
        """Nobody waits for all of it: after some logs there is a pause."""
        store, runner = MemoryStore(), Runner()
        for number in range(AT_ONCE + 1):
            store.create(
                RoomRecord.document_kind,
                f"#r{number:03}",
                msgspec.msgpack.encode(RoomRecord(0, "")),
            )
        last = f"#r{AT_ONCE:03}"
        self.say(store, 2, last)
        self.trimming(store, runner)
        self.assertEqual(self.seqs(store, last), [1, 2])
        runner.clock.advance(PAUSE_SECONDS)
        self.assertEqual(self.seqs(store, last), [2])

    def say(self, store: Any, count: int, log: str = "#garden") -> None:
        """So many entries."""
        store.append([Append(log, number, 1, "Ann", "x", NULL_ORIGIN) for number in range(count)])
        store.flush()

    def seqs(self, store: Any, log: str = "#garden") -> list[int]:
        """What is there."""
        return [entry.seq for entry in self.successResultOf(store.read(log, 0, 100))]


class WithSessions(SynchronousTestCase):
    """What `Mailbox.consumed` says is what the realm's sessions have read."""

    def test_a_claiming_session(self) -> None:
        """Its inbox is trimmed while it is there, but for what may not have arrived."""
        harness = RealmHarness()
        harness.register("Ann", "Bob")
        subscription = harness.login("Ann")
        harness.login("Bob")
        harness.send("Bob", "Ann", *"abcdef")
        harness.settle()
        subscription.lost = 2
        mailbox = harness.realm.sessions.mailbox("Ann")
        assert mailbox is not None
        trimming = Trimming(
            harness.store,
            Retention(count=1),
            Tasks(harness.runner.spawn, lambda seconds: succeed(None)),
            lambda: NOW,
            lambda log: mailbox.consumed if log == "@ann" else None,
        )
        harness.run(trimming.trim_all())
        left = [entry.body for entry in self.successResultOf(harness.store.read("@ann", 0, 100))]
        self.assertEqual(left, ["e", "f"])
