"""TLS with a daemon process: every protocol, changed certificates, and the clients."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import time
from pathlib import Path
from typing import Any

import grpc
from twisted.trial.unittest import SynchronousTestCase

from chatd.admin import selfsigned
from chatd.codecs import chat_pb2 as pb
from chatd.codecs import classic, v1
from chatd.codecs import v1_messages as c
from tests.doubles.daemon_process import PATIENCE, START_PATIENCE, Daemon
from tests.doubles.folders import folder
from tests.doubles.program import environment, run
from tests.doubles.startup import Start

TLS_RECORD = 16_384
"""bytes that a record has at most, which a client receives as a whole"""


class Secured(SynchronousTestCase):
    """A daemon with a certificate."""

    options: tuple[str, ...] = ()

    def setUp(self) -> None:
        self.folder = folder(self)
        self.certificate, self.key, self.pin = selfsigned.make(self.folder, ["chat.example.org"])
        files = {"certificate": str(self.certificate), "key": str(self.key)}
        options = ("--tls-cert", "{certificate}", "--tls-key", "{key}", *self.options)
        self.daemon = Daemon(
            self,
            f"sqlite:{self.folder}/chatd.db",
            more=tuple(option.format(**files) for option in options),
        )
        self.port = self.daemon.port

    def plain(self) -> socket.socket:
        """Connect without TLS."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        self.addCleanup(connection.close)
        return connection

    def connect(
        self, own: tuple[Path, Path] | None = None, host: str = "localhost"
    ) -> ssl.SSLSocket:
        """Connect by TLS and verify; `own` is a client certificate and its key."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        if own is not None:
            context.load_cert_chain(*own)
        connection = context.wrap_socket(self.plain(), server_hostname=host)
        self.addCleanup(connection.close)
        return connection

    def ask(self, connection: socket.socket, data: bytes, end: bytes) -> bytes:
        """Send bytes, and return what arrives, up to `end`."""
        connection.sendall(data)
        return self.read(connection, end)

    def read(self, connection: socket.socket, end: bytes) -> bytes:
        """What arrives, up to `end`."""
        found = b""
        while not found.endswith(end):
            more = connection.recv(1 << 16)
            self.assertNotEqual(more, b"", f"closed after {found!r}")
            found += more
        return found

    def request(self, connection: socket.socket, message: Any) -> Any:
        """Send a request of version 1, and return its answer."""
        connection.sendall(v1.encode(message))
        decoder = v1.client_decoder(1 << 20)
        while True:
            for found in decoder.feed(connection.recv(1 << 16)):
                if getattr(found, "ref", 0) == message.ref:
                    return found

    def client(self, *words: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run the client in a pipe to its end."""
        command = ["chatd.client", *words]
        return run(command, cwd=self.folder, env=environment(), input=text, timeout=START_PATIENCE)


