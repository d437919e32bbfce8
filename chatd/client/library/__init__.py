"""The client library: one account at one server, over one connection after another.

Programs import `chatd.client`, which exports the public names. Reading order: `connect` (address
and options), `encoding` and `connection` (requests on one connection), `client` (log in, events,
acknowledgements, requests, close), `events` and `catching_up` (what waits for the program). The
other modules are parts of `client`, with one purpose each. To add a request: a coroutine in
`requests`, its answer in `answers`, and its name in `docs/library.md`.

Imports `chatd.core` and `chatd.codecs`.
"""
