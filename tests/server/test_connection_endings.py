"""The classic protocol: slow peers, too many of them, too fast ones, and all the ways to part."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs.classic import DELETE, DELIVER, LIST, encode, encode_send
from tests.doubles.classic_clients import ClassicServer


class SlowReaders(SynchronousTestCase):
    """Those who do not read cost nobody else anything and miss nothing."""

    def setUp(self) -> None:
        self.server = ClassicServer(page=3)
        self.ann = self.server.client("ann")
        self.bob = self.server.client("Bob")

    def test_falls_behind_and_catches_up(self) -> None:
        """What does not fit waits in the log, not in memory; when the peer reads again, it comes in
        order."""
        said = [str(number) for number in range(40)]
        self.bob.transport.room = 200
        for text in said:
            self.ann.say("ann", "Bob", text)
        self.assertEqual(self.ann.texts(), said)
        self.assertLess(len(self.bob.transport.buffer), 200)
        self.bob.transport.drain()
        self.ann.say("ann", "Bob", "last")
        self.assertEqual(self.bob.texts(), [*said, "last"])

    def test_its_own_commands_wait(self) -> None:
        """Who does not read its answers is not read from."""
        self.bob.transport.room = 0
        self.bob.send(encode(LIST))
        self.assertEqual(self.bob.transport.producerState, "paused")
        self.bob.transport.drain()
        self.assertEqual(
            (self.bob.texts(), self.bob.transport.producerState), (["ann,Bob"], "producing")
        )

    def test_what_had_not_arrived_waits_again(self) -> None:
        """The connection breaks with some of it still on the way: exactly that waits, whole
        messages only."""
        frames = [encode_send("ann", "Bob", str(number)) for number in range(10)]
        self.ann.send(*frames)
        self.bob.transport.on_the_way = len(frames[0]) * 2 + 1
        self.bob.lose()
        bob = self.server.login("Bob")
        bob.send(encode(DELIVER))
        self.assertEqual(bob.texts(), ["7", "8", "9"])

    def test_what_had_not_been_sent_waits_again(self) -> None:
        """The same for what was still here."""
        self.bob.transport.room = 100
        self.ann.say("ann", "Bob", *[str(number) for number in range(10)])
        read = self.bob.texts()
        self.bob.lose()
        bob = self.server.login("Bob")
        bob.send(encode(DELIVER))
        self.assertEqual(read + bob.texts(), [str(number) for number in range(10)])


class Bounds(SynchronousTestCase):
    """Time and number."""

    def test_rate(self) -> None:
        """Too many commands are slowed down: all are done, none is refused."""
        server = ClassicServer(rate=10.0, burst_seconds=1.0)
        ann = server.client("ann")
        ann.send(*[encode(LIST, f"*{number}") for number in range(30)])
        self.assertEqual((ann.texts(), ann.transport.producerState), ([], "paused"))
        server.clock.advance(1.9)
        self.assertEqual(ann.texts(), [])
        server.clock.advance(0.3)
        self.assertEqual((len(ann.texts()), ann.transport.producerState), (30, "producing"))

    def test_within_the_burst(self) -> None:
        """As many as the burst allows are done at once."""
        server = ClassicServer(rate=10.0, burst_seconds=1.0)
        ann = server.client("ann")
        ann.send(*[encode(LIST)] * 8)
        self.assertEqual(len(ann.texts()), 8)

    def test_long_listings_count_for_more(self) -> None:
        """A listing of hundreds of names is hundreds of names' worth."""
        server = ClassicServer(rate=10.0, burst_seconds=1.0)
        for number in range(5):
            server.client(f"user{number}").lose()
        self.patch(__import__("chatd.protocols.classic", fromlist=["x"]), "_NAMES_PER_COMMAND", 1)
        ann = server.client("ann")
        ann.send(encode(LIST))
        ann.send(encode(LIST))
        self.assertEqual(ann.transport.producerState, "paused")

    def test_unfinished_frame(self) -> None:
        """Half a frame and silence: told, and closed, after 30 seconds; whole frames may take their
        time."""
        server = ClassicServer()
        ann, slow = server.client("ann"), server.client("slow")
        slow.send(encode(LIST)[:10])
        server.clock.advance(29)
        slow.send(encode(LIST)[10:20])
        self.assertEqual(slow.got(), [])
        server.clock.advance(1.1)
        self.assertEqual(
            slow.texts(), ["unfinished frame: the rest of it did not come within 30 s"]
        )
        self.assertTrue(slow.transport.half_closed)
        ann.send(encode(LIST))
        self.assertEqual(ann.texts(), ["ann,slow"])

    def test_idle_strangers(self) -> None:
        """Who never logs in and says nothing goes; who is logged in stays."""
        server = ClassicServer()
        ann, stranger = server.client("ann"), server.client()
        server.clock.advance(299)
        self.assertFalse(stranger.transport.disconnecting)
        server.clock.advance(2)
        self.assertTrue(stranger.transport.disconnecting)
        self.assertFalse(ann.transport.disconnecting)

    def test_too_many_strangers(self) -> None:
        """The one that has been idle longest goes; new ones are let in."""
        server = ClassicServer(unauthenticated=3)
        server.client("ann")
        strangers = []
        for _ in range(3):
            strangers.append(server.client())
            server.clock.advance(1)
        strangers[0].send(encode(LIST))
        server.client()
        self.assertEqual([one.transport.disconnecting for one in strangers], [False, True, False])

    def test_congestion(self) -> None:
        """When too much waits for the store, senders are paused until it has caught up."""
        server = ClassicServer(backlog=100)
        ann, bob = server.client("ann"), server.client("Bob")
        server.store.eager = False
        ann.say("ann", "Bob", *["x" * 30] * 4)
        self.assertEqual(ann.transport.producerState, "paused")
        server.store.release()
        self.assertEqual((ann.transport.producerState, len(bob.texts())), ("producing", 4))


