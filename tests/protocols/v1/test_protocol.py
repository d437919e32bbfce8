"""Version 1: the connection, with the frequent messages, the pace of requests, and its end."""

from __future__ import annotations

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import v1_messages as c
from chatd.codecs.classic import (
    CREATE,
    DELIVER,
    LOGIN,
    Send,
    client_decoder,
    encode_send,
)
from chatd.codecs.classic import encode as encode_classic
from chatd.codecs.v1 import encode
from chatd.core.errors import StoreUnavailable
from chatd.server.arrivals import INTERVAL
from tests.doubles.v1_clients import MainPortServer, V1Client

REQUIRED = {
    "upto": 1,
    "log": "@ann",
    "room": "#x",
    "private": True,
    "names": [],
    "seqs": [],
    "fingerprints": [],
    "scopes": [],
    "seq": 1,
    "last": 1,
}
"""values of the required fields of requests, by name; of all others ``"x"``"""


class Sending(SynchronousTestCase):
    """Ann sends to Bob."""

    def setUp(self) -> None:
        self.server = MainPortServer()
        self.ann = self.server.log_in("Ann")
        self.bob = self.server.log_in("bob")

    def test_message_is_accepted_and_pushed_unchanged(self) -> None:
        """The answer has its position in the mailbox of the recipient."""
        accepted = self.ann.request(c.Send(0, "BOB", "Grüße 🌱 ||| \n"))
        (pushed,) = self.bob.receive_events(c.Pushed)
        self.assertEqual(
            (
                pushed.log,
                pushed.seq,
                pushed.id,
                pushed.time,
                pushed.sender,
                pushed.kind,
                pushed.body,
            ),
            ("@bob", 1, accepted.id, accepted.time, "Ann", "text", "Grüße 🌱 ||| \n"),
        )
        self.assertEqual((accepted.log, accepted.seq), ("@bob", 1))

    def test_refused_message_does_not_concern_those_before_and_after_it(self) -> None:
        """Three of five messages in one segment are refused, each for its own reason."""
        long = "é" * 32_768
        self.ann.send(
            c.Send(1, "bob", "1"),
            c.Send(2, "nobody", "x"),
            c.Send(3, "#lobby", "x"),
            c.Send(4, "bob", long + "é"),
            c.Send(5, "bob", long),
        )
        answers = {
            answer.ref: answer
            for answer in self.ann.receive()
            if isinstance(answer, c.Accepted | c.Refusal)
        }
        self.assertEqual(set(answers), {1, 2, 3, 4, 5})
        self.assertEqual(
            {ref: answer.code for ref, answer in answers.items() if isinstance(answer, c.Refusal)},
            {2: "unknown-account", 3: "not-a-member", 4: "text-too-long"},
        )
        self.assertEqual(self.bob.receive_bodies(), ["1", long])

    def test_same_key_is_the_same_message(self) -> None:
        """Another text with the key is refused. Senders and logs have separate keys."""
        first = self.ann.request(c.Send(0, "bob", "hi", "k"))
        again = self.ann.request(c.Send(0, "bob", "hi", "k"))
        self.assertEqual((again.seq, again.id, again.time), (first.seq, first.id, first.time))
        self.assertEqual(self.ann.refusal_code(c.Send(0, "bob", "ho", "k")), "key-reused")
        self.bob.request(c.Send(0, "bob", "ho", "k"))
        self.ann.request(c.Send(0, "Ann", "ho", "k"))
        self.assertEqual(self.bob.receive_bodies(), ["hi", "ho"])

    def test_message_that_the_store_cannot_write_is_refused(self) -> None:
        """Nothing is pushed; when the store has recovered, messages are accepted."""
        self.server.store.refusal = StoreUnavailable("the store cannot write at the moment: full")
        self.assertEqual(self.ann.refusal_code(c.Send(0, "bob", "1")), StoreUnavailable.code)
        self.server.store.refusal = None
        self.ann.request(c.Send(0, "bob", "2"))
        self.assertEqual(self.bob.receive_bodies(), ["2"])

    def test_every_session_of_an_account_is_sent_everything(self) -> None:
        """This includes what its other sessions send, join and leave."""
        other = self.server.connect()
        other.request(c.LogIn(0, "ann"))
        self.bob.request(c.Send(0, "ann", "hi"))
        for client in (self.ann, other):
            self.assertEqual(client.receive_entries(), [("@ann", "bob", "hi")])
        self.ann.request(c.Send(0, "bob", "hello"))
        (sent,) = other.receive_events(c.Sent)
        self.assertEqual((sent.log, sent.seq, sent.kind, sent.body), ("@bob", 1, "text", "hello"))
        self.assertEqual(self.ann.receive_events(c.Sent), [])
        self.ann.request(c.Join(0, "#lobby"))
        self.assertEqual([event.state.log for event in other.receive_events(c.Joined)], ["#lobby"])
        self.ann.request(c.Send(0, "#lobby", "here"))
        self.assertEqual(other.receive_entries()[-1], ("#lobby", "Ann", "here"))
        other.request(c.Leave(0, "#lobby"))
        self.assertEqual(
            [(event.room, event.reason) for event in self.ann.receive_events(c.Left)],
            [("#lobby", "left")],
        )

    def test_message_to_the_own_account_is_pushed_to_all_its_sessions(self) -> None:
        """It is an entry of the own mailbox: no session gets `Sent`."""
        other = self.server.connect()
        other.request(c.LogIn(0, "ann"))
        self.ann.request(c.Send(0, "ANN", "note"))
        for client in (self.ann, other):
            self.assertEqual(client.receive_entries(), [("@ann", "Ann", "note")])
            self.assertEqual(client.receive_events(c.Sent), [])

    def test_requests_without_login_are_refused(self) -> None:
        """Each is refused by itself, but for those that need no account."""
        client = self.server.connect()
        for number, kind in c.REQUESTS.items():
            if kind in (c.Hello, c.Ping, c.Pong, c.Register, c.LogIn, c.Resume):
                continue
            required = [field.name for field in msgspec.structs.fields(kind)[1:] if field.required]
            request = kind(0, *(REQUIRED.get(name, "x") for name in required))
            self.assertEqual(client.refusal_code(request), "not-logged-in", number)


