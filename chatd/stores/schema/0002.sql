-- Entries that refer to others, and keys that are indexed in bulk like places.

ALTER TABLE entries ADD COLUMN about INTEGER NOT NULL DEFAULT 0;

DROP INDEX entries_by_key;

-- The senders' own keys; filled together with `places`. Those of later entries the writer knows by heart.
CREATE TABLE keys (
    log INTEGER NOT NULL,
    sender TEXT NOT NULL,
    key TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (log, sender, key)
) WITHOUT ROWID;

INSERT INTO keys (log, sender, key, seq)
SELECT log, sender, key, seq FROM entries WHERE key IS NOT NULL AND place <= (SELECT placed FROM progress);
