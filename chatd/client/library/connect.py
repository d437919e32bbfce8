"""`connect`: from an address and a name to a client that is logged in."""

from __future__ import annotations

import random as random_module
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from twisted.internet.interfaces import IStreamClientEndpoint

import chatd
from chatd.client.library.client import CONNECT_TIME, Client
from chatd.client.library.tls import Security
from chatd.client.library.tls import endpoint as security_endpoint
from chatd.codecs import v1_messages as c

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
    security: Security | None = None,
    endpoint: IStreamClientEndpoint | None = None,
    random: random_module.Random | None = None,
) -> Client:
    """Log in to the server at `address`, ``chat://HOST[:PORT]``, as the account `name`; at
    ``chats://HOST[:PORT]`` by TLS, with a certificate as `security` wants it.

    `register`: make the account if there is none, with `password` (None: open) and the operator's
    `invite`. `positions`: go on where another client stopped (`Client.positions`). `reconnect`:
    when the connection is lost later, connect again, for as long as it takes. `reactor`, `endpoint`
    and `random` are for tests.

    Raises `Refused` with the server's code and sentence, `Fatal` if it does not speak version 1,
    `ValueError` for an address that is none, and Twisted's connection errors.
    """
    if reactor is None:
        from twisted.internet import reactor
    if endpoint is None:
        tls, host, port = parse(address)
        if security is not None and not tls:
            raise ValueError("security is for chats:// addresses")
        endpoint = security_endpoint(
            reactor, host, port, (security or Security()) if tls else None, CONNECT_TIME
        )
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


def parse(address: str) -> tuple[bool, str, int]:
    """Of ``chat://HOST[:PORT]`` or ``chats://...`` whether it is by TLS, host, port. Raises
    `ValueError`."""
    parts = urlsplit(address)
    if (
        parts.scheme not in ("chat", "chats")
        or not parts.hostname
        or parts.path.strip("/")
        or parts.query
    ):
        raise ValueError(
            f"an address is chat://HOST or chats://HOST, perhaps with :PORT, not {address!r}"
        )
    return parts.scheme == "chats", parts.hostname, parts.port or PORT
