"""The table of doors: names, ports, and the protocol that a connection gets."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import classic, ops, v1
from chatd.codecs import v1_messages as c
from chatd.config.option_types import LEGACY_PORTS, LISTEN_NAMES
from chatd.config.options import Options
from chatd.protocols.chat10 import Chat10Protocol
from chatd.protocols.classic import ClassicProtocol
from chatd.protocols.doors import (
    ANY,
    DOORS,
    GRPC,
    connection_maker,
    main_port,
    shown_title,
    shown_titles,
)
from chatd.protocols.ops import OpsProtocol
from chatd.protocols.v1.protocol import V1Protocol
from chatd.server.sniffer import Rejection
from tests.doubles.text_clients import TextClient
from tests.doubles.v1_clients import MainPortServer

FIRST_BYTES = {
    "v1": v1.encode(c.Ping(1)),
    "classic": classic.encode(classic.LIST, "x"),
    "chat10": b"REGISTER luca CHAT/1.0\n",
    "ops": b"2|x",
}
PROTOCOLS = {
    "v1": V1Protocol,
    "classic": ClassicProtocol,
    "chat10": Chat10Protocol,
    "ops": OpsProtocol,
}


class Table(SynchronousTestCase):
    """Names, titles and ports."""

    def test_options_and_table_have_the_same_names_and_ports(self) -> None:
        """`chatd.config` cannot import protocols, so it has a list of its own."""
        doors = (*DOORS, GRPC)
        self.assertEqual(set(LISTEN_NAMES), {ANY, *(door.name for door in doors)})
        self.assertIn(f"one of {', '.join(LISTEN_NAMES)}.", Options.opt_listen.__doc__ or "")
        ports = {door.name: door.legacy_port for door in doors if door.legacy_port is not None}
        self.assertEqual(ports, LEGACY_PORTS)

    def test_every_name_has_a_title(self) -> None:
        """The banner shows them to people who do not know the protocols."""
        self.assertEqual(
            [shown_title(name) for name in LISTEN_NAMES],
            ["all protocols", "classic", "version 1", "CHAT/1.0", "ops", "gRPC"],
        )
        self.assertEqual(
            shown_titles(),
            "version 1 (chatd's own client), classic (binary), CHAT/1.0 (text), "
            "ops (text with op codes)",
        )


class Connections(SynchronousTestCase):
    """The protocol of a connection, by its port and its first bytes."""

    def test_main_port_recognises_every_protocol(self) -> None:
        """The first bytes of a connection tell its protocol."""
        for door in DOORS:
            client = TextClient(MainPortServer())
            client.send(FIRST_BYTES[door.name])
            self.assertIs(type(client.transport.protocol), PROTOCOLS[door.name])

    def test_connection_of_an_unknown_protocol_gets_a_sentence_and_is_closed(self) -> None:
        """It is counted beside connections of known protocols on the same port."""
        server = MainPortServer()
        classic_client, v1_client, unknown = (server.connect() for _ in range(3))
        classic_client.send_bytes(classic.encode(classic.LIST, "*"))
        self.assertEqual(classic_client.transport.output[:2], b"\x00\x07")
        v1_client.send_bytes(v1.encode(c.Ping(1)))
        self.assertEqual(v1_client.receive(), [c.Pong(1)])
        unknown.send_bytes(b"GET / HTTP/1.1\r\n")
        self.assertIn(b"Unknown protocol.", unknown.transport.output)
        self.assertTrue(unknown.transport.half_closed)
        self.assertEqual(len(server.factory.connections), 3)

    def test_port_of_one_protocol_has_no_other(self) -> None:
        """Its connections have that protocol from the beginning."""
        server = MainPortServer()
        for door in DOORS:
            made = connection_maker(door.name, main_port())(server.factory)
            self.assertIs(type(made), PROTOCOLS[door.name])

    def test_ops_greets_at_once_on_its_own_port_only(self) -> None:
        """On the main port the greeting precedes the first reply."""
        self.assertEqual(TextClient(MainPortServer(), "ops").receive(), ops.GREETING)
        self.assertEqual(TextClient(MainPortServer()).receive(), "")

    def test_port_with_tls_of_its_own_has_every_protocol_inside(self) -> None:
        """Also where the main port requires TLS."""
        for door in DOORS:
            server = MainPortServer()
            server.factory.protocol = connection_maker(ANY, main_port(tls_only=True), secure=True)
            client = TextClient(server)
            client.transport.protocol = server.factory.buildProtocol(None)
            client.transport.protocol.makeConnection(client.transport)
            client.send(FIRST_BYTES[door.name])
            self.assertIs(type(client.transport.protocol), PROTOCOLS[door.name])

    def test_client_without_tls_is_refused_in_its_own_protocol(self) -> None:
        """The client of a port that requires TLS can read the reply."""
        for door in DOORS:
            server = MainPortServer()
            server.factory.protocol = main_port(tls_only=True)
            client = TextClient(server)
            client.transport.protocol = server.factory.buildProtocol(None)
            client.transport.protocol.makeConnection(client.transport)
            client.send(FIRST_BYTES[door.name])
            self.assertIsInstance(client.transport.protocol, Rejection)
            self.assertEqual(client.transport.output, door.tls_only_reply)
            self.assertIn(b"This port speaks TLS only.", client.transport.output)
