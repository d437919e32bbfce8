"""Filling a store with accounts and entries, by the writer of the store itself."""

from __future__ import annotations

import os

import msgspec

from chatd.core.names import mailbox_log
from chatd.realm.accounts import Account
from chatd.stores import Append
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
    body = msgspec.msgpack.encode(Account(0))
    connection.execute("BEGIN")
    connection.executemany(
        "INSERT INTO documents (kind, key, version, body) VALUES (?, ?, 1, ?)",
        ((Account.document_kind, f"user{number:06d}", body) for number in range(accounts)),
    )
    connection.execute("COMMIT")
    writer = Writer(connection)
    origin = _NullOrigin()
    text = "x" * 100
    for start in range(0, entries, _BATCH):
        reason = writer.commit(
            [
                Append(
                    mailbox_log(f"user{number % _LOGS:06d}"), number, 0, "user000000", text, origin
                )
                for number in range(start, min(start + _BATCH, entries))
            ]
        )
        if reason:
            raise RuntimeError(reason)
        while writer.needs_maintenance:
            writer.run_maintenance()
    connection.close()
    os.close(descriptor)
