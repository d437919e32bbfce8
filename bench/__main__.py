"""`python -m bench`: measure, and print a table. Exit status 0 if everything could be measured."""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
from collections.abc import Sequence
from dataclasses import asdict

import twisted
from bench.harness import Effort, Row
from bench.measurements import MEASUREMENTS
from bench.server_process import DRIVER_CPU, pin
from chatd import __version__


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the measurements that the command line selects."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measure what chatd costs, relative to a bare relay."
    )
    parser.add_argument("--quick", action="store_true", help="take a minute only, less precisely")
    parser.add_argument(
        "--only",
        action="append",
        choices=list(MEASUREMENTS),
        help="make only this measurement; may be repeated",
    )
    parser.add_argument("--json", metavar="FILE", help="also write the rows to this file")
    options = parser.parse_args(arguments)
    effort = Effort()
    if options.quick:
        effort = Effort(
            seconds=1.0,
            rounds=1,
            entries=100_000,
            accounts=20_000,
            sustained=100_000,
            users=1_000,
            sessions=2_000,
        )
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    processors = len(os.sched_getaffinity(0))
    pin(DRIVER_CPU)
    print(
        f"chatd {__version__}, Twisted {twisted.__version__}, Python {platform.python_version()}, "
        f"{processors} processors; 100-character messages, 50 pairs",
        flush=True,
    )
    rows: list[Row] = []
    for name in options.only or MEASUREMENTS:
        for row in MEASUREMENTS[name](effort):
            rows.append(row)
            print(line(row), flush=True)
    if options.json:
        with open(options.json, "w") as file:
            json.dump([asdict(row) for row in rows], file, indent=1)


def line(row: Row) -> str:
    """A row of the table."""
    target = "" if row.target is None else f"<= {row.target:g}"
    verdict = "" if row.target is None else "ok" if row.value <= row.target else "over"
    return f"{row.what:<66}{row.value:>8.2f} {row.unit:<8}{target:<8}{verdict:<5}{row.note}"


if __name__ == "__main__":
    main()
