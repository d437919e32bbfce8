"""``python -m tests.fuzz.one_target TARGET [options and folders of libFuzzer]``: fuzz one target in
this process."""

from __future__ import annotations

import sys

import atheris  # type: ignore[import-untyped]

from tests.fuzz.targets import TARGETS

if __name__ == "__main__":
    name = sys.argv.pop(1)
    with atheris.instrument_imports(include=["chatd"]):
        target = TARGETS[name]()
    # To merge, libFuzzer runs itself again.
    sys.argv[0] = f"{sys.executable} -m tests.fuzz.one_target {name}"
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()
