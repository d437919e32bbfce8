"""Marks of messages: what is stored of a message because of the entries that refer to it, namely
that it is deleted, and how often accounts have reacted to it.

A log is not searched for the entries that refer to a message, so each of these facts is a document
whose scope is the log. Those of messages that have been trimmed are removed when others are made.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from chatd.core.errors import Busy, Conflict, Exists, UnknownEntry
from chatd.realm import changes
from chatd.realm.context import Context
from chatd.realm.documents import R, Record, Stored
from chatd.realm.permissions import check_message_exists, check_reaction_count
from chatd.stores import Change, RequireLog, RequireSpace

_ATTEMPTS = 16
_STALE = 4
"""marks of trimmed messages that are removed with a new one, of each kind"""


class DeletedRecord(msgspec.Struct, frozen=True, array_like=True):
    """A message is deleted. The scope is its log, the key its seq. `account` is the id of the
    account that deleted it, `request` the key under which that appended the deletion."""

    document_kind: ClassVar[str] = "deleted"

    account: int
    request: str


class ReactionsRecord(msgspec.Struct, frozen=True, array_like=True):
    """How often an account has set a reaction to a message, and removed it. The scope is the log,
    the key the seq of the message and the id of the account."""

    document_kind: ClassVar[str] = "reactions"

    account: int
    made: int = 0
    removed: int = 0


class MessageMarks:
    """The marks of all messages. Logs are named as in the store."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._documents = context.documents
        self._store = context.store

    async def check_exists(self, log: str, seq: int, account: int, key: str | None) -> None:
        """Check that a message is not deleted, unless an account sends again, under the same key,
        what was accepted before. Raises `AlreadyDeleted`."""
        stored = await self._documents.get(DeletedRecord, _key(seq), log)
        deleted = stored is not None and not await self._is_resent(log, account, key)
        check_message_exists(deleted)

    async def _is_resent(self, log: str, account: int, key: str | None) -> bool:
        return key is not None and await self._store.has_key(log, account, key)

    async def delete(self, log: str, seq: int, account: int, key: str | None) -> str:
        """Note that an account deletes a message. Returns the key of the deletion, which is that of
        the first one if the same account deletes it twice.

        Raises `AlreadyDeleted` if another account has deleted it, `UnknownEntry`, `Busy`.
        """
        record = DeletedRecord(account, key or f"deletion {seq}")
        for _ in range(_ATTEMPTS):
            stored = await self._documents.get(DeletedRecord, _key(seq), log)
            if stored is not None:
                first = stored.record
                if first.account == account:
                    return first.request
                # It is noted first; the daemon may have been killed before it was appended.
                appended = await self._store.has_key(log, first.account, first.request)
                check_message_exists(appended)
            if await self._is_resent(log, account, key):
                # The key is that of another entry, so the deletion will be refused.
                return record.request
            if await self._write(log, _key(seq), stored, record):
                return record.request
        raise Busy()

    async def react(
        self, log: str, seq: int, account: int, removes: bool, key: str | None, target: str
    ) -> None:
        """Count that an account sets or removes a reaction to a message, unless it is sent again;
        `target` is the log that it is appended to.

        Raises `LimitReached`, `UnknownEntry`, `MailboxFull`, `RoomFull`, `Busy`.
        """
        if await self._is_resent(target, account, key):
            return
        name = f"{_key(seq)} {account}"
        for _ in range(_ATTEMPTS):
            stored = await self._documents.get(ReactionsRecord, name, log)
            counts = ReactionsRecord(account) if stored is None else stored.record
            count = counts.removed if removes else counts.made
            check_reaction_count(count, self._context.limits)
            counts = ReactionsRecord(account, counts.made + (not removes), counts.removed + removes)
            if await self._write(log, name, stored, counts, RequireSpace(target, account)):
                return
        raise Busy()

    async def _write(
        self, log: str, key: str, stored: Stored[R] | None, record: R, *conditions: Change
    ) -> bool:
        """Store a mark under `conditions`; whether nothing has changed meanwhile. Raises
        `UnknownEntry` if the log has been deleted."""
        steps: list[Change] = [RequireLog(log), *conditions]
        if stored is None:
            steps += [changes.create(key, record, log), *await self._stale(log, type(record))]
        else:
            steps.append(changes.update(stored, record))
        try:
            await self._documents.write(steps)
        except (Conflict, Exists):
            if not await self._store.read(log, 0, 1):
                raise UnknownEntry() from None
            return False
        return True

    async def _stale(self, log: str, kind: type[Record]) -> list[Change]:
        """Remove some marks of messages that have been trimmed."""
        oldest = await self._store.read(log, 0, 1)
        marks = await self._documents.scan(kind, log, "", _STALE)
        return [
            changes.delete_any(kind, mark.key, log)
            for mark in marks
            if oldest and mark.key < _key(oldest[0].seq)
        ]


def removing(log: str) -> list[Change]:
    """The changes that remove all marks of the messages of a log, which is deleted with them."""
    return [
        changes.delete_scope(DeletedRecord, log),
        changes.delete_scope(ReactionsRecord, log),
    ]


def _key(seq: int) -> str:
    """The key of a message: keys are in alphabetical order, as seqs are."""
    return f"{seq:016}"
