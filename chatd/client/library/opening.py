"""Opening a connection: connect to an endpoint, and get the server's description of itself."""

from __future__ import annotations

import msgspec
from twisted.internet import protocol
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint

from chatd.client.library.connection import Connection, ConnectionHandler
from chatd.codecs import v1_messages as c

CONNECT_TIMEOUT = 10.0
"""seconds until a connection is open, from name resolution to the server's first answer"""


async def open_connection(
    endpoint: IStreamClientEndpoint,
    handler: ConnectionHandler,
    clock: IReactorTime,
    hello: c.Hello,
) -> tuple[Connection, c.Welcome]:
    """Return a connection, which is not logged in, and the server's answer to `hello`.

    Raises `ConnectionClosed` if the server does not answer, or not as a server of version 1, and
    Twisted's connection errors. If the coroutine is cancelled, the connection is aborted.
    """
    connection = Connection(handler, clock)
    factory = protocol.Factory.forProtocol(lambda: connection)
    factory.noisy = False
    deadline = clock.callLater(
        CONNECT_TIMEOUT,
        connection.abort,
        f"The server has accepted the connection, but has not answered for {CONNECT_TIMEOUT:g}"
        " seconds.",
    )
    try:
        await endpoint.connect(factory).addTimeout(CONNECT_TIMEOUT, clock)
        welcome: c.Welcome = await connection.request(msgspec.structs.replace(hello))
    except BaseException:
        connection.abort("")
        raise
    finally:
        if deadline.active():
            deadline.cancel()
    connection.limits = welcome.limits
    connection.idle_timeout = welcome.idle
    return connection, welcome
