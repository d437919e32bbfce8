"""Version 1, as a client sees it: who is there."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import v1_messages as c
from chatd.codecs.classic import CREATE, encode
from tests.doubles.v1_clients import MainPortServer, V1Client


class People(SynchronousTestCase):
    """Ann wants to know about Bob."""

    def setUp(self) -> None:
        """Both are there."""
        self.server = MainPortServer()
        self.ann = self.server.log_in("ann", "presence", "typing")
        self.bob = self.server.log_in("Bob", "presence", "typing")

    def states(self, client: V1Client) -> list[tuple[str, str, str, int]]:
        """What a client was told of others."""
        people = [event.person for event in client.receive_events(c.Presence)]
        return [(person.name, person.status, person.text, person.seen) for person in people]

    def test_who(self) -> None:
        """On, away, off and since when, or unknown; by any protocol."""
        self.server.connect().send_bytes(encode(CREATE, "carl"))
        self.server.log_in("eve").disconnect()
        self.bob.request(c.SetPresence(0, True, "lunch"))
        people = self.ann.request(c.Who(0, ["BOB", "carl", "eve", "nobody"])).people
        self.assertEqual(
            [(person.name, person.status, person.text, person.seen) for person in people],
            [
                ("Bob", "away", "lunch", 0),
                ("carl", "on", "", 0),
                ("eve", "off", "", self.server.now),
                ("nobody", "unknown", "", 0),
            ],
        )

    def test_watching(self) -> None:
        """Every change is told, until one does not want to know any more."""
        self.ann.request(c.Who(0, ["bob"], True))
        self.bob.request(c.SetPresence(0, True, "lunch"))
        self.bob.request(c.SetPresence(0))
        second = self.server.connect()
        second.request(c.LogIn(0, "bob"))
        self.bob.disconnect()
        self.assertEqual(self.states(self.ann), [("Bob", "away", "lunch", 0), ("Bob", "on", "", 0)])
        self.server.now += 5
        second.disconnect()
        self.assertEqual(self.states(self.ann), [("Bob", "off", "", self.server.now)])
        bob = self.server.log_in("bob")
        self.ann.request(c.Unwatch(0, ["bob"]))
        bob.disconnect()
        self.assertEqual(self.states(self.ann), [("Bob", "on", "", 0)])

    def test_hiding(self) -> None:
        """Who hides looks as if never there, and nobody hears of their coming and going; it is
        kept."""
        self.ann.request(c.Who(0, ["bob"], True))
        self.bob.request(c.SetPresence(0, hidden=True))
        self.assertEqual(self.states(self.ann), [("Bob", "off", "", 0)])
        self.bob.request(c.SetPresence(0, True, "secret", True))
        self.bob.disconnect()
        bob = self.server.log_in("bob")
        self.assertEqual(self.states(self.ann), [])
        (person,) = self.ann.request(c.Who(0, ["bob"])).people
        self.assertEqual((person.status, person.seen), ("off", 0))
        bob.request(c.SetPresence(0))
        self.assertEqual(self.states(self.ann), [("Bob", "on", "", 0)])

    def test_bounds(self) -> None:
        """A session watches so many; whoever does not want presence is not told."""
        server = MainPortServer(watched=2)
        ann, bob = server.log_in("ann"), server.log_in("bob")
        ann.request(c.Who(0, ["bob", "x"], True))
        self.assertEqual(ann.refusal_code(c.Who(0, ["y"], True)), "limit-reached")
        ann.request(c.Who(0, ["BOB", "X"], True))
        bob.disconnect()
        self.assertEqual(ann.receive_events(c.Presence), [])

    def test_typing(self) -> None:
        """Told to the person or the room, not to oneself, not by who is blocked, and only if
        wanted."""
        for person in (self.ann, self.bob):
            person.request(c.Join(0, "#lobby"))
        deaf = self.server.log_in("deaf", rooms=("#lobby",))
        self.bob.request(c.SayTyping(0, "ann"))
        self.bob.request(c.SayTyping(0, "#lobby", False))
        told = [
            (event.log, event.name, event.typing) for event in self.ann.receive_events(c.Typing)
        ]
        self.assertEqual(told, [("@ann", "Bob", True), ("#lobby", "Bob", False)])
        self.assertEqual(
            (self.bob.receive_events(c.Typing), deaf.receive_events(c.Typing)), ([], [])
        )
        self.ann.request(c.Block(0, "bob"))
        self.bob.request(c.SayTyping(0, "ann"))
        self.assertEqual(self.ann.receive_events(c.Typing), [])
        self.assertEqual(self.bob.refusal_code(c.SayTyping(0, "nobody")), "unknown-account")
        self.assertEqual(self.bob.refusal_code(c.SayTyping(0, "#den")), "not-a-member")
