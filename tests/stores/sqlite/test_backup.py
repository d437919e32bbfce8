"""A copy of the store while it is in use: of one moment, whole, private, or refused."""

from __future__ import annotations

import os
import resource
import signal
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.core.errors import BackupFailed
from chatd.stores import Append
from chatd.stores.memory import MemoryStore
from chatd.stores.sqlite import backup as sqlite_backup
from chatd.stores.sqlite import store as sqlite
from chatd.stores.sqlite.backup import copy
from chatd.stores.sqlite.file import check, connect
from chatd.stores.sqlite.store import SQLiteStore
from tests.doubles.sqlite_file import InFile
from tests.stores.contract import said

TEXT = "x" * 500


class _Copying(InFile):
    def setUp(self) -> None:
        super().setUp()
        self.folder = Path(self.path).parent
        self.copy = str(self.folder / "copy.db")
        # Many steps, so that others do something between them.
        self.patch(sqlite_backup, "_PAGES_AT_ONCE", 5)

    def write(self, path: str, text: str) -> None:
        """Make a file."""
        Path(path).write_text(text)

    def text_of(self, path: str) -> str:
        """What a file has."""
        return Path(path).read_text()

    def others(self) -> set[str]:
        """What there is besides the store."""
        return {p.name for p in self.folder.iterdir() if not p.name.startswith("chatd.db")}


class Copies(_Copying):
    """What a copy has."""

    def pairs(self, first: int, last: int) -> list[Append]:
        """Two appends for each number, which belong together."""
        return [
            said(log, f"{n} {TEXT}", f"k{n:05}") for n in range(first, last) for log in ("@a", "@b")
        ]

    async def opened(self) -> SQLiteStore:
        """The copy, as a store."""
        check(self.copy)
        await self.store.stop()
        self.store = store = SQLiteStore(reactor, self.copy)
        store.start()
        return store

    async def test_while_appends_go_on(self) -> None:
        """All that was answered before; all or nothing of a batch that came later, and nothing
        after that."""
        await self.store.create("account", "Ann", b"1")
        for first in range(0, 1000, 100):
            await self.say(*self.pairs(first, first + 100))
        ends: list[object] = []
        copied = ensureDeferred(self.store.backup(self.copy)).addBoth(ends.append)
        last = 1000
        while not ends:
            await self.say(*self.pairs(last, last + 7))
            last += 7
        await copied
        self.assertEqual(ends, [None])
        self.assertEqual(await self.store.head("@a"), last)
        store = await self.opened()
        head = await store.head("@a")
        self.assertEqual((await store.head("@b"), (head - 1000) % 7), (head, 0))
        self.assertTrue(1000 <= head <= last)
        seen: list[str] = []
        while page := await store.read("@a", len(seen), 500):
            seen += [entry.body for entry in page]
        self.assertEqual(seen, [f"{n} {TEXT}" for n in range(head)])
        self.assertIsNotNone(await store.get("account", "ann"))
        again, new = await self.say(*self.pairs(5, 6)[:1], said("@a", "new", "z"))
        self.assertEqual([(a.seq, a.resent) for a in (again, new)], [(6, True), (head + 1, False)])

    async def test_what_comes_later_is_not_waited_for(self) -> None:
        """Writing between two steps neither changes the copy nor makes it begin again."""
        await self.say(*self.pairs(0, 100))
        asked = 0

        def stopping() -> bool:
            nonlocal asked
            asked += 1
            connection.execute("UPDATE documents SET body = body || 'x'")
            return asked > 1000

        await self.store.create("account", "Ann", b"")
        await self.store.stop()
        connection = connect(self.path, writing=True)
        copy(self.path, self.copy, stopping)
        connection.close()
        self.assertTrue(2 < asked < 100)
        document = await (await self.opened()).get("account", "Ann")
        assert document is not None
        self.assertEqual(document.body, b"")

    async def test_only_its_owner_can_read_it(self) -> None:
        """Whatever the umask; and nothing is left beside it."""
        mask = os.umask(0)
        self.addCleanup(os.umask, mask)
        await self.store.backup(self.copy)
        self.assertEqual(stat.S_IMODE(os.stat(self.copy).st_mode), 0o600)
        self.assertEqual(self.others(), {"copy.db"})

    async def test_several_at_once(self) -> None:
        """To different files, and one after another."""
        await self.say(*self.pairs(0, 100))
        for number in range(2):
            copies = [self.store.backup(str(self.folder / f"copy{number}{n}.db")) for n in range(2)]
            for copied in copies:
                await copied
        self.assertEqual(self.others(), {"copy00.db", "copy01.db", "copy10.db", "copy11.db"})


