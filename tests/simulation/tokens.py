"""Tokens as clients know them: which are valid, and which have certainly ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.simulation.facts import Change, Fact

LIFETIME = 30 * 86400.0
"""seconds by the wall clock without use after which a token ends"""
_MARGIN = 2 * 86400.0
"""seconds of its lifetime in which a token may have ended: a use is saved once a day"""
_MOST = 50
"""tokens of an account; a few more, and the oldest may end"""


@dataclass(eq=False)
class Token:
    """A token, and by which requests it ends; `used` is between which times of the wall clock it
    was used last."""

    name: str
    valid: Fact
    used: tuple[float, float]
    doubtful: bool = False
    """whether it may have ended for a reason that clients do not know"""


class Tokens:
    """All tokens of one sort in a history. `wall` is the wall clock, `lifetime` the seconds without
    use after which a token ends."""

    def __init__(
        self,
        names: Iterable[str],
        wall: Callable[[], float] = lambda: 0.0,
        lifetime: float = LIFETIME,
    ) -> None:
        self.wall = wall
        self._lifetime = lifetime
        self._tokens: dict[str, Token] = {}
        self._ends: dict[str, list[Change]] = {name: [] for name in names}
        self._before_jumps: list[tuple[int, float]] = []

    def jumps(self, tick: int) -> None:
        """The wall clock is about to be set, at a tick."""
        self._before_jumps.append((tick, self.wall()))

    def _between(self, start: int) -> tuple[float, float]:
        """The least and the greatest time of the wall clock since a tick."""
        times = [self.wall(), *(wall for tick, wall in self._before_jumps if tick >= start)]
        return min(times), max(times)

    def issued(self, text: str, name: str, sent: int, by: Change | None) -> None:
        """A session got a token, by a request that was sent at a tick; `by` is what that request
        changes."""
        token = self._tokens[text] = Token(name, Fact(True), self._between(sent))
        for change in self._ends[name]:
            if change is not by and (change.settled is None or change.settled >= sent):
                # It may have been carried out before the token was issued, or after.
                token.doubtful = True
        own = [token for token in self._tokens.values() if token.name == name]
        for token in own[:-_MOST]:
            token.doubtful = True

    def __contains__(self, text: str) -> bool:
        return text in self._tokens

    def end_all(self, name: str, change: Change) -> None:
        """A request is sent that ends all tokens of an account."""
        self._ends[name].append(change)
        for token in self._tokens.values():
            if token.name == name:
                token.valid.write(False, change)

    def doubt_all(self, name: str, change: Change) -> None:
        """A request is sent that may end all tokens of an account."""
        if any(token.name == name for token in self._tokens.values()):
            self.end_all(name, Change(change.sent))

    def end(self, text: str, change: Change) -> None:
        """A request is sent that ends one token."""
        if text in self._tokens:
            self._tokens[text].valid.write(False, change)

    def doubt(self, text: str) -> None:
        """A request is sent that may end one token."""
        if text in self._tokens:
            self._tokens[text].doubtful = True

    def used(self, text: str, sent: int) -> None:
        """A session is opened with a token, by a request that was sent at a tick."""
        if text in self._tokens:
            self._tokens[text].used = self._between(sent)

    def is_valid(self, text: str, name: str, start: int, end: int) -> bool:
        """Whether a token has certainly been one of the account's between two ticks."""
        token = self._tokens.get(text)
        if token is None or token.name != name or token.doubtful:
            return False
        unused = self._between(start)[1] - token.used[0]
        return unused < self._lifetime - _MARGIN and token.valid.surely(True, start, end)

    def has_ended(self, text: str, name: str, start: int, end: int) -> bool:
        """Whether a token has certainly not been one of the account's between two ticks."""
        token = self._tokens.get(text)
        if token is None or token.name != name:
            return True
        unused = self._between(start)[0] - token.used[1]
        return unused > self._lifetime + _MARGIN or token.valid.surely(False, start, end)
