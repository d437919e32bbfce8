"""The screen of a script."""

from __future__ import annotations

from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.cli.output.style import Span
from chatd.client.cli.pipe import MAX_LINE, PipeScreen
from chatd.client.cli.screen import EndOfInput, InvalidLine


class PipeTests(SynchronousTestCase):
    """`PipeScreen`."""

    def setUp(self) -> None:
        self.errors: list[str] = []
        self.lost = 0
        self.transport = StringTransport()
        self.screen = PipeScreen(self.errors.append, self._lost)
        self.screen.makeConnection(self.transport)

    def _lost(self) -> None:
        self.lost += 1

    def test_lines_are_read_from_chunks_of_any_size(self) -> None:
        """The last line needs no line break."""
        first = self.screen.ask("> ")
        self.screen.dataReceived(b"o")
        self.assertNoResult(first)
        self.screen.dataReceived(b"ne\r\ntw")
        self.assertEqual(self.successResultOf(first), "one")
        self.screen.dataReceived(b"o\n\n caf\xc3\xa9")
        self.screen.readConnectionLost()
        for line in ("two", "", " caf\u00e9"):
            self.assertEqual(self.successResultOf(self.screen.ask("> ")), line)
        self.failureResultOf(self.screen.ask("> "), EndOfInput)

    def test_line_that_is_not_utf_8_is_refused(self) -> None:
        """The sentence has its number; the other lines are read."""
        first = self.screen.ask("> ")
        self.screen.dataReceived(b"caf\xe9\nhi\n")
        error = self.failureResultOf(first, InvalidLine).value
        self.assertEqual(str(error), "Line 1 of the input is not valid UTF-8.")
        self.screen.dataReceived(b"\xed\xa0\x80")
        self.screen.readConnectionLost()
        self.assertEqual(self.successResultOf(self.screen.ask("> ")), "hi")
        error = self.failureResultOf(self.screen.ask("> "), InvalidLine).value
        self.assertEqual(str(error), "Line 3 of the input is not valid UTF-8.")
        self.failureResultOf(self.screen.ask("> "), EndOfInput)

    def test_line_that_is_too_long_is_refused(self) -> None:
        """However long it becomes, not more of it is stored; the next line is read."""
        first = self.screen.ask("> ")
        for _ in range(3):
            self.screen.dataReceived(b"x" * MAX_LINE)
        self.assertEqual(len(self.screen._partial_line), 2 * MAX_LINE)
        self.screen.dataReceived(b"x\nhi\n" + b"y" * MAX_LINE + b"\n")
        error = self.failureResultOf(first, InvalidLine).value
        self.assertEqual(str(error), "Line 1 of the input is longer than 1048576 bytes.")
        self.assertEqual(self.successResultOf(self.screen.ask("> ")), "hi")
        self.assertEqual(self.successResultOf(self.screen.ask("> ")), "y" * MAX_LINE)

    def test_end_of_input_fails_the_pending_prompt(self) -> None:
        """The failure is `EndOfInput`."""
        asked = self.screen.ask("> ")
        self.screen.readConnectionLost()
        self.failureResultOf(asked, EndOfInput)

    def test_each_event_is_one_line_without_control_characters(self) -> None:
        """Hints are not printed, and errors go to the error output."""
        self.screen.note("Commands: ...")
        self.screen.show("Accounts:")
        self.screen.show("\tbob")
        self.screen.show_message("bob", "two\nlines \x1b[2J")
        self.screen.show_sent("bob", "hi")
        self.screen.show_styled((Span("bob", "32"), Span(": hi\n\x1b[2J")))
        self.screen.show_error("Server error: no\x07")
        self.assertEqual(
            self.transport.value(),
            b"Accounts:\n\tbob\nbob: two\\nlines ^[[2J\nSent to bob: hi\nbob: hi\\n^[[2J\n",
        )
        self.assertEqual(self.errors, ["Server error: no^G"])

    def test_errors_keep_their_place_if_both_outputs_are_one(self) -> None:
        """They are written to the output."""
        transport = StringTransport()
        screen = PipeScreen(None, self._lost)
        screen.makeConnection(transport)
        screen.show("one")
        screen.show_error("two")
        screen.show("three")
        self.assertEqual(transport.value(), b"one\ntwo\nthree\n")

    def test_full_queue_of_lines_pauses_reading(self) -> None:
        """A long script waits in its file, not in memory."""
        self.screen.dataReceived(b"x\n" * 1000)
        self.assertEqual(self.transport.producerState, "paused")
        for _ in range(900):
            self.successResultOf(self.screen.ask("> "))
        self.assertEqual(self.transport.producerState, "producing")

    def test_end_input_drops_queued_lines(self) -> None:
        """The next prompt fails."""
        self.screen.dataReceived(b"one\ntwo\n")
        self.screen.end_input()
        self.failureResultOf(self.screen.ask("> "), EndOfInput)

    def test_close_fires_when_everything_is_written(self) -> None:
        """That is when the transport has closed."""
        closed = self.screen.close()
        self.assertNoResult(closed)
        self.screen.connectionLost(Failure(ConnectionDone()))
        self.successResultOf(closed)

    def test_closed_output_is_reported(self) -> None:
        """Closing does not wait then."""
        self.screen.writeConnectionLost()
        self.assertEqual(self.lost, 1)
        self.successResultOf(self.screen.close())
