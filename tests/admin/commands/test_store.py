"""The commands about the daemon and its store."""

from __future__ import annotations

import os

from chatd import __version__
from chatd.admin.command_line import REFUSED, WRONG_USAGE
from chatd.realm.operations import Operations
from tests.doubles.admin import CommandCase


class Store(CommandCase):
    """``stats``, ``backup`` and ``log-level``."""

    def test_statistics_are_shown_in_columns(self) -> None:
        """Each value has a line."""
        self.harness.login("Ann")
        counters = self.harness.realm.counters
        counters.refused("limit-reached", "rooms")
        counters.watch_queue("passwords", lambda: 3)
        lines = self.output("stats").splitlines()
        self.assertEqual(lines[0].split(), ["version", __version__])
        self.assertIn("accounts                          2", lines)
        self.assertIn("accounts online                   1", lines)
        self.assertIn("waiting: passwords                3", lines)
        self.assertIn("refused: limit-reached            1", lines)
        self.assertIn("bound met: rooms                  1", lines)
        self.assertIn("longest commit", " ".join(lines))
        (stats,) = self.json("stats")
        self.assertGreater(stats["store"]["batches"], 0)
        self.assertEqual(stats["store"]["commits"]["longer"], 0)
        self.assertEqual(stats["refusals"], {"limit-reached": 1})
        self.assertEqual((stats["rooms"], stats["counts"]["sessions"]), (1, 1))

    def test_backup_path_is_made_absolute(self) -> None:
        """The daemon gets an absolute path."""
        paths: list[str] = []

        async def backup(operations: Operations, path: str) -> None:
            paths.append(path)

        self.patch(Operations, "backup", backup)
        path = os.path.join(os.getcwd(), "copy.db")
        self.assertEqual(self.output("backup", "copy.db"), f"Written: {path}\n")
        self.assertEqual(self.json("backup", "/copy.db"), [{"path": "/copy.db"}])
        self.assertEqual(paths, [path, "/copy.db"])

    def test_a_store_in_memory_has_no_backup(self) -> None:
        """The daemon refuses it."""
        self.assertIn("in memory", self.failed(REFUSED, "backup", "copy.db"))

    def test_log_level_is_set_and_shown(self) -> None:
        """Without an argument, it is shown and not changed."""
        self.assertEqual(self.output("log-level", "warn"), "Log level: warn\n")
        self.assertEqual(self.output("log-level"), "Log level: warn\n")
        self.assertEqual(self.json("log-level", "debug"), [{"level": "debug"}])
        self.assertIn("not 'loud'", self.failed(WRONG_USAGE, "log-level", "loud"))
