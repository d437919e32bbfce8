"""The benchmark still runs: a tiny drive of the relay and of the daemon, without looking at the
figures."""

from __future__ import annotations

import os
import sys

from twisted.trial.unittest import SynchronousTestCase

from bench.__main__ import line
from bench.driver import Load, drive
from bench.effort import Row
from bench.fill import fill
from bench.process import chatd, cpu_seconds, memory_bytes, relay, running
from bench.wire import Crowd, Return, broadcast, pairs, pushed_size, resume, room
from chatd.stores.sqlite.file import check
from tests.doubles.folders import folder


class Smoke(SynchronousTestCase):
    """Everything that a full run uses, in a second or two."""

    def test_relay(self) -> None:
        """Messages go from end to end."""
        with running(relay(), folder(self)) as server:
            result = drive(Load(server.port, server.pid, 2, 4, 0.2, False, "x", warm_up=0.1))
            self.assertTrue(cpu_seconds(server.pid) > 0)
            self.assertTrue(memory_bytes(server.pid) > 1_000_000)
        self.assertTrue(result.messages > 0)
        self.assertIsNotNone(server.process.poll())

    def test_daemon_on_a_filled_store(self) -> None:
        """A store made by `fill` is one, and the daemon serves from it."""
        path = os.path.join(folder(self), "chatd.db")
        fill(path, 50, 20_000)
        check(path)
        with running(chatd(f"sqlite:{path}"), folder(self)) as server:
            result = drive(Load(server.port, server.pid, 2, 4, 0.2, True, "x", idle=5, warm_up=0.1))
        self.assertTrue(result.messages > 0)

    def test_version_1(self) -> None:
        """Pairs, a room and its bare counterpart, and a reader who comes back."""
        with running(chatd("memory"), folder(self)) as server:
            result = pairs(Load(server.port, server.pid, 2, 4, 0.2, True, "x", warm_up=0.1))
            self.assertTrue(result.messages > 0)
            result = room(Crowd(server.port, server.pid, 5, 2, 0.2, warm_up=0.1))
            self.assertTrue(result.messages > 0)
            self.assertEqual(resume(Return(server.port, server.pid, 700)).messages, 700)
        bare = [sys.executable, "-m", "bench.broadcast", str(pushed_size())]
        with running(bare, folder(self)) as server:
            crowd = Crowd(server.port, server.pid, 5, 2, 0.2, pushed_size(), warm_up=0.1)
            self.assertTrue(broadcast(crowd).messages > 0)

    def test_report(self) -> None:
        """A row says whether its target was reached."""
        self.assertIn("ok", line(Row("something", 1.0, "ms", 2.0)))
        self.assertIn("over", line(Row("something", 3.0, "ms", 2.0)))
