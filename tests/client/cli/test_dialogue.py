"""The end of a dialogue: by itself, and by an interruption."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.cli.dialogue import Dialogue
from tests.doubles.screen import FakeScreen


class Waiting(Dialogue):
    """A dialogue that waits for its exit status."""

    def __init__(self, screen: FakeScreen) -> None:
        super().__init__(screen)
        self.status: Deferred[int] = Deferred()

    async def _run(self) -> int:
        return await self.status


class Interrupting(SynchronousTestCase):
    """The exit status and the last line of the screen."""

    def setUp(self) -> None:
        """A dialogue that has begun."""
        self.screen = FakeScreen(False)
        self.dialogue = Waiting(self.screen)
        self.exit_status = self.dialogue.start()

    def test_result_is_the_exit_status(self) -> None:
        """Nothing is shown."""
        self.dialogue.status.callback(3)
        self.assertEqual(self.successResultOf(self.exit_status), 3)
        self.assertEqual(self.screen.lines, [])

    def test_interruption_ends_what_it_waits_for(self) -> None:
        """Its sentence is shown as an error."""
        self.dialogue.interrupt(130, "The output cannot be written.")
        self.assertEqual(self.successResultOf(self.exit_status), 130)
        self.assertEqual(len(self.screen.lines), 1)
        self.assertIn("The output cannot be written.", self.screen.lines[0])

    def test_interruption_without_a_sentence_shows_nothing(self) -> None:
        """A signal is one."""
        self.dialogue.interrupt(130, "")
        self.assertEqual(self.successResultOf(self.exit_status), 130)
        self.assertEqual(self.screen.lines, [])
