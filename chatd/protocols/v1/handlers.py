"""The complete table of requests of version 1.

Importing this module imports every feature's module, which enters its handlers into the table.
"""

from __future__ import annotations

from chatd.protocols.v1 import (
    access_tokens,
    accounts,
    blocking,
    edits,
    greeting,
    history,
    moderation,
    presence,
    receipts,
    reports,
    rooms,
)
from chatd.protocols.v1.requests import ONLY_READ, SESSION_REQUESTS, UNAUTHENTICATED_REQUESTS

__all__ = [
    "ONLY_READ",
    "SESSION_REQUESTS",
    "UNAUTHENTICATED_REQUESTS",
    "access_tokens",
    "accounts",
    "blocking",
    "edits",
    "greeting",
    "history",
    "moderation",
    "presence",
    "receipts",
    "reports",
    "rooms",
]
