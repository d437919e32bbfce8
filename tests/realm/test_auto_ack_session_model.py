"""Sessions of peers that cannot acknowledge, compared with a model: nothing is lost or repeated."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple, TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.realm import AutoAckRecorder, RealmHarness

NAMES = ("ann", "Bob", "cyd")


class Model:
    """One account: the texts it was sent since it was registered, and those it has received."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.received: list[str] = []
        self.at_login = 0

    def check(self, recorder: AutoAckRecorder | None, fetched: bool) -> None:
        """Compare what the present session's peer was sent, when everything has arrived."""
        if recorder is None:
            return
        texts = recorder.texts
        assert len(set(texts)) == len(texts), f"received twice in one session: {texts}"
        assert not set(texts) & set(self.received), f"received before: {texts} {self.received}"
        pushed = [text for text in texts if self.sent.index(text) >= self.at_login]
        assert pushed == self.sent[self.at_login :], f"{pushed} of {self.sent[self.at_login :]}"
        waiting = [text for text in self.sent[: self.at_login] if text not in self.received]
        shown = [text for text in texts if self.sent.index(text) < self.at_login]
        assert shown == (waiting if fetched else []), f"{shown} of {waiting}"


_WEIGHTS = {
    "login": 2,
    "send": 4,
    "fetch": 1,
    "end": 1,
    "block": 1,
    "drain": 1,
    "delete": 1,
    "hold": 1,
    "release": 1,
}


class Action(NamedTuple):
    """What an account does in one step of a script; each action uses the fields that it needs."""

    action: str
    name: str
    recipient: str


# Two draws for each step: drawing each field by itself takes far longer than the steps.
ACTIONS = [
    Action(*fields)
    for fields in product(
        [action for action, weight in _WEIGHTS.items() for _ in range(weight)], NAMES, NAMES
    )
]
Step: TypeAlias = tuple[Action, int]
scripts = st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 5)), max_size=50)


class ExactlyOnce(SynchronousTestCase):
    """Random logins, messages, fetches, deletions, slow peers, slow commits and crashes."""

    @settings(derandomize=True, deadline=None, max_examples=400)
    @given(scripts, st.booleans())
    def test_every_message_exactly_once_in_order(self, script: list[Step], crash: bool) -> None:
        """After any script, with a crash at its end or without, each message was received once."""
        harness = RealmHarness(page=2)
        models: dict[str, Model] = {}
        recorders: dict[str, AutoAckRecorder] = {}
        fetched: set[str] = set()
        number = 0

        def compare() -> None:
            """Let everything arrive, and compare."""
            harness.store.eager = True
            harness.settle()
            for name, recorder in recorders.items():
                recorder.drain()
                harness.catch_up(name)
            harness.settle()
            for name in models:
                models[name].check(recorders.get(name), name in fetched)

        for (action, name, other), count in script:
            if action == "hold":
                harness.store.eager = False
            elif action == "release":
                harness.store.release()
            elif action == "login" and name not in recorders:
                compare()
                if name not in models:
                    harness.register(name)
                    models[name] = Model()
                models[name].at_login = len(models[name].sent)
                recorders[name] = harness.login(name)
                fetched.discard(name)
            elif action == "send" and name in recorders and other in models:
                texts = [str(number + n) for n in range(count)]
                number += count
                models[other].sent += texts
                harness.send(name, other, *texts)
            elif action == "fetch" and name in recorders:
                fetched.add(name)
                harness.fetch(name)
            elif action == "block" and name in recorders and recorders[name].writable:
                recorders[name].capacity = count
            elif action == "drain" and name in recorders:
                recorders[name].drain()
                harness.catch_up(name)
            elif action == "end" and name in recorders:
                compare()
                recorder = recorders.pop(name)
                recorder.lost = min(count, len(recorder.received))
                lost = [
                    entry.body
                    for entry in recorder.received[len(recorder.received) - recorder.lost :]
                ]
                harness.logout(name)
                models[name].received += [text for text in recorder.texts if text not in lost]
            elif action == "delete" and name in recorders:
                compare()
                harness.run(harness.realm.delete(harness.sessions.pop(name)))
                del recorders[name], models[name]
        compare()
        for name, recorder in recorders.items():
            models[name].received += recorder.texts
        if crash:
            harness = harness.restart()
        else:
            for name in list(recorders):
                harness.logout(name)
            harness.settle()
        for name, model in models.items():
            last = harness.login(name)
            harness.fetch(name)
            self.assertEqual(
                last.texts, [text for text in model.sent if text not in model.received]
            )
        self.assertEqual(harness.runner.failures, [])

    @settings(derandomize=True, deadline=None, max_examples=300)
    @given(scripts, st.integers(0, 50))
    def test_a_crash_at_any_moment_loses_nothing_acknowledged(
        self, script: list[Step], moment: int
    ) -> None:
        """A message whose sender was answered has been sent to the recipient, or waits for it."""
        harness = RealmHarness(page=2)
        harness.register(*NAMES)
        recorders: dict[str, AutoAckRecorder] = {}
        former: list[AutoAckRecorder] = []
        number = 0
        for (action, name, other), count in script[:moment]:
            if action == "hold":
                harness.store.eager = False
            elif action == "release":
                harness.store.release()
            elif action == "login" and name not in recorders:
                recorders[name] = harness.login(name)
                former.append(recorders[name])
            elif action == "send" and name in recorders:
                harness.send(name, other, *[str(number + n) for n in range(count)])
                number += count
            elif action == "fetch" and name in recorders:
                harness.sessions[name].fetch_mail()
                if harness.store.eager:
                    harness.catch_up(name)
            elif action == "block" and name in recorders and recorders[name].writable:
                recorders[name].capacity = count
            elif action == "drain" and name in recorders:
                recorders[name].drain()
                if harness.store.eager:
                    harness.catch_up(name)
            elif action == "end" and name in recorders:
                recorders.pop(name)
                harness.logout(name)
        acknowledged = [append for recorder in former for append in recorder.answers]
        arrived = {
            entry.body
            for recorder in former
            for entry in recorder.received[: len(recorder.received) - recorder.buffered]
        }
        harness = harness.restart()
        waiting: set[str] = set()
        for name in NAMES:
            recorder = harness.login(name)
            harness.fetch(name)
            self.assertEqual(len(set(recorder.texts)), len(recorder.texts))
            waiting |= set(recorder.texts)
        lost = [append.body for append in acknowledged if append.body not in arrived | waiting]
        self.assertEqual(lost, [])

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
