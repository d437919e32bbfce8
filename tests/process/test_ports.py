"""Ports besides the main one, and the old clients on them; whole replies are compared."""

from __future__ import annotations

import socket
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import classic, ops, v1
from chatd.codecs import v1_messages as c
from tests.doubles.daemon_process import PATIENCE, Daemon
from tests.doubles.folders import folder
from tests.doubles.startup import Start


class Ports(SynchronousTestCase):
    """A daemon with a port of every kind."""

    def setUp(self) -> None:
        self.folder = folder(self)
        names = ("any", "classic", "v1", "chat10", "ops")
        more = [word for name in names for word in ("--listen", f"{name}=tcp:0")]
        self.unix = f"{self.folder}/chat.sock"
        self.daemon = Daemon(
            self,
            f"sqlite:{self.folder}/chatd.db",
            more=(*more, "--listen", f"any=unix:{self.unix}"),
        )
        titles = ("all protocols", "classic", "version 1", "CHAT/1.0", "ops")
        self.ports = {
            name: int(self.daemon.address_of(title).rpartition(":")[2])
            for name, title in zip(names, titles, strict=True)
        }

    def connect(self, port: str = "main") -> socket.socket:
        """Connect to a port."""
        number = self.daemon.port if port == "main" else self.ports[port]
        connection = socket.create_connection(("127.0.0.1", number), timeout=PATIENCE)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.addCleanup(connection.close)
        return connection

    def exactly(self, connection: socket.socket, wanted: bytes) -> None:
        """Check that exactly these bytes arrive next."""
        found = b""
        while len(found) < len(wanted):
            more = connection.recv(len(wanted) - len(found))
            self.assertNotEqual(more, b"", f"closed after {found!r}")
            found += more
        self.assertEqual(found, wanted)

    def ends(self, connection: socket.socket) -> None:
        """Check that the server closes the connection."""
        self.assertEqual(connection.recv(1 << 16), b"")

    def test_port_speaks_its_protocol(self) -> None:
        """With its greeting; the main port and `any` speak all; a unix socket is one more port."""
        for port in ("main", "any", "classic"):
            connection = self.connect(port)
            connection.sendall(classic.encode(classic.LIST, "x"))
            self.exactly(connection, classic.encode_names([]))
        for port in ("main", "any", "v1"):
            connection = self.connect(port)
            connection.sendall(v1.encode(c.Ping(1)))
            self.exactly(connection, v1.encode(c.Pong(1)))
        for number, port in enumerate(("main", "any", "chat10")):
            connection = self.connect(port)
            connection.sendall(f"REGISTER luca{number} CHAT/1.0\n".encode())
            self.exactly(connection, b"200 Registration successful\n")
        self.exactly(self.connect("ops"), ops.GREETING.encode())
        for port in ("main", "any"):
            connection = self.connect(port)
            connection.sendall(b"2|nobody")
            self.exactly(connection, (ops.GREETING + ops.matched("nobody", [])).encode())
        local = socket.socket(socket.AF_UNIX)
        self.addCleanup(local.close)
        local.settimeout(PATIENCE)
        local.connect(self.unix)
        local.sendall(classic.encode(classic.CREATE, "ann"))
        self.exactly(local, classic.encode(classic.RESPONSE))

    def test_unknown_protocol_is_answered_and_closed(self) -> None:
        """So is half a signature when the client sends no more."""
        connection = self.connect()
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100)
        sentence = b"Unknown protocol. This port speaks version 1, classic, CHAT/1.0, ops.\n"
        self.exactly(connection, sentence)
        self.ends(connection)
        connection = self.connect()
        connection.sendall(b"REGIS")
        connection.shutdown(socket.SHUT_WR)
        self.ends(connection)

    def test_protocol_is_detected_byte_by_byte(self) -> None:
        """Each byte is a segment."""
        connection = self.connect()
        for byte in b"REGISTER luca CHAT/1.0\n":
            connection.sendall(bytes((byte,)))
        self.exactly(connection, b"200 Registration successful\n")
        connection = self.connect()
        for byte in classic.encode(classic.CREATE, "ann"):
            connection.sendall(bytes((byte,)))
        self.exactly(connection, classic.encode(classic.RESPONSE))

    def test_old_ops_client(self) -> None:
        """It sends commands without waiting; `bye` closes its sending side, then it reads."""
        hello = ops.created("mason") + ops.matched("m.son", ["mason"]) + ops.NO_MESSAGES
        talk = (
            ops.created("wayne")
            + ops.all_names(["mason", "wayne"])
            + ops.left_in_mailbox("wayne", "mason")
            + ops.DELETED
            + ops.matched("w.yne", [])
        )
        end = ops.logged_in("mason") + ops.mail("mason123") + ops.mail_item("wayne", "hi")
        end += ops.unknown_recipient("wayne") + ops.DELETED
        for commands, replies in (
            (("1|mason", "2|m.son", "4|mason123"), hello),
            (("1|wayne", "2", "3|mason|hi", "5|wayne123", "2|w.yne"), talk),
            (("0|mason123", "4|mason123", "3|wayne|hi", "5|mason123"), end),
        ):
            connection = self.connect("ops")
            self.exactly(connection, ops.GREETING.encode())
            expected = b""
            for command in commands:
                connection.sendall(command.encode())
                expected += self.reply(connection)
            self.assertEqual(expected.decode(), replies)
            connection.shutdown(socket.SHUT_WR)
            self.ends(connection)

    def reply(self, connection: socket.socket) -> bytes:
        """The reply to one command; a message of a mailbox ends in two line breaks."""
        found = connection.recv(1024)
        while found.startswith(b"undelivered") and not found.endswith(b"\n\n"):
            found += connection.recv(1024)
        return found

    def test_old_client_of_lines(self) -> None:
        """It reads byte by byte as ASCII, checks the first word, and ends with DISCONNECT."""
        people = [self.connect("chat10"), self.connect()]
        for number, connection in enumerate(people):
            connection.sendall(f"REGISTER user{number} CHAT/1.0\n".encode())
            self.assertEqual(self.line(connection).split()[0], "200")
        people[0].sendall("@user0: hällo\n".encode())
        self.assertEqual(self.line(people[1]), "@user0: h?llo")
        people[1].sendall(b"DISCONNECT user1 CHAT/1.0\n")
        self.assertEqual(self.line(people[1]), "DISCONNECT CHAT/1.0")
        self.ends(people[1])
        self.daemon.stop()
        self.assertEqual(self.line(people[0]), "DISCONNECT CHAT/1.0")
        self.ends(people[0])

    def line(self, connection: socket.socket) -> str:
        """A line, read as that client does."""
        found = ""
        while not found.endswith("\n"):
            byte = connection.recv(1)
            self.assertNotEqual(byte, b"", found)
            found += byte.decode("ascii")
        return found.strip()

    def test_old_client_without_framing(self) -> None:
        """It reads up to 2048 bytes at once, and compares all of them."""
        lines = self.connect("chat10")
        lines.sendall(b"REGISTER other CHAT/1.0\n")
        self.line(lines)
        bare = self.connect("chat10")
        bare.sendall(b"REGISTER user10 CHAT/1.0")
        self.assertEqual(bare.recv(2048), b"200 Registration successful")
        for number in range(20):
            lines.sendall(f"@other: {number}\n".encode())
        heard = b""
        while not heard.endswith(b"19"):
            heard += bare.recv(2048)
        taken = self.connect()
        taken.sendall(b"REGISTER user10 CHAT/1.0")
        self.assertEqual(taken.recv(2048), b"401 Client already registered")
        self.ends(taken)
        wrong = self.connect()
        wrong.sendall(b"REGISTER x CHAT/2.0")
        self.assertEqual(wrong.recv(2048), b"400 Invalid registration")
        self.ends(wrong)
        bare.sendall("@user10: é".encode())
        self.assertEqual(self.line(lines), "@user10: ?")
        self.daemon.stop()
        self.assertEqual(bare.recv(2048), b"DISCONNECT CHAT/1.0")
        self.ends(bare)

    def test_bad_clients_do_not_disturb_others(self) -> None:
        """Resets, floods and silence, in every protocol."""
        good = self.connect("chat10")
        good.sendall(b"REGISTER good CHAT/1.0\n")
        self.line(good)
        begins = (
            ("chat10", b"REGISTER bad%d CHAT/1.0\n"),
            ("ops", b"1|worse%d"),
            ("main", b"REGISTER x%d"),
        )
        for port, begin in begins:
            for number in range(20):
                bad = self.connect(port)
                bad.sendall(begin % number)
                bad.sendall(b"x" * 10_000)
                bad.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                bad.close()
        begin_at = time.monotonic()
        other = self.connect()
        other.sendall(b"REGISTER friend CHAT/1.0\n")
        self.line(other)
        other.sendall(b"@friend: still there?\n")
        while self.line(good) != "@friend: still there?":
            pass
        self.assertLess(time.monotonic() - begin_at, PATIENCE)


