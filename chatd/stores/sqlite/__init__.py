"""The SQLite store: one file, one writer thread, one transaction per batch, WAL, synchronous=FULL.

`store` implements the contract of `chatd.stores` on the reactor's thread; `file` locks, checks and
opens the file and migrates its schema; `backup` copies it while it is in use. `writer` runs on the
writer's thread, with `logs`, `documents` and `positions` (the tables), `recent_entries` (entries
that are not indexed yet), `place_runs` (the index of entries), `dedup_keys` (keys of the senders),
`maintenance` (what is done between batches) and `bulk_insert`; `listings` runs on the lister's. To
change the schema: the next numbered script in `schema/`.
"""
