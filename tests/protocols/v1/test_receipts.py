"""Version 1: acknowledgements, read markers and receipts."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import v1_messages as c
from chatd.codecs.classic import CREATE, encode
from chatd.core.entries import Cursor
from chatd.realm.positions import SOON
from chatd.server.arrivals import INTERVAL
from chatd.stores import Position
from tests.doubles.v1_clients import MainPortServer, V1Client


class Acknowledgements(SynchronousTestCase):
    """Ann sends, and Bob acknowledges."""

    def setUp(self) -> None:
        self.server = MainPortServer()
        self.ann = self.server.log_in("Ann")
        self.bob = self.server.log_in("bob")

    def test_wrong_acknowledgements_are_refused(self) -> None:
        """These are of missing entries, of logs of others, or leave too many gaps."""
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

    def test_acknowledgement_of_a_deleted_log_does_not_concern_another_of_its_name(self) -> None:
        """It may be on the way while the room is created anew, and its entries are pushed."""
        since = []
        for _ in range(2):
            self.server.now += 1000
            since.append(self.ann.request(c.CreateRoom(0, "#den")).state.since)
            self.bob.request(c.Join(0, "#den"))
            self.ann.request(c.Send(0, "#den", "hi"))
            if len(since) == 1:
                self.ann.request(c.DeleteRoom(0, "#den"))
        late = c.Ack(0, "#den", 3, since=since[0])
        self.bob.receive()
        self.bob.send(late)
        (refusal,) = self.bob.receive_events(c.Refusal)
        self.assertEqual((refusal.ref, refusal.code), (0, "unknown-log"))
        self.assertEqual(self.bob.refusal_code(late), "unknown-log")
        self.bob.request(c.Ack(0, "#den", 3, since=since[1]))
        now = self.server.now
        self.assertEqual(self.bob.refusal_code(c.Ack(0, "@bob", 1, since=now)), "unknown-log")

    def test_acknowledgements_without_a_number_are_stored_soon(self) -> None:
        """The store has them within `SOON` seconds, together."""
        self.ann.request(c.Send(0, "bob", "1"))
        self.ann.request(c.Send(0, "bob", "2"))
        self.bob.send(c.Ack(0, "@bob", 1), c.Ack(0, "@bob", 2))
        self.assertEqual(self.stored_cursor(), Cursor())
        self.server.clock.advance(SOON)
        self.assertEqual(self.stored_cursor(), Cursor(2))

    def stored_cursor(self) -> Cursor:
        """What is stored of Bob's acknowledgements."""
        positions: list[Position] = []
        session = self.bob.protocol.session
        assert session is not None
        self.server.store.positions(session.account).addCallback(positions.extend)
        return positions[0].cursor if positions else Cursor()

    def test_acknowledgements_with_a_number_are_answered_when_stored(self) -> None:
        """The answer comes after the commit."""
        self.ann.request(c.Send(0, "bob", "1"))
        self.server.store.eager = False
        self.bob.send(c.Ack(7, "@bob", 1))
        self.assertEqual([type(message) for message in self.bob.receive()], [c.Pushed])
        self.server.store.release()
        self.assertEqual(self.bob.receive(), [c.Done(7)])


class Receipts(SynchronousTestCase):
    """Ann and Bob have asked for receipts."""

    def setUp(self) -> None:
        self.server = MainPortServer()
        self.ann = self.server.log_in("Ann", "receipts")
        self.bob = self.server.log_in("bob", "receipts")

    def receipts(self, client: V1Client) -> list[tuple[str, str, list[int]]]:
        """(log, what, seqs) of the receipts received since the last call."""
        return [
            (receipt.log, receipt.what, receipt.seqs)
            for receipt in client.receive_events(c.Receipt)
        ]

    def test_sender_is_notified_when_messages_are_delivered_and_read(self) -> None:
        """The sender can also ask later; other accounts cannot."""
        seqs = [self.ann.request(c.Send(0, "bob", text)).seq for text in "abc"]
        self.bob.request(c.Ack(0, "@bob", 2))
        self.assertEqual(self.receipts(self.ann), [("@bob", "delivered", [1, 2])])
        self.bob.request(c.MarkRead(0, "@bob", 1))
        self.assertEqual(self.receipts(self.ann), [("@bob", "read", [1])])
        states = self.ann.request(c.GetReceipts(0, "@bob", [*seqs, 9])).states
        self.assertEqual(
            [(state.seq, state.delivered, state.read) for state in states],
            [(1, True, True), (2, True, False), (3, False, False)],
        )
        self.assertEqual(
            self.bob.request(c.GetReceipts(0, "@bob", seqs)).states, [], "bob has not sent them"
        )
        self.ann.request(c.Hello(0, "test", "2", []))
        self.bob.request(c.Ack(0, "@bob", 3))
        self.assertEqual(self.receipts(self.ann), [])

    def test_sender_is_notified_of_mail_that_waited(self) -> None:
        """The recipient acknowledges it after logging in."""
        self.bob.disconnect()
        self.ann.request(c.Send(0, "bob", "1"))
        bob = self.server.log_in_again("bob")
        bob.request(c.Ack(0, "@bob", 1))
        self.assertEqual(self.receipts(self.ann), [("@bob", "delivered", [1])])

    def test_sender_is_notified_by_a_recipient_that_cannot_acknowledge(self) -> None:
        """A message to a classic client is delivered when it has arrived there."""
        classic = self.server.connect()
        classic.send_bytes(encode(CREATE, "carl"))
        classic.transport.in_flight = 1
        self.ann.request(c.Send(0, "carl", "1"))
        self.server.clock.advance(INTERVAL)
        self.assertEqual(self.receipts(self.ann), [])
        classic.transport.in_flight = 0
        self.server.clock.advance(2 * INTERVAL)
        self.assertEqual(self.receipts(self.ann), [("@carl", "delivered", [1])])

    def test_receipts_of_a_former_owner_of_the_name_are_not_shown(self) -> None:
        """The next account of that name did not send the messages."""
        seq = self.ann.request(c.Send(0, "bob", "by the first Ann")).seq
        self.ann.request(c.DeleteAccount(0))
        self.server.clock.advance(1)
        self.server.now += 1000
        ann = self.server.log_in("Ann")
        self.assertEqual(ann.request(c.GetReceipts(0, "@bob", [seq])).states, [])
