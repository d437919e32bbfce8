"""The client: a library, `connect`, and on it the program ``python -m chatd.client``."""

from chatd.client.api import Client, Connected, Disconnected, Event
from chatd.client.connecting import connect
from chatd.client.security import Security
from chatd.codecs.catalogue import Goodbye, Joined, Left, Presence, Pushed, Receipt, Sent, Typing

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
