"""One seed is one history, whatever the process."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.simulation.history import generate
from tests.simulation.world import run

ROOT = Path(__file__).resolve().parents[2]
SEEDS = (3, 4, 11, 20)
SEED = 23
"""a long history with a file of an earlier version, TLS, version 1 and gRPC"""


class Repeatable(SynchronousTestCase):
    """The traces of histories that run twice."""

    def test_the_same_history_in_one_process(self) -> None:
        """The traces are equal, line by line."""
        for seed in SEEDS:
            self.assertEqual(run(generate(seed)).trace, run(generate(seed)).trace)
        self.flushLoggedErrors()

    def test_the_same_history_in_another_process(self) -> None:
        """Nothing depends on the hashes of texts, the current folder, the time zone, the locale or
        the width of the terminal."""
        environments = (
            (ROOT, {"PYTHONHASHSEED": "1", "TZ": "UTC", "LC_ALL": "C", "COLUMNS": "80"}),
            (
                Path(tempfile.gettempdir()),
                {
                    "PYTHONHASHSEED": "2",
                    "TZ": "Asia/Kathmandu",
                    "LC_ALL": "tr_TR.UTF-8",
                    "LANGUAGE": "tr",
                    "COLUMNS": "20",
                },
            ),
        )
        outcome = run(generate(SEED))
        self.flushLoggedErrors()
        for folder, variables in environments:
            done = subprocess.run(
                [sys.executable, "-m", "tests.simulation", "--seed", str(SEED)],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
                capture_output=True,
                encoding="utf-8",
                check=False,
            )
            *_, digest = done.stdout.splitlines()
            self.assertEqual(digest, f"trace {outcome.digest}")
            self.assertIn("\n".join(outcome.trace), done.stdout)
        self.flushLoggedErrors()
