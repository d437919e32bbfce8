"""The lines of the log about clients: one form for every protocol, nothing that a peer has written
but the name, and a bound for each address."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import chat_pb2 as pb
from chatd.codecs import v1_messages as c
from chatd.codecs.classic import CREATE, LOGIN, encode
from chatd.protocols.grpc.server import GrpcServer
from chatd.realm.permissions import Policy
from chatd.server import client_log
from chatd.server.client_log import LINES, LOCAL_LINES, LOGGED, PERIOD, ClientLog
from tests.doubles.grpc_calls import Aborted, CallContext
from tests.doubles.log_lines import log_lines
from tests.doubles.text_clients import TextClient
from tests.doubles.v1_clients import MainPortServer

EVIL = "x ]\nClient (192.0.2.99, 5) refused: wrong-password  [ ann\x1b[2J"
SHOWN = "x???Client??192.0.2.99??5??refus"


class RefusalLines(SynchronousTestCase):
    """A server with ann, who has a password, and bob, whose account is open."""

    def setUp(self) -> None:
        self.server = MainPortServer()
        self.server.log_in("ann", password="s3cret").disconnect()
        self.server.log_in("bob").disconnect()
        self.lines = log_lines(self)

    def refusals(self) -> list[str]:
        """The lines about refusals since the last call, without the address."""
        refusals = [line for line in self.lines if " refused: " in line]
        for line in refusals:
            self.assertRegex(line, r"^Client \(192\.0\.2\.7, \d+\) refused: [ -~]*$")
        self.lines.clear()
        return [line.partition(" refused: ")[2] for line in refusals]

    def test_version_1_shows_the_name_that_was_tried(self) -> None:
        """Also on a connection that is logged in to another account."""
        client = self.server.connect()
        client.answer_to(c.LogIn(0, "Ann", "guess"))
        client.answer_to(c.LogIn(0, "ann"))
        client.answer_to(c.Resume(0, "ann", "guess"))
        client.answer_to(c.Register(0, "ANN", "guess"))
        client.answer_to(c.Send(0, "ann", "hi"))
        client.request(c.LogIn(0, "bob"))
        client.answer_to(c.LogIn(0, "ann", "guess"))
        client.answer_to(c.Send(0, "nemo", "hi"))
        self.assertEqual(
            self.refusals(),
            [
                "wrong-password  [ Ann ]",
                "password-required  [ ann ]",
                "wrong-password  [ ann ]",
                "name-taken  [ ANN ]",
                "not-logged-in  [  ]",
                "wrong-password  [ ann ]",
                "unknown-account  [ bob ]",
            ],
        )

    def test_other_refusals_of_a_connection_do_not_hide_guesses(self) -> None:
        """Ten of each are logged."""
        client = self.server.connect()
        for _ in range(LOGGED + 5):
            client.answer_to(c.Send(0, "ann", "hi"))
        self.assertEqual(len(self.refusals()), LOGGED)
        client.answer_to(c.LogIn(0, "ann", "guess"))
        self.assertEqual(self.refusals(), ["wrong-password  [ ann ]"])

    def test_connection_without_a_known_protocol_has_the_same_form(self) -> None:
        """There is no name."""
        TextClient(self.server).send("GET / HTTP/1.1\r\n")
        (line,) = self.refusals()
        self.assertTrue(line.endswith("  [  ]"), line)

    def test_text_protocols_show_the_name_that_was_tried(self) -> None:
        """Each in its own commands."""
        classic = TextClient(self.server, "classic")
        classic.request(encode(LOGIN, "ann", "guess"))
        classic.request(encode(CREATE, "ann", "guess"))
        TextClient(self.server, "chat10").request("REGISTER ann CHAT/1.0\r\n")
        self.server.realm.policy = Policy("closed")
        TextClient(self.server, "ops").request("1|carl")
        self.assertEqual(
            self.refusals(),
            [
                "wrong-password  [ ann ]",
                "name-taken  [ ann ]",
                "password-required  [ ann ]",
                "registration-closed  [ carl ]",
            ],
        )

    def test_grpc_shows_the_name_that_was_tried(self) -> None:
        """The line has address and port, as those of other protocols; of each connection ten are
        logged, and more only after some time."""
        port = GrpcServer(self.server.factory)
        details: Any = SimpleNamespace(method="/ChatService/LogIn", invocation_metadata=())
        handler: Any = port._handlers().service(details)

        def refuse(peer: str) -> None:
            request = pb.LogOutRequest(client_id="ann")
            context = CallContext(peer=peer)
            self.assertRaises(Aborted, asyncio.run, handler.unary_unary(request, context))

        for _ in range(15):
            refuse("ipv4:192.0.2.7:5000")
        refusals = self.refusals()
        self.assertEqual(refusals[0], "password-required  [ ann ]")
        self.assertEqual(len(refusals), 10)
        self.assertIn("further refusals of this client are not logged", refusals[-1])
        refuse("ipv4:192.0.2.7:5001")
        self.assertEqual(len(self.refusals()), 1)
        self.server.clock.advance(601)
        refuse("ipv4:192.0.2.7:5000")
        self.assertEqual(len(self.refusals()), 1)

    def test_name_cannot_imitate_a_line(self) -> None:
        """It is on one line, of letters that names have, and not longer than a name."""
        client = self.server.connect()
        client.answer_to(c.LogIn(0, EVIL, "guess"))
        client.answer_to(c.LogIn(0, "x" * 60, "guess"))
        self.assertEqual(
            self.refusals(),
            [f"wrong-password  [ {SHOWN} ]", f"wrong-password  [ {'x' * 32} ]"],
        )


class Bounds(SynchronousTestCase):
    """Clients that cause lines without end, on connection after connection."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.log = ClientLog(self.clock)
        self.lines = log_lines(self)

    def refuse(self, address: str, reason: str = "unknown-account", times: int = 1) -> list[str]:
        """The lines for refusals, each the first one of a connection."""
        self.lines.clear()
        for _ in range(times):
            self.log.refused(address, f"({address}, 5000)", reason, "ann", 1)
        return list(self.lines)

    def test_client_that_reconnects_is_not_logged_without_end(self) -> None:
        """Neither its refusals nor its sessions."""
        self.patch(client_log, "LINES", 6)
        server = MainPortServer()
        server.log_in("bob").disconnect()
        for _ in range(10):
            TextClient(server).send("GET / HTTP/1.1\r\n")
            server.log_in_again("bob").disconnect()
        server.factory.cancel_timers()
        refusals = [line for line in self.lines if " refused: " in line]
        sessions = [line for line in self.lines if "[ bob ]" in line]
        self.assertEqual((len(refusals), len(sessions)), (6, 6))
        self.assertEqual(
            self.lines[-2:],
            [
                "Clients at 192.0.2.7: 16 log-ins and log-outs were not logged",
                "Clients at 192.0.2.7: 4 refusals were not logged",
            ],
        )

    def test_lines_are_left_out_for_a_minute_and_counted(self) -> None:
        """The log has how many, also if the client does not come again."""
        self.refuse("192.0.2.7", times=LINES - 1)
        self.clock.advance(PERIOD - 1)
        self.assertEqual(
            self.refuse("192.0.2.7", times=4)[1:],
            ["Clients at 192.0.2.7: further refusals are not logged for a minute"],
        )
        self.lines.clear()
        self.clock.advance(PERIOD - 1)
        self.assertEqual(self.refuse("192.0.2.7"), [])
        self.clock.advance(1)
        self.assertEqual(self.lines, ["Clients at 192.0.2.7: 4 refusals were not logged"])
        self.assertEqual(len(self.refuse("192.0.2.7", times=LINES)), LINES)

    def test_lines_of_an_address_are_counted_for_a_minute(self) -> None:
        """A client that is refused now and then is logged each time."""
        for _ in range(3):
            self.assertEqual(len(self.refuse("192.0.2.7", times=LINES)), LINES)
            self.clock.advance(PERIOD)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_addresses_are_counted_by_themselves(self) -> None:
        """Those of a subscriber of IPv6 together."""
        self.refuse("2001:db8::1", times=LINES + 1)
        self.assertEqual(self.refuse("2001:db8::2"), [])
        self.assertEqual(len(self.refuse("2001:db8:0:1::1")), 1)
        self.assertEqual(len(self.refuse("192.0.2.8")), 1)

    def test_other_refusals_do_not_hide_guesses(self) -> None:
        """Nor do sessions: fail2ban would not see them."""
        self.refuse("192.0.2.7", times=LINES + 1)
        for _ in range(LINES + 1):
            self.log.connected("192.0.2.7", "(192.0.2.7, 5000)", "ann")
        self.assertEqual(len(self.refuse("192.0.2.7", "wrong-password", LINES)), LINES)

    def test_clients_on_this_machine_have_a_greater_bound(self) -> None:
        """Of TCP and of unix sockets together."""
        self.assertEqual(len(self.refuse("127.0.0.1", times=LOCAL_LINES - 1)), LOCAL_LINES - 1)
        self.assertEqual(len(self.refuse("local")), 1)
        self.assertEqual(
            self.refuse("::1", times=2),
            ["Clients at local: further refusals are not logged for a minute"],
        )

    def test_number_of_addresses_is_bounded(self) -> None:
        """The one that was first is counted from the start."""
        self.patch(client_log, "MAX_ADDRESSES", 2)
        self.refuse("192.0.2.1", times=LINES + 1)
        self.refuse("192.0.2.2", times=LINES + 1)
        self.assertEqual(
            self.refuse("192.0.2.3"),
            [
                "Clients at 192.0.2.1: 1 refusals were not logged",
                "Client (192.0.2.3, 5000) refused: unknown-account  [ ann ]",
            ],
        )
        self.assertEqual(self.refuse("192.0.2.2"), [])
        self.log.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
