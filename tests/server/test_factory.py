"""`ConnectionFactory`: the count of connections, deadlines, logging in, and closing them all."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase

from chatd.auth.credentials import NameOnly, NamePassword
from chatd.codecs.classic import CREATE, LIST, LOGIN, encode
from chatd.core.errors import PasswordRequired, WrongPassword
from chatd.realm.peer import Peer
from chatd.server.factory import PortFactory
from tests.doubles.classic_clients import ClassicServer
from tests.doubles.clients import FakeClient
from tests.doubles.memory_server import ADDRESS
from tests.doubles.realm import AckRecorder, AutoAckRecorder


class Deadlines(SynchronousTestCase):
    """Connections that are aborted because they are idle or too many."""

    def test_an_idle_connection_without_login_is_closed(self) -> None:
        """A connection that is logged in may be idle."""
        server = ClassicServer()
        ann, connection = server.register("ann"), server.connect()
        server.clock.advance(299)
        self.assertFalse(connection.transport.disconnecting)
        server.clock.advance(2)
        self.assertTrue(connection.transport.disconnecting)
        self.assertFalse(ann.transport.disconnecting)

    def test_too_many_connections_without_login_close_the_oldest(self) -> None:
        """The one that has been idle longest is closed; new ones are accepted."""
        server = ClassicServer(unauthenticated=3)
        server.register("ann")
        connections = []
        for _ in range(3):
            connections.append(server.connect())
            server.clock.advance(1)
        connections[0].send(encode(LIST))
        server.connect()
        self.assertEqual(
            [connection.transport.disconnecting for connection in connections], [False, True, False]
        )

    def test_connections_that_are_not_alive_are_aborted(self) -> None:
        """Each is checked every `idle_time` seconds."""
        server = ClassicServer()
        alive, silent = server.register("ann"), server.register("Bob")
        checks: list[float] = []

        def check() -> bool:
            checks.append(server.clock.seconds())
            return len(checks) < 2

        self.patch(silent.protocol, "is_alive", check)
        server.clock.pump([server.limits.idle_time] * 2)
        self.assertEqual(checks, [60, 120])
        self.assertTrue(silent.transport.disconnecting)
        self.assertFalse(alive.transport.disconnecting)

    def test_timers_end_without_connections(self) -> None:
        """They are not started again; `cancel_timers` ends them at once."""
        server = ClassicServer()
        client = server.connect()
        client.disconnect()
        server.clock.advance(server.limits.login_time)
        self.assertEqual(server.clock.getDelayedCalls(), [])
        server.connect()
        self.assertNotEqual(server.clock.getDelayedCalls(), [])
        server.factory.cancel_timers()
        self.assertEqual(server.clock.getDelayedCalls(), [])


class Closing(SynchronousTestCase):
    """All connections at once."""

    def setUp(self) -> None:
        self.server = ClassicServer()
        self.ann = self.server.register("ann")
        self.bob = self.server.register("Bob")

    def test_closing_all_answers_messages_that_are_being_handled(self) -> None:
        """Queued messages are dropped, and then the connections close."""
        self.server.store.eager = False
        self.ann.send_texts("ann", "Bob", "1")
        closed = self.server.factory.close_all()
        self.assertFalse(self.ann.transport.disconnecting)
        self.server.store.eager = True
        self.server.store.flush()
        self.assertEqual(self.ann.receive_texts(), ["1"])
        self.assertTrue(self.ann.transport.disconnecting and self.bob.transport.disconnecting)
        self.assertNoResult(closed)
        self.ann.disconnect()
        self.bob.disconnect()
        self.assertIsNone(self.successResultOf(closed))

    def test_closing_all_is_done_at_once_without_connections(self) -> None:
        """There is nothing to wait for."""
        self.assertIsNone(self.successResultOf(ClassicServer().factory.close_all()))

    def test_aborting_all_does_not_wait_for_output(self) -> None:
        """A client that does not read is disconnected as well."""
        self.bob.transport.capacity = 0
        self.bob.send(encode(LIST))
        self.server.factory.close_all()
        self.assertFalse(self.bob.transport.disconnecting)
        self.server.factory.abort_all()
        self.assertTrue(self.bob.transport.disconnecting)


class LoggingIn(SynchronousTestCase):
    """Sessions and proofs of passwords, as protocols ask for them."""

    def setUp(self) -> None:
        self.server = ClassicServer()
        self.server.connect().register("eve", "s3cret").disconnect()
        self.server.register("Bob").disconnect()

    def result(self, coroutine: Any) -> Any:
        """The result of a coroutine that waits for the store only; raises what it raises."""
        results: list[Any] = []
        errors: list[Exception] = []

        async def run() -> None:
            try:
                results.append(await coroutine)
            except Exception as error:
                errors.append(error)

        self.server.run(run())
        if errors:
            raise errors[0]
        return results[0]

    def test_session_is_that_of_the_peer(self) -> None:
        """Its rules are those of the peer's protocol, its name is as first written."""
        factory = self.server.factory
        peers: tuple[Peer, Peer] = AutoAckRecorder(), AckRecorder()
        sessions = [
            self.result(
                factory.log_in(NamePassword("EVE", "s3cret", FakeClient(ADDRESS)), peers[0])
            ),
            self.result(factory.log_in(NameOnly("bob", ADDRESS), peers[1])),
        ]
        self.assertEqual([session.name for session in sessions], ["eve", "Bob"])
        self.assertEqual([session.peer for session in sessions], list(peers))
        self.assertEqual(
            [session.options for session in sessions], [peer.session_options for peer in peers]
        )
        self.assertEqual([session.options.exclusive for session in sessions], [True, False])

    def test_prove_returns_the_account_if_its_password_is_right(self) -> None:
        """For an open account no password is needed; no session is opened."""
        prove = self.server.factory.prove
        self.assertEqual(
            self.result(prove("eve", "s3cret", FakeClient(ADDRESS))).password, "hash of s3cret"
        )
        self.assertIsNone(self.result(prove("bob", None, FakeClient(ADDRESS))).password)
        with self.assertRaises(WrongPassword):
            self.result(prove("eve", "guess", FakeClient(ADDRESS)))
        with self.assertRaises(PasswordRequired):
            self.result(prove("eve", None, FakeClient(ADDRESS)))
        self.assertFalse(self.server.realm.sessions.online("eve"))


