"""`Stream`: the messages that wait to be written to one call."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.protocols.grpc.account import GrpcAccount
from chatd.protocols.grpc.notices import MAX_NOTICES
from chatd.protocols.grpc.server import GrpcServer
from chatd.protocols.grpc.stream import (
    ACK_DELAY,
    KEEPALIVE_INTERVAL,
    KEEPALIVE_TIMEOUT,
    MAX_WAITING,
    MAX_WAITING_BYTES,
    Stream,
)
from tests.doubles.v1_clients import MainPortServer


class Streams(SynchronousTestCase):
    """One stream of an account that has notices only."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.account = GrpcAccount("ann", 1, self.clock, {})
        self.account.logged_in = True
        self.stream = Stream(self.account)
        self.account.streams.append(self.stream)

    def next(self) -> str | None:
        """The text of the next message."""
        waiting = self.stream.next()
        return None if waiting is None else waiting.message.message

    def test_ready_fires_with_the_first_message(self) -> None:
        """It fires at once if a message is waiting."""
        ready = self.stream.ready()
        self.assertNoResult(ready)
        self.account.notice("one")
        self.account.notice("two")
        self.successResultOf(ready)
        self.assertEqual(self.next(), "one")
        self.successResultOf(self.stream.ready())
        self.assertEqual(self.next(), "two")
        self.assertNoResult(self.stream.ready())

    def test_finished_stream_gives_the_messages_queued_before(self) -> None:
        """Later messages are dropped; `ready` fires at the end of the stream."""
        self.account.notice("one")
        self.stream.finish()
        self.account.notice("late")
        self.successResultOf(self.stream.ready())
        self.assertEqual([self.next(), self.next()], ["one", None])
        self.successResultOf(self.stream.ready())

    def test_unread_stream_holds_a_bounded_number_of_notices(self) -> None:
        """The others wait in the account, the latest of them; when it is read, they follow."""
        for number in range(3 * MAX_NOTICES):
            self.account.notice(str(number))
        self.assertEqual(len(self.stream._waiting), MAX_WAITING)
        texts = []
        while (text := self.next()) is not None:
            texts.append(int(text))
        self.assertEqual(texts[:MAX_WAITING], list(range(MAX_WAITING)))
        self.assertEqual(texts[MAX_WAITING:], list(range(2 * MAX_NOTICES, 3 * MAX_NOTICES)))

    def test_unread_stream_holds_a_bounded_number_of_bytes(self) -> None:
        """The others follow when it is read."""
        long = "x" * (MAX_WAITING_BYTES // 4)
        for _ in range(3):
            self.account.notice(long)
        for number in range(5):
            self.account.notice(str(number))
        self.assertEqual(len(self.stream._waiting), 8)
        self.account.notice(long)
        self.account.notice("late")
        self.assertEqual(len(self.stream._waiting), 9)
        self.assertEqual(self.next(), long)
        self.assertEqual(len(self.stream._waiting), 9)
        texts = [self.next() for _ in range(9)]
        self.assertEqual(texts, [long, long, *map(str, range(5)), long, "late"])
        self.assertIsNone(self.next())

    def test_closed_stream_leaves_no_timers(self) -> None:
        """It gives nothing more, and what was written to it has not been read."""
        for text in ("one", "two"):
            self.account.notice(text)
        waiting = self.stream.next()
        assert waiting is not None
        self.stream.written(waiting)
        self.account.close(self.stream)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertIsNone(self.next())
        self.assertEqual(self.account.notices.read, 0)


class Rounds(SynchronousTestCase):
    """The delay after which a message counts as read."""

    def test_it_is_longer_than_a_round_of_pings(self) -> None:
        """gRPC has the same times as the streams, so an unreachable client has none open by
        then."""
        self.assertGreater(ACK_DELAY, KEEPALIVE_INTERVAL + KEEPALIVE_TIMEOUT)
        options = dict(GrpcServer(MainPortServer().factory)._options())
        self.assertEqual(options["grpc.keepalive_time_ms"], KEEPALIVE_INTERVAL * 1000)
        for name in ("grpc.keepalive_timeout_ms", "grpc.http2.ping_timeout_ms"):
            self.assertEqual(options[name], KEEPALIVE_TIMEOUT * 1000)
