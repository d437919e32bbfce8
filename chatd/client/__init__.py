"""The client: a library, `connect`, and on it the program ``python -m chatd.client``."""

from chatd.client.library.client import Client, Connected, Disconnected, Event
from chatd.client.library.connect import connect
from chatd.client.library.tls import Security
from chatd.codecs.v1_messages import Goodbye, Joined, Left, Presence, Pushed, Receipt, Sent, Typing

__all__ = [
    "Client",
    "Connected",
    "Disconnected",
    "Event",
    "Goodbye",
    "Joined",
    "Left",
    "Presence",
    "Pushed",
    "Receipt",
    "Security",
    "Sent",
    "Typing",
    "connect",
]
