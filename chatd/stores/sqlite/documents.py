"""The documents in the SQLite file: reading them, and changing them with the logs in one step.

Runs on the writer's thread, in the transaction of a batch. Listings are elsewhere
(`chatd.stores.sqlite.listings`): they have a thread and a connection of their own.
"""

from __future__ import annotations

import sqlite3

from chatd.core.errors import Conflict, Exists
from chatd.stores import Document


class DocumentTable:
    """The tables `documents` and `counters`. Every change keeps the counters right."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute = connection.execute

    def get(self, kind: str, key: str, scope: str) -> Document | None:
        """See `Store.get`."""
        row = self._execute(
            "SELECT key, version, body FROM documents WHERE kind = ? AND scope = ? AND key = ?",
            (kind, scope, key),
        ).fetchone()
        return Document(*row) if row else None

    def scan(self, kind: str, scope: str, after: str, limit: int) -> list[Document]:
        """See `Store.scan`."""
        rows = self._execute(
            "SELECT key, version, body FROM documents WHERE kind = ? AND scope = ? AND key > ?"
            " ORDER BY key LIMIT ?",
            (kind, scope, after, limit),
        )
        return [Document(*row) for row in rows]

    def count(self, kind: str, scope: str) -> int:
        """See `Store.count`."""
        row = self._execute(
            "SELECT documents FROM counters WHERE kind = ? AND scope = ?", (kind, scope)
        ).fetchone()
        return row[0] if row else 0

    def create(self, kind: str, key: str, body: bytes, scope: str) -> int:
        """See `Create`; the version."""
        execute = self._execute
        (deleted_version,) = execute("SELECT deleted_version FROM progress").fetchone()
        version: int = deleted_version + 1
        cursor = execute(
            "INSERT INTO documents (kind, scope, key, version, body) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (kind, scope, key) DO NOTHING",
            (kind, scope, key, version, body),
        )
        if not cursor.rowcount:
            raise Exists()
        execute(
            "INSERT INTO counters (kind, scope, documents) VALUES (?, ?, 1)"
            " ON CONFLICT (kind, scope) DO UPDATE SET documents = documents + 1",
            (kind, scope),
        )
        return version

    def update(self, kind: str, key: str, version: int, body: bytes, scope: str) -> int:
        """See `Update`; the new version."""
        cursor = self._execute(
            "UPDATE documents SET version = version + 1, body = ?"
            " WHERE kind = ? AND scope = ? AND key = ? AND version = ?",
            (body, kind, scope, key, version),
        )
        if not cursor.rowcount:
            raise Conflict()
        return version + 1

    def delete(self, kind: str, key: str, version: int | None, scope: str) -> None:
        """See `Delete`."""
        stored = self._version(kind, key, scope)
        if version not in (None, stored):
            raise Conflict()
        if stored is not None:
            self._execute(
                "DELETE FROM documents WHERE kind = ? AND scope = ? AND key = ?", (kind, scope, key)
            )
            self._count_deleted(kind, scope, 1, stored)

    def delete_scope(self, kind: str, scope: str) -> None:
        """See `DeleteScope`."""
        documents, version = self._execute(
            "SELECT count(*), max(version) FROM documents WHERE kind = ? AND scope = ?",
            (kind, scope),
        ).fetchone()
        if documents:
            self._execute("DELETE FROM documents WHERE kind = ? AND scope = ?", (kind, scope))
            self._count_deleted(kind, scope, documents, version)

    def delete_key(self, kind: str, key: str) -> None:
        """See `DeleteKey`."""
        for (scope,) in self._execute(
            "SELECT scope FROM documents WHERE kind = ? AND key = ? AND scope != ''", (kind, key)
        ).fetchall():
            self.delete(kind, key, None, scope)

    def _count_deleted(self, kind: str, scope: str, documents: int, version: int) -> None:
        """Count that documents were deleted; `version` is their greatest, not to be given again."""
        execute = self._execute
        execute(
            "UPDATE counters SET documents = documents - ? WHERE kind = ? AND scope = ?",
            (documents, kind, scope),
        )
        execute(
            "DELETE FROM counters WHERE kind = ? AND scope = ? AND documents = 0", (kind, scope)
        )
        execute("UPDATE progress SET deleted_version = max(deleted_version, ?)", (version,))

    def _version(self, kind: str, key: str, scope: str) -> int | None:
        """The version of a document, None if there is none."""
        row = self._execute(
            "SELECT version FROM documents WHERE kind = ? AND scope = ? AND key = ?",
            (kind, scope, key),
        ).fetchone()
        return row[0] if row else None

    def require(self, kind: str, key: str, version: int | None, scope: str) -> None:
        """See `Require`."""
        stored = self._version(kind, key, scope)
        if stored is None or version not in (None, stored):
            raise Conflict()

    def require_none(self, kind: str, scope: str) -> None:
        """See `RequireNone`."""
        if self.count(kind, scope):
            raise Conflict()

    def require_some(self, kind: str, scope: str) -> None:
        """See `RequireSome`."""
        if not self.count(kind, scope):
            raise Conflict()
