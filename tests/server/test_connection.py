"""`Connection`, by the classic protocol: slow readers, limits, and every way to close."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs.classic import DELETE, DELIVER, LIST, encode, encode_send
from chatd.server.states import Phase
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
