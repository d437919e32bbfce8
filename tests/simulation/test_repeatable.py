"""One seed is one history, whatever the process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.simulation.history import generate
from tests.simulation.world import run

ROOT = Path(__file__).resolve().parents[2]
SEEDS = (3, 4, 11, 20)


class Repeatable(SynchronousTestCase):
    """The traces of histories that run twice."""

    def test_the_same_history_in_one_process(self) -> None:
        """The traces are equal, line by line."""
        for seed in SEEDS:
            self.assertEqual(run(generate(seed)).trace, run(generate(seed)).trace)
        self.flushLoggedErrors()

    def test_the_same_history_in_another_process(self) -> None:
        """Hashes of texts, which differ between processes, change nothing."""
        seed = SEEDS[0]
        command = [sys.executable, "-m", "tests.simulation", "--seed", str(seed)]
        digests = []
        for hash_seed in ("1", "2"):
            environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
            done = subprocess.run(
                command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
            )
            digests.append(done.stdout.splitlines()[-1])
        self.assertEqual(digests, [f"trace {run(generate(seed)).digest}"] * 2)
        self.flushLoggedErrors()
