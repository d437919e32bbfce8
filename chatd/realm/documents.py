"""Typed documents: records of the realm in the store, changed by compare-and-set.

A record is a `msgspec.Struct` that declares the kind of document it is stored as
(`document_kind`). Its body is encoded as MessagePack. Other daemons may change the same document
at any time, so a change is given as a function of the record, and applied again to what the store
has whenever it has changed meanwhile.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import msgspec

from chatd.core.errors import Busy, Conflict, Exists
from chatd.stores import Document, Store

_ATTEMPTS = 16


class Record(Protocol):
    """A struct that can be stored."""

    document_kind: ClassVar[str]
    """the kind of the documents that hold such records, in the store"""


R = TypeVar("R", bound=Record)
A = TypeVar("A")
T = TypeVar("T")


class Stored(msgspec.Struct, Generic[R], frozen=True):
    """A record as the store has it, or had it when it was read.

    `key` is spelled as it was when the document was created.
    """

    key: str
    record: R
    version: int
    body: bytes


class _Answer(Generic[A, T]):
    """The store's answer, converted when it is awaited. Unlike a coroutine, it need not be awaited
    if the caller fails before."""

    def __init__(self, answer: Awaitable[A], convert: Callable[[A], T]) -> None:
        self._answer = answer
        self._convert = convert

    def __await__(self) -> Generator[Any, Any, T]:
        return self._convert((yield from self._answer.__await__()))


class _Known(Generic[T]):
    """An answer for which the store need not be asked."""

    def __init__(self, value: T) -> None:
        self._value = value

    def __await__(self) -> Generator[Any, Any, T]:
        yield from ()
        return self._value


class Documents:
    """The documents of one store.

    Every method puts its first request into the store's queue when it is called, not when its
    result is awaited. So the requests of calls that are made one after another, and awaited
    together (`chatd.realm.tasks.gather`), are of one moment and one transaction.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, record_type: type[R], key: str) -> Awaitable[Stored[R] | None]:
        """Return the record under `key`, None if there is none."""

        def decoded(document: Document | None) -> Stored[R] | None:
            if document is None:
                return None
            record = msgspec.msgpack.decode(document.body, type=record_type)
            return Stored(document.key, record, document.version, document.body)

        return _Answer(self._store.get(record_type.document_kind, key), decoded)

    def page(
        self, record_type: type[R], pattern: str, after: str, limit: int
    ) -> Awaitable[list[str]]:
        """Return keys in alphabetical order. See `Store.page`."""
        return self._store.page(record_type.document_kind, pattern, after, limit)

    def list(self, record_type: type[R], pattern: str = "*") -> Awaitable[list[str]]:
        """Return all keys that match a glob, in order of creation. See `Store.list`."""
        return self._store.list(record_type.document_kind, pattern)

    def create(self, key: str, record: R) -> Awaitable[Stored[R]]:
        """Store a new record. Raises `Exists`."""
        body = msgspec.msgpack.encode(record)
        return _Answer(
            self._store.create(record.document_kind, key, body),
            lambda version: Stored(key, record, version, body),
        )

    async def change(
        self, record_type: type[R], key: str, function: Callable[[R | None], R | None]
    ) -> Stored[R] | None:
        """Replace the record under `key` by what `function` makes of it; return what is stored now.

        The function is given the record, None if there is none, and returns the record to store,
        None to store none. It is called again if the document was changed meanwhile, and may raise
        to refuse the change. Raises what it does, and `Busy` if the document never stays the same.
        """
        return await self.change_from(record_type, key, await self.get(record_type, key), function)

    def change_from(
        self,
        record_type: type[R],
        key: str,
        known: Stored[R] | None,
        function: Callable[[R | None], R | None],
    ) -> Awaitable[Stored[R] | None]:
        """Do what `change` does, without reading the document first: `known` is what the caller
        knows of it, which is compared with what the store has."""
        return self._changed(record_type, key, function, self._attempt(key, known, function))

    async def _changed(
        self,
        record_type: type[R],
        key: str,
        function: Callable[[R | None], R | None],
        attempt: Awaitable[Stored[R] | None],
    ) -> Stored[R] | None:
        for remaining in reversed(range(_ATTEMPTS)):
            try:
                return await attempt
            except (Conflict, Exists):
                if remaining:
                    attempt = self._attempt(key, await self.get(record_type, key), function)
        raise Busy()

    def _attempt(
        self, key: str, known: Stored[R] | None, function: Callable[[R | None], R | None]
    ) -> Awaitable[Stored[R] | None]:
        record = function(None if known is None else known.record)
        if known is None:
            return _Known(None) if record is None else self.create(key, record)
        if record is None:
            deleted = self._store.delete(known.record.document_kind, key, known.version)
            return _Answer(deleted, lambda _: None)
        body = msgspec.msgpack.encode(record)
        if body == known.body:
            return _Known(known)
        return _Answer(
            self._store.update(record.document_kind, key, known.version, body),
            lambda version: Stored(known.key, record, version, body),
        )
