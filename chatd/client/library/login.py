"""Logging in on a connection, and registering the account first if it does not exist."""

from __future__ import annotations

from chatd.client.library.connection import Connection
from chatd.codecs import v1_messages as c
from chatd.core.errors import Refused

# Some servers do not tell an unknown account from a wrong password.
_MAY_NOT_EXIST = frozenset({"unknown-account", "wrong-password"})


async def log_in(
    connection: Connection, request: c.LogIn, registration: c.Register | None
) -> c.LoggedIn:
    """Send `request`; if it is refused because the account may not exist, send `registration` and
    then `request` again.

    Without a `registration` the refusal is raised. If the name is taken, the account exists, and
    the refusal of the login is raised. Raises `Refused` and `ConnectionClosed`.
    """
    try:
        answer: c.LoggedIn = await connection.request(request)
    except Refused as login_refused:
        if registration is None or login_refused.code not in _MAY_NOT_EXIST:
            raise
        try:
            await connection.request(registration)
        except Refused as refused:
            raise (login_refused if refused.code == "name-taken" else refused) from None
        answer = await connection.request(request)
    return answer
