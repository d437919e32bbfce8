"""How parts of a line look at a terminal that has colours, and everywhere else not at all."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

PLAIN, BOLD, DIM = "", "1", "2"
"""parameters of the sequence SGR (ECMA-48, 8.3.117)"""

# Colours that can be read on black as on white; red is for nobody.
_NAMES = ("32", "33", "34", "35", "36", "92", "94", "95", "96", "1;32", "1;34", "1;35", "1;36")


class Span(NamedTuple):
    """A part of a line; the text may be as it came from the network."""

    text: str
    style: str = PLAIN


Line: TypeAlias = tuple[Span, ...]


def name(text: str) -> Span:
    """Somebody's name, always in the same colour."""
    return Span(text, _NAMES[zlib.crc32(text.lower().encode("utf-8", "replace")) % len(_NAMES)])


def painted(text: str, style: str) -> str:
    """A harmless text with the sequences that make it look so."""
    return f"\x1b[{style}m{text}\x1b[0m" if style and text else text


def wanted(environment: Mapping[str, str]) -> bool:
    """Whether a person at a terminal wants colours (https://no-color.org)."""
    return not environment.get("NO_COLOR") and environment.get("TERM", "dumb") != "dumb"
