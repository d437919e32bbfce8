"""A store with a past: accounts and entries, written by the store's own writer, many at a time."""

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


class _Nobody:
    """Who is not interested in the answer."""

    wants_receipts = False

    def __init__(self) -> None:
        self.answers: list[Append] = []

    def answer(self) -> None:
        """Not interested."""


def fill(path: str, accounts: int, entries: int) -> None:
    """Make a store at `path` with so many open accounts, and entries spread over 1,000 inboxes."""
    claimed = lock(path)
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
    nobody = _Nobody()
    text = "x" * 100
    for start in range(0, entries, _BATCH):
        trouble = writer.commit(
            [
                Append(
                    mailbox_log(f"user{number % _LOGS:06d}"), number, 0, "user000000", text, nobody
                )
                for number in range(start, min(start + _BATCH, entries))
            ]
        )
        if trouble:
            raise RuntimeError(trouble)
        while writer.needs_maintenance:
            writer.run_maintenance()
    connection.close()
    os.close(claimed)
