-- The index of `entries` by log and seq in runs, in place of `places`: a row for some entries of a log
-- that follow each other. `places` is a MessagePack array: the place of the entry `first`, and from
-- each entry to the next the difference. Entries that are trimmed may be in a row with later ones.
CREATE TABLE place_runs (
    log INTEGER NOT NULL,
    last INTEGER NOT NULL,
    first INTEGER NOT NULL,
    places BLOB NOT NULL,
    PRIMARY KEY (log, last)
) WITHOUT ROWID;
