"""Version 1: what a client that does not read learns when it reads on."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import v1_messages as c
from chatd.codecs.v1 import encode
from chatd.protocols.v1 import notices
from tests.doubles.v1_clients import MainPortServer, V1Client


def brief(event: c.Message) -> tuple[Any, ...]:
    """What an event tells, as a tuple."""
    match event:
        case c.Joined(state):
            return "joined", state.log, state.head
        case c.Left(room, reason):
            return reason, room
        case c.Presence(person):
            return "presence", person.name, person.status
        case c.Typing(log, name, typing):
            return "typing", log, name, typing
    return ("other",)


class NotReading(SynchronousTestCase):
    """A device of Ann does not read, while her other device and Bob are busy."""

    def setUp(self) -> None:
        self.server = MainPortServer(rate=None, rooms_made=None)
        self.ann = self.server.log_in("ann", "presence", "typing", rooms=("#lobby",))
        self.device = self.server.log_in("ann")
        self.bob = self.server.log_in("Bob", rooms=("#lobby",))
        self.ann.receive_events()
        self.device.request(c.CreateRoom(0, "#old"))
        self.ann.request(c.Who(0, ["bob"], True))

    def stop_reading(self) -> None:
        """What the server sends stays in its buffer; one entry waits in it."""
        self.ann.receive_events()
        self.ann.transport.capacity = 0
        self.bob.request(c.Send(0, "ann", "x"))
        self.assertFalse(self.ann.protocol.writable)

    def events(self) -> list[tuple[Any, ...]]:
        """The events that the device receives when it reads again, without entries."""
        self.ann.transport.drain()
        kinds = (c.Joined, c.Left, c.Presence, c.Typing)
        return [brief(event) for event in self.ann.receive_events(*kinds)]

    def test_changes_of_membership_take_no_memory(self) -> None:
        """However often the account joins and leaves, the client learns the last state only."""
        self.stop_reading()
        size = len(self.ann.transport.buffer)
        for number in range(50):
            self.device.request(c.CreateRoom(0, f"#new-{number}"))
            self.device.request(c.Leave(0, f"#new-{number}"))
            self.device.request(c.Leave(0, "#old"))
            self.device.request(c.CreateRoom(0, "#old"))
        self.device.request(c.CreateRoom(0, "#new"))
        self.assertEqual(len(self.ann.transport.buffer), size)
        self.assertEqual(
            self.events(), [("left", "#old"), ("joined", "#old", 1), ("joined", "#new", 1)]
        )

    def test_room_that_was_left_is_not_followed(self) -> None:
        """The client learns why, and gets the entries of the rooms that it joined."""
        self.stop_reading()
        self.device.request(c.DeleteRoom(0, "#old"))
        self.device.request(c.CreateRoom(0, "#new"))
        self.device.request(c.Send(0, "#new", "hi"))
        self.ann.transport.drain()
        events = self.ann.receive_events(c.Left, c.Joined, c.Pushed)
        self.assertEqual(
            [type(event).__name__ for event in events],
            ["Pushed", "Left", "Joined", "Pushed", "Pushed"],
        )
        self.assertEqual(brief(events[1]), ("deleted", "#old"))

    def test_entries_of_a_room_that_were_acknowledged_meanwhile_are_not_pushed(self) -> None:
        """`Joined` counts them as read: the client begins after them."""
        self.stop_reading()
        self.device.request(c.CreateRoom(0, "#new"))
        self.device.request(c.Ack(1, "#new", 1, 0))
        self.device.request(c.Send(0, "#new", "hi"))
        self.ann.transport.drain()
        events = self.ann.receive_events(c.Joined, c.Pushed)[1:]
        self.assertEqual([event.state.upto for event in events if isinstance(event, c.Joined)], [1])
        self.assertEqual([event.seq for event in events if isinstance(event, c.Pushed)], [2])

    def test_last_presence_and_typing_are_sent(self) -> None:
        """A client that reads again is sent one event for each account and log."""
        self.stop_reading()
        size = len(self.ann.transport.buffer)
        for number in range(50):
            self.bob.request(c.SetPresence(0, True, str(number)))
            self.bob.request(c.SayTyping(0, "ann", True))
            self.bob.request(c.SayTyping(0, "#lobby", True))
            self.bob.request(c.SayTyping(0, "#lobby", False))
        self.assertEqual(len(self.ann.transport.buffer), size)
        self.assertEqual(
            self.events(),
            [
                ("presence", "Bob", "away"),
                ("typing", "@ann", "Bob", True),
                ("typing", "#lobby", "Bob", False),
            ],
        )

    def test_number_of_typing_accounts_is_bounded(self) -> None:
        """Notices about more of them are dropped."""
        self.stop_reading()
        for number in range(2_000):
            self.ann.protocol.typing("#lobby", f"a{number}", True)
            self.ann.protocol.typing("#lobby", "a5", False)
        events = self.events()
        self.assertEqual(len(events), 1_000)
        self.assertIn(("typing", "#lobby", "a5", False), events)

    def test_states_of_a_former_account_are_not_sent(self) -> None:
        """Another account that logs in by the same connection learns nothing of them."""
        self.stop_reading()
        self.device.request(c.Leave(0, "#old"))
        self.server.run(self.ann.protocol.log_in("bob", None))
        self.assertEqual(self.events(), [])


class Notices(SynchronousTestCase):
    """Notices for many clients."""

    def test_notice_is_encoded_once(self) -> None:
        """All clients are sent the same bytes, and a later notice has its own."""
        server = MainPortServer()
        bob = server.log_in("Bob", rooms=("#lobby",))
        clients: list[V1Client] = [
            server.log_in(f"a{number}", "typing", "presence", rooms=("#lobby",))
            for number in range(9)
        ]
        for client in clients:
            client.request(c.Who(0, ["bob"], True))
        encoded: list[c.Message] = []

        def count(message: c.Message) -> bytes:
            encoded.append(message)
            return encode(message)

        self.patch(notices, "encode", count)
        for typing in (True, False):
            bob.request(c.SayTyping(0, "#lobby", typing))
        bob.request(c.SetPresence(0, True, "lunch"))
        kinds = [type(message).__name__ for message in encoded]
        self.assertEqual((kinds.count("Typing"), kinds.count("Presence")), (2, 1))
        for client in clients:
            self.assertEqual(
                [brief(event) for event in client.receive_events(c.Typing, c.Presence)],
                [
                    ("typing", "#lobby", "Bob", True),
                    ("typing", "#lobby", "Bob", False),
                    ("presence", "Bob", "away"),
                ],
            )
