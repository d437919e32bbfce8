r"""Simple regular expressions, as ops and gRPC clients send them, matched in linear time.

The subset has characters, `.`, `[...]`, `[^...]` and `\x`, each optionally followed by `*`, `+` or
`?`, or by their lazy forms, which match the same complete names. What is in the subset means what
it means to the module re of Python, with which the original programs matched; anything else is
refused, so that no client depends on the constructs of one library.
"""

from __future__ import annotations

from collections.abc import Callable

from chatd.core import linear_regex
from chatd.core.errors import PatternInvalid
from chatd.core.linear_regex import character_set, literal

_SPECIAL = "(){|^$*+?"
_ANY = character_set([("\n", "\n")], negated=True)


def matcher(pattern: str) -> Callable[[str], bool]:
    """A function that returns whether a complete name matches `pattern`, case-sensitively.

    Raises `PatternInvalid` if the pattern has anything else than the subset, or is too long.
    """
    parts: list[str] = []
    at = 0
    while at < len(pattern):
        part, at = _character(pattern, at)
        quantifier = pattern[at : at + 1]
        if quantifier and quantifier in "*+?":
            at += 2 if pattern[at + 1 : at + 2] == "?" else 1
            part += quantifier
        parts.append(part)
    return linear_regex.matcher("".join(parts))


def _character(pattern: str, at: int) -> tuple[str, int]:
    """The expression of the character at this index of the pattern, and the index after it."""
    char = pattern[at]
    if char == ".":
        return _ANY, at + 1
    if char == "[":
        return _set(pattern, at + 1)
    if char in _SPECIAL:
        raise PatternInvalid(
            f"pattern not understood at {char!r}: it has . [...] * + ? and nothing else"
        )
    if char == "\\":
        char, at = _escaped(pattern, at)
        return literal(char), at
    return literal(char), at + 1


def _escaped(pattern: str, at: int) -> tuple[str, int]:
    """The character after a backslash at this index, and the index after it."""
    char = pattern[at + 1 : at + 2]
    if not char or char.isalnum():
        raise PatternInvalid(f"pattern not understood: \\{char} stands for no character")
    return char, at + 2


def _set(pattern: str, at: int) -> tuple[str, int]:
    """The expression of a set that begins before this index, and the index after the set."""
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
    return character_set(ranges, negated), at + 1


def _member(pattern: str, at: int) -> tuple[str, int]:
    """The member of a set at this index, and the index after it."""
    return _escaped(pattern, at) if pattern[at] == "\\" else (pattern[at], at + 1)
