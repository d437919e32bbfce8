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

FIXED = range(30)
NEW = 10


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
            outcome = self.run_history(generate(seed).only(numbers).without("sizes"))
            again = f"--seed {seed} --keep {steps} --usual-sizes"
            self.assertEqual(outcome.violations, [], again)


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

    def two_devices(self, seed: int) -> History:
        """Two accounts write to each other, and block each other."""
        random = Random(f"two devices {seed}")
        steps = [Step(0, 0, "come", 0, 0.0), Step(1, 1, "come", 0, 0.0)]
        for number in range(2, 160):
            operation = random.choice(("presence", "typing", "block", "send", "send"))
            steps.append(Step(number, number % 2, operation, random.getrandbits(48), 0.1))
        return History(seed, Setup("memory", (("v1", "ann"), ("v1", "bob"))), tuple(steps))

    def test_a_history_is_shortened_and_still_breaks_its_promise(self) -> None:
        """A daemon that lets blocked accounts send is found out, in few steps."""
        kind = "accepted:blocked:text"
        self.patch(accounts, "check_not_blocked", lambda blocked, sender: None)
        histories = map(self.two_devices, range(20))
        history = next(each for each in histories if kind in self.run_history(each).kinds)
        short = shrink(history, kind, 60.0)
        self.assertLess(len(short.steps), len(history.steps) // 4)
        self.assertIn(kind, self.run_history(short).kinds)
