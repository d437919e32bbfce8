"""What is stored of an erasure that is under way (`chatd.realm.erasure`), and how far it has read
the logs (`chatd.realm.written_entries`)."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from chatd.realm import changes
from chatd.realm.documents import Stored
from chatd.stores import Update

ROOMS, DELETED_ROOMS, MAILBOXES = "rooms", "deleted-rooms", "mailboxes"
"""the kinds of logs, in the order in which they are read"""


class Writer(msgspec.Struct, frozen=True, array_like=True):
    """An account whose entries are looked for: its name as first written, its id, and when it was
    created."""

    name: str
    id: int
    created: int


class Place(msgspec.Struct, frozen=True, array_like=True):
    """How far the logs have been read: the kind of the log, the key of its owner's record, and the
    last seq that was read of it."""

    kind: str = ROOMS
    key: str = ""
    seq: int = 0


class ErasureRecord(msgspec.Struct, frozen=True, array_like=True):
    """An erasure that is under way, stored under the account's id: whose texts are erased, how far
    the logs have been read, and the number of texts."""

    document_kind: ClassVar[str] = "erasure"

    writer: Writer
    place: Place = Place()
    erased: int = 0


def beginning_again(stored: Stored[ErasureRecord]) -> Update:
    """Return the change by which an erasure reads all logs again."""
    record = stored.record
    return changes.update(stored, ErasureRecord(record.writer, Place(), record.erased))
