"""The client's end of the classic protocol: replies in order, what is pushed, what cannot be
sent."""

from __future__ import annotations

from twisted.internet import defer
from twisted.internet.error import ConnectingCancelledError, ConnectionDone, ConnectionRefusedError
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.classic.connection import (
    CONNECT_TIME,
    LEAVE_TIME,
    REPLY_TIME,
    Connection,
    Disconnected,
    Unsendable,
    connect,
)
from chatd.codecs import classic
from chatd.core.errors import Refused
from tests.doubles.classic_server import FakeDaemon
from tests.doubles.screen import Listener


class ConnectionTests(SynchronousTestCase):
    """One or two clients of a daemon in memory."""

    def setUp(self) -> None:
        self.daemon = FakeDaemon()
        self.listener = Listener()
        self.alice = self.enter("alice", self.listener)

    def enter(self, name: str, listener: Listener) -> Connection:
        """A connection logged in as a new account."""
        connection = self.daemon.connect(listener)
        created = connection.create(name)
        self.daemon.pump()
        self.assertIsNone(self.successResultOf(created))
        return connection

    def test_replies_come_in_order(self) -> None:
        """Many commands under way at once each get their own reply, refusals included."""
        self.enter("bob", Listener())
        stored = self.alice.send("bob", "one")
        refused = self.alice.send("nobody", "two")
        names = self.alice.list("b*")
        again = self.alice.send("bob", "three")
        self.assertEqual(self.alice.outstanding, 4)
        settled = self.alice.settled()
        self.assertNoResult(settled)
        self.daemon.pump()
        self.assertIsNone(self.successResultOf(stored))
        self.assertIn("nobody does not exist", str(self.failureResultOf(refused, Refused).value))
        self.assertEqual(self.successResultOf(names), ("bob",))
        self.assertIsNone(self.successResultOf(again))
        self.assertIsNone(self.successResultOf(settled))

    def test_replies_cut_anywhere(self) -> None:
        """The server's bytes may come one by one."""
        listed = self.alice.list("*")
        for byte in classic.encode_names(["alice", "bob"]):
            self.assertNoResult(listed)
            self.alice.dataReceived(bytes([byte]))
        self.assertEqual(self.successResultOf(listed), ("alice", "bob"))

    def test_pushed_between_command_and_reply(self) -> None:
        """A message that comes while a reply is awaited is a message, and the reply is still
        awaited."""
        stored = self.alice.send("bob", "hi")
        self.alice.dataReceived(classic.encode_send("bob", "alice", "hi"))
        self.assertNoResult(stored)
        self.alice.dataReceived(classic.encode_send("alice", "bob", "hi"))
        self.assertIsNone(self.successResultOf(stored))
        self.assertEqual(self.listener.heard, [("bob", "hi")])

    def test_to_oneself(self) -> None:
        """Of the two copies one is a message and one the acknowledgement, and nothing is left
        over."""
        first, second = self.alice.send("alice", "note"), self.alice.send("alice", "note")
        self.daemon.pump()
        self.assertIsNotNone(self.successResultOf(first))
        self.assertIsNotNone(self.successResultOf(second))
        self.assertEqual(self.listener.heard, [("alice", "note")] * 2)
        self.assertEqual(self.alice.outstanding, 0)

    def test_to_oneself_delivered_later(self) -> None:
        """A server that delivers to us later has acknowledged all the same."""
        stored = self.alice.send("alice", "note")
        self.alice.dataReceived(
            classic.encode_send("alice", "alice", "note") + classic.encode_names([])
        )
        self.successResultOf(stored)
        self.assertEqual(self.listener.heard, [])

    def test_to_oneself_refused(self) -> None:
        """A refusal of a fenced command is that command's, and the fence's reply nobody's."""
        stored = self.alice.send("alice", "note")
        self.alice.dataReceived(classic.encode(classic.RESPONSE, "full") + classic.encode_names([]))
        self.assertEqual(str(self.failureResultOf(stored, Refused).value), "full")
        self.assertEqual(self.alice.outstanding, 0)

    def test_deliver_counts(self) -> None:
        """The waiting mail goes to the audience, its number to who asked; nothing waiting is 0."""
        self.daemon.passwords["bob"] = None
        self.daemon.mail["bob"] = []
        self.alice.send("bob", "one")
        self.alice.send("bob", "two")
        self.daemon.pump()
        listener = Listener()
        bob = self.daemon.connect(listener)
        bob.login("bob")
        first, second = bob.deliver(), bob.deliver()
        self.daemon.pump()
        self.assertEqual(self.successResultOf(first), 2)
        self.assertEqual(self.successResultOf(second), 0)
        self.assertEqual(listener.heard, [("alice", "one"), ("alice", "two")])

    def test_delete(self) -> None:
        """DELETE has no reply of its own, and yet we know when it is done."""
        deleted = self.alice.delete()
        self.assertNoResult(deleted)
        self.daemon.pump()
        self.successResultOf(deleted)
        self.assertNotIn("alice", self.daemon.passwords)

    def test_password(self) -> None:
        """It is the second field, and only there if there is one."""
        connection = self.daemon.connect(Listener())
        connection.create("carol", "a|||b")
        self.daemon.pump()
        self.assertEqual(self.daemon.seen[-1], classic.Create("carol", "a|||b"))
        self.assertEqual(connection.name, "carol")
        self.assertEqual(self.daemon.seen[0], classic.Create("alice", None))

    def test_unsendable(self) -> None:
        """What the protocol would cut or change is refused before a byte is sent."""
        seen = len(self.daemon.seen)
        for refused in (
            self.alice.send("bob", "a|||b"),
            self.alice.send("bob|", "text"),
            self.alice.send("bob", "caf\u00e9"),
            self.alice.list("\u00e9"),
            self.alice.login("a|||b"),
            self.alice.login("bob", "\u00e9"),
        ):
            self.failureResultOf(refused, Unsendable)
        self.daemon.pump()
        self.assertEqual(len(self.daemon.seen), seen)
        self.assertEqual(self.alice.outstanding, 0)

    def test_old_forbidden_characters(self) -> None:
        """Quotes and braces are ordinary."""
        stored = self.alice.send("alice", '"{}"')
        self.daemon.pump()
        self.successResultOf(stored)

    def test_unasked_error(self) -> None:
        """An error that answers nothing goes to the audience."""
        self.alice.dataReceived(classic.encode(classic.RESPONSE, "going down"))
        self.assertEqual(self.listener.heard, [("notice", "going down")])

    def test_lost(self) -> None:
        """All that is owed fails, and so does every later command; the audience is told once."""
        owed, settled = self.alice.list("*"), self.alice.settled()
        self.alice.connectionLost(Failure(ConnectionDone()))
        self.failureResultOf(owed, Disconnected)
        self.successResultOf(settled)
        self.failureResultOf(self.alice.list("*"), Disconnected)
        self.assertEqual(self.listener.heard, [("disconnected", "")])

    def test_left(self) -> None:
        """What was on its way is still heard; who leaves is not told that the connection is
        gone."""
        left = self.alice.leave()
        self.alice.dataReceived(classic.encode_send("bob", "alice", "wait"))
        self.assertNoResult(left)
        self.daemon.pump()
        self.successResultOf(left)
        self.assertEqual(self.listener.heard, [("bob", "wait")])
        self.assertEqual(self.daemon.clock.getDelayedCalls(), [])
        self.successResultOf(self.alice.leave())

    def test_left_without_an_answer(self) -> None:
        """A server that does not close its end is not waited for long."""
        self.alice.leave()
        self.daemon.clock.advance(LEAVE_TIME)
        self.assertTrue(self.alice.transport.disconnecting)

    def test_dropped(self) -> None:
        """Who is in a hurry hears nothing more."""
        self.alice.drop()
        self.alice.dataReceived(classic.encode_send("bob", "alice", "wait"))
        self.alice.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.listener.heard, [])

    def test_another_protocol(self) -> None:
        """A server that speaks something else is named as that, and dropped."""
        self.alice.dataReceived(b"HTTP/1.1 400 Bad Request\r\n")
        self.assertTrue(self.alice.transport.disconnecting)
        self.alice.connectionLost(Failure(ConnectionDone()))
        [(_, reason)] = self.listener.heard
        self.assertIn("This is not a chatd server", reason)

    def test_list_that_nobody_asked_for(self) -> None:
        """The order is lost, so the connection is of no use."""
        self.alice.dataReceived(classic.encode_names(["x"]))
        self.assertTrue(self.alice.transport.disconnecting)

    def test_silent_server(self) -> None:
        """A server that owes a reply has a minute; one that owes nothing may be silent for ever."""
        self.daemon.clock.advance(10 * REPLY_TIME)
        owed = self.alice.list("*")
        self.daemon.clock.advance(REPLY_TIME - 1)
        self.assertFalse(self.alice.transport.disconnecting)
        self.daemon.clock.advance(1)
        self.assertTrue(self.alice.transport.disconnecting)
        self.alice.connectionLost(Failure(ConnectionDone()))
        self.failureResultOf(owed, Disconnected)
        self.assertEqual(
            self.listener.heard, [("disconnected", "The server has not answered for 60 seconds.")]
        )

    def test_full_screen_is_not_the_servers_fault(self) -> None:
        """While we do not read, the server is given all the time there is."""
        owed = self.alice.list("*")
        self.alice.pauseProducing()
        self.daemon.clock.advance(10 * REPLY_TIME)
        self.assertFalse(self.alice.transport.disconnecting)
        self.alice.resumeProducing()
        self.daemon.pump()
        self.assertEqual(self.successResultOf(owed), ("alice",))
        self.assertEqual(self.daemon.clock.getDelayedCalls(), [])


class ConnectTests(SynchronousTestCase):
    """Getting there."""

    def test_time_limit(self) -> None:
        """An address that does not answer is given up."""
        reactor = MemoryReactorClock()
        attempt = connect(reactor, "192.0.2.1", 65432, Listener())
        reactor.advance(CONNECT_TIME - 1)
        self.assertNoResult(attempt)
        reactor.advance(1)
        self.failureResultOf(attempt, defer.TimeoutError, ConnectingCancelledError)

    def test_refused(self) -> None:
        """A closed port is told as such."""
        reactor = MemoryReactorClock()
        attempt = connect(reactor, "127.0.0.1", 1, Listener())
        reactor.advance(0)
        [(host, port, factory, _, _)] = reactor.tcpClients
        self.assertEqual((host, port), ("127.0.0.1", 1))
        factory.clientConnectionFailed(reactor.connectors[0], Failure(ConnectionRefusedError()))
        reactor.advance(1)
        self.failureResultOf(attempt, ConnectionRefusedError)
