"""A self-signed TLS certificate for testing, valid for a year."""

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

_LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
_VALID_DAYS = 365


def make(folder: str, hosts: list[str]) -> tuple[Path, Path, str]:
    """Write `chatd.pem` and `chatd.key` for localhost and these hosts (names or addresses).

    Returns both paths and the SHA-256 of the certificate in hexadecimal digits. Raises `OSError` if
    a file cannot be written or exists, `ValueError` if a host is not a valid name.
    """
    if not Path(folder).is_dir():
        raise FileNotFoundError(f"there is no folder {folder}")
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
        .not_valid_after(now + timedelta(days=_VALID_DAYS))
        .add_extension(
            x509.SubjectAlternativeName(
                [_general_name(host) for host in dict.fromkeys((*hosts, *_LOCAL_HOSTS))]
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
    private_key = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    certificate_path, key_path = Path(folder, "chatd.pem"), Path(folder, "chatd.key")
    for path in (certificate_path, key_path):
        if path.exists():
            raise FileExistsError(f"{path} exists already")
    _write(key_path, private_key, 0o600)
    _write(certificate_path, certificate.public_bytes(Encoding.PEM), 0o644)
    return certificate_path, key_path, certificate.fingerprint(hashes.SHA256()).hex()


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
