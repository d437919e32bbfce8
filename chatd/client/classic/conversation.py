"""The dialogue: the menus, the slash commands and the questions. It knows neither terminal nor
pipe."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.error import ConnectError, ConnectingCancelledError
from twisted.python.failure import Failure

from chatd.client.classic import commands
from chatd.client.classic.commands import Command
from chatd.client.classic.connection import Audience, Connection, Disconnected, Unsendable
from chatd.client.cli.exit_status import FAILED, SUCCESS
from chatd.client.cli.screen import EndOfInput, Screen
from chatd.core.errors import Refused

WINDOW = 64
"""messages that a pipe may have under way before the next line is read"""
TRIES = 3
"""how often a password is asked for"""

_UNKNOWN = "username does not exist"
_TAKEN = "username already exists"
_PASSWORD_REQUIRED = "password required"
_WRONG_PASSWORD = "wrong password"

Entrance = Callable[[str, str | None], Deferred[None]]


class Conversation:
    """One person's, or one script's, dealings with the daemon, from connecting to leaving.

    `connect` gives the connection whose `Audience` this conversation is. With a `name` it logs in
    as that at once, and makes the account if there is none; `password` is used if that account
    wants one.
    """

    def __init__(
        self,
        screen: Screen,
        connect: Callable[[Audience], Deferred[Connection]],
        name: str | None = None,
        password: str | None = None,
    ) -> None:
        self._screen = screen
        self._connect = connect
        self._name = name
        self._password = password
        self._connection: Connection
        self._talk: Deferred[int]
        self._names: set[str] = set()
        self._leaving = False
        self._lost: str | None = None
        self._interrupted: tuple[int, str] | None = None
        self._refused = False
        self._unacknowledged = 0
        self._deeds = {
            commands.LOGIN: self._login,
            commands.CREATE: self._create,
            commands.HELP: self._help,
            commands.COMPOSE: self._compose,
            commands.LIST: self._ask_pattern,
            commands.GET: self._get,
            commands.DELETE: self._confirm_delete,
            commands.LOGOUT: self._leave,
            commands.QUIT: self._leave,
            commands.TATA: self._leave,
        }

    def start(self) -> Deferred[int]:
        """Talk until there is nothing more to say; fires with the exit status."""
        self._talk = Deferred.fromCoroutine(self._hold())
        return self._talk.addBoth(self._ended)

    def interrupt(self, status: int, sentence: str) -> None:
        """Leave now, whatever is being asked or awaited; `status` becomes the exit status."""
        self._interrupted = status, sentence
        self._talk.cancel()

    def _ended(self, result: int | Failure) -> int | Failure:
        if self._interrupted is None:
            return result
        status, sentence = self._interrupted
        if sentence:
            self._screen.show_error(sentence)
        return status

    # What the connection tells

    def message(self, sender: str, text: str) -> None:
        """A message came."""
        self._names.add(sender)
        self._screen.show_message(sender, text)

    def notice(self, error: str) -> None:
        """The server complains about something that was not asked."""
        self._refuse(f"Server error: {error}")

    def disconnected(self, reason: str) -> None:
        """The connection is gone."""
        self._lost = reason
        self._screen.end_input()

    # The dialogue

    async def _hold(self) -> int:
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
                    await self._arrive(self._name)
                while not self._leaving:
                    await self._listen()
            except EndOfInput:
                pass
            await self._connection.settled()
            await self._connection.leave()
        except Disconnected:
            pass
        finally:
            self._connection.drop()
        if self._lost is not None:
            if self._lost:
                self._screen.show_error(self._lost)
            if self._unacknowledged:
                self._screen.show_error(
                    f"{_messages(self._unacknowledged)} not acknowledged: perhaps not sent."
                )
            self._screen.show_error("Disconnected from server ... exiting!")
            return FAILED
        return FAILED if self._refused and not self._screen.interactive else SUCCESS

    async def _arrive(self, name: str) -> None:
        """Log in as the name that was given at the start."""
        connection = self._connection
        try:
            try:
                await self._enter(connection.login, name)
            except Refused as refusal:
                if str(refusal) != _UNKNOWN:
                    raise
                self._screen.show(f"CREATING NEW ID: {name}")
                password = self._password
                if password is None and self._screen.interactive:
                    password = await self._choose_password()
                if password is None:
                    await self._enter(connection.create, name)
                else:
                    await connection.create(name, password)
        except Refused as refusal:
            self._refuse(_taken(str(refusal)))
            self._leaving = not self._screen.interactive
        else:
            self._screen.note(f"Logged in as: {name}")
            self._screen.note(commands.menu(True))

    async def _enter(self, entrance: Entrance, name: str) -> None:
        """Log in or create; with a password only if the account wants one."""
        try:
            return await entrance(name, None)
        except Refused as refusal:
            if not str(refusal).startswith(_PASSWORD_REQUIRED):
                raise
        password = self._password
        if self._screen.interactive:
            self._password = None  # a person who is refused with it wants to type another one
        if password is not None:
            return await entrance(name, password)
        if not self._screen.interactive:
            raise Refused(
                f"password required: put the password of {name} into the environment variable"
                " CHATD_PASSWORD, or name a file that holds it with --password-file"
            )
        for left in reversed(range(TRIES)):
            password = await self._screen.ask("Password: ", hidden=True)
            try:
                return await entrance(name, password)
            except Refused as refusal:
                if not (left and str(refusal).startswith(_WRONG_PASSWORD)):
                    raise
                self._refuse(str(refusal))

    async def _choose_password(self) -> str | None:
        """A password for a new account, typed twice; None: it will be open."""
        while True:
            password = await self._screen.ask("Password (empty: anyone can log in): ", hidden=True)
            if not password:
                return None
            if await self._screen.ask("Password again: ", hidden=True) == password:
                return password
            self._screen.note("These were two different passwords. Try again.")

    async def _listen(self) -> None:
        """One command, and what it leads to."""
        logged_in = bool(self._connection.name)
        if not logged_in:
            self._screen.note(commands.menu(False))
        line = await self._screen.ask("> ", complete=self._complete)
        if not line.strip():
            return
        command, rest = commands.parse(line, logged_in)
        if command is None:
            self._invalid(line, logged_in)
        elif command is commands.MESSAGE:
            await self._message(*commands.split(rest))
        elif command is commands.LIST and line.lstrip().startswith("/"):
            await self._list(rest)
        elif (
            command is commands.DELETE
            and line.lstrip().startswith("/")
            and not self._screen.interactive
        ):
            await self._delete()
        else:
            await self._obey(command)

    async def _obey(self, command: Command) -> None:
        try:
            await self._deeds[command]()
        except Refused as refusal:
            self._refuse(_server_error(refusal))

    def _invalid(self, line: str, logged_in: bool) -> None:
        self._refuse(
            "(invalid command)" if self._screen.interactive else f"(invalid command) {line}"
        )
        if commands.parse(line, not logged_in)[0]:
            name = self._connection.name
            self._screen.note(
                f"You are logged in as {name} already."
                if name
                else "That needs an account: log in first."
            )
        elif logged_in:
            self._screen.note("Type /msg USER TEXT to send a message, help to see all commands.")

    async def _login(self) -> None:
        await self._sign_in(self._connection.login)

    async def _create(self) -> None:
        await self._sign_in(self._connection.create)

    async def _sign_in(self, entrance: Entrance) -> None:
        name = (await self._screen.ask("Username: ")).strip()
        try:
            await self._enter(entrance, name)
        except Refused as refusal:
            self._refuse(_taken(str(refusal)))
        else:
            self._screen.show(f"Logged in as: {name}")
            self._screen.note(commands.menu(True))

    async def _help(self) -> None:
        for line in commands.help_lines(bool(self._connection.name)):
            self._screen.show(line)

    async def _compose(self) -> None:
        recipient = (await self._screen.ask("Recipient: ", complete=self._complete_name)).strip()
        text = await self._screen.ask("Message: ")
        if await self._agreed("Send? (y/n): "):
            await self._send(recipient, text)
        else:
            self._screen.note("Not sent.")

    async def _message(self, recipient: str, text: str) -> None:
        if recipient and text:
            await self._send(recipient, text)
        else:
            self._refuse(f"Nothing was sent. Type it like this: {commands.MESSAGE.usage}")

    async def _send(self, recipient: str, text: str) -> None:
        """Send without waiting for the acknowledgement, unless too many are under way."""

        def stored(_: object) -> None:
            self._names.add(recipient)
            self._screen.show_sent(recipient, text)

        def failed(failure: Failure) -> None:
            if failure.check(Disconnected):
                self._unacknowledged += 1
            else:
                failure.trap(Refused)
                self._refuse(_server_error(failure.value))

        self._connection.send(recipient, text).addCallbacks(stored, failed)
        if self._connection.outstanding >= WINDOW:
            await self._connection.settled()

    async def _ask_pattern(self) -> None:
        await self._list(await self._screen.ask("Search pattern (optional): "))

    async def _list(self, pattern: str) -> None:
        try:
            names = await self._connection.list(pattern.strip() or "*")
        except Refused as refusal:
            self._refuse(_server_error(refusal))
            return
        self._names.update(names)
        self._screen.show("Accounts:")
        for name in names:
            self._screen.show("\t" + name)

    async def _get(self) -> None:
        if not await self._connection.deliver():
            self._screen.note("No new messages.")

    async def _confirm_delete(self) -> None:
        if await self._agreed("Confirm account deletion? (y/n): "):
            await self._delete()
        else:
            self._screen.note("Not deleted.")

    async def _delete(self) -> None:
        await self._connection.delete()
        self._screen.show(f"Account deleted: {self._connection.name}")
        self._leaving = True

    async def _leave(self) -> None:
        self._leaving = True

    async def _agreed(self, question: str) -> bool:
        return (await self._screen.ask(question)).strip().lower() in ("y", "yes")

    def _refuse(self, sentence: str) -> None:
        self._refused = True
        self._screen.show_error(sentence)

    def _complete(self, text: str) -> list[str]:
        return commands.complete(text, bool(self._connection.name), self._names)

    def _complete_name(self, text: str) -> list[str]:
        return commands.complete_name(text, self._names)


def _taken(refusal: str) -> str:
    return "Username is taken." if refusal == _TAKEN else refusal


def _server_error(refusal: BaseException | None) -> str:
    return str(refusal) if isinstance(refusal, Unsendable) else f"Server error: {refusal}"


def _messages(count: int) -> str:
    return "1 message was" if count == 1 else f"{count} messages were"
