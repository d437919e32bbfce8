"""Any sequence of calls on logs, compared with a model: for each back end."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.core.errors import KeyReused
from chatd.stores import Append, CreateLog, DropLog
from tests.doubles.drawn import scripts_of
from tests.stores.contract import new_text

Script = list[tuple[int, str, int]]
"""the number of a log, the operation, and an argument of the operation"""

_APPENDS = ["append", "keyed", "keyed", "keyed", "keyed"]
_OTHERS = ["read", "head", "trim", "drop", "wait", "maintain", "maintain", "maintain", "restart"]

any_script = given(
    scripts_of(range(3), _APPENDS + _OTHERS, range(16), min_size=20, max_size=80),
)
bounded = settings(derandomize=True, deadline=None, max_examples=60)
LOGS = [f"@log{number}" for number in range(3)]


class _Model:
    """A model of one log."""

    def __init__(self) -> None:
        self.trimmed = 0
        self.bodies: list[str] = []
        self.keys: dict[tuple[str, str], int] = {}

    def append(self, append: Append) -> tuple[int, bool, bool]:
        """The expected (seq, resent, refused)."""
        if append.key is not None:
            seq = self.keys.get((append.sender, append.key), 0)
            if seq > self.trimmed:
                same = self.bodies[seq - 1] == append.body
                return (seq, True, False) if same else (0, False, True)
            self.keys[append.sender, append.key] = len(self.bodies) + 1
        self.bodies.append(append.body)
        return len(self.bodies), False, False

    def after(self, seq: int) -> list[tuple[int, str]]:
        """The (seq, body) of the entries that can be read after `seq`."""
        return [(n, body) for n, body in enumerate(self.bodies, 1) if n > max(seq, self.trimmed)]


class SequenceContract(SynchronousTestCase):
    """Base of the tests with any sequence; subclasses say how to open a store and wait for it."""

    def open(self) -> Any:
        """A new store."""
        raise NotImplementedError

    def wait_for(self, answer: Deferred[Any]) -> Any:
        """The result of an awaitable."""
        raise NotImplementedError

    def restart(self, store: Any) -> Any:
        """The store after a restart; everything in its queue is answered before."""
        return store

    def maintain(self, store: Any) -> None:
        """Let the store do a step of maintenance."""

    def close(self, store: Any) -> None:
        """Close the store."""
        raise NotImplementedError

    def play(self, script: Script) -> None:
        """Run a script; results are awaited where it says `wait`, and compared with the model."""
        store = self.open()
        self.wait_for(store.write([CreateLog(log) for log in LOGS]))
        models = {log: _Model() for log in LOGS}
        answered: list[Append] = []
        expected: list[tuple[str, tuple[int, bool, bool]]] = []
        answers: list[tuple[Deferred[Any], Any]] = []

        def settle() -> None:
            for answer, right in answers:
                self.assertEqual(self.wait_for(answer), right)
            answers.clear()
            self.wait_for(store.head("@unknown"))

        def read(log: str, after: int, limit: int) -> None:
            page = store.read(log, after, limit)
            page.addCallback(lambda entries: [(entry.seq, entry.body) for entry in entries])
            answers.append((page, models[log].after(after)[:limit]))

        store.committed = answered.extend
        for number, step, value in script:
            log = LOGS[number]
            model = models[log]
            if step in _APPENDS:
                key = f"k{value // 4}" if step == "keyed" else None
                append = new_text(log, "y" if value == 15 else "x", key, ("ann", "bob")[value % 2])
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
                answers.append((store.write([DropLog(log), CreateLog(log)]), [0, 0]))
            else:
                settle()
                if step == "maintain":
                    self.maintain(store)
                elif step == "restart":
                    store = self.restart(store)
                    store.committed = answered.extend
        for log in LOGS:
            read(log, 0, 1000)
        settle()
        self.assertEqual(
            [(a.log, (a.seq, a.resent, isinstance(a.refusal, KeyReused))) for a in answered],
            expected,
        )
        self.close(store)
