"""Logging in on a connection, and registering the account first if it does not exist."""

from __future__ import annotations

from chatd.client.library.connection import Connection
from chatd.codecs import v1_messages as c
from chatd.core.errors import Refused


async def log_in(
    connection: Connection, request: c.LogIn, registration: c.Register | None
) -> c.LoggedIn:
    """Send `registration`, if there is one, and then `request`, also if the name is taken: then the
    account exists.

    Asked in the other order, a server that does not tell an unknown account from a wrong password
    would take the question for a guess. Raises `Refused` and `ConnectionClosed`.
    """
    if registration is not None:
        try:
            await connection.request(registration)
        except Refused as refused:
            if refused.code != "name-taken":
                raise
    answer: c.LoggedIn = await connection.request(request)
    return answer
