-- Entries that refer to other entries; keys that are indexed in bulk, like `places`.

ALTER TABLE entries ADD COLUMN about INTEGER NOT NULL DEFAULT 0;

DROP INDEX entries_by_key;

-- The senders' keys, written together with `places`; the writer has the keys of later entries in
-- memory. The keys of most senders increase: these are stored in runs. `keys` is a MessagePack map
-- from key to seq, `greatest` its greatest key and `last` its greatest seq. The runs of one sender
-- in one log do not overlap.
CREATE TABLE key_runs (
    log INTEGER NOT NULL,
    sender TEXT NOT NULL,
    greatest TEXT NOT NULL,
    last INTEGER NOT NULL,
    keys BLOB NOT NULL,
    PRIMARY KEY (log, sender, greatest)
) WITHOUT ROWID;

-- Keys that do not increase.
CREATE TABLE keys (
    log INTEGER NOT NULL,
    sender TEXT NOT NULL,
    key TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (log, sender, key)
) WITHOUT ROWID;

INSERT INTO keys (log, sender, key, seq)
SELECT log, sender, key, seq FROM entries
WHERE key IS NOT NULL AND place <= (SELECT placed FROM progress);
