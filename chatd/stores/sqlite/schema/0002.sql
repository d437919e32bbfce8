-- Entries that refer to others, and keys that are indexed in bulk like places.

ALTER TABLE entries ADD COLUMN about INTEGER NOT NULL DEFAULT 0;

DROP INDEX entries_by_key;

-- The senders' own keys; filled together with `places`. Those of later entries the writer knows by heart. Most
-- senders' keys rise: those are kept in runs, `keys` being a MessagePack map from key to seq, `greatest` its
-- greatest key and `last` its greatest seq; the runs of a sender in a log do not overlap.
CREATE TABLE key_runs (
    log INTEGER NOT NULL,
    sender TEXT NOT NULL,
    greatest TEXT NOT NULL,
    last INTEGER NOT NULL,
    keys BLOB NOT NULL,
    PRIMARY KEY (log, sender, greatest)
) WITHOUT ROWID;

-- Those that do not.
CREATE TABLE keys (
    log INTEGER NOT NULL,
    sender TEXT NOT NULL,
    key TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (log, sender, key)
) WITHOUT ROWID;

INSERT INTO keys (log, sender, key, seq)
SELECT log, sender, key, seq FROM entries WHERE key IS NOT NULL AND place <= (SELECT placed FROM progress);
