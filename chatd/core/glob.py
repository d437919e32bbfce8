"""Globs: the shell's `*`, `?` and `[...]`, matched in linear time.

A pattern with stars and plain characters only, the most frequent, is split at its stars into
pieces. Each piece is searched once, from the left: between two stars the leftmost match always
suffices, so there is no backtracking. A pattern with `?` or `[...]` is matched by RE2
(`chatd.core.linear_regex`).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from chatd.core import linear_regex
from chatd.core.linear_regex import ANY, character_set, literal

# ASCII without `*`, `?` and `[`: in lower case, another character may be several.
_PLAIN = re.compile(r"[!-)+->@-Z\\-~]*")


def matcher(pattern: str) -> Callable[[str], bool]:
    """A function that returns whether a complete name matches `pattern`, case-sensitively.

    `*` matches any run of characters, `?` any character, `[abc]` and `[a-d]` any character of a
    set, and `[!a]` any other. An unclosed `[` and all other characters match themselves, as in the
    module fnmatch of Python. Raises `PatternInvalid` if the pattern is too long.
    """
    pieces = _split(pattern)
    if any(item == "?" or len(item) > 1 for piece in pieces for item in piece):
        expression = f"{ANY}*".join("".join(map(_expression, piece)) for piece in pieces)
        return linear_regex.matcher(expression)
    return _pieces_matcher(["".join(piece) for piece in pieces])


def first_place(pattern: str, after: str) -> str:
    """A text after which all names stand that match `pattern` and are greater than `after`, in
    alphabetical order without regard to the case of ASCII letters: it is greater than `after` if
    the pattern begins with characters that every match begins with."""
    prefix = _prefix(pattern)
    if not prefix:
        return after
    before = f"{prefix[:-1]}{chr(max(0, ord(prefix[-1]) - 1))}\U0010ffff"
    return before if after.lower() < before else after


def is_past(pattern: str, name: str) -> bool:
    """Whether no name after this one, in the same order, matches `pattern`."""
    prefix = _prefix(pattern)
    return name.lower() > prefix and not name.lower().startswith(prefix)


def _prefix(pattern: str) -> str:
    """What every match begins with, in lower case; empty if that is not known."""
    plain = _PLAIN.match(pattern)
    assert plain is not None
    return plain[0].lower()


def _pieces_matcher(pieces: list[str]) -> Callable[[str], bool]:
    """A function that returns whether a name consists of these pieces, with any runs of characters
    between them."""
    if len(pieces) == 1:
        return pieces[0].__eq__
    if not any(pieces):
        return _any_name
    start, *middle, end = pieces
    shortest = sum(map(len, pieces))
    middle = [piece for piece in middle if piece]

    def matches(name: str) -> bool:
        if len(name) < shortest or not name.startswith(start) or not name.endswith(end):
            return False
        at, stop = len(start), len(name) - len(end)
        for piece in middle:
            at = name.find(piece, at, stop)
            if at < 0:
                return False
            at += len(piece)
        return at <= stop

    return matches


def _any_name(name: str) -> bool:
    return True


def _split(pattern: str) -> list[list[str]]:
    """The pieces of `pattern` between its stars, as lists of characters, `?` and `[...]` sets."""
    parts: list[list[str]] = [[]]
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if char == "*":
            parts.append([])
        elif char == "[":
            # A `]` right after the opening, or after `!`, is a member, not the end.
            first = at + 2 if pattern[at + 1 : at + 2] == "!" else at + 1
            close = pattern.find("]", first + 1)
            if close > 0:
                char = pattern[at : close + 1]
                at = close
            parts[-1].append(char)
        else:
            parts[-1].append(char)
        at += 1
    return parts


def _expression(item: str) -> str:
    """The regular expression of a plain character, of `?`, or of a `[...]` set."""
    if item == "?":
        return ANY
    if len(item) == 1:
        return literal(item)
    inner = item[1:-1]
    negated = inner.startswith("!")
    if negated:
        inner = inner[1:]
    ranges: list[tuple[str, str]] = []
    at = 0
    while at < len(inner):
        if inner[at + 1 : at + 2] == "-" and at + 2 < len(inner):
            ranges.append((inner[at], inner[at + 2]))
            at += 3
        else:
            ranges.append((inner[at], inner[at]))
            at += 1
    return character_set(ranges, negated)
