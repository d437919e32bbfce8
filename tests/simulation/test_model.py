"""What the model must not hold against the daemon."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import v1_messages as c
from tests.simulation.grpc_device import GrpcDevice
from tests.simulation.model import Message, Model
from tests.simulation.notices import Notices
from tests.simulation.unframed import Chat10Device


class Refusals(SynchronousTestCase):
    """A refused message is stored nevertheless only if the daemon ends on a disk that fails."""

    def setUp(self) -> None:
        self.model = Model(("ann", "bob"), ("#lobby",))

    def refused(self, token: str) -> Message:
        """A message that is refused now."""
        message = self.model.send(token, token, "ann", "@bob", None)
        self.model.refuse(message)
        return message

    def test_refused_before_the_disk_failed(self) -> None:
        """What was refused then, or before a pause in which the disk worked, stays refused."""
        first = self.refused("m1")
        self.model.store_fails(True)
        second = self.refused("m2")
        self.model.store_fails(False)
        self.model.now()
        self.model.store_fails(True)
        third = self.refused("m3")
        # It fails in another way, without a pause.
        self.model.store_fails(True)
        fourth = self.refused("m4")
        self.model.doubt_refusals()
        refused = [message.refused for message in (first, second, third, fourth)]
        self.assertEqual(refused, [True, True, False, False])


class Watching(SynchronousTestCase):
    """An account is watched until `Unwatch`, unless a later request watches it again."""

    def setUp(self) -> None:
        self.model = Model(("ann", "bob"), ("#lobby",))
        self.answers: list[Any] = []
        device: Any = SimpleNamespace(
            model=self.model,
            features=["presence"],
            answered_sent=0,
            reader=None,
            ask=self.ask,
            world=SimpleNamespace(listings=SimpleNamespace(people=lambda answer, sent: None)),
        )
        self.notices = Notices(device)

    def ask(self, message: Any, then: Any) -> None:
        """A request, whose answer comes later."""
        self.model.now()
        self.answers.append(then)

    def violations_of_notice(self) -> int:
        """How many violations there are after a notice of bob's presence."""
        self.notices.presence(c.Person("bob", "on"))
        return len(self.model.violations)

    def test_unwatched(self) -> None:
        """A notice after the answer is one too many."""
        self.notices.watch(["bob"])
        self.notices.unwatch(["bob"])
        self.assertEqual(self.violations_of_notice(), 0)
        self.answers[1](None)
        self.assertEqual(self.violations_of_notice(), 1)

    def test_watched_again(self) -> None:
        """The answer to `Unwatch` arrives after the next request was sent."""
        self.notices.unwatch(["bob"])
        self.notices.watch(["bob"])
        self.answers[0](None)
        self.assertEqual(self.violations_of_notice(), 0)


class ReadingFrom(SynchronousTestCase):
    """What is read counts as saved only while it is read from something that lasts."""

    def setUp(self) -> None:
        self.model = Model(("ann", "bob"), ("#lobby",))
        self.world: Any = SimpleNamespace(model=self.model, ended_starts=set())

    def test_stream_of_a_daemon_that_has_ended(self) -> None:
        """The client still has it, and reads nothing from it."""
        device: Any = GrpcDevice(self.world, 0, "ann")
        device._stream = stream = SimpleNamespace(start=1)
        self.assertIs(device.reading_from, stream)
        self.world.ended_starts.add(1)
        self.assertIsNone(device.reading_from)

    def test_session_of_chat10_that_may_have_ended(self) -> None:
        """Its connection may stay open for a moment."""
        device: Any = Chat10Device(self.world, 0, "bob")
        device.link = link = SimpleNamespace(is_well=True)
        self.assertIs(device.reading_from, link)
        self.model.end_sessions("bob")
        self.assertIsNone(device.reading_from)