class Waiting(SynchronousTestCase):
    """Entries that wait for a client, and the positions from which it resumes."""

    def setUp(self) -> None:
        self.server = MainPortServer()
        self.ann = self.server.log_in("Ann")
        self.bob = self.server.log_in("bob")

    def test_waiting_mail_is_pushed_until_it_is_acknowledged(self) -> None:
        """It is pushed in order at each login."""
        self.bob.disconnect()
        for number in range(600):
            self.ann.send(c.Send(0, "bob", str(number)))
        expected = [str(number) for number in range(600)]
        for _ in range(2):
            bob = self.server.log_in_again("bob")
            self.assertEqual(bob.receive_bodies(), expected)
            bob.disconnect()
        bob = self.server.log_in_again("bob")
        bob.request(c.Ack(0, "@bob", 100))
        bob.request(c.Ack(0, "@bob", 300, 200))
        bob.disconnect()
        bob = self.server.log_in_again("bob")
        self.assertEqual(bob.receive_bodies(), expected[100:199] + expected[300:])

    def test_client_that_gives_its_position_is_sent_the_entries_after_it(self) -> None:
        """What others acknowledged does not matter; the position must be of the same account."""
        for number in range(5):
            self.ann.request(c.Send(0, "bob", str(number)))
        self.bob.request(c.Ack(0, "@bob", 5))
        client = self.server.connect()
        (mailbox_log,) = client.request(c.LogIn(0, "bob")).logs
        self.assertEqual(client.receive_entries(), [])
        for seq, texts in ((2, ["2", "3", "4"]), (5, []), (0, ["0", "1", "2", "3", "4"]), (6, [])):
            client = self.server.connect()
            client.request(c.LogIn(0, "bob", None, [c.Position("@bob", mailbox_log.since, seq)]))
            self.assertEqual(client.receive_bodies(), texts)
        client.request(c.LogIn(0, "bob", None, [c.Position("@bob", mailbox_log.since - 1, 2)]))
        self.assertEqual(client.receive_entries(), [], "the position is of another account")


