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
        self.ann = self.server.come("ann", "presence", "typing")
        self.bob = self.server.come("Bob", "presence", "typing")

    def states(self, client: V1Client) -> list[tuple[str, str, str, int]]:
        """What a client was told of others."""
        people = [event.person for event in client.told(c.Presence)]
        return [(person.name, person.status, person.text, person.seen) for person in people]

    def test_who(self) -> None:
        """On, away, off and since when, or unknown; by any protocol."""
        self.server.connect().raw(encode(CREATE, "carl"))
        self.server.come("eve").lose()
        self.bob.done(c.SetPresence(0, True, "lunch"))
        people = self.ann.done(c.Who(0, ["BOB", "carl", "eve", "nobody"])).people
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
        self.ann.done(c.Who(0, ["bob"], True))
        self.bob.done(c.SetPresence(0, True, "lunch"))
        self.bob.done(c.SetPresence(0))
        second = self.server.connect()
        second.done(c.LogIn(0, "bob"))
        self.bob.lose()
        self.assertEqual(self.states(self.ann), [("Bob", "away", "lunch", 0), ("Bob", "on", "", 0)])
        self.server.now += 5
        second.lose()
        self.assertEqual(self.states(self.ann), [("Bob", "off", "", self.server.now)])
        bob = self.server.come("bob")
        self.ann.done(c.Unwatch(0, ["bob"]))
        bob.lose()
        self.assertEqual(self.states(self.ann), [("Bob", "on", "", 0)])

    def test_hiding(self) -> None:
        """Who hides looks as if never there, and nobody hears of their coming and going; it is
        kept."""
        self.ann.done(c.Who(0, ["bob"], True))
        self.bob.done(c.SetPresence(0, hidden=True))
        self.assertEqual(self.states(self.ann), [("Bob", "off", "", 0)])
        self.bob.done(c.SetPresence(0, True, "secret", True))
        self.bob.lose()
        bob = self.server.come("bob")
        self.assertEqual(self.states(self.ann), [])
        (person,) = self.ann.done(c.Who(0, ["bob"])).people
        self.assertEqual((person.status, person.seen), ("off", 0))
        bob.done(c.SetPresence(0))
        self.assertEqual(self.states(self.ann), [("Bob", "on", "", 0)])

    def test_bounds(self) -> None:
        """A session watches so many; whoever does not want presence is not told."""
        server = MainPortServer(watched=2)
        ann, bob = server.come("ann"), server.come("bob")
        ann.done(c.Who(0, ["bob", "x"], True))
        self.assertEqual(ann.refused(c.Who(0, ["y"], True)), "limit-reached")
        ann.done(c.Who(0, ["BOB", "X"], True))
        bob.lose()
        self.assertEqual(ann.told(c.Presence), [])

    def test_typing(self) -> None:
        """Told to the person or the room, not to oneself, not by who is blocked, and only if
        wanted."""
        for person in (self.ann, self.bob):
            person.done(c.Join(0, "#lobby"))
        deaf = self.server.come("deaf", rooms=("#lobby",))
        self.bob.done(c.SayTyping(0, "ann"))
        self.bob.done(c.SayTyping(0, "#lobby", False))
        told = [(event.log, event.name, event.typing) for event in self.ann.told(c.Typing)]
        self.assertEqual(told, [("@ann", "Bob", True), ("#lobby", "Bob", False)])
        self.assertEqual((self.bob.told(c.Typing), deaf.told(c.Typing)), ([], []))
        self.ann.done(c.Block(0, "bob"))
        self.bob.done(c.SayTyping(0, "ann"))
        self.assertEqual(self.ann.told(c.Typing), [])
        self.assertEqual(self.bob.refused(c.SayTyping(0, "nobody")), "unknown-account")
        self.assertEqual(self.bob.refused(c.SayTyping(0, "#den")), "not-a-member")