class Endings(SynchronousTestCase):
    """Every way to part."""

    def setUp(self) -> None:
        self.server = ClassicServer()
        self.ann = self.server.client("ann")
        self.bob = self.server.client("Bob")

    def test_half_close(self) -> None:
        """Who only closed its sending side gets what it is owed, and then the end; the name is
        free."""
        self.server.store.eager = False
        self.ann.send(encode_send("ann", "Bob", "1"), encode(LIST, "B*"))
        self.ann.close_sending()
        self.assertFalse(self.ann.transport.disconnecting)
        for _ in range(10):
            self.server.store.release()
        self.assertEqual((self.ann.texts(), self.ann.transport.disconnecting), (["1", "Bob"], True))
        self.server.store.eager = True
        self.server.login("ann")

    def test_a_new_login_does_not_wait_for_the_old_one_to_leave(self) -> None:
        """The old connection is still being sent something; its name is free all the same."""
        self.bob.transport.room = 0
        self.ann.say("ann", "Bob", "1")
        self.bob.close_sending()
        self.assertFalse(self.bob.transport.disconnecting)
        bob = self.server.login("Bob")
        bob.send(encode(DELIVER))
        self.assertEqual(bob.texts(), ["1"])

    def test_gone_before_its_command_was_read(self) -> None:
        """A DELETE that came before the end is carried out after it."""
        self.server.store.eager = False
        self.ann.send(encode_send("ann", "Bob", "1"), encode(DELETE))
        self.ann.lose()
        self.server.store.eager = True
        self.server.store.flush()
        self.bob.send(encode(LIST))
        self.assertEqual(self.bob.texts(), ["1", "Bob"])

    def test_shutting_down(self) -> None:
        """What was begun is answered, what was not is dropped, and then the connection closes."""
        self.server.store.eager = False
        self.ann.say("ann", "Bob", "1")
        closed = self.server.factory.close_all()
        self.assertFalse(self.ann.transport.disconnecting)
        self.server.store.eager = True
        self.server.store.flush()
        self.assertEqual(self.ann.texts(), ["1"])
        self.assertTrue(self.ann.transport.disconnecting and self.bob.transport.disconnecting)
        self.assertNoResult(closed)
        self.ann.lose()
        self.bob.lose()
        self.assertIsNone(self.successResultOf(closed))

    def test_broken(self) -> None:
        """The last words are read: our side closes first, what else comes is thrown away."""
        self.ann.send(encode(LIST, "B*"), b"\x07", b"rubbish")
        self.assertEqual(
            self.ann.texts(), ["Bob", "unknown version 7: a classic frame begins with version 0"]
        )
        self.assertEqual(
            (self.ann.transport.half_closed, self.ann.transport.disconnecting), (True, False)
        )
        self.ann.protocol.dataReceived(encode(LIST))
        self.assertEqual(self.ann.got(), [])
        self.server.clock.advance(2.1)
        self.assertTrue(self.ann.transport.disconnecting)

    def test_input_after_an_error_is_read_up_to_a_limit(self) -> None:
        """A client that goes on sending is not read from; its error reply can still be read."""
        self.ann.send(b"\x00\x05" + (1 << 31).to_bytes(40, "big"))
        self.assertIn("frame too long", self.ann.texts()[0])
        for _ in range(16):
            self.ann.protocol.dataReceived(b"x" * 65_536)
        self.assertEqual(self.ann.transport.producerState, "paused")
        self.assertFalse(self.ann.transport.disconnecting)
        self.server.clock.advance(2.1)
        self.assertTrue(self.ann.transport.disconnecting)

    def test_who_does_not_take_its_last_words(self) -> None:
        """A connection that does not end by itself is ended."""
        self.bob.transport.room = 0
        self.ann.say("ann", "Bob", "1")
        self.bob.close_sending()
        self.server.clock.advance(31)
        self.assertTrue(self.bob.transport.disconnecting)
