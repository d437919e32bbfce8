"""What senders are sent, in each protocol, when the mailbox of the recipient is full."""

from __future__ import annotations

import grpc
from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import chat_pb2 as pb
from chatd.codecs import v1_messages as c
from chatd.codecs.classic import LOGIN, RESPONSE, encode, encode_send
from chatd.core.errors import MailboxFull
from chatd.protocols.grpc.service import STATUS
from chatd.stores import Quota
from tests.doubles.grpc_calls import CallContext, ServiceCase
from tests.doubles.text_clients import TextClient
from tests.doubles.v1_clients import MainPortServer

SENTENCE = "The mailbox of the recipient is full: its limit is 10,000 bytes from one sender."


class Refusals(SynchronousTestCase):
    """Ann has stored as much in bob's mailbox as one sender may; Eve has stored nothing."""

    def setUp(self) -> None:
        self.server = MainPortServer(sender_bytes=10_000)
        self.server.log_in("eve").disconnect()
        self.bob = self.server.log_in("bob")
        self.ann = self.server.log_in("ann")
        self.ann.request(c.Send(0, "bob", "x" * 9_850, "k1"))
        self.bob.receive_events()

    def test_flood_by_one_account_is_refused_and_others_get_through(self) -> None:
        """Of any number of texts of the attacker, what is stored is not more than the bound and
        one burst; a resend of what was accepted gets its first answer."""
        for number in range(200):
            answer = self.ann.answer_to(c.Send(0, "bob", "x" * 1_000, f"f{number}"))
            self.assertEqual((answer.code, answer.sentence), ("mailbox-full", SENTENCE))
        again = self.ann.answer_to(c.Send(0, "bob", "x" * 9_850, "k1"))
        self.assertEqual((again.log, again.seq), ("@bob", 1))
        eve = self.server.log_in_again("eve")
        self.assertEqual(eve.answer_to(c.Send(0, "bob", "hello", "1")).seq, 2)
        self.assertEqual(self.bob.receive_entries(), [("@bob", "eve", "hello")])
        counters = self.server.realm.counters
        self.assertEqual(counters.refusals["mailbox-full"], 200)
        self.assertEqual(counters.quotas_met["sender_bytes"], 200)

    def test_reaction_is_refused(self) -> None:
        """And an edit; the deletion of a message is not."""
        self.assertEqual(self.ann.answer_to(c.Edit(0, "@bob", 1, "y", "e")).code, "mailbox-full")
        self.assertIsInstance(self.ann.answer_to(c.Retract(0, "@bob", 1, "d")), c.Accepted)

    def test_invitation_is_refused(self) -> None:
        """And makes no invitation."""
        self.ann.request(c.CreateRoom(0, "#club", private=True))
        answer = self.ann.answer_to(c.Invite(0, "#club", "bob"))
        self.assertEqual((answer.code, answer.sentence), ("mailbox-full", SENTENCE))
        self.assertEqual(self.bob.refusal_code(c.Join(0, "#club")), "unknown-room")

    def test_room_is_not_filled_by_changes_of_it(self) -> None:
        """A member with its share changes nothing that others are to be told; it can leave. Its
        bans are made, but the room has no entries of them any more."""
        self.ann.request(c.CreateRoom(0, "#club"))
        self.bob.request(c.Join(0, "#club"))
        self.ann.request(c.SetRole(0, "#club", "bob", "deputy"))
        self.ann.request(c.Send(0, "#club", "x" * 9_900))
        for request in (
            c.SetTopic(0, "#club", "t" * 250),
            c.SetPrivate(0, "#club", True),
            c.SetHistory(0, "#club", "joined"),
            c.ConfigureRoom(0, "#club", "slow", "5"),
            c.SetRole(0, "#club", "bob", "moderator"),
        ):
            self.assertEqual(self.ann.refusal_code(request), "room-full")
        head = self.bob.request(c.Join(0, "#club")).state.head
        for number in range(20):
            self.ann.request(c.Ban(0, "#club", "nobody*", 0, f"{number}" * 250))
            self.ann.request(c.Silence(0, "#club", "eve", 0, f"{number}" * 250))
        self.ann.request(c.Unban(0, "#club", "nobody*"))
        self.ann.request(c.Unsilence(0, "#club", "eve"))
        self.assertEqual(self.bob.request(c.Join(0, "#club")).state.head, head)
        self.ann.request(c.Leave(0, "#club"))
        self.assertEqual(self.ann.refusal_code(c.Join(0, "#club")), "room-full")

    def test_classic(self) -> None:
        """The RESPONSE has the sentence, after the echo of what was stored."""
        client = TextClient(self.server, "classic")
        client.send(encode(LOGIN, "ann"))
        self.server.clock.advance(0)
        client.transport.output = b""
        client.send(encode_send("ann", "bob", "more"))
        self.assertEqual(client.transport.output, encode(RESPONSE, SENTENCE))

    def test_ops(self) -> None:
        """The reply is the sentence."""
        client = TextClient(self.server, "ops")
        client.request("0|ann123")
        self.assertEqual(client.request("3|bob|more"), SENTENCE + "\n")

    def test_member_that_floods_the_lobby_is_refused(self) -> None:
        """CHAT/1.0 has no reply for it; the other members are sent nothing."""
        self.bob.request(c.Join(0, "#lobby"))
        client = TextClient(self.server, "chat10")
        client.request("REGISTER eve CHAT/1.0\n")
        self.bob.receive_entries()
        client.request("x" * 9_900 + "\n")
        self.assertEqual(self.bob.receive_entries(), [("#lobby", "eve", "x" * 9_900)])
        client.request("more\n")
        self.assertEqual(self.bob.receive_entries(), [])
        self.assertEqual(self.server.realm.counters.refusals, {"room-full": 1})


class GrpcRefusals(ServiceCase):
    """A call to a full mailbox."""

    def test_call_is_refused_with_a_status(self) -> None:
        """The message is not stored."""
        self.server.realm.store._quota = Quota(sender=1)  # type: ignore[attr-defined]
        self.server.realm.store._least = 1  # type: ignore[attr-defined]
        self.server.realm.store._count_every = 1  # type: ignore[attr-defined]
        self.create_account("bob")
        self.create_account("eve")
        self.send("eve", "bob", "one")
        request = pb.ChatMessage(sender_id="eve", recipient_id="bob", message="two")
        self.assert_refused(MailboxFull, self.service.send_message, request, CallContext())
        self.assertIs(STATUS[MailboxFull], grpc.StatusCode.RESOURCE_EXHAUSTED)
