"""What the clients of each protocol are sent when there are too many sessions, or when an operator
bans their address."""

from __future__ import annotations

import grpc
import msgspec
from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import chat_pb2 as pb
from chatd.codecs import v1_messages as c
from chatd.codecs.classic import CREATE, LOGIN, RESPONSE, encode
from chatd.core.errors import LimitReached
from chatd.protocols.grpc.service import STATUS
from tests.doubles.grpc_calls import CallContext, ServiceCase
from tests.doubles.text_clients import TextClient
from tests.doubles.v1_clients import MainPortServer

SENTENCE = "An address can have at most 1 session."


class Refusals(SynchronousTestCase):
    """Bob's account exists, and Ann has the only session that her address may have."""

    def setUp(self) -> None:
        self.server = MainPortServer(address_sessions=1)
        self.server.log_in("bob").disconnect()
        self.ann = self.server.log_in("ann")

    def client(self, port: str) -> TextClient:
        """A client of a protocol."""
        return TextClient(self.server, port)

    def test_version_1(self) -> None:
        """The refusal has a code; the connection stays open, and can log in later."""
        client = self.server.connect()
        refusal = client.answer_to(c.LogIn(0, "bob"))
        self.assertEqual((refusal.code, refusal.sentence), ("limit-reached", SENTENCE))
        self.ann.disconnect()
        client.request(c.LogIn(0, "bob"))
        self.assertEqual(self.server.realm.counters.quotas_met, {"address_sessions": 1})

    def test_classic(self) -> None:
        """The RESPONSE has the sentence."""
        client = self.client("classic")
        client.send(encode(LOGIN, "bob"))
        self.server.clock.advance(0)
        self.assertEqual(client.transport.output, encode(RESPONSE, SENTENCE))

    def test_ops(self) -> None:
        """The reply is the sentence."""
        self.assertEqual(self.client("ops").request("0|bob123"), SENTENCE + "\n")

    def test_chat10(self) -> None:
        """The sentence follows the reply of the protocol, and the connection is closed."""
        self.assertEqual(
            self.client("chat10").request("REGISTER bob CHAT/1.0\n"),
            f"400 Invalid registration: {SENTENCE}\n",
        )


class Registrations(SynchronousTestCase):
    """The address has created as many accounts as it can in an hour."""

    SENTENCE = (
        "An address can create at most 1 account in an hour; try again later, or ask the operator "
        "of this server for an invite token."
    )

    def setUp(self) -> None:
        self.server = MainPortServer(address_accounts=1)
        self.server.log_in("ann")
        self.token = self.server.invite_token(uses=4)

    def test_version_1(self) -> None:
        """The refusal has a code; an invite token lifts the limit."""
        client = self.server.connect()
        refusal = client.answer_to(c.Register(0, "bob", "x"))
        self.assertEqual((refusal.code, refusal.sentence), ("limit-reached", self.SENTENCE))
        client.request(c.Register(0, "bob", "x", self.token))
        self.assertEqual(self.server.realm.counters.quotas_met, {"address_accounts": 1})

    def test_text_protocols(self) -> None:
        """Each has the sentence where it has others."""
        client = TextClient(self.server, "classic")
        client.send(encode(CREATE, "bob"))
        self.server.clock.advance(0)
        self.assertEqual(client.transport.output, encode(RESPONSE, self.SENTENCE))
        client.request(encode(CREATE, "bob", "", self.token))
        ops = TextClient(self.server, "ops")
        self.assertEqual(ops.request("1|mason"), self.SENTENCE + "\n")
        chat10 = TextClient(self.server, "chat10")
        self.assertEqual(
            chat10.request("REGISTER luca CHAT/1.0\n"),
            f"400 Invalid registration: {self.SENTENCE}\n",
        )
        chat10 = TextClient(self.server, "chat10")
        client.disconnect()
        self.assertEqual(chat10.request("REGISTER bob CHAT/1.0\n"), "200 Registration successful\n")


class Bans(SynchronousTestCase):
    """An operator bans the address of sessions of each protocol."""

    def test_sessions_are_sent_the_reason_as_their_protocol_can(self) -> None:
        """Then they are closed; `test_announcements` has what the older protocols send."""
        server = MainPortServer()
        ann, other = server.log_in("ann"), server.connect()
        texts = [TextClient(server, port) for port in ("chat10", "ops", "classic")]
        texts[0].request("REGISTER luca CHAT/1.0\n")
        texts[1].request("1|mason")
        texts[2].request(encode(CREATE, "wayne"))
        server.run(server.realm.address_bans.ban("192.0.2.7", None, "spam"))
        server.clock.advance(3)
        sentence = "An operator has banned your address: spam"
        self.assertEqual(ann.receive_events(c.Goodbye), [c.Goodbye("address-banned", sentence)])
        self.assertEqual(texts[0].receive(), f"@Server: {sentence}\nDISCONNECT CHAT/1.0\n")
        for transport in (ann.transport, other.transport, *(each.transport for each in texts)):
            self.assertTrue(transport.disconnecting)
        self.assertEqual(server.realm.sessions.all(), [])


class GrpcRegistrations(ServiceCase):
    """Calls from an address that has created as many accounts as it can."""

    def test_call_is_refused(self) -> None:
        """With the status of other limits."""
        limits = self.server.realm.limits
        self.server.realm.limits = msgspec.structs.replace(limits, address_accounts=1)
        self.create_account("bob")
        request = pb.LogOutRequest(client_id="mason")
        self.assert_refused(LimitReached, self.service.create_account, request)


class GrpcRefusals(ServiceCase):
    """Calls from an address with too many sessions."""

    def test_call_is_refused_with_a_status(self) -> None:
        """Each stream has a session; one that ends makes room."""
        self.create_account("bob")
        limits = self.server.realm.limits
        self.server.realm.limits = msgspec.structs.replace(
            limits, address_sessions=len(self.server.realm.sessions.all())
        )
        request = pb.ChatClient(recipient_id="bob")
        self.assert_refused(LimitReached, self.service.open_stream, request, CallContext())
        self.assertIs(STATUS[LimitReached], grpc.StatusCode.RESOURCE_EXHAUSTED)
        elsewhere = CallContext(peer="ipv6:%5B2001:db8::1%5D:5000")
        stream = self.open_with("bob", elsewhere)
        self.assertEqual(stream.network, "2001:db8::/64")
        self.log_out("bob")
        self.ann.disconnect()
        self.log_in("bob")
