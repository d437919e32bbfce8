"""The SQLite store: one file, one writer thread, one transaction per batch, WAL, synchronous=FULL.

To change the schema: the next numbered script in `schema`, and in `file` the conversion of what SQL
cannot do.

- On the reactor's thread: `store` implements the contract of `chatd.stores`. `workers` are the
  other threads, each as steps.
- On the writer's thread: `writer` commits batches. `logs`, `documents` and `positions` are tables;
  `recent_entries` finds entries, those not in the index yet as well; `place_runs` is the index of
  entries, `dedup_keys` that of the senders' keys; `stored_bytes` counts what logs
  take; `bulk_insert` writes many rows by one statement;
  `maintenance` is what is done between batches.
- On threads of their own: `listings` reads keys a step at a time, `backup` copies the file while it
  is in use.
- At start: `file` locks, checks and opens the file and migrates its schema; `write_ahead_log` tells
  whether the log beside the file is its own; `identities` and `key_owners` convert what files of
  the second version knew by names.
"""
