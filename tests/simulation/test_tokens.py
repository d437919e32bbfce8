"""When resume tokens are certainly valid, and when they have certainly ended."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.simulation.model import Model
from tests.simulation.tokens import LIFETIME


class ResumeTokens(SynchronousTestCase):
    """A token of ann."""

    def setUp(self) -> None:
        self.model = Model(("ann", "bob"), ("#lobby",))
        self.now = 0.0
        self.tokens = self.model.resume_tokens
        self.tokens.wall = lambda: self.now
        self.tokens.issued("t", "ann", self.model.now(), None)

    def state(self, name: str = "ann") -> tuple[bool, bool]:
        """Whether it is certainly valid, and whether it has certainly ended."""
        tick = self.model.now()
        return (
            self.tokens.is_valid("t", name, tick, tick),
            self.tokens.has_ended("t", name, tick, tick),
        )

    def test_valid(self) -> None:
        """Of its account, and of no other."""
        self.assertEqual(self.state(), (True, False))
        self.assertEqual(self.state("bob"), (False, True))

    def test_requests_that_end_it(self) -> None:
        """Neither is certain while the request is under way; if it is refused, the token is
        valid."""
        for request in (
            lambda: self.model.set_password("ann", "p1"),
            lambda: self.model.delete_account("ann"),
            lambda: self.model.end_sessions("ann"),
        ):
            for done in (False, True):
                self.setUp()
                change = request()
                self.assertEqual(self.state(), (False, False))
                change.end(self.model.now(), done)
                self.assertEqual(self.state(), (not done, done))

    def test_certificates(self) -> None:
        """Clients cannot know whether one was removed."""
        self.model.set_certificates("ann", ()).end(self.model.now(), True)
        self.assertEqual(self.state(), (False, False))

    def test_without_use(self) -> None:
        """Around the end of its lifetime nothing is certain."""
        for days, state in ((27, (True, False)), (30, (False, False)), (33, (False, True))):
            self.now = days / 30 * LIFETIME
            self.assertEqual(self.state(), state)
        self.tokens.used("t", self.model.now())
        self.assertEqual(self.state(), (True, False))

    def test_clock_that_is_set_while_it_is_issued(self) -> None:
        """It may have been issued before."""
        sent = self.model.now()
        self.tokens.jumps(self.model.now())
        self.now = LIFETIME
        self.tokens.issued("t", "ann", sent, None)
        self.assertEqual(self.state(), (False, False))

    def test_change_while_it_is_issued(self) -> None:
        """The token may have ended by it."""
        sent = self.model.now()
        self.model.set_password("ann", "p1").end(self.model.now(), True)
        self.tokens.issued("t", "ann", sent, None)
        self.assertEqual(self.state(), (False, False))
