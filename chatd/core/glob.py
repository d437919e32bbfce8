"""Globs: the shell's `*`, `?` and `[...]`, matched in bounded time.

A pattern is split at its stars into pieces. Each piece is searched once, from the left: between two
stars the leftmost match always suffices, so there is no backtracking. A name of n characters costs
at most n times the length of the pattern, however many stars it has. No regular expression is used.
"""

from __future__ import annotations

from collections.abc import Callable

_Test = Callable[[str], bool]
_Piece = str | tuple[_Test, ...]


def matcher(pattern: str) -> Callable[[str], bool]:
    """A function that returns whether a complete name matches `pattern`, case-sensitively.

    `*` matches any run of characters, `?` any character, `[abc]` and `[a-d]` any character of a
    set, and `[!a]` any other. An unclosed `[` and all other characters match themselves, as in the
    module fnmatch of Python.
    """
    pieces = [_piece(piece) for piece in _split(pattern)]
    if len(pieces) == 1:
        only = pieces[0]
        if isinstance(only, str):
            return only.__eq__
        return lambda name: len(name) == len(only) and _fits(only, name, 0)
    start, *middle, end = pieces
    shortest = sum(len(piece) for piece in pieces)
    middle = [piece for piece in middle if piece]

    def matches(name: str) -> bool:
        if len(name) < shortest or not _fits(start, name, 0):
            return False
        stop = len(name) - len(end)
        if not _fits(end, name, stop):
            return False
        at = len(start)
        for piece in middle:
            place = _find(piece, name, at, stop)
            if place < 0:
                return False
            at = place + len(piece)
        return at <= stop

    return matches


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


def _piece(items: list[str]) -> _Piece:
    """A string if there are only plain characters, otherwise a test for each character."""
    if all(len(item) == 1 and item != "?" for item in items):
        return "".join(items)
    return tuple(_test(item) for item in items)


def _test(item: str) -> _Test:
    """The test of one character: for `?`, a plain character, or a `[...]` set."""
    if item == "?":
        return lambda char: True
    if len(item) == 1:
        return item.__eq__
    inner = item[1:-1]
    negated = inner.startswith("!")
    if negated:
        inner = inner[1:]
    single, ranges = set(), []
    at = 0
    while at < len(inner):
        if inner[at + 1 : at + 2] == "-" and at + 2 < len(inner):
            ranges.append((inner[at], inner[at + 2]))
            at += 3
        else:
            single.add(inner[at])
            at += 1

    def among(char: str) -> bool:
        return (char in single or any(low <= char <= high for low, high in ranges)) is not negated

    return among


def _fits(piece: _Piece, name: str, at: int) -> bool:
    """Whether a piece matches `name` at this index."""
    if isinstance(piece, str):
        return name.startswith(piece, at)
    return all(test(char) for test, char in zip(piece, name[at : at + len(piece)], strict=True))


def _find(piece: _Piece, name: str, at: int, stop: int) -> int:
    """The first index from `at` on where a piece matches and ends before `stop`; -1 if none."""
    if isinstance(piece, str):
        return name.find(piece, at, stop)
    return next(
        (place for place in range(at, stop - len(piece) + 1) if _fits(piece, name, place)), -1
    )
