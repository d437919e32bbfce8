"""chatd: a self-hosted chat daemon on Twisted.

The way of a message, from the sender's socket to the recipient's:

1. ``protocols/classic.py`` takes the bytes of one read from the socket,
2. ``codecs/classic.py`` cuts them into messages,
3. ``realm.py`` decides who may say what to whom, and turns each into an append to a log,
4. ``stores/sqlite.py`` commits the appends of many senders in one transaction,
5. ``sessions.py`` hands each recipient what was committed, in one write; then the senders are told.
"""

__version__ = "0.1.0"
