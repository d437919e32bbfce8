"""What commands may do in a chat: the implementation of `CommandContext`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from chatd.client.cli.blocking import Blocking
from chatd.client.cli.commands.arguments import UsageProblem
from chatd.client.cli.commands.context import CommandContext, HistoryPosition
from chatd.client.cli.message_cache import CachedMessage, MessageCache
from chatd.client.cli.outbox import KeyedRequest, Outbox
from chatd.client.cli.output.output import Output
from chatd.client.cli.own_entries import accepted_here
from chatd.client.cli.screen import Screen
from chatd.client.cli.terminal.sanitize import one_line
from chatd.client.library.client import Client
from chatd.codecs import v1_messages as c
from chatd.core.errors import Fatal, Refused
from chatd.core.names import is_mailbox, is_room


class ChatContext(CommandContext):
    """The state that commands share, and the requests they send.

    `expect` is called with log and seq of each entry that the server is known to push.
    """

    def __init__(
        self,
        screen: Screen,
        output: Output,
        cache: MessageCache,
        client: Client,
        password: str | None,
        clock: IReactorTime,
        address: str,
        expect: Callable[[str, int], None],
        new_password: str | None = None,
    ) -> None:
        self.screen = screen
        self.output = output
        self.cache = cache
        self.client = client
        self.password = password
        self.new_password = new_password
        self.clock = clock
        self.address = address
        self.blocking = Blocking()
        self.away_text = None
        self.history_position: HistoryPosition | None = None
        self.outbox = Outbox(self._accepted, self.show_refusal)
        self.quitting = False
        """whether a command has ended the chat"""
        self.any_refused = False
        """whether any request was refused"""
        self._expect = expect
        self._target = ""

    @property
    def target(self) -> str:
        """The room or account that messages are sent to; empty: none."""
        return self._target

    def set_target(self, target: str) -> None:
        """See `CommandContext.set_target`. A room's members are requested, to complete names, if
        the client may ask for them."""
        self._target = self.cache.display_name(target)
        if not target:
            return
        in_room = is_room(target)
        self.output.note(f"Now talking {'in' if in_room else 'to'} {self._target}.")
        if in_room and self.screen.interactive and not self.client.scopes:
            self.request_in_background(c.FindMembers(0, target), self._add_members)

    def _add_members(self, answer: c.Members) -> None:
        self.cache.add_names(*(member.name for member in answer.members))

    async def request(self, request: Any) -> Any:
        """See `CommandContext.request`."""
        answer = await self.client.request(request)
        if isinstance(request, c.Block):
            self.blocking.apply(request)
        return answer

    async def request_and_show(self, request: Any, sentence: str = "") -> Any:
        """See `CommandContext.request_and_show`."""
        answer = await self.request(request)
        self.output.answer(request, answer, sentence)
        return answer

    def request_in_background(
        self, request: Any, on_answer: Callable[[Any], object] = bool
    ) -> None:
        """Send a request whose failure does not matter; call `on_answer` with its answer."""
        if self.client.connected:
            asking = Deferred.fromCoroutine(self.client.request(request)).addCallback(on_answer)
            asking.addErrback(lambda failure: failure.trap(Refused, Fatal))

    async def enter_room(self, request: c.Join | c.CreateRoom) -> c.RoomState:
        """See `CommandContext.enter_room`."""
        followed = request.room.lower() in self.client.logs
        answer: c.RoomState = await self.client.request(request)
        if not followed:  # The server pushes an entry of the kind ``join``.
            self._expect(answer.state.log, answer.state.head + 1)
        return answer

    async def send(self, target: str, text: str) -> None:
        """See `CommandContext.send`."""
        if not target:
            raise UsageProblem("No room or account is selected: use /join #ROOM or /to NAME first.")
        await self.post(c.Send(0, target, text))

    async def post(
        self, request: KeyedRequest, about: CachedMessage | None = None, ref: int = 0
    ) -> None:
        """See `CommandContext.post`. `ref` is the number that a program gave the request."""
        if not self.client.connected:
            self.output.note("Not connected: the message will be sent after reconnecting.")
        self.outbox.post(self.client, request, about, ref)
        await self.outbox.when_not_full()

    def _accepted(
        self, request: KeyedRequest, answer: c.Accepted, about: CachedMessage | None, ref: int
    ) -> None:
        if answer.log in self.client.logs:
            self._expect(answer.log, answer.seq)
        entry = None
        # A session with scopes may send to a room that it does not read.
        scoped = bool(self.client.scopes) and answer.log not in self.client.logs
        if scoped or (is_mailbox(answer.log) and answer.log != self.cache.mailbox):
            if isinstance(request, c.Send) and not self.cache.has_name(request.recipient):
                self.cache.add_names(request.recipient)
            entry = accepted_here(request, answer, about, self.client.name)
        self.output.accepted(request, answer, entry, ref)
        if entry is not None:
            self.cache.add(entry)

    def show_refusal(self, error: Refused | Fatal, request: Any = None, ref: int = 0) -> None:
        """Print why a request failed, and remember that one did."""
        self.any_refused = True
        self.output.error(error.code, str(error), request, ref)

    async def confirm(self, question: str) -> bool:
        """See `CommandContext.confirm`."""
        if not self.screen.interactive:
            return True
        return (await self.screen.ask(one_line(question))).strip().lower() in ("y", "yes")

    def quit(self) -> None:
        """See `CommandContext.quit`."""
        self.quitting = True