class Ports(SynchronousTestCase):
    """The factory of one port."""

    def test_connections_of_all_ports_are_counted_together(self) -> None:
        """A port has its protocol, and the counts and limits of the common factory."""
        server = ClassicServer(unauthenticated=1)
        port = PortFactory(server.factory, server.factory.protocol)
        connections: list[Any] = [port.buildProtocol(None), server.factory.buildProtocol(None)]
        transports = [server.new_transport() for _ in connections]
        for connection, transport in zip(connections, transports, strict=True):
            connection.makeConnection(transport)
        self.assertEqual(list(server.factory.connections), connections)
        self.assertEqual([transport.disconnecting for transport in transports], [True, False])


class Banned(SynchronousTestCase):
    """Clients at an address that an operator has banned."""

    def test_connections_are_closed_and_refused(self) -> None:
        """Those without a session at once, a session with its reason; clients elsewhere stay."""
        server = ClassicServer()
        ann, connected = server.register("ann"), server.connect()
        server.client_address = "192.0.2.8"
        bob, other = server.register("bob"), server.connect()
        port = PortFactory(server.factory, server.factory.protocol)
        address = IPv4Address("TCP", "192.0.2.7", 1)
        server.run(server.realm.address_bans.ban("192.0.2.7", 60, ""))
        self.assertTrue(ann.transport.disconnecting and connected.transport.disconnecting)
        self.assertFalse(bob.transport.disconnecting or other.transport.disconnecting)
        for factory in (server.factory, port):
            self.assertIsNone(factory.buildProtocol(address))
            self.assertIsNotNone(factory.buildProtocol(IPv4Address("TCP", "192.0.2.8", 1)))
        self.assertEqual(server.realm.counters.refusals, {"address-banned": 3})
        server.now += 60_000
        self.assertIsNotNone(port.buildProtocol(address))

    def test_client_behind_a_proxy_is_refused(self) -> None:
        """The address of the client is known after its connection has been accepted."""
        server = ClassicServer()
        server.register("ann").disconnect()
        server.client_address = "127.0.0.1"
        client = server.connect()
        server.run(server.realm.address_bans.ban("192.0.2.7", None, "spam"))
        self.patch(client.transport, "peerAddr", IPv4Address("TCP", "192.0.2.7", 1))
        client.send(encode(LOGIN, "ann"), encode(CREATE, "eve"))
        server.clock.advance(0)
        sentence = "An operator has banned your address: spam"
        self.assertEqual(client.receive_texts(), [sentence, sentence])
