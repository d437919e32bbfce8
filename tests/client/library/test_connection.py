"""One connection of version 1: answers, events, the idle timer, and how it ends."""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.library.connection import IDLE_TIMEOUT, REQUEST_TIMEOUT, Connection
from chatd.client.library.errors import ConnectionClosed, RefusedByServer
from chatd.codecs import v1_messages as c
from chatd.codecs.v1 import encode, server_decoder
from chatd.core.errors import Refused


class RecordingHandler:
    """A handler that records what it is called with."""

    def __init__(self) -> None:
        self.events: list[c.Message] = []
        self.lost: list[str] = []

    def event_received(self, message: c.Message) -> None:
        """Record it."""
        self.events.append(message)

    def connection_lost(self, connection: Connection, reason: str) -> None:
        """Record the reason."""
        self.lost.append(reason)


class ConnectionTests(SynchronousTestCase):
    """A connection on a transport in memory."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.handler = RecordingHandler()
        self.connection = Connection(self.handler, self.clock)
        self.transport = StringTransport()
        self.connection.makeConnection(self.transport)

    def written(self) -> list[Any]:
        """The messages written since the last call."""
        messages = server_decoder(1 << 20).feed(self.transport.value())
        self.transport.clear()
        return messages

    def receive(self, *messages: c.Message) -> None:
        """Let messages of the server arrive."""
        self.connection.dataReceived(b"".join(map(encode, messages)))

    def lose(self, error: BaseException | None = None) -> None:
        """End the connection."""
        self.connection.connectionLost(Failure(error or ConnectionDone()))

    def test_answers_go_to_their_requests(self) -> None:
        """Requests are numbered; answers may come in another order."""
        first, second = self.connection.request(c.Ping(0)), self.connection.request(c.Ping(0))
        self.assertEqual(self.written(), [c.Ping(1), c.Ping(2)])
        self.receive(c.Pong(2))
        self.assertEqual(self.successResultOf(second), c.Pong(2))
        self.assertNoResult(first)
        self.receive(c.Refusal(1, "busy", "Later."))
        refused = self.failureResultOf(first, RefusedByServer).value
        self.assertEqual((refused.code, str(refused)), ("busy", "Later."))

    def test_answer_without_request_is_ignored(self) -> None:
        """It is neither an error nor an event."""
        self.receive(c.Done(7), c.Refusal(7, "busy", "?"), c.Refusal(0, "malformed", "?"))
        self.assertEqual((self.handler.events, self.transport.disconnecting), ([], False))

    def test_answer_of_another_kind_ends_the_connection(self) -> None:
        """The request fails with a sentence that names both; so it does with an answer whose
        contents are impossible."""
        room = c.RoomState(1, c.LogState("#den", 5, 0, 0, 0))
        limits = c.Limits(1, 1, 1, 1, 1.0, 1000)
        welcome = c.Welcome(1, "chatd", "1", limits, "open", True, 0, 0.0)
        for request, answer in (
            (c.Hello(0), c.Done(1)),
            (c.Ping(0), c.Done(1)),
            (c.Unwatch(0, []), c.Pong(1)),
            (c.Send(0, "bob", "x"), c.Done(1)),
            (c.Join(0, "#den"), room),
            (c.Hello(0), welcome),
        ):
            self.setUp()
            failed = self.connection.request(request)
            self.receive(answer)
            self.assertTrue(self.transport.disconnecting)
            self.lose()
            sentence = str(self.failureResultOf(failed, ConnectionClosed).value)
            self.assertIn("not a chatd server that speaks version 1", sentence)
            self.assertIn(f"{type(answer).__name__} is no answer to", sentence)

    def test_refusal_without_ref_fails_the_request_it_is_about(self) -> None:
        """The server could not read its number, but names the command: requests are answered in
        order, so it is the first one of that command."""
        ping = self.connection.request(c.Ping(0))
        topics = [self.connection.request(c.SetTopic(0, "#den", topic)) for topic in "ab"]
        sending = self.connection.request(c.Send(0, "bob", "x"))
        self.receive(c.Refusal(0, "frame-too-long", "Too long.", c.SetTopic.command))
        refused = self.failureResultOf(topics[0], RefusedByServer).value
        self.assertEqual((refused.code, str(refused)), ("frame-too-long", "Too long."))
        self.receive(c.Refusal(0, "malformed", "?", c.Send.command))
        self.failureResultOf(sending, RefusedByServer)
        for waiting in (ping, topics[1]):
            self.assertNoResult(waiting)

    def test_refusal_without_ref_of_one_of_several_messages_ends_the_connection(self) -> None:
        """Their answers have no order: it is not known which one is refused."""
        sends = [self.connection.request(c.Send(0, "bob", text)) for text in "ab"]
        self.receive(c.Refusal(0, "frame-too-long", "Too long.", c.Send.command))
        self.assertTrue(self.transport.disconnecting)
        self.lose()
        for sending in sends:
            self.assertEqual(
                str(self.failureResultOf(sending, ConnectionClosed).value), "Too long."
            )

    def test_request_that_cannot_be_sent_fails_and_uses_no_number(self) -> None:
        """Nothing is written. The limits are those of the server, once they are known."""
        self.failureResultOf(self.connection.request(c.Send(0, "bob", "\ud800")), Refused)
        long = c.SetTopic(0, "#den", 2000 * "x")
        self.connection.request(long).addErrback(lambda _: None)
        self.assertEqual(self.written(), [long])
        self.connection.limits = c.Limits(1000, 4000, 256, 256, 0.0, 1500)
        refused = self.failureResultOf(self.connection.request(long), Refused).value
        self.assertEqual(refused.code, "frame-too-long")
        self.connection.request(c.Ping(0)).addErrback(lambda _: None)
        self.assertEqual(self.written(), [c.Ping(2)])

    def test_request_without_answer_ends_the_connection(self) -> None:
        """A slow server answers one after another; answers to later requests, such as the pings of
        the idle check, do not count."""
        requests = [self.connection.request(c.Who(0, [name])) for name in "abc"]
        self.clock.advance(REQUEST_TIMEOUT - 1)
        self.receive(c.People(1, []))
        self.clock.advance(REQUEST_TIMEOUT - 1)
        self.assertFalse(self.transport.disconnecting)
        pings = [message for message in self.written() if isinstance(message, c.Ping)]
        self.receive(c.People(3, []), *(c.Pong(ping.ref) for ping in pings))
        self.clock.advance(1)
        self.assertTrue(self.transport.disconnecting)
        self.lose()
        self.successResultOf(requests[0])
        self.successResultOf(requests[2])
        closed = self.failureResultOf(requests[1], ConnectionClosed).value
        self.assertIn("has not answered a request for 120 seconds", str(closed))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_events_go_to_the_handler(self) -> None:
        """They arrive in the order of the stream."""
        events: list[c.Message] = [c.Typing("@ann", "bob", True), c.Left("#den", "left")]
        self.receive(*events)
        self.assertEqual(self.handler.events, events)

    def test_message_without_answer_is_sent(self) -> None:
        """When the connection is lost, it is dropped."""
        self.connection.send(c.Ack(0, "@ann", 7))
        self.assertEqual(self.written(), [c.Ack(0, "@ann", 7)])
        self.lose()
        self.connection.send(c.Ack(0, "@ann", 8))
        self.assertEqual(self.written(), [])

    def test_ping_of_the_server_is_answered(self) -> None:
        """The answer has the same `ref`."""
        self.receive(c.Ping(7))
        self.assertEqual(self.written(), [c.Pong(7)])

    def test_unknown_message_is_ignored(self) -> None:
        """Its number is unknown: it is from a later version of the protocol."""
        self.connection.dataReceived(b"\x01\x7f\x00\x00\x00\x01\x90")
        self.assertFalse(self.transport.disconnecting)

    def test_malformed_message_ends_the_connection(self) -> None:
        """The rest of the data is discarded, and the handler gets the reason."""
        malformed = b"\x01\x50\x00\x00\x00\x01\x90"
        self.connection.dataReceived(malformed + encode(c.Typing("@ann", "bob", True)))
        self.assertTrue(self.transport.disconnecting)
        self.lose()
        self.assertEqual(self.handler.events, [])
        self.assertIn("not a chatd server that speaks version 1", self.handler.lost[0])

    def test_silent_server_is_pinged_then_given_up(self) -> None:
        """Any data from the server restarts the idle time."""
        self.connection.idle_timeout = 30.0
        self.clock.advance(IDLE_TIMEOUT)
        self.assertEqual(self.written(), [], "the connection has just begun")
        self.clock.advance(30)
        self.assertEqual(self.written(), [c.Ping(1)])
        self.receive(c.Pong(1))
        self.clock.advance(30)
        self.clock.advance(30)
        self.assertEqual(self.written(), [c.Ping(2)])
        self.assertFalse(self.transport.disconnecting)
        self.clock.advance(30)
        self.assertTrue(self.transport.disconnecting)
        self.lose()
        self.assertEqual(self.handler.lost, ["The server has not answered for 30 seconds."])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_lost_connection_fails_requests(self) -> None:
        """Pending and later ones, after the handler was notified."""
        pending = self.connection.request(c.Ping(0))
        self.lose()
        self.assertEqual(len(self.handler.lost), 1)
        closed = self.failureResultOf(pending, ConnectionClosed).value
        self.assertEqual(
            (str(closed), closed.explained), ("The connection to the server is closed.", False)
        )
        self.failureResultOf(self.connection.request(c.Ping(0)), ConnectionClosed)

    def test_request_before_the_connection_is_made_fails(self) -> None:
        """There is no transport yet."""
        connection = Connection(self.handler, self.clock)
        self.failureResultOf(connection.request(c.Ping(0)), ConnectionClosed)

    def test_explanation_of_the_server_is_the_reason(self) -> None:
        """A `Goodbye`, or a refusal without request that announces the end."""
        for message in (
            c.Goodbye("stopping", "Stopping."),
            c.Refusal(0, "broken", "Stopping."),
            c.Refusal(0, "too-slow", "Stopping."),
        ):
            self.setUp()
            pending = self.connection.request(c.Ping(0))
            self.receive(message)
            self.lose()
            self.assertEqual(self.handler.lost, ["Stopping."])
            self.assertTrue(self.failureResultOf(pending, ConnectionClosed).value.explained)

    def test_tls_error_is_the_reason(self) -> None:
        """An error of the handshake explains the end."""
        pending = self.connection.request(c.Ping(0))
        self.lose(SSL.Error([("SSL routines", "", "no shared cipher")]))
        self.assertEqual(self.handler.lost, ["The TLS handshake failed: no shared cipher."])
        self.assertTrue(self.failureResultOf(pending, ConnectionClosed).value.explained)

    def test_first_reason_of_abort_is_the_reason(self) -> None:
        """It takes precedence over the explanation of the server."""
        self.receive(c.Goodbye("stopping", "Stopping."))
        self.connection.abort("One.")
        self.connection.abort("Two.")
        self.assertTrue(self.transport.disconnecting)
        self.lose(ConnectionLost())
        self.assertEqual(self.handler.lost, ["One."])

    def test_reason_of_a_plain_end_says_how_it_ended(self) -> None:
        """The server closed the connection, or it broke; none if the client has ended it."""
        for error, end, reason in (
            (ConnectionDone(), None, "The server closed the connection."),
            (ConnectionLost(), None, "The connection was lost."),
            (ConnectionDone(), lambda: self.connection.close(), ""),
            (ConnectionLost(), lambda: self.connection.abort(""), ""),
        ):
            self.setUp()
            if end is not None:
                end()
            self.lose(error)
            self.assertEqual(self.handler.lost, [reason])

    def test_close_waits_for_the_end(self) -> None:
        """Each caller is notified; after the end, `close` returns at once."""
        first, second = self.connection.close(), self.connection.close()
        self.assertTrue(self.transport.disconnecting)
        self.assertNoResult(first)
        self.lose()
        for closed in (first, second, self.connection.close()):
            self.successResultOf(closed)
