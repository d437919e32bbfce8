"""A client whose program handles entries more slowly than they are pushed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from chatd.client import Disconnected, Event, Pushed
from chatd.client.library.acknowledging import ACK_DELAY
from chatd.client.library.backoff import FIRST_DELAY
from chatd.client.library.events import MAX_OF_ONE_LOG, MAX_WAITING
from chatd.codecs import v1_messages as c
from tests.client.library.test_client import ClientCase


class CatchingUpTests(ClientCase):
    """A server with logs of many entries, whose history the client can request."""

    def setUp(self) -> None:
        super().setUp()
        self.logs: dict[str, list[c.Pushed]] = {"@ann": []}
        self.events_iterator: AsyncIterator[Event] = self.client.events()
        self.most_waiting = 0
        self.pages: list[c.Page] = []

    def join(self, *rooms: str) -> None:
        """Let the server tell that another session has joined rooms."""
        for room in rooms:
            self.logs[room] = []
            self.server.send(c.Joined(c.LogState(room, 5, 0, 0, 0)))

    def push(self, count: int, log: str = "@ann") -> None:
        """Append entries to a log and push them."""
        entries = self.logs[log]
        first = len(entries) + 1
        new = [self.server.entry(seq, log=log) for seq in range(first, first + count)]
        entries += new
        self.server.send(*new)

    def answer(self, count: int = 1000) -> c.History | None:
        """Answer the oldest request for a page of history, if there is one."""
        if not self.server.requests:
            return None
        request: c.History = self.server.requests.pop(0)
        entries = self.logs[request.log]
        page = entries[request.after : request.after + min(request.limit, count)]
        items = [
            c.Item(each.seq, each.id, each.time, each.sender, each.kind, each.body) for each in page
        ]
        more = bool(page) and page[-1].seq < len(entries)
        self.pages.append(c.Page(request.ref, request.log, items, more))
        self.server.send(self.pages[-1])
        return request

    def take(self) -> Any:
        """Handle the event before, and return the next one."""

        async def take() -> Any:
            return await anext(self.events_iterator)

        self.most_waiting = max(self.most_waiting, len(self.client._events))
        return self.successResultOf(self.start(take()))

    def take_entries(self, count: int) -> list[tuple[str, int]]:
        """Handle so many entries; requests for pages are answered meanwhile."""
        taken: list[tuple[str, int]] = []
        while len(taken) < count:
            event = self.take()
            if isinstance(event, Pushed):
                taken.append((event.log, event.seq))
            self.answer()
        return taken

    def test_every_entry_is_pushed_once_and_fetched_once(self) -> None:
        """The client neither logs in again nor requests an entry that it has."""
        self.push(5000)
        self.assertEqual(self.take_entries(5000), [("@ann", seq) for seq in range(1, 5001)])
        fetched = sum(len(page.entries) for page in self.pages)
        self.assertEqual(fetched, 5000 - MAX_OF_ONE_LOG)
        self.assertLessEqual(len(self.pages), 5000 // (MAX_OF_ONE_LOG // 2))
        self.assertEqual((len(self.server.logins), self.server.connections), (1, 1))
        self.push(1)
        self.assertEqual(self.take().seq, 5001)
        self.clock.advance(ACK_DELAY)
        self.assertEqual(self.server.acknowledged[-1], ("@ann", 5000))

    def test_logs_take_turns(self) -> None:
        """A room is not held up by a mailbox with many entries."""
        self.join("#den", "#hut")
        self.push(3000)
        self.push(600, "#den")
        self.push(600, "#hut")
        taken = self.take_entries(2100)
        for log in ("#den", "#hut"):
            seqs = [seq for name, seq in taken if name == log]
            self.assertEqual(seqs, list(range(1, 601)), log)

    def test_entries_that_wait_are_bounded(self) -> None:
        """Also while a page is on the way, and others are pushed."""
        rooms = [f"#r{number}" for number in range(8)]
        self.join(*rooms)
        for _ in rooms:
            self.take()
        for room in rooms:
            self.push(400, room)
        for _ in range(len(rooms) * 400 // 4):
            for _ in range(4):
                self.take()
            for room in rooms:
                self.push(1, room)
            self.answer()
        self.assertEqual(self.most_waiting, MAX_WAITING)

    def test_entries_that_are_pushed_meanwhile_are_received(self) -> None:
        """Whether the page was read before or after them."""
        for pushed_first in (True, False):
            self.setUp()
            self.push(MAX_OF_ONE_LOG + 10)
            for _ in range(MAX_OF_ONE_LOG):
                self.take()
            if pushed_first:
                self.push(5)
                self.answer(10)
            else:
                self.answer()
                self.push(5)
            taken = self.take_entries(15)
            self.assertEqual([seq for _, seq in taken], list(range(251, 266)))
            self.assertIsNone(self.answer())

    def test_page_of_a_room_that_was_left_is_ignored(self) -> None:
        """A room of that name that is joined later is another one, with entries of its own."""
        self.join("#den")
        self.push(MAX_OF_ONE_LOG + 10, "#den")
        for _ in range(MAX_OF_ONE_LOG + 1):
            self.take()
        self.server.send(c.Left("#den", "deleted"), c.Joined(c.LogState("#den", 6, 0, 0, 0)))
        self.answer()
        self.logs["#den"] = []
        self.push(1, "#den")
        events = [self.take() for _ in range(3)]
        self.assertEqual([type(event) for event in events], [c.Left, c.Joined, Pushed])
        self.assertEqual(events[-1].seq, 1)
        self.assertEqual(self.client.logs["#den"].received, 1)

    def test_busy_server_is_asked_again_later(self) -> None:
        """With growing delays."""
        self.push(MAX_OF_ONE_LOG + 1)
        for _ in range(MAX_OF_ONE_LOG):
            self.take()
        for number in range(2):
            request = self.server.requests.pop()
            self.server.send(c.Refusal(request.ref, "busy", "Later.", request.command))
            self.assertEqual(self.server.requests, [])
            self.clock.advance(FIRST_DELAY * 2**number)
        self.answer()
        self.assertEqual(self.take().seq, MAX_OF_ONE_LOG + 1)

    def test_another_refusal_and_an_impossible_page_end_the_connection(self) -> None:
        """The next login pushes what follows the entries received."""
        for refused in (True, False):
            self.setUp()
            self.push(MAX_OF_ONE_LOG + 1)
            for _ in range(MAX_OF_ONE_LOG):
                self.take()
            ref = self.server.requests.pop().ref
            self.server.send(
                c.Refusal(ref, "not-a-member", "No.") if refused else c.Page(ref, "@ann", [], True)
            )
            self.assertIsInstance(self.take(), Disconnected)
            self.server.state = [c.LogState("@ann", 1, MAX_OF_ONE_LOG + 1, 0, 0)]
            self.reconnect()
            self.assertEqual(self.server.logins[-1].positions[0].seq, MAX_OF_ONE_LOG)

    def test_nothing_is_fetched_after_the_end(self) -> None:
        """No timer is left either."""
        for drop in (True, False):
            self.setUp()
            self.push(MAX_OF_ONE_LOG + 1)
            for _ in range(MAX_OF_ONE_LOG):
                self.take()
            request = self.server.requests.pop()
            self.server.send(c.Refusal(request.ref, "busy", "Later.", request.command))
            if drop:
                self.client.drop()
            else:
                self.successResultOf(self.start(self.client.close()))
            self.assertEqual(self.clock.getDelayedCalls(), [])
