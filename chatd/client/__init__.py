"""The client: a library, whose public names are here, and the program ``python -m chatd.client``.

`library` is protocol version 1, `cli` the program on top of it, `classic` the client of the classic
protocol, which the program starts with ``--protocol classic``. Bots and other programs import this
package only (docs/library.md).

Imports `chatd.core` and `chatd.codecs`. To add a public name: import it here and add it to
`__all__`, to `docs/library.md`, and to the list in `tests/client/library/test_public_names.py`.
"""

from chatd.client.library.client import Client
from chatd.client.library.connect import connect
from chatd.client.library.errors import ConnectionClosed
from chatd.client.library.events import Connected, Disconnected, Event, Overflow, Retrying
from chatd.client.library.tls import Security
from chatd.codecs.v1_messages import (
    Announcement,
    Goodbye,
    Joined,
    Left,
    Position,
    Presence,
    Pushed,
    Receipt,
    Sent,
    Typing,
)
from chatd.core.errors import Fatal, Refused, TextTooLong

__all__ = [
    "Announcement",
    "Client",
    "Connected",
    "ConnectionClosed",
    "Disconnected",
    "Event",
    "Fatal",
    "Goodbye",
    "Joined",
    "Left",
    "Overflow",
    "Position",
    "Presence",
    "Pushed",
    "Receipt",
    "Refused",
    "Retrying",
    "Security",
    "Sent",
    "TextTooLong",
    "Typing",
    "connect",
]
