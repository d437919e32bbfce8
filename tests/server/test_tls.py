"""TLS in memory: certificate files, what the transport inside reports, and client certificates."""

from __future__ import annotations

import contextlib
import shutil
import socket
from pathlib import Path
from typing import Any

from OpenSSL import SSL
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory
from twisted.internet.threads import deferToThread
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from chatd.admin import selfsigned
from chatd.auth.credentials import portal
from chatd.core.errors import CertificateUnusable
from chatd.core.limits import Limits
from chatd.protocols.doors import main_port
from chatd.server.factory import ConnectionFactory
from chatd.server.identity import IdentifiedProtocol
from chatd.server.tls import Certificate, TLSFactory, fingerprint_of
from tests.doubles.folders import folder
from tests.doubles.memory_server import MemoryServer, MemoryTransport


class Files(SynchronousTestCase):
    """The PEM files of a certificate."""

    def setUp(self) -> None:
        self.certificate, self.key, _ = selfsigned.make(folder(self), [])
        self.other_certificate, self.other_key, _ = selfsigned.make(folder(self), [])

    def refusal(self, certificate: Path, key: Path) -> str:
        """The sentence with which files are refused."""
        return str(self.assertRaises(CertificateUnusable, Certificate, str(certificate), str(key)))

    def logged(self) -> list[str]:
        """Record the formats of the events that are logged from now on."""
        formats: list[str] = []

        @implementer(ILogObserver)
        def observe(event: LogEvent) -> None:
            formats.append(str(event.get("log_format", "")))

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        return formats

    def test_both_files_are_read(self) -> None:
        """`pem` has the contents of the key and of the certificate, in this order."""
        certificate = Certificate(str(self.certificate), str(self.key))
        self.assertEqual(certificate.pem, (self.key.read_bytes(), self.certificate.read_bytes()))
        self.assertTrue(certificate.self_signed)
        self.assertEqual(certificate.names, ["localhost", "127.0.0.1", "::1"])

    def test_one_file_may_have_certificate_and_key(self) -> None:
        """The options name it twice."""
        both = Path(folder(self), "both.pem")
        both.write_bytes(self.key.read_bytes() + self.certificate.read_bytes())
        Certificate(str(both), str(both))

    def test_unusable_files_are_refused(self) -> None:
        """The sentence names the file and the reason."""
        missing, text = Path(folder(self), "missing.pem"), Path(folder(self), "text.pem")
        text.write_text("not PEM")
        for certificate, key, sentence in (
            (
                missing,
                self.key,
                f"the TLS certificate {missing} cannot be read: no such file or directory",
            ),
            (
                self.certificate,
                missing,
                f"the TLS key {missing} cannot be read: no such file or directory",
            ),
            (text, self.key, f"there is no TLS certificate (PEM) in {text}"),
            (self.certificate, text, f"there is no TLS key (PEM) in {text}"),
            (
                self.certificate,
                self.other_key,
                f"the TLS key {self.other_key} does not belong to the certificate "
                f"{self.certificate}",
            ),
        ):
            self.assertEqual(self.refusal(certificate, key), sentence)

    def test_expired_certificate_is_used_with_a_warning(self) -> None:
        """Clients refuse it, and the log tells the operator why."""
        self.patch(selfsigned, "_VALID_DAYS", -0.02)
        expired, key, _ = selfsigned.make(folder(self), [])
        events = self.logged()
        Certificate(str(expired), str(key))
        self.assertIn("The TLS certificate {path} has expired", events)

    def test_reloading_uses_the_new_files(self) -> None:
        """The change is logged."""
        certificate = Certificate(str(self.certificate), str(self.key))
        shutil.copy(self.other_certificate, self.certificate)
        shutil.copy(self.other_key, self.key)
        events = self.logged()
        certificate.reload()
        self.assertEqual(certificate.pem[1], self.other_certificate.read_bytes())
        self.assertEqual(events, ["The TLS certificate {path} has been read again"])

    def test_reloading_invalid_files_keeps_the_old_certificate(self) -> None:
        """The reason is logged."""
        certificate = Certificate(str(self.certificate), str(self.key))
        pem = certificate.pem
        shutil.copy(self.other_key, self.key)
        events = self.logged()
        certificate.reload()
        self.assertIs(certificate.pem, pem)
        self.assertEqual(events, ["The old TLS certificate is kept: {sentence}"])


class _Inside(IdentifiedProtocol):
    """The protocol inside TLS; records its input."""

    received = b""

    def dataReceived(self, data: bytes) -> None:
        self.received += data


