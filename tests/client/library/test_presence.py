"""Presence and watch list: what is requested again after a login."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.client.library.presence import PresenceState
from chatd.codecs import v1_messages as c


class PresenceStateTests(SynchronousTestCase):
    """The requests that were carried out, and those to repeat."""

    def setUp(self) -> None:
        self.state = PresenceState()

    def test_presence_is_repeated_if_away_or_hidden(self) -> None:
        """Being there and visible is what every login begins with."""
        self.assertIsNone(self.state.set_presence())
        for request, repeated in (
            (c.SetPresence(0, True, "lunch"), True),
            (c.SetPresence(0, False), False),
            (c.SetPresence(0, False, "", True), True),
        ):
            self.state.requested(request)
            self.assertEqual(self.state.set_presence(), request if repeated else None)

    def test_repeated_request_is_a_copy(self) -> None:
        """Sending it sets its `ref`, which must not change what is repeated later."""
        self.state.requested(c.SetPresence(0, True))
        first = self.state.set_presence()
        assert first is not None
        first.ref = 7
        self.assertEqual(self.state.set_presence(), c.SetPresence(0, True))

    def test_watched_names_are_watched_again(self) -> None:
        """Except those unwatched; names ignore case; a request without `watch` adds none."""
        self.state.requested(c.Who(0, ["Bob", "carl", "bob"], True))
        self.state.requested(c.Who(0, ["dora"]))
        self.state.requested(c.Unwatch(0, ["CARL", "nobody"]))
        self.assertEqual(self.state.watch(), [c.Who(0, ["bob"], True)])

    def test_many_names_are_watched_by_several_requests(self) -> None:
        """One request has at most 100."""
        names = [f"n{number}" for number in range(205)]
        for start in range(0, 205, 100):
            self.state.requested(c.Who(0, names[start : start + 100], True))
        requests = self.state.watch()
        self.assertEqual([len(request.names) for request in requests], [100, 100, 5])
        self.assertEqual([name for request in requests for name in request.names], names)
