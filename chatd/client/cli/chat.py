"""The chat: logs in, turns each line of the input into a message or a command, and ends."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from chatd.client.cli.chat_context import ChatContext
from chatd.client.cli.commands import table
from chatd.client.cli.commands.arguments import UsageProblem
from chatd.client.cli.commands.sending import send_targets
from chatd.client.cli.composer import ChatComposer
from chatd.client.cli.dialogue import Dialogue
from chatd.client.cli.event_pump import EventPump
from chatd.client.cli.events import EventHandler
from chatd.client.cli.exit_status import FAILED, SUCCESS
from chatd.client.cli.login import Login, NoServer
from chatd.client.cli.message_cache import MessageCache
from chatd.client.cli.outbox import KeyedRequest
from chatd.client.cli.output import jsonlines, wording
from chatd.client.cli.output.output import Output
from chatd.client.cli.receipts import ReadMarkers
from chatd.client.cli.screen import EndOfInput, InvalidLine, Screen
from chatd.client.library.client import Client
from chatd.client.library.events import Connected, Event
from chatd.codecs import v1_messages as c
from chatd.core.errors import ChatdError, Fatal, Refused
from chatd.core.names import LOBBY

PERSON_TIMEOUT = 5.0
"""seconds that the client waits for outstanding answers when a person quits"""
SCRIPT_TIMEOUT = 60.0
"""seconds that the client waits for outstanding answers at the end of a script"""


class Chat(Dialogue):
    """One run of the client, for a person, a script or a program, with the server at `address`.

    `new_password` is what the command ``/passwd`` of a script changes the password to. A line that
    is one of `secrets` is not sent, as one that is a password.
    """

    def __init__(
        self,
        screen: Screen,
        output: Output,
        cache: MessageCache,
        login: Login,
        clock: IReactorTime,
        address: str,
        new_password: str | None = None,
        secrets: Iterable[str | None] = (),
    ) -> None:
        super().__init__(screen)
        self._output = output
        self._cache = cache
        self._login = login
        self._clock = clock
        self._address = address
        self._new_password = new_password
        self._passwords: set[str | None] = set(secrets)
        self._connection_error: BaseException | None = None
        # The following are set after the login.
        self._client: Client
        self._context: ChatContext
        self._composer: ChatComposer
        self._event_pump: EventPump
        self._event_handler: EventHandler
        self._read_markers: ReadMarkers

    # Life cycle

    async def _run(self) -> int:
        """Log in, handle lines and events, close; returns the exit status."""
        try:
            self._client = await self._login.run()
        except EndOfInput:
            return SUCCESS
        except (Refused, NoServer) as error:
            if self._interrupted is None:
                self._output.error(error.code, str(error))
            return FAILED
        self._assemble()
        try:
            await self._begin()
            while not self._context.quitting:
                await self._handle_line()
        except EndOfInput:
            pass
        except CancelledError:
            if self._interrupted is None:
                raise
        await self._end()
        return self._exit_status()

    def _assemble(self) -> None:
        """Create the parts that need a client that is logged in."""
        self._cache.account = self._client.name
        self._event_pump = EventPump(
            self._client, self._handle_event, self._screen.written, self._clock
        )
        self._context = ChatContext(
            self._screen,
            self._output,
            self._cache,
            self._client,
            self._login.password,
            self._clock,
            self._address,
            self._event_pump.expect,
            self._new_password,
        )
        self._composer = ChatComposer(self._context)
        self._read_markers = ReadMarkers(self._context.request_in_background, self._clock)
        self._event_handler = EventHandler(
            self._output,
            self._cache,
            self._context.blocking,
            self._composer.typing_accounts,
            self._mark_read,
        )

    async def _begin(self) -> None:
        """Start to handle events, and join the lobby."""
        client, context = self._client, self._context
        self._cache.add_names(client.name, LOBBY, *(info.room for info in client.rooms.values()))
        self._output.logged_in(client.welcome, client.name, list(client.logs))
        if client.credentials_changed:
            self._output.note(wording.credentials_changed(client.credentials_changed))
        # No event is handled before it is known which accounts are blocked. A token with a scope
        # does not permit to ask.
        if not client.scopes:
            with suppress(Refused, Fatal):  # The request is repeated after a reconnection.
                self._set_blocked(await client.request(c.GetBlocked(0)))
        Deferred.fromCoroutine(self._event_pump.run()).addErrback(self._disconnected_for_good)
        if client.scopes:
            targets = send_targets(client.scopes)
            context.set_target(targets[0] if len(targets) == 1 else "")
            return
        try:
            if LOBBY not in client.logs:
                await context.enter_room(c.Join(0, LOBBY))
            context.set_target(LOBBY)
        except (Refused, Fatal) as error:
            context.show_refusal(error)

    def _disconnected_for_good(self, failure: Failure) -> None:
        self._connection_error = failure.value
        self._screen.end_input()

    async def _end(self) -> None:
        """Wait for outstanding answers and entries, unless interrupted, and close the client."""
        interactive = self._screen.interactive
        if self._interrupted is None and self._connection_error is None:
            try:
                if not interactive or self._client.connected:
                    timeout = PERSON_TIMEOUT if interactive else SCRIPT_TIMEOUT
                    await self._context.outbox.when_empty().addTimeout(timeout, self._clock)
                if not interactive:
                    await self._event_pump.drain()
            except (TimeoutError, CancelledError):
                pass  # `_exit_status` reports the messages without an answer.
        self._event_pump.stop()
        self._read_markers.flush()
        self._composer.typing_accounts.stop()
        await self._client.close()

    def _exit_status(self) -> int:
        """Print what has failed at the end; raises an error that is not one of chatd's."""
        if isinstance(self._connection_error, ChatdError):
            self._output.error(self._connection_error.code, str(self._connection_error))
        elif self._connection_error is not None:
            raise self._connection_error
        lost = self._context.outbox.lost
        if lost:
            messages = "1 message was" if lost == 1 else f"{lost} messages were"
            sentence = f"{messages} not acknowledged and may not have been sent."
            self._output.error("disconnected", sentence)
        if self._connection_error is not None or lost:
            return FAILED
        return FAILED if self._context.any_refused and not self._screen.interactive else SUCCESS

    # Lines of the input

    async def _handle_line(self) -> None:
        """Read one line, and send it as a message or carry it out."""
        context = self._context
        self._passwords |= {context.password, context.new_password}
        try:
            line = await self._screen.compose(self._composer.prompt(), self._composer)
        except InvalidLine as error:
            context.show_refusal(error)
            return
        self._composer.typing_notifier.line_entered()
        if not line.strip():
            return
        position, context.history_position = context.history_position, None
        try:
            if self._output.accepts_requests and line.lstrip().startswith("{"):
                await self._handle_json(line)
            elif line.startswith("/") and not line.startswith("//"):
                command, arguments = table.parse(line)
                if command.waits and (self._client.connected or not self._screen.interactive):
                    await context.outbox.when_empty()
                if command.name == "history":
                    context.history_position = position
                await table.run(context, command, arguments)
            elif line.strip() in self._passwords:
                raise UsageProblem(
                    "This line is a password or token of the account. It was not sent."
                )
            else:
                await context.send(context.target, line.removeprefix("/"))
        except (Refused, Fatal) as error:
            context.show_refusal(error)

    async def _handle_json(self, line: str) -> None:
        """Carry out a request that a program has written as JSON."""
        request, ref = jsonlines.read(line)
        context = self._context
        try:
            if isinstance(request, KeyedRequest):
                await context.post(request, ref=ref)
            elif isinstance(request, c.LogOut):
                context.quit()
            else:
                self._output.answer(request, await context.request(request), ref=ref)
        except (Refused, Fatal) as error:
            context.show_refusal(error, request, ref)

    # Events

    def _handle_event(self, event: Event) -> None:
        self._event_handler.handle(event)
        context = self._context
        if isinstance(event, Connected) and not self._client.scopes:
            context.request_in_background(c.GetBlocked(0), self._set_blocked)
        elif isinstance(event, c.Left) and context.target.lower() == event.room.lower():
            to_lobby = LOBBY in self._client.logs and event.room.lower() != LOBBY
            context.set_target(LOBBY if to_lobby else "")
            self._composer.update_prompt()

    def _set_blocked(self, answer: c.Names) -> None:
        self._context.blocking.set_names(answer.names)

    def _mark_read(self, log: str, seq: int) -> None:
        """Mark an entry as read if it was shown to a person."""
        if self._screen.interactive:
            self._read_markers.mark(log, seq)
