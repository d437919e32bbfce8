"""The realm compared with a model: each message reaches its recipient once, in order."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.realm import RealmHarness, Recorder

NAMES = ("ann", "Bob", "cyd")


class Model:
    """One account: the texts it was sent since it was registered, and those it has received."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.received: list[str] = []
        self.at_login = 0

    def check(self, reader: Recorder | None, fetched: bool) -> None:
        """Compare what the present session's peer was sent, when everything has arrived."""
        if reader is None:
            return
        texts = reader.texts
        assert len(set(texts)) == len(texts), f"received twice in one session: {texts}"
        assert not set(texts) & set(self.received), f"received before: {texts} {self.received}"
        automatic = [text for text in texts if self.sent.index(text) >= self.at_login]
        assert automatic == self.sent[self.at_login :], (
            f"{automatic} of {self.sent[self.at_login :]}"
        )
        asked = [text for text in texts if self.sent.index(text) < self.at_login]
        due = [text for text in self.sent[: self.at_login] if text not in self.received]
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
    """Random logins, messages, fetches, deletions, slow peers, slow commits and crashes."""

    @settings(derandomize=True, deadline=None, max_examples=400)
    @given(steps, st.booleans())
    def test_every_message_exactly_once_in_order(
        self, script: list[tuple[str, int, int, int]], crash: bool
    ) -> None:
        """After any script, with a crash at its end or without, each message was received once."""
        harness = RealmHarness(page=2)
        models: dict[str, Model] = {}
        readers: dict[str, Recorder] = {}
        fetched: set[str] = set()
        number = 0

        def rest() -> None:
            """Let everything arrive, and compare."""
            harness.store.eager = True
            harness.settle()
            for name, reader in readers.items():
                reader.drain()
                harness.catch_up(name)
            harness.settle()
            for name in models:
                models[name].check(readers.get(name), name in fetched)

        for step, who, whom, count in script:
            name, other = NAMES[who], NAMES[whom]
            if step == "hold":
                harness.store.eager = False
            elif step == "release":
                harness.store.release()
            elif step == "login" and name not in readers:
                rest()
                if name not in models:
                    harness.register(name)
                    models[name] = Model()
                models[name].at_login = len(models[name].sent)
                readers[name] = harness.login(name)
                fetched.discard(name)
            elif step == "send" and name in readers and other in models:
                texts = [str(number + n) for n in range(count)]
                number += count
                models[other].sent += texts
                harness.send(name, other, *texts)
            elif step == "fetch" and name in readers:
                fetched.add(name)
                harness.fetch(name)
            elif step == "block" and name in readers and readers[name].writable:
                readers[name].capacity = count
            elif step == "drain" and name in readers:
                readers[name].drain()
                harness.catch_up(name)
            elif step == "end" and name in readers:
                rest()
                reader = readers.pop(name)
                reader.lost = min(count, len(reader.received))
                lost = [
                    entry.body for entry in reader.received[len(reader.received) - reader.lost :]
                ]
                harness.logout(name)
                models[name].received += [text for text in reader.texts if text not in lost]
            elif step == "delete" and name in readers:
                rest()
                harness.run(harness.realm.delete(harness.sessions.pop(name)))
                del readers[name], models[name]
        rest()
        for name, reader in readers.items():
            models[name].received += reader.texts
        if crash:
            harness = harness.restart()
        else:
            for name in list(readers):
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
    @given(steps, st.integers(0, 50))
    def test_a_crash_at_any_moment_loses_nothing_acknowledged(
        self, script: list[tuple[str, int, int, int]], moment: int
    ) -> None:
        """A message whose sender was answered has been sent to the recipient, or waits for it."""
        harness = RealmHarness(page=2)
        harness.register(*NAMES)
        readers: dict[str, Recorder] = {}
        former: list[Recorder] = []
        number = 0
        for step, who, whom, count in script[:moment]:
            name, other = NAMES[who], NAMES[whom]
            if step == "hold":
                harness.store.eager = False
            elif step == "release":
                harness.store.release()
            elif step == "login" and name not in readers:
                readers[name] = harness.login(name)
                former.append(readers[name])
            elif step == "send" and name in readers:
                harness.send(name, other, *[str(number + n) for n in range(count)])
                number += count
            elif step == "fetch" and name in readers:
                harness.sessions[name].fetch_mail()
                if harness.store.eager:
                    harness.catch_up(name)
            elif step == "block" and name in readers and readers[name].writable:
                readers[name].capacity = count
            elif step == "drain" and name in readers:
                readers[name].drain()
                if harness.store.eager:
                    harness.catch_up(name)
            elif step == "end" and name in readers:
                readers.pop(name)
                harness.logout(name)
        acknowledged = [append for reader in former for append in reader.answers]
        gone_out = {
            entry.body
            for reader in former
            for entry in reader.received[: len(reader.received) - reader.buffered]
        }
        harness = harness.restart()
        waiting: set[str] = set()
        for name in NAMES:
            reader = harness.login(name)
            harness.fetch(name)
            self.assertEqual(len(set(reader.texts)), len(reader.texts))
            waiting |= set(reader.texts)
        lost = [append.body for append in acknowledged if append.body not in gone_out | waiting]
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
