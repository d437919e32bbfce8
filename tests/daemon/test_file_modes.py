"""Files that other users may read: which they are, and the command that mends it."""

from __future__ import annotations

import os
import shlex
import subprocess

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from chatd.config.options import Options
from chatd.daemon.file_modes import exposed, store_files, warning
from chatd.daemon.service import Daemon, makeService
from tests.daemon.test_service import QuietReactor
from tests.doubles.folders import folder


class FileModes(SynchronousTestCase):
    """A store in a folder whose name has a blank."""

    def setUp(self) -> None:
        place = os.path.join(folder(self), "a b")
        os.mkdir(place)
        self.path = os.path.join(place, "chat.db")

    def write(self, suffix: str, mode: int) -> None:
        """Make one of the store's files."""
        with open(self.path + suffix, "wb"):
            pass
        os.chmod(self.path + suffix, mode)

    def test_every_file_of_the_store_is_looked_at(self) -> None:
        """Those of the owner only are right; one that does not exist is no matter."""
        self.write("", 0o600)
        self.assertEqual(exposed(store_files(self.path)), [])
        self.write("-shm", 0o620)
        self.write("", 0o604)
        self.assertEqual(
            exposed(store_files(self.path)), [(self.path, 0o604), (self.path + "-shm", 0o620)]
        )

    def test_command_mends_what_it_names(self) -> None:
        """It can be typed as it is."""
        self.write("", 0o644)
        self.write("-wal", 0o660)
        sentence = warning(exposed(store_files(self.path)))
        self.assertIn("chat.db (mode 0644), ", sentence)
        subprocess.run(shlex.split(sentence.partition("To mend that: ")[2]), check=True)
        self.assertEqual(exposed(store_files(self.path)), [])
        self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o600)

    def test_daemon_warns_of_its_store_and_its_admin_socket(self) -> None:
        """One line for all files."""
        self.write("", 0o644)
        self.write(".admin", 0o666)
        options = Options({})
        store = ["--store", f"sqlite:{self.path}", "--admin", f"{self.path}.sock"]
        options.parseOptions(["--port", "0", *store])
        daemon = makeService(options, QuietReactor())
        assert isinstance(daemon, Daemon) and daemon.admin is not None
        daemon.admin.path = f"{self.path}.admin"
        with capturedLogs() as events:
            daemon._warn_of_exposed_files()
        (line,) = [formatEvent(event) for event in events]
        self.assertIn(f"{self.path}.admin (mode 0666)", line)
        os.chmod(self.path, 0o600)
        os.chmod(f"{self.path}.admin", 0o600)
        with capturedLogs() as events:
            daemon._warn_of_exposed_files()
        self.assertEqual(events, [])
