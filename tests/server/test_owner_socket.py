"""The unix socket that only its owner can open: its file, its permissions, and what it replaces."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import TestCase

from chatd.core.errors import SocketUnusable
from chatd.server.owner_socket import OwnerPort, check_socket_path
from tests.doubles.folders import folder


class OwnerSocket(TestCase):
    """A path in a folder of its own."""

    def setUp(self) -> None:
        self.folder = folder(self)
        self.file = Path(self.folder) / "admin"
        self.path = str(self.file)

    def port(self) -> Any:
        """A port that listens at the path."""
        port = OwnerPort(self.path, Factory.forProtocol(Protocol), reactor)
        port.startListening()
        return port

    async def test_only_the_owner_can_open_it(self) -> None:
        """The umask does not matter and is not changed; the file is removed at the end."""
        former = os.umask(0)
        try:
            port = self.port()
            self.assertEqual(os.umask(0), 0)
        finally:
            os.umask(former)
        mode = os.stat(self.path).st_mode
        self.assertTrue(stat.S_ISSOCK(mode))
        self.assertEqual(stat.S_IMODE(mode), 0o600)
        await port.stopListening()
        self.assertEqual(os.listdir(self.folder), [])

    async def test_it_is_never_open_to_others(self) -> None:
        """The file has its permissions from its first moment, before it can be connected to."""
        modes: list[int] = []
        chmod = os.chmod

        def recording_chmod(path: Any, mode: int) -> None:
            modes.append(stat.S_IMODE(os.stat(path).st_mode))
            chmod(path, mode)

        self.patch(os, "chmod", recording_chmod)
        port = self.port()
        self.assertEqual([mode & 0o077 for mode in modes], [0] * len(modes))
        await port.stopListening()

    async def test_only_the_socket_of_a_dead_daemon_is_replaced(self) -> None:
        """The socket of a live daemon is not, nor is a file of another kind."""
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(self.path)
            listening.listen()
            self.assertIn("in use", str(self.assertRaises(SocketUnusable, self.port)))
            self.assertIn(
                "in use", str(self.assertRaises(SocketUnusable, check_socket_path, self.path))
            )
        check_socket_path(self.path)
        port = self.port()
        refusal = self.assertRaises(SocketUnusable, self.port)
        self.assertIn(self.path, str(refusal))
        await port.stopListening()
        self.file.write_text("mine")
        self.assertIn("a file with this name", str(self.assertRaises(SocketUnusable, self.port)))
        self.assertEqual(self.file.read_text(), "mine")

    async def test_a_full_queue_of_connections_is_not_waited_for(self) -> None:
        """A live daemon that does not accept is a live daemon."""
        with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as waiting:
            listening.bind(self.path)
            listening.listen(0)
            waiting.connect(self.path)
            self.assertIn(
                "in use", str(self.assertRaises(SocketUnusable, check_socket_path, self.path))
            )

    async def test_a_file_put_in_its_place_is_not_removed(self) -> None:
        """A missing file is no error."""
        port = self.port()
        os.unlink(self.path)
        self.file.write_text("another")
        await port.stopListening()
        self.assertEqual(os.listdir(self.folder), ["admin"])
        os.unlink(self.path)
        port = self.port()
        os.unlink(self.path)
        await port.stopListening()

    def test_unusable_paths_are_refused_before_anything_is_done(self) -> None:
        """The sentence names the reason."""
        long = os.path.join(self.folder, "é" * 60)
        for path, words in (
            (long, f"has {len(os.fsencode(long))} bytes, the system allows"),
            (os.path.join(self.folder, "none", "admin"), "there is no folder"),
            (self.folder, "there is a file with this name"),
        ):
            self.assertIn(words, str(self.assertRaises(SocketUnusable, check_socket_path, path)))
        self.assertEqual(os.listdir(self.folder), [])
