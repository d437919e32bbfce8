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
-- Listings come in order of creation and read nothing but this index.
CREATE INDEX documents_in_order ON documents (kind, id, key);

CREATE TABLE logs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice: entries of a dropped log may still be there
    name TEXT NOT NULL UNIQUE,
    trimmed INTEGER NOT NULL DEFAULT 0
);

-- In order of arrival, whichever the log: a commit writes to the end of this table and nowhere else.
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

-- Where to find them by log and seq; filled some thousands at a time, up to the place in `progress`. The
-- writer knows the later ones by heart, and reads them again at start.
CREATE TABLE places (
    log INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    place INTEGER NOT NULL,
    PRIMARY KEY (log, seq)
) WITHOUT ROWID;
CREATE TABLE progress (placed INTEGER NOT NULL);
INSERT INTO progress VALUES (0);

-- Logs that were dropped or trimmed, until their entries up to `upto` have been removed, a few at a time.
CREATE TABLE rubbish (
    log INTEGER PRIMARY KEY,
    upto INTEGER NOT NULL
);
