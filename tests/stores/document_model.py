"""A model of the documents of a store and of which logs exist, and changes drawn by hypothesis."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from itertools import product

from hypothesis import strategies as st

from chatd.core.errors import Conflict, Exists
from chatd.stores import (
    Change,
    Create,
    CreateLog,
    Delete,
    DeleteKey,
    DeleteScope,
    Document,
    DropLog,
    RenameLog,
    Require,
    RequireLog,
    RequireNone,
    RequireSome,
    Update,
)

KINDS = ("account", "member")
SCOPES = ("", "1", "2")
KEYS = ("ann", "Ann", "bob")


_NO_VERSION = 1_000_000
_NOT_KNOWN = -1_000_000
"""the version of a document that is created by the write that is being made"""


class DocumentModel:
    """Documents in order of creation, by kind, scope and key in lower case."""

    def __init__(self, logs: set[str]) -> None:
        self.documents: dict[tuple[str, str, str], Document] = {}
        self.logs = logs
        """the names of the logs that exist"""
        self.greatest: dict[tuple[str, str, str], int] = {}
        """the greatest version that each key has had"""

    def version(self, kind: str, scope: str, key: str) -> int:
        """The version of a document, or one that no document has if there is none."""
        document = self.documents.get((kind, scope, key.lower()))
        return _NO_VERSION if document is None else document.version

    def in_scope(self, kind: str, scope: str) -> list[Document]:
        """The documents in order of creation."""
        return [
            document
            for (a_kind, a_scope, _), document in self.documents.items()
            if (a_kind, a_scope) == (kind, scope)
        ]

    def refusal(self, changes: Sequence[Change]) -> type[Exists] | type[Conflict] | None:
        """What refuses these changes; if nothing does, they are made, but for the versions of new
        documents, which `adopt` sets."""
        documents, logs = self.documents, self.logs
        self.documents, self.logs = deepcopy(documents), set(logs)
        for change in changes:
            refusal = self._refusal(change)
            if refusal is not None:
                self.documents, self.logs = documents, logs
                return refusal
        return None

    def _refusal(self, change: Change) -> type[Exists] | type[Conflict] | None:
        documents = self.documents
        match change:
            case Create(kind, key, body, scope):
                if (kind, scope, key.lower()) in documents:
                    return Exists
                documents[kind, scope, key.lower()] = Document(key, _NOT_KNOWN, body)
            case Update(kind, key, version, body, scope):
                found = documents.get((kind, scope, key.lower()))
                if found is None or found.version != version:
                    return Conflict
                documents[kind, scope, key.lower()] = Document(found.key, version + 1, body)
            case Delete(kind, key, version, scope):
                found = documents.get((kind, scope, key.lower()))
                if version is not None and (found is None or found.version != version):
                    return Conflict
                documents.pop((kind, scope, key.lower()), None)
            case DeleteScope(kind, scope):
                self.documents = {
                    place: document
                    for place, document in documents.items()
                    if place[:2] != (kind, scope)
                }
            case DeleteKey(kind, key):
                for place in list(documents):
                    if place[0] == kind and place[1] and place[2] == key.lower():
                        del documents[place]
            case Require(kind, key, version, scope):
                found = documents.get((kind, scope, key.lower()))
                if found is None or version not in (None, found.version):
                    return Conflict
            case RequireNone(kind, scope):
                if self.in_scope(kind, scope):
                    return Conflict
            case RequireSome(kind, scope):
                if not self.in_scope(kind, scope):
                    return Conflict
            case RequireLog(log):
                if log not in self.logs:
                    return Conflict
            case CreateLog(log):
                if log in self.logs:
                    return Exists
                self.logs.add(log)
            case DropLog(log):
                self.logs.discard(log)
            case RenameLog(log, name):
                if name in self.logs:
                    return Exists
                if log not in self.logs:
                    return Conflict
                self.logs ^= {log, name}
        return None

    def adopt(self, changes: Sequence[Change], versions: list[int]) -> list[str]:
        """Take over the versions that the store gave to new documents; what is wrong with them."""
        problems: list[str] = []
        for change, version in zip(changes, versions, strict=True):
            if not isinstance(change, Create | Update):
                if version:
                    problems.append(f"{change} has a version")
                continue
            place = (change.kind, change.scope, change.key.lower())
            if version <= self.greatest.get(place, 0):
                problems.append(f"{change} got version {version} again")
            self.greatest[place] = version
            document = self.documents.get(place)
            if document is not None:
                self.documents[place] = Document(document.key, version, document.body)
        return problems


def changes_of(logs: Sequence[str]) -> st.SearchStrategy[list[Change]]:
    """Lists of changes; their versions are relative, see `with_versions`."""
    bodies = (b"", b"1", b"2")
    # One draw for all fields of a change: drawing each by itself takes far longer.
    tables: list[list[Change]] = [
        [Create(*fields) for fields in product(KINDS, KEYS, bodies, SCOPES)],
        [Create(*fields) for fields in product(KINDS, KEYS, bodies, SCOPES)],
        [Update(*fields) for fields in product(KINDS, KEYS, (0, 0, -1), bodies, SCOPES)],
        [Delete(*fields) for fields in product(KINDS, KEYS, (0, -1, None), SCOPES)],
        [DeleteScope(*fields) for fields in product(KINDS, SCOPES)],
        [Require(*fields) for fields in product(KINDS, KEYS, (0, -1, None), SCOPES)],
        [DeleteKey(*fields) for fields in product(KINDS, KEYS)],
        [RequireNone(*fields) for fields in product(KINDS, SCOPES)],
        [RequireSome(*fields) for fields in product(KINDS, SCOPES)],
        [RequireLog(log) for log in logs],
        [CreateLog(log) for log in logs],
        [DropLog(log) for log in logs],
        [RenameLog(*names) for names in product(logs, logs)],
    ]
    return st.lists(st.one_of(*map(st.sampled_from, tables)), min_size=1, max_size=4)


def with_versions(model: DocumentModel, changes: Sequence[Change]) -> list[Change]:
    """The changes with the versions that the documents have before the first of them."""
    made: list[Change] = []
    for change in changes:
        if isinstance(change, Update | Delete | Require) and change.version is not None:
            version = model.version(change.kind, change.scope, change.key) + change.version
            match change:
                case Update(kind, key, _, body, scope):
                    change = Update(kind, key, version, body, scope)
                case Delete(kind, key, _, scope):
                    change = Delete(kind, key, version, scope)
                case Require(kind, key, _, scope):
                    change = Require(kind, key, version, scope)
        made.append(change)
    return made
