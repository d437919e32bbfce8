"""TLS of the client: fingerprints, certificate files, and handshakes in memory."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from OpenSSL import SSL
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatd.admin import selfsigned
from chatd.client.library.tls import (
    CertificateRefused,
    Security,
    _TLSConnectionCreator,
    normalize_fingerprint,
    tls_failure,
    validate,
)
from tests.doubles.folders import folder

DIGITS = "0123456789abcdef" * 4


class FingerprintTests(SynchronousTestCase):
    """SHA-256 fingerprints."""

    def test_colons_and_case_are_ignored(self) -> None:
        """As tools print them."""
        colons = ":".join(DIGITS[at : at + 2] for at in range(0, 64, 2)).upper()
        self.assertEqual(normalize_fingerprint(colons), DIGITS)

    def test_other_texts_are_rejected(self) -> None:
        """Too short, too long, or with other characters."""
        for text in ("", DIGITS[1:], DIGITS + "0", "g" + DIGITS[1:]):
            self.assertRaises(ValueError, normalize_fingerprint, text)


class CertificateCase(SynchronousTestCase):
    """A self-signed certificate in files."""

    def setUp(self) -> None:
        self.folder = folder(self)
        certificate, key, self.pin = selfsigned.make(self.folder, ["chat.example.org"])
        self.certificate, self.key = str(certificate), str(key)


class ValidateTests(CertificateCase):
    """Options that cannot be used."""

    def test_usable_options_are_accepted(self) -> None:
        """There may be no option, or all of them."""
        validate(Security())
        validate(Security(self.certificate, self.pin, self.certificate, self.key))

    def test_certificate_and_key_in_one_file(self) -> None:
        """Then `key` is not given."""
        both = Path(self.folder, "both.pem")
        both.write_text(Path(self.certificate).read_text() + Path(self.key).read_text())
        validate(Security(certificate=str(both)))

    def test_unusable_options_are_rejected(self) -> None:
        """The sentence names the file."""
        for security, sentence in (
            (Security(pin="x"), "64 hexadecimal digits"),
            (Security(ca=self.key), f"{self.key} contains no PEM certificates"),
            (
                Security(certificate=self.certificate),
                f"{self.certificate} and the key in it are not a certificate and its private key",
            ),
            (Security(certificate=self.certificate, key=self.certificate), "are not a certificate"),
        ):
            error = self.assertRaises(ValueError, validate, security)
            self.assertIn(sentence, str(error))


class HandshakeTests(CertificateCase):
    """Handshakes with a server in memory."""

    def handshake(self, host: str, security: Security) -> None:
        """Complete a handshake with a server that has the certificate. Raises `SSL.Error`."""
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.use_certificate_chain_file(self.certificate)
        context.use_privatekey_file(self.key)
        server = SSL.Connection(context, None)
        server.set_accept_state()
        creator: Any = _TLSConnectionCreator(host, security)
        client = creator.clientConnectionForTLS(None)
        client.set_connect_state()
        for _ in range(4):
            for end, other in ((client, server), (server, client)):
                with contextlib.suppress(SSL.WantReadError):
                    end.do_handshake()
                with contextlib.suppress(SSL.WantReadError):
                    other.bio_write(end.bio_read(1 << 16))
        self.assertEqual(client.get_state_string(), b"SSL negotiation finished successfully")

    def refusal(self, host: str, security: Security) -> str:
        """The sentence with which a certificate is refused."""
        error = self.assertRaises(CertificateRefused, self.handshake, host, security)
        sentence: str = error.sentence
        self.assertEqual(tls_failure(Failure(error)), sentence)
        return sentence

    def test_certificate_of_a_trusted_issuer_is_accepted(self) -> None:
        """The address may be a name or a number."""
        for host in ("chat.example.org", "localhost", "127.0.0.1"):
            self.handshake(host, Security(ca=self.certificate))

    def test_certificate_with_the_pin_is_accepted(self) -> None:
        """Issuer and name are not verified then."""
        self.handshake("other.example.org", Security(pin=self.pin.upper()))

    def test_self_signed_certificate_is_refused(self) -> None:
        """It is not among the trusted ones."""
        self.assertEqual(
            self.refusal("localhost", Security()),
            "The certificate of localhost is self-signed and not trusted (see --tls-ca and"
            " --tls-pin).",
        )

    def test_other_name_or_address_is_refused(self) -> None:
        """Although the issuer is trusted."""
        for host in ("other.example.org", "192.0.2.1"):
            self.assertEqual(
                self.refusal(host, Security(ca=self.certificate)),
                f"The certificate presented by {host} is for another name.",
            )

    def test_other_pin_is_refused(self) -> None:
        """The sentence has the fingerprint of the server's certificate."""
        self.assertEqual(
            self.refusal("localhost", Security(pin=DIGITS)),
            "The certificate of localhost does not match the pin: its fingerprint is"
            f" {normalize_fingerprint(self.pin)}.",
        )

    def test_creator_provides_its_interface(self) -> None:
        """Twisted asks for it."""
        creator = _TLSConnectionCreator("localhost", Security())
        self.assertTrue(IOpenSSLClientConnectionCreator.providedBy(creator))


class FailureTests(SynchronousTestCase):
    """Sentences for errors that end a connection."""

    def test_errors_of_tls_are_explained(self) -> None:
        """A server without TLS is recognised by what OpenSSL says about its bytes."""
        for reasons, sentence in (
            (["wrong version number"], "The server does not speak TLS on this port: use chat://"),
            (["packet length too long"], "The server does not speak TLS on this port: use chat://"),
            (["a", "b"], "The TLS handshake failed: a, b."),
        ):
            error = SSL.Error([("SSL routines", "", reason) for reason in reasons])
            self.assertTrue(tls_failure(Failure(error)).startswith(sentence), reasons)
        self.assertEqual(
            tls_failure(Failure(SSL.Error())),
            "The TLS handshake failed: the server closed the connection.",
        )

    def test_other_errors_have_no_sentence(self) -> None:
        """They are not about TLS."""
        self.assertEqual(tls_failure(Failure(ConnectionLost())), "")
