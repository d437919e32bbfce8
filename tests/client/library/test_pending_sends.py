"""Messages with a key: sent again until they are answered with more than a temporary refusal."""

from __future__ import annotations

import random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.library.backoff import FIRST_DELAY, LONGEST_DELAY, Backoff
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
        self.clock = Clock()
        self.retries: list[tuple[str, float]] = []
        self.sends = PendingSends(
            self.clock,
            Backoff(random.Random(1)),
            lambda refusal, delay: self.retries.append((refusal.code, delay)),
        )
        connection: Any = FakeConnection()
        self.connection = connection
        self.sends.resend(connection)

    def post(self, text: str) -> Deferred[c.Accepted]:
        """Post a text to bob."""
        return self.sends.post(c.Send(0, "bob", text, f"key of {text}"))

    def refuse(self, number: int, code: str) -> None:
        """Refuse a request of the connection."""
        self.connection.requests[number][1].errback(RefusedByServer(code, "No."))

    def lose(self) -> None:
        """Lose the connection, in the order of `Connection.connectionLost`."""
        self.sends.connection_lost(self.connection)
        self.connection.lose()

    def test_message_is_sent_once_per_connection(self) -> None:
        """`resend` skips what was already sent over the same connection."""
        self.post("a")
        self.sends.resend(self.connection)
        self.assertEqual(self.connection.texts(), ["a"])

    def test_answer_is_returned(self) -> None:
        """Accepted or refused, a message is not sent again."""
        accepted, refused = self.post("a"), self.post("b")
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
        self.post("a")
        self.lose()
        self.post("b")
        again: Any = FakeConnection()
        self.sends.resend(again)
        self.assertEqual(again.texts(), ["a", "b"])

    def test_message_is_sent_again_unchanged(self) -> None:
        """It has the same key; the caller's message is not modified, and may be modified later."""
        message = c.Send(0, "bob", "a", "key")
        self.sends.post(message)
        message.text = "b"
        self.lose()
        again: Any = FakeConnection()
        self.sends.resend(again)
        self.assertEqual((again.requests[0][0].text, again.requests[0][0].key), ("a", "key"))
        self.assertEqual(message.ref, 0)

    def test_lost_connection_does_not_fail_a_message(self) -> None:
        """Its answer comes over the next connection."""
        answer = self.post("a")
        self.lose()
        self.assertNoResult(answer)
        again: Any = FakeConnection()
        self.sends.resend(again)
        again.requests[0][1].callback(c.Accepted(1, "@bob", 1, 9, 0))
        self.successResultOf(answer)

    def test_cancelled_message_is_sent_again(self) -> None:
        """A caller that stops waiting does not take the message back."""
        answer = self.post("a")
        answer.cancel()
        self.failureResultOf(answer)
        self.lose()
        again: Any = FakeConnection()
        self.sends.resend(again)
        self.assertEqual(again.texts(), ["a"])
        again.requests[0][1].callback(c.Accepted(1, "@bob", 1, 9, 0))

    def test_fail_fails_all_messages(self) -> None:
        """None is sent again, and a late answer is ignored."""
        answers = [self.post("a"), self.post("b")]
        self.sends.fail(ConnectionClosed())
        for answer in answers:
            self.failureResultOf(answer, ConnectionClosed)
        self.connection.requests[0][1].callback(c.Accepted(1, "@bob", 1, 9, 0))
        again: Any = FakeConnection()
        self.sends.resend(again)
        self.assertEqual(again.texts(), [])

    def test_temporary_refusal_is_retried(self) -> None:
        """After delays that grow, until the message is accepted; the program is notified."""
        answer = self.post("a")
        for number, code in enumerate(("busy", "store-unavailable", "busy")):
            self.refuse(number, code)
            nominal = FIRST_DELAY * 2**number
            self.assertEqual(self.retries[-1][0], code)
            self.assertTrue(nominal / 2 <= self.retries[-1][1] <= nominal)
            self.assertEqual(len(self.connection.requests), number + 1)
            self.clock.advance(nominal)
        self.assertNoResult(answer)
        self.connection.requests[3][1].callback(c.Accepted(1, "@bob", 1, 9, 0))
        self.successResultOf(answer)
        self.post("b")
        self.refuse(4, "busy")
        self.assertLessEqual(self.retries[-1][1], FIRST_DELAY, "a success resets the delay")

    def test_later_messages_wait_behind_a_retried_one(self) -> None:
        """They would overtake it; one timer is enough for several messages."""
        self.post("a")
        self.post("b")
        self.refuse(0, "busy")
        self.refuse(1, "busy")
        self.post("c")
        self.assertEqual((self.connection.texts(), len(self.retries)), (["a", "b"], 1))
        self.clock.advance(FIRST_DELAY)
        self.assertEqual(self.connection.texts(), ["a", "b", "a", "b", "c"])

    def test_retried_message_is_sent_over_the_next_connection(self) -> None:
        """At once; the timer ends with the connection."""
        self.post("a")
        self.refuse(0, "busy")
        self.lose()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        again: Any = FakeConnection()
        self.sends.resend(again)
        self.assertEqual(again.texts(), ["a"])

    def test_fail_ends_the_retries(self) -> None:
        """Nothing is sent later."""
        answer = self.post("a")
        self.refuse(0, "store-unavailable")
        self.sends.fail(ConnectionClosed())
        self.failureResultOf(answer, ConnectionClosed)
        self.clock.advance(LONGEST_DELAY)
        self.assertEqual(self.connection.texts(), ["a"])

    def test_message_that_the_next_server_cannot_take_is_refused(self) -> None:
        """It is not sent over every connection for ever."""
        answer = self.post("a")
        self.lose()
        again: Any = FakeConnection()
        self.sends.resend(again)
        again.requests[0][1].errback(RefusedByServer("frame-too-long", "No."))
        self.failureResultOf(answer, Refused)
        third: Any = FakeConnection()
        self.sends.resend(third)
        self.assertEqual(third.texts(), [])
