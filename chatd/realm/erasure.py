"""Erasure: the deletion of an account with the texts that it has written to others.

It is done in steps, each as durable as what it has erased: an erasure that was interrupted, also by
a kill of the daemon, goes on where it was. First the account is deleted, so that it writes no more.
A deleted room that is restored may get a name that has been passed, so all logs are read again then
(`chatd.realm.deleted_rooms`).
"""

from __future__ import annotations

import msgspec

from chatd.core.entries import EDIT, REACTION, TEXT
from chatd.core.errors import Busy, Conflict, Exists, UnknownAccount, WrongPassword
from chatd.realm import changes, written_entries
from chatd.realm.documents import Stored
from chatd.realm.erasure_record import ErasureRecord, Place, Writer
from chatd.realm.realm import Realm
from chatd.stores import Change, Erase

_KINDS = frozenset({TEXT, EDIT, REACTION})
"""the kinds of entries with a text of their author"""
_READS = 16
"""pages of logs that one step reads"""


class ErasureStep(msgspec.Struct, frozen=True):
    """How far an erasure is: the account's name as first written, the number of texts that have
    been erased, and whether there is more to do."""

    name: str
    erased: int
    more: bool


class Erasure:
    """Erases accounts of one realm."""

    def __init__(self, realm: Realm) -> None:
        self._realm = realm
        self._documents = realm.documents

    async def step(self, name: str, resume: bool) -> ErasureStep:
        """Begin the erasure of an account, or go on with that of an earlier account of this name if
        one is under way; with `resume` only the latter.

        Raises `UnknownAccount`, `Busy`, `StoreUnavailable`.
        """
        stored = await self._pending(name)
        if stored is None and resume:
            raise UnknownAccount(f"No erasure of an account {name} is under way.")
        if stored is None:
            stored = await self._begin(name)
        await self._delete_account(stored.record.writer)
        return await self._proceed(stored)

    async def _pending(self, name: str) -> Stored[ErasureRecord] | None:
        for stored in await self._documents.scan(ErasureRecord):
            if stored.record.writer.name.lower() == name.lower():
                return stored
        return None

    async def _begin(self, name: str) -> Stored[ErasureRecord]:
        name, account = await self._realm.accounts.existing(name)
        record = ErasureRecord(Writer(name, account.id, account.created))
        creation = changes.create(str(account.id), record)
        try:
            (version,) = await self._documents.write([creation])
        except Exists:
            raise Busy() from None
        return changes.written(record, creation, version)

    async def _delete_account(self, writer: Writer) -> None:
        """Delete the account, unless that has been done."""
        account = await self._realm.accounts.account(writer.name)
        if account is not None and account[1].id == writer.id:
            try:
                await self._realm.delete_account(writer.name, account[1])
            except (UnknownAccount, WrongPassword):
                raise Busy() from None

    async def _proceed(self, stored: Stored[ErasureRecord]) -> ErasureStep:
        """Read some pages, and erase what is found in them."""
        record = stored.record
        place: Place | None = record.place
        erased = record.erased
        steps: list[Change] = []
        for _ in range(_READS):
            assert place is not None
            found, place = await written_entries.step(self._realm, record.writer, place)
            seqs = [entry.seq for entry in found.entries if entry.kind in _KINDS]
            steps += [Erase(found.log, seq) for seq in seqs]
            erased += len(seqs)
            if place is None or steps:
                break
        if place is None:
            end: Change = changes.delete(stored)
        else:
            end = changes.update(stored, ErasureRecord(record.writer, place, erased))
        try:
            await self._documents.write([end, *steps])
        except Conflict:
            # Another operator does the same.
            raise Busy() from None
        return ErasureStep(record.writer.name, erased, place is not None)
