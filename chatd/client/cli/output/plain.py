"""The output for people, and for scripts that read plain lines: everything in words, on a
screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any

import msgspec
from twisted.internet.interfaces import IReactorTime

from chatd.client.cli.message_cache import Said, Seen
from chatd.client.cli.outbox import Keyed
from chatd.client.cli.output import wording
from chatd.client.cli.output.style import DIM, Span, StyledLine
from chatd.client.cli.screen import Screen
from chatd.client.cli.typing_and_receipts import Receipts
from chatd.client.library.events import Connected, Disconnected, Event
from chatd.codecs import v1_messages as c


class Showing:
    """What the server tells, on `screen`. `times`: each line begins with the time of day, and a
    line tells when the day changes; `clock` tells the time, in seconds since 1970, `zone` is for
    tests."""

    programmatic = False

    def __init__(
        self,
        screen: Screen,
        seen: Seen,
        clock: IReactorTime,
        *,
        times: bool,
        zone: tzinfo | None = None,
    ) -> None:
        self._screen = screen
        self._seen = seen
        self._clock = clock
        self._times = times
        self._zone = zone
        self._day = wording.date(int(clock.seconds() * 1000), zone)
        self._receipts = Receipts(self._received, clock)
        self._lost = False

    def entered(self, welcome: c.Welcome, name: str, logs: Sequence[str]) -> None:
        """Logged in."""
        self._screen.note(f"Logged in as {name}. /help shows all commands.")

    def entry(self, entry: c.Pushed | c.Sent) -> None:
        """An entry came."""
        self._entry(sent(entry, self._seen.name) if isinstance(entry, c.Sent) else entry)

    def event(self, event: Event) -> None:
        """Anything else happened."""
        if isinstance(event, c.Receipt):
            self._receipt(event)
            return
        again = isinstance(event, Disconnected) and self._lost
        if isinstance(event, Connected | Disconnected):
            self._lost = isinstance(event, Disconnected)
        line = wording.event(event, self._seen)
        if line is not None and not again:
            self.put(line)

    def _receipt(self, receipt: c.Receipt) -> None:
        """Of texts of ours only: edits and reactions are delivered, too."""
        if receipt.log.startswith("@") and receipt.log != self._seen.inbox:
            texts = {said.seq for said in self._seen.said(receipt.log)}
            seqs = [seq for seq in receipt.seqs if receipt.what == "read" or seq in texts]
            self._receipts.came(receipt.log, receipt.what, seqs)

    def _received(self, log: str, what: str, count: int) -> None:
        self.put(wording.receipt(log, what, count, self._seen))

    def put(self, line: StyledLine, time: int | None = None) -> None:
        """Show a line about something that happened at `time` (milliseconds since 1970; None:
        now)."""
        if self._times:
            time = int(self._clock.seconds() * 1000) if time is None else time
            date = wording.date(time, self._zone)
            if date != self._day:
                self._day = date
                self._screen.show_styled((Span(f"--- {wording.day(time, self._zone)} ---", DIM),))
            line = (Span(wording.clock_time(time, self._zone) + " ", DIM), *line)
        self._screen.show_styled(line)

    def _entry(self, entry: c.Pushed) -> None:
        line = wording.entry(entry, self._seen)
        if line is not None:
            self.put(line, entry.time)

    def accepted(
        self, request: c.Message, answer: c.Accepted, entry: c.Pushed | None, ref: int
    ) -> None:
        """A message of ours is durable."""
        if entry is not None:
            self._entry(entry)

    def answer(
        self, request: c.Message, answer: c.Message, sentence: str = "", ref: int = 0
    ) -> None:
        """A request was answered."""
        match answer:
            case c.Names(names=names):
                for each in names:
                    self._screen.show_styled((Span(each),))
            case c.Rooms(rooms=rooms):
                for info in rooms:
                    self._screen.show_styled(wording.room(info))
            case c.People(people=people):
                for person in people:
                    self._screen.show_styled(wording.person(person))
        if sentence:
            self._screen.note(sentence)

    def history(self, entries: Sequence[c.Pushed], more: bool) -> None:
        """What was said earlier."""
        self._screen.note("--- earlier ---")
        for entry in entries:
            self._seen.entry(entry)
        for entry in entries:
            said = self._seen.by_id(entry.about or entry.id)
            if said is None or entry.kind == "reaction":
                self._entry(entry)
            elif entry.kind == "text":
                self._entry(msgspec.structs.replace(entry, body=said.now))
        self._screen.note(
            "--- /history again goes further back ---" if more else "--- that is all ---"
        )

    def members(
        self, room: str, members: Sequence[c.Member], people: Mapping[str, c.Person]
    ) -> None:
        """Who is in a room."""
        for each in members:
            self._screen.show_styled(wording.member(each, people.get(each.name.lower())))

    def states(self, texts: Sequence[tuple[c.ReceiptState, str]]) -> None:
        """What became of messages."""
        for state, text in texts:
            self._screen.show_styled((Span(wording.state(state, text)),))

    def line(self, text: str) -> None:
        """What was asked for."""
        self._screen.show(text)

    def note(self, sentence: str) -> None:
        """What only a person wants to know."""
        self._screen.note(sentence)

    def refuse(self, code: str, sentence: str, request: Any = None, ref: int = 0) -> None:
        """What went wrong."""
        self._screen.show_error(sentence)


def sent(entry: c.Sent, name: str) -> c.Pushed:
    """What another session of ours, whose account is `name`, has put into somebody's inbox."""
    return c.Pushed(
        entry.log, entry.seq, entry.id, entry.time, name, entry.kind, entry.body, entry.about
    )


def stored(message: Keyed, answer: c.Accepted, about: Said | None, name: str) -> c.Pushed:
    """What stands in somebody's inbox now that `message`, which is about a text perhaps, was
    accepted."""
    match message:
        case c.Send():
            kind, body = "text", message.text
        case c.Edit():
            kind, body = "edit", message.text
        case c.Retract():
            kind, body = "delete", ""
        case c.React():
            kind, body = "reaction", message.reaction
    number = about.id if about is not None else 0
    return c.Pushed(answer.log, answer.seq, answer.id, answer.time, name, kind, body, number)
