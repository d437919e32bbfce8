"""Version 1: bans and silences, as moderators, the accounts concerned and others see them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import v1_messages as c
from tests.doubles.v1_clients import MainPortServer


class Moderation(SynchronousTestCase):
    """Ann owns #den; Bob and Cy are members."""

    def setUp(self) -> None:
        self.server = MainPortServer()
        self.ann = self.server.log_in("Ann")
        self.ann.request(c.CreateRoom(0, "#den"))
        self.bob, self.cy = (self.server.log_in(name, rooms=("#den",)) for name in ("Bob", "Cy"))

    def test_ban_removes_the_member_and_is_announced(self) -> None:
        """All of its sessions are notified, with the reason and the end; the others get entries."""
        device = self.server.log_in("Bob")
        for client in (self.bob, device, self.cy):
            client.receive_events()
        self.ann.request(c.Ban(0, "#den", "bob", 60, "too loud"))
        until = self.server.realm.now() + 60_000
        left = c.Left("#den", "banned", "too loud", until)
        for client in (self.bob, device):
            self.assertEqual(client.receive_events(c.Left), [left])
        entries = [(entry.kind, entry.body) for entry in self.cy.receive_events(c.Pushed)]
        self.assertEqual(entries, [("ban", f"Bob {until} too loud"), ("kick", "Bob")])
        refusal = self.bob.answer_to(c.Join(0, "#den"))
        self.assertEqual(refusal.code, "banned")
        self.assertTrue(refusal.sentence.endswith(" UTC: too loud"), refusal.sentence)
        listed = self.ann.request(c.FindBans(0, "#den"))
        (ban,) = listed.restrictions
        self.assertEqual(
            (ban.name, ban.by, ban.until, ban.reason), ("Bob", "Ann", until, "too loud")
        )
        self.assertFalse(listed.more)
        self.ann.request(c.Unban(0, "#den", "bob"))
        self.bob.request(c.Join(0, "#den"))

    def test_member_that_does_not_read_learns_the_reason_later(self) -> None:
        """The event waits as other changes of membership."""
        self.bob.transport.capacity = 0
        self.ann.request(c.Send(0, "bob", "x"))
        self.ann.request(c.Ban(0, "#den", "bob", 0, "too loud"))
        self.bob.transport.drain()
        self.assertEqual(self.bob.receive_events(c.Left), [c.Left("#den", "banned", "too loud")])

    def test_silenced_member_is_refused_until_it_is_over(self) -> None:
        """What it sends in one read before and behind the refused text is handled."""
        self.ann.request(c.Silence(0, "#den", "bob"))
        (silence,) = self.ann.request(c.FindSilenced(0, "#den")).restrictions
        self.assertEqual((silence.name, silence.until), ("Bob", 0))
        self.assertEqual(self.bob.answer_to(c.Send(0, "#den", "x")).code, "silenced")
        self.bob.request(c.Send(0, "ann", "y"))
        self.ann.request(c.Unsilence(0, "#den", "bob"))
        self.bob.request(c.Send(0, "#den", "z"))
        texts = [entry.body for entry in self.cy.receive_events(c.Pushed) if entry.kind == "text"]
        self.assertEqual(texts, ["z"])

    def test_texts_of_one_read_are_taken_one_by_one_in_slow_mode(self) -> None:
        """The first is accepted, the next are refused."""
        self.ann.request(c.ConfigureRoom(0, "#den", "slow", "30"))
        self.cy.receive_events()
        self.bob.receive()
        self.bob.send(*(c.Send(ref, "#den", f"text {ref}") for ref in (101, 102, 103)))
        answers = [
            getattr(answer, "code", "accepted")
            for answer in self.bob.receive()
            if getattr(answer, "ref", 0) > 100
        ]
        self.assertEqual(answers, ["accepted", "slow-mode", "slow-mode"])
        texts = [entry.body for entry in self.cy.receive_events(c.Pushed)]
        self.assertEqual(texts, ["text 101"])
