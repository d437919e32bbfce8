"""TLS without secrets: its records, its handshake and its end of a stream, in the clear.

The daemon's own TLS code runs on it (`chatd.server.tls.TLSTransport`). OpenSSL itself would make
histories depend on its version and on real random numbers.
"""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from zope.interface import implementer

_ALERT, _HANDSHAKE, _DATA = 0x15, 0x16, 0x17
_LONGEST = 16_384
_TAG = b"-" * 16
"""what a record has besides its header and its plain text"""


def _record(kind: int, plain: bytes) -> bytes:
    return bytes((kind, 3, 3)) + (len(plain) + len(_TAG)).to_bytes(2) + plain + _TAG


class Records:
    """Splits a stream into records."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """The records that `data` completes: (kind, plain text). Raises ValueError."""
        data = self._rest + data
        records: list[tuple[int, bytes]] = []
        while len(data) >= 5:
            size = int.from_bytes(data[3:5])
            if data[1] != 3 or not len(_TAG) <= size <= _LONGEST + len(_TAG):
                raise ValueError("not a record")
            if len(data) < 5 + size:
                break
            records.append((data[0], data[5 : 5 + size - len(_TAG)]))
            data = data[5 + size :]
        self._rest = data
        return records


class _PeerCertificate:
    """A client's certificate."""

    def __init__(self, fingerprint: str) -> None:
        self._fingerprint = fingerprint

    def digest(self, name: str) -> bytes:
        """See OpenSSL.crypto.X509: pairs of digits with colons between them."""
        digits = self._fingerprint.upper()
        return ":".join(digits[at : at + 2] for at in range(0, len(digits), 2)).encode()


class ServerEnd:
    """The daemon's end, as far as Twisted uses an OpenSSL.SSL.Connection with memory BIOs."""

    def __init__(self) -> None:
        self._records = Records()
        self._hello: str | None = None
        self._answered = False
        self._broken = False
        self._plain = b""
        self._output = b""
        self._ended = False
        self._peer_ended = False
        self._end_of_input = False

    def set_accept_state(self) -> None:
        """This end is the server's."""

    def set_app_data(self, data: object) -> None:
        """What Twisted wants to find again; it does not look for it here."""

    def bio_write(self, data: bytes) -> None:
        """Take bytes from the network."""
        try:
            for kind, plain in self._records.feed(data):
                if kind == _HANDSHAKE and self._hello is None:
                    self._hello = plain.decode("ascii")
                elif kind == _DATA and self._hello is not None:
                    self._plain += plain
                elif kind == _ALERT:
                    self._peer_ended = True
                else:
                    self._broken = True
        except (ValueError, UnicodeDecodeError):
            self._broken = True

    def bio_read(self, size: int) -> bytes:
        """Give bytes to the network."""
        if not self._output:
            raise SSL.WantReadError()
        data, self._output = self._output[:size], self._output[size:]
        return data

    def bio_shutdown(self) -> None:
        """Nothing more comes from the network."""
        self._end_of_input = True

    def do_handshake(self) -> None:
        """Answer the client's first record."""
        if self._hello is None:
            if self._broken or self._peer_ended:
                raise SSL.Error([("SSL routines", "", "wrong version number")])
            raise SSL.WantReadError()
        if not self._answered:
            self._answered = True
            self._output += _record(_HANDSHAKE, b"certificate of the server")

    def recv(self, size: int) -> bytes:
        """Plain text from the client."""
        if self._plain:
            data, self._plain = self._plain[:size], self._plain[size:]
            return data
        if self._broken:
            raise SSL.Error([("SSL routines", "", "decryption failed")])
        if self._peer_ended:
            raise SSL.ZeroReturnError()
        if self._end_of_input:
            raise SSL.SysCallError(-1, "Unexpected EOF")
        raise SSL.WantReadError()

    def send(self, data: bytes) -> int:
        """Plain text to the client; returns how much of it was taken."""
        if not self._answered:
            raise SSL.WantReadError()
        self._output += _record(_DATA, bytes(data[:_LONGEST]))
        return min(len(data), _LONGEST)

    def shutdown(self) -> bool:
        """End the stream; whether the client has ended its own."""
        if not self._answered:
            raise SSL.Error([("SSL routines", "", "shutdown while in init")])
        if not self._ended:
            self._ended = True
            self._output += _record(_ALERT, b"")
        return self._peer_ended

    def get_peer_certificate(self) -> _PeerCertificate | None:
        """The certificate that the client has shown."""
        return _PeerCertificate(self._hello) if self._hello else None


@implementer(IOpenSSLServerConnectionCreator)
class SimulatedCertificate:
    """The daemon's certificate; see `chatd.server.tls.Certificate`."""

    self_signed = False
    names: tuple[str, ...] = ()

    def __init__(self, certificate: str, key: str) -> None:
        self.certificate = certificate
        self.key = key

    def reload(self) -> None:
        """There are no files to read."""

    def serverConnectionForTLS(self, protocol: object) -> Any:
        """See IOpenSSLServerConnectionCreator."""
        return ServerEnd()


class ClientEnd:
    """A client's end. `certificate` is the fingerprint of the certificate that it shows."""

    def __init__(self, certificate: str | None) -> None:
        self.certificate = certificate
        self._records = Records()
        self._waiting = b""
        self.established = False
        self.ended = False

    def hello(self) -> bytes:
        """The first record."""
        return _record(_HANDSHAKE, (self.certificate or "").encode())

    def end(self) -> bytes:
        """The last record."""
        return _record(_ALERT, b"")

    def encrypt(self, data: bytes) -> bytes:
        """The records for plain text, none before the handshake is done."""
        if not self.established:
            self._waiting += data
            return b""
        parts = [data[at : at + _LONGEST] for at in range(0, len(data), _LONGEST)]
        return b"".join(_record(_DATA, part) for part in parts)

    def decrypt(self, data: bytes) -> tuple[bytes, bytes]:
        """(plain text, what must be sent now) for bytes from the daemon."""
        plain = reply = b""
        for kind, part in self._records.feed(data):
            if kind == _HANDSHAKE:
                self.established = True
                waiting, self._waiting = self._waiting, b""
                reply += self.encrypt(waiting)
            elif kind == _DATA:
                plain += part
            elif kind == _ALERT and not self.ended:
                self.ended = True
                reply += self.end()
        return plain, reply
