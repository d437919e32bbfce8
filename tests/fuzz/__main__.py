"""``python -m tests.fuzz [--seconds N] [TARGET ...]``: fuzz each target for so long, two at a time.

What was found is in the current folder, as ``crash-...``. With ``--keep``, inputs that reach new
code are added to the corpus.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fuzz import corpus
from tests.fuzz.targets import TARGETS

_LONGEST_INPUT = 2_048
_SLOWEST_INPUT = 20
"""seconds"""


def _run(name: str, *arguments: str) -> tuple[int, str]:
    """Run libFuzzer on a target: the exit status and the output."""
    process = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.one_target", name, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return process.returncode, process.stdout.decode(errors="replace")


def fuzz(name: str, seconds: int, keep: bool) -> bool:
    """Fuzz a target for so many seconds, and print the outcome; whether nothing was found."""
    with tempfile.TemporaryDirectory() as new, tempfile.TemporaryDirectory() as least:
        for number, data in enumerate(corpus.inputs(name)):
            (Path(new) / f"input{number}").write_bytes(data)
        status, output = _run(
            name,
            f"-max_total_time={seconds}",
            f"-max_len={_LONGEST_INPUT}",
            f"-timeout={_SLOWEST_INPUT}",
            new,
        )
        if status == 0 and keep:
            # The fewest of them that reach as much.
            _run(name, "-merge=1", least, new)
            corpus.keep(name, [path.read_bytes() for path in Path(least).iterdir()])
    if status:
        print(f"{name}: FOUND\n{output}", flush=True)
    else:
        done = [line for line in output.splitlines() if line.startswith("Done")]
        print(f"{name}: {' '.join(done)}", flush=True)
    return status == 0


def main() -> int:
    """Run the command; its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}")
    parser.add_argument("--seconds", type=int, default=3600, help="for each target (3600)")
    parser.add_argument("--keep", action="store_true", help="add to the corpus")
    options = parser.parse_args()
    unknown = set(options.targets) - set(TARGETS)
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    with ThreadPoolExecutor(2) as threads:
        outcomes = threads.map(
            lambda name: fuzz(name, options.seconds, options.keep), options.targets or TARGETS
        )
        return 0 if all(list(outcomes)) else 1


if __name__ == "__main__":
    sys.exit(main())
