"""Histories in continuous integration: those that are known to break a promise, fixed and new
ones."""

from __future__ import annotations

from random import Random, SystemRandom

from twisted.trial.unittest import SynchronousTestCase

from chatd.realm import accounts
from tests.simulation.history import History, Setup, Step, generate
from tests.simulation.known import KNOWN, REPAIRED, Explanations
from tests.simulation.shrink import shrink
from tests.simulation.world import Outcome, run

FIXED = range(120)
NEW = 80


class Histories(SynchronousTestCase):
    """Runs histories; what their daemons log is part of their outcomes."""

    def run_history(self, history: History) -> Outcome:
        """What comes of a history."""
        outcome = run(history)
        self.flushLoggedErrors()
        return outcome


class KnownViolations(Histories):
    """Violations that stand. When one is repaired, its row in `known` is removed."""

    def test_known_violations_stand(self) -> None:
        """Each history of the table still breaks its promise."""
        for known in KNOWN:
            steps = {int(number) for number in known.steps.split(",") if number}
            outcome = self.run_history(generate(known.seed).only(steps))
            self.assertIn(known.kind, outcome.kinds, f"repaired? {known.cause}")

    def test_repaired_violations_do_not_return(self) -> None:
        """Histories that have broken a promise break none."""
        for seed, steps in REPAIRED:
            numbers = {int(number) for number in steps.split(",") if number}
            outcome = self.run_history(generate(seed).only(numbers))
            self.assertEqual(outcome.violations, [], f"--seed {seed} --keep {steps}")


class ManyHistories(Histories):
    """Histories from seeds."""

    def unknown(self, history: History) -> list[str]:
        """The kinds of violations of a history that have no known cause."""
        explanations = Explanations(history)
        return [kind for kind in self.run_history(history).kinds if not explanations.cause(kind)]

    def test_fixed_seeds(self) -> None:
        """Nothing goes wrong but by a known cause."""
        for seed in FIXED:
            unknown = self.unknown(generate(seed))
            self.flushLoggedErrors()
            self.assertEqual(unknown, [], f"python -m tests.simulation --seed {seed}")

    def test_new_seeds(self) -> None:
        """New histories run to their end; what is new about them is printed."""
        first = SystemRandom().randrange(1 << 31)
        print(f"\nnew histories: python -m tests.simulation --first {first} --count {NEW}")
        for seed in range(first, first + NEW):
            unknown = self.unknown(generate(seed))
            self.flushLoggedErrors()
            if unknown:
                print(f"python -m tests.simulation --seed {seed}: {', '.join(unknown)}")


class Shrinking(Histories):
    """`shrink` finds the steps that matter."""

    def setUp(self) -> None:
        self.kind = "accepted:blocked:text"
        self.patch(accounts, "check_not_blocked", lambda blocked, sender: None)

    def test_a_generated_history_finds_a_broken_promise(self) -> None:
        """A daemon that lets blocked accounts send is found out by one of the fixed seeds."""
        self.assertTrue(any(self.kind in self.run_history(generate(seed)).kinds for seed in FIXED))

    def test_a_history_is_shortened_and_still_breaks_its_promise(self) -> None:
        """Few of the steps of two devices are left, of a history that is shortened quickly."""
        random = Random("two devices")
        operations = ("presence", "typing", "history", "mark-read", "block", "send", "send")
        setup = Setup("memory", (("v1", "ann"), ("v1", "bob")))
        steps = [Step(0, 0, "come", 0, 0.0), Step(1, 1, "come", 0, 0.0)]
        for number in range(2, 80):
            operation = random.choice(operations)
            steps.append(Step(number, number % 2, operation, random.getrandbits(48), 0.1))
        short = shrink(History(0, setup, tuple(steps)), self.kind, 60.0)
        self.assertLess(len(short.steps), len(steps) // 4)
        self.assertIn(self.kind, self.run_history(short).kinds)
