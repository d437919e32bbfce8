"""`connect`: from an address and a name to a client that is logged in."""

from __future__ import annotations

import random as random_module
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import IStreamClientEndpoint

import chatd
from chatd.client.api import CONNECT_TIME, Client
from chatd.codecs import catalogue as c

PORT = 65432
"""the port that a daemon listens on unless told otherwise"""


async def connect(
    address: str,
    name: str,
    password: str | None = None,
    *,
    register: bool = False,
    invite: str | None = None,
    features: Iterable[str] = c.FEATURES,
    program: str = "chatd.client",
    version: str = chatd.__version__,
    positions: Iterable[c.Position] = (),
    reconnect: bool = True,
    reactor: Any = None,
    endpoint: IStreamClientEndpoint | None = None,
    random: random_module.Random | None = None,
) -> Client:
    """Log in to the server at `address`, ``chat://HOST[:PORT]``, as the account `name`.

    `register`: make the account if there is none, with `password` (None: open) and the operator's `invite`.
    `positions`: go on where another client stopped (`Client.positions`). `reconnect`: when the connection is
    lost later, connect again, for as long as it takes. `reactor`, `endpoint` and `random` are for tests.

    Raises `Refused` with the server's code and sentence, `Fatal` if it does not speak version 1, `ValueError`
    for an address that is none, and Twisted's connection errors.
    """
    if reactor is None:
        from twisted.internet import reactor
    if endpoint is None:
        host, port = parse(address)
        endpoint = HostnameEndpoint(reactor, host, port, timeout=CONNECT_TIME)
    client = Client(
        endpoint,
        name,
        password,
        clock=reactor,
        hello=c.Hello(0, program, version, sorted(features)),
        register=register,
        invite=invite,
        positions=positions,
        reconnect=reconnect,
        random=random or random_module.SystemRandom(),
    )
    await client.open()
    return client


def parse(address: str) -> tuple[str, int]:
    """Host and port of ``chat://HOST[:PORT]``. Raises `ValueError`."""
    parts = urlsplit(address)
    if parts.scheme != "chat" or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError(f"an address is chat://HOST or chat://HOST:PORT, not {address!r}")
    return parts.hostname, parts.port or PORT
