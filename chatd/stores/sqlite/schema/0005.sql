-- Documents that are deleted and still in the file: those of a kind with ids up to `upto`, all in a
-- scope (without a key) or all with a key in any scope but the empty one (without a scope). They are
-- removed some hundreds at a time.
CREATE TABLE deleted_documents (
    kind TEXT NOT NULL,
    scope TEXT,
    key TEXT COLLATE NOCASE,
    upto INTEGER NOT NULL
);

-- The documents that are not deleted.
CREATE VIEW visible_documents AS
SELECT id, kind, scope, key, version, body FROM documents AS o
WHERE NOT EXISTS (
    SELECT 1 FROM deleted_documents AS d
    WHERE d.kind = o.kind AND o.id <= d.upto
    AND (d.scope = o.scope OR (d.key = o.key AND o.scope != ''))
);
