"""What a client logs in with: an access token, or a resume token and the password, which a request
may have changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.logger import Logger

from chatd.client.library.connection import Connection
from chatd.client.library.errors import TEMPORARY_LOGIN_REFUSALS
from chatd.client.library.login import log_in
from chatd.codecs import v1_messages as c
from chatd.core.errors import AddressBanned, Refused, Suspended

# The codes of a login whose password is not the account's; None is the password of an open account.
_OTHER_PASSWORD = frozenset({"wrong-password", "password-required", "password-needed"})
# The codes of a refused `Resume` after which the token may be valid again.
_TOKEN_STAYS = TEMPORARY_LOGIN_REFUSALS | {Suspended.code, AddressBanned.code}


class Credentials:
    """What a client logs in with: the access token, if one was given; otherwise a resume token if
    it has one, else the password.

    `save_token` is called with each new token, and with None when it has ended. `registration` is
    sent once, if the account may not exist.
    """

    logger = Logger(namespace="chatd")

    def __init__(
        self,
        name: str,
        password: str | None,
        token: str | None,
        save_token: Callable[[str | None], None] | None,
        registration: c.Register | None,
        access_token: str | None = None,
    ) -> None:
        self.name = name
        self.token = token
        self._password = password
        # Passwords of `ChangePassword` requests without an answer, the latest last.
        self._maybe_passwords: list[str | None] = []
        self._save_token = save_token
        self._registration = registration
        self._access_token = access_token

    async def log_in(self, connection: Connection, positions: Sequence[c.Position]) -> c.LoggedIn:
        """Log in. Raises `Refused` and `ConnectionClosed`."""
        answer: c.LoggedIn
        if self._access_token is not None:
            request = c.Resume(0, self.name, self._access_token, list(positions))
            answer = await connection.request(request)
            return answer
        if self.token is not None:
            try:
                answer = await connection.request(
                    c.Resume(0, self.name, self.token, list(positions))
                )
            except Refused as refused:
                if refused.code in _TOKEN_STAYS:
                    raise
                self.set_token(None)
            else:
                self._registration = None
                return answer
        for password in reversed(self._maybe_passwords):
            try:
                answer = await connection.request(c.LogIn(0, self.name, password, list(positions)))
            except Refused as refused:
                if refused.code not in _OTHER_PASSWORD:
                    raise
            else:
                self._logged_in_with(password)
                return answer
        password = self._password
        login = c.LogIn(0, self.name, password, list(positions))
        answer = await log_in(connection, login, self._registration)
        self._logged_in_with(password)
        return answer

    def _logged_in_with(self, password: str | None) -> None:
        self._password = password
        self._maybe_passwords.clear()
        self._registration = None

    def set_token(self, token: str | None) -> None:
        """Use `token` from now on, and have it saved."""
        self.token = token
        if self._save_token is not None:
            try:
                self._save_token(token)
            except Exception:
                self.logger.failure("The function that saves tokens failed")

    def token_ended(self) -> None:
        """Forget the token, if there is one, and have that saved."""
        if self.token is not None:
            self.set_token(None)

    async def change_password(self, connection: Connection, request: c.ChangePassword) -> Any:
        """Send the request; until it is answered, either password may be the account's. Raises
        `Refused` and `ConnectionClosed`."""
        new = request.new
        self._maybe_passwords.append(new)
        try:
            answer = await connection.request(request)
        except Refused:
            self._maybe_passwords.remove(new)
            raise
        self._maybe_passwords.remove(new)
        self._password = new
        return answer
