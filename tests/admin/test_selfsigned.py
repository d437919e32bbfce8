"""The self-signed certificate: its names, validity and files."""

from __future__ import annotations

import hashlib
import os
import ssl
import stat
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from twisted.trial.unittest import SynchronousTestCase

from chatd.admin import selfsigned
from tests.doubles.folders import folder


class SelfSigned(SynchronousTestCase):
    """`selfsigned.make`."""

    def setUp(self) -> None:
        self.folder = folder(self)

    def test_certificate_is_for_this_machine_and_the_hosts(self) -> None:
        """Each name and each address is listed once."""
        path, _, _ = selfsigned.make(
            self.folder, ["chat.example.org", "192.0.2.1", "2001:db8::1", "localhost"]
        )
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        self.assertEqual(names.get_values_for_type(x509.DNSName), ["chat.example.org", "localhost"])
        self.assertEqual(
            names.get_values_for_type(x509.IPAddress),
            [ip_address(text) for text in ("192.0.2.1", "2001:db8::1", "127.0.0.1", "::1")],
        )
        self.assertEqual(certificate.subject.rfc4514_string(), "CN=chat.example.org")

    def test_certificate_is_valid_for_a_year_from_now(self) -> None:
        """A machine whose clock is up to an hour slow accepts it."""
        path, _, _ = selfsigned.make(self.folder, [])
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        now = datetime.now(UTC)
        begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        self.assertLess(begin, now - timedelta(minutes=50))
        self.assertLess(now + timedelta(days=364), end)
        self.assertLess(end, now + timedelta(days=366))

    def test_key_belongs_to_the_certificate_and_is_readable_by_its_owner(self) -> None:
        """The pin is the SHA-256 of the certificate."""
        certificate, key, pin = selfsigned.make(self.folder, [])
        self.assertEqual(
            (certificate, key), (Path(self.folder, "chatd.pem"), Path(self.folder, "chatd.key"))
        )
        ssl.create_default_context().load_cert_chain(certificate, key)
        self.assertEqual(stat.S_IMODE(key.stat().st_mode), 0o600)
        der = ssl.PEM_cert_to_DER_cert(certificate.read_text())
        self.assertEqual(pin, hashlib.sha256(der).hexdigest())

    def test_no_file_is_replaced(self) -> None:
        """If either exists, neither is written."""
        for name in ("chatd.pem", "chatd.key"):
            Path(self.folder, name).write_text("mine")
            self.assertRaises(FileExistsError, selfsigned.make, self.folder, [])
            self.assertEqual(os.listdir(self.folder), [name])
            os.unlink(Path(self.folder, name))

    def test_missing_folder_and_invalid_host_are_errors(self) -> None:
        """No file is written."""
        self.assertRaises(OSError, selfsigned.make, os.path.join(self.folder, "none"), [])
        self.assertRaises(ValueError, selfsigned.make, self.folder, ["chät"])
        self.assertEqual(os.listdir(self.folder), [])
