"""No request of one client holds the reactor for long, however many sessions it concerns.

The work of a stretch is counted in calls of functions and in writes (`tests.simulation.work`), so
that it is the same on every machine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import v1_messages as c
from chatd.codecs.v1 import encode
from tests.doubles.v1_clients import MainPortServer, V1Client
from tests.simulation.work import Work

MEMBERS = 1_200
"""as many that writing to all of them at a stretch takes longer than `LONGEST`"""
LONGEST = 0.01


class Stretches(SynchronousTestCase):
    """Ann and many others are members of #big; all of them watch Ann."""

    def setUp(self) -> None:
        self.server = MainPortServer(rate=None, address_sessions=None)
        self.work = Work()
        self.stretches: list[float] = []
        self.ann = self.server.log_in("ann")
        self.ann.request(c.CreateRoom(0, "#big"))
        names = [f"other{number}" for number in range(MEMBERS)]
        for name in names:
            # One after another: each would be notified of all that join later.
            self.ann.disconnect()
            self.server.log_in(name, rooms=("#big",)).disconnect()
        self.ann = self.log_in("ann")
        self.others = [self.log_in(name) for name in names]
        self.measure()

    def log_in(self, name: str) -> V1Client:
        """A client of an account that exists, which watches Ann."""
        client = self.server.connect()
        client.request(c.Hello(0, "test", "1", ["presence", "typing"]))
        client.request(c.LogIn(0, name))
        client.request(c.Who(0, ["ann"], True))
        return client

    def measure(self) -> None:
        """From now on, measure each call of the reactor, and what the store's answers lead to."""
        clock, store = self.server.clock, self.server.store
        call_later, commit = clock.callLater, store._commit

        def measured_call(delay: float, function: Callable[..., object], *args: Any) -> Any:
            return call_later(delay, self.stretch, function, *args)

        def commit_elsewhere(batch: Any) -> None:
            self.work.end()
            commit(batch)
            self.work.begin()

        self.patch(clock, "callLater", measured_call)
        self.patch(store, "_commit", commit_elsewhere)
        for client in [self.ann, *self.others]:
            self.patch(client.transport, "write", lambda data: self.work.transfer(len(data)))
        store.eager = False

    def stretch(self, function: Callable[..., object], *args: Any) -> None:
        """Call a function, and note how much work it was."""
        self.work.begin_turn()
        self.work.begin()
        function(*args)
        self.work.end()
        self.stretches.append(self.work.seconds)

    def check(self, *requests: c.Message) -> None:
        """Ann sends requests; none of the stretches until they are carried out is too long."""
        self.stretches.clear()
        self.stretch(self.ann.protocol.dataReceived, b"".join(map(encode, requests)))
        self.server.clock.advance(0)
        while self.server.store._open:
            self.stretch(self.server.store.release)
            self.server.clock.advance(0)
        self.assertLess(max(self.stretches), LONGEST)
        self.assertGreater(sum(self.stretches), LONGEST, "it is not much work")

    def test_work_for_many_sessions_is_done_in_parts(self) -> None:
        """A message to them, typing, presence, messages to each of them, and deletions."""
        self.check(c.Send(1, "#big", "x" * 100))
        self.check(c.SayTyping(0, "#big"))
        self.check(c.SetPresence(0, True, "back soon"))
        self.check(*[c.Send(n, f"other{n}", "x") for n in range(MEMBERS)])
        self.check(c.DeleteRoom(0, "#big"))
        self.check(c.DeleteAccount(0))
