"""The documents in the SQLite file: reading them, and changing them with the logs in one step.

Runs on the writer's thread, in the transaction of a batch. Listings are elsewhere
(`chatd.stores.sqlite.listings`): they have a thread and a connection of their own.

Where a change deletes many documents at once, as those of a room with many members, it only notes
in the table `deleted_documents` which they are. From then on they are not in the view
`visible_documents`, which all that reads uses; maintenance removes their rows.
"""

from __future__ import annotations

import sqlite3

from chatd.core.errors import Conflict, Exists
from chatd.stores import Document

_AT_ONCE = 100
"""documents that one change deletes at once; the rows of more are left to maintenance"""
# The greatest id of the documents in a scope that was deleted, which are not counted any more.
_UNCOUNTED = "ifnull((SELECT upto FROM deleted_documents WHERE kind = ?1 AND scope = ?2), 0)"


class DocumentTable:
    """The tables `documents` and `counters`. Every change keeps the counters right: they count the
    documents that were not deleted, and those deleted by their keys until their rows are
    removed."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute = connection.execute
        self._executemany = connection.executemany
        self.has_garbage = self._execute("SELECT 1 FROM deleted_documents").fetchone() is not None
        """whether `purge` may have something to do"""

    def get(self, kind: str, key: str, scope: str) -> Document | None:
        """See `Store.get`."""
        row = self._execute(
            "SELECT key, version, body FROM visible_documents"
            " WHERE kind = ? AND scope = ? AND key = ?",
            (kind, scope, key),
        ).fetchone()
        return Document(*row) if row else None

    def scan(self, kind: str, scope: str, after: str, limit: int) -> list[Document]:
        """See `Store.scan`."""
        rows = self._execute(
            "SELECT key, version, body FROM visible_documents"
            " WHERE kind = ? AND scope = ? AND key > ? ORDER BY key LIMIT ?",
            (kind, scope, after, limit),
        )
        return [Document(*row) for row in rows]

    def count(self, kind: str, scope: str) -> int:
        """See `Store.count`."""
        (count,) = self._execute(
            "SELECT ifnull((SELECT documents FROM counters WHERE kind = ?1 AND scope = ?2), 0)"
            " - (SELECT count(*) FROM deleted_documents AS d CROSS JOIN documents AS o"
            " ON o.kind = ?1 AND o.scope = ?2 AND o.key = d.key AND o.id <= d.upto"
            f" WHERE ?2 != '' AND d.kind = ?1 AND d.scope IS NULL AND o.id > {_UNCOUNTED})",
            (kind, scope),
        ).fetchone()
        return int(count)

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
            if not self._remove_deleted(kind, key, scope):
                raise Exists()
            return self.create(kind, key, body, scope)
        execute(
            "INSERT INTO counters (kind, scope, documents) VALUES (?, ?, 1)"
            " ON CONFLICT (kind, scope) DO UPDATE SET documents = documents + 1",
            (kind, scope),
        )
        return version

    def update(self, kind: str, key: str, version: int, body: bytes, scope: str) -> int:
        """See `Update`; the new version."""
        cursor = self._execute(
            "UPDATE documents SET version = version + 1, body = ? WHERE id ="
            " (SELECT id FROM visible_documents"
            " WHERE kind = ? AND scope = ? AND key = ? AND version = ?)",
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
            self._never_assign_again(stored)
            self._execute(
                "UPDATE counters SET documents = documents - 1 WHERE kind = ? AND scope = ?",
                (kind, scope),
            )
            self._execute(
                "DELETE FROM counters WHERE kind = ? AND scope = ? AND documents = 0", (kind, scope)
            )

    def delete_scope(self, kind: str, scope: str) -> None:
        """See `DeleteScope`."""
        deleted = self._deleted_upto(kind, scope, None)
        if deleted or self.count(kind, scope) > _AT_ONCE:
            self._leave_to_maintenance(kind, scope, None)
        else:
            (version,) = self._execute(
                "SELECT max(version) FROM documents WHERE kind = ? AND scope = ?", (kind, scope)
            ).fetchone()
            self._execute("DELETE FROM documents WHERE kind = ? AND scope = ?", (kind, scope))
            self._never_assign_again(version or 0)
        self._execute("DELETE FROM counters WHERE kind = ? AND scope = ?", (kind, scope))

    def delete_key(self, kind: str, key: str) -> None:
        """See `DeleteKey`."""
        scopes = self._execute(
            "SELECT scope FROM documents WHERE kind = ? AND key = ? AND scope != '' LIMIT ?",
            (kind, key, _AT_ONCE + 1),
        ).fetchall()
        if len(scopes) > _AT_ONCE:
            self._leave_to_maintenance(kind, None, key)
        else:
            for (scope,) in scopes:
                self.delete(kind, key, None, scope)

    def _deleted_upto(self, kind: str, scope: str | None, key: str | None) -> int:
        """The greatest id of the documents in a scope, or with a key, that are left to
        maintenance, 0 if there are none."""
        row = self._execute(
            "SELECT upto FROM deleted_documents WHERE kind = ? AND scope IS ? AND key IS ?",
            (kind, scope, key),
        ).fetchone()
        return row[0] if row else 0

    def _leave_to_maintenance(self, kind: str, scope: str | None, key: str | None) -> None:
        """Delete all documents of a kind in a scope or with a key, but for their rows."""
        self._execute(
            "DELETE FROM deleted_documents WHERE kind = ? AND scope IS ? AND key IS ?",
            (kind, scope, key),
        )
        self._execute(
            "INSERT INTO deleted_documents (kind, scope, key, upto)"
            " SELECT ?, ?, ?, ifnull(max(id), 0) FROM documents",
            (kind, scope, key),
        )
        self.has_garbage = True

    def _remove_deleted(self, kind: str, key: str, scope: str) -> bool:
        """Remove the row of a document if it is deleted; whether it was."""
        if self._version(kind, key, scope) is not None:
            return False
        self._remove(
            kind,
            self._execute(
                "SELECT id, scope, version FROM documents WHERE kind = ? AND scope = ? AND key = ?",
                (kind, scope, key),
            ).fetchall(),
            counted=True,
        )
        return True

    def purge(self, limit: int) -> None:
        """Remove at most `limit` rows of deleted documents, in the open transaction."""
        execute = self._execute
        pending = execute("SELECT rowid, kind, scope, key, upto FROM deleted_documents").fetchone()
        if pending is None:
            self.has_garbage = False
            return
        row, kind, scope, key, upto = pending
        where, value = ("scope = ?", scope) if key is None else ("scope != '' AND key = ?", key)
        rows = execute(
            f"SELECT id, scope, version FROM documents WHERE kind = ? AND {where} AND id <= ?"
            " LIMIT ?",
            (kind, value, upto, limit),
        ).fetchall()
        self._remove(kind, rows, counted=scope is None)
        if len(rows) < limit:
            execute("DELETE FROM deleted_documents WHERE rowid = ?", (row,))

    def _remove(self, kind: str, rows: list[tuple[int, str, int]], *, counted: bool) -> None:
        """Remove rows, (id, scope, version), of deleted documents of a kind; `counted` if some of
        them were not deleted with their scope."""
        self._executemany("DELETE FROM documents WHERE id = ?", [(id,) for id, _, _ in rows])
        self._never_assign_again(max((version for _, _, version in rows), default=0))
        if counted:
            self._executemany(
                "UPDATE counters SET documents = documents - 1"
                f" WHERE kind = ?1 AND scope = ?2 AND ?3 > {_UNCOUNTED}",
                [(kind, scope, id) for id, scope, _ in rows],
            )
            self._executemany(
                "DELETE FROM counters WHERE kind = ? AND scope = ? AND documents = 0",
                [(kind, scope) for _, scope, _ in rows],
            )

    def _never_assign_again(self, version: int) -> None:
        """Note the greatest version of documents that are removed."""
        self._execute(
            "UPDATE progress SET deleted_version = ?1 WHERE deleted_version < ?1", (version,)
        )

    def _version(self, kind: str, key: str, scope: str) -> int | None:
        """The version of a document, None if there is none."""
        row = self._execute(
            "SELECT version FROM visible_documents WHERE kind = ? AND scope = ? AND key = ?",
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
