"""Files that the daemon must not change, and its errors."""

from __future__ import annotations

import shutil
import sqlite3
import stat
from contextlib import closing

from chatd.codecs.classic import LIST, SEND, ListResponse, encode
from tests.docs.pages import blocks
from tests.doubles.admin import run_command
from tests.doubles.daemon_process import Daemon, SocketClient
from tests.doubles.startup import Start


class Stores(Start):
    """One sentence, no traceback, and no byte changed. See `Start.refused`."""

    def used(self, count: int = 0) -> None:
        """Make a store by a daemon that stops normally."""
        daemon = self.daemon("--port=0", "--store=sqlite:chatd.db")
        client = SocketClient(self, daemon).create("Ann")
        client.send(*[encode(SEND, "Ann", "Ann", "x" * 1000)] * count)
        client.receive_many(2 * count)
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(list(self.contents()), ["chatd.db"])

    def check_refused(self, words: str, name: str = "chatd.db") -> None:
        """Check that a store with this name in the folder is refused."""
        self.refused("--port=0", "--store", "sqlite:" + name, words=words)

    def test_port_in_use_is_an_error(self) -> None:
        """The error names it, and no store is created."""
        first = Daemon(self, "memory")
        port = str(first.port)
        for store in ("memory", "sqlite:chatd.db"):
            self.refused(
                "--port",
                port,
                "--store",
                store,
                words=f"cannot listen on 127.0.0.1:{port}: address",
            )
        self.assertEqual(first.stop(), 0)

    def test_store_in_use_by_another_daemon_is_refused(self) -> None:
        """The first daemon is not disturbed."""
        self.used(1)
        first = self.daemon("--port=0", "--store=sqlite:chatd.db")
        # A login writes nothing; what Ann receives is acknowledged, and saved, a moment later.
        ann = SocketClient(self, first).login("Ann")
        self.check_refused("is in use by another daemon")
        (self.folder / "link.db").symlink_to("chatd.db")
        self.check_refused("is in use by another daemon", "link.db")
        ann.send(encode(SEND, "Ann", "Ann", "after"))
        ann.receive_many(2)
        first.kill()
        after = self.daemon("--port=0", "--store=sqlite:chatd.db")
        SocketClient(self, after).login("Ann")
        self.assertEqual(after.stop(), 0)

    def test_other_files_are_refused(self) -> None:
        """Text, pictures and other databases."""
        file = self.folder / "chatd.db"
        for content in (b"Dear diary,\n", b"x" * 100_000, bytes(4096), b"SQLite format 3\0"):
            file.write_bytes(content)
            self.check_refused("is not a store of chatd")
        file.unlink()
        with closing(sqlite3.connect(file)) as other:
            other.execute("CREATE TABLE recipes (name TEXT)")
        self.check_refused("is a database, but not a store of chatd")

    def test_store_of_a_newer_version_is_refused(self) -> None:
        """The error names the version of its schema."""
        self.used()
        with closing(sqlite3.connect(self.folder / "chatd.db")) as later:
            later.execute("PRAGMA user_version = 99")
            later.execute("PRAGMA journal_mode = DELETE")
        self.check_refused("was written by a newer chatd (schema 99")

    def test_damaged_store_is_refused(self) -> None:
        """Damage is found before anything is written."""
        self.used(500)
        file = self.folder / "chatd.db"
        good = file.read_bytes()
        middle = len(good) // 2 // 4096 * 4096
        for bad in (
            good[:middle] + b"\xa5" * 8192 + good[middle + 8192 :],
            good[:4096] + b"garbage" * 1000 + good[4096 + 7000 :],
            good[:middle],
            good[:5000],
            good[:4096],
            good[:101],
            good[:50],
        ):
            file.write_bytes(bad)
            self.check_refused("damaged")
        file.write_bytes(good)
        daemon = self.daemon("--port=0", "--store=sqlite:chatd.db")
        self.assertEqual(daemon.stop(), 0)

    def test_path_without_a_folder_is_refused(self) -> None:
        """So is the path of a folder."""
        self.check_refused("there is no folder", "none/chatd.db")
        (self.folder / "chatd.db").mkdir()
        self.check_refused("is a folder, not a file")

    def test_files_are_private_to_their_owner(self) -> None:
        """All have mode 0600."""
        daemon = self.daemon("--port=0", "--store=sqlite:chatd.db")
        SocketClient(self, daemon).create("Ann")
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in self.folder.iterdir()}
        self.assertEqual(
            modes,
            dict.fromkeys(("chatd.db", "chatd.db-wal", "chatd.db-shm", "chatd.db.admin"), 0o600),
        )
        daemon.stop()

    def test_copy_of_a_closed_store_is_usable(self) -> None:
        """With its accounts."""
        self.used(10)
        shutil.copy(self.folder / "chatd.db", self.folder / "copy.db")
        daemon = self.daemon("--port=0", "--store=sqlite:copy.db")
        SocketClient(self, daemon).login("Ann")
        self.assertEqual(daemon.stop(), 0)

    def test_backup_beside_the_log_of_a_killed_daemon_is_refused(self) -> None:
        """The drill of docs/recipes/backup.md, with its sentence."""
        daemon = self.daemon("--port=0", "--store=sqlite:chatd.db")
        SocketClient(self, daemon).create("Ann")
        made = run_command("backup", "backup.db", cwd=self.folder)
        self.assertEqual(made.status, 0, made.stderr)
        SocketClient(self, daemon).create("Bob")
        daemon.kill()
        shutil.copy(self.folder / "backup.db", self.folder / "chatd.db")
        (example,) = (
            block.text
            for block in blocks("docs/recipes/backup.md")
            if block.kind == "code" and "is not the write-ahead log" in block.text
        )
        self.check_refused(example.replace("/var/lib/chatd", str(self.folder.resolve())))
        for name in ("chatd.db-wal", "chatd.db-shm"):
            (self.folder / name).rename(self.folder / f"old {name}")
        daemon = self.daemon("--port=0", "--store=sqlite:chatd.db")
        self.assertEqual(SocketClient(self, daemon).ask(LIST), ListResponse(("Ann",)))
        self.assertEqual(daemon.stop(), 0)
