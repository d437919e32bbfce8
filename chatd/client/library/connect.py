"""`connect`: from an address and an account name to a client that is logged in."""

from __future__ import annotations

import random as random_module
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

from twisted.internet.interfaces import IStreamClientEndpoint

import chatd
from chatd.client.library.client import Client
from chatd.client.library.opening import CONNECT_TIMEOUT
from chatd.client.library.tls import Security, client_endpoint
from chatd.codecs import v1_messages as c
from chatd.core.clocks import now as wall_clock
from chatd.core.clocks import use_monotonic_clock

PORT = 65432
"""the port of an address that names none"""


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
    token: str | None = None,
    save_token: Callable[[str | None], None] | None = None,
    access_token: str | None = None,
    reconnect: bool = True,
    reactor: Any = None,
    security: Security | None = None,
    endpoint: IStreamClientEndpoint | None = None,
    random: random_module.Random | None = None,
    now: Callable[[], int] = wall_clock,
) -> Client:
    """Log in to a server as the account `name` and return the client.

    - `address`: ``chat://HOST[:PORT]``, or ``chats://HOST[:PORT]`` for TLS.
    - `password`: None for an open account, or with a certificate that the account knows.
    - `register`: register the account, with `password`, if it does not exist; `invite` is the
      operator's invite token, where one is required.
    - `features`: the kinds of events wanted besides entries: ``receipts``, ``presence``,
      ``typing``; and ``tokens``, to reconnect by a resume token, which costs the server less than
      a password.
    - `program`, `version`: name and version of this program, for the server.
    - `positions`: the `Client.positions` of an earlier client, to continue there.
    - `token`, `save_token`: the resume token of an earlier client, tried before the password; and
      a function that is called with each new token, None when it has ended. Only a program that
      stores tokens needs them. A token is a secret like a password.
    - `access_token`: an access token of the account, in place of a password; what it permits is
      `Client.scopes`.
    - `reconnect`: connect again whenever the connection is lost later.
    - `security`: how to verify the server's certificate, for ``chats://``.
    - `reactor`, `endpoint`, `random`, `now`: replacements for tests. Without `reactor`, Twisted's
      is used, whose clock becomes a monotonic one (`chatd.core.clocks.use_monotonic_clock`).

    Raises `Refused` with the server's code and sentence, `ConnectionClosed` if the connection is
    lost or is not to a server that speaks version 1, `ValueError` for an invalid address or invalid
    certificate files, `TypeError` for positions of another type, and Twisted's connection errors.
    """
    positions = list(positions)
    for position in positions:
        if not isinstance(position, c.Position):
            raise TypeError(f"positions are Position(log, since, seq), not {position!r}")
    if reactor is None:
        from twisted.internet import reactor

        use_monotonic_clock(reactor)
    if endpoint is None:
        tls, host, port = parse_address(address)
        if security is not None and not tls:
            raise ValueError("security requires an address that begins with chats://")
        endpoint = client_endpoint(
            reactor, host, port, (security or Security()) if tls else None, CONNECT_TIMEOUT
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
        token=token,
        save_token=save_token,
        access_token=access_token,
        reconnect=reconnect,
        random=random or random_module.SystemRandom(),
        now=now,
    )
    await client.open()
    return client


def parse_address(address: str) -> tuple[bool, str, int]:
    """Split ``chat://HOST[:PORT]`` or ``chats://HOST[:PORT]`` into (whether it is TLS, host, port).
    Raises `ValueError`."""
    parts = urlsplit(address)
    if (
        parts.scheme not in ("chat", "chats")
        or not parts.hostname
        or parts.path.strip("/")
        or parts.query
    ):
        raise ValueError(
            f"an address has the form chat://HOST[:PORT] or chats://HOST[:PORT], not {address!r}"
        )
    return parts.scheme == "chats", parts.hostname, parts.port or PORT
