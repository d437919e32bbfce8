"""Filling a store with accounts and entries, by the writer of the store itself."""

from __future__ import annotations

import os
from functools import partial

from chatd.core.names import mailbox_log
from chatd.realm.accounts import Account
from chatd.realm.changes import create
from chatd.stores import Append, CreateLog
from chatd.stores.batches import Batch, Call
from chatd.stores.sqlite.file import connect, lock, migrate, migrations
from chatd.stores.sqlite.writer import Writer

_BATCH = 5_000
_LOGS = 1_000


class _NullOrigin:
    """An origin that ignores its answers."""

    wants_receipts = False

    def __init__(self) -> None:
        self.answers: list[Append] = []

    def answer(self) -> None:
        """See `Origin.answer`; does nothing."""


def fill(path: str, accounts: int, entries: int) -> None:
    """Create a store at `path` with open accounts, and with entries in 1,000 mailboxes."""
    descriptor = lock(path)
    connection = connect(path, writing=True)
    migrate(connection, path, migrations())
    writer = Writer(connection)
    for start in range(1, accounts + 1, _BATCH):
        ids = range(start, min(start + _BATCH, accounts + 1))
        _commit(writer, [Call(partial(_register, id)) for id in ids])
    origin = _NullOrigin()
    text = "x" * 100
    logs = min(_LOGS, accounts)
    for start in range(0, entries, _BATCH):
        numbers = range(start, min(start + _BATCH, entries))
        _commit(
            writer,
            [
                Append(mailbox_log(1 + number % logs), number, 0, "user000001", text, origin)
                for number in numbers
            ],
        )
        while writer.needs_maintenance:
            writer.run_maintenance()
    connection.close()
    os.close(descriptor)


def _register(id: int, writer: Writer) -> None:
    """Create an open account and its mailbox."""
    writer.write([create(f"user{id:06d}", Account(0, id=id)), CreateLog(mailbox_log(id))])


def _commit(writer: Writer, batch: Batch) -> None:
    reason = writer.commit(batch)
    if reason:
        raise RuntimeError(reason)
