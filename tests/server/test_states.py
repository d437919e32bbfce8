"""The states of a connection: reasons to pause, and phases."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.server.states import PauseReason, Phase
from tests.doubles.classic_clients import ClassicServer


class Reasons(SynchronousTestCase):
    """`PauseReason`."""

    def test_reasons_are_distinct_bits(self) -> None:
        """A connection can pause for any set of them."""
        bits = [value for name, value in vars(PauseReason).items() if name.isupper()]
        self.assertEqual(sorted(bits), [1 << number for number in range(len(bits))])

    def test_connection_resumes_when_the_last_reason_is_dropped(self) -> None:
        """Dropping a reason for which it has not paused changes nothing."""
        connection = ClassicServer().register("ann").protocol
        handled: list[int] = []
        self.patch(connection, "_process_queue", lambda: handled.append(connection.paused_for))
        connection.pause_for(PauseReason.RATE)
        connection.pause_for(PauseReason.STORE)
        connection.resume_after(PauseReason.OUTPUT)
        self.assertEqual(handled, [])
        connection.resume_after(PauseReason.RATE)
        connection.resume_after(PauseReason.STORE)
        self.assertEqual(handled, [PauseReason.STORE, 0])


class Phases(SynchronousTestCase):
    """`Phase`."""

    def test_phases_are_in_the_order_in_which_a_connection_ends(self) -> None:
        """Comparisons of phases rely on it."""
        self.assertEqual(
            sorted(Phase),
            [
                Phase.OPEN,
                Phase.FINISHING,
                Phase.CLOSING,
                Phase.LINGERING,
                Phase.DISCONNECTED,
                Phase.CLOSED,
            ],
        )
