"""Keys of messages: unique, so that a message that is sent again is stored once."""

from __future__ import annotations

import random as random_module
from collections.abc import Callable


class Keys:
    """Makes keys from the time, a counter and a random number. `now` returns milliseconds since
    1970."""

    def __init__(self, now: Callable[[], int], random: random_module.Random) -> None:
        self._now = now
        self._random = random
        self._made = 0
        self._latest_time = 0

    def new(self) -> str:
        """Return a unique key, greater than those before it."""
        self._made += 1
        # The wall clock may be set back.
        time = self._latest_time = max(self._now(), self._latest_time)
        return f"{time:011x}{self._made & 0xFFFF:04x}{self._random.getrandbits(48):012x}"
