r"""Patterns for names as the ops and gRPC clients write them: a part of regular expressions that is
harmless.

Characters, `.`, `[...]`, `[^...]` and `\x`, each perhaps with `*`, `+` or `?`, or their lazy forms,
which match the same whole names. A name is matched in one pass, with the set of places in the
pattern where a match may be (K. Thompson, "Regular Expression Search Algorithm", CACM 1968): at
most the pattern's length for each character of the name, whatever the pattern. No regular
expression is ever compiled from it.
"""

from __future__ import annotations

from collections.abc import Callable

from chatd.core.errors import PatternInvalid

_Test = Callable[[str], bool]

_SPECIAL = "(){|^$*+?"


def matcher(pattern: str) -> Callable[[str], bool]:
    """A function that tells whether a whole name matches, with regard to case. Raises
    `PatternInvalid`."""
    tests: list[_Test] = []
    # Places whose character may be missing, and places where it may come again: a bit for each.
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

    def reach(places: int) -> int:
        """With these places, those behind them that nothing has to match for."""
        passed = places & optional
        while passed:
            passed = (passed << 1) & ~places
            places |= passed
            passed &= optional
        return places

    start = reach(1)

    def matches(name: str) -> bool:
        places = start
        for char in name:
            found = 0
            rest = places & ~end
            while rest:
                bit = rest & -rest
                rest ^= bit
                if tests[bit.bit_length() - 1](char):
                    found |= bit << 1 | bit & repeated
            if not found:
                return False
            places = reach(found)
        return bool(places & end)

    return matches


def _character(pattern: str, at: int) -> tuple[_Test, int]:
    """What the character of a name at this place has to be, and where the pattern goes on."""
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
    char = pattern[at + 1 : at + 2]
    if not char or char.isalnum():
        raise PatternInvalid(f"pattern not understood: \\{char} stands for no character")
    return char, at + 2


def _set(pattern: str, at: int) -> tuple[_Test, int]:
    """A set of characters, from behind its bracket."""
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
    return _escaped(pattern, at) if pattern[at] == "\\" else (pattern[at], at + 1)
