"""The operator's side of the admin socket: connecting, answers, pages, and its end."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from chatd.admin.connection import Daemon, NoDaemon, RequestRefused, connect
from chatd.codecs import admin as c
from tests.doubles.folders import folder


class Connecting(SynchronousTestCase):
    """`connect`."""

    def setUp(self) -> None:
        self.path = os.path.join(folder(self), "socket")

    def test_a_listening_socket_is_connected(self) -> None:
        """The connection has no time limit."""
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(self.path)
            listening.listen()
            daemon = connect(self.path)
            self.assertIsNone(daemon._connection.gettimeout())
            daemon.close()

    def test_socket_on_which_no_process_listens_is_refused(self) -> None:
        """The sentence contains the reason."""
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(self.path)
        for path, reason in (
            (self.path, "connection refused"),
            (self.path + "x", "no such file"),
            ("x" * 200, "too long"),
        ):
            error = self.assertRaises(NoDaemon, connect, path)
            self.assertIn(reason, str(error))

    def test_relative_path_is_shown_as_an_absolute_one(self) -> None:
        """The reader sees in which folder the socket was looked for."""
        path = os.path.join(os.getcwd(), "missing.admin")
        error = self.assertRaises(NoDaemon, connect, "missing.admin")
        self.assertIn(f"no daemon listens at {path} (no such file", str(error))

    def test_a_socket_of_another_user_is_refused(self) -> None:
        """This is not the error for a missing daemon."""

        class Forbidden(socket.socket):
            def connect(self, path: object) -> None:
                raise PermissionError(13, "Permission denied")

        self.patch(socket, "socket", Forbidden)
        self.assertIn("root", str(self.assertRaises(RequestRefused, connect, self.path)))


class Asking(SynchronousTestCase):
    """`Daemon`."""

    def setUp(self) -> None:
        ours, self.theirs = socket.socketpair()
        self.addCleanup(self.theirs.close)
        self.theirs.settimeout(5)
        self.daemon = Daemon(ours, "/path")
        self.addCleanup(self.daemon.close)

    def answer(self, *answers: object) -> None:
        """Have answers ready for the next requests."""
        self.theirs.sendall(b"".join(json.dumps(answer).encode() + b"\n" for answer in answers))

    def requests(self) -> Sequence[c.Request]:
        """The requests that were sent."""
        return [c.decode_request(line) for line in self.theirs.recv(1 << 16).splitlines()]

    def test_ok_is_removed_from_an_answer(self) -> None:
        """The other fields are returned."""
        self.answer({"ok": True, "name": "Ann"})
        self.assertEqual(self.daemon.ask(c.DeleteAccount("ann")), {"name": "Ann"})
        self.assertEqual(self.requests(), [c.DeleteAccount("ann")])

    def test_answers_in_one_read_are_separated(self) -> None:
        """Bytes after an answer are the beginning of the next one."""
        self.answer({"ok": True, "name": "Ann"}, {"ok": True, "name": "bob"})
        names = [self.daemon.ask(c.DeleteAccount("x"))["name"] for _ in range(2)]
        self.assertEqual(names, ["Ann", "bob"])

    def test_a_long_answer_is_read_whole(self) -> None:
        """It may take several reads."""
        items = ["x" * 1000] * 100
        self.theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self.answer({"ok": True, "items": items})
        self.assertEqual(self.daemon.ask(c.ListInviteTokens()), {"items": items})

    def test_a_refusal_is_raised_with_its_sentence(self) -> None:
        """The connection can be used again."""
        self.answer({"ok": False, "code": "x", "sentence": "It is not."}, {"ok": False}, {})
        for sentence in ("It is not.", "the daemon refused", "the daemon refused"):
            error = self.assertRaises(RequestRefused, self.daemon.ask, c.GetStatistics())
            self.assertIn(sentence, str(error))

    def test_request_longer_than_a_line_is_refused_and_not_sent(self) -> None:
        """The daemon would close the connection, perhaps before the rest is written."""
        longest = c.MAX_LINE - len(c.encode(c.SetPassword("ann", ""))) + 1
        self.answer({"ok": True}, {"ok": True})
        self.daemon.ask(c.SetPassword("ann", "x" * longest))
        self.assertEqual(len(self.theirs.recv(1 << 16)), c.MAX_LINE + 1)
        error = self.assertRaises(
            RequestRefused, self.daemon.ask, c.SetPassword("ann", "x" * (longest + 1))
        )
        self.assertEqual(str(error), "the request has 16385 bytes; the daemon takes at most 16384")
        self.daemon.ask(c.GetStatistics())
        self.assertEqual(self.requests(), [c.GetStatistics()])

    def test_something_else_than_an_answer_is_refused(self) -> None:
        """The sentence names the path."""
        self.theirs.sendall(b"220 hello\n")
        error = self.assertRaises(RequestRefused, self.daemon.ask, c.GetStatistics())
        self.assertIn("/path is not chatd", str(error))

    def test_connection_that_ends_is_reported_as_no_daemon(self) -> None:
        """It may end in the middle of the answer, or before the request."""
        self.theirs.sendall(b'{"ok":tr')
        self.theirs.shutdown(socket.SHUT_WR)
        error = self.assertRaises(NoDaemon, self.daemon.ask, c.GetStatistics())
        self.assertIn("closed the connection", str(error))
        self.theirs.close()
        error = self.assertRaises(NoDaemon, self.daemon.ask, c.GetStatistics())
        self.assertIn("/path failed", str(error))

    def test_a_listing_is_read_page_by_page(self) -> None:
        """Each page begins after the last item of the one before."""
        self.answer(
            {"ok": True, "items": [{"seq": 1}, {"seq": 2}], "more": True, "last": 2},
            {"ok": True, "items": [], "more": False, "last": 2},
        )
        self.assertEqual(list(self.daemon.items(c.ListReports(limit=2))), [{"seq": 1}, {"seq": 2}])
        self.assertEqual(self.requests(), [c.ListReports(0, limit=2), c.ListReports(2, limit=2)])
