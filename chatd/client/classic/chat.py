"""The dialogue of the classic client: menus, slash commands and questions.

It knows the screen's interface only, which a terminal and a pipe implement.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.error import ConnectError, ConnectingCancelledError
from twisted.python.failure import Failure

from chatd.client.classic import commands
from chatd.client.classic.commands import Command
from chatd.client.classic.connection import NO_TOKEN, Connection, ConnectionHandler, Unsendable
from chatd.client.cli.dialogue import Dialogue
from chatd.client.cli.exit_status import FAILED, SUCCESS
from chatd.client.cli.screen import EndOfInput, InvalidLine, Screen
from chatd.client.library.errors import ConnectionClosed
from chatd.core.errors import Refused

WINDOW = 64
"""messages without an acknowledgement, at which a script's next line is not read yet"""
TRIES = 3
"""how often a password or an invite token is asked for"""

# Sentences of the server.
_UNKNOWN = "username does not exist"
_TAKEN = "username already exists"
_PASSWORD_REQUIRED = "password required"
_WRONG_PASSWORD = "wrong password"
_PASSWORD_NEEDED = "Accounts without a password are not allowed"
_INVITE_NEEDED = ("A new account requires an invite token", "This invite token is", NO_TOKEN)

Authenticate = Callable[[str, str | None], Awaitable[None]]
"""`Connection.login` or `ClassicChat._create_account`: takes a name and a password"""


