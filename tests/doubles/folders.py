"""Temporary folders."""

from __future__ import annotations

import os
import shutil
import tempfile
from unittest import TestCase

MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""where files are in memory, for tests that commit thousands of times and never cut the power"""


def folder(test: TestCase, parent: str | None = None) -> str:
    """A new folder that is removed when the test ends; None: where the system has such folders."""
    path = tempfile.mkdtemp(prefix="chatd-test-", dir=parent)
    test.addCleanup(shutil.rmtree, path, ignore_errors=True)
    return path
