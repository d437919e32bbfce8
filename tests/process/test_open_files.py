"""A daemon that the system allows few open files, and clients that take all that they can get."""

from __future__ import annotations

import socket
import sys
from contextlib import ExitStack

from chatd.codecs import v1_messages as c
from chatd.codecs.v1 import client_decoder, encode
from tests.doubles.daemon_process import PATIENCE, Daemon
from tests.process.test_admin import Administered

FILES = 300
_WITH_FEW_FILES = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, ({files}, {files}))
os.execv(sys.executable, [sys.executable, "-m", *sys.argv[1:]])
"""


class FewFiles(Administered):
    """The limit of the process is 300 open files."""

    def start(self, *options: str) -> Daemon:
        """A daemon with the default store."""
        limited = [sys.executable, "-c", _WITH_FEW_FILES.format(files=FILES)]
        command = [*limited, "chatd", "--port", "0", *options]
        return Daemon(self, "", cwd=str(self.folder), command=command, executed=True)

    def test_clients_leave_the_operator_and_the_store_a_reserve(self) -> None:
        """Accepting pauses, is resumed when clients leave, and is logged once each time. A client
        that had to wait is then served."""
        daemon = self.start("--account-sessions", "1000")
        with ExitStack() as stack:
            clients: list[socket.socket] = []
            for number in range(400):
                address = ("127.0.0.1", daemon.port)
                clients.append(stack.enter_context(socket.create_connection(address, PATIENCE)))
                clients[-1].sendall(encode(c.Register(1, "ann")) + encode(c.LogIn(2, "ann")))
                if number < 150:
                    wait_for_login(clients[-1])
            daemon.wait_for("Accepting pauses: [12][0-9]{2} connections are open")
            self.assertIn("ann", self.output("users"))
            self.output("backup", str(self.folder / "copy.db"))
            for _ in range(3):
                self.assertIn("sessions", self.output("stats"))
            for client in clients[:399]:
                client.close()
            daemon.wait_for("Accepting resumes")
            wait_for_login(clients[399])
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(daemon.output.count("Accepting pauses"), 1)
        self.assertEqual(daemon.output.count("Accepting resumes"), 1)
        self.assertNotIn("Too many open files", daemon.output)


def wait_for_login(client: socket.socket) -> None:
    """Read until the client is logged in. Fails if the connection is closed."""
    decoder = client_decoder(1 << 24)
    while True:
        data = client.recv(1 << 16)
        assert data
        if any(isinstance(answer, c.LoggedIn) for answer in decoder.feed(data)):
            return
