"""A test case for starting the daemon."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.daemon_process import START_PATIENCE, Daemon
from tests.doubles.folders import folder
from tests.doubles.program import environment, run


class Start(SynchronousTestCase):
    """An empty folder to start the daemon in."""

    def setUp(self) -> None:
        self.folder = Path(folder(self))

    def run_to_end(
        self, *options: str, extra: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `twistd -n chatd OPTIONS`, which is expected to end by itself."""
        return self.run_to_end_with((), *options, extra=extra)

    def run_to_end_with(
        self, own: Sequence[str], *options: str, extra: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `twistd OWN -n chatd OPTIONS`, which is expected to end by itself."""
        return run(
            ["twistd", *own, "-n", "chatd", *options],
            cwd=self.folder,
            env=environment(extra),
            timeout=START_PATIENCE,
        )

    def contents(self) -> dict[str, bytes | None]:
        """The contents of every file in the folder; None for what is not a file."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes() if path.is_file() else None
            for path in sorted(self.folder.rglob("*"))
        }

    def refused(self, *options: str, words: str, extra: Mapping[str, str] | None = None) -> None:
        """Check that the daemon does not start: one sentence with these words on stderr, a status
        other than 0, and nothing changed on disk."""
        before = self.contents()
        ended = self.run_to_end(*options, extra=extra)
        self.assertNotEqual(ended.returncode, 0)
        self.assertIn(words, ended.stderr)
        self.assertEqual(len(ended.stderr.splitlines()), 1, ended.stderr)
        self.assertTrue(ended.stderr.startswith("chatd: "), ended.stderr)
        self.assertNotIn("Traceback", ended.stdout + ended.stderr)
        self.assertEqual(self.contents(), before)

    def daemon(self, *options: str, extra: Mapping[str, str] | None = None) -> Daemon:
        """Start a daemon in the folder, with these options only."""
        command = ["twistd", "-n", "--pidfile=", "chatd", *options]
        return Daemon(self, "", cwd=str(self.folder), command=command, extra=extra)

    def daemon_with(self, *words: str) -> Daemon:
        """Start a daemon in the folder by `twistd WORDS`."""
        return Daemon(self, "", cwd=str(self.folder), command=["twistd", *words])

    def free_port(self) -> int:
        """A port that is free now."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
            return port
