"""The SQLite store: one file, one writer thread, one transaction per batch, WAL, synchronous=FULL.

`store` implements the contract of `chatd.stores`; `file` opens the file and migrates its schema;
`writer` runs on the writer's thread, with `recent_entries` (entries not indexed yet), `dedup_keys`
(senders' keys) and `bulk_insert`. To change the schema: the next numbered script in `schema/`.
"""
