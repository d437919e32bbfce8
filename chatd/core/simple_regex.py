r"""Simple regular expressions, as ops and gRPC clients send them, matched in bounded time.

The subset has characters, `.`, `[...]`, `[^...]` and `\x`, each optionally followed by `*`, `+` or
`?`, or by their lazy forms, which match the same complete names. A name is matched in one pass that
tracks the set of states of the pattern (K. Thompson, "Regular Expression Search Algorithm", CACM
1968): each character of the name costs at most the length of the pattern. No regular expression
from a client is ever compiled.
"""

from __future__ import annotations

from collections.abc import Callable

from chatd.core.errors import PatternInvalid

_Test = Callable[[str], bool]

_SPECIAL = "(){|^$*+?"


def matcher(pattern: str) -> Callable[[str], bool]:
    """A function that returns whether a complete name matches `pattern`, case-sensitively.

    Raises `PatternInvalid` if the pattern has anything else than the subset.
    """
    tests: list[_Test] = []
    # Bit sets of states: those whose character is optional, and those whose character may repeat.
    optional = repeated = 0
    at = 0
    while at < len(pattern):
        test, at = _character(pattern, at)
        quantifier = pattern[at : at + 1]
        bit = 1 << len(tests)
        if quantifier and quantifier in "*+?":
            at += 2 if pattern[at + 1 : at + 2] == "?" else 1
            optional |= bit if quantifier != "+" else 0
            repeated |= bit if quantifier != "?" else 0
        tests.append(test)
    end = 1 << len(tests)

    def reach(states: int) -> int:
        """These states, and those that are reached from them without a character."""
        skipped = states & optional
        while skipped:
            skipped = (skipped << 1) & ~states
            states |= skipped
            skipped &= optional
        return states

    start = reach(1)

    def matches(name: str) -> bool:
        states = start
        for char in name:
            reached = 0
            rest = states & ~end
            while rest:
                bit = rest & -rest
                rest ^= bit
                if tests[bit.bit_length() - 1](char):
                    reached |= bit << 1 | bit & repeated
            if not reached:
                return False
            states = reach(reached)
        return bool(states & end)

    return matches


def _character(pattern: str, at: int) -> tuple[_Test, int]:
    """The test of the character at this index of the pattern, and the index after it."""
    char = pattern[at]
    if char == ".":
        return _any, at + 1
    if char == "[":
        return _set(pattern, at + 1)
    if char in _SPECIAL:
        raise PatternInvalid(
            f"pattern not understood at {char!r}: it has . [...] * + ? and nothing else"
        )
    if char == "\\":
        char, at = _escaped(pattern, at)
        return char.__eq__, at
    return char.__eq__, at + 1


def _any(char: str) -> bool:
    return char != "\n"


def _escaped(pattern: str, at: int) -> tuple[str, int]:
    """The character after a backslash at this index, and the index after it."""
    char = pattern[at + 1 : at + 2]
    if not char or char.isalnum():
        raise PatternInvalid(f"pattern not understood: \\{char} stands for no character")
    return char, at + 2


def _set(pattern: str, at: int) -> tuple[_Test, int]:
    """The test of a set that begins before this index, and the index after the set."""
    negated = pattern[at : at + 1] == "^"
    at += negated
    ranges: list[tuple[str, str]] = []
    first = at
    while True:
        char = pattern[at : at + 1]
        if not char:
            raise PatternInvalid("pattern not understood: a [ without its ]")
        if char == "]" and at > first:
            break
        low, at = _member(pattern, at)
        high = low
        if pattern[at : at + 1] == "-" and pattern[at + 1 : at + 2] not in ("", "]"):
            high, at = _member(pattern, at + 1)
            if high < low:
                raise PatternInvalid(
                    f"pattern not understood: there is nothing from {low} to {high}"
                )
        ranges.append((low, high))

    def test(char: str) -> bool:
        return any(low <= char <= high for low, high in ranges) != negated

    return test, at + 1


def _member(pattern: str, at: int) -> tuple[str, int]:
    """The member of a set at this index, and the index after it."""
    return _escaped(pattern, at) if pattern[at] == "\\" else (pattern[at], at + 1)
