"""``python -m tests.simulation``: run histories, and report those that break a promise.

Without options, 300 histories from new seeds. A history that breaks a promise in a new way is
shortened and printed, with the command that runs it again.
"""

from __future__ import annotations

import argparse
import gc
import time
from random import SystemRandom

from twisted.logger import globalLogBeginner

from tests.simulation.coverage import Coverage
from tests.simulation.history import generate
from tests.simulation.known import Explanations
from tests.simulation.shrink import shrink
from tests.simulation.world import Outcome, run

_REPORTS = 3
"""how many violations of one kind are printed that have no known cause"""
_SUMMARY = 600.0
"""seconds after which a long run prints how far it is"""


def main() -> int:
    """Run what the command line says; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="run the history of this seed, and print it")
    parser.add_argument("--keep", help="with --seed: only these steps (1,2,5), as a report says")
    parser.add_argument("--usual-sizes", action="store_true", help="with --seed: see `sizes`")
    parser.add_argument("--count", type=int, default=300, help="run so many histories")
    parser.add_argument("--minutes", type=float, help="run histories for so many minutes")
    parser.add_argument("--first", type=int, help="the first seed; the others follow it")
    parser.add_argument("--coverage", action="store_true", help="print which pairs have met")
    parser.add_argument("--shrink", type=float, default=20.0, help="seconds to shorten a history")
    options = parser.parse_args()
    globalLogBeginner.beginLoggingTo([], discardBuffer=True, redirectStandardIO=False)
    # Each history ends with a garbage collection, which need not look at the modules.
    gc.freeze()
    if options.seed is not None:
        return _replay(options.seed, options.keep, options.usual_sizes)
    return _Session(options).run()


def _replay(seed: int, keep: str | None, usual_sizes: bool) -> int:
    history = generate(seed)
    if usual_sizes:
        history = history.without("sizes")
    if keep is not None:
        history = history.only({int(number) for number in keep.split(",") if number})
    outcome = run(history)
    print(history.setup)
    print("\n".join(outcome.trace))
    for kind, sentence in outcome.violations:
        print(f"{kind}: {sentence}")
    print(f"trace {outcome.digest}")
    return 1 if outcome.violations else 0


class _Session:
    """Many histories, one after another."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._seeds: dict[str, list[int]] = {}
        self._coverage = Coverage()
        self._began = time.monotonic()
        self._began_work = time.process_time()
        self._shrinking = 0.0

    def run(self) -> int:
        """Run them, and report."""
        options = self._options
        first = SystemRandom().randrange(1 << 31) if options.first is None else options.first
        print(f"seeds from {first}", flush=True)
        count = 0
        due = time.monotonic() + _SUMMARY
        while self._goes_on(count):
            self._take(first + count, run(generate(first + count)), count + 1)
            count += 1
            if time.monotonic() > due:
                due += _SUMMARY
                self._summarize(count)
        self._summarize(count)
        if options.coverage:
            print("\n".join(self._coverage.lines()), flush=True)
        return 1 if self._seeds else 0

    def _summarize(self, count: int) -> None:
        seconds = time.process_time() - self._began_work - self._shrinking
        rate = count / seconds * 60
        print(f"\n{count} histories, {rate:.0f} a minute of processor time")
        for kind, seeds in sorted(self._seeds.items(), key=lambda item: -len(item[1])):
            print(f"{len(seeds):6} {kind}  {seeds[:5]}")
        print(flush=True)

    def _goes_on(self, count: int) -> bool:
        minutes: float | None = self._options.minutes
        if minutes is None:
            return count < int(self._options.count)
        return time.monotonic() - self._began < minutes * 60

    def _take(self, seed: int, outcome: Outcome, count: int) -> None:
        self._coverage.add(outcome.met)
        explanations = Explanations(generate(seed))
        for kind in outcome.kinds:
            cause = explanations.cause(kind)
            name = f"{kind} <- {cause or 'UNKNOWN CAUSE'}"
            seeds = self._seeds.setdefault(name, [])
            seeds.append(seed)
            # What has no known cause may have several.
            if len(seeds) == 1 or (not cause and len(seeds) <= _REPORTS):
                self._report(seed, kind, name, count)

    def _report(self, seed: int, kind: str, name: str, count: int) -> None:
        """Print a shortened history that breaks the promise `kind`, under the name `name`."""
        print(f"\n== {name}: history {count}, seed {seed}", flush=True)
        if not self._options.shrink:
            return
        began = time.process_time()
        short = shrink(generate(seed), kind, self._options.shrink)
        outcome = run(short)
        kept = ",".join(str(step.number) for step in short.steps)
        print(f"{len(short.steps)} steps, {short.setup}")
        sentence = next((text for found, text in outcome.violations if found == kind), "")
        for line in outcome.trace:
            print(line[:300])
            if f"VIOLATION {kind}: {sentence}" in line:
                break
        print(f"again: python -m tests.simulation --seed {seed} --keep={kept}", flush=True)
        self._shrinking += time.process_time() - began


if __name__ == "__main__":
    raise SystemExit(main())