class Transport(SynchronousTestCase):
    """A connection by TLS, whose client is OpenSSL in memory."""

    def setUp(self) -> None:
        self.certificate, self.key, self.fingerprint = selfsigned.make(folder(self), [])
        certificate = Certificate(str(self.certificate), str(self.key))
        self.inside = _Inside()
        inside: Any = Factory()
        inside.buildProtocol = lambda address: self.inside
        server = MemoryServer(lambda factory: self.fail("not used"))
        self.below: MemoryTransport = server.new_transport()
        self.tls: Any = TLSFactory(certificate, inside, server.clock).buildProtocol(None)
        self.tls.makeConnection(self.below)

    def connect(self, certificate: tuple[Path, Path] | None = None) -> None:
        """Begin TLS as a client, which may show a certificate (with its key)."""
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        if certificate is not None:
            context.use_certificate_file(str(certificate[0]))
            context.use_privatekey_file(str(certificate[1]))
        self.client = SSL.Connection(context, None)
        self.client.set_connect_state()
        for _ in range(4):
            try:
                self.client.do_handshake()
            except SSL.WantReadError:
                self.exchange()
        self.exchange()

    def exchange(self) -> None:
        """Carry the bytes of both ends to the other end."""
        with contextlib.suppress(SSL.WantReadError):
            self.tls.dataReceived(self.client.bio_read(1 << 16))
        data, self.below.output = self.below.output, b""
        if data:
            self.client.bio_write(data)

    def test_protocol_inside_has_plain_text(self) -> None:
        """The bytes on the network are encrypted in both directions."""
        self.connect()
        self.client.send(b"hello")
        self.exchange()
        self.assertEqual(self.inside.received, b"hello")
        self.inside.transport.write(b"answer")
        self.assertNotIn(b"answer", self.below.output)
        self.exchange()
        self.assertEqual(self.client.recv(100), b"answer")

    def test_read_is_a_record_at_most(self) -> None:
        """So more follows a full one, if the client has sent more at once."""
        self.connect()
        reads: list[int] = []
        self.inside.dataReceived = lambda data: reads.append(len(data))  # type: ignore[method-assign]
        longest = self.inside.transport.longest_read()
        data = b"x" * (longest + 100)
        while data:
            data = data[self.client.send(data) :]
        self.exchange()
        self.assertEqual(reads, [longest, 100])

    def test_bytes_are_counted_in_plain_text(self) -> None:
        """A write has been sent, or has arrived, when all its bytes below have."""
        self.connect()
        transport = self.inside.transport
        transport.write(b"x" * 100)
        self.assertEqual(
            (transport.bytes_written(), transport.bytes_sent(), transport.bytes_arrived()),
            (100, 100, 100),
        )
        self.below.in_flight = 1
        transport.write(b"y" * 50)
        self.assertEqual((transport.bytes_sent(), transport.bytes_arrived()), (150, 100))
        self.below.capacity = 10
        transport.write(b"z" * 30)
        self.assertEqual((transport.bytes_written(), transport.bytes_sent()), (180, 150))
        self.below.in_flight = 0
        self.below.drain()
        self.assertEqual((transport.bytes_sent(), transport.bytes_arrived()), (180, 180))

    def test_record_has_arrived_as_soon_as_all_of_it_has(self) -> None:
        """The records of one write arrive one after another."""
        self.connect()
        transport = self.inside.transport
        before = len(self.below.output)
        transport.write(b"x" * 40_000)
        below = len(self.below.output) - before
        for arrived, plain in (
            (16_384, 0),
            (16_500, 16_384),
            (32_768, 16_384),
            (33_000, 32_768),
            (below - 1, 32_768),
            (below, 40_000),
        ):
            self.below.in_flight = below - arrived
            self.assertEqual(transport.bytes_arrived(), plain)
        self.assertEqual(transport.bytes_written(), 40_000)

    def test_write_before_the_end_of_the_handshake_has_not_been_sent(self) -> None:
        """It waits, and counts from the next write on."""
        transport = self.inside.transport
        transport.write(b"x" * 100)
        self.assertEqual(
            (transport.bytes_written(), transport.bytes_sent(), transport.bytes_arrived()),
            (100, 0, 0),
        )
        self.connect()
        self.assertEqual(self.client.recv(200), b"x" * 100)
        transport.write(b"y")
        self.assertEqual(transport.bytes_arrived(), 101)

    def test_closing_with_unread_input_takes_no_output_away(self) -> None:
        """The end of TLS is in the stream, before a reset of the connection below."""
        self.below.input_waiting = True
        self.assertTrue(self.inside.transport.input_waits())
        self.assertFalse(self.inside.transport.close_resets())
        self.assertFalse(self.inside.transport.hung_up())

    def test_half_close_sends_the_end_of_tls(self) -> None:
        """The client reads the output before it, and then the end."""
        self.connect()
        self.inside.transport.write(b"last")
        self.inside.transport.loseWriteConnection()
        self.exchange()
        self.assertEqual(self.client.recv(100), b"last")
        self.assertRaises(SSL.ZeroReturnError, self.client.recv, 100)

    def test_aborting_a_closed_connection_does_nothing(self) -> None:
        """A connection whose input still waits for the store is aborted when the daemon stops."""
        self.connect()
        self.tls.connectionLost(Failure(ConnectionDone()))
        self.below.disconnecting = False
        self.inside.transport.abortConnection()
        self.assertFalse(self.below.disconnecting)

    def test_client_certificate_is_known_by_its_fingerprint(self) -> None:
        """Its issuer does not matter. Before the handshake it is unknown."""
        self.assertIsNone(self.inside.certificate)
        self.connect((self.certificate, self.key))
        self.assertEqual(self.inside.certificate, self.fingerprint)

    def test_client_without_a_certificate_has_no_fingerprint(self) -> None:
        """A connection without TLS has none either."""
        self.connect()
        self.assertIsNone(self.inside.certificate)
        self.assertIsNone(fingerprint_of(self.below))


