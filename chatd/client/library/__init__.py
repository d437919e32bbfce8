"""The client library: one account at one server, over one connection after another.

Programs import `chatd.client`, which exports the public names. Imports `chatd.core` and
`chatd.codecs`. To add a request: a coroutine in `requests`, its answer in `answers`, and its name
in `docs/library.md`.

- Connecting: `connect` (from an address to a client), `opening` (one connection), `tls`,
  `credentials` (password or token), `login`, `backoff` (the delay before the next attempt).
- One connection: `connection` has requests, answers and events, `encoding` refuses what cannot be
  sent; `answers` tells which answer a request has.
- The account: `client` has it over all connections, with the coroutines of `requests`. It has
  `pending_sends` with their `keys`, the `followed_log` of each mailbox and room, `acknowledging`,
  and `presence` to be set again.
- The program: `events` wait for it in a bounded queue, `catching_up` fetches what has no room
  there, `errors` are raised to it.
"""