class Inside(Secured):
    """The main port by TLS."""

    def test_every_protocol(self) -> None:
        """Beside connections without TLS."""
        old = self.connect()
        self.assertEqual(
            self.ask(old, classic.encode(classic.CREATE, "ann"), b"\0"),
            classic.encode(classic.RESPONSE),
        )
        new = self.connect()
        self.assertEqual(self.request(new, c.Ping(1)), c.Pong(1))
        chat = self.connect()
        self.assertEqual(
            self.ask(chat, b"REGISTER bo CHAT/1.0\n", b"\n"), b"200 Registration successful\n"
        )
        ops = self.plain()
        self.ask(ops, b"1|mason", b"mason123\n")
        ops.sendall(b"3|ann|hi")
        self.assertEqual(self.read(old, b"hi"), classic.encode_send("mason", "ann", "hi"))
        ops = self.connect()
        self.ask(ops, b"1|wayne", b"wayne123\n")
        self.assertEqual(self.ask(ops, b"4|wayne123", b"\n"), b"No new messages\n")
        self.assertIn(b"Unknown protocol", self.ask(self.connect(), b"GET / HTTP/1.1\r\n", b"\n"))

    def test_handshake_byte_by_byte(self) -> None:
        """Each byte is a segment."""
        inside, outside = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ssl.create_default_context(cafile=str(self.certificate))
        layer = context.wrap_bio(inside, outside, server_hostname="localhost")
        connection = self.plain()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def pump() -> None:
            data = outside.read()
            for at in range(len(data)):
                connection.sendall(data[at : at + 1])

        while True:
            try:
                layer.do_handshake()
                break
            except ssl.SSLWantReadError:
                pump()
                inside.write(connection.recv(1 << 16))
        layer.write(b"2\n")
        pump()
        found = b""
        while not found.endswith(b"accounts: \n"):
            try:
                found += layer.read()
            except ssl.SSLWantReadError:
                inside.write(connection.recv(1 << 16))

    def test_tls_below_1_2_is_refused(self) -> None:
        """In the handshake."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        for version, good in ((ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True)):
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = version
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
            if good:
                self.assertEqual(context.wrap_socket(self.plain()).version(), "TLSv1.2")
            else:
                self.assertRaises(ssl.SSLError, context.wrap_socket, self.plain())

    def test_unread_mail_is_delivered_again(self) -> None:
        """As without TLS."""
        ann = self.connect()
        self.ask(ann, classic.encode(classic.CREATE, "ann"), b"\0")
        bob = self.plain()
        self.ask(bob, classic.encode(classic.CREATE, "bob"), b"\0")
        texts = [f"{number} " + "x" * 5_000 for number in range(3_000)]
        for start in range(0, len(texts), 100):
            part = texts[start : start + 100]
            bob.sendall(b"".join(classic.encode_send("bob", "ann", text) for text in part))
            size = sum(len(classic.encode_send("bob", "ann", text)) for text in part)
            while size:
                size -= len(bob.recv(1 << 16))
        heard = self.read_some(ann, 20)
        held = ann.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) + TLS_RECORD
        ann.close()
        found = list(heard)
        while True:
            ann = self.connect()
            answer = self.ask(ann, classic.encode(classic.LOGIN, "ann"), b"")
            decoder = classic.client_decoder(1 << 20)
            messages = decoder.feed(answer)
            while not messages:
                messages += decoder.feed(ann.recv(1 << 16))
            if messages[0] != classic.Response(""):
                ann.close()
                continue
            ann.sendall(classic.encode(classic.DELIVER) + classic.encode(classic.LIST, "nobody"))
            rest: list[Any] = messages[1:]
            while not any(isinstance(each, classic.ListResponse) for each in rest):
                rest += decoder.feed(ann.recv(1 << 16))
            found += [each.text for each in rest if isinstance(each, classic.Send)]
            break
        # What was in transit at the end of the connection may be delivered twice. What the client's
        # system had received counts as arrived, although the client has not read it.
        delivered = set(found)
        missing = [number for number, text in enumerate(texts) if text not in delivered]
        self.assertEqual(missing, list(range(len(heard), len(heard) + len(missing))))
        self.assertLessEqual(sum(len(texts[number]) for number in missing), held)
        self.assertLessEqual(delivered, set(texts))

    def read_some(self, connection: socket.socket, count: int) -> list[str]:
        """Texts of the classic protocol."""
        decoder = classic.client_decoder(1 << 20)
        found: list[Any] = []
        while len(found) < count:
            found += decoder.feed(connection.recv(1 << 12))
        return [each.text for each in found]

    def test_sighup_reads_the_certificate_again(self) -> None:
        """Connections stay open; an invalid certificate is not used."""
        first = self.connect()
        self.ask(first, b"1|mason", b"mason123\n")
        before = first.getpeercert(True)
        elsewhere = folder(self)
        certificate, key, _ = selfsigned.make(elsewhere, [])
        os.replace(key, self.key)
        os.replace(certificate, self.certificate)
        os.kill(self.daemon.pid, signal.SIGHUP)
        self.wait_for_log(first, "has been read again")
        second = self.connect()
        self.assertNotEqual(second.getpeercert(True), before)
        self.assertEqual(self.ask(first, b"4|mason123", b"\n"), b"No new messages\n")
        self.key.write_text("rubbish")
        os.kill(self.daemon.pid, signal.SIGHUP)
        self.wait_for_log(first, "The old TLS certificate is kept")
        self.assertEqual(self.connect().getpeercert(True), second.getpeercert(True))

    def wait_for_log(self, connection: socket.socket, words: str) -> None:
        """Send requests until the log contains these words."""
        deadline = time.monotonic() + PATIENCE
        while words not in self.daemon.output:
            self.assertLess(time.monotonic(), deadline, f"not logged: {words}")
            self.ask(connection, b"2", b"\n")

    def test_client_certificate_logs_in_to_its_account_only(self) -> None:
        """It replaces the password; other certificates and accounts are refused."""
        ann = self.connect()
        self.request(ann, c.Register(1, "ann", "secret"))
        self.request(ann, c.LogIn(2, "ann", "secret"))
        mine = selfsigned.make(folder(self), [])
        other = selfsigned.make(folder(self), [])
        refused = self.request(ann, c.SetCertificates(3, [mine[2]]))
        self.assertEqual(refused.code, "password-required")
        self.assertEqual(
            self.request(ann, c.SetCertificates(4, ["xyz"], "secret")).code, "fingerprint-invalid"
        )
        self.assertEqual(
            self.request(ann, c.SetCertificates(5, [mine[2].upper()], "secret")), c.Done(5)
        )
        self.assertIsInstance(self.request(self.connect(mine[:2]), c.LogIn(1, "ann")), c.LoggedIn)
        for connection in (self.connect(other[:2]), self.connect(), self.plain()):
            self.assertEqual(self.request(connection, c.LogIn(1, "ann")).code, "password-required")
        self.request(ann, c.Register(6, "eve", "secret"))
        self.assertEqual(
            self.request(self.connect(mine[:2]), c.LogIn(1, "eve")).code, "password-required"
        )
        old = self.connect(mine[:2])
        ann.close()
        completed = self.client(
            *("ann", f"chats://localhost:{self.daemon.port}", "--tls-ca", str(self.certificate)),
            *("--tls-cert", str(mine[0]), "--tls-key", str(mine[1])),
            text="/status\n",
        )
        self.assertEqual((completed.returncode, completed.stderr), (0, ""))
        self.assertIn("account: ann", completed.stdout)
        completed = run(
            ["chatd.admin", "certificate", "ann", "none"],
            cwd=self.folder,
            env=environment(),
            timeout=START_PATIENCE,
        )
        self.assertEqual(completed.stdout, "ann can no longer log in by certificate\n")
        self.assertEqual(self.request(old, c.LogIn(1, "ann")).code, "password-required")


class Clients(Secured):
    """`python -m chatd.client` by both protocols."""

    def test_certificate_is_verified_by_issuer_or_pin(self) -> None:
        """The client connects."""
        port = self.daemon.port
        for number, words in enumerate(
            (
                (f"chats://localhost:{port}", "--tls-ca", str(self.certificate)),
                (f"chats://127.0.0.1:{port}", "--tls-ca", str(self.certificate)),
                (f"chats://localhost:{port}", "--tls-pin", self.pin),
            )
        ):
            completed = self.client(f"ann{number}", *words, text="hello\n")
            self.assertEqual((completed.returncode, completed.stderr), (0, ""))
            self.assertIn(f"<ann{number}> hello", completed.stdout)
            completed = self.client(
                f"bob{number}", *words, "--protocol", "classic", text="l\n\nq\n"
            )
            self.assertEqual((completed.returncode, completed.stderr), (0, ""))

    def test_unverified_certificate_is_an_error(self) -> None:
        """One sentence, and an exit status."""
        port = self.daemon.port
        other, _, pin = selfsigned.make(folder(self), [])
        for words, sentence in (
            ((f"chats://localhost:{port}",), "is self-signed"),
            ((f"chats://localhost:{port}", "--tls-ca", str(other)), "is self-signed"),
            ((f"chats://localhost:{port}", "--tls-pin", pin), "does not match the pin"),
            ((f"chats://127.0.0.2:{port}", "--tls-ca", str(self.certificate)), None),
        ):
            for protocol in ("1", "classic"):
                completed = self.client("ann", *words, "--protocol", protocol, text="hello\n")
                self.assertEqual(completed.returncode, 1, completed.stderr)
                self.assertNotIn("Traceback", completed.stderr)
                if sentence is not None:
                    self.assertIn(sentence, completed.stderr)

    def test_server_without_tls_is_an_error(self) -> None:
        """The error says so."""
        plain = Daemon(self, "memory")
        completed = self.client("ann", f"chats://localhost:{plain.port}", text="hello\n")
        self.assertEqual((completed.returncode, "Traceback" in completed.stderr), (1, False))
        self.assertIn("does not speak TLS", completed.stderr)

    def test_invalid_combinations_of_options_are_errors(self) -> None:
        """So are missing files."""
        for words, sentence in (
            (
                ("chat://localhost", "--tls-pin", self.pin),
                "requires a URL that begins with chats://",
            ),
            (("chats://localhost", "--tls-pin", "x"), "64 hexadecimal digits"),
            (("chats://localhost", "--tls-ca", "none"), "cannot be read"),
            (("chats://localhost", "--tls-ca", str(self.key)), "contains no PEM certificates"),
            (("chats://localhost", "--tls-key", str(self.key)), "requires --tls-cert"),
            (
                ("chats://localhost", "--tls-cert", str(self.certificate)),
                "are not a certificate and its private key",
            ),
        ):
            completed = self.client("ann", *words)
            self.assertEqual(completed.returncode, 2)
            self.assertIn(sentence, completed.stderr)


class Only(Secured):
    """A daemon with --tls-only, and two more ports with TLS, one of them for gRPC."""

    options = (
        "--tls-only",
        *("--listen", "grpc=ssl:0"),
        *("--listen", "any=ssl:0:privateKey={key}:certKey={certificate}"),
    )

    def test_plain_connections_are_refused_in_their_protocol(self) -> None:
        """Each protocol has its own reply."""
        sentence = "This port speaks TLS only."
        connection = self.plain()
        connection.sendall(v1.encode(c.Ping(1)))
        self.assertEqual(connection.recv(1 << 16), v1.encode(c.Goodbye("tls-only", sentence)))
        self.assertEqual(connection.recv(1 << 16), b"")
        for data, answer in (
            (classic.encode(classic.CREATE, "ann"), classic.encode(classic.RESPONSE, sentence)),
            (b"REGISTER ann CHAT/1.0\n", f"400 Invalid registration: {sentence}\n".encode()),
            (b"1|ann", f"{sentence}\n".encode()),
            (b"GET / HTTP/1.1\r\n", f"{sentence}\n".encode()),
        ):
            connection = self.plain()
            connection.sendall(data)
            self.assertEqual(connection.recv(1 << 16), answer)
        for protocol in ("1", "classic"):
            completed = self.client(
                "ann", f"chat://localhost:{self.daemon.port}", "--protocol", protocol, text="q\n"
            )
            self.assertEqual(completed.returncode, 1)
            self.assertIn(sentence, completed.stderr)

    def test_tls_connections_are_served(self) -> None:
        """As without --tls-only, also by a port whose endpoint has TLS of its own."""
        self.assertEqual(self.request(self.connect(), c.Ping(1)), c.Pong(1))
        self.port = int(self.daemon.address_of("all protocols").rpartition(":")[2])
        self.assertEqual(self.request(self.connect(), c.Ping(1)), c.Pong(1))

    def test_grpc_uses_the_same_certificate(self) -> None:
        """It can be read again."""
        address = self.daemon.address_of("gRPC")
        self.create(address, "mason", self.certificate.read_bytes())
        certificate, key, _ = selfsigned.make(folder(self), [])
        os.replace(key, self.key)
        os.replace(certificate, self.certificate)
        os.kill(self.daemon.pid, signal.SIGHUP)
        ops = self.connect_to_any()
        while "has been read again" not in self.daemon.output:
            self.ask(ops, b"2", b"\n")
        self.create(address, "wayne", self.certificate.read_bytes())

    def connect_to_any(self) -> ssl.SSLSocket:
        """Connect without verification."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = context.wrap_socket(self.plain())
        self.addCleanup(connection.close)
        return connection

    def create(self, address: str, name: str, issuer: bytes) -> None:
        """Create an account by gRPC and TLS."""
        with grpc.secure_channel(
            address.replace("127.0.0.1", "localhost"), grpc.ssl_channel_credentials(issuer)
        ) as channel:
            request = pb.CreateAccountRequest(client_id=name).SerializeToString()
            channel.unary_unary("/ChatService/CreateAccount")(request, timeout=PATIENCE)


