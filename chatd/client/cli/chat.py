"""The dialogue: lines become messages and commands, answers and events are told. No bytes, no
keys."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from chatd.client.cli.blocking import Blocking
from chatd.client.cli.commands import Misused
from chatd.client.cli.commands import table as slash
from chatd.client.cli.commands.messages import Shown
from chatd.client.cli.event_pump import Hearing
from chatd.client.cli.exit_status import FAILED, SUCCESS
from chatd.client.cli.login import Arrival, NotThere
from chatd.client.cli.message_cache import Said, Seen, conversation
from chatd.client.cli.outbox import Keyed, Outbox
from chatd.client.cli.output import jsonlines
from chatd.client.cli.output.output import Output
from chatd.client.cli.output.plain import sent, stored
from chatd.client.cli.screen import EndOfInput, Screen
from chatd.client.cli.terminal.sanitize import one_line
from chatd.client.cli.typing_and_receipts import Reading, Typist, Typists
from chatd.client.library.client import Client
from chatd.client.library.events import Connected, Event
from chatd.codecs import v1_messages as c
from chatd.core.errors import ChatdError, Fatal, Refused

LOBBY = "#lobby"
LEAVE_TIME = 5.0
"""seconds that a person who leaves waits for answers"""
PATIENCE = 60.0
"""seconds that a script, at the end of its input, waits for the answers it is owed"""


class Chat:
    """One person's, or one script's, dealings with a server at `address`, from logging in to
    leaving."""

    def __init__(
        self,
        screen: Screen,
        output: Output,
        seen: Seen,
        arrival: Arrival,
        clock: IReactorTime,
        address: str,
    ) -> None:
        self.screen = screen
        self.output = output
        self.seen = seen
        self.arrival = arrival
        self.clock = clock
        self.address = address
        self.client: Client
        self.target = ""
        """the room, or whom, plain text goes to; empty: nobody"""
        self.shown: Shown | None = None
        """what the latest line, if it was /history, has shown"""
        self.away: str | None = None
        """what we said about being away; None: we are not"""
        self.blocking = Blocking()
        # What came in rooms before it is known whom we block. Other events are not held up, for the
        # answer may be behind more of them than the library takes ahead.
        self._held: list[c.Pushed] | None = []
        self._talk: Deferred[int]
        self._hearing: Hearing
        self._outbox = Outbox(self._accepted, self._refuse)
        self._typist = Typist(self.tell, clock)
        self._typists = Typists(self._reprompt, clock)
        self._reading = Reading(self.tell, clock)
        self._leaving = False
        self._refused = False
        self._over: BaseException | None = None
        self._interrupted: tuple[int, str] | None = None

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
            self.screen.show_error(sentence)
        return status

    # From beginning to end

    async def _hold(self) -> int:
        try:
            self.client = await self.arrival.enter()
        except EndOfInput:
            return SUCCESS
        except (Refused, NotThere) as error:
            if self._interrupted is None:
                self.output.refuse(error.code, str(error))
            return FAILED
        try:
            await self._settle_in()
            while not self._leaving:
                await self._listen()
        except EndOfInput:
            pass
        except CancelledError:
            if self._interrupted is None:
                raise
        await self._depart()
        if isinstance(self._over, ChatdError):
            self.output.refuse(self._over.code, str(self._over))
        elif self._over is not None:
            raise self._over
        if self._outbox.lost:
            many = self._outbox.lost
            were = "1 message was" if many == 1 else f"{many} messages were"
            self.output.refuse("disconnected", f"{were} not acknowledged: perhaps not sent.")
        if self._over is not None or self._outbox.lost:
            return FAILED
        return FAILED if self._refused and not self.screen.interactive else SUCCESS

    async def _settle_in(self) -> None:
        client = self.client
        self.seen.name = client.name
        self.seen.met(client.name, LOBBY, *(info.room for info in client.rooms.values()))
        self._hearing = Hearing(client, self._told, self.clock)
        self.screen.throttle(self._hearing)
        self.output.entered(client.welcome, client.name, list(client.logs))
        Deferred.fromCoroutine(self._hearing.run()).addErrback(self._no_more)
        with suppress(Refused, Fatal):  # It is asked again when the connection is there again.
            self._learned_blocked(await client.request(c.GetBlocked(0)))
        held, self._held = self._held, None
        for entry in held or ():
            self._entry(entry)
        try:
            if LOBBY not in client.logs:
                await self.enter(c.Join(0, LOBBY))
            self.turn_to(LOBBY)
        except (Refused, Fatal) as error:
            self._refuse(error)

    def _learned_blocked(self, answer: c.Names) -> None:
        self.blocking.learned(answer.names)

    def _no_more(self, failure: Failure) -> None:
        """There will be no connection any more."""
        self._over = failure.value
        self.screen.end_input()

    async def _depart(self) -> None:
        """Take and give what is owed, and go; at once if that was wanted."""
        interactive = self.screen.interactive
        if self._interrupted is None and self._over is None:
            try:
                if not interactive or self.client.connected:
                    patience = LEAVE_TIME if interactive else PATIENCE
                    await self._outbox.settled().addTimeout(patience, self.clock)
                if not interactive:
                    await self._hearing.drained()
            except (TimeoutError, CancelledError):
                pass  # What is still under way will be told.
        self._hearing.stop()
        self._reading.now()
        self._typists.stop()
        await self.client.close()

    # Lines

    async def _listen(self) -> None:
        """One line, and what it leads to."""
        line = await self.screen.compose(self._prompt(), self)
        self._typist.sent()
        if not line.strip():
            return
        shown, self.shown = self.shown, None
        try:
            if self.output.programmatic and line.lstrip().startswith("{"):
                await self._programmed(line)
            elif line.startswith("/") and not line.startswith("//"):
                command, rest = slash.parse(line)
                if command.waits and (self.client.connected or not self.screen.interactive):
                    await self._outbox.settled()
                self.shown = shown if command.name == "history" else None
                await slash.carry_out(self, command, rest)
            else:
                await self.say(self.target, line.removeprefix("/"))
        except (Refused, Fatal) as error:
            self._refuse(error)

    async def _programmed(self, line: str) -> None:
        """A request as JSON."""
        request, ref = jsonlines.read(line)
        try:
            if isinstance(request, Keyed):
                await self.post(request, ref=ref)
            elif isinstance(request, c.LogOut):
                self.leave()
            else:
                self.output.answer(request, await self.request(request), ref=ref)
        except (Refused, Fatal) as error:
            self._refuse(error, request, ref)

    # What commands do

    async def request(self, request: Any) -> Any:
        """The answer to a request. Raises `Refused`, `Fatal`."""
        answer = await self.client.request(request)
        if isinstance(request, c.Block):
            self.blocking.changed(request)
        return answer

    async def ask(self, request: Any, sentence: str = "") -> Any:
        """The same, and it is told; `sentence` says to people what that means."""
        answer = await self.request(request)
        self.output.answer(request, answer, sentence)
        return answer

    async def enter(self, request: c.Join | c.CreateRoom) -> c.RoomState:
        """The same, for becoming a member; an entry tells of that."""
        followed = request.room.lower() in self.client.logs
        answer: c.RoomState = await self.client.request(request)
        if not followed:
            self._hearing.expect(answer.state.log, answer.state.head + 1)
        return answer

    def tell(self, request: Any, then: Callable[[Any], object] = bool) -> None:
        """Ask for something without which things go on as well; with its answer, call `then`."""
        if self.client.connected:
            asking = Deferred.fromCoroutine(self.client.request(request)).addCallback(then)
            asking.addErrback(lambda failure: failure.trap(Refused, Fatal))

    async def say(self, target: str, text: str) -> None:
        """Send a text, without waiting for what becomes of it unless too many are under way."""
        if not target:
            raise Misused("You are talking to nobody: /join #ROOM or /to NAME first.")
        await self.post(c.Send(0, target, text))

    async def post(self, message: Keyed, about: Said | None = None, ref: int = 0) -> None:
        """The same for any message; `about`: the text that it changes."""
        longest = self.client.welcome.limits.text
        if (
            isinstance(message, c.Send | c.Edit)
            and len(message.text.encode("utf-8", "replace")) > longest
        ):
            raise Misused(f"That is too long: this server takes texts of {longest} bytes.")
        if not self.client.connected:
            self.output.note("There is no connection now; this is sent when it is back.")
        self._outbox.post(self.client, message, about, ref)
        await self._outbox.room()

    def turn_to(self, target: str) -> None:
        """Talk there from now on; empty: nowhere."""
        self.target = self.seen.written(target)
        if not target:
            return
        self.output.note(
            f"You are talking {'in' if target.startswith('#') else 'to'} {self.target}."
        )
        if target.startswith("#") and self.screen.interactive:
            members = c.FindMembers(0, target)
            self.tell(
                members, lambda answer: self.seen.met(*(each.name for each in answer.members))
            )

    async def agreed(self, question: str) -> bool:
        """Whether a person agrees; a script means what it says."""
        if not self.screen.interactive:
            return True
        return (await self.screen.ask(one_line(question))).strip().lower() in ("y", "yes")

    def leave(self) -> None:
        """This was the last line."""
        self._leaving = True

    # Answers

    def _accepted(self, message: Keyed, answer: c.Accepted, about: Said | None, ref: int) -> None:
        if answer.log in self.client.logs:
            self._hearing.expect(answer.log, answer.seq)
        entry = None
        if answer.log.startswith("@") and answer.log != self.seen.inbox:
            if isinstance(message, c.Send) and not self.seen.knows(message.recipient):
                self.seen.met(message.recipient)
            entry = stored(message, answer, about, self.client.name)
        self.output.accepted(message, answer, entry, ref)
        if entry is not None:
            self.seen.entry(entry)

    def _refuse(self, error: Refused | Fatal, request: Any = None, ref: int = 0) -> None:
        self._refused = True
        self.output.refuse(error.code, str(error), request, ref)

    # Events

    def _told(self, event: Event) -> None:
        match event:
            case c.Pushed() if self._held is not None and event.log.startswith("#"):
                self._held.append(event)
            case c.Pushed():
                self._entry(event)
            case c.Sent():
                self.output.entry(event)
                self.seen.entry(sent(event, self.client.name))
            case c.Typing(log, name, typing):
                if name not in self.blocking:
                    self._typists.told(
                        log if log.startswith("#") else conversation(name), name, typing
                    )
                    self.output.event(event)
            case c.Left(room):
                self.output.event(event)
                if self.target.lower() == room.lower():
                    self.turn_to(
                        LOBBY if LOBBY in self.client.logs and room.lower() != LOBBY else ""
                    )
                    self._reprompt()
            case _:
                if isinstance(event, c.Joined) and event.state.room is not None:
                    self.seen.met(event.state.room.room)
                elif isinstance(event, Connected):
                    self.tell(c.GetBlocked(0), self._learned_blocked)
                self.output.event(event)

    def _entry(self, entry: c.Pushed) -> None:
        if not self.blocking.hides(entry):
            self.output.entry(entry)
            self.seen.entry(entry)
        if entry.kind == "text":
            place = entry.log if entry.log.startswith("#") else conversation(entry.sender)
            self._typists.told(place, entry.sender, False)
        if self.screen.interactive:
            self._reading.read(entry.log, entry.seq)

    # The line being typed

    def _prompt(self) -> str:
        names = [one_line(name) for name in self._typists.names(conversation(self.target))]
        who = ", ".join(names) + " " if self.target.startswith("#") else ""
        return one_line(self.target) + (f" ({who}writing)" if names else "") + "> "

    def _reprompt(self) -> None:
        self.screen.set_prompt(self._prompt())

    def complete(self, text: str) -> list[str]:
        """See `chatd.client.cli.screen.Composer`."""
        return slash.complete(text, self.seen.names)

    def text_changed(self, text: str) -> None:
        """See `chatd.client.cli.screen.Composer`."""
        self._typist.typed(text, self.target)

    def stays_on_screen(self, line: str) -> bool:
        """See `chatd.client.cli.screen.Composer`: what is said comes back as others see it."""
        return line.startswith("/") and not line.startswith(("//", "/msg ", "/m ", "/w "))
