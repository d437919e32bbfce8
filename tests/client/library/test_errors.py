"""Errors of the library."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.client import ConnectionClosed, Fatal, Refused
from chatd.client.library.errors import RefusedByServer


class ErrorsTests(SynchronousTestCase):
    """The errors that programs can catch."""

    def test_refusal_of_the_server_has_its_code_and_sentence(self) -> None:
        """The class has no code of its own, so other refusals keep theirs."""
        refusal = RefusedByServer("future-code", "Try again.")
        self.assertIsInstance(refusal, Refused)
        self.assertEqual((refusal.code, str(refusal)), ("future-code", "Try again."))
        self.assertNotEqual(RefusedByServer("other", "x").code, refusal.code)
        self.assertNotEqual(Refused.code, "future-code")

    def test_closed_connection_has_a_sentence(self) -> None:
        """The server's or TLS's own explanation replaces it."""
        closed = ConnectionClosed()
        self.assertIsInstance(closed, Fatal)
        self.assertEqual(
            (closed.code, str(closed)), ("disconnected", "The connection to the server is closed.")
        )
        self.assertEqual(str(ConnectionClosed("Timed out.")), "Timed out.")
