"""The audit log: what operators have done, by whom, when and with which result.

It is a log of the store, so it has what the store has: an entry is durable before the operator is
answered. Nothing secret may be given to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TypeAlias

import msgspec

from chatd.core.entries import OPERATION
from chatd.core.errors import Exists
from chatd.core.names import AUDIT
from chatd.realm.context import Context
from chatd.realm.delivery import NullOrigin
from chatd.realm.page import Page
from chatd.stores import Append, CreateLog, RequireLog

TRIM_EVERY = 64
"""entries after which the log is trimmed"""

Value: TypeAlias = str | int | float | bool | None


class Operation(msgspec.Struct, frozen=True):
    """What an operator has asked for, as the body of an entry: the command, its arguments, and what
    was answered, or the code of the refusal (empty: it was carried out)."""

    command: str
    arguments: Mapping[str, Value] = {}
    result: Mapping[str, Value] = {}
    refused: str = ""


class AuditEntry(msgspec.Struct, frozen=True):
    """An entry of the audit log: its number and time, the system user, and the operation."""

    seq: int
    time: int
    user: str
    command: str
    arguments: Mapping[str, Value]
    result: Mapping[str, Value]
    refused: str


class Audit:
    """Writes and reads the audit log; the latest `Limits.audit_entries` are kept."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._origin = NullOrigin()

    async def start(self) -> None:
        """Create the log if there is none. Raises `StoreUnavailable`."""
        with suppress(Exists):
            await self._context.store.write([CreateLog(AUDIT)])

    async def record(self, user: str, operation: Operation) -> None:
        """Add what a system user has done, which is then durable. Raises `StoreUnavailable`."""
        context, store = self._context, self._context.store
        body = msgspec.json.encode(operation).decode()
        append = Append(
            AUDIT, context.new_id(), context.entry_time(), user, body, self._origin, OPERATION
        )
        context.append(append)
        # It is committed with what is queued before it.
        await store.write([RequireLog(AUDIT)])
        if append.refusal is not None:
            raise append.refusal
        if append.seq % TRIM_EVERY == 0:
            await store.trim(AUDIT, append.seq - context.limits.audit_entries)

    async def page(self, after: int, limit: int) -> Page[AuditEntry, int]:
        """Entries, oldest first."""
        entries = await self._context.store.read(AUDIT, after, limit)
        items = []
        for entry in entries:
            operation = msgspec.json.decode(entry.body, type=Operation)
            items.append(
                AuditEntry(
                    entry.seq,
                    entry.time,
                    entry.sender,
                    operation.command,
                    operation.arguments,
                    operation.result,
                    operation.refused,
                )
            )
        return Page(items, bool(entries), entries[-1].seq if entries else after)
