"""Online backup of the SQLite store: a private snapshot, or a refusal."""

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
from chatd.stores import Append, OnlineBackup
from chatd.stores.memory import MemoryStore
from chatd.stores.sqlite import backup as backup_module
from chatd.stores.sqlite import store as store_module
from chatd.stores.sqlite.backup import copy
from chatd.stores.sqlite.file import check, connect
from chatd.stores.sqlite.store import SQLiteStore
from tests.doubles.sqlite_file import InFile
from tests.stores.contract import new_text

TEXT = "x" * 500


class _Copying(InFile):
    """A store and a path for its copy; the copy is made in many steps."""

    def setUp(self) -> None:
        super().setUp()
        self.folder = Path(self.path).parent
        self.copy = str(self.folder / "copy.db")
        # Many steps, so that the tests can write between them.
        self.patch(backup_module, "_PAGES_PER_STEP", 5)

    def write(self, path: str, text: str) -> None:
        """Create a file."""
        Path(path).write_text(text)

    def text_of(self, path: str) -> str:
        """The content of a file."""
        return Path(path).read_text()

    def others(self) -> set[str]:
        """The names of the files besides the store."""
        return {p.name for p in self.folder.iterdir() if not p.name.startswith("chatd.db")}


class Copies(_Copying):
    """The content of a copy."""

    def pairs(self, first: int, last: int) -> list[Append]:
        """Two appends for each number, to be committed in one batch."""
        return [
            new_text(log, f"{n} {TEXT}", f"k{n:05}")
            for n in range(first, last)
            for log in ("@a", "@b")
        ]

    async def opened(self) -> SQLiteStore:
        """The copy, opened as a store."""
        check(self.copy)
        await self.store.stop()
        self.store = store = SQLiteStore(reactor, self.copy)
        store.start()
        return store

    async def test_copy_is_a_snapshot_while_appends_continue(self) -> None:
        """It has everything answered before the call, and later batches whole or not at all."""
        await self.create("account", "Ann", b"1")
        for first in range(0, 1000, 100):
            await self.append(*self.pairs(first, first + 100))
        ends: list[object] = []
        copied = ensureDeferred(self.store.backup(self.copy)).addBoth(ends.append)
        last = 1000
        while not ends:
            await self.append(*self.pairs(last, last + 7))
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
        again, new = await self.append(*self.pairs(5, 6)[:1], new_text("@a", "new", "z"))
        self.assertEqual([(a.seq, a.resent) for a in (again, new)], [(6, True), (head + 1, False)])

    async def test_later_writes_neither_change_nor_restart_the_copy(self) -> None:
        """Writing between two steps does not restart the copy."""
        await self.append(*self.pairs(0, 100))
        steps = 0

        def stopping() -> bool:
            nonlocal steps
            steps += 1
            connection.execute("UPDATE documents SET body = body || 'x'")
            return steps > 1000

        await self.create("account", "Ann", b"")
        await self.store.stop()
        connection = connect(self.path, writing=True)
        copy(self.path, self.copy, stopping)
        connection.close()
        self.assertTrue(2 < steps < 100)
        document = await (await self.opened()).get("account", "Ann")
        assert document is not None
        self.assertEqual(document.body, b"")

    async def test_copy_is_readable_by_its_owner_only(self) -> None:
        """The umask does not matter; no other file is left."""
        mask = os.umask(0)
        self.addCleanup(os.umask, mask)
        await self.store.backup(self.copy)
        self.assertEqual(stat.S_IMODE(os.stat(self.copy).st_mode), 0o600)
        self.assertEqual(self.others(), {"copy.db"})

    async def test_several_copies_at_once(self) -> None:
        """Copies to different files can be made at once, and one after another."""
        await self.append(*self.pairs(0, 100))
        for number in range(2):
            copies = [self.store.backup(str(self.folder / f"copy{number}{n}.db")) for n in range(2)]
            for copied in copies:
                await copied
        self.assertEqual(self.others(), {"copy00.db", "copy01.db", "copy10.db", "copy11.db"})


class Refusals(_Copying):
    """A backup that is refused with a sentence, changes nothing and leaves nothing."""

    async def refused(self, path: str, part: str) -> None:
        """The backup to `path` is refused with `part`; no file changes, the store stays usable."""
        before = self.others()
        error: Any = await self.assertFailure(ensureDeferred(self.store.backup(path)), BackupFailed)
        self.assertIn(part, str(error))
        self.assertNotIn("\n", str(error))
        self.assertEqual(self.others(), before)
        (append,) = await self.append(new_text("@a", "goes on"))
        self.assertIsNone(append.refusal)

    async def test_existing_path_is_refused(self) -> None:
        """A file, a folder, a dangling link, and the store itself."""
        self.write(self.copy, "mine")
        await self.refused(self.copy, "copy.db exists already")
        self.assertEqual(self.text_of(self.copy), "mine")
        await self.refused(str(self.folder), "exists already")
        os.symlink("nowhere", self.folder / "link")
        await self.refused(str(self.folder / "link"), "exists already")
        await self.refused(self.path, "exists already")

    async def test_unfinished_copy_is_refused(self) -> None:
        """The rest of an interrupted copy is named, and not overwritten."""
        unfinished = self.copy + ".unfinished"
        self.write(unfinished, "half")
        await self.refused(self.copy, "copy.db.unfinished exists: remove it")
        self.assertEqual(self.text_of(unfinished), "half")

    async def test_missing_folder_is_refused(self) -> None:
        """The folder does not exist, or is a file."""
        await self.refused(str(self.folder / "nowhere" / "copy.db"), "no such file or directory")
        await self.refused(self.path + "/copy.db", "not a directory")

    async def test_invalid_path_is_refused(self) -> None:
        """A null character, and a name that is too long."""
        await self.refused(self.copy + "\0", "null")
        await self.refused(str(self.folder / ("x" * 300)), "file name too long")

    async def test_full_disk_is_refused(self) -> None:
        """A limit on the size of files stands for the full disk."""
        await self.append(*[new_text("@a", TEXT) for _ in range(400)])
        await self.reopen()  # so that the write-ahead log is short
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        self.addCleanup(signal.signal, signal.SIGXFSZ, handler)
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_FSIZE, limits)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(TEXT) * 200, limits[1]))
        await self.refused(self.copy, "cannot be written")
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        await self.store.backup(self.copy)

    async def test_stop_ends_the_copy(self) -> None:
        """`stop` waits until nothing of the copy is left."""
        await self.append(*[new_text("@a", TEXT) for _ in range(400)])

        def late(source: str, path: str, stopping: Callable[[], bool]) -> None:
            self.store._stopping.wait(10)
            copy(source, path, stopping)

        self.patch(store_module, "copy", late)
        refusal: Deferred[Any] = self.assertFailure(
            ensureDeferred(self.store.backup(self.copy)), BackupFailed
        )
        await self.store.stop()
        self.assertIn("the daemon stops", str(await refusal))
        self.assertEqual(self.others(), set())


class Optional(SynchronousTestCase):
    """The optional interface."""

    def test_online_backup_is_optional(self) -> None:
        """The SQLite store provides `OnlineBackup`, the store in memory does not."""
        self.assertIsInstance(SQLiteStore(reactor, "chatd.db"), OnlineBackup)
        self.assertNotIsInstance(MemoryStore(), OnlineBackup)


del InFile
