"""TLS for clients: which server certificates are accepted, and sentences for what goes wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from OpenSSL import SSL
from service_identity import VerificationError
from service_identity.cryptography import verify_certificate_hostname, verify_certificate_ip_address
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IStreamClientEndpoint
from twisted.python.failure import Failure
from zope.interface import implementer

from chatd.core.addresses import is_address

_SELF_SIGNED = "is self-signed and not trusted (see --tls-ca and --tls-pin)"
_UNKNOWN_ISSUER = "was issued by an authority that is not trusted (see --tls-ca and --tls-pin)"

# By OpenSSL's verification result: X509_V_ERR_... in x509_vfy.h.
_REASONS = {
    9: "is not valid yet",
    10: "has expired",
    18: _SELF_SIGNED,
    19: _UNKNOWN_ISSUER,
    20: _UNKNOWN_ISSUER,
    21: _UNKNOWN_ISSUER,
}


class CertificateRefused(SSL.Error):
    """The server's certificate is not accepted; `sentence` says why."""

    def __init__(self, sentence: str) -> None:
        # As in OpenSSL's own errors: a list of (library, function, reason).
        super().__init__([("chatd", "", sentence)])
        self.sentence = sentence


@dataclass(frozen=True)
class Security:
    """How to verify the server's certificate, and the client's own certificate."""

    ca: str | None = None
    """a PEM file with the certificates of trusted issuers; None: those that this machine trusts"""
    pin: str | None = None
    """the SHA-256 fingerprint of the server's certificate, in hexadecimal digits; the issuer and
    the names in the certificate are then not verified"""
    certificate: str | None = None
    """a PEM file with the client's own certificate"""
    key: str | None = None
    """a PEM file with the private key of `certificate`; None: it is in the same file"""


def normalize_fingerprint(text: str) -> str:
    """Return a SHA-256 fingerprint as 64 lower-case hexadecimal digits, without colons. Raises
    `ValueError`."""
    digits = text.replace(":", "").lower()
    if len(digits) != 64 or set(digits) - set("0123456789abcdef"):
        raise ValueError(f"a SHA-256 fingerprint has 64 hexadecimal digits, not {text!r}")
    return digits


def validate(security: Security) -> None:
    """Raise `ValueError` if the pin or a file is invalid."""
    _TLSConnectionCreator("localhost", security)


def client_endpoint(
    reactor: Any, host: str, port: int, security: Security | None, timeout: float
) -> IStreamClientEndpoint:
    """Return the endpoint that connects to a server, with TLS unless `security` is None. `timeout`
    is in seconds. Raises `ValueError` if the pin or a file of `security` is invalid."""
    tcp = HostnameEndpoint(reactor, host, port, timeout=timeout)
    if security is None:
        return tcp
    tls: IStreamClientEndpoint = wrapClientTLS(_TLSConnectionCreator(host, security), tcp)
    return tls


def tls_failure(reason: Failure) -> str:
    """Return a sentence for the TLS error that ended a connection, or an empty string if it was
    none."""
    if reason.check(CertificateRefused):
        sentence: str = reason.value.sentence  # type: ignore[union-attr]
        return sentence
    if reason.check(SSL.Error):
        error: Any = reason.value
        reasons = [str(part[-1]) for part in error.args[0]] if error.args else []
        if any("wrong version number" in text or "packet length" in text for text in reasons):
            return "The server does not speak TLS on this port: use chat:// instead of chats://."
        details = ", ".join(reasons) or "the server closed the connection"
        return f"The TLS handshake failed: {details}."
    return ""


@implementer(IOpenSSLClientConnectionCreator)
class _TLSConnectionCreator:
    def __init__(self, host: str, security: Security) -> None:
        self._host = host
        self._pin = None if security.pin is None else normalize_fingerprint(security.pin)
        context = self._context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
        context.set_verify(SSL.VERIFY_PEER, self._verify)
        try:
            if security.ca is not None:
                context.load_verify_locations(security.ca)
            else:
                context.set_default_verify_paths()
        except SSL.Error:
            raise ValueError(f"{security.ca} contains no PEM certificates") from None
        if security.certificate is not None:
            try:
                context.use_certificate_chain_file(security.certificate)
                context.use_privatekey_file(security.key or security.certificate)
                context.check_privatekey()
            except SSL.Error:
                key = security.key or "the key in it"
                raise ValueError(
                    f"{security.certificate} and {key} are not a certificate and its private key"
                ) from None

    def clientConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        """See IOpenSSLClientConnectionCreator."""
        connection = SSL.Connection(self._context, None)
        if not is_address(self._host):
            connection.set_tlsext_host_name(self._host.encode("idna"))
        return connection

    def _verify(self, connection: Any, certificate: Any, error: int, depth: int, good: int) -> bool:
        """Verify one certificate of the server's chain: OpenSSL calls this for each of them, last
        for the server's own (depth 0). Raises `CertificateRefused`."""
        if self._pin is not None:
            if depth == 0:
                fingerprint = normalize_fingerprint(certificate.digest("sha256").decode())
                if fingerprint != self._pin:
                    raise CertificateRefused(
                        f"The certificate of {self._host} does not match the pin:"
                        f" its fingerprint is {fingerprint}."
                    )
            return True
        if not good:
            reason = _REASONS.get(error, f"is not trusted (OpenSSL error {error})")
            raise CertificateRefused(f"The certificate of {self._host} {reason}.")
        if depth == 0:
            verify = (
                verify_certificate_ip_address
                if is_address(self._host)
                else verify_certificate_hostname
            )
            try:
                verify(certificate.to_cryptography(), self._host)
            except VerificationError:
                raise CertificateRefused(
                    f"The certificate presented by {self._host} is for another name."
                ) from None
        return True
