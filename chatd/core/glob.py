"""Patterns for names: the shell's `*`, `?` and `[...]`, matched in time that no pattern can blow
up.

A pattern is cut at its stars into pieces; each piece is sought once, from the left, and never again
(between two stars the leftmost place is always good enough), so a name of n characters costs at
most n times the length of the pattern, however many stars there are. No regular expression is
involved.
"""

from __future__ import annotations

from collections.abc import Callable

_Test = Callable[[str], bool]
_Piece = str | tuple[_Test, ...]


def matcher(pattern: str) -> Callable[[str], bool]:
    """A function that tells whether a whole name matches `pattern`, with regard to case.

    `*` is any run of characters, `?` any one, `[abc]` `[a-d]` `[!a]` one of (not of) them; an
    unclosed `[` and all else stand for themselves, as in Python's fnmatch (library reference,
    "fnmatch").
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
            found = _find(piece, name, at, stop)
            if found < 0:
                return False
            at = found + len(piece)
        return at <= stop

    return matches


def _split(pattern: str) -> list[list[str]]:
    """`pattern` cut at its stars; each part a list of single characters, `?` and `[...]` sets."""
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
    """A plain string where there are only plain characters, else one test for each place."""
    if all(len(item) == 1 and item != "?" for item in items):
        return "".join(items)
    return tuple(_test(item) for item in items)


def _test(item: str) -> _Test:
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
    if isinstance(piece, str):
        return name.startswith(piece, at)
    return all(test(char) for test, char in zip(piece, name[at : at + len(piece)], strict=True))


def _find(piece: _Piece, name: str, at: int, stop: int) -> int:
    if isinstance(piece, str):
        return name.find(piece, at, stop)
    return next(
        (place for place in range(at, stop - len(piece) + 1) if _fits(piece, name, place)), -1
    )