class Input(SynchronousTestCase):
    """What the server makes of the bytes of a client."""

    def setUp(self) -> None:
        self.server = MainPortServer()

    def test_bytes_may_arrive_one_at_a_time(self) -> None:
        """The answers are the same."""
        client = self.server.connect()
        for byte in encode(c.Register(1, "ann")) + encode(c.LogIn(2, "ann")) + encode(c.Ping(3)):
            client.send_bytes(bytes([byte]))
        self.assertEqual(
            [type(message) for message in client.receive()], [c.Done, c.LoggedIn, c.Pong]
        )

    def test_unknown_and_malformed_requests_are_refused_by_themselves(self) -> None:
        """The requests after them are carried out."""
        ann = self.server.log_in("ann")
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

    def test_broken_frame_ends_the_connection_after_a_refusal(self) -> None:
        """The client can still read it."""
        ann = self.server.log_in("ann")
        ann.send_bytes(b"\x02")
        (last,) = ann.receive()
        assert isinstance(last, c.Refusal)
        self.assertEqual(last.code, "broken")
        self.assertTrue(ann.transport.half_closed)
        self.assertFalse(self.server.realm.sessions.online("ann"))

    def test_unfinished_frame_is_refused_after_a_time(self) -> None:
        """The time is `Limits.frame_time`."""
        ann = self.server.log_in("ann")
        ann.send_bytes(encode(c.Ping(1))[:-1])
        self.server.clock.advance(self.server.limits.frame_time)
        (last,) = ann.receive()
        assert isinstance(last, c.Refusal)
        self.assertEqual(last.code, "too-slow")
        self.assertTrue(ann.transport.half_closed)


class Flow(SynchronousTestCase):
    """Clients that read slowly, send too fast, or are silent."""

    def test_slow_reader_catches_up_with_each_log(self) -> None:
        """Nothing more is pushed to it; when it reads again, it is sent what it missed, once."""
        server = MainPortServer()
        ann, bob = server.log_in("ann", rooms=("#lobby",)), server.log_in("bob", rooms=("#lobby",))
        ann.transport.capacity = 0
        for number in range(500):
            bob.request(c.Send(0, "ann", str(number)))
            bob.request(c.Send(0, "#lobby", str(number)))
        self.assertLess(len(ann.transport.buffer), 1000)
        ann.transport.drain()
        entries = ann.receive_entries()
        expected = [str(number) for number in range(500)]
        self.assertEqual([body for log, _, body in entries if log == "@ann"], expected)
        self.assertEqual([body for log, _, body in entries if log == "#lobby"], ["join", *expected])
        bob.request(c.Send(0, "ann", "live again"))
        self.assertEqual(ann.receive_entries(), [("@ann", "bob", "live again")])

    def test_events_to_a_client_that_does_not_read_are_bounded(self) -> None:
        """Later events are dropped until the client reads again."""
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

    def test_client_over_its_rate_is_read_more_slowly(self) -> None:
        """The rate of an account is shared by all its connections."""
        server = MainPortServer(rate=10.0, burst_seconds=1.0)
        ann = server.log_in("ann")
        other = server.connect()
        other.request(c.LogIn(0, "ann"))
        ann.send(*[c.Ping(number) for number in range(1, 40)])
        self.assertEqual(ann.transport.producerState, "paused")
        server.clock.advance(10)
        self.assertEqual(ann.transport.producerState, "producing")
        for client in (ann, other):
            client.send(*[c.Ping(number) for number in range(1, 11)])
        other.send(c.Ping(1))
        self.assertEqual(other.transport.producerState, "paused")

    def test_silent_client_is_sent_a_ping_and_then_disconnected(self) -> None:
        """A client that answers stays; classic clients may be silent."""
        server = MainPortServer()
        ann, bob = server.log_in("ann"), server.log_in("bob")
        classic = server.connect()
        classic.send_bytes(encode_classic(CREATE, "carl"))
        idle = server.limits.idle_time
        for _ in range(2):
            server.clock.advance(idle)
        self.assertEqual([type(message) for message in ann.receive()], [c.Ping])
        bob.send(c.Pong(0))
        server.clock.advance(idle)
        self.assertEqual(
            [client.transport.disconnecting for client in (ann, bob, classic)],
            [True, False, False],
        )


