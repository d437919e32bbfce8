"""chatd: a self-hosted chat daemon on Twisted.

The path of a message, here of protocol version 1 (docs/architecture.md):

1. ``server/connection.py`` takes the bytes of one read from the sender's socket,
2. ``codecs/v1.py`` cuts them into messages,
3. ``protocols/v1/protocol.py`` passes the texts among them to the realm,
4. ``realm/realm.py`` checks permissions and appends each text to the log of its recipient,
5. ``stores/sqlite/`` commits the appends of many senders in one transaction,
6. ``realm/delivery.py`` pushes the committed entries to the sessions of the recipients, in one
   write for each session, and then answers the senders.

The packages:

- ``core``: names, entries, errors, limits and patterns; ``codecs``: bytes to messages and back.
- ``stores``: documents and logs, in SQLite or in memory.
- ``realm``: accounts, sessions, rooms, permissions and delivery; ``auth``: credentials, passwords.
- ``server``: connections of any protocol; ``protocols``: each protocol, and the table of doors.
- ``config``: options; ``daemon``: from options to a running service.
- ``admin``: the operator's command line; ``client``: the library and the command line clients.
"""

__version__ = "0.1.0"
