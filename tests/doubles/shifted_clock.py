"""A program of chatd on a wall clock that a test sets: ``shifted_clock.py FILE PROGRAM ...``.

FILE has the seconds by which the wall clock is ahead of that of the machine. PROGRAM is as in
`tests.doubles.fork_server`, with its arguments.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path


def main() -> None:
    """Shift the clock before Twisted and chatd are imported, then run the program."""
    file, *sys.argv = sys.argv[1:]
    real_time = time.time
    time.time = lambda: real_time() + float(Path(file).read_text())

    from tests.doubles.fork_server import run

    run(sys.argv[0])


if __name__ == "__main__":
    main()
