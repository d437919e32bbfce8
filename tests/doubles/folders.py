"""Temporary folders."""

from __future__ import annotations

import shutil
import tempfile
from unittest import TestCase


def folder(test: TestCase) -> str:
    """A new folder that is removed when the test ends."""
    path = tempfile.mkdtemp(prefix="chatd-test-")
    test.addCleanup(shutil.rmtree, path, ignore_errors=True)
    return path