class Closing(SynchronousTestCase):
    """The end of a session or of the connection."""

    def setUp(self) -> None:
        self.server = MainPortServer()
        self.ann = self.server.log_in("ann")
        self.bob = self.server.log_in("bob")

    def test_stopping_server_says_goodbye(self) -> None:
        """Messages sent before are still accepted; their recipients get them later."""
        self.server.store.eager = False
        self.ann.send(c.Send(1, "bob", "last words"))
        self.server.factory.close_all()
        self.server.store.release()
        self.server.clock.advance(5)
        self.assertEqual([type(message) for message in self.ann.receive()], [c.Goodbye, c.Accepted])
        self.assertEqual([type(message) for message in self.bob.receive()], [c.Goodbye])

    def test_log_out_waits_for_the_answers_before_it(self) -> None:
        """Answers are in the order of the requests."""
        self.server.store.eager = False
        self.ann.send(c.Send(1, "bob", "x"), c.LogOut(2))
        self.assertEqual(self.ann.receive(), [])
        for _ in range(5):
            self.server.store.release()
        self.assertEqual([type(message) for message in self.ann.receive()], [c.Accepted, c.Done])


class BesideClassic(SynchronousTestCase):
    """Ann uses version 1, and Carl the classic protocol, on one port."""

    def setUp(self) -> None:
        self.server = MainPortServer()
        self.ann = self.server.log_in("ann")
        self.carl = self.server.connect()
        self.decoder = client_decoder(1 << 20)
        self.carl.send_bytes(encode_classic(CREATE, "carl"))
        self.receive_texts(self.carl)

    def receive_texts(self, client: V1Client) -> list[str]:
        """The texts that a classic client has received since the last call."""
        data, client.transport.output = client.transport.output, b""
        return [message.text for message in self.decoder.feed(data) if isinstance(message, Send)]

    def test_entries_that_classic_cannot_show_are_described(self) -> None:
        """They are in ASCII, without the separator of classic."""
        sent = self.ann.request(c.Send(0, "carl", "Grüße ||| x"))
        self.ann.request(c.Edit(0, "@carl", sent.seq, "hello"))
        self.ann.request(c.React(0, "@carl", sent.seq, "+1"))
        self.ann.request(c.Retract(0, "@carl", sent.seq))
        self.assertEqual(
            self.receive_texts(self.carl),
            ["Gr??e || | x", "[corrected] hello", "[reacted: +1]", "[deleted a message]"],
        )
        self.carl.send_bytes(encode_send("carl", "ann", "hi"))
        self.assertEqual(self.ann.receive_entries(), [("@ann", "carl", "hi")])

    def test_mail_is_delivered_once_whatever_the_protocols(self) -> None:
        """Mail fetched by classic is acknowledged a moment after it has arrived; entries are shown
        to sessions of both."""
        self.carl.disconnect()
        self.ann.request(c.Send(0, "carl", "1"))
        carl = self.server.connect()
        carl.send_bytes(encode_classic(LOGIN, "carl") + encode_classic(DELIVER))
        self.assertEqual(self.receive_texts(carl), ["1"])
        self.server.clock.advance(INTERVAL)
        v1_client = self.server.log_in_again("carl")
        self.assertEqual(v1_client.receive_entries(), [], "it has been acknowledged")
        self.ann.request(c.Send(0, "carl", "2"))
        self.assertEqual((self.receive_texts(carl), v1_client.receive_bodies()), (["2"], ["2"]))
        self.ann.disconnect()
        carl.send_bytes(encode_send("carl", "ann", "3"))
        self.assertEqual(self.server.log_in_again("ann").receive_entries(), [("@ann", "carl", "3")])
