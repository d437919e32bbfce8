"""`connect`: addresses, the first login, registering."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

import chatd
from chatd.client import Client, ConnectionClosed, Refused, Security, connect
from chatd.client.library.connect import parse_address
from chatd.client.library.errors import RefusedByServer
from chatd.client.library.opening import CONNECT_TIMEOUT
from chatd.codecs import v1_messages as c
from tests.doubles.v1_server import ScriptedServer


class SilentEndpoint:
    """An endpoint whose connection attempts never end."""

    def connect(self, factory: object) -> Deferred[Any]:
        """See IStreamClientEndpoint."""
        return Deferred()


class GarbageServer(ScriptedServer):
    """A server of another protocol."""

    def message_received(self, message: Any) -> None:
        """Answer with bytes that are no frame of version 1."""
        self.connection.dataReceived(b"\x00\x06" + bytes(40))


class WrongAnswers(ScriptedServer):
    """A server that answers every request by `Done`."""

    def message_received(self, message: Any) -> None:
        """Answer."""
        self.send(c.Done(message.ref))


class SlowLogin(ScriptedServer):
    """A server that does not answer the login, but pings."""

    login: c.LogIn

    def message_received(self, message: Any) -> None:
        """Answer all but the login."""
        match message:
            case c.LogIn():
                self.login = message
            case c.Ping():
                self.send(c.Pong(message.ref))
            case _:
                super().message_received(message)


class AddressTests(SynchronousTestCase):
    """Addresses."""

    def test_address_gives_tls_host_and_port(self) -> None:
        """The scheme chooses TLS; the port may be omitted."""
        self.assertEqual(parse_address("chat://example.org"), (False, "example.org", 65432))
        self.assertEqual(parse_address("chats://[::1]:7"), (True, "::1", 7))

    def test_invalid_addresses_are_rejected(self) -> None:
        """Another scheme, no host, a path, or a port that is no number."""
        for address in (
            "example.org",
            "http://example.org",
            "chat://",
            "chat://a/b",
            "chat://a?b",
            "chat://a:x",
        ):
            self.assertRaises(ValueError, parse_address, address)

    def test_security_requires_a_tls_address(self) -> None:
        """`security` with chat:// would be ignored silently."""
        failed = Deferred.fromCoroutine(
            connect("chat://test", "ann", reactor=Clock(), security=Security())
        )
        self.assertIn("chats://", str(self.failureResultOf(failed, ValueError).value))


