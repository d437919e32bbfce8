"""Which tests start processes, and in which order tests run."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
FOLDERS_WITH_PROCESSES = {"bench", "examples", "process"}
MODULES_WITH_PROCESSES = {
    "test_at_terminal.py",
    "test_in_pipe.py",
    "test_layers.py",
    "test_repeatable.py",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that start processes, and bring the tests into the order in which they run.

    Functions run in the reactor of pytest-twisted, which then stays running, so that trial's test
    cases could not run it any more: they come last. Histories of the simulation come first: at the
    end, one worker would be busy with them while the others have nothing to do. Each worker runs
    its share of the tests in this order.
    """
    for item in items:
        path = item.path.relative_to(TESTS)
        if path.parts[0] in FOLDERS_WITH_PROCESSES or path.name in MODULES_WITH_PROCESSES:
            item.add_marker("process")
    items.sort(
        key=lambda item: (
            item.getparent(pytest.Class) is None,
            item.path.name != "test_simulation.py",
        )
    )


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Let garbage collections look at the objects of tests only, not at the modules."""
    gc.collect()
    gc.freeze()
