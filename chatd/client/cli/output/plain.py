"""The output for people, and for scripts that read plain lines: sentences on a screen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo
from typing import Any

import msgspec
from twisted.internet.interfaces import IReactorTime

from chatd.client.cli.message_cache import MessageCache
from chatd.client.cli.output import wording
from chatd.client.cli.output.style import DIM, Span, StyledLine
from chatd.client.cli.own_entries import sent_elsewhere
from chatd.client.cli.receipts import ReceiptSummary
from chatd.client.cli.screen import Screen
from chatd.client.library.errors import ConnectionClosed
from chatd.client.library.events import Connected, Disconnected, Event, Retrying
from chatd.codecs import v1_messages as c
from chatd.core.names import is_mailbox


class PlainOutput:
    """Prints sentences on `screen`.

    `times`: each line begins with the time of day, and a separate line is printed when the date
    changes. `clock` measures spans. `now` gives the time in milliseconds since 1970 (UTC). `zone`
    is the time zone, None: local.
    """

    accepts_requests = False

    def __init__(
        self,
        screen: Screen,
        cache: MessageCache,
        clock: IReactorTime,
        now: Callable[[], int],
        *,
        times: bool,
        zone: tzinfo | None = None,
    ) -> None:
        self._screen = screen
        self._cache = cache
        self._now = now
        self._times = times
        self._zone = zone
        self._date = wording.date(now(), zone)
        self._receipts = ReceiptSummary(self._show_receipts, clock)
        self._connection_lost = False
        self._retrying = False
        self._goodbye = ""

    def logged_in(self, welcome: c.Welcome, name: str, logs: Sequence[str]) -> None:
        """Print the name of the account."""
        self._screen.note(f"Logged in as {name}. /help lists the commands.")

    def entry(self, entry: c.Pushed | c.Sent) -> None:
        """Print an entry."""
        if isinstance(entry, c.Sent):
            entry = sent_elsewhere(entry, self._cache.account)
        self._show_entry(entry)

    def event(self, event: Event) -> None:
        """Print an event; of several failed attempts to reconnect or to send, only the first."""
        if isinstance(event, c.Receipt):
            self._add_receipt(event)
            return
        repeated = False
        match event:
            case Connected() | Disconnected():
                lost = isinstance(event, Disconnected)
                repeated = lost and self._connection_lost
                self._connection_lost = lost
            case c.Goodbye(sentence=sentence):
                self._goodbye = sentence
            case Retrying():
                repeated, self._retrying = self._retrying, True
        line = wording.event(event, self._cache)
        if line is not None and not repeated:
            self.show(line)

    def _add_receipt(self, receipt: c.Receipt) -> None:
        """Collect receipts of messages; the delivery of edits and reactions is not shown."""
        if is_mailbox(receipt.log) and receipt.log != self._cache.mailbox:
            messages = {message.seq for message in self._cache.messages(receipt.log)}
            seqs = [seq for seq in receipt.seqs if receipt.what == "read" or seq in messages]
            self._receipts.add(receipt.log, receipt.what, seqs)

    def _show_receipts(self, log: str, status: str, count: int) -> None:
        self.show(wording.receipt(log, status, count, self._cache))

    def show(self, line: StyledLine, time: int | None = None) -> None:
        """Print a line about an event at `time` (milliseconds since 1970; None: now)."""
        if self._times:
            time = self._now() if time is None else time
            date = wording.date(time, self._zone)
            if date != self._date:
                self._date = date
                heading = f"--- {wording.long_date(time, self._zone)} ---"
                self._screen.show_styled((Span(heading, DIM),))
            line = (Span(wording.time_of_day(time, self._zone) + " ", DIM), *line)
        self._screen.show_styled(line)

    def _show_entry(self, entry: c.Pushed) -> None:
        line = wording.entry(entry, self._cache, self._zone)
        if line is not None:
            self.show(line, entry.time)

    def accepted(
        self, request: c.Message, answer: c.Accepted, entry: c.Pushed | None, ref: int
    ) -> None:
        """Print the entry if it is not pushed to this session, as a private message."""
        self._retrying = False
        if entry is not None:
            self._show_entry(entry)

    def answer(
        self, request: c.Message, answer: c.Message, sentence: str = "", ref: int = 0
    ) -> None:
        """Print the items of an answer that is a list, and the sentence."""
        match answer:
            case c.Names(names=names):
                for name in names:
                    self._screen.show_styled((Span(name),))
            case c.Rooms(rooms=rooms):
                for info in rooms:
                    self._screen.show_styled(wording.room(info))
            case c.Restrictions(restrictions=restrictions):
                for restriction in restrictions:
                    self._screen.show_styled(wording.restriction(restriction, self._zone))
            case c.NewAccessToken(token=token):
                self._screen.show(token)
            case c.AccessTokens(tokens=tokens):
                for access_token in tokens:
                    self._screen.show(wording.access_token(access_token))
            case c.People(people=people):
                for person in people:
                    self._screen.show_styled(wording.person(person))
        if sentence:
            self._screen.note(sentence)

    def history(self, entries: Sequence[c.Pushed], more: bool) -> None:
        """Print messages with their latest text; edits and deletions are applied, not printed."""
        self._screen.note("--- earlier messages ---")
        for entry in entries:
            self._cache.add(entry)
        for entry in entries:
            message = self._cache.get(entry.about or entry.id)
            if message is None or entry.kind == "reaction":
                self._show_entry(entry)
            elif entry.kind == "text":
                self._show_entry(msgspec.structs.replace(entry, body=message.current_text))
        self._screen.note(
            "--- repeat /history for older messages ---" if more else "--- no older messages ---"
        )

    def members(
        self, room: str, members: Sequence[c.Member], people: Mapping[str, c.Person]
    ) -> None:
        """Print one line for each member."""
        for member in members:
            person = people.get(member.name.lower())
            self._screen.show_styled(wording.member(member, person))

    def receipts(self, texts: Sequence[tuple[c.ReceiptState, str]]) -> None:
        """Print one line for each message."""
        for state, text in texts:
            self._screen.show_styled((Span(wording.receipt_state(state, text)),))

    def line(self, text: str) -> None:
        """Print a line."""
        self._screen.show(text)

    def note(self, sentence: str) -> None:
        """Print a hint."""
        self._screen.note(sentence)

    def error(self, code: str, sentence: str, request: Any = None, ref: int = 0) -> None:
        """Print the sentence of an error; that of the server's last message is not repeated."""
        if code == ConnectionClosed.code and sentence == self._goodbye:
            sentence = "The server has ended this session."
        self._screen.show_error(sentence)
