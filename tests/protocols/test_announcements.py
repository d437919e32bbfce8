"""Announcements and the reasons of suspensions, as the clients of every protocol are shown them."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address

from chatd.codecs import chat_pb2 as pb
from chatd.codecs import v1_messages as c
from chatd.codecs.classic import LOGIN, Send, encode, encode_send
from chatd.core.errors import Suspended
from chatd.server.connection import Connection
from tests.doubles.classic_clients import ClassicServer
from tests.doubles.grpc_calls import ServiceCase
from tests.doubles.memory_server import ADDRESS, MemoryServer
from tests.doubles.text_clients import TextClient

_TEXT = "We restart at noon, \u4e16"
_REASON = "This account is suspended: spam"
_BANNED = "An operator has banned your address: spam"


def announce(server: MemoryServer) -> None:
    """Announce `_TEXT`."""
    server.run(server.realm.announcements.announce(_TEXT))


def suspend(server: MemoryServer, name: str) -> None:
    """Suspend an account."""
    server.run(server.realm.suspensions.suspend(name, None, "spam"))


def ban(server: MemoryServer) -> None:
    """Ban the address of all clients."""
    server.run(server.realm.address_bans.ban(ADDRESS, None, "spam", True))


class Version1(ServiceCase):
    """A client of version 1; ann is logged in."""

    def test_announcement_is_an_event(self) -> None:
        """It has the time."""
        announce(self.server)
        self.assertEqual(
            self.ann.receive_events(c.Announcement), [c.Announcement(1_000_000, _TEXT)]
        )

    def test_suspended_account_gets_a_goodbye_and_then_a_refusal(self) -> None:
        """The refusal has the reason."""
        suspend(self.server, "ann")
        self.assertEqual(self.ann.receive_events(c.Goodbye), [c.Goodbye(Suspended.code, _REASON)])
        client = self.server.connect()
        self.assertEqual(
            client.answer_to(c.LogIn(1, "ann")), c.Refusal(1, "suspended", _REASON, c.LogIn.command)
        )

    def test_client_that_does_not_read_gets_a_bounded_number_of_announcements(self) -> None:
        """More than a few hundred kilobytes do not wait for it."""
        connection: Any = self.ann.protocol
        self.patch(type(connection), "writable", False)
        for _ in range(20_000):
            connection.announcement(0, "x" * 100)
        self.assertLess(len(self.ann.transport.output), 300_000)

    def test_guesser_learns_nothing_of_a_suspension(self) -> None:
        """A wrong password is refused as ever."""
        self.server.run(self.server.realm.set_password("ann", "s3cret"))
        suspend(self.server, "ann")
        client = self.server.connect()
        self.assertEqual(client.refusal_code(c.LogIn(0, "ann", "guess")), "wrong-password")
        self.assertEqual(client.refusal_code(c.LogIn(0, "ann")), "password-required")
        self.assertEqual(client.refusal_code(c.LogIn(0, "ann", "s3cret")), "suspended")


class Classic(ServiceCase):
    """A client of the classic protocol."""

    def test_announcement_and_reason_are_messages_from_the_server(self) -> None:
        """What is not ASCII is replaced."""
        server = ClassicServer()
        bob = server.register("Bob")
        announce(server)
        self.assertEqual(bob.receive_texts(), ["We restart at noon, ?"])
        suspend(server, "bob")
        frame = encode_send("Server", "Bob", _REASON)
        self.assertEqual(bob.receive(), [Send("Server", "Bob", _REASON, frame)])
        self.assertTrue(bob.transport.disconnecting)
        bob = server.connect()
        bob.send(encode(LOGIN, "Bob"))
        self.assertEqual(bob.receive_texts(), [_REASON])

    def test_reason_of_a_banned_address_is_a_message_from_the_server(self) -> None:
        """It is the only one: the client cannot connect again."""
        server = ClassicServer()
        bob = server.register("Bob")
        ban(server)
        self.assertEqual(bob.receive_texts(), [_BANNED])
        self.assertTrue(bob.transport.disconnecting)

    def test_client_that_does_not_read_gets_no_announcement(self) -> None:
        """Nothing is buffered for it."""
        server = ClassicServer()
        bob = server.register("Bob")
        self.patch(Connection, "writable", False)
        announce(server)
        self.assertEqual((bob.transport.output, bob.transport.buffer), (b"", b""))


class Texts(ServiceCase):
    """Clients of ops and of CHAT/1.0."""

    def test_announcement_and_reason_are_messages_to_an_ops_client(self) -> None:
        """A log-in is refused with the reason, and so is fetching mail."""
        client = TextClient(self.server, "ops")
        client.request("1|mason")
        announce(self.server)
        self.assertEqual(client.receive(), "Server: We restart at noon, ?")
        suspend(self.server, "mason")
        self.assertEqual(client.receive(), f"Server: {_REASON}")
        self.assertTrue(client.transport.disconnecting)
        client = TextClient(self.server, "ops")
        client.receive()
        for command in ("0|mason123", "4|mason123", "5|mason123"):
            self.assertEqual(client.request(command), f"{_REASON}\n")

    def test_announcement_and_reason_are_messages_to_a_chat10_client(self) -> None:
        """A registration is refused with the reason."""
        client = TextClient(self.server)
        client.request("REGISTER luca CHAT/1.0\n")
        announce(self.server)
        self.assertEqual(client.receive(), "@Server: We restart at noon, ?\n")
        suspend(self.server, "luca")
        self.assertEqual(client.receive(), f"@Server: {_REASON}\nDISCONNECT CHAT/1.0\n")
        client = TextClient(self.server)
        self.assertEqual(
            client.request("REGISTER luca CHAT/1.0\n"), f"400 Invalid registration: {_REASON}\n"
        )

    def test_ops_client_behind_a_proxy_is_refused_if_its_address_is_banned(self) -> None:
        """Also fetching mail and deleting an account, for which ops has no log-in."""
        TextClient(self.server, "ops").request("1|mason")
        self.server.client_address = "127.0.0.1"
        client = TextClient(self.server, "ops")
        client.receive()
        ban(self.server)
        self.patch(client.transport, "peerAddr", IPv4Address("TCP", ADDRESS, 1))
        for command in ("0|mason123", "4|mason123", "5|mason123", "1|eve"):
            self.assertEqual(client.request(command), f"{_BANNED}\n")

    def test_reason_of_a_banned_address_is_a_message_to_ops_and_chat10_clients(self) -> None:
        """It precedes what ends the connection."""
        ops, chat10 = TextClient(self.server, "ops"), TextClient(self.server)
        ops.request("1|mason")
        chat10.request("REGISTER luca CHAT/1.0\n")
        ban(self.server)
        self.assertEqual(ops.receive(), f"Server: {_BANNED}")
        self.assertEqual(chat10.receive(), f"@Server: {_BANNED}\nDISCONNECT CHAT/1.0\n")


class Grpc(ServiceCase):
    """The ChatService."""

    def test_announcement_is_shown_by_each_stream(self) -> None:
        """It does not wait for a stream that is opened later."""
        self.create_account("mason")
        first, second = self.open("mason"), self.open("mason")
        self.read("mason", first), self.read("mason", second)
        announce(self.server)
        for stream in (first, second):
            self.assertEqual(self.read("mason", stream), [("Server", _TEXT)])
        third = self.read("mason", self.open("mason"))
        self.assertEqual(third, [("Server", "Account mason has been created!")])

    def test_reason_ends_the_stream_and_refuses_every_call(self) -> None:
        """Also those that need no session."""
        self.create_account("mason")
        stream = self.open("mason")
        suspend(self.server, "mason")
        self.assertEqual(self.read("mason", stream)[-1], ("Server", _REASON))
        service = self.service
        for method, request in (
            (service.log_in, pb.LogOutRequest(client_id="mason")),
            (service.log_out, pb.LogOutRequest(client_id="mason")),
            (service.delete_account, pb.DeleteAccountRequest(client_id="mason")),
            (service.wild_card, pb.WildCardRequest(client_id="mason", pattern="x")),
            (service.send_message, pb.ChatMessageRequest(sender_id="mason", recipient_id="ann")),
        ):
            self.assert_refused(Suspended, method, request)
