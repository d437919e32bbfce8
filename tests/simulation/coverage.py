"""Which operations met which faults and kinds of daemons, so that what never happens is seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tests.simulation.faults import FAULTS
from tests.simulation.operations import OPERATIONS

CONDITIONS = (
    *FAULTS,
    "memory",
    "old-file",
    "--retain",
    "--tls-cert",
    "--tls-only",
    "--listen",
    "--registration",
    "--forbid-open-accounts",
)
"""what an operation can meet: faults that were in effect, and what is special about the daemon"""


class Coverage:
    """Counts the pairs of an operation and a condition under which it was done."""

    def __init__(self) -> None:
        self._pairs: Counter[tuple[str, str]] = Counter()

    def add(self, pairs: Iterable[tuple[str, str]]) -> None:
        """The pairs that met in a history."""
        self._pairs.update(pairs)

    def lines(self) -> Iterable[str]:
        """A table: a row for each operation, a column for each condition, and what never met."""
        faults = CONDITIONS
        for number, fault in enumerate(faults, 1):
            yield f"({number}) {fault}"
        yield " " * 26 + "".join(f"{f'({number})':>5}" for number in range(1, len(faults) + 1))
        missing: list[str] = []
        for protocol, table in OPERATIONS.items():
            for operation in table:
                name = f"{protocol} {operation}"
                counts = [self._pairs[name, fault] for fault in faults]
                missing += [
                    f"{name} / {fault}"
                    for fault, count in zip(faults, counts, strict=True)
                    if not count and fault in FAULTS
                ]
                yield f"{name:26}" + "".join(f"{count or '-':>5}" for count in counts)
        yield f"{len(missing)} pairs of an operation and a fault have never met"
        yield from missing
