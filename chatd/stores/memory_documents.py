"""The documents of the store in memory: reading them, and changes that can be undone."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable
from itertools import islice
from typing import TypeAlias

from chatd.core.errors import Conflict, Exists
from chatd.core.glob import matcher
from chatd.stores import (
    Create,
    Delete,
    DeleteKey,
    DeleteScope,
    Document,
    Require,
    RequireNone,
    RequireSome,
    Update,
)

Undo: TypeAlias = list[Callable[[], object]]
"""what undoes the changes made so far, the latest last"""


class Scope:
    """The documents of one kind and scope, by their keys in lower case.

    `keys` has the keys in order. A document has a number, which grows with its creation; `ordered`
    is whether `documents` are in this order, as they are until the deletion of one is undone.
    """

    __slots__ = ("documents", "keys", "newest", "ordered")

    def __init__(self) -> None:
        self.documents: dict[str, tuple[int, Document]] = {}
        self.keys: list[str] = []
        self.newest = 0
        self.ordered = True

    def in_order_of_creation(self) -> Iterable[tuple[int, Document]]:
        """The documents with their numbers."""
        if not self.ordered:
            by_number = sorted(self.documents.items(), key=lambda item: item[1][0])
            self.documents = dict(by_number)
            self.ordered = True
        return self.documents.values()


class MemoryDocuments:
    """All documents."""

    def __init__(self) -> None:
        self.scopes: dict[tuple[str, str], Scope] = {}
        """the documents by kind and scope; there is no scope without documents"""
        # The scopes, except the empty one, that have a document of a kind and key in lower case.
        self._scopes_of: dict[tuple[str, str], dict[str, None]] = {}
        self._created = 0
        # The greatest version of all deleted documents.
        self._deleted_version = 0

    def apply(
        self,
        change: Create
        | Update
        | Delete
        | DeleteScope
        | DeleteKey
        | Require
        | RequireNone
        | RequireSome,
        undo: Undo,
    ) -> int:
        """Make one change, and add to `undo` what undoes it; the new version, 0 if there is none.

        Raises `Exists`, `Conflict`.
        """
        match change:
            case Create(kind, key, body, scope):
                if self._find(kind, scope, key) is not None:
                    raise Exists()
                self._created += 1
                document = Document(key, self._deleted_version + 1, body)
                self._insert(kind, scope, self._created, document)
                undo.append(lambda: self._remove(kind, scope, key))
                return document.version
            case Update(kind, key, version, body, scope):
                number, old = self._expect(kind, scope, key, version)
                self._replace(kind, scope, number, Document(old.key, version + 1, body))
                undo.append(lambda: self._replace(kind, scope, number, old))
                return version + 1
            case Delete(kind, key, version, scope):
                if version is not None or self._find(kind, scope, key) is not None:
                    number, old = self._expect(kind, scope, key, version)
                    self._remove(kind, scope, key)
                    self._deleted_version = max(self._deleted_version, old.version)
                    undo.append(lambda: self._insert(kind, scope, number, old))
            case DeleteScope(kind, scope):
                deleted = self.scopes.pop((kind, scope), None)
                if deleted is not None:
                    versions = [document.version for _, document in deleted.documents.values()]
                    self._deleted_version = max(self._deleted_version, *versions)
                    for key in deleted.keys:
                        self._unlist(kind, scope, key)
                    undo.append(lambda: self._restore(kind, scope, deleted))
            case DeleteKey(kind, key):
                for scope in list(self._scopes_of.get((kind, key.lower()), ())):
                    self.apply(Delete(kind, key, None, scope), undo)
            case Require(kind, key, version, scope):
                self._expect(kind, scope, key, version)
            case RequireNone(kind, scope):
                if (kind, scope) in self.scopes:
                    raise Conflict()
            case RequireSome(kind, scope):
                if (kind, scope) not in self.scopes:
                    raise Conflict()
        return 0

    def _find(self, kind: str, scope: str, key: str) -> tuple[int, Document] | None:
        """The number and the document, None if there is none."""
        found = self.scopes.get((kind, scope))
        return None if found is None else found.documents.get(key.lower())

    def _expect(self, kind: str, scope: str, key: str, version: int | None) -> tuple[int, Document]:
        """The number and the document, of this version or, for None, of any. Raises `Conflict` if
        there is no such document."""
        found = self._find(kind, scope, key)
        if found is None or version not in (None, found[1].version):
            raise Conflict()
        return found

    def _insert(self, kind: str, scope: str, number: int, document: Document) -> None:
        found = self.scopes.setdefault((kind, scope), Scope())
        key = document.key.lower()
        found.documents[key] = (number, document)
        found.ordered = found.ordered and number > found.newest
        found.newest = max(found.newest, number)
        insort(found.keys, key)
        self._list(kind, scope, key)

    def _replace(self, kind: str, scope: str, number: int, document: Document) -> None:
        self.scopes[kind, scope].documents[document.key.lower()] = (number, document)

    def _remove(self, kind: str, scope: str, key: str) -> None:
        """Remove a document, and its scope if that was the last one."""
        found = self.scopes[kind, scope]
        del found.documents[key.lower()]
        del found.keys[bisect_left(found.keys, key.lower())]
        if not found.keys:
            del self.scopes[kind, scope]
        self._unlist(kind, scope, key.lower())

    def _restore(self, kind: str, scope: str, deleted: Scope) -> None:
        """Undo the deletion of a scope."""
        self.scopes[kind, scope] = deleted
        for key in deleted.keys:
            self._list(kind, scope, key)

    def _list(self, kind: str, scope: str, key: str) -> None:
        """Record that a scope has a document of this key, in lower case."""
        if scope:
            self._scopes_of.setdefault((kind, key), {})[scope] = None

    def _unlist(self, kind: str, scope: str, key: str) -> None:
        """Record that a scope no longer has a document of this key, in lower case."""
        if scope:
            scopes = self._scopes_of[kind, key]
            del scopes[scope]
            if not scopes:
                del self._scopes_of[kind, key]

    def get(self, kind: str, key: str, scope: str) -> Document | None:
        """See `Store.get`."""
        found = self._find(kind, scope, key)
        return None if found is None else found[1]

    def scan(self, kind: str, scope: str, after: str, limit: int) -> list[Document]:
        """See `Store.scan`."""
        found = self.scopes.get((kind, scope), Scope())
        start = bisect_right(found.keys, after.lower())
        return [found.documents[key][1] for key in found.keys[start : start + limit]]

    def count(self, kind: str, scope: str) -> int:
        """See `Store.count`."""
        return len(self.scopes.get((kind, scope), Scope()).keys)

    def page(self, kind: str, scope: str, pattern: str, after: str, limit: int) -> list[str]:
        """See `Store.page`."""
        found = self.scopes.get((kind, scope), Scope())
        start = bisect_right(found.keys, after.lower())
        # Not by `islice`, which would step over all keys before these.
        places = range(start, len(found.keys))
        keys = (found.documents[found.keys[place]][1].key for place in places)
        return list(islice(filter(matcher(pattern), keys), limit))

    def list(self, kind: str, scope: str, pattern: str, limit: int | None) -> list[str]:
        """See `Store.list`."""
        found = self.scopes.get((kind, scope), Scope())
        keys = (document.key for _, document in found.in_order_of_creation())
        return list(islice(filter(matcher(pattern), keys), limit))
