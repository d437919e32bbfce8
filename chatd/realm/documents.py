"""Typed documents: records of the realm in the store, changed by compare-and-set.

A record is a `msgspec.Struct` that declares the kind of document it is stored as
(`document_kind`). Its body is encoded as MessagePack. Other daemons may change the same document
at any time, so a change is given as a function of the record, and applied again to what the store
has whenever it has changed meanwhile.
"""

from __future__ import annotations

import builtins
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import msgspec

from chatd.core.errors import Busy, Conflict, Exists
from chatd.stores import SCAN_LIMIT, Change, Create, Document, Store, Update

_ATTEMPTS = 16


class Record(Protocol):
    """A struct that can be stored."""

    document_kind: ClassVar[str]
    """the kind of the documents that hold such records, in the store"""


R = TypeVar("R", bound=Record)
T = TypeVar("T")


class Stored(msgspec.Struct, Generic[R], frozen=True):
    """A record as the store has it, or had it when it was read.

    `key` has the spelling with which the document was created. `scope` is that of `chatd.stores`.
    """

    key: str
    record: R
    version: int
    body: bytes
    scope: str = ""


def _decoded(record_type: type[R], document: Document, scope: str) -> Stored[R]:
    record = msgspec.msgpack.decode(document.body, type=record_type)
    return Stored(document.key, record, document.version, document.body, scope)


class _OnAwait(Generic[T]):
    """Runs a coroutine function when it is awaited. Unlike a coroutine, it need not be awaited, for
    example if the caller fails before."""

    def __init__(self, run: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._run = run

    def __await__(self) -> Generator[Any, Any, T]:
        return self._run().__await__()


class Documents:
    """The documents of one store.

    Every method puts its first request into the store's queue when it is called, not when its
    result is awaited. So the requests of calls that are made one after another, and awaited
    together (`chatd.realm.tasks.gather`), are neighbours in the queue: no change of this daemon is
    made between them.
    """

    __slots__ = ("_store",)

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, record_type: type[R], key: str, scope: str = "") -> Awaitable[Stored[R] | None]:
        """Return the record under `key`, None if there is none."""
        document = self._store.get(record_type.document_kind, key, scope)

        async def decoded() -> Stored[R] | None:
            answer = await document
            return None if answer is None else _decoded(record_type, answer, scope)

        return _OnAwait(decoded)

    def scan(
        self, record_type: type[R], scope: str = "", after: str = "", limit: int = SCAN_LIMIT
    ) -> Awaitable[builtins.list[Stored[R]]]:
        """Return records in alphabetical order of their keys. See `Store.scan`."""
        documents = self._store.scan(record_type.document_kind, scope, after, limit)

        async def decoded() -> builtins.list[Stored[R]]:
            return [_decoded(record_type, document, scope) for document in await documents]

        return _OnAwait(decoded)

    def count(self, record_type: type[R], scope: str = "") -> Awaitable[int]:
        """Return the number of records. See `Store.count`."""
        return self._store.count(record_type.document_kind, scope)

    def page(
        self, record_type: type[R], pattern: str, after: str, limit: int, scope: str = ""
    ) -> Awaitable[builtins.list[str]]:
        """Return keys in alphabetical order. See `Store.page`."""
        return self._store.page(record_type.document_kind, pattern, after, limit, scope)

    def list(
        self,
        record_type: type[R],
        pattern: str = "*",
        limit: int | None = None,
        scope: str = "",
    ) -> Awaitable[builtins.list[str]]:
        """Return keys that match a glob, in order of creation. See `Store.list`."""
        return self._store.list(record_type.document_kind, pattern, limit, scope)

    def write(self, changes: Sequence[Change]) -> Awaitable[builtins.list[int]]:
        """Make all changes (`chatd.realm.changes`) or none. See `Store.write`."""
        return self._store.write(changes)

    def change(
        self,
        record_type: type[R],
        key: str,
        function: Callable[[R | None], R],
        conditions: Sequence[Change] = (),
    ) -> Awaitable[Stored[R] | None]:
        """Replace the record under `key` by what `function` makes of it; return what is stored now.

        The function is given the record, None if there is none, and returns the record to store. It
        is called again if the document was changed meanwhile, and may raise to refuse the change.
        Returns None if `conditions` do not hold. Raises what the function does, and `Busy` if the
        document never stays the same.
        """
        stored = self.get(record_type, key)

        async def changed() -> Stored[R] | None:
            current = await stored
            for _ in range(_ATTEMPTS):
                record = function(None if current is None else current.record)
                body = msgspec.msgpack.encode(record)
                if current is not None and current.body == body:
                    return current
                change = _replacing(current, key, record, body)
                try:
                    versions = await self._store.write((change, *conditions))
                except (Conflict, Exists):
                    before, current = current, await self.get(record_type, key)
                    if conditions and _same(before, current):
                        return None
                    continue
                return Stored(change.key, record, versions[0], body)
            raise Busy()

        return _OnAwait(changed)


def _replacing(
    stored: Stored[Any] | None, key: str, record: Record, body: bytes
) -> Create | Update:
    """The change that stores a record in place of the stored one."""
    if stored is None:
        return Create(record.document_kind, key, body)
    return Update(record.document_kind, stored.key, stored.version, body)


def _same(before: Stored[R] | None, after: Stored[R] | None) -> bool:
    """Whether a document was not changed, so that a write was refused for its conditions."""
    if before is None or after is None:
        return before is after
    return before.version == after.version
