"""Scripts for tests with hypothesis, drawn as bytes.

Hypothesis draws bytes many times faster than lists of tuples, each item of which is a draw of its
own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st


def scripts_of(
    *tables: Sequence[Any], min_size: int, max_size: int
) -> st.SearchStrategy[list[tuple[Any, ...]]]:
    """Lists of so many steps, each a tuple of one item of each table, none of which has more than
    256."""
    assert all(len(table) <= 256 for table in tables)
    width = len(tables)

    def steps(drawn: bytes) -> list[tuple[Any, ...]]:
        return [
            tuple(table[drawn[at + n] % len(table)] for n, table in enumerate(tables))
            for at in range(0, len(drawn) - width + 1, width)
        ]

    return st.binary(min_size=min_size * width, max_size=max_size * width).map(steps)
