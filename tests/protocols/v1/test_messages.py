"""Version 1, as a client sees it: messages and what is said about them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import v1_messages as c
from chatd.codecs.classic import CREATE, DELIVER, Send, client_decoder, encode, encode_send
from tests.doubles.v1_clients import MainPortServer, V1Client


class Messages(SynchronousTestCase):
    """Two who write to each other, and want to know what became of it."""

    def setUp(self) -> None:
        """Both are there."""
        self.server = MainPortServer()
        self.ann = self.server.log_in("Ann", "receipts")
        self.bob = self.server.log_in("bob", "receipts")

    def test_sending(self) -> None:
        """Accepted with its place in the recipient's mailbox, pushed as it was said."""
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

    def test_refused(self) -> None:
        """To nobody, to a room one is not in, too long in bytes; what came before and after goes
        its way."""
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
        codes = {
            ref: answer.code for ref, answer in answers.items() if isinstance(answer, c.Refusal)
        }
        self.assertEqual(codes, {2: "unknown-account", 3: "not-a-member", 4: "text-too-long"})
        self.assertEqual(self.bob.receive_bodies(), ["1", long])

    def test_keys(self) -> None:
        """The same key is the same message; another text with it is refused; others' keys are their
        own."""
        first = self.ann.request(c.Send(0, "bob", "hi", "k"))
        again = self.ann.request(c.Send(0, "bob", "hi", "k"))
        self.assertEqual((again.seq, again.id, again.time), (first.seq, first.id, first.time))
        self.assertEqual(self.ann.refusal_code(c.Send(0, "bob", "ho", "k")), "key-reused")
        self.bob.request(c.Send(0, "bob", "ho", "k"))
        self.ann.request(c.Send(0, "Ann", "ho", "k"))
        self.assertEqual(self.bob.receive_bodies(), ["hi", "ho"])

    def test_waiting(self) -> None:
        """What came while nobody was there is pushed at login, in order; again, until
        acknowledged."""
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

    def test_positions(self) -> None:
        """A client that says how far it was is sent what comes after that, whatever others have
        read."""
        for number in range(5):
            self.ann.request(c.Send(0, "bob", str(number)))
        self.bob.request(c.Ack(0, "@bob", 5))
        stranger = self.server.connect()
        (mailbox_log,) = stranger.request(c.LogIn(0, "bob")).logs
        self.assertEqual(stranger.receive_entries(), [])
        for seq, texts in ((2, ["2", "3", "4"]), (5, []), (0, ["0", "1", "2", "3", "4"]), (6, [])):
            device = self.server.connect()
            device.request(c.LogIn(0, "bob", None, [c.Position("@bob", mailbox_log.since, seq)]))
            self.assertEqual(device.receive_bodies(), texts)
        device.request(c.LogIn(0, "bob", None, [c.Position("@bob", mailbox_log.since - 1, 2)]))
        self.assertEqual(device.receive_entries(), [], "that was another Bob")

    def test_wrong_acknowledgements(self) -> None:
        """Of what is not there, of logs that are not one's own, with too many gaps."""
        self.ann.request(c.Send(0, "bob", "1"))
        self.assertEqual(self.bob.refusal_code(c.Ack(0, "@bob", 2)), "nothing-to-acknowledge")
        self.assertEqual(self.bob.refusal_code(c.Ack(0, "@ann", 1)), "unknown-log")
        self.assertEqual(self.bob.refusal_code(c.Ack(0, "#lobby", 1)), "unknown-log")
        for _ in range(200):
            self.ann.send(c.Send(0, "bob", "x"))
        codes = [
            getattr(self.bob.answer_to(c.Ack(0, "@bob", seq, seq)), "code", "")
            for seq in range(3, 200, 2)
        ]
        self.assertEqual(set(codes), {"", "too-many-gaps"})
        self.assertEqual(codes.count(""), 64)

    def test_receipts(self) -> None:
        """The sender hears when it is delivered and when it is read, and can ask later."""
        seqs = [self.ann.request(c.Send(0, "bob", text)).seq for text in "abc"]
        self.bob.request(c.Ack(0, "@bob", 2))
        self.assertEqual(
            [(each.what, each.seqs) for each in self.ann.receive_events(c.Receipt)],
            [("delivered", [1, 2])],
        )
        self.bob.request(c.MarkRead(0, "@bob", 1))
        self.assertEqual(
            [(each.what, each.seqs) for each in self.ann.receive_events(c.Receipt)], [("read", [1])]
        )
        states = self.ann.request(c.GetReceipts(0, "@bob", [*seqs, 9])).states
        self.assertEqual(
            [(state.seq, state.delivered, state.read) for state in states],
            [(1, True, True), (2, True, False), (3, False, False)],
        )
        self.assertEqual(
            self.bob.request(c.GetReceipts(0, "@bob", seqs)).states, [], "they are not his"
        )
        self.ann.request(c.Hello(0, "test", "2", []))
        self.bob.request(c.Ack(0, "@bob", 3))
        self.assertEqual(self.ann.receive_events(c.Receipt), [])

    def test_receipts_of_what_waited(self) -> None:
        """Also when the recipient came later, and from one who cannot acknowledge."""
        self.bob.disconnect()
        self.ann.request(c.Send(0, "bob", "1"))
        bob = self.server.log_in_again("bob")
        bob.request(c.Ack(0, "@bob", 1))
        self.assertEqual([each.seqs for each in self.ann.receive_events(c.Receipt)], [[1]])
        classic = self.server.connect()
        classic.send_bytes(encode(CREATE, "carl"))
        self.ann.request(c.Send(0, "carl", "1"))
        self.assertEqual(
            [(each.log, each.what) for each in self.ann.receive_events(c.Receipt)],
            [("@carl", "delivered")],
        )

    def test_edits(self) -> None:
        """The author corrects and deletes, nobody else does; entries refer to the message by its
        id."""
        sent = self.ann.request(c.Send(0, "bob", "helo"))
        self.ann.request(c.Edit(0, "@bob", sent.seq, "hello"))
        self.assertEqual(self.bob.refusal_code(c.Edit(0, "@bob", sent.seq, "ha")), "not-the-author")
        self.assertEqual(self.bob.refusal_code(c.Retract(0, "@bob", sent.seq)), "not-the-author")
        self.assertEqual(
            self.ann.refusal_code(c.Edit(0, "@bob", 2, "not a text")), "not-the-author"
        )
        self.assertEqual(self.ann.refusal_code(c.Edit(0, "@bob", 9, "x")), "unknown-entry")
        self.assertEqual(self.ann.refusal_code(c.Edit(0, "#lobby", 1, "x")), "unknown-entry")
        self.ann.request(c.Retract(0, "@bob", sent.seq))
        kinds = [(each.kind, each.body, each.about) for each in self.bob.receive_events(c.Pushed)]
        self.assertEqual(
            kinds, [("text", "helo", 0), ("edit", "hello", sent.id), ("delete", "", sent.id)]
        )

    def test_reactions(self) -> None:
        """They go to the other end, whichever that is."""
        sent = self.ann.request(c.Send(0, "bob", "hi"))
        self.assertEqual(self.bob.request(c.React(0, "@bob", sent.seq, "👍")).log, "@ann")
        (pushed,) = self.ann.receive_events(c.Pushed)
        self.assertEqual((pushed.kind, pushed.body, pushed.about), ("reaction", "👍", sent.id))
        self.assertEqual(self.ann.request(c.React(0, "@bob", sent.seq, "")).log, "@bob")
        eve = self.server.log_in("eve")
        self.assertEqual(eve.refusal_code(c.React(0, "@bob", sent.seq, "x")), "unknown-entry")

    def test_history(self) -> None:
        """Forwards and backwards, page by page, of what one may read; long texts come in short
        pages."""
        for number in range(10):
            self.ann.request(c.Send(0, "bob", str(number)))

        def bodies(page: c.Page) -> tuple[str, bool]:
            return "".join(entry.body for entry in page.entries), page.more

        self.assertEqual(bodies(self.bob.request(c.History(0, "@bob", 0, 0, 4))), ("0123", True))
        self.assertEqual(
            bodies(self.bob.request(c.History(0, "@bob", 4, 0, 100))), ("456789", False)
        )
        self.assertEqual(bodies(self.bob.request(c.History(0, "@bob", 0, 11, 4))), ("6789", True))
        self.assertEqual(
            bodies(self.bob.request(c.History(0, "@bob", 0, 7, 100))), ("012345", False)
        )
        self.assertEqual(self.ann.refusal_code(c.History(0, "@bob")), "unknown-log")
        for _ in range(9):
            self.ann.request(c.Send(0, "bob", "x" * 65_000))
        page = self.bob.request(c.History(0, "@bob", 0, 99, 100))
        self.assertEqual(
            ([entry.seq for entry in page.entries], page.more), ([16, 17, 18, 19], True)
        )

    def test_blocking(self) -> None:
        """Who is blocked hears it, with a message, an edit or a reaction; until unblocked."""
        sent = self.bob.request(c.Send(0, "ann", "grr"))
        self.ann.request(c.Block(0, "BOB"))
        self.assertEqual(self.ann.request(c.GetBlocked(0)).names, ["bob"])
        for message in (
            c.Send(0, "ann", "x"),
            c.Edit(0, "@ann", sent.seq, "x"),
            c.React(0, "@ann", 1, "x"),
        ):
            self.assertEqual(self.bob.refusal_code(message), "blocked")
        self.ann.request(c.Block(0, "bob", False))
        self.bob.request(c.Send(0, "ann", "sorry"))
        self.assertEqual(self.ann.receive_bodies(), ["grr", "sorry"])
        self.assertEqual(self.ann.refusal_code(c.Block(0, "nobody")), "unknown-account")

    def test_reporting(self) -> None:
        """The operators get it, with what was said."""
        self.bob.request(c.Send(0, "ann", "grr"))
        self.ann.request(c.Report(0, "bob", "rude", "@ann", 1))
        self.assertEqual(self.ann.refusal_code(c.Report(0, "nobody", "x")), "unknown-account")
        self.assertEqual(self.ann.refusal_code(c.Report(0, "bob", "x", "@bob", 1)), "unknown-entry")
        entries = self.successResultOf(self.server.store.read("@server", 0, 9))
        self.assertEqual([entry.body for entry in entries], ["bob: rude\n@ann 1: grr"])