class Starting(Start):
    """Certificate files when the daemon starts."""

    def test_unusable_certificates_are_errors(self) -> None:
        """One sentence for each."""
        one, other = folder(self), folder(self)
        certificate, key, _ = selfsigned.make(one, [])
        _, wrong, _ = selfsigned.make(other, [])
        memory = ("--store", "memory", "--port", "0")
        for words, sentence in (
            (("--tls-cert", f"{one}/none"), "cannot be read: no such file"),
            (("--tls-cert", str(key)), "there is no TLS certificate (PEM) in"),
            (("--tls-cert", str(certificate)), "there is no TLS key (PEM) in"),
            (
                ("--tls-cert", str(certificate), "--tls-key", str(wrong)),
                "does not belong to the certificate",
            ),
            (("--tls-only",), "TLS requires a certificate"),
            (("--listen", "grpc=ssl:0"), "requires a certificate"),
        ):
            self.refused(*memory, *words, words=sentence)

    def test_make_cert_writes_both_files_once(self) -> None:
        """Only the owner can read the key."""
        completed = self.make()
        self.assertIn("--tls-cert chatd.pem --tls-key chatd.key", completed.stdout)
        self.assertEqual((self.folder / "chatd.key").stat().st_mode & 0o777, 0o600)
        again = self.make()
        self.assertEqual((again.returncode, again.stdout), (1, ""))
        self.assertIn("exists already", again.stderr)

    def make(self) -> subprocess.CompletedProcess[str]:
        """Make a certificate for two names."""
        command = ["chatd.admin", "make-cert", "--host", "chat.example.org", "--host", "192.0.2.1"]
        return run(command, cwd=self.folder, env=environment(), timeout=START_PATIENCE)
