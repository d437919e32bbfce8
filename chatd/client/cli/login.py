"""Logging in, and making the account if there is none: whatever has to be asked of a person for
that."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.internet.defer import TimeoutError
from twisted.internet.error import ConnectError, ConnectingCancelledError

from chatd.client.cli.output.output import Output
from chatd.client.cli.screen import Screen
from chatd.client.library.client import Client
from chatd.core.errors import Fatal, Refused

TRIES = 3
"""how often a password is asked for"""

Connect = Callable[[str, str | None, bool, str | None], Awaitable[Client]]
"""Log in as (name, password); if `register`, to an account made for it, with (invite)."""


class NotThere(Fatal):
    """There is no server to talk to."""

    code = "not-there"


class Arrival:
    """The way in. What was given at the start is tried first; a person is asked for what is
    missing."""

    def __init__(
        self,
        screen: Screen,
        output: Output,
        connect: Connect,
        name: str | None = None,
        password: str | None = None,
        invite: str | None = None,
    ) -> None:
        self._screen = screen
        self._output = output
        self._connect = connect
        self._name = name
        self._invite = invite
        self.password = password
        """the one that the account has, once logged in"""

    async def enter(self) -> Client:
        """Logged in. Raises `Refused` for good reasons, `NotThere`, `EndOfInput`."""
        name = self._name
        while not name:
            name = (await self._screen.ask("Username: ")).strip()
        try:
            return await self._log_in(name)
        except (ConnectError, ConnectingCancelledError, OSError, TimeoutError):
            raise NotThere("Error:  That host or port is not accepting connections.") from None
        except Refused:
            raise
        except Fatal as error:
            if getattr(error, "explained", False):
                raise NotThere(str(error)) from None
            raise NotThere(
                f"{error} If it is a chatd from before version 1, use --protocol classic."
            ) from None

    async def _log_in(self, name: str) -> Client:
        """Without a password first: only so does a server tell whether there is such an account."""
        try:
            return await self._connect(name, None, False, None)
        except Refused as refused:
            if refused.code == "unknown-account":
                return await self._register(name)
            if refused.code != "password-required":
                raise
        if self.password is None and not self._screen.interactive:
            raise Refused(
                f"password required: put the password of {name} into the environment variable"
                " CHATD_PASSWORD, or name a file that holds it with --password-file"
            )
        left = TRIES
        while True:
            if self.password is None:
                self.password = await self._screen.ask("Password: ", hidden=True)
                left -= 1
            try:
                return await self._connect(name, self.password, False, None)
            except Refused as refused:
                if refused.code != "wrong-password" or not (left and self._screen.interactive):
                    raise
                self._output.refuse(refused.code, str(refused))
                self.password = None

    async def _register(self, name: str) -> Client:
        self._output.note(f"There is no account {name} yet: it will be made.")
        if self.password is None and self._screen.interactive:
            self.password = await self._choose_password()
        while True:
            try:
                client = await self._connect(name, self.password, True, self._invite)
            except Refused as refused:
                if not self._screen.interactive:
                    raise
                if refused.code in ("invite-required", "invite-invalid"):
                    self._output.refuse(refused.code, str(refused))
                    self._invite = (await self._screen.ask("Invite token: ")).strip()
                elif refused.code == "password-needed":
                    self._output.refuse(refused.code, str(refused))
                    self.password = await self._choose_password()
                else:
                    raise
            else:
                self._output.line(f"CREATED ACCOUNT: {client.name}")
                return client

    async def _choose_password(self) -> str | None:
        """A password for a new account, typed twice; None: it will be open."""
        return await choose_password(self._screen, "Password (empty: anyone can log in): ")


async def choose_password(screen: Screen, prompt: str) -> str | None:
    """A new password, which a person types twice; None: none."""
    while True:
        password = await screen.ask(prompt, hidden=True)
        if not password:
            return None
        if not screen.interactive or await screen.ask("Password again: ", hidden=True) == password:
            return password
        screen.note("These were two different passwords. Try again.")
