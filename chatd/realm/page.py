"""A page: a part of a listing that operators ask for."""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

Item = TypeVar("Item")
Place = TypeVar("Place", str, int)


class Page(msgspec.Struct, Generic[Item, Place], frozen=True):
    """A part of a listing: `more` is whether another page may follow, `last` where it begins."""

    items: list[Item]
    more: bool
    last: Place
