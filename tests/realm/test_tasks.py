"""Waiting for several answers at once."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from chatd.core.errors import NotAllowed, UnknownRoom
from chatd.realm.tasks import gather


class Gathering(SynchronousTestCase):
    """`gather`."""

    def gather(self, *answers: Awaitable[Any]) -> Deferred[list[Any]]:
        """Begin to wait for answers."""
        return Deferred.fromCoroutine(gather(*answers))

    def test_results_are_in_the_order_of_the_answers(self) -> None:
        """The order in which the answers arrive does not count."""
        first: Deferred[int] = Deferred()
        second: Deferred[int] = Deferred()
        results = self.gather(first, succeed(3), second)
        second.callback(2)
        self.assertNoResult(results)
        first.callback(1)
        self.assertEqual(self.successResultOf(results), [1, 3, 2])
        self.assertEqual(self.successResultOf(self.gather()), [])

    def test_first_refusal_is_raised_after_all_answers(self) -> None:
        """All answers are awaited, so that no failure stays unhandled."""
        last: Deferred[int] = Deferred()
        results = self.gather(succeed(1), fail(NotAllowed()), fail(UnknownRoom()), last)
        self.assertNoResult(results)
        last.callback(2)
        self.failureResultOf(results, NotAllowed)

    def test_other_errors_are_raised_at_once(self) -> None:
        """Errors that are no refusals are faults of the program."""
        last: Deferred[int] = Deferred()
        self.failureResultOf(self.gather(fail(ZeroDivisionError()), last), ZeroDivisionError)