class Stalled(SynchronousTestCase):
    """Clients of the main port that begin TLS."""

    def setUp(self) -> None:
        certificate, key, _ = selfsigned.make(folder(self), [])
        self.server = MemoryServer(main_port(Certificate(str(certificate), str(key))))
        transport: Any = self.server.new_transport()
        transport.protocol = self.server.factory.buildProtocol(None)
        transport.protocol.makeConnection(transport)
        self.transport = transport

    def test_handshake_that_is_not_finished_in_time_is_closed(self) -> None:
        """It does not matter how far it has come: another byte does not prolong it."""
        self.transport.protocol.dataReceived(b"\x16")
        self.server.clock.advance(self.server.limits.handshake_time - 1)
        self.transport.protocol.dataReceived(b"\x03")
        self.assertFalse(self.transport.disconnecting)
        self.server.clock.advance(1)
        self.assertTrue(self.transport.disconnecting)
        self.assertEqual(self.server.realm.counters.quotas_met, {"handshake_time": 1})

    def test_finished_handshake_has_no_deadline(self) -> None:
        """The client has the time of any connection to log in."""
        client = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
        client.set_connect_state()
        for _ in range(4):
            with contextlib.suppress(SSL.WantReadError):
                client.do_handshake()
            with contextlib.suppress(SSL.WantReadError):
                self.transport.protocol.dataReceived(client.bio_read(1 << 16))
            data, self.transport.output = self.transport.output, b""
            if data:
                client.bio_write(data)
        self.server.clock.advance(self.server.limits.handshake_time + 1)
        self.assertFalse(self.transport.disconnecting)

    def test_closed_connection_leaves_nothing(self) -> None:
        """The factory counts it no longer."""
        self.transport.protocol.dataReceived(b"\x16")
        factory = self.server.factory
        self.assertEqual(len(factory.handshakes), 1)
        self.transport.protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual((len(factory.handshakes), len(factory.connections)), (0, 0))


class StalledSocket(TestCase):
    """A client on a real socket."""

    async def test_client_that_stalls_is_disconnected(self) -> None:
        """It has sent the first byte of a handshake."""
        certificate, key, _ = selfsigned.make(folder(self), [])
        server = MemoryServer(lambda factory: self.fail("not used"))
        passwords: Any = server.passwords
        factory = ConnectionFactory(
            main_port(Certificate(str(certificate), str(key))),
            server.realm,
            portal(server.realm, passwords, reactor),
            Limits(handshake_time=0.1),
            reactor,
        )
        twisted: Any = reactor
        port = twisted.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.addCleanup(factory.cancel_timers)
        with socket.create_connection(("127.0.0.1", port.getHost().port), 10) as client:
            client.sendall(b"\x16")
            ending: Deferred[bytes] = deferToThread(_read_to_end, client)
            self.assertEqual(await ending, b"")


def _read_to_end(client: socket.socket) -> bytes:
    try:
        return client.recv(100)
    except ConnectionResetError:
        return b""
