"""Changes of typed documents, to be made together by `Documents.write`.

Each function returns one change or condition of the store's contract (`chatd.stores`), whose
`CreateLog` and `DropLog` can be among them.
"""

from __future__ import annotations

import msgspec

from chatd.realm.documents import R, Record, Stored
from chatd.stores import (
    Create,
    Delete,
    DeleteKey,
    DeleteScope,
    Require,
    RequireNone,
    RequireSome,
    Update,
)


def create(key: str, record: Record, scope: str = "") -> Create:
    """Create a record. Refused with `Exists` if there is one under `key`."""
    return Create(record.document_kind, key, msgspec.msgpack.encode(record), scope)


def update(stored: Stored[R], record: R) -> Update:
    """Replace a record. Refused with `Conflict` if the store no longer has `stored`."""
    body = msgspec.msgpack.encode(record)
    return Update(record.document_kind, stored.key, stored.version, body, stored.scope)


def delete(stored: Stored[R]) -> Delete:
    """Delete a record. Refused with `Conflict` if the store no longer has `stored`."""
    return Delete(stored.record.document_kind, stored.key, stored.version, stored.scope)


def delete_any(record_type: type[Record], key: str, scope: str = "") -> Delete:
    """Delete the record under `key`, whatever it is, if there is one."""
    return Delete(record_type.document_kind, key, None, scope)


def delete_scope(record_type: type[Record], scope: str) -> DeleteScope:
    """Delete all records of a scope."""
    return DeleteScope(record_type.document_kind, scope)


def delete_key(record_type: type[Record], key: str) -> DeleteKey:
    """Delete the records under `key` in all scopes."""
    return DeleteKey(record_type.document_kind, key)


def require(stored: Stored[R]) -> Require:
    """Refuse the changes with `Conflict` if the store no longer has `stored`."""
    return Require(stored.record.document_kind, stored.key, stored.version, stored.scope)


def require_any(record_type: type[Record], key: str, scope: str = "") -> Require:
    """Refuse the changes with `Conflict` if there is no record under `key`."""
    return Require(record_type.document_kind, key, None, scope)


def require_none(record_type: type[Record], scope: str) -> RequireNone:
    """Refuse the changes with `Conflict` if there is any record in a scope."""
    return RequireNone(record_type.document_kind, scope)


def require_some(record_type: type[Record], scope: str) -> RequireSome:
    """Refuse the changes with `Conflict` if there is no record in a scope."""
    return RequireSome(record_type.document_kind, scope)


def written(record: R, change: Create | Update, version: int) -> Stored[R]:
    """What the store has after `create` or `update`; `version` is what `write` returned for it.

    The key is spelled as in the change.
    """
    return Stored(change.key, record, version, change.body, change.scope)
