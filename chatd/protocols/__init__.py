"""Protocols: wire messages to realm calls and back.

`v1` is version 1, `grpc` the ChatService; `classic`, `chat10` and `ops` are the protocols of older
clients, `admin` is that of the admin socket. `doors` is the table of doors. A *door* is a protocol
with its port, its first bytes (signature) and its TLS rule.

To add a door NAME:

1. `chatd/codecs/NAME.py`: bytes to messages and back, with a table of examples in its tests.
2. `chatd/protocols/NAME.py`: a subclass of `chatd.server.connection.Connection` whose `burst` takes
   the frequent messages and whose `perform` takes the others, one at a time. It is also the `Peer`
   of its session (`chatd.realm.peer`): it shows entries and answers. Begin with `classic.py`, for
   messages in frames and accounts with passwords; rooms are shown by `v1` and `chat10`.
3. One row in `doors.DOORS`: name, title, signature, class, the reply to a client without TLS; its
   name in `chatd.config.option_types.LISTEN_NAMES`, which a test compares with the table.
4. `docs/protocols/NAME.md`, its column in `docs/protocols/overview.md`, and `tests/` for 1 and 2.
   `docs/architecture.md` ("To add X, touch Y") lists the tests that have a case for each protocol.

A protocol translates only: who may do what is decided in `chatd.realm.permissions`. It imports
core, codecs, stores (the contract), realm, auth and server, and no other protocol.
"""
