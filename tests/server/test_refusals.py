"""The lines of the log about refusals: one form for every protocol, and nothing that a peer has
written but the name."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import chat_pb2 as pb
from chatd.codecs import v1_messages as c
from chatd.codecs.classic import CREATE, LOGIN, encode
from chatd.protocols.grpc.server import GrpcServer
from chatd.realm.permissions import Policy
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
