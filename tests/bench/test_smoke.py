"""The benchmark runs: short measurements of the relay and of the daemon."""

from __future__ import annotations

import os
import time

from twisted.trial.unittest import SynchronousTestCase

from bench.__main__ import line
from bench.chat10_driver import room as chat10_room
from bench.chat10_driver import text_size
from bench.classic_driver import drive
from bench.fill_store import fill, fill_sessions
from bench.harness import Row
from bench.load import Load
from bench.reconnect_driver import ReconnectLoad, reconnect
from bench.server_process import (
    broadcast as broadcast_command,
)
from bench.server_process import (
    chatd,
    cpu_seconds,
    memory_bytes,
    relay,
    running,
)
from bench.v1_driver import ResumeLoad, RoomLoad, broadcast, pairs, pushed_size, resume, room
from chatd.stores.sqlite.file import check
from tests.doubles.folders import folder


class Smoke(SynchronousTestCase):
    """Everything that a complete run uses, for some tenths of a second each."""

    def test_pairs_on_the_bare_relay(self) -> None:
        """Messages arrive, and the process is measured."""
        with running(relay(), folder(self)) as server:
            result = drive(Load(server.port, server.pid, 2, 4, 0.2, False, "x", warm_up=0.1))
            self.assertTrue(cpu_seconds(server.pid) > 0)
            self.assertTrue(memory_bytes(server.pid) > 1_000_000)
        self.assertTrue(result.messages > 0)
        self.assertIsNotNone(server.process.poll())

    def test_classic_pairs_on_a_filled_store(self) -> None:
        """The daemon accepts a store that `fill` made."""
        path = os.path.join(folder(self), "chatd.db")
        fill(path, 50, 20_000)
        check(path)
        with running(chatd(f"sqlite:{path}"), folder(self)) as server:
            result = drive(Load(server.port, server.pid, 2, 4, 0.2, True, "x", idle=5, warm_up=0.1))
        self.assertTrue(result.messages > 0)

    def test_version_1_pairs_room_and_resume(self) -> None:
        """And the bare broadcast beside the room."""
        with running(chatd("memory"), folder(self)) as server:
            result = pairs(Load(server.port, server.pid, 2, 4, 0.2, True, "x", warm_up=0.1))
            self.assertTrue(result.messages > 0)
            result = room(RoomLoad(server.port, server.pid, 5, 2, 0.2, warm_up=0.1))
            self.assertTrue(result.messages > 0)
            load = RoomLoad(server.port, server.pid, 5, 2, 0.2, text_size(), warm_up=0.1)
            self.assertTrue(chat10_room(load).messages > 0)
            self.assertEqual(resume(ResumeLoad(server.port, server.pid, 700)).messages, 700)
        with running(broadcast_command(pushed_size()), folder(self)) as server:
            load = RoomLoad(server.port, server.pid, 5, 2, 0.2, pushed_size(), warm_up=0.1)
            self.assertTrue(broadcast(load).messages > 0)

    def test_sessions_reconnect_to_a_store_that_has_their_tokens(self) -> None:
        """All are back, with their entries."""
        path = os.path.join(folder(self), "chatd.db")
        fill_sessions(path, 20, 6, "no hash is checked", int(time.time() * 1000))
        with running(chatd(f"sqlite:{path}"), folder(self)) as server:
            result = reconnect(ReconnectLoad(server.port, server.pid, 20, 6))
        self.assertEqual(result.messages, 60)

    def test_row_shows_whether_its_target_was_reached(self) -> None:
        """`ok` or `over`."""
        self.assertIn("ok", line(Row("something", 1.0, "ms", 2.0)))
        self.assertIn("over", line(Row("something", 3.0, "ms", 2.0)))
