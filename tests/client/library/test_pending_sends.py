"""Messages with a key: sent again over each new connection until they are answered."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.library.errors import ConnectionClosed, RefusedByServer
from chatd.client.library.pending_sends import PendingSends
from chatd.codecs import v1_messages as c
from chatd.core.errors import Refused


class FakeConnection:
    """A connection that records requests with the Deferreds of their answers."""

    def __init__(self) -> None:
        self.requests: list[tuple[c.Send, Deferred[Any]]] = []

    def request(self, message: Any) -> Deferred[Any]:
        """Record a message, and set its `ref`, as a connection does."""
        message.ref = len(self.requests) + 1
        answer: Deferred[Any] = Deferred()
        self.requests.append((message, answer))
        return answer

    def texts(self) -> list[str]:
        """The texts sent."""
        return [message.text for message, _ in self.requests]

    def lose(self) -> None:
        """Fail all requests."""
        for _, answer in self.requests:
            if not answer.called:
                answer.errback(ConnectionClosed())


class PendingSendsTests(SynchronousTestCase):
    """Messages on one connection and the next."""

    def setUp(self) -> None:
        self.sends = PendingSends()
        self.connection: Any = FakeConnection()

    def post(self, text: str, connection: Any = None) -> Deferred[c.Accepted]:
        """Post a text to bob."""
        return self.sends.post(c.Send(0, "bob", text, f"key of {text}"), connection)

    def lose(self) -> None:
        """Lose the connection, in the order of `Connection.connectionLost`."""
        self.sends.connection_lost(self.connection)
        self.connection.lose()

    def test_message_is_sent_once_per_connection(self) -> None:
        """`resend` skips what was already sent over the same connection."""
        self.post("a", self.connection)
        self.sends.resend(self.connection)
        self.assertEqual(self.connection.texts(), ["a"])

    def test_answer_is_returned(self) -> None:
        """Accepted or refused, a message is not sent again."""
        accepted, refused = self.post("a", self.connection), self.post("b", self.connection)
        (_, first), (_, second) = self.connection.requests
        second.errback(RefusedByServer("blocked", "No."))
        first.callback(c.Accepted(1, "@bob", 1, 9, 0))
        self.assertEqual(self.successResultOf(accepted).seq, 1)
        self.failureResultOf(refused, Refused)
        again: Any = FakeConnection()
        self.sends.resend(again)
        self.assertEqual(again.texts(), [])

    def test_message_waits_for_a_connection(self) -> None:
        """Posted without one, it is sent over the next, after the messages before it."""
        self.post("a", self.connection)
        self.lose()
        self.post("b")
        again: Any = FakeConnection()
        self.sends.resend(again)
        self.assertEqual(again.texts(), ["a", "b"])

    def test_message_is_sent_again_unchanged(self) -> None:
        """It has the same key; the caller's message is not modified."""
        message = c.Send(0, "bob", "a", "key")
        self.sends.post(message, self.connection)
        self.lose()
        again: Any = FakeConnection()
        self.sends.resend(again)
        self.assertEqual(again.requests[0][0].key, "key")
        self.assertEqual(message.ref, 0)

    def test_lost_connection_does_not_fail_a_message(self) -> None:
        """Its answer comes over the next connection."""
        answer = self.post("a", self.connection)
        self.lose()
        self.assertNoResult(answer)
        again: Any = FakeConnection()
        self.sends.resend(again)
        again.requests[0][1].callback(c.Accepted(1, "@bob", 1, 9, 0))
        self.successResultOf(answer)

    def test_cancelled_message_is_sent_again(self) -> None:
        """A caller that stops waiting does not take the message back."""
        answer = self.post("a", self.connection)
        answer.cancel()
        self.failureResultOf(answer)
        self.lose()
        again: Any = FakeConnection()
        self.sends.resend(again)
        self.assertEqual(again.texts(), ["a"])
        again.requests[0][1].callback(c.Accepted(1, "@bob", 1, 9, 0))

    def test_fail_fails_all_messages(self) -> None:
        """None is sent again, and a late answer is ignored."""
        answers = [self.post("a", self.connection), self.post("b")]
        self.sends.fail(ConnectionClosed())
        for answer in answers:
            self.failureResultOf(answer, ConnectionClosed)
        self.connection.requests[0][1].callback(c.Accepted(1, "@bob", 1, 9, 0))
        again: Any = FakeConnection()
        self.sends.resend(again)
        self.assertEqual(again.texts(), [])
