"""The client library: one account at one server, over one connection after another.

Programs import `chatd.client`, which exports the public names. Reading order: `connect` (address
and options), `connection` (one connection), `client` (log in, events, acknowledgements, requests,
close). The other modules are parts of `client`, with one purpose each. To add a request: a
coroutine in `requests`, and its name in `docs/library.md`.

Imports `chatd.core` and `chatd.codecs`.
"""
