-- The first schema.

PRAGMA application_id = 1667785076; -- 'chat' in ASCII

CREATE TABLE documents (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    key TEXT NOT NULL COLLATE NOCASE,
    version INTEGER NOT NULL,
    body BLOB NOT NULL
);
CREATE UNIQUE INDEX documents_by_key ON documents (key, kind);
-- Listings are in order of creation; this index covers them.
CREATE INDEX documents_in_order ON documents (kind, id, key);

CREATE TABLE logs (
    -- Never assigned twice: entries of a dropped log may still be in the file.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    trimmed INTEGER NOT NULL DEFAULT 0
);

-- The entries of all logs in order of arrival: a commit writes to the end of this table only.
CREATE TABLE entries (
    place INTEGER PRIMARY KEY,
    log INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    id INTEGER NOT NULL,
    time INTEGER NOT NULL,
    sender TEXT NOT NULL,
    kind TEXT NOT NULL DEFAULT 'text',
    body TEXT NOT NULL,
    key TEXT
);
CREATE UNIQUE INDEX entries_by_key ON entries (log, sender, key) WHERE key IS NOT NULL;

-- The index of `entries` by log and seq. It is written in bulk, some thousands of rows at a time, up
-- to the place in `progress`. The writer has the places of later entries in memory; it loads them
-- at start.
CREATE TABLE places (
    log INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    place INTEGER NOT NULL,
    PRIMARY KEY (log, seq)
) WITHOUT ROWID;
CREATE TABLE progress (placed INTEGER NOT NULL);
INSERT INTO progress VALUES (0);

-- Garbage: the entries up to seq `upto` of dropped and trimmed logs, removed some hundreds at a time.
CREATE TABLE rubbish (
    log INTEGER PRIMARY KEY,
    upto INTEGER NOT NULL
);
