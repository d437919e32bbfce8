"""Styles of a line's parts: colours at a terminal, plain text everywhere else."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

PLAIN, DIM = "", "2"
"""parameters of the control sequence SGR (ECMA-48, 8.3.117)"""

# Colours that are legible on black and on white. Red suggests an error and is not used.
_NAME_STYLES = (
    *("32", "33", "34", "35", "36", "92", "94", "95", "96"),
    *("1;32", "1;34", "1;35", "1;36"),
)


class Span(NamedTuple):
    """A part of a line in one style; the text may be as it was received."""

    text: str
    style: str = PLAIN


StyledLine: TypeAlias = tuple[Span, ...]


def name_span(name: str) -> Span:
    """An account's name, always in the same colour, whatever its case."""
    checksum = zlib.crc32(name.lower().encode("utf-8", "replace"))
    return Span(name, _NAME_STYLES[checksum % len(_NAME_STYLES)])


def styled_text(text: str, style: str) -> str:
    """A sanitized text between the control sequences of its style."""
    return f"\x1b[{style}m{text}\x1b[0m" if style and text else text


def colours_wanted(environment: Mapping[str, str]) -> bool:
    """Whether the environment asks for colours at a terminal (https://no-color.org)."""
    return not environment.get("NO_COLOR") and environment.get("TERM", "dumb") != "dumb"
