"""How a `Connection` ends, by the classic protocol: every way to close."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs.classic import DELETE, DELIVER, LIST, encode, encode_send
from chatd.server.states import Phase
from tests.doubles.classic_clients import ClassicServer


class Endings(SynchronousTestCase):
    """Every way in which a connection closes."""

    def setUp(self) -> None:
        self.server = ClassicServer()
        self.ann = self.server.register("ann")
        self.bob = self.server.register("Bob")

    def test_the_phases_of_a_connection_that_the_client_closes(self) -> None:
        """It finishes what it is handling, closes its transport, and is closed when that is."""
        self.server.store.eager = False
        self.ann.send_texts("ann", "Bob", "1")
        phases = [self.ann.protocol.phase]
        self.ann.half_close()
        phases.append(self.ann.protocol.phase)
        self.server.store.release()
        phases.append(self.ann.protocol.phase)
        self.ann.disconnect()
        phases.append(self.ann.protocol.phase)
        self.assertEqual(phases, [Phase.OPEN, Phase.FINISHING, Phase.CLOSING, Phase.CLOSED])

    def test_the_phases_of_a_connection_that_is_lost(self) -> None:
        """What it is handling is finished before it is closed; it never moves back."""
        self.server.store.eager = False
        self.ann.send_texts("ann", "Bob", "1")
        self.ann.disconnect()
        self.assertIs(self.ann.protocol.phase, Phase.DISCONNECTED)
        self.assertIn(self.ann.protocol, self.server.factory.connections)
        self.server.store.release()
        self.assertIs(self.ann.protocol.phase, Phase.CLOSED)
        self.assertNotIn(self.ann.protocol, self.server.factory.connections)
        self.ann.protocol.close()
        self.assertIs(self.ann.protocol.phase, Phase.CLOSED)

    def test_a_half_closed_client_gets_its_answers(self) -> None:
        """Then the connection is closed, and the account can log in again."""
        self.server.store.eager = False
        self.ann.send(encode_send("ann", "Bob", "1"), encode(LIST, "B*"))
        self.ann.half_close()
        self.assertFalse(self.ann.transport.disconnecting)
        for _ in range(10):
            self.server.store.release()
        self.assertEqual(
            (self.ann.receive_texts(), self.ann.transport.disconnecting), (["1", "Bob"], True)
        )
        self.server.store.eager = True
        self.server.log_in("ann")

    def test_a_new_login_does_not_wait_for_a_closing_connection(self) -> None:
        """The account is free although the old connection still has output to send."""
        self.bob.transport.capacity = 0
        self.ann.send_texts("ann", "Bob", "1")
        self.bob.half_close()
        self.assertFalse(self.bob.transport.disconnecting)
        bob = self.server.log_in("Bob")
        bob.send(encode(DELIVER))
        self.assertEqual(bob.receive_texts(), ["1"])

    def test_commands_received_before_the_end_are_carried_out(self) -> None:
        """A DELETE that arrived before the connection was lost still deletes the account."""
        self.server.store.eager = False
        self.ann.send(encode_send("ann", "Bob", "1"), encode(DELETE))
        self.ann.disconnect()
        self.server.store.eager = True
        self.server.store.flush()
        self.bob.send(encode(LIST))
        self.assertEqual(self.bob.receive_texts(), ["1", "Bob"])

    def test_after_a_framing_error_the_reply_can_be_read(self) -> None:
        """The server closes its sending side first and discards further input."""
        self.ann.send(encode(LIST, "B*"), b"\x07", b"garbage")
        self.assertEqual(
            self.ann.receive_texts(),
            ["Bob", "unknown version 7: a classic frame begins with version 0"],
        )
        self.assertEqual(
            (self.ann.transport.half_closed, self.ann.transport.disconnecting), (True, False)
        )
        self.ann.protocol.dataReceived(encode(LIST))
        self.assertEqual(self.ann.receive(), [])
        self.server.clock.advance(2.1)
        self.assertTrue(self.ann.transport.disconnecting)

    def test_input_after_an_error_is_read_up_to_a_limit(self) -> None:
        """A client that goes on sending is not read from; its error reply can still be read."""
        self.ann.send(b"\x00\x05" + (1 << 31).to_bytes(40, "big"))
        self.assertIn("frame too long", self.ann.receive_texts()[0])
        for _ in range(16):
            self.ann.protocol.dataReceived(b"x" * 65_536)
        self.assertEqual(self.ann.transport.producerState, "paused")
        self.assertIs(self.ann.protocol.phase, Phase.LINGERING)
        self.assertFalse(self.ann.transport.disconnecting)
        self.server.clock.advance(2.1)
        self.assertTrue(self.ann.transport.disconnecting)

    def test_an_error_in_showing_a_message_ends_that_connection_only(self) -> None:
        """It is logged and aborted; the sender is answered, and the message waits."""

        def fail(data: bytes) -> None:
            raise ZeroDivisionError("a programming error")

        self.patch(self.bob.transport, "write", fail)
        self.ann.send_texts("ann", "Bob", "1")
        self.assertEqual(self.ann.receive_texts(), ["1"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(
            (self.bob.transport.disconnecting, self.ann.transport.disconnecting), (True, False)
        )
        self.bob.disconnect()
        bob = self.server.log_in("Bob")
        bob.send(encode(DELIVER))
        self.assertEqual(bob.receive_texts(), ["1"])

    def test_a_client_that_does_not_read_is_aborted(self) -> None:
        """A connection that does not close by itself is aborted after `flush_time`."""
        self.bob.transport.capacity = 0
        self.ann.send_texts("ann", "Bob", "1")
        self.bob.half_close()
        self.server.clock.advance(31)
        self.assertTrue(self.bob.transport.disconnecting)
