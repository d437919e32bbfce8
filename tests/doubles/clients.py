"""A client of which only the address matters, and whether it is there."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class FakeClient:
    """See `chatd.realm.requester.Client`."""

    address: str
    disconnected: bool = False
