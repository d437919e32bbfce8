"""TLS inside a connection: the certificate, and the transport of the protocol inside."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any

from cryptography.x509 import Certificate as X509Certificate
from cryptography.x509 import DNSName, ExtensionNotFound, IPAddress, SubjectAlternativeName
from OpenSSL import SSL
from OpenSSL.crypto import FILETYPE_PEM, load_certificate
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from zope.interface import implementer

from chatd.core.errors import CertificateUnusable
from chatd.server.tracked_transport import tracked

logger = Logger(namespace="chatd")

# Mozilla's "intermediate" list for TLS 1.2 (https://wiki.mozilla.org/Security/Server_Side_TLS),
# version 5.7. All ciphers of TLS 1.3 are acceptable.
_CIPHERS = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    b"ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)
_RECORD = 16_384
"""bytes of plain text that a record has at most (RFC 8446, section 5.1)"""
_MARKS = 64


@implementer(IOpenSSLServerConnectionCreator)
class Certificate:
    """A certificate with its chain and its key, from two PEM files, which may be the same file.

    New connections use the files as they were read last.
    """

    def __init__(self, certificate: str, key: str) -> None:
        """Read the files. Raises `CertificateUnusable`."""
        self.certificate = certificate
        self.key = key
        self._context, self.pem = self._read()

    def _read(self) -> tuple[SSL.Context, tuple[bytes, bytes]]:
        """Return an OpenSSL context, and the contents of the files of key and certificate."""
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_TICKET)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_cipher_list(_CIPHERS)
        # A client may show a certificate of any issuer: only its fingerprint counts.
        context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
        for path, kind, use in (
            (self.certificate, "certificate", context.use_certificate_chain_file),
            (self.key, "key", context.use_privatekey_file),
        ):
            try:
                Path(path).open("rb").close()
                use(path)
            except OSError as error:
                reason = (error.strerror or str(error)).lower()
                raise CertificateUnusable(
                    f"the TLS {kind} {path} cannot be read: {reason}"
                ) from None
            except SSL.Error as error:
                if "key values mismatch" in str(error):
                    raise CertificateUnusable(
                        f"the TLS key {self.key} does not belong to the certificate "
                        f"{self.certificate}"
                    ) from None
                raise CertificateUnusable(f"there is no TLS {kind} (PEM) in {path}") from None
        pem = Path(self.key).read_bytes(), Path(self.certificate).read_bytes()
        if load_certificate(FILETYPE_PEM, pem[1]).has_expired():
            logger.warn("The TLS certificate {path} has expired", path=self.certificate)
        return context, pem

    @property
    def self_signed(self) -> bool:
        """Whether the certificate is its own issuer."""
        certificate = self._parsed()
        return certificate.issuer == certificate.subject

    @property
    def names(self) -> list[str]:
        """The names and addresses that the certificate is for."""
        with suppress(ExtensionNotFound):
            names = self._parsed().extensions.get_extension_for_class(SubjectAlternativeName).value
            addresses = map(str, names.get_values_for_type(IPAddress))
            return [*names.get_values_for_type(DNSName), *addresses]
        return []

    def _parsed(self) -> X509Certificate:
        return load_certificate(FILETYPE_PEM, self.pem[1]).to_cryptography()

    def reload(self) -> None:
        """Read the files again. If the new files are invalid, the old certificate is kept."""
        try:
            self._context, self.pem = self._read()
        except CertificateUnusable as unusable:
            logger.error("The old TLS certificate is kept: {sentence}", sentence=str(unusable))
        else:
            logger.info("The TLS certificate {path} has been read again", path=self.certificate)

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        """See IOpenSSLServerConnectionCreator."""
        return SSL.Connection(self._context, None)


class TLSTransport(TLSMemoryBIOProtocol):
    """A connection under TLS, as the transport of the protocol inside it.

    It is a `chatd.server.tracked_transport.TrackedTransport`: it counts bytes of plain text.
    """

    transport: Any

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)  # type: ignore[no-untyped-call]
        self._written = self._known_arrived = 0
        # (bytes of plain text written, bytes that the transport below had then been given)
        self._marks: deque[tuple[int, int]] = deque()

    @property
    def protocol(self) -> Any:
        """The protocol inside."""
        return self.wrappedProtocol

    @protocol.setter
    def protocol(self, protocol: Any) -> None:
        self.wrappedProtocol = protocol

    def makeConnection(self, transport: Any) -> None:
        """Begin TLS on a connection."""
        self._below = tracked(transport)
        super().makeConnection(transport)  # type: ignore[no-untyped-call]

    def write(self, data: bytes) -> None:
        """Encrypt and send, or queue during the handshake, and note how much each record makes
        below: what has arrived of one can be read only when all of it has."""
        for at in range(0, len(data), _RECORD):
            self._write_record(data[at : at + _RECORD])

    def _write_record(self, data: bytes) -> None:
        super().write(data)  # type: ignore[no-untyped-call]
        self._written += len(data)
        # Data that waits for the handshake has not been given to the transport below.
        if self.connected and not self._appSendBuffer:
            if len(self._marks) >= _MARKS:
                self.bytes_arrived()
            self._marks.append((self._written, self._below.bytes_written()))

    def bytes_written(self) -> int:
        """See `TrackedTransport`."""
        return self._written

    def bytes_sent(self) -> int:
        """See `TrackedTransport`."""
        sent = self._below.bytes_sent()
        return max(
            (plain for plain, below in self._marks if below <= sent), default=self._known_arrived
        )

    def bytes_arrived(self) -> int:
        """See `TrackedTransport`."""
        arrived = self._below.bytes_arrived()
        while self._marks and self._marks[0][1] <= arrived:
            self._known_arrived = self._marks.popleft()[0]
        return self._known_arrived

    def longest_read(self) -> int:
        """See `TrackedTransport`; a record is given to the protocol by itself."""
        return _RECORD

    def input_waits(self) -> bool:
        """See `TrackedTransport`; what waits below may be a part of a record only."""
        return self._below.input_waits()

    def close_resets(self) -> bool:
        """See `TrackedTransport`; no, because the end of TLS is sent in the stream itself, so that
        a reset that follows it takes nothing away."""
        return False

    def hung_up(self) -> bool:
        """See `TrackedTransport`."""
        return self._below.hung_up()

    def loseWriteConnection(self) -> None:
        """Send the end of TLS, and wait for that of the peer."""
        self.loseConnection()  # type: ignore[no-untyped-call]

    def abortConnection(self) -> None:
        """Close at once; does nothing if the connection is closed already, whose end of TLS Twisted
        would try to send."""
        if self.connected:
            super().abortConnection()  # type: ignore[no-untyped-call]

    def getHandle(self) -> Any:
        """Return the socket of the connection below."""
        return self.transport.getHandle()


class TLSFactory(TLSMemoryBIOFactory):
    """Makes `TLSTransport`s, each with a protocol made by the factory `inside`."""

    protocol = TLSTransport
    noisy = False

    def __init__(self, certificate: Certificate, inside: Factory, clock: Any) -> None:
        super().__init__(certificate, False, inside, clock)


def in_handshake(transport: Any) -> bool:
    """Whether a transport is TLS whose handshake is not finished."""
    return isinstance(transport, TLSTransport) and not transport._handshakeDone


def fingerprint_of(transport: Any) -> str | None:
    """Return the SHA-256 of the peer's certificate in hexadecimal digits, None if there is none."""
    if not isinstance(transport, TLSTransport):
        return None
    if not transport.connected:
        return None
    certificate: Any = transport.getPeerCertificate()  # type: ignore[no-untyped-call]
    if certificate is None:
        return None
    digest: bytes = certificate.digest("sha256")
    return digest.decode().replace(":", "").lower()
