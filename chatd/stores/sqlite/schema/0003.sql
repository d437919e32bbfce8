-- Documents in scopes, counted; authors of entries; ids and versions that are never assigned twice.

DROP INDEX documents_by_key;
DROP INDEX documents_in_order;
ALTER TABLE documents RENAME TO old_documents;
CREATE TABLE documents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    scope TEXT NOT NULL,
    key TEXT NOT NULL COLLATE NOCASE,
    version INTEGER NOT NULL,
    body BLOB NOT NULL
);
INSERT INTO documents (id, kind, scope, key, version, body)
SELECT id, kind, '', key, version, body FROM old_documents ORDER BY id;
DROP TABLE old_documents;
CREATE UNIQUE INDEX documents_by_key ON documents (kind, scope, key);
-- Listings in order of creation; this index covers them.
CREATE INDEX documents_in_order ON documents (kind, scope, id, key);

-- How many documents there are of a kind in a scope; no row if there are none.
CREATE TABLE counters (
    kind TEXT NOT NULL,
    scope TEXT NOT NULL,
    documents INTEGER NOT NULL,
    PRIMARY KEY (kind, scope)
) WITHOUT ROWID;
INSERT INTO counters (kind, scope, documents) SELECT kind, scope, count(*) FROM documents GROUP BY 1, 2;

-- The account of the sender; 0 in entries of earlier versions.
ALTER TABLE entries ADD COLUMN author INTEGER NOT NULL DEFAULT 0;

-- `sender` is the id of an account or, of entries without an author, a name. Without a type, the
-- column keeps the two apart.
ALTER TABLE key_runs RENAME TO old_key_runs;
CREATE TABLE key_runs (
    log INTEGER NOT NULL,
    sender NOT NULL,
    greatest TEXT NOT NULL,
    last INTEGER NOT NULL,
    keys BLOB NOT NULL,
    PRIMARY KEY (log, sender, greatest)
) WITHOUT ROWID;
INSERT INTO key_runs SELECT log, sender, greatest, last, keys FROM old_key_runs;
DROP TABLE old_key_runs;
ALTER TABLE keys RENAME TO old_keys;
CREATE TABLE keys (
    log INTEGER NOT NULL,
    sender NOT NULL,
    key TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (log, sender, key)
) WITHOUT ROWID;
INSERT INTO keys SELECT log, sender, key, seq FROM old_keys;
DROP TABLE old_keys;

-- What has been assigned and must not be assigned again: the greatest version of a deleted document,
-- and the greatest id and time of the entries up to `placed` and of logs that were created.
ALTER TABLE progress ADD COLUMN deleted_version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE progress ADD COLUMN newest_id INTEGER NOT NULL DEFAULT 0;
ALTER TABLE progress ADD COLUMN newest_time INTEGER NOT NULL DEFAULT 0;
UPDATE progress SET (newest_id, newest_time) =
    (SELECT ifnull(max(id), 0), ifnull(max(time), 0) FROM entries);

-- What accounts, given by their ids, have acknowledged and read of logs: all up to `upto`, and
-- `ahead`, a MessagePack array of ranges, if there are any.
CREATE TABLE positions (
    account INTEGER NOT NULL,
    log INTEGER NOT NULL,
    upto INTEGER NOT NULL,
    ahead BLOB,
    read INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    PRIMARY KEY (account, log)
) WITHOUT ROWID;
CREATE INDEX positions_by_log ON positions (log);
-- Records are also deleted by their keys, in all scopes.
CREATE INDEX documents_by_kind_and_key ON documents (kind, key) WHERE scope != '';
