"""Version 1, as a client sees it: rubbish, pace, slow readers, silence, endings."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import v1_messages as c
from chatd.codecs.classic import LIST
from chatd.codecs.classic import encode as classic
from chatd.codecs.v1 import encode
from tests.doubles.v1_clients import WireHouse


class Flow(SynchronousTestCase):
    """What a client can do to a daemon, and what that costs."""

    def test_any_cut_of_the_bytes(self) -> None:
        """One byte at a time: the same answers."""
        house = WireHouse()
        client = house.connect()
        for byte in encode(c.Register(1, "ann")) + encode(c.LogIn(2, "ann")) + encode(c.Ping(3)):
            client.raw(bytes([byte]))
        self.assertEqual([type(message) for message in client.take()], [c.Done, c.LoggedIn, c.Pong])

    def test_the_first_byte_decides(self) -> None:
        """Classic, version 1, or a sentence and the end."""
        house = WireHouse()
        old, new, odd = house.connect(), house.connect(), house.connect()
        old.raw(classic(LIST, "*"))
        self.assertEqual(old.wire.out[:2], b"\x00\x07")
        new.raw(encode(c.Ping(1)))
        self.assertEqual(new.take(), [c.Pong(1)])
        odd.raw(b"GET / HTTP/1.1\r\n")
        self.assertIn(b"does not know a protocol that begins so", odd.wire.out)
        self.assertTrue(odd.wire.half_closed)
        self.assertEqual(len(house.factory.connections), 3)

    def test_rubbish(self) -> None:
        """What means nothing is refused by itself; what breaks the stream is told and ends it."""
        house = WireHouse()
        ann = house.come("ann")
        ann.raw(
            b"\x01\x3f\x00\x00\x00\x02\x91\x07"
            + b"\x01\x0a\x00\x00\x00\x02\x91\x08"
            + encode(c.Ping(9))
        )
        first, second, third = ann.take()
        assert isinstance(first, c.Refusal) and isinstance(second, c.Refusal)
        self.assertEqual((first.ref, first.request, first.code), (7, 63, "unknown-command"))
        self.assertEqual((second.ref, second.request, second.code), (8, 10, "malformed"))
        self.assertEqual(third, c.Pong(9))
        ann.raw(b"\x02")
        (last,) = ann.take()
        assert isinstance(last, c.Refusal)
        self.assertEqual(last.code, "broken")
        self.assertTrue(ann.wire.half_closed)
        self.assertFalse(house.realm.online("ann"))

    def test_an_unfinished_frame(self) -> None:
        """It has a time limit."""
        house = WireHouse()
        ann = house.come("ann")
        ann.raw(encode(c.Ping(1))[:-1])
        house.clock.advance(house.limits.frame_time)
        (last,) = ann.take()
        assert isinstance(last, c.Refusal)
        self.assertEqual(last.code, "too-slow")

    def test_a_slow_reader(self) -> None:
        """Nothing more is pushed to it; when it reads again it gets what it missed from each log,
        once."""
        house = WireHouse()
        ann, bob = house.come("ann", rooms=("#lobby",)), house.come("bob", rooms=("#lobby",))
        ann.wire.room = 0
        for number in range(500):
            bob.done(c.Send(0, "ann", str(number)))
            bob.done(c.Send(0, "#lobby", str(number)))
        self.assertLess(len(ann.wire.buffer), 1000)
        ann.wire.drain()
        texts = ann.texts()
        expected = [str(number) for number in range(500)]
        self.assertEqual([text for log, _, text in texts if log == "@ann"], expected)
        self.assertEqual([text for log, _, text in texts if log == "#lobby"], ["join", *expected])
        bob.done(c.Send(0, "ann", "live again"))
        self.assertEqual(ann.texts(), [("@ann", "bob", "live again")])

    def test_events_to_who_does_not_read(self) -> None:
        """They are bounded, too."""
        house = WireHouse(rate=None)
        ann, bob = house.come("ann", "typing"), house.come("bob")
        ann.wire.room = 0
        for _ in range(20_000):
            bob.send(c.SayTyping(0, "ann"))
        self.assertLess(len(ann.wire.buffer), 300_000)
        ann.wire.drain()
        ann.take()
        bob.send(c.SayTyping(0, "ann"))
        self.assertEqual(len(ann.told(c.Typing)), 1)

    def test_pace(self) -> None:
        """A connection that sends too much is read from no more for a while; so are all of an
        account."""
        house = WireHouse(rate=10.0, burst_seconds=1.0)
        ann = house.come("ann")
        other = house.connect()
        other.done(c.LogIn(0, "ann"))
        ann.send(*[c.Ping(number) for number in range(1, 40)])
        self.assertEqual(ann.wire.producerState, "paused")
        house.clock.advance(10)
        self.assertEqual(ann.wire.producerState, "producing")
        for device in (ann, other):
            device.send(*[c.Ping(number) for number in range(1, 11)])
        other.send(c.Ping(1))
        self.assertEqual(other.wire.producerState, "paused")

    def test_silence(self) -> None:
        """Who says nothing is asked, and given up; who answers, stays; classic clients may be
        silent."""
        house = WireHouse()
        ann, bob = house.come("ann"), house.come("bob")
        old = house.connect()
        old.raw(classic(0, "carl"))
        idle = house.limits.idle_time
        for _ in range(2):
            house.clock.advance(idle)
        self.assertEqual([type(message) for message in ann.take()], [c.Ping])
        bob.send(c.Pong(0))
        house.clock.advance(idle)
        self.assertEqual(
            [client.wire.disconnecting for client in (ann, bob, old)], [True, False, False]
        )

    def test_stopping(self) -> None:
        """Everyone is told; what was said before is accepted first."""
        house = WireHouse()
        ann, bob = house.come("ann"), house.come("bob")
        house.store.eager = False
        ann.send(c.Send(1, "bob", "last words"))
        house.factory.close_all()
        house.store.release()
        house.clock.advance(5)
        kinds = [type(message) for message in ann.take()]
        self.assertEqual(kinds, [c.Goodbye, c.Accepted])
        self.assertEqual([type(message) for message in bob.take()], [c.Goodbye], "it waits for him")

    def test_leaving_waits_for_what_was_said(self) -> None:
        """A log-out is answered after the messages before it."""
        house = WireHouse()
        ann = house.come("ann")
        house.come("bob")
        house.store.eager = False
        ann.send(c.Send(1, "bob", "x"), c.LogOut(2))
        self.assertEqual(ann.take(), [])
        for _ in range(5):
            house.store.release()
        self.assertEqual([type(message) for message in ann.take()], [c.Accepted, c.Done])
