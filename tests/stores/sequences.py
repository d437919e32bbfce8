"""Any sequence of calls on logs, against a model of them: for each back end."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.core.errors import KeyReused
from chatd.stores import Append
from tests.stores.contract import said

Script = list[tuple[int, str, int]]
"""which log, what is done to it, and a number that says more"""

_APPENDS = ["append", "keyed", "keyed", "keyed", "keyed"]
_OTHERS = ["read", "head", "trim", "drop", "wait", "chore", "chore", "chore", "restart"]

any_script = given(
    st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from(_APPENDS + _OTHERS), st.integers(0, 15)),
        min_size=20,
        max_size=80,
    )
)
bounded = settings(derandomize=True, deadline=None, max_examples=60)
LOGS = [f"@log{number}" for number in range(3)]


class _Model:
    """What a log is meant to be."""

    def __init__(self) -> None:
        self.trimmed = 0
        self.bodies: list[str] = []
        self.keys: dict[tuple[str, str], int] = {}

    def append(self, append: Append) -> tuple[int, bool, bool]:
        """(seq, resent, refused)."""
        if append.key is not None:
            found = self.keys.get((append.sender, append.key), 0)
            if found > self.trimmed:
                same = self.bodies[found - 1] == append.body
                return (found, True, False) if same else (0, False, True)
            self.keys[append.sender, append.key] = len(self.bodies) + 1
        self.bodies.append(append.body)
        return len(self.bodies), False, False

    def after(self, seq: int) -> list[tuple[int, str]]:
        """What can be read after `seq`."""
        return [(n, body) for n, body in enumerate(self.bodies, 1) if n > max(seq, self.trimmed)]


class SequenceContract(SynchronousTestCase):
    """Subclasses say how to open a store and to wait for it."""

    def open(self) -> Any:
        """A new store."""
        raise NotImplementedError

    def wait_for(self, answer: Deferred[Any]) -> Any:
        """The result of what will be answered."""
        raise NotImplementedError

    def restart(self, store: Any) -> Any:
        """What a store is after a restart; all it was asked is answered."""
        return store

    def chore(self, store: Any) -> None:
        """Let the store do what it does when nobody asks for anything."""

    def close(self, store: Any) -> None:
        """Done with it."""
        raise NotImplementedError

    def play(self, script: Script) -> None:
        """Nothing is awaited unless the script says so; every answer is what the model says."""
        store = self.open()
        models = {log: _Model() for log in LOGS}
        heard: list[Append] = []
        expected: list[tuple[str, tuple[int, bool, bool]]] = []
        answers: list[tuple[Deferred[Any], Any]] = []

        def settle() -> None:
            for answer, right in answers:
                self.assertEqual(self.wait_for(answer), right)
            answers.clear()
            self.wait_for(store.head("@nobody"))

        def read(log: str, after: int, limit: int) -> None:
            found = store.read(log, after, limit)
            found.addCallback(lambda page: [(entry.seq, entry.body) for entry in page])
            answers.append((found, models[log].after(after)[:limit]))

        store.committed = heard.extend
        for number, step, value in script:
            log = LOGS[number]
            model = models[log]
            if step in _APPENDS:
                key = f"k{value // 4}" if step == "keyed" else None
                append = said(log, "y" if value == 15 else "x", key, ("ann", "bob")[value % 2])
                expected.append((log, model.append(append)))
                store.append([append])
            elif step == "read":
                read(log, value, 5)
            elif step == "head":
                answers.append((store.head(log), len(model.bodies)))
            elif step == "trim":
                model.trimmed = max(model.trimmed, min(value, len(model.bodies)))
                answers.append((store.trim(log, value), None))
            elif step == "drop":
                models[log] = _Model()
                answers.append((store.drop(log), None))
            else:
                settle()
                if step == "chore":
                    self.chore(store)
                elif step == "restart":
                    store = self.restart(store)
                    store.committed = heard.extend
        for log in LOGS:
            read(log, 0, 1000)
        settle()
        self.assertEqual(
            [(a.log, (a.seq, a.resent, isinstance(a.refusal, KeyReused))) for a in heard], expected
        )
        self.close(store)
