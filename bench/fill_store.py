"""Filling a store with accounts and entries, by the writer of the store itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from chatd.core.names import mailbox_log
from chatd.realm.accounts import Account
from chatd.realm.changes import create
from chatd.realm.resume_token import ResumeToken
from chatd.realm.resume_tokens import hashed
from chatd.stores import Append, CreateLog, StateChange
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


def name_of(id: int) -> str:
    """The name of an account."""
    return f"user{id:06d}"


def token_of(id: int) -> str:
    """The resume token of an account, in a store that `fill_sessions` made."""
    return f"the token of {name_of(id)}"


@contextmanager
def _filling(path: str) -> Iterator[Writer]:
    """The writer of a new store at `path`."""
    descriptor = lock(path)
    connection = connect(path, writing=True)
    migrate(connection, path, migrations())
    yield Writer(connection)
    connection.close()
    os.close(descriptor)


def fill(path: str, accounts: int, entries: int) -> None:
    """Create a store at `path` with open accounts, and with entries in 1,000 mailboxes."""
    with _filling(path) as writer:
        _fill(writer, accounts, entries, min(_LOGS, accounts), _open_account)


def fill_sessions(path: str, accounts: int, entries: int, password: str, now: int) -> None:
    """Create a store at `path` with accounts that have this password, by its hash, and a resume
    token each, used `now` (milliseconds since 1970, UTC); each has `entries` in its mailbox."""

    def account(id: int) -> list[StateChange]:
        token = create(hashed(token_of(id)), ResumeToken(now), str(id))
        return [create(name_of(id), Account(0, password, id=id)), token]

    with _filling(path) as writer:
        _fill(writer, accounts, accounts * entries, accounts, account)


def _open_account(id: int) -> list[StateChange]:
    return [create(name_of(id), Account(0, id=id))]


def _fill(
    writer: Writer,
    accounts: int,
    entries: int,
    logs: int,
    account: Callable[[int], list[StateChange]],
) -> None:
    for start in range(1, accounts + 1, _BATCH):
        ids = range(start, min(start + _BATCH, accounts + 1))
        _commit(writer, [Call(partial(_register, id, account(id))) for id in ids])
    origin = _NullOrigin()
    text = "x" * 100
    for start in range(0, entries, _BATCH):
        numbers = range(start, min(start + _BATCH, entries))
        _commit(
            writer,
            [
                Append(mailbox_log(1 + number % logs), number, 0, name_of(1), text, origin)
                for number in numbers
            ],
        )
        while writer.maintenance.needed:
            writer.maintenance.run()


def _register(id: int, changes: Sequence[StateChange], writer: Writer) -> None:
    """Create an account and its mailbox."""
    writer.write([*changes, CreateLog(mailbox_log(id))])


def _commit(writer: Writer, batch: Batch) -> None:
    reason = writer.commit(batch)
    if reason:
        raise RuntimeError(reason)
