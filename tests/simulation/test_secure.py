"""The simulated TLS carries what real TLS carries, through the daemon's own TLS code."""

from __future__ import annotations

from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from chatd.server.tls import Certificate, TLSFactory, fingerprint_of
from tests.simulation.device import certificate_of
from tests.simulation.secure import ClientEnd, SimulatedCertificate


class Certificates(SynchronousTestCase):
    """The simulated certificate in place of the daemon's."""

    def test_it_has_what_the_daemon_asks_a_certificate(self) -> None:
        """Everything public."""
        public = {name for name in vars(Certificate) if not name.startswith("_")}
        self.assertEqual(public - set(dir(SimulatedCertificate)), set())


class Echo(Protocol):
    """Sends back what it receives."""

    def dataReceived(self, data: bytes) -> None:
        """See `Protocol`."""
        assert self.transport is not None
        self.transport.write(data)


class SimulatedTLS(SynchronousTestCase):
    """One client with a certificate, and a protocol inside TLS."""

    def setUp(self) -> None:
        certificate: object = SimulatedCertificate("certificate.pem", "certificate.pem")
        clock = Clock()
        factory = TLSFactory(certificate, Factory.forProtocol(Echo), clock)  # type: ignore[arg-type]
        self.server = factory.buildProtocol(None)
        self.transport = StringTransport()
        self.server.makeConnection(self.transport)
        self.client = ClientEnd(certificate_of(6))

    def exchange(self, data: bytes) -> bytes:
        """Give bytes to the server; the plain text of its answer, after whatever TLS needs."""
        plain = b""
        while data:
            self.transport.clear()
            self.server.dataReceived(data)
            part, data = self.client.decrypt(self.transport.value())
            plain += part
        return plain

    def test_data_in_both_directions(self) -> None:
        """What is written before the handshake waits for it."""
        self.assertEqual(self.client.encrypt(b"early"), b"")
        self.assertEqual(self.exchange(self.client.hello()), b"early")
        self.assertEqual(self.exchange(self.client.encrypt(b"x" * 40_000)), b"x" * 40_000)

    def test_certificate_of_the_client(self) -> None:
        """The daemon sees its fingerprint."""
        self.exchange(self.client.hello())
        self.assertEqual(fingerprint_of(self.server), certificate_of(6))

    def test_end_of_the_stream(self) -> None:
        """The end by one side is answered by the other, and closes the connection."""
        self.exchange(self.client.hello())
        self.exchange(self.client.end())
        self.assertTrue(self.client.ended)
        self.assertTrue(self.transport.disconnecting)

    def test_no_tls(self) -> None:
        """A stream that is no TLS is closed."""
        self.server.dataReceived(b"\x16 neither")
        self.assertTrue(self.transport.disconnecting)
