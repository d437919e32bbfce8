"""A bystander of clients that send anything: what it is sent arrives in the same turn, once and in
order, and its requests are answered, whatever the others do."""

from __future__ import annotations

from typing import Any, ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import classic
from chatd.codecs import v1_messages as c
from chatd.codecs.v1 import encode
from tests.codecs.test_v1_any_input import structs
from tests.doubles.text_clients import TextClient
from tests.doubles.v1_clients import MainPortServer

_NAMES = st.sampled_from(["eve", "mallory", "bystander", "friend", "", "x" * 70])
_ROOMS = st.sampled_from(["#lobby", "#r", "#R", "#", "r"])
_TEXTS = st.sampled_from(["hello", "|", "|||", "\n", "\0", "\u202e", "x" * 3000]) | st.text(
    max_size=20
)
_LATEST = 2
"""turns of the reactor within which the bystander has its answer"""


class Strangers(RuleBasedStateMachine):
    """Two connections of one protocol to the main port, and the bystander with a friend."""

    commands: ClassVar[st.SearchStrategy[bytes]]

    def __init__(self) -> None:
        super().__init__()
        self.server = MainPortServer(unauthenticated=20)
        self.bystander = self.server.log_in("bystander", rooms=("#lobby",), password="secret")
        self.friend = self.server.log_in("friend", password="secret")
        self.strangers: list[TextClient] = []
        self.sent = 0
        self.last = 0

    @initialize()
    def connect(self) -> None:
        self.strangers = [TextClient(self.server), TextClient(self.server)]

    def stranger(self, which: int) -> TextClient:
        """A connection; another one, if the former is closed."""
        stranger = self.strangers[which]
        transport: Any = stranger.transport
        if transport.disconnecting or transport.disconnected:
            if not transport.disconnected:
                stranger.disconnect()
            stranger = self.strangers[which] = TextClient(self.server)
        return stranger

    def write(self, which: int, data: bytes) -> None:
        stranger = self.stranger(which)
        if data and stranger.transport.producerState == "producing":
            stranger.send(data)

    @rule(which=st.integers(0, 1), data=st.data())
    def send_command(self, which: int, data: st.DataObject) -> None:
        self.write(which, data.draw(self.commands))

    @rule(which=st.integers(0, 1), data=st.data(), cut=st.integers(1, 40))
    def send_a_part(self, which: int, data: st.DataObject, cut: int) -> None:
        self.write(which, data.draw(self.commands)[:cut])

    @rule(which=st.integers(0, 1), data=st.data(), count=st.integers(2, 30))
    def flood(self, which: int, data: st.DataObject, count: int) -> None:
        self.write(which, data.draw(self.commands) * count)

    @rule(which=st.integers(0, 1), data=st.binary(min_size=1, max_size=60))
    def send_bytes(self, which: int, data: bytes) -> None:
        self.write(which, data)

    @rule(which=st.integers(0, 1))
    def read_nothing(self, which: int) -> None:
        self.stranger(which).transport.capacity = 0

    @rule(which=st.integers(0, 1))
    def read_everything(self, which: int) -> None:
        transport = self.stranger(which).transport
        transport.output = b""
        transport.drain()

    @rule(which=st.integers(0, 1))
    def disconnect(self, which: int) -> None:
        self.stranger(which).disconnect()

    @rule(which=st.integers(0, 1))
    def half_close(self, which: int) -> None:
        self.stranger(which).half_close()

    @rule(seconds=st.sampled_from([0.02, 0.2, 20.0]))
    def wait(self, seconds: float) -> None:
        self.server.clock.advance(seconds)

    @invariant()
    def bystander_is_served(self) -> None:
        self.sent += 1
        self.friend.send(c.Send(self.sent, "bystander", f"text {self.sent}"))
        self.bystander.send(c.Ping(self.sent))
        for _ in range(_LATEST):
            self.server.clock.advance(0)
        events = self.bystander.receive_events(c.Pushed, c.Pong)
        texts = [
            event.body
            for event in events
            if isinstance(event, c.Pushed) and event.sender == "friend"
        ]
        assert texts == [f"text {self.sent}"], texts
        for event in events:
            if isinstance(event, c.Pushed) and event.log == "@bystander":
                self.last += 1
                assert event.seq == self.last, (event, self.last)
        assert c.Pong(self.sent) in events, events

    def teardown(self) -> None:
        assert not self.server.runner.failures, self.server.runner.failures


def frames(command: int, *fields: st.SearchStrategy[str]) -> st.SearchStrategy[bytes]:
    """Classic frames."""
    return st.tuples(*fields).map(lambda values: classic.encode(command, *values))


def words(form: str, *fields: st.SearchStrategy[str]) -> st.SearchStrategy[bytes]:
    """Texts of a form."""
    return st.tuples(*fields).map(lambda values: form.format(*values).encode())


class ClassicStrangers(Strangers):
    """Strangers that speak the classic protocol."""

    commands = st.one_of(
        frames(classic.CREATE, _NAMES),
        frames(classic.LOGIN, _NAMES),
        frames(classic.LIST, st.sampled_from(["*", "e*", "", "[", "*" * 200])),
        frames(classic.SEND, _NAMES, _NAMES, _TEXTS),
        frames(classic.DELIVER),
        frames(classic.DELETE),
    )


class V1Strangers(Strangers):
    """Strangers that speak version 1."""

    commands = st.one_of(
        st.builds(c.Register, st.just(1), _NAMES).map(encode),
        st.builds(c.LogIn, st.just(2), _NAMES).map(encode),
        st.builds(c.Send, st.integers(0, 9), _NAMES | _ROOMS, _TEXTS).map(encode),
        st.builds(c.CreateRoom, st.integers(0, 9), _ROOMS).map(encode),
        st.builds(c.Join, st.integers(0, 9), _ROOMS).map(encode),
        *(structs(kind).map(encode) for kind in c.REQUESTS.values()),
    )


class Chat10Strangers(Strangers):
    """Strangers that speak CHAT/1.0."""

    commands = st.one_of(
        words("REGISTER {} CHAT/1.0\n", _NAMES),
        words("@{}: {}\n", _NAMES, _TEXTS),
        words("DISCONNECT {} CHAT/1.0\n", _NAMES),
        words("{}\n", _TEXTS),
    )


class OpsStrangers(Strangers):
    """Strangers that speak ops."""

    commands = st.one_of(
        words("{}|{}", st.sampled_from("012459"), _NAMES),
        words("2|{}", st.sampled_from(["*", "(a|b)+", "[", "a{{1000}}"])),
        words("3|{}|{}|{}", _NAMES, _NAMES, _TEXTS),
    )


class BystanderTests(SynchronousTestCase):
    """The bystander of each protocol's clients."""

    def check(self, strangers: type[Strangers]) -> None:
        run_state_machine_as_test(
            strangers,
            settings=settings(
                derandomize=True, deadline=None, max_examples=15, stateful_step_count=25
            ),
        )

    def test_classic(self) -> None:
        """Classic."""
        self.check(ClassicStrangers)

    def test_v1(self) -> None:
        """Version 1: every request."""
        self.check(V1Strangers)

    def test_chat10(self) -> None:
        """CHAT/1.0."""
        self.check(Chat10Strangers)

    def test_ops(self) -> None:
        """ops."""
        self.check(OpsStrangers)
