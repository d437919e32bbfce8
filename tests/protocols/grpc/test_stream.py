"""`Stream`: the messages that wait to be written to one call."""

from __future__ import annotations

from chatd.codecs.chat_pb2 import ChatMessage
from chatd.protocols.grpc.stream import MAX_WAITING, Shown, Stream
from tests.realm.case import AckRealmCase


class Streams(AckRealmCase):
    """One stream, which records when it has room again."""

    def setUp(self) -> None:
        super().setUp()
        self.rooms = 0
        self.stream = Stream(self.has_room)

    def has_room(self) -> None:
        """Count the notifications of room."""
        self.rooms += 1

    def put(self, *texts: str) -> None:
        """Queue messages with seqs from 1."""
        for seq, text in enumerate(texts, 1):
            self.stream.put(ChatMessage(message=text), Shown(self.ann, seq))

    def next(self) -> tuple[str, int] | None:
        """(text, seq) of the next message; the seq is 0 if it shows no entry."""
        waiting = self.stream.next()
        if waiting is None:
            return None
        message, shown = waiting
        return message.message, 0 if shown is None else shown.seq

    def test_messages_are_taken_in_order_with_their_seqs(self) -> None:
        """A message that shows no entry has none."""
        self.put("one", "two")
        self.stream.put(ChatMessage(message="notice"))
        self.assertEqual(
            [self.next() for _ in range(4)], [("one", 1), ("two", 2), ("notice", 0), None]
        )

    def test_ready_fires_with_the_first_message(self) -> None:
        """It fires at once if a message is waiting."""
        ready = self.stream.ready()
        self.assertNoResult(ready)
        self.put("one", "two")
        self.successResultOf(ready)
        self.next()
        self.successResultOf(self.stream.ready())
        self.next()
        self.assertNoResult(self.stream.ready())

    def test_ended_stream_gives_the_messages_queued_before(self) -> None:
        """Later messages are dropped; `ready` fires at the end of the stream."""
        ready = self.stream.ready()
        self.stream.end()
        self.successResultOf(ready)
        stream = self.stream = Stream(self.has_room)
        self.put("one")
        stream.end()
        self.put("late")
        self.successResultOf(stream.ready())
        self.assertEqual([self.next(), self.next()], [("one", 1), None])
        self.successResultOf(stream.ready())

    def test_full_stream_notifies_when_it_has_room_again(self) -> None:
        """It notifies once, not with each message that is taken."""
        self.put(*map(str, range(MAX_WAITING - 1)))
        self.assertFalse(self.stream.full)
        self.put("last")
        self.assertTrue(self.stream.full)
        self.next()
        self.assertEqual((self.stream.full, self.rooms), (False, 1))
        self.next()
        self.assertEqual(self.rooms, 1)
