"""The form of an invite token: 128 random bits in letters that can be read out on the telephone."""

from __future__ import annotations

import re
from base64 import b32encode

BYTES = 16
"""random bytes of a token"""
_GROUP = 7
_LETTERS = re.compile(r"(?:-*[a-z2-7]){26}-*", re.IGNORECASE | re.ASCII)


def encoded(token: bytes) -> str:
    """A token of `BYTES` bytes, as people see it."""
    letters = b32encode(token).decode().rstrip("=").lower()
    return "-".join(letters[start : start + _GROUP] for start in range(0, len(letters), _GROUP))


def has_form(text: str) -> bool:
    """Whether a text may be a token, of any case and with its letters grouped in any way."""
    return _LETTERS.fullmatch(text) is not None