class WithClassic(SynchronousTestCase):
    """A client of each protocol, on one port."""

    def setUp(self) -> None:
        """Both are there."""
        self.server = MainPortServer()
        self.ann = self.server.log_in("ann")
        self.carl = self.server.connect()
        self.decoder = client_decoder(1 << 20)
        self.carl.send_bytes(encode(CREATE, "carl"))
        self.got(self.carl)

    def got(self, client: V1Client) -> list[str]:
        """The texts that a classic client got."""
        data, client.transport.output = client.transport.output, b""
        return [message.text for message in self.decoder.feed(data) if isinstance(message, Send)]

    def test_both_ways(self) -> None:
        """What each can show arrives; what it cannot, in words."""
        sent = self.ann.request(c.Send(0, "carl", "Grüße ||| x"))
        self.ann.request(c.Edit(0, "@carl", sent.seq, "hello"))
        self.ann.request(c.React(0, "@carl", sent.seq, "+1"))
        self.ann.request(c.Retract(0, "@carl", sent.seq))
        self.assertEqual(
            self.got(self.carl),
            ["Gr??e || | x", "[corrected] hello", "[reacted: +1]", "[deleted a message]"],
        )
        self.carl.send_bytes(encode_send("carl", "ann", "hi"))
        self.assertEqual(self.ann.receive_entries(), [("@ann", "carl", "hi")])

    def test_mail_waits_for_both(self) -> None:
        """Whatever the protocol of who wrote it, and of who fetches it; once."""
        self.carl.disconnect()
        self.ann.request(c.Send(0, "carl", "1"))
        carl = self.server.connect()
        carl.send_bytes(encode(5, "carl") + encode(DELIVER))
        self.assertEqual(self.got(carl), ["1"])
        device = self.server.log_in_again("carl")
        self.assertEqual(device.receive_entries(), [], "it has been read")
        self.ann.request(c.Send(0, "carl", "2"))
        self.assertEqual((self.got(carl), device.receive_bodies()), (["2"], ["2"]))
        self.ann.disconnect()
        carl.send_bytes(encode_send("carl", "ann", "3"))
        self.assertEqual(self.server.log_in_again("ann").receive_entries(), [("@ann", "carl", "3")])