class Starting(Start):
    """Which ports a daemon has."""

    def test_legacy_ports(self) -> None:
        """The old servers' ports, on this machine only; a port that is in use is an error."""
        for port in (9000, 2023, 50051):
            if self.is_taken(port):
                words = ("--store=memory", "--port=0", "--legacy-ports")
                self.refused(*words, words=f"cannot listen on 127.0.0.1:{port}")
                return
        daemon = self.daemon("--store=memory", "--port=0", "--legacy-ports")
        self.assertEqual(daemon.address_of("classic"), "127.0.0.1:9000")
        self.assertEqual(daemon.address_of("ops"), "127.0.0.1:2023")
        self.assertEqual(daemon.address_of("gRPC"), "127.0.0.1:50051")
        for port in (9000, 2023, 50051):
            socket.create_connection(("127.0.0.1", port), timeout=PATIENCE).close()
        self.assertEqual(daemon.stop(), 0)

    def is_taken(self, port: int) -> bool:
        """Whether another program listens on a port of this machine."""
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind(("127.0.0.1", port))
                trial.listen(1)
            except OSError:
                return True
        return False

    def test_invalid_ports_are_errors(self) -> None:
        """One sentence, and nothing is written."""
        memory = ("--store=memory", "--port=0")
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            self.refused(
                *memory, "--listen", f"ops=tcp:{port}", words=f"cannot listen on 127.0.0.1:{port}"
            )
        self.refused(*memory, "--listen", "ops=nothing:1", words="is not a valid endpoint")
        missing = Path(self.folder, "none", "socket")
        self.refused(*memory, "--listen", f"ops=unix:{missing}", words="there is no folder")

    def test_reachable_port_is_announced_and_strict(self) -> None:
        """A port that other machines reach forbids open accounts and open registration."""
        daemon = self.daemon(
            "--store=memory", "--port=0", "--listen", "ops=tcp:0:interface=0.0.0.0"
        )
        address = daemon.address_of("ops")
        self.assertEqual(daemon.stop(), 0)
        self.assertIn(f"anyone who can reach {address}", daemon.output)
        self.assertIn("requires an invite token", daemon.output)
