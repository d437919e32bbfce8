"""Version 1: presence and typing."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import v1_messages as c
from chatd.codecs.classic import CREATE, encode
from tests.doubles.v1_clients import MainPortServer, V1Client

State = tuple[str, str, str, int]
"""(name, status, text, seen) of a `Person`"""


def state(person: c.Person) -> State:
    """A person as a tuple."""
    return person.name, person.status, person.text, person.seen


class Presence(SynchronousTestCase):
    """Ann and Bob have asked for presence and typing."""

    def setUp(self) -> None:
        self.server = MainPortServer()
        self.ann = self.server.log_in("ann", "presence", "typing")
        self.bob = self.server.log_in("Bob", "presence", "typing")

    def changes(self, client: V1Client) -> list[State]:
        """The changes of presence received since the last call."""
        return [state(event.person) for event in client.receive_events(c.Presence)]

    def test_presence_of_accounts_can_be_asked_for(self) -> None:
        """Accounts are away, online by any protocol, offline since a time, or unknown."""
        self.server.connect().send_bytes(encode(CREATE, "carl"))
        self.server.log_in("eve").disconnect()
        self.bob.request(c.SetPresence(0, True, "lunch"))
        people = self.ann.request(c.Who(0, ["BOB", "carl", "eve", "nobody"])).people
        self.assertEqual(
            [state(person) for person in people],
            [
                ("Bob", "away", "lunch", 0),
                ("carl", "on", "", 0),
                ("eve", "off", "", self.server.now),
                ("nobody", "unknown", "", 0),
            ],
        )

    def test_changes_of_watched_accounts_are_pushed(self) -> None:
        """Changes after `Unwatch` are not. A second session of an account is no change."""
        self.ann.request(c.Who(0, ["bob"], True))
        self.bob.request(c.SetPresence(0, True, "lunch"))
        self.bob.request(c.SetPresence(0))
        second = self.server.connect()
        second.request(c.LogIn(0, "bob"))
        self.bob.disconnect()
        self.assertEqual(
            self.changes(self.ann), [("Bob", "away", "lunch", 0), ("Bob", "on", "", 0)]
        )
        self.server.now += 5
        second.disconnect()
        self.assertEqual(self.changes(self.ann), [("Bob", "off", "", self.server.now)])
        bob = self.server.log_in("bob")
        self.ann.request(c.Unwatch(0, ["bob"]))
        bob.disconnect()
        self.assertEqual(self.changes(self.ann), [("Bob", "on", "", 0)])

    def test_hidden_account_looks_offline(self) -> None:
        """Its changes are not pushed, and it stays hidden at the next login."""
        self.ann.request(c.Who(0, ["bob"], True))
        self.bob.request(c.SetPresence(0, hidden=True))
        self.assertEqual(self.changes(self.ann), [("Bob", "off", "", 0)])
        self.bob.request(c.SetPresence(0, True, "secret", True))
        self.bob.disconnect()
        bob = self.server.log_in("bob")
        self.assertEqual(self.changes(self.ann), [])
        (person,) = self.ann.request(c.Who(0, ["bob"])).people
        self.assertEqual((person.status, person.seen), ("off", 0))
        bob.request(c.SetPresence(0))
        self.assertEqual(self.changes(self.ann), [("Bob", "on", "", 0)])

    def test_watched_accounts_are_limited(self) -> None:
        """Neither an account that is watched already counts again, nor a name without an account,
        nor an account that has been deleted."""
        server = MainPortServer(watched=2)
        ann, _, eve, _ = (server.log_in(name) for name in ("ann", "bob", "eve", "dan"))
        ann.request(c.Who(0, ["bob", "eve", "x", "y"], True))
        self.assertEqual(ann.refusal_code(c.Who(0, ["dan"], True)), "limit-reached")
        ann.request(c.Who(0, ["BOB", "Eve"], True))
        eve.request(c.DeleteAccount(0))
        ann.request(c.Who(0, ["dan"], True))

    def test_presence_is_not_pushed_without_the_feature(self) -> None:
        """Watching an account does not suffice."""
        plain = self.server.log_in("plain")
        plain.request(c.Who(0, ["bob"], True))
        self.bob.disconnect()
        self.assertEqual(plain.receive_events(c.Presence), [])

    def test_typing_is_pushed_to_the_recipient_or_the_room(self) -> None:
        """The sender, and clients without the feature, are not sent it."""
        for client in (self.ann, self.bob):
            client.request(c.Join(0, "#lobby"))
        plain = self.server.log_in("plain", rooms=("#lobby",))
        self.bob.request(c.SayTyping(0, "ann"))
        self.bob.request(c.SayTyping(0, "#lobby", False))
        self.assertEqual(
            [(event.log, event.name, event.typing) for event in self.ann.receive_events(c.Typing)],
            [("@ann", "Bob", True), ("#lobby", "Bob", False)],
        )
        self.assertEqual(
            (self.bob.receive_events(c.Typing), plain.receive_events(c.Typing)), ([], [])
        )

    def test_typing_to_unknown_recipients_is_refused(self) -> None:
        """These are accounts that do not exist and rooms of others."""
        self.assertEqual(self.bob.refusal_code(c.SayTyping(0, "nobody")), "unknown-account")
        self.assertEqual(self.bob.refusal_code(c.SayTyping(0, "#den")), "not-a-member")
