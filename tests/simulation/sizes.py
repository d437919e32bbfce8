"""Internal sizes of the daemon: how much it does at once, before other work goes on.

A history has three accounts and some hundred entries, which are few for the daemon. So in some
histories the sizes are small, and what only a large server does happens there as well: work that
is divided, between whose parts sessions end, accounts are deleted and the daemon dies.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from types import ModuleType
from typing import TypeAlias

from chatd.realm import fan_out, presence, room_departures
from chatd.stores import batches
from chatd.stores.sqlite import documents, maintenance, place_runs, recent_entries

Sizes: TypeAlias = tuple[tuple[str, int], ...]
"""the sizes that differ from those of the daemon, by name"""

_SHARE = 0.3
"""the share of histories with small sizes"""
_SIZES: dict[str, tuple[ModuleType, str, tuple[int, ...]]] = {
    "fan-out": (fan_out, "_AT_ONCE", (1, 2, 5)),
    "presence": (presence, "_AT_ONCE", (1, 2)),
    "departures": (room_departures, "_AT_ONCE", (1, 2)),
    "batch": (batches, "LARGEST_BATCH", (1, 3, 10)),
    "index-at": (maintenance, "INDEX_AT", (1, 5, 30)),
    "index-step": (recent_entries, "_INDEX_STEP", (1, 2, 40)),
    "run": (place_runs, "RUN_ENTRIES", (1, 3, 10)),
    "purge": (maintenance, "_PURGE_STEP", (1, 2, 10)),
    "documents": (documents, "_AT_ONCE", (1, 5)),
    "documents-purge": (maintenance, "_DOCUMENTS_STEP", (1, 2)),
}
"""by name: where the daemon has a size, and the small ones"""


def draw(seed: int) -> Sizes:
    """The sizes of the history of a seed: some of them are small, or none is."""
    random = Random(f"sizes {seed}")
    if random.random() >= _SHARE:
        return ()
    return tuple(
        (name, random.choice(small))
        for name, (_, _, small) in _SIZES.items()
        if random.random() < 0.7
    )


@contextmanager
def sizes(given: Sizes) -> Iterator[None]:
    """Daemons have these sizes until the context ends."""
    places = [(_SIZES[name], size) for name, size in given]
    usual = [
        (module, attribute, getattr(module, attribute)) for (module, attribute, _), _ in places
    ]
    try:
        for (module, attribute, _), size in places:
            setattr(module, attribute, size)
        yield
    finally:
        for module, attribute, size in usual:
            setattr(module, attribute, size)
