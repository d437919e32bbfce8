"""Sessions of clients that cannot acknowledge, compared with a model: nothing is lost, and only
what arrived just before a kill is shown twice."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple, TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.realm.positions import VERY_SOON
from tests.doubles.drawn import scripts_of
from tests.doubles.realm import AutoAckRecorder, RealmHarness

NAMES = ("ann", "Bob", "cyd")


class Model:
    """One account: the texts it was sent since it was registered, those whose arrival has been
    acknowledged, and those of them that are certainly saved."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.received: list[str] = []
        self.saved: set[str] = set()
        self.at_login = 0
        self.waiting: list[str] = []

    def log_in(self) -> None:
        """Note what waits when a session begins."""
        self.at_login = len(self.sent)
        self.waiting = [text for text in self.sent if text not in self.received]

    def check(self, recorder: AutoAckRecorder, fetched: bool) -> None:
        """Compare what the present session's peer was sent, when everything has been written."""
        texts = recorder.texts
        assert len(set(texts)) == len(texts), f"shown twice in one session: {texts}"
        pushed = [text for text in texts if self.sent.index(text) >= self.at_login]
        assert pushed == self.sent[self.at_login :], f"{pushed} of {self.sent[self.at_login :]}"
        shown = [text for text in texts if self.sent.index(text) < self.at_login]
        assert shown == (self.waiting if fetched else []), f"{shown} of {self.waiting}"


_WEIGHTS = {
    "login": 2,
    "send": 4,
    "fetch": 1,
    "arrive": 2,
    "end": 1,
    "block": 1,
    "drain": 1,
    "delete": 1,
    "hold": 1,
    "release": 1,
    "save": 1,
    "kill": 1,
}


class Action(NamedTuple):
    """What an account does in one step of a script; each action uses the fields that it needs."""

    action: str
    name: str
    recipient: str


ACTIONS = [
    Action(*fields)
    for fields in product(
        [action for action, weight in _WEIGHTS.items() for _ in range(weight)], NAMES, NAMES
    )
]
Step: TypeAlias = tuple[Action, int]
scripts = scripts_of(ACTIONS, range(6), min_size=15, max_size=50)


class Comparison:
    """The realm and the model, which perform the same steps."""

    def __init__(self) -> None:
        self.harness = RealmHarness(page=2)
        self.models: dict[str, Model] = {}
        self.recorders: dict[str, AutoAckRecorder] = {}
        self.fetched: set[str] = set()
        self.logged_in: dict[str, set[str]] = {}
        self.sent = 0

    def compare(self) -> None:
        """Let everything be committed and written, and compare."""
        self.harness.store.eager = True
        self.harness.settle()
        for name, recorder in self.recorders.items():
            recorder.drain()
            self.harness.catch_up(name)
        self.harness.settle()
        for name, recorder in self.recorders.items():
            self.models[name].check(recorder, name in self.fetched)

    def login(self, name: str) -> None:
        """Register an account unless there is one, and log in unless it is."""
        if name in self.recorders:
            return
        self.compare()
        if name not in self.models:
            self.harness.register(name)
            self.models[name] = Model()
        self.models[name].log_in()
        self.recorders[name] = self.harness.login(name)
        self.fetched.discard(name)

    def send(self, name: str, other: str, count: int) -> None:
        """Send some texts."""
        if name in self.recorders and other in self.models:
            texts = [str(self.sent + number) for number in range(count)]
            self.sent += count
            self.models[other].sent += texts
            self.harness.send(name, other, *texts)

    def fetch(self, name: str) -> None:
        """Fetch the waiting mail."""
        if name in self.recorders:
            # What has been committed and not pushed to a session is part of what is fetched.
            self.compare()
            self.fetched.add(name)
            self.harness.fetch(name)

    def arrive(self, name: str, lost: int) -> None:
        """Have all but the last `lost` entries of a session arrive."""
        recorder = self.recorders.get(name)
        if recorder is None:
            return
        self.compare()
        outstanding = recorder._outstanding
        recorder.lost = min(lost, len(outstanding))
        count = len(outstanding) - recorder.lost
        shown = recorder.texts
        arrived = shown[len(shown) - len(outstanding) :][:count]
        recorder.arrive()
        self.models[name].received += arrived

    def end(self, name: str, lost: int) -> None:
        """End a session, after which the last `lost` entries have not arrived."""
        if name in self.recorders:
            self.arrive(name, lost)
            self.recorders.pop(name)
            self.harness.logout(name)

    def delete(self, name: str) -> None:
        """Delete an account."""
        if name in self.recorders:
            self.compare()
            self.harness.run(self.harness.realm.delete(self.harness.sessions.pop(name)))
            del self.recorders[name], self.models[name]

    def save(self) -> None:
        """Let so much time pass that all acknowledgements are saved."""
        self.compare()
        self.harness.runner.clock.advance(VERY_SOON)
        self.harness.settle()
        for model in self.models.values():
            model.saved.update(model.received)

    def kill(self) -> None:
        """Kill the daemon and start another one. Each account fetches its mail: all that has not
        arrived, and of what has arrived nothing that was saved."""
        self.compare()
        assert not self.harness.runner.failures, self.harness.runner.failures
        self.recorders.clear()
        self.harness = self.harness.restart()
        for name, model in self.models.items():
            recorder = self.recorders[name] = self.harness.login(name)
            self.harness.fetch(name)
            texts = recorder.texts
            again = set(texts) & set(model.received)
            assert texts == [
                text for text in model.sent if text in again or text not in model.received
            ], (texts, model.sent, model.received)
            assert not again & model.saved, (again, model.saved)
            model.received = [text for text in model.received if text not in again]
            model.log_in()
            self.fetched.add(name)

    def perform(self, step: Step) -> None:
        """Perform one step of a script."""
        (action, name, other), count = step
        recorder = self.recorders.get(name)
        match action:
            case "hold":
                self.harness.store.eager = False
            case "release":
                self.harness.store.release()
            case "login":
                self.login(name)
            case "send":
                self.send(name, other, count)
            case "fetch":
                self.fetch(name)
            case "arrive":
                self.arrive(name, count)
            case "block" if recorder is not None and recorder.writable:
                recorder.capacity = count
            case "drain" if recorder is not None:
                recorder.drain()
                self.harness.catch_up(name)
            case "end":
                self.end(name, count)
            case "delete":
                self.delete(name)
            case "save":
                self.save()
            case "kill":
                self.kill()


