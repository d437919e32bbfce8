"""TLS, seen from the client: whose certificate is good enough, and what is said when none is."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from OpenSSL import SSL
from service_identity import VerificationError
from service_identity.cryptography import verify_certificate_hostname, verify_certificate_ip_address
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IStreamClientEndpoint
from twisted.python.failure import Failure
from zope.interface import implementer

# OpenSSL, x509_vfy.h: X509_V_ERR_...
_REASONS = {
    9: "is not valid yet",
    10: "has expired",
    18: "is signed by itself, not by anyone that is trusted here (--tls-ca, or --tls-pin)",
    19: "comes from somebody who is not trusted here (--tls-ca, or --tls-pin)",
    20: "comes from somebody who is not trusted here (--tls-ca, or --tls-pin)",
    21: "comes from somebody who is not trusted here (--tls-ca, or --tls-pin)",
}


class CertificateRefused(SSL.Error):
    """The server's certificate is not good enough, and why."""

    def __init__(self, sentence: str) -> None:
        # In the form of OpenSSL's own: what went wrong, in which library and function.
        super().__init__([("chatd", "", sentence)])
        self.sentence = sentence


@dataclass(frozen=True)
class Security:
    """What TLS is to look like. `ca`: a PEM file with the issuers to trust, None: those of this
    machine. `pin`: the SHA-256 of the server's certificate in hexadecimal digits, which then may be
    anyone's. `certificate` and `key`: PEM files with one's own."""

    ca: str | None = None
    pin: str | None = None
    certificate: str | None = None
    key: str | None = None


def pin_of(text: str) -> str:
    """A fingerprint as it is compared: 64 hexadecimal digits. Raises `ValueError`."""
    digits = text.replace(":", "").lower()
    if len(digits) != 64 or set(digits) - set("0123456789abcdef"):
        raise ValueError(f"a SHA-256 fingerprint has 64 hexadecimal digits, not {text!r}")
    return digits


def check(security: Security) -> None:
    """Raises `ValueError` if it could not be used."""
    _Creator("localhost", security)


def endpoint(
    reactor: Any, host: str, port: int, security: Security | None, timeout: float
) -> IStreamClientEndpoint:
    """Where a server is; with `security`, by TLS. Raises `ValueError` for files that will not
    do."""
    plain = HostnameEndpoint(reactor, host, port, timeout=timeout)
    if security is None:
        return plain
    wrapped: IStreamClientEndpoint = wrapClientTLS(_Creator(host, security), plain)
    return wrapped


def why_lost(reason: Failure) -> str:
    """What there is to say about the end of a connection by TLS; empty: nothing."""
    if reason.check(CertificateRefused):
        sentence: str = reason.value.sentence  # type: ignore[union-attr]
        return sentence
    if reason.check(SSL.Error):
        value: Any = reason.value
        told = [str(part[-1]) for part in value.args[0]] if value.args else []
        if any("wrong version number" in each or "packet length" in each for each in told):
            return "The server does not speak TLS there: use chat:// instead of chats://."
        return (
            f"TLS could not be agreed on: {', '.join(told) or 'the server closed the connection'}."
        )
    return ""


@implementer(IOpenSSLClientConnectionCreator)
class _Creator:
    def __init__(self, host: str, security: Security) -> None:
        self._host = host
        self._pin = None if security.pin is None else pin_of(security.pin)
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
            raise ValueError(f"there are no certificates (PEM) in {security.ca}") from None
        if security.certificate is not None:
            try:
                context.use_certificate_chain_file(security.certificate)
                context.use_privatekey_file(security.key or security.certificate)
                context.check_privatekey()
            except SSL.Error:
                key = security.key or "the key in it"
                raise ValueError(
                    f"{security.certificate} and {key} are no certificate and its key"
                ) from None

    def clientConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        """See IOpenSSLClientConnectionCreator."""
        connection = SSL.Connection(self._context, None)
        if not _is_address(self._host):
            connection.set_tlsext_host_name(self._host.encode("idna"))
        return connection

    def _verify(self, connection: Any, certificate: Any, error: int, depth: int, good: int) -> bool:
        """Called for each certificate of the server's chain, its own (depth 0) last."""
        if self._pin is not None:
            if depth == 0:
                digest = certificate.digest("sha256").decode()
                if pin_of(digest) != self._pin:
                    raise CertificateRefused(
                        f"The certificate of {self._host} is not the one with the pin, but {pin_of(digest)}."
                    )
            return True
        if not good:
            reason = _REASONS.get(error, f"is not to be trusted (OpenSSL error {error})")
            raise CertificateRefused(f"The certificate of {self._host} {reason}.")
        if depth == 0:
            verify = (
                verify_certificate_ip_address
                if _is_address(self._host)
                else verify_certificate_hostname
            )
            try:
                verify(certificate.to_cryptography(), self._host)
            except VerificationError:
                raise CertificateRefused(
                    f"The certificate that came from {self._host} is for another name."
                ) from None
        return True


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
