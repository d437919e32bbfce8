"""Version 1, as a client sees it: rubbish, pace, slow readers, silence, endings."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import v1_messages as c
from chatd.codecs.classic import LIST
from chatd.codecs.classic import encode as classic
from chatd.codecs.v1 import encode
from tests.doubles.v1_clients import MainPortServer


class Flow(SynchronousTestCase):
    """What a client can do to a daemon, and what that costs."""

    def test_any_cut_of_the_bytes(self) -> None:
        """One byte at a time: the same answers."""
        server = MainPortServer()
        client = server.connect()
        for byte in encode(c.Register(1, "ann")) + encode(c.LogIn(2, "ann")) + encode(c.Ping(3)):
            client.send_bytes(bytes([byte]))
        self.assertEqual(
            [type(message) for message in client.receive()], [c.Done, c.LoggedIn, c.Pong]
        )

    def test_the_first_byte_decides(self) -> None:
        """Classic, version 1, or a sentence and the end."""
        server = MainPortServer()
        old, new, odd = server.connect(), server.connect(), server.connect()
        old.send_bytes(classic(LIST, "*"))
        self.assertEqual(old.transport.output[:2], b"\x00\x07")
        new.send_bytes(encode(c.Ping(1)))
        self.assertEqual(new.receive(), [c.Pong(1)])
        odd.send_bytes(b"GET / HTTP/1.1\r\n")
        self.assertIn(b"Unknown protocol.", odd.transport.output)
        self.assertTrue(odd.transport.half_closed)
        self.assertEqual(len(server.factory.connections), 3)

    def test_rubbish(self) -> None:
        """What means nothing is refused by itself; what breaks the stream is told and ends it."""
        server = MainPortServer()
        ann = server.log_in("ann")
        ann.send_bytes(
            b"\x01\x3f\x00\x00\x00\x02\x91\x07"
            + b"\x01\x0a\x00\x00\x00\x02\x91\x08"
            + encode(c.Ping(9))
        )
        first, second, third = ann.receive()
        assert isinstance(first, c.Refusal) and isinstance(second, c.Refusal)
        self.assertEqual((first.ref, first.request, first.code), (7, 63, "unknown-command"))
        self.assertEqual((second.ref, second.request, second.code), (8, 10, "malformed"))
        self.assertEqual(third, c.Pong(9))
        ann.send_bytes(b"\x02")
        (last,) = ann.receive()
        assert isinstance(last, c.Refusal)
        self.assertEqual(last.code, "broken")
        self.assertTrue(ann.transport.half_closed)
        self.assertFalse(server.realm.sessions.online("ann"))

    def test_an_unfinished_frame(self) -> None:
        """It has a time limit."""
        server = MainPortServer()
        ann = server.log_in("ann")
        ann.send_bytes(encode(c.Ping(1))[:-1])
        server.clock.advance(server.limits.frame_time)
        (last,) = ann.receive()
        assert isinstance(last, c.Refusal)
        self.assertEqual(last.code, "too-slow")

    def test_a_slow_reader(self) -> None:
        """Nothing more is pushed to it; when it reads again it gets what it missed from each log,
        once."""
        server = MainPortServer()
        ann, bob = server.log_in("ann", rooms=("#lobby",)), server.log_in("bob", rooms=("#lobby",))
        ann.transport.capacity = 0
        for number in range(500):
            bob.request(c.Send(0, "ann", str(number)))
            bob.request(c.Send(0, "#lobby", str(number)))
        self.assertLess(len(ann.transport.buffer), 1000)
        ann.transport.drain()
        texts = ann.receive_entries()
        expected = [str(number) for number in range(500)]
        self.assertEqual([text for log, _, text in texts if log == "@ann"], expected)
        self.assertEqual([text for log, _, text in texts if log == "#lobby"], ["join", *expected])
        bob.request(c.Send(0, "ann", "live again"))
        self.assertEqual(ann.receive_entries(), [("@ann", "bob", "live again")])

    def test_events_to_who_does_not_read(self) -> None:
        """They are bounded, too."""
        server = MainPortServer(rate=None)
        ann, bob = server.log_in("ann", "typing"), server.log_in("bob")
        ann.transport.capacity = 0
        for _ in range(20_000):
            bob.send(c.SayTyping(0, "ann"))
        self.assertLess(len(ann.transport.buffer), 300_000)
        ann.transport.drain()
        ann.receive()
        bob.send(c.SayTyping(0, "ann"))
        self.assertEqual(len(ann.receive_events(c.Typing)), 1)

    def test_pace(self) -> None:
        """A connection that sends too much is read from no more for a while; so are all of an
        account."""
        server = MainPortServer(rate=10.0, burst_seconds=1.0)
        ann = server.log_in("ann")
        other = server.connect()
        other.request(c.LogIn(0, "ann"))
        ann.send(*[c.Ping(number) for number in range(1, 40)])
        self.assertEqual(ann.transport.producerState, "paused")
        server.clock.advance(10)
        self.assertEqual(ann.transport.producerState, "producing")
        for device in (ann, other):
            device.send(*[c.Ping(number) for number in range(1, 11)])
        other.send(c.Ping(1))
        self.assertEqual(other.transport.producerState, "paused")

    def test_silence(self) -> None:
        """Who says nothing is asked, and given up; who answers, stays; classic clients may be
        silent."""
        server = MainPortServer()
        ann, bob = server.log_in("ann"), server.log_in("bob")
        old = server.connect()
        old.send_bytes(classic(0, "carl"))
        idle = server.limits.idle_time
        for _ in range(2):
            server.clock.advance(idle)
        self.assertEqual([type(message) for message in ann.receive()], [c.Ping])
        bob.send(c.Pong(0))
        server.clock.advance(idle)
        self.assertEqual(
            [client.transport.disconnecting for client in (ann, bob, old)], [True, False, False]
        )

    def test_stopping(self) -> None:
        """Everyone is told; what was said before is accepted first."""
        server = MainPortServer()
        ann, bob = server.log_in("ann"), server.log_in("bob")
        server.store.eager = False
        ann.send(c.Send(1, "bob", "last words"))
        server.factory.close_all()
        server.store.release()
        server.clock.advance(5)
        kinds = [type(message) for message in ann.receive()]
        self.assertEqual(kinds, [c.Goodbye, c.Accepted])
        self.assertEqual(
            [type(message) for message in bob.receive()], [c.Goodbye], "it waits for him"
        )

    def test_leaving_waits_for_what_was_said(self) -> None:
        """A log-out is answered after the messages before it."""
        server = MainPortServer()
        ann = server.log_in("ann")
        server.log_in("bob")
        server.store.eager = False
        ann.send(c.Send(1, "bob", "x"), c.LogOut(2))
        self.assertEqual(ann.receive(), [])
        for _ in range(5):
            server.store.release()
        self.assertEqual([type(message) for message in ann.receive()], [c.Accepted, c.Done])