class AtLeastOnce(SynchronousTestCase):
    """Random logins, messages, fetches, arrivals, deletions, slow peers, slow commits and kills."""

    @settings(derandomize=True, deadline=None, max_examples=400)
    @given(scripts)
    def test_every_message_in_order_and_again_only_after_a_kill(self, script: list[Step]) -> None:
        """Without a kill each message that arrives is shown once; after one, again what had not
        been saved."""
        comparison = Comparison()
        for step in script:
            comparison.perform(step)
        comparison.kill()

    @settings(derandomize=True, deadline=None, max_examples=200)
    @given(scripts)
    def test_every_message_exactly_once_while_the_daemon_runs(self, script: list[Step]) -> None:
        """Also if the realm stops in order and another one starts."""
        comparison = Comparison()
        for step in script:
            if step[0].action != "kill":
                comparison.perform(step)
        for name in list(comparison.recorders):
            comparison.end(name, 1)
        comparison.harness.run(comparison.harness.realm.stop())
        for model in comparison.models.values():
            model.saved.update(model.received)
        comparison.kill()

    @settings(derandomize=True, deadline=None, max_examples=300)
    @given(scripts, st.integers(0, 50))
    def test_a_crash_at_any_moment_loses_nothing_acknowledged(
        self, script: list[Step], moment: int
    ) -> None:
        """A message whose sender was answered has arrived at the recipient, or waits for it."""
        harness = RealmHarness(page=2)
        harness.register(*NAMES)
        recorders: dict[str, AutoAckRecorder] = {}
        former: list[AutoAckRecorder] = []
        number = 0
        arrived: set[str] = set()
        for (action, name, other), count in script[:moment]:
            recorder = recorders.get(name)
            if action == "hold":
                harness.store.eager = False
            elif action == "release":
                harness.store.release()
            elif action == "login" and recorder is None:
                recorders[name] = harness.login(name)
                former.append(recorders[name])
            elif action == "send" and recorder is not None:
                harness.send(name, other, *[str(number + n) for n in range(count)])
                number += count
            elif action == "fetch" and recorder is not None:
                harness.sessions[name].fetch_mail()
                if harness.store.eager:
                    harness.catch_up(name)
            elif action == "block" and recorder is not None and recorder.writable:
                recorder.capacity = count
            elif action == "drain" and recorder is not None:
                recorder.drain()
                if harness.store.eager:
                    harness.catch_up(name)
            elif action in ("arrive", "end") and recorder is not None:
                recorder.lost = min(count, len(recorder._outstanding))
                missing = max(recorder.lost, recorder.buffered)
                arrived.update(recorder.texts[: len(recorder.texts) - missing])
                recorder.arrive()
                if action == "end":
                    del recorders[name]
                    harness.logout(name)
            elif action == "save":
                harness.runner.clock.advance(VERY_SOON)
        answered = [append.body for recorder in former for append in recorder.answers]
        harness = harness.restart()
        waiting: set[str] = set()
        for name in NAMES:
            recorder = harness.login(name)
            harness.fetch(name)
            self.assertEqual(len(set(recorder.texts)), len(recorder.texts))
            waiting |= set(recorder.texts)
        self.assertEqual([text for text in answered if text not in arrived | waiting], [])

    def test_answers_come_once_each_in_order(self) -> None:
        """A sender is answered once for each message, in the order in which it sent them."""
        harness = RealmHarness()
        harness.register(*NAMES)
        ann, bob = harness.login("ann"), harness.login("Bob")
        harness.store.eager = False
        harness.send("ann", "Bob", "1", "2")
        harness.send("Bob", "ann", "3")
        harness.send("ann", "cyd", "4")
        self.assertEqual((ann.answers, bob.received), ([], []))
        harness.settle()
        self.assertEqual([append.body for append in ann.answers], ["1", "2", "4"])
        self.assertEqual(bob.texts, ["1", "2"])