class ConnectTests(SynchronousTestCase):
    """The first login."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.server = ScriptedServer()

    def connect(self, *arguments: Any, server: Any = None, **options: Any) -> Deferred[Client]:
        """Connect as ann, by default to `self.server`."""
        options["endpoint"] = server or self.server
        coroutine = connect("chat://test", "ann", *arguments, reactor=self.clock, **options)
        return Deferred.fromCoroutine(coroutine)

    def test_password_and_positions_are_sent(self) -> None:
        """The client is connected after the login."""
        position = c.Position("@ann", 1, 0)
        client = self.successResultOf(self.connect("pw", positions=[position]))
        self.assertTrue(client.connected)
        [login] = self.server.logins
        self.assertEqual((login.name, login.password), ("ann", "pw"))
        self.assertEqual(login.positions, [position])

    def test_hello_names_program_and_features(self) -> None:
        """The defaults are the library, its version and all features."""
        self.successResultOf(self.connect())
        self.successResultOf(self.connect(program="bot", version="7", features=["typing"]))
        self.assertEqual(
            [(hello.client, hello.version, hello.features) for hello in self.server.hellos],
            [
                ("chatd.client", chatd.__version__, ["presence", "receipts", "tokens", "typing"]),
                ("bot", "7", ["typing"]),
            ],
        )

    def test_account_is_registered_only_if_wanted(self) -> None:
        """Before the login, which would look like a guess if there is no such account."""
        self.server.login_refusals = [("unknown-account", "no")]
        failed = self.connect()
        self.assertEqual(self.failureResultOf(failed, Refused).value.code, "unknown-account")
        self.assertEqual(self.server.requests, [])
        self.successResultOf(self.connect("pw", register=True, invite="token"))
        [register] = self.server.requests
        self.assertEqual(
            (register.name, register.password, register.invite), ("ann", "pw", "token")
        )

    def test_refusal_has_the_description_of_the_server(self) -> None:
        """A caller that asks for a password needs to know the server's policy."""
        self.server.login_refusals = [("unknown-account", "no")]
        refusal = self.failureResultOf(self.connect(), RefusedByServer).value
        assert refusal.welcome is not None
        self.assertEqual(refusal.welcome.server, "chatd")

    def test_login_refusal_is_raised_if_the_name_is_taken(self) -> None:
        """The account exists, so the password was wrong; another refusal is raised as it is."""
        for code, expected in (("name-taken", "wrong-password"), ("invite-required",) * 2):
            server = ScriptedServer()
            server.login_refusals = [("wrong-password", "no")]
            server.register_refusal = (code, "no")
            failed = self.connect(server=server, register=True)
            self.assertEqual(self.failureResultOf(failed, Refused).value.code, expected)
            self.assertTrue(server.transport.disconnected)

    def test_other_protocol_is_reported(self) -> None:
        """A server that does not speak version 1 is named as that, and the connection closed."""
        server = GarbageServer()
        failed = self.connect(server=server)
        self.assertIn("version 1", str(self.failureResultOf(failed, ConnectionClosed).value))
        self.assertTrue(server.transport.disconnected)

    def test_refused_connection_is_raised(self) -> None:
        """The first attempt is not repeated."""
        self.server.down = True
        self.failureResultOf(self.connect(), ConnectionRefusedError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_positions_of_another_type_are_an_error(self) -> None:
        """Nothing is sent. The sentence says what they must be."""
        positions: Any = [("@ann", 1, 2)]
        error = self.failureResultOf(self.connect(positions=positions), TypeError)
        self.assertIn("positions are Position(log, since, seq), not ('@ann', 1, 2)", str(error))
        self.assertEqual(self.server.connections, 0)

    def test_connecting_has_a_time_limit(self) -> None:
        """An address that does not answer is given up after `CONNECT_TIMEOUT` seconds."""
        connecting = self.connect(server=SilentEndpoint())
        self.clock.advance(CONNECT_TIMEOUT - 1)
        self.assertNoResult(connecting)
        self.clock.advance(1)
        self.failureResultOf(connecting, TimeoutError)

    def test_silent_server_is_given_up_with_a_sentence(self) -> None:
        """It has accepted the connection, and answers nothing for `CONNECT_TIMEOUT` seconds."""
        self.server.silent = True
        connecting = self.connect()
        self.clock.advance(CONNECT_TIMEOUT - 1)
        self.assertNoResult(connecting)
        self.clock.advance(1)
        closed = self.failureResultOf(connecting, ConnectionClosed).value
        self.assertIn("has not answered for 10 seconds", str(closed))
        self.assertTrue(self.server.transport.disconnected)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_login_may_take_longer(self) -> None:
        """A server delays it after wrong passwords."""
        server = SlowLogin()
        connecting = self.connect(server=server)
        self.clock.pump([CONNECT_TIMEOUT] * 7)
        self.assertNoResult(connecting)
        server.send(c.LoggedIn(server.login.ref, "Ann", server.state))
        self.successResultOf(connecting)

    def test_wrong_answer_is_reported(self) -> None:
        """As another protocol is."""
        server = WrongAnswers()
        failed = self.failureResultOf(self.connect(server=server), ConnectionClosed).value
        self.assertIn("version 1: Done is no answer to Hello", str(failed))
        self.assertTrue(server.transport.disconnected)

    def test_cancelled_attempt_is_ended(self) -> None:
        """The connection is closed, and no timer is left."""
        for waiting in (SlowLogin(), self.server):
            self.server.silent = True
            connecting = self.connect(server=waiting)
            connecting.cancel()
            self.failureResultOf(connecting)
            self.assertTrue(waiting.transport.disconnected)
            self.assertEqual(self.clock.getDelayedCalls(), [])
