"""TLS inside a connection that has begun with it: the certificate, and the transport that others
write to."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any

from OpenSSL import SSL
from OpenSSL.crypto import FILETYPE_PEM, load_certificate
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from zope.interface import implementer

from chatd.core.errors import CertificateUnusable

logger = Logger(namespace="chatd")

# Mozilla's "intermediate" list for TLS 1.2 (https://wiki.mozilla.org/Security/Server_Side_TLS),
# version 5.7. Those of TLS 1.3 are all good.
_CIPHERS = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    b"ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)
_MARKS = 64


@implementer(IOpenSSLServerConnectionCreator)
class Certificate:
    """A certificate with its chain and its key, from two PEM files, which may be one. New
    connections get what was read last."""

    def __init__(self, certificate: str, key: str) -> None:
        """Raises `CertificateUnusable`."""
        self.certificate = certificate
        self.key = key
        self._context, self.pem = self._read()

    def _read(self) -> tuple[SSL.Context, tuple[bytes, bytes]]:
        """With it the key and the certificate as they stand in the files."""
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_TICKET)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_cipher_list(_CIPHERS)
        # A client may show a certificate of its own, of whichever issuer: what counts is its
        # fingerprint.
        context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
        for path, what, use in (
            (self.certificate, "certificate", context.use_certificate_chain_file),
            (self.key, "key", context.use_privatekey_file),
        ):
            try:
                Path(path).open("rb").close()
                use(path)
            except OSError as error:
                reason = (error.strerror or str(error)).lower()
                raise CertificateUnusable(
                    f"the TLS {what} {path} cannot be read: {reason}"
                ) from None
            except SSL.Error as error:
                if "key values mismatch" in str(error):
                    raise CertificateUnusable(
                        f"the TLS key {self.key} does not belong to the certificate {self.certificate}"
                    ) from None
                raise CertificateUnusable(f"there is no TLS {what} (PEM) in {path}") from None
        pem = Path(self.key).read_bytes(), Path(self.certificate).read_bytes()
        if load_certificate(FILETYPE_PEM, pem[1]).has_expired():
            logger.warn("The TLS certificate {path} has expired", path=self.certificate)
        return context, pem

    def reload(self) -> None:
        """Read the files again. If they will not do, what was read before stays."""
        try:
            self._context, self.pem = self._read()
        except CertificateUnusable as unusable:
            logger.error("The TLS certificate stays as it was: {sentence}", sentence=str(unusable))
        else:
            logger.info("The TLS certificate {path} has been read again", path=self.certificate)

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        """See IOpenSSLServerConnectionCreator."""
        return SSL.Connection(self._context, None)


class TLSTransport(TLSMemoryBIOProtocol):
    """A connection under TLS, as the transport of the protocol inside it. It knows as well as
    `TrackedServer` what has arrived, in terms of what was written to it."""

    transport: Any
    _watched = True

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)  # type: ignore[no-untyped-call]
        self._written = self._known_arrived = 0
        # How many bytes had been written to it, and how many that made on the wire.
        self._marks: deque[tuple[int, int]] = deque()

    @property
    def protocol(self) -> Any:
        """The protocol inside."""
        return self.wrappedProtocol

    @protocol.setter
    def protocol(self, protocol: Any) -> None:
        self.wrappedProtocol = protocol

    @property
    def watched(self) -> bool:
        """See `TrackedServer`."""
        return self._watched

    @watched.setter
    def watched(self, watched: bool) -> None:
        self._watched = watched
        self.transport.watched = watched
        self._marks.clear()

    def write(self, data: bytes) -> None:
        """As inherited; counts."""
        super().write(data)  # type: ignore[no-untyped-call]
        self._written += len(data)
        # What waits for the handshake is not on its way.
        if self._watched and self.connected and not self._appSendBuffer and self._counts:
            if len(self._marks) >= _MARKS:
                self.arrived()
            self._marks.append((self._written, self.transport.handed))

    @property
    def _counts(self) -> bool:
        return hasattr(self.transport, "handed")

    def arrived(self) -> int:
        """See `TrackedServer`; other transports are taken at their word."""
        if not self._counts:
            return self._written
        arrived = self.transport.arrived()
        while self._marks and self._marks[0][1] <= arrived:
            self._known_arrived = self._marks.popleft()[0]
        return self._known_arrived

    @property
    def taken(self) -> int:
        """See `TrackedServer`."""
        if not self._counts:
            return self._written
        taken = self.transport.taken
        return max(
            (plain for plain, wire in self._marks if wire <= taken), default=self._known_arrived
        )

    def input_waits(self) -> bool:
        """See `TrackedServer`. The end of TLS is told in the same stream: nothing is taken away
        with it."""
        return False

    def loseWriteConnection(self) -> None:
        """Say that this was all, and wait for the other end to say so."""
        self.loseConnection()  # type: ignore[no-untyped-call]

    def getHandle(self) -> Any:
        """The socket, as of every other transport."""
        return self.transport.getHandle()


class TLSFactory(TLSMemoryBIOFactory):
    """Makes the transport for a connection, with a protocol of another factory's inside."""

    protocol = TLSTransport
    noisy = False

    def __init__(self, certificate: Certificate, inside: Factory, clock: Any) -> None:
        super().__init__(certificate, False, inside, clock)


def fingerprint_of(transport: Any) -> str | None:
    """The SHA-256 of the certificate that the other end has shown, in hexadecimal digits; None:
    none."""
    if not isinstance(transport, TLSTransport):
        return None
    found: Any = transport.getPeerCertificate() if transport.connected else None  # type: ignore[no-untyped-call]
    return None if found is None else found.digest("sha256").decode().replace(":", "").lower()
