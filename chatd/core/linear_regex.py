"""Regular expressions that take linear time, whatever they are: RE2.

Patterns of clients are never compiled by the module re of Python, whose matcher backtracks.
`chatd.core.glob` and `chatd.core.simple_regex` translate them, character by character, with the
functions of this module. RE2 (R. Cox, "Regular Expression Matching in the Wild", 2010) reads each
byte of a name once; memory for an expression is bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import re2

from chatd.core.errors import PatternInvalid

_MEMORY = 1024 * 1024
"""bytes that a compiled expression, with the states found while it is matched, may take"""
_LAST = 0x10FFFF
"""the last code point"""

ANY = rf"[\x{{0}}-\x{{{_LAST:x}}}]"
"""the expression of any character"""
_NONE = rf"[^\x{{0}}-\x{{{_LAST:x}}}]"


def literal(char: str) -> str:
    """The expression of a character that stands for itself."""
    return rf"\x{{{ord(char):x}}}"


def character_set(ranges: Sequence[tuple[str, str]], negated: bool) -> str:
    """The expression of one character in any of these ranges (first and last character), or in none
    of them if it is negated. A range whose last character is before its first has none."""
    members = "".join(
        f"{literal(first)}-{literal(last)}" for first, last in ranges if first <= last
    )
    if not members:
        return ANY if negated else _NONE
    return f"[{'^' if negated else ''}{members}]"


def matcher(expression: str) -> Callable[[str], bool]:
    """A function that returns whether a complete text matches `expression`, case-sensitively.

    Raises `PatternInvalid` if the expression takes too much memory.
    """
    options = re2.Options()
    options.max_mem = _MEMORY
    options.log_errors = False
    options.never_capture = True
    try:
        compiled = re2.compile(expression.encode(), options)
    except re2.error as error:
        raise PatternInvalid(f"pattern not understood: {error}") from None
    # The module keeps 128 expressions, with their memory.
    re2.purge()
    fullmatch = compiled.fullmatch
    return lambda text: fullmatch(text.encode()) is not None
