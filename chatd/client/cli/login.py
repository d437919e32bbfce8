"""The login: connect, ask for what is missing, and create the account if there is none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.internet.defer import TimeoutError
from twisted.internet.error import ConnectError, ConnectingCancelledError

from chatd.client.cli.output.output import Output
from chatd.client.cli.screen import Screen
from chatd.client.library.client import Client
from chatd.client.library.errors import RefusedByServer
from chatd.core.errors import Fatal, Refused
from chatd.core.names import check_name

MAX_ATTEMPTS = 3
"""how often a password is asked for"""

Connect = Callable[[str, str | None, bool, str | None], Awaitable[Client]]
"""Connects and logs in with (name, password, register, invite token); `register`: the account is
created."""


class NoServer(Fatal):
    """No server of this protocol can be reached."""

    code = "not-there"


class Login:
    """Logs in with the name, password and invite token that the command line gave; a person is
    asked for what is missing. With `token`, `connect` has an access token, and needs no
    password."""

    def __init__(
        self,
        screen: Screen,
        output: Output,
        connect: Connect,
        name: str | None = None,
        password: str | None = None,
        invite: str | None = None,
        *,
        token: bool = False,
    ) -> None:
        self._screen = screen
        self._output = output
        self._connect = connect
        self._name = name
        self._invite = invite
        self._token = token
        self._open_accounts = True  # as far as is known
        self.password = password
        """after the login: the password of the account, None if it is open"""

    async def run(self) -> Client:
        """Return a client that is logged in. Raises `Refused`, `NoServer` and `EndOfInput`."""
        name = self._name
        while not name:
            name = (await self._screen.ask("Username: ")).strip()
        try:
            return await self._log_in(name)
        except (ConnectError, ConnectingCancelledError, OSError, TimeoutError):
            raise NoServer("Error:  That host or port is not accepting connections.") from None
        except Refused:
            raise
        except Fatal as error:
            if getattr(error, "explained", False):
                raise NoServer(str(error)) from None
            raise NoServer(
                f"{error} If the server speaks only the classic protocol, use --protocol classic."
            ) from None

    async def _log_in(self, name: str) -> Client:
        """Log in; try without a password first, which tells whether the account exists."""
        try:
            return await self._connect(name, None, False, None)
        except Refused as refusal:
            if self._token and refusal.code == "wrong-password":
                sentence = (
                    f"The access token is not valid for {name}: it was revoked, has expired, or is "
                    "of another account."
                )
                raise RefusedByServer(refusal.code, sentence) from None
            if self._token:
                raise
            if isinstance(refusal, RefusedByServer) and refusal.welcome is not None:
                self._open_accounts = refusal.welcome.open_accounts
            if refusal.code == "unknown-account":
                return await self._register(name)
            if refusal.code != "password-required":
                raise
        if self.password is None and not self._screen.interactive:
            raise Refused(
                f"password required: set the environment variable CHATD_PASSWORD to the password"
                f" of {name}, or name a file that holds it with --password-file"
            )
        attempts_left = MAX_ATTEMPTS
        while True:
            if self.password is None:
                self.password = await self._screen.ask("Password: ", hidden=True)
                attempts_left -= 1
            try:
                return await self._connect(name, self.password, False, None)
            except Refused as refusal:
                may_retry = attempts_left and self._screen.interactive
                if refusal.code != "wrong-password" or not may_retry:
                    raise
                self._output.error(refusal.code, str(refusal))
                self.password = None

    async def _register(self, name: str) -> Client:
        """Create the account and log in."""
        check_name(name)  # Before a password is chosen for it.
        self._output.note(f"There is no account {name} yet; it will be created.")
        if self.password is None and self._screen.interactive:
            self.password = await self._choose_password()
        while True:
            try:
                client = await self._connect(name, self.password, True, self._invite)
            except Refused as refusal:
                if not self._screen.interactive:
                    raise
                if refusal.code in ("invite-required", "invite-invalid"):
                    self._output.error(refusal.code, str(refusal))
                    self._invite = (await self._screen.ask("Invite token: ")).strip()
                elif refusal.code == "password-needed":
                    self._output.error(refusal.code, str(refusal))
                    self._open_accounts = False
                    self.password = await self._choose_password()
                else:
                    raise
            else:
                self._output.line(f"CREATED ACCOUNT: {client.name}")
                return client

    async def _choose_password(self) -> str | None:
        """Ask for the password of a new account; None: the account will be open."""
        return await choose_password(self._screen, "Password", self._open_accounts)


async def choose_password(screen: Screen, question: str, open_accounts: bool) -> str | None:
    """Ask for a new password; a person types it twice. None: no password.

    Where `open_accounts` are not allowed, a person cannot choose to have no password.
    """
    prompt = f"{question} (empty: anyone can log in): " if open_accounts else f"{question}: "
    while True:
        password = await screen.ask(prompt, hidden=True)
        if not password:
            if open_accounts or not screen.interactive:
                return None
            screen.note("Every account of this server needs a password.")
            continue
        if not screen.interactive or await screen.ask("Password again: ", hidden=True) == password:
            return password
        screen.note("The passwords do not match. Try again.")