class ClassicChat(Dialogue):
    """The dialogue of a user or a script with a daemon, from connecting to the exit status.

    `connect` makes the connection, whose handler is this object. With a `name`, the dialogue begins
    by logging in to that account, which is created if it does not exist; `password` is used if the
    account has one, and the token `invite` if creating an account requires one.
    """

    def __init__(
        self,
        screen: Screen,
        connect: Callable[[ConnectionHandler], Deferred[Connection]],
        name: str | None = None,
        password: str | None = None,
        invite: str | None = None,
    ) -> None:
        super().__init__(screen)
        self._connect = connect
        self._name = name
        self._password = password
        self._invite = invite
        self._connection: Connection
        self._names: set[str] = set()
        self._ending = False
        self._lost_reason: str | None = None
        self._error_shown = False
        self._unacknowledged = 0
        self._handlers = {
            commands.LOGIN: self._login,
            commands.CREATE: self._create,
            commands.HELP: self._help,
            commands.COMPOSE: self._compose,
            commands.LIST: self._list_by_menu,
            commands.GET: self._get,
            commands.DELETE: self._delete_if_confirmed,
            commands.LOGOUT: self._exit,
            commands.QUIT: self._exit,
            commands.TATA: self._exit,
        }

    # Called by the connection

    def message_received(self, sender: str, text: str) -> None:
        """Show a message."""
        self._names.add(sender)
        self._screen.show_message(sender, text)

    def error_received(self, error: str) -> None:
        """Show an error of the server that is the reply to no command."""
        self._show_error(f"Server error: {error}")

    def connection_lost(self, reason: str) -> None:
        """End the input, and with it the dialogue."""
        self._lost_reason = reason
        self._screen.end_input()

    # The dialogue

    async def _run(self) -> int:
        try:
            self._connection = await self._connect(self)
        except (ConnectError, ConnectingCancelledError, OSError, TimeoutError):
            if self._interrupted is None:
                self._screen.show_error("Error:  That host or port is not accepting connections.")
            return FAILED
        self._screen.throttle(self._connection)
        try:
            try:
                if self._name is not None:
                    await self._log_in_at_start(self._name)
                while not self._ending:
                    await self._read_command()
            except EndOfInput:
                pass
            except InvalidLine as error:
                self._show_error(str(error))
            await self._connection.all_replied()
            await self._connection.close()
        except ConnectionClosed:
            pass
        finally:
            self._connection.drop()
        if self._lost_reason is not None:
            if self._lost_reason:
                self._screen.show_error(self._lost_reason)
            if self._unacknowledged:
                messages = _messages(self._unacknowledged)
                self._screen.show_error(f"{messages} not acknowledged and may not have been sent.")
            self._screen.show_error("Disconnected from server ... exiting!")
            return FAILED
        return FAILED if self._error_shown and not self._screen.interactive else SUCCESS

    async def _log_in_at_start(self, name: str) -> None:
        """Log in to the account given on the command line; create it if it does not exist."""
        connection = self._connection
        try:
            try:
                await self._authenticate(connection.login, name)
            except Refused as refused:
                if str(refused) != _UNKNOWN:
                    raise
                self._screen.show(f"CREATING NEW ID: {name}")
                password = self._password
                if password is None and self._screen.interactive:
                    password = await self._choose_password()
                if password is None:
                    await self._authenticate(self._create_account, name)
                else:
                    await self._create_account(name, password)
        except Refused as refused:
            self._show_error(_login_error(refused))
            self._ending = not self._screen.interactive
        else:
            self._screen.note(f"Logged in as: {name}")
            self._screen.note(commands.menu(True))

    async def _authenticate(self, authenticate: Authenticate, name: str) -> None:
        """Log in to or create an account, with a password only if the server requires one."""
        try:
            return await authenticate(name, None)
        except Refused as refused:
            if str(refused).startswith(_PASSWORD_NEEDED) and self._screen.interactive:
                self._show_error(str(refused))
                return await authenticate(name, await self._choose_password())
            if not str(refused).startswith((_PASSWORD_REQUIRED, _PASSWORD_NEEDED)):
                raise
        password = self._password
        if self._screen.interactive:
            self._password = None  # It is tried once: the next account may have another one.
        if password is not None:
            return await authenticate(name, password)
        if not self._screen.interactive:
            raise Refused(
                f"password required: put the password of {name} into the environment variable"
                " CHATD_PASSWORD, or name a file that holds it with --password-file"
            )
        for tries_left in reversed(range(TRIES)):
            password = await self._screen.ask("Password: ", hidden=True)
            try:
                return await authenticate(name, password)
            except Refused as refused:
                if not (tries_left and str(refused).startswith(_WRONG_PASSWORD)):
                    raise
                self._show_error(str(refused))

    async def _create_account(self, name: str, password: str | None) -> None:
        """Create an account, and ask for an invite token if that is required."""
        for tries_left in reversed(range(TRIES)):
            try:
                return await self._connection.create(name, password, self._invite)
            except Refused as refused:
                is_asked = str(refused).startswith(_INVITE_NEEDED) and self._screen.interactive
                if not (is_asked and tries_left):
                    raise
                self._show_error(str(refused))
            self._invite = (await self._screen.ask("Invite token: ")).strip()

    async def _choose_password(self) -> str | None:
        """Ask for the password of a new account twice; return None for an open account."""
        while True:
            password = await self._screen.ask("Password (empty: anyone can log in): ", hidden=True)
            if not password:
                return None
            if await self._screen.ask("Password again: ", hidden=True) == password:
                return password
            self._screen.note("The passwords do not match. Try again.")

    async def _read_command(self) -> None:
        """Read one line and carry out its command."""
        logged_in = bool(self._connection.name)
        if not logged_in:
            self._screen.note(commands.menu(False))
        line = await self._screen.ask("> ", complete=self._complete)
        if not line.strip():
            return
        command, arguments = commands.parse(line, logged_in)
        if command is None:
            self._invalid(line, logged_in)
        elif command is commands.MESSAGE:
            await self._message(*commands.split(arguments))
        elif command is commands.LIST and line.lstrip().startswith("/"):
            await self._list(arguments)
        elif (
            command is commands.DELETE
            and line.lstrip().startswith("/")
            and not self._screen.interactive
        ):
            await self._delete()
        else:
            await self._carry_out(command)

    async def _carry_out(self, command: Command) -> None:
        try:
            await self._handlers[command]()
        except InvalidLine:
            raise
        except Refused as refused:
            self._show_error(_server_error(refused))

    def _invalid(self, line: str, logged_in: bool) -> None:
        self._show_error(
            "(invalid command)" if self._screen.interactive else f"(invalid command) {line}"
        )
        if commands.parse(line, not logged_in)[0]:
            name = self._connection.name
            self._screen.note(
                f"You are already logged in as {name}."
                if name
                else "This command requires an account: log in first."
            )
        elif logged_in:
            self._screen.note("Type /msg USER TEXT to send a message, help to see all commands.")

    # Commands

    async def _login(self) -> None:
        await self._log_in_by_menu(self._connection.login)

    async def _create(self) -> None:
        await self._log_in_by_menu(self._create_account)

    async def _log_in_by_menu(self, authenticate: Authenticate) -> None:
        name = (await self._screen.ask("Username: ")).strip()
        try:
            await self._authenticate(authenticate, name)
        except Refused as refused:
            self._show_error(_login_error(refused))
            if str(refused).startswith((_PASSWORD_REQUIRED, _WRONG_PASSWORD)):
                # The next line of a script may be the password: it is no command.
                self._ending = not self._screen.interactive
        else:
            self._screen.show(f"Logged in as: {name}")
            self._screen.note(commands.menu(True))

    async def _help(self) -> None:
        for line in commands.help_lines(bool(self._connection.name)):
            self._screen.show(line)

    async def _compose(self) -> None:
        recipient = (await self._screen.ask("Recipient: ", complete=self._complete_name)).strip()
        text = await self._screen.ask("Message: ")
        if await self._confirmed("Send? (y/n): "):
            await self._send(recipient, text)
        else:
            self._screen.note("Not sent.")

    async def _message(self, recipient: str, text: str) -> None:
        if recipient and text:
            await self._send(recipient, text)
        else:
            self._show_error(f"Usage: {commands.MESSAGE.usage}")

    async def _send(self, recipient: str, text: str) -> None:
        """Send a message without waiting for its acknowledgement, unless `WINDOW` are missing."""

        def stored(_: object) -> None:
            self._names.add(recipient)
            self._screen.show_sent(recipient, text)

        def failed(failure: Failure) -> None:
            if failure.check(ConnectionClosed):
                self._unacknowledged += 1
            else:
                failure.trap(Refused)
                self._show_error(_server_error(failure.value))

        self._connection.send(recipient, text).addCallbacks(stored, failed)
        if self._connection.outstanding >= WINDOW:
            await self._connection.all_replied()

    async def _list_by_menu(self) -> None:
        await self._list(await self._screen.ask("Search pattern (optional): "))

    async def _list(self, pattern: str) -> None:
        try:
            names = await self._connection.list(pattern.strip() or "*")
        except Refused as refused:
            self._show_error(_server_error(refused))
            return
        self._names.update(names)
        self._screen.show("Accounts:")
        for name in names:
            self._screen.show("\t" + name)

    async def _get(self) -> None:
        if not await self._connection.deliver():
            self._screen.note("No new messages.")

    async def _delete_if_confirmed(self) -> None:
        if await self._confirmed("Confirm account deletion? (y/n): "):
            await self._delete()
        else:
            self._screen.note("Not deleted.")

    async def _delete(self) -> None:
        await self._connection.delete()
        self._screen.show(f"Account deleted: {self._connection.name}")
        self._ending = True

    async def _exit(self) -> None:
        self._ending = True

    # The screen

    async def _confirmed(self, question: str) -> bool:
        return (await self._screen.ask(question)).strip().lower() in ("y", "yes")

    def _show_error(self, sentence: str) -> None:
        self._error_shown = True
        self._screen.show_error(sentence)

    def _complete(self, text: str) -> list[str]:
        return commands.complete(text, bool(self._connection.name), self._names)

    def _complete_name(self, text: str) -> list[str]:
        return commands.complete_name(text, self._names)


def _login_error(refused: Refused) -> str:
    return "Username is taken." if str(refused) == _TAKEN else str(refused)


def _server_error(refused: BaseException | None) -> str:
    return str(refused) if isinstance(refused, Unsendable) else f"Server error: {refused}"


def _messages(count: int) -> str:
    return "1 message was" if count == 1 else f"{count} messages were"
