"""One connection of the classic protocol: replies, pushed messages, errors, how it ends."""

from __future__ import annotations

from twisted.internet import defer
from twisted.internet.error import ConnectingCancelledError, ConnectionDone, ConnectionRefusedError
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.classic.connection import (
    CLOSE_TIMEOUT,
    CONNECT_TIMEOUT,
    REPLY_TIMEOUT,
    Connection,
    Unsendable,
    connect,
)
from chatd.client.library.errors import ConnectionClosed
from chatd.codecs import classic
from chatd.core.errors import Refused
from tests.doubles.classic_server import FakeDaemon, RecordingHandler


class ConnectionTests(SynchronousTestCase):
    """Connections to a daemon in memory; Alice is logged in."""

    def setUp(self) -> None:
        self.daemon = FakeDaemon()
        self.handler = RecordingHandler()
        self.alice = self.enter("alice", self.handler)

    def enter(self, name: str, handler: RecordingHandler) -> Connection:
        """A connection logged in as a new account."""
        connection = self.daemon.connect(handler)
        created = connection.create(name)
        self.daemon.pump()
        self.assertIsNone(self.successResultOf(created))
        return connection

    def test_replies_go_to_their_commands_in_order(self) -> None:
        """Several commands are pending at once; one of them is refused."""
        self.enter("bob", RecordingHandler())
        stored = self.alice.send("bob", "one")
        refused = self.alice.send("nobody", "two")
        names = self.alice.list("b*")
        again = self.alice.send("bob", "three")
        self.assertEqual(self.alice.outstanding, 4)
        all_replied = self.alice.all_replied()
        self.assertNoResult(all_replied)
        self.daemon.pump()
        self.assertIsNone(self.successResultOf(stored))
        self.assertIn("nobody does not exist", str(self.failureResultOf(refused, Refused).value))
        self.assertEqual(self.successResultOf(names), ("bob",))
        self.assertIsNone(self.successResultOf(again))
        self.assertIsNone(self.successResultOf(all_replied))

    def test_reply_is_decoded_from_single_bytes(self) -> None:
        """The data of a reply may be divided anywhere."""
        listed = self.alice.list("*")
        for byte in classic.encode_names(["alice", "bob"]):
            self.assertNoResult(listed)
            self.alice.dataReceived(bytes([byte]))
        self.assertEqual(self.successResultOf(listed), ("alice", "bob"))

    def test_message_pushed_before_a_reply_is_not_the_reply(self) -> None:
        """It goes to the handler, and the reply stays pending."""
        stored = self.alice.send("bob", "hi")
        self.alice.dataReceived(classic.encode_send("bob", "alice", "hi"))
        self.assertNoResult(stored)
        self.alice.dataReceived(classic.encode_send("alice", "bob", "hi"))
        self.assertIsNone(self.successResultOf(stored))
        self.assertEqual(self.handler.calls, [("bob", "hi")])

    def test_message_to_oneself_is_acknowledged_and_received(self) -> None:
        """One copy is the acknowledgement, the other one goes to the handler."""
        first, second = self.alice.send("alice", "note"), self.alice.send("alice", "note")
        self.daemon.pump()
        self.assertIsNotNone(self.successResultOf(first))
        self.assertIsNotNone(self.successResultOf(second))
        self.assertEqual(self.handler.calls, [("alice", "note")] * 2)
        self.assertEqual(self.alice.outstanding, 0)

    def test_message_to_oneself_may_be_pushed_later(self) -> None:
        """One copy is enough to acknowledge the message."""
        stored = self.alice.send("alice", "note")
        self.alice.dataReceived(
            classic.encode_send("alice", "alice", "note") + classic.encode_names([])
        )
        self.successResultOf(stored)
        self.assertEqual(self.handler.calls, [])

    def test_refusal_of_a_message_to_oneself_belongs_to_it(self) -> None:
        """The reply to the fence is not taken for that of another command."""
        stored = self.alice.send("alice", "note")
        self.alice.dataReceived(classic.encode(classic.RESPONSE, "full") + classic.encode_names([]))
        self.assertEqual(str(self.failureResultOf(stored, Refused).value), "full")
        self.assertEqual(self.alice.outstanding, 0)

    def test_deliver_returns_the_number_of_messages(self) -> None:
        """The messages go to the handler; the number is 0 if none waits."""
        self.daemon.passwords["bob"] = None
        self.daemon.mail["bob"] = []
        self.alice.send("bob", "one")
        self.alice.send("bob", "two")
        self.daemon.pump()
        handler = RecordingHandler()
        bob = self.daemon.connect(handler)
        bob.login("bob")
        first, second = bob.deliver(), bob.deliver()
        self.daemon.pump()
        self.assertEqual(self.successResultOf(first), 2)
        self.assertEqual(self.successResultOf(second), 0)
        self.assertEqual(handler.calls, [("alice", "one"), ("alice", "two")])

    def test_delete_succeeds_with_the_reply_of_its_fence(self) -> None:
        """DELETE has no reply of its own on success."""
        deleted = self.alice.delete()
        self.assertNoResult(deleted)
        self.daemon.pump()
        self.successResultOf(deleted)
        self.assertNotIn("alice", self.daemon.passwords)

    def test_password_is_the_second_field(self) -> None:
        """It is omitted for an open account."""
        connection = self.daemon.connect(RecordingHandler())
        connection.create("carol", "a|||b")
        self.daemon.pump()
        self.assertEqual(self.daemon.received[-1], classic.Create("carol", "a|||b"))
        self.assertEqual(connection.name, "carol")
        self.assertEqual(self.daemon.received[0], classic.Create("alice", None))

    def test_unsendable_text_is_refused(self) -> None:
        """Separators and characters that are not ASCII are refused; no data is sent."""
        seen = len(self.daemon.received)
        for refused in (
            self.alice.send("bob", "a|||b"),
            self.alice.send("bob|", "text"),
            self.alice.send("bob", "caf\u00e9"),
            self.alice.list("\u00e9"),
            self.alice.login("a|||b"),
            self.alice.login("bob", "\u00e9"),
            # The server would take the end for an invite token.
            self.alice.create("carol", "a|||abcdefg-abcdefg-abcdefg-abcde"),
        ):
            self.failureResultOf(refused, Unsendable)
        self.daemon.pump()
        self.assertEqual(len(self.daemon.received), seen)
        self.assertEqual(self.alice.outstanding, 0)

    def test_quotes_and_braces_are_sent(self) -> None:
        """The old client refused them."""
        stored = self.alice.send("alice", '"{}"')
        self.daemon.pump()
        self.successResultOf(stored)

    def test_error_without_command_goes_to_the_handler(self) -> None:
        """It is the reply to no command."""
        self.alice.dataReceived(classic.encode(classic.RESPONSE, "going down"))
        self.assertEqual(self.handler.calls, [("error", "going down")])

    def test_lost_connection_fails_commands(self) -> None:
        """Pending and later commands fail; the handler is notified once."""
        pending, all_replied = self.alice.list("*"), self.alice.all_replied()
        self.alice.connectionLost(Failure(ConnectionDone()))
        self.failureResultOf(pending, ConnectionClosed)
        self.successResultOf(all_replied)
        self.failureResultOf(self.alice.list("*"), ConnectionClosed)
        self.assertEqual(self.handler.calls, [("lost", "")])

    def test_close_receives_what_is_on_its_way(self) -> None:
        """The handler gets the messages, but no notice of the end. A second call is allowed."""
        closed = self.alice.close()
        self.alice.dataReceived(classic.encode_send("bob", "alice", "wait"))
        self.assertNoResult(closed)
        self.daemon.pump()
        self.successResultOf(closed)
        self.assertEqual(self.handler.calls, [("bob", "wait")])
        self.assertEqual(self.daemon.clock.getDelayedCalls(), [])
        self.successResultOf(self.alice.close())

    def test_close_has_a_time_limit(self) -> None:
        """A server that does not close its side has `CLOSE_TIMEOUT` seconds."""
        self.alice.close()
        self.daemon.clock.advance(CLOSE_TIMEOUT)
        self.assertTrue(self.alice.transport.disconnecting)

    def test_drop_receives_nothing_more(self) -> None:
        """The handler is not called any more."""
        self.alice.drop()
        self.alice.dataReceived(classic.encode_send("bob", "alice", "wait"))
        self.alice.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.handler.calls, [])

    def test_other_protocol_ends_the_connection(self) -> None:
        """The reason says that it is not a chatd server."""
        self.alice.dataReceived(b"HTTP/1.1 400 Bad Request\r\n")
        self.assertTrue(self.alice.transport.disconnecting)
        self.alice.connectionLost(Failure(ConnectionDone()))
        [(_, reason)] = self.handler.calls
        self.assertIn("This is not a chatd server", reason)

    def test_list_that_was_not_requested_ends_the_connection(self) -> None:
        """Replies could not be attributed to commands any more."""
        self.alice.dataReceived(classic.encode_names(["x"]))
        self.assertTrue(self.alice.transport.disconnecting)

    def test_connection_to_a_silent_server_ends_if_a_reply_is_pending(self) -> None:
        """The limit is `REPLY_TIMEOUT` seconds; without a pending command there is none."""
        self.daemon.clock.advance(10 * REPLY_TIMEOUT)
        pending = self.alice.list("*")
        self.daemon.clock.advance(REPLY_TIMEOUT - 1)
        self.assertFalse(self.alice.transport.disconnecting)
        self.daemon.clock.advance(1)
        self.assertTrue(self.alice.transport.disconnecting)
        self.alice.connectionLost(Failure(ConnectionDone()))
        self.failureResultOf(pending, ConnectionClosed)
        self.assertEqual(
            self.handler.calls, [("lost", "The server has not answered for 60 seconds.")]
        )

    def test_paused_connection_has_no_deadline(self) -> None:
        """While nothing is read, the server's reply cannot arrive."""
        pending = self.alice.list("*")
        self.alice.pauseProducing()
        self.daemon.clock.advance(10 * REPLY_TIMEOUT)
        self.assertFalse(self.alice.transport.disconnecting)
        self.alice.resumeProducing()
        self.daemon.pump()
        self.assertEqual(self.successResultOf(pending), ("alice",))
        self.assertEqual(self.daemon.clock.getDelayedCalls(), [])


class ConnectTests(SynchronousTestCase):
    """`connect`."""

    def test_connecting_has_a_time_limit(self) -> None:
        """The attempt fails after `CONNECT_TIMEOUT` seconds without an answer."""
        reactor = MemoryReactorClock()
        attempt = connect(reactor, "192.0.2.1", 65432, RecordingHandler())
        reactor.advance(CONNECT_TIMEOUT - 1)
        self.assertNoResult(attempt)
        reactor.advance(1)
        self.failureResultOf(attempt, defer.TimeoutError, ConnectingCancelledError)

    def test_refused_connection_fails(self) -> None:
        """The failure is Twisted's for a closed port."""
        reactor = MemoryReactorClock()
        attempt = connect(reactor, "127.0.0.1", 1, RecordingHandler())
        reactor.advance(0)
        [(host, port, factory, _, _)] = reactor.tcpClients
        self.assertEqual((host, port), ("127.0.0.1", 1))
        factory.clientConnectionFailed(reactor.connectors[0], Failure(ConnectionRefusedError()))
        reactor.advance(1)
        self.failureResultOf(attempt, ConnectionRefusedError)
