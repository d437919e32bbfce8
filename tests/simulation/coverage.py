"""Which operations met which faults, so that what never happens is seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tests.simulation.faults import FAULTS
from tests.simulation.operations import OPERATIONS


class Coverage:
    """Counts the pairs of an operation and a fault that was in effect when it was done."""

    def __init__(self) -> None:
        self._pairs: Counter[tuple[str, str]] = Counter()

    def add(self, pairs: Iterable[tuple[str, str]]) -> None:
        """The pairs that met in a history."""
        self._pairs.update(pairs)

    def lines(self) -> Iterable[str]:
        """A table: a row for each operation, a column for each fault, and what never met."""
        faults = list(FAULTS)
        for number, fault in enumerate(faults, 1):
            yield f"({number}) {fault}"
        yield " " * 26 + "".join(f"{f'({number})':>6}" for number in range(1, len(faults) + 1))
        missing = 0
        for protocol, table in OPERATIONS.items():
            for operation in table:
                name = f"{protocol} {operation}"
                counts = [self._pairs[name, fault] for fault in faults]
                missing += counts.count(0)
                yield f"{name:26}" + "".join(f"{count or '-':>6}" for count in counts)
        yield f"{missing} pairs have never met"