class Refusals(_Copying):
    """Refused with a sentence; nothing is changed and nothing left."""

    async def refused(self, path: str, part: str) -> None:
        """Part of the sentence."""
        before = self.others()
        error: Any = await self.assertFailure(ensureDeferred(self.store.backup(path)), BackupFailed)
        self.assertIn(part, str(error))
        self.assertNotIn("\n", str(error))
        self.assertEqual(self.others(), before)
        (append,) = await self.say(said("@a", "goes on"))
        self.assertIsNone(append.refusal)

    async def test_what_exists(self) -> None:
        """A file, a folder, a link to nowhere, the store."""
        self.write(self.copy, "mine")
        await self.refused(self.copy, "copy.db exists already")
        self.assertEqual(self.text_of(self.copy), "mine")
        await self.refused(str(self.folder), "exists already")
        os.symlink("nowhere", self.folder / "link")
        await self.refused(str(self.folder / "link"), "exists already")
        await self.refused(self.path, "exists already")

    async def test_a_copy_that_was_interrupted(self) -> None:
        """What a kill has left is named, and not written to."""
        unfinished = self.copy + ".unfinished"
        self.write(unfinished, "half")
        await self.refused(self.copy, "copy.db.unfinished exists: remove it")
        self.assertEqual(self.text_of(unfinished), "half")

    async def test_no_folder(self) -> None:
        """Nowhere to put it, or in a file."""
        await self.refused(str(self.folder / "nowhere" / "copy.db"), "no such file or directory")
        await self.refused(self.path + "/copy.db", "not a directory")

    async def test_no_path(self) -> None:
        """What no file can be called."""
        await self.refused(self.copy + "\0", "null")
        await self.refused(str(self.folder / ("x" * 300)), "file name too long")

    async def test_a_full_disk(self) -> None:
        """A limit on the size of files stands for it."""
        await self.say(*[said("@a", TEXT) for _ in range(400)])
        await self.reopen()  # so that the write-ahead log is short
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        self.addCleanup(signal.signal, signal.SIGXFSZ, handler)
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_FSIZE, limits)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(TEXT) * 200, limits[1]))
        await self.refused(self.copy, "cannot be written")
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        await self.store.backup(self.copy)

    async def test_the_daemon_stops(self) -> None:
        """The copy is given up, and stopping waits until nothing of it is left."""
        await self.say(*[said("@a", TEXT) for _ in range(400)])

        def late(source: str, path: str, stopping: Callable[[], bool]) -> None:
            self.store._stopping.wait(10)
            copy(source, path, stopping)

        self.patch(sqlite, "copy", late)
        refusal: Deferred[Any] = self.assertFailure(
            ensureDeferred(self.store.backup(self.copy)), BackupFailed
        )
        await self.store.stop()
        self.assertIn("the daemon stops", str(await refusal))
        self.assertEqual(self.others(), set())


class InMemory(SynchronousTestCase):
    """The other back end."""

    def test_a_store_in_memory_has_none(self) -> None:
        """There is nothing to restore from it."""
        refusal = self.failureResultOf(MemoryStore().backup("/copy.db"), BackupFailed)
        self.assertIn("in memory", refusal.getErrorMessage())


del InFile
