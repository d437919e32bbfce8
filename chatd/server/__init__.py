"""What all connections have in common: reading, pausing, limits, TLS and closing.

Imports `chatd.core`, `chatd.realm`, `chatd.auth` and the contract of `chatd.stores`; knows no codec
and no protocol. To add a limit of connections: its bound in `chatd.core.limits`, its enforcement
here; for other limits see ``docs/architecture.md`` ("A quota, or another bound").

- A connection: `connection` is the base class of every protocol on a Twisted transport, and takes
  messages in order. Its own bases are `closing` (how it ends), `session_connection` (its session,
  from login to logout) and `identity` (who is at the other end). `states` has its reasons to pause
  and the phases of its end; `unframed` is for protocols without framing.
- All connections: `factory` makes and counts them, `unauthenticated` has those before login, with a
  share for each address; `admission` pauses the ports before files are short; `sniffer` finds the
  protocol of one by its first bytes; `client_log` has the lines of the log about clients;
  `deadlines` are time limits with one timer for all; `rate_limit` is a token bucket; `turns` has
  those with much to do go on one after another; `listings` bounds what lists of accounts take.
- Arrival, for clients that cannot acknowledge: `write_tracker` knows where each entry ended in the
  output, `tracked_transport` what a connection asks of its transport, `arrivals` when it asks.
- Transports: `tcp_transport` sends at once what it can, `tls` is TLS inside a connection,
  `owner_socket` a unix socket that only its owner can open.
"""
