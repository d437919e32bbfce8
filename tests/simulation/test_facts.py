"""When the value of a fact is certain."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.simulation.facts import Change, Fact


class Certainty(SynchronousTestCase):
    """A fact that requests set, at ticks."""

    def test_initial_value(self) -> None:
        """It is certain until a request that sets another value is sent."""
        fact = Fact("old")
        fact.write("new", Change(5))
        self.assertTrue(fact.surely("old", 1, 4))
        self.assertFalse(fact.surely("old", 1, 5))
        self.assertFalse(fact.surely("new", 6, 7))

    def test_answered_request(self) -> None:
        """Its value is certain from the answer on, and possible before."""
        fact = Fact("old")
        fact.write("new", Change(5, 8, True))
        self.assertTrue(fact.surely("new", 8, 20))
        self.assertFalse(fact.surely("new", 7, 20))
        self.assertEqual(fact.possible(6, 7), ["old", "new"])
        self.assertEqual(fact.possible(9, 9), ["new"])

    def test_refused_request(self) -> None:
        """It changes nothing."""
        fact = Fact("old")
        fact.write("new", Change(5, 8, False))
        self.assertTrue(fact.surely("old", 1, 20))

    def test_lost_answer(self) -> None:
        """Both values are possible, until a later request settles it."""
        fact = Fact("old")
        fact.write("new", Change(5, 8, None))
        self.assertFalse(fact.surely("old", 9, 9))
        self.assertFalse(fact.surely("new", 9, 9))
        fact.write("third", Change(10, 12, True))
        self.assertTrue(fact.surely("third", 12, 20))

    def test_two_requests_at_once(self) -> None:
        """Neither value is certain while their order is not known."""
        fact = Fact("old")
        fact.write("a", Change(5, 9, True))
        fact.write("b", Change(6, 8, True))
        self.assertFalse(fact.surely("a", 10, 10))
        self.assertFalse(fact.surely("b", 10, 10))
        self.assertEqual(fact.possible(10, 10), ["a", "b"])
