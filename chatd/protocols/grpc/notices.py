"""The notices of the server to one account, which wait in memory for its streams."""

from __future__ import annotations

from collections import deque

MAX_NOTICES = 1_000
"""notices of an account that wait for its streams; older ones are dropped"""
MAX_CHARACTERS = 256 * 1024
"""characters that they have together; older ones are dropped, but not those added latest"""


class Notices:
    """The latest notices, numbered from 1. Each stream reads them from its own position."""

    def __init__(self) -> None:
        self._texts: deque[str] = deque()
        self._characters = 0
        self._last = 0
        self.read = 0
        """the number of the last notice that the client has read, by any of its streams; 0: none"""

    @property
    def waiting(self) -> bool:
        """Whether there are notices that the client has not read."""
        return self._last > self.read and bool(self._texts)

    def add(self, *texts: str) -> None:
        """Add notices that belong together."""
        self._last += len(texts)
        self._texts += texts
        self._characters += sum(map(len, texts))
        while len(self._texts) > len(texts) and (
            len(self._texts) > MAX_NOTICES or self._characters > MAX_CHARACTERS
        ):
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        self._characters -= len(self._texts.popleft())

    def after(self, number: int) -> tuple[int, str] | None:
        """The number and the text of the first notice after a number, None if there is none."""
        following = max(number, self._last - len(self._texts)) + 1
        if following > self._last:
            return None
        return following, self._texts[following - self._last - 1]

    def discard(self, number: int) -> None:
        """Drop the notices up to a number."""
        while self._texts and self._last - len(self._texts) < number:
            self._drop_oldest()
