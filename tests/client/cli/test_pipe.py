"""The screen of a script."""

from __future__ import annotations

from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.cli.output.style import Span
from chatd.client.cli.pipe import PipeScreen
from chatd.client.cli.screen import EndOfInput


class PipeTests(SynchronousTestCase):
    """Lines in, lines out."""

    def setUp(self) -> None:
        self.errors: list[str] = []
        self.lost = 0
        self.transport = StringTransport()
        self.screen = PipeScreen(self.errors.append, self._lost)
        self.screen.makeConnection(self.transport)

    def _lost(self) -> None:
        self.lost += 1

    def test_lines_cut_anywhere(self) -> None:
        """However the bytes come; the last line needs no end."""
        first = self.screen.ask("> ")
        self.screen.dataReceived(b"o")
        self.assertNoResult(first)
        self.screen.dataReceived(b"ne\r\ntw")
        self.assertEqual(self.successResultOf(first), "one")
        self.screen.dataReceived(b"o\n\n caf\xc3\xa9 \xff")
        self.screen.readConnectionLost()
        for line in ("two", "", " caf\u00e9 \ufffd"):
            self.assertEqual(self.successResultOf(self.screen.ask("> ")), line)
        self.failureResultOf(self.screen.ask("> "), EndOfInput)

    def test_end_while_asked(self) -> None:
        """Nothing more comes."""
        asked = self.screen.ask("> ")
        self.screen.readConnectionLost()
        self.failureResultOf(asked, EndOfInput)

    def test_plain_lines(self) -> None:
        """One for each thing, no menus, no control characters; refusals apart."""
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

    def test_errors_in_order(self) -> None:
        """Where output and error output are the same, the lines stay in their order."""
        screen = PipeScreen(None, self._lost)
        screen.makeConnection(self.transport)
        screen.show("one")
        screen.show_error("two")
        screen.show("three")
        self.assertEqual(self.transport.value(), b"one\ntwo\nthree\n")

    def test_no_more_is_read_than_needed(self) -> None:
        """A long script waits in its file, not in memory."""
        self.screen.dataReceived(b"x\n" * 1000)
        self.assertEqual(self.transport.producerState, "paused")
        for _ in range(900):
            self.successResultOf(self.screen.ask("> "))
        self.assertEqual(self.transport.producerState, "producing")

    def test_server_gone(self) -> None:
        """Lines that nobody will ask for are dropped."""
        self.screen.dataReceived(b"one\ntwo\n")
        self.screen.end_input()
        self.failureResultOf(self.screen.ask("> "), EndOfInput)

    def test_close(self) -> None:
        """It is over when all is written."""
        closed = self.screen.close()
        self.assertNoResult(closed)
        self.screen.connectionLost(Failure(ConnectionDone()))
        self.successResultOf(closed)

    def test_nobody_reads(self) -> None:
        """The program is told, and there is nothing to wait for."""
        self.screen.writeConnectionLost()
        self.assertEqual(self.lost, 1)
        self.successResultOf(self.screen.close())
