"""The realm against a model: whatever several users do, every message arrives exactly once, in
order."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.realm import Reader, RealmHarness

NAMES = ("ann", "Bob", "cyd")


class Model:
    """What each account was sent, under the account's present life: texts in order, and who has had
    which."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.had: list[str] = []
        self.at_login = 0

    def check(self, subscription: Reader | None, fetched: bool) -> None:
        """All that this life's reader may and must have by now, with nothing on the way."""
        if subscription is None:
            return
        texts = subscription.texts
        assert len(set(texts)) == len(texts), f"twice in one session: {texts}"
        assert not set(texts) & set(self.had), f"had before: {texts} {self.had}"
        automatic = [text for text in texts if self.sent.index(text) >= self.at_login]
        assert automatic == self.sent[self.at_login :], (
            f"{automatic} of {self.sent[self.at_login :]}"
        )
        asked = [text for text in texts if self.sent.index(text) < self.at_login]
        due = [text for text in self.sent[: self.at_login] if text not in self.had]
        assert asked == (due if fetched else []), f"{asked} of {due}"


_STEPS = [
    "login",
    "login",
    "send",
    "send",
    "send",
    "send",
    "fetch",
    "end",
    "block",
    "drain",
    "delete",
]
_STEPS += ["hold", "release"]
steps = st.lists(
    st.tuples(st.sampled_from(_STEPS), st.integers(0, 2), st.integers(0, 2), st.integers(0, 5)),
    max_size=50,
)


class ExactlyOnce(SynchronousTestCase):
    """Random create, login, send, fetch, delete, disconnect, slow readers, slow commits,
    crashes."""

    @settings(derandomize=True, deadline=None, max_examples=400)
    @given(steps, st.booleans())
    def test_every_message_exactly_once_in_order(
        self, script: list[tuple[str, int, int, int]], crash: bool
    ) -> None:
        """After any script, and a crash at its end or none, everyone has had each message once."""
        harness = RealmHarness(page=2)
        models: dict[str, Model] = {}
        subscriptions: dict[str, Reader] = {}
        fetched: set[str] = set()
        number = 0

        def rest() -> None:
            """Let everything that is on the way arrive, and compare."""
            harness.store.eager = True
            harness.settle()
            for name, subscription in subscriptions.items():
                subscription.drain()
                harness.catch_up(name)
            harness.settle()
            for name in models:
                models[name].check(subscriptions.get(name), name in fetched)

        for step, who, whom, count in script:
            name, other = NAMES[who], NAMES[whom]
            if step == "hold":
                harness.store.eager = False
            elif step == "release":
                harness.store.release()
            elif step == "login" and name not in subscriptions:
                rest()
                if name not in models:
                    harness.register(name)
                    models[name] = Model()
                models[name].at_login = len(models[name].sent)
                subscriptions[name] = harness.login(name)
                fetched.discard(name)
            elif step == "send" and name in subscriptions and other in models:
                texts = [str(number + n) for n in range(count)]
                number += count
                models[other].sent += texts
                harness.send(name, other, *texts)
            elif step == "fetch" and name in subscriptions:
                fetched.add(name)
                harness.fetch(name)
            elif step == "block" and name in subscriptions and subscriptions[name].writable:
                subscriptions[name].room = count
            elif step == "drain" and name in subscriptions:
                subscriptions[name].drain()
                harness.catch_up(name)
            elif step == "end" and name in subscriptions:
                rest()
                subscription = subscriptions.pop(name)
                subscription.lost = min(count, len(subscription.received))
                lost = [
                    entry.body
                    for entry in subscription.received[
                        len(subscription.received) - subscription.lost :
                    ]
                ]
                harness.logout(name)
                models[name].had += [text for text in subscription.texts if text not in lost]
            elif step == "delete" and name in subscriptions:
                rest()
                harness.run(harness.realm.delete(harness.sessions.pop(name)))
                del subscriptions[name], models[name]
        rest()
        for name, subscription in subscriptions.items():
            models[name].had += subscription.texts
        if crash:
            harness = harness.restart()
        else:
            for name in list(subscriptions):
                harness.logout(name)
            harness.settle()
        for name, model in models.items():
            last = harness.login(name)
            harness.fetch(name)
            self.assertEqual(last.texts, [text for text in model.sent if text not in model.had])
        self.assertEqual(harness.runner.failures, [])

    @settings(derandomize=True, deadline=None, max_examples=300)
    @given(steps, st.integers(0, 50))
    def test_a_crash_at_any_moment_loses_nothing_acknowledged(
        self, script: list[tuple[str, int, int, int]], moment: int
    ) -> None:
        """Kill it anywhere: what a sender was told of is with the reader, or waiting for it."""
        harness = RealmHarness(page=2)
        harness.register(*NAMES)
        subscriptions: dict[str, Reader] = {}
        former: list[Reader] = []
        number = 0
        for step, who, whom, count in script[:moment]:
            name, other = NAMES[who], NAMES[whom]
            if step == "hold":
                harness.store.eager = False
            elif step == "release":
                harness.store.release()
            elif step == "login" and name not in subscriptions:
                subscriptions[name] = harness.login(name)
                former.append(subscriptions[name])
            elif step == "send" and name in subscriptions:
                harness.send(name, other, *[str(number + n) for n in range(count)])
                number += count
            elif step == "fetch" and name in subscriptions:
                harness.sessions[name].fetch_mail()
                if harness.store.eager:
                    harness.catch_up(name)
            elif step == "block" and name in subscriptions and subscriptions[name].writable:
                subscriptions[name].room = count
            elif step == "drain" and name in subscriptions:
                subscriptions[name].drain()
                if harness.store.eager:
                    harness.catch_up(name)
            elif step == "end" and name in subscriptions:
                subscriptions.pop(name)
                harness.logout(name)
        acknowledged = [append for subscription in former for append in subscription.answers]
        gone_out = {
            entry.body
            for subscription in former
            for entry in subscription.received[: len(subscription.received) - subscription.buffered]
        }
        harness = harness.restart()
        waiting: set[str] = set()
        for name in NAMES:
            subscription = harness.login(name)
            harness.fetch(name)
            self.assertEqual(len(set(subscription.texts)), len(subscription.texts))
            waiting |= set(subscription.texts)
        lost = [append.body for append in acknowledged if append.body not in gone_out | waiting]
        self.assertEqual(lost, [])

    def test_answers_come_once_each_in_order(self) -> None:
        """A sender is told of each of its messages, in the order in which it sent them."""
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
