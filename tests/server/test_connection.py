"""`Connection`, by the classic protocol: slow readers, limits and turns."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs.classic import DELIVER, LIST, encode, encode_send
from tests.doubles.classic_clients import ClassicServer


class SlowReaders(SynchronousTestCase):
    """Clients that do not read cost other clients nothing and miss nothing."""

    def setUp(self) -> None:
        self.server = ClassicServer(page=3)
        self.ann = self.server.register("ann")
        self.bob = self.server.register("Bob")

    def test_a_slow_reader_falls_behind_and_catches_up(self) -> None:
        """What does not fit waits in the log, not in memory; it is sent in order later."""
        texts = [str(number) for number in range(40)]
        self.bob.transport.capacity = 200
        for text in texts:
            self.ann.send_texts("ann", "Bob", text)
        self.assertEqual(self.ann.receive_texts(), texts)
        self.assertLess(len(self.bob.transport.buffer), 200)
        self.bob.transport.drain()
        self.ann.send_texts("ann", "Bob", "last")
        self.assertEqual(self.bob.receive_texts(), [*texts, "last"])

    def test_commands_wait_while_output_waits(self) -> None:
        """A client that does not read its answers is not read from."""
        self.bob.transport.capacity = 0
        self.bob.send(encode(LIST))
        self.assertEqual(self.bob.transport.producerState, "paused")
        self.bob.transport.drain()
        self.assertEqual(
            (self.bob.receive_texts(), self.bob.transport.producerState), (["ann,Bob"], "producing")
        )

    def test_mail_that_has_not_arrived_is_delivered_again(self) -> None:
        """If the connection breaks, exactly the entries on their way wait again, as a whole."""
        frames = [encode_send("ann", "Bob", str(number)) for number in range(10)]
        self.ann.send(*frames)
        self.bob.transport.in_flight = len(frames[0]) * 2 + 1
        self.bob.disconnect()
        bob = self.server.log_in("Bob")
        bob.send(encode(DELIVER))
        self.assertEqual(bob.receive_texts(), ["7", "8", "9"])

    def test_mail_that_was_not_sent_is_delivered_again(self) -> None:
        """If the connection breaks, entries in the output buffer wait again."""
        self.bob.transport.capacity = 100
        self.ann.send_texts("ann", "Bob", *[str(number) for number in range(10)])
        read = self.bob.receive_texts()
        self.bob.disconnect()
        bob = self.server.log_in("Bob")
        bob.send(encode(DELIVER))
        self.assertEqual(read + bob.receive_texts(), [str(number) for number in range(10)])


class Limits(SynchronousTestCase):
    """Limits on time, rate and number."""

    def test_commands_over_the_rate_are_slowed_down(self) -> None:
        """Too many commands are all carried out, none is refused."""
        server = ClassicServer(rate=10.0, burst_seconds=1.0)
        ann = server.register("ann")
        ann.send(*[encode(LIST, f"*{number}") for number in range(30)])
        self.assertEqual((ann.receive_texts(), ann.transport.producerState), ([], "paused"))
        server.clock.advance(1.9)
        self.assertEqual(ann.receive_texts(), [])
        server.clock.advance(0.3)
        self.assertEqual((len(ann.receive_texts()), ann.transport.producerState), (30, "producing"))

    def test_a_burst_is_not_slowed_down(self) -> None:
        """As many commands as the burst allows are carried out at once."""
        server = ClassicServer(rate=10.0, burst_seconds=1.0)
        ann = server.register("ann")
        ann.send(*[encode(LIST)] * 8)
        self.assertEqual(len(ann.receive_texts()), 8)

    def test_an_unfinished_frame_closes_the_connection(self) -> None:
        """Half a frame is reported after 30 seconds, and the connection closed."""
        server = ClassicServer()
        ann, slow = server.register("ann"), server.register("slow")
        slow.send(encode(LIST)[:10])
        server.clock.advance(29)
        slow.send(encode(LIST)[10:20])
        self.assertEqual(slow.receive(), [])
        server.clock.advance(1.1)
        self.assertEqual(
            slow.receive_texts(), ["unfinished frame: the rest of it did not come within 30 s"]
        )
        self.assertTrue(slow.transport.half_closed)
        ann.send(encode(LIST))
        self.assertEqual(ann.receive_texts(), ["ann,slow"])

    def test_an_unfinished_frame_waits_while_the_server_does_not_read(self) -> None:
        """The rest of it may have arrived; the deadline begins again."""
        server = ClassicServer(rate=1.0, burst_seconds=1.0)
        slow = server.register("slow")
        slow.send(*[encode(LIST)] * 50, encode(LIST)[:10])
        self.assertEqual(slow.transport.producerState, "paused")
        server.clock.advance(31)
        self.assertEqual((slow.receive_texts(), slow.transport.half_closed), ([], False))
        server.clock.pump([10.0] * 10)
        self.assertEqual(len(slow.receive_texts()), 51)
        self.assertTrue(slow.transport.half_closed)

    def test_the_deadline_of_a_frame_runs_only_while_the_server_reads(self) -> None:
        """A client that did not read its answers for long has the whole time afterwards."""
        server = ClassicServer()
        slow = server.register("slow")
        slow.transport.capacity = 0
        slow.send(encode(LIST), encode(LIST)[:10])
        server.clock.advance(29.9)
        slow.transport.drain()
        slow.receive()
        server.clock.advance(29.9)
        slow.send(encode(LIST)[10:])
        self.assertEqual(slow.receive_texts(), ["slow"])
        slow.send(encode(LIST)[:10])
        server.clock.advance(30.1)
        self.assertTrue(slow.transport.half_closed)

    def test_work_beyond_the_rate_pauses_reading(self) -> None:
        """Work may be charged at any time, as when a message reaches a large room."""
        server = ClassicServer(rate=10.0, burst_seconds=1.0)
        ann = server.register("ann")
        ann.protocol.charge(19.0)
        self.assertEqual(ann.transport.producerState, "paused")
        server.clock.advance(1.1)
        self.assertEqual(ann.transport.producerState, "producing")

    def test_a_backlog_of_the_store_pauses_senders(self) -> None:
        """Senders are paused until the store has caught up."""
        server = ClassicServer(backlog=100)
        ann, bob = server.register("ann"), server.register("Bob")
        server.store.eager = False
        ann.send_texts("ann", "Bob", *["x" * 30] * 4)
        self.assertEqual(ann.transport.producerState, "paused")
        server.store.release()
        self.assertEqual((ann.transport.producerState, len(bob.receive_texts())), ("producing", 4))


class CountedList(list[Any]):
    """A list that counts the items which slices of it copy or move."""

    moved = 0

    def __getitem__(self, index: Any) -> Any:
        if not isinstance(index, slice):
            return super().__getitem__(index)
        items = CountedList(super().__getitem__(index))
        CountedList.moved += len(items)
        return items

    def __delitem__(self, index: Any) -> None:
        CountedList.moved += len(self)
        super().__delitem__(index)


class Turns(SynchronousTestCase):
    """A connection with much to do lets others have their turn."""

    def setUp(self) -> None:
        self.server = ClassicServer(rate=None, text=10_000)
        self.ann = self.server.register("ann")
        self.bob = self.server.register("Bob")

    def slow_down(self, seconds: float = 0.001) -> None:
        """Let so much time pass between two looks at the clock."""
        clock = self.server.clock

        def look() -> float:
            clock.rightNow += seconds
            return float(clock.rightNow)

        self.patch(clock, "seconds", look)

    def send_lists(self) -> list[str]:
        """Have Ann send a hundred LISTs in one segment; return their answers."""
        self.ann.send(*[encode(LIST, "a*"), encode(LIST, "B*")] * 50)
        return ["ann", "Bob"] * 50

    def test_other_connections_have_their_turn_between_commands(self) -> None:
        """All commands are answered, in their order; the connection is not read from meanwhile."""
        self.slow_down()
        expected = self.send_lists()
        answers = self.ann.receive_texts()
        self.assertLess(len(answers), 10)
        self.assertEqual(self.ann.transport.producerState, "paused")
        self.bob.send(encode(LIST))
        self.assertEqual(self.bob.receive_texts(), ["ann,Bob"])
        self.server.clock.advance(0)
        self.assertEqual(answers + self.ann.receive_texts(), expected)
        self.assertEqual(self.ann.transport.producerState, "producing")

    def test_connections_with_much_to_do_go_on_one_after_another(self) -> None:
        """However many send much at once, what is short is answered at once."""
        self.slow_down()
        cyd = self.server.register("cyd")
        expected = self.send_lists()
        cyd.send(encode(LIST, "c*") * 100)
        self.assertEqual((cyd.receive(), cyd.transport.producerState), ([], "paused"))
        self.bob.send(encode(LIST))
        self.assertEqual(self.bob.receive_texts(), ["ann,Bob,cyd"])
        self.server.clock.advance(0)
        self.assertEqual(self.ann.receive_texts(), expected)
        self.assertEqual(cyd.receive_texts(), ["cyd"] * 100)
        self.assertEqual(cyd.transport.producerState, "producing")

    def test_other_connections_have_their_turn_after_the_clock_was_set_back(self) -> None:
        """Time that goes back does not count as no time."""
        self.slow_down(-0.001)
        expected = self.send_lists()
        answers = self.ann.receive_texts()
        self.assertLess(len(answers), 10)
        self.slow_down()
        self.server.clock.advance(1)
        self.assertEqual(answers + self.ann.receive_texts(), expected)

    def test_commands_that_take_no_time_are_carried_out_at_once(self) -> None:
        """A burst of cheap commands waits for no other connection."""
        self.assertEqual(self.send_lists(), self.ann.receive_texts())

    def test_long_read_is_handled_in_steps(self) -> None:
        """What arrives meanwhile comes after it; frames may end anywhere."""
        self.slow_down()
        texts = [str(number) + "x" * (number * number % 5_000) for number in range(60)]
        self.ann.send_texts("ann", "Bob", *texts[:50])
        received = self.bob.receive_texts()
        self.assertLess(len(received), 40)
        for text in texts[50:]:
            self.ann.protocol.dataReceived(encode_send("ann", "Bob", text))
        self.assertEqual(self.bob.receive_texts(), [])
        self.server.clock.advance(0)
        self.assertEqual(received + self.bob.receive_texts(), texts)
        self.assertEqual(self.ann.receive_texts(), texts)

    def test_long_read_that_takes_no_time_is_handled_at_once(self) -> None:
        """The steps are taken one after another."""
        texts = [str(number) + "x" * 1_000 for number in range(60)]
        self.ann.send_texts("ann", "Bob", *texts)
        self.assertEqual(self.bob.receive_texts(), texts)

    def test_commands_of_a_lost_connection_are_carried_out(self) -> None:
        """Those that were waiting for their turn, too; then the account is free."""
        self.slow_down()
        self.ann.send_texts("ann", "Bob", *["x" * 1_000] * 60)
        self.ann.disconnect()
        self.assertIn(self.ann.protocol, self.server.factory.connections)
        self.server.clock.advance(0)
        self.assertEqual(len(self.bob.receive_texts()), 60)
        self.assertNotIn(self.ann.protocol, self.server.factory.connections)

    def test_deadlines_end_with_the_connection(self) -> None:
        """Those of a client that has gone, too, whose input is still being handled."""
        self.slow_down()
        client = self.server.connect()
        client.send(*[encode(LIST, "a*")] * 500, encode(LIST, "a*")[:-1])
        client.disconnect()
        self.assertIn(client.protocol, self.server.factory.connections)
        self.server.clock.advance(0)
        self.assertNotIn(client.protocol, self.server.factory.connections)
        self.assertNotIn(client.protocol, self.server.factory.unauthenticated)
        self.assertNotIn(client.protocol, self.server.factory.unfinished)

    def test_closing_drops_what_waits_for_its_turn(self) -> None:
        """The rest of a long read is not handled when the server stops."""
        self.slow_down()
        self.ann.send_texts("ann", "Bob", *["x" * 1_000] * 60)
        self.ann.protocol.close()
        self.server.clock.advance(0)
        self.assertLess(len(self.bob.receive_texts()), 25)
        self.assertTrue(self.ann.transport.disconnecting)

    def test_many_pending_answers_are_moved_once(self) -> None:
        """Answers that come in small batches cost the same each."""
        self.server.store.eager = False
        self.ann.send_texts("ann", "Bob", *map(str, range(200)))
        connection = self.ann.protocol
        connection.pending = CountedList(connection.pending)
        CountedList.moved = 0
        appends: list[Any] = list(self.server.store._open)
        self.server.store._open = []
        for append in appends:
            connection.answer([append])
        self.assertEqual(self.ann.receive_texts(), [str(number) for number in range(200)])
        self.assertLess(CountedList.moved, 1_000)
        self.assertEqual(connection.pending, [])
