"""A certificate to try TLS out with: signed by itself, good for a year."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LOCAL = ("localhost", "127.0.0.1", "::1")
_DAYS = 365


def make(folder: str, hosts: list[str]) -> tuple[Path, Path, str]:
    """Write `chatd.pem` and `chatd.key`, for this machine and these hosts; gives both paths and the
    SHA-256 of the certificate, in hexadecimal digits. Raises `OSError`, also if one of them
    exists."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, (hosts or ["localhost"])[0][:64])])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=_DAYS))
        .add_extension(
            x509.SubjectAlternativeName(
                [_general(host) for host in dict.fromkeys((*hosts, *_LOCAL))]
            ),
            False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .add_extension(
            x509.ExtendedKeyUsage(
                [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
            ),
            False,
        )
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    paths = Path(folder, "chatd.pem"), Path(folder, "chatd.key")
    for path in paths:
        if path.exists():
            raise FileExistsError(f"{path} exists already")
    _write(paths[1], private, 0o600)
    _write(paths[0], certificate.public_bytes(Encoding.PEM), 0o644)
    return *paths, certificate.fingerprint(hashes.SHA256()).hex()


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
