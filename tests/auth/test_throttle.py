"""`LoginThrottle`: when each attempt to log in may be checked."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.auth import throttle
from chatd.auth.throttle import Attempt, LoginThrottle
from chatd.core.addresses import LOCAL
from chatd.core.errors import Busy
from chatd.core.limits import Limits
from chatd.realm.requester import Disconnected
from tests.doubles.clients import FakeClient

ADDRESS, OTHER_ADDRESS = "192.0.2.1", "192.0.2.2"
ANN = 1
"""the id of an account"""


class ThrottleCase(SynchronousTestCase):
    """Attempts on a clock that the test advances. `answers` has the times of the answers, by the
    name that was tried."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.make()

    def make(self, **limits: int) -> None:
        """A new throttle."""
        self.throttle = LoginThrottle(self.clock, Limits(**limits))
        self.ids = {"ann": ANN}
        self.answers: dict[str, list[float]] = {}
        self.refused = 0

    def begin(self, name: str, address: str, client: FakeClient | None = None) -> Deferred[Attempt]:
        """Begin an attempt."""
        account = self.ids.setdefault(name.lower(), len(self.ids) + 1)
        client = client or FakeClient(address)
        return Deferred.fromCoroutine(self.throttle.begin(name, account, client))

    def try_password(
        self, right: bool, name: str = "ann", address: str = ADDRESS
    ) -> Deferred[None]:
        """An attempt that is answered as soon as it may be."""

        def answer(attempt: Attempt) -> None:
            self.answers.setdefault(name, []).append(self.clock.seconds())
            self.throttle.end(attempt, right)

        def refused(failure: object) -> None:
            self.refused += 1

        return self.begin(name, address).addCallbacks(answer, refused)

    def guess_in_turn(self, count: int, *targets: tuple[str, str]) -> None:
        """Guess `count` times, each when the guess before was answered, at the targets (name,
        address) in turn."""
        for number in range(count):
            name, address = targets[number % len(targets)]
            guess = self.try_password(False, name, address)
            while not guess.called:
                self.clock.advance(0.5)

    def wait_of(self, name: str = "ann", address: str = ADDRESS) -> float:
        """How long the right password has to wait."""
        began = self.clock.seconds()
        attempt = self.try_password(True, name, address)
        while not attempt.called:
            self.clock.advance(0.5)
        return self.clock.seconds() - began

    def know(self, account: int = ANN, address: str = ADDRESS) -> None:
        """The account was logged in to from there before."""
        self.throttle.proven(account, address)


class Throttling(ThrottleCase):
    """Guessing is slow."""

    def test_first_wrong_answers_do_not_delay(self) -> None:
        """A user who mistypes a password twice notices nothing."""
        self.guess_in_turn(3, ("ann", ADDRESS))
        self.assertEqual(self.answers["ann"], [0, 0, 0])

    def test_gap_for_an_account_doubles_up_to_ten_seconds(self) -> None:
        """Whatever addresses the guesses come from."""
        self.guess_in_turn(8, *[("ann", f"192.0.2.{number}") for number in range(8)])
        self.assertEqual(self.answers["ann"], [0, 0, 0, 2.5, 7.5, 17.5, 27.5, 37.5])

    def test_gap_for_an_address_doubles_up_to_a_minute(self) -> None:
        """Trying many accounts from one address gets slower."""
        for number in range(10):
            self.guess_in_turn(1, (f"user{number}", ADDRESS))
        times = [time for times in self.answers.values() for time in times]
        self.assertEqual(times, [0, 0, 0, 2.5, 7.5, 17.5, 37.5, 77.5, 137.5, 197.5])

    def test_five_guesses_are_answered_in_fifteen_seconds(self) -> None:
        """In turn or at the same moment, from one address or from 14, known or not."""
        for known in (False, True):
            for addresses in ([ADDRESS], [f"192.0.2.{number}" for number in range(14)]):
                for at_once in (False, True):
                    self.setUp()
                    if known and len(addresses) == 1:
                        self.know()
                    if at_once:
                        for number in range(14):
                            self.try_password(False, "ann", addresses[number % len(addresses)])
                        self.clock.pump([0.5] * 30)
                    else:
                        self.guess_in_turn(8, *[("ann", address) for address in addresses])
                    in_time = [time for time in self.answers["ann"] if time <= 15]
                    self.assertEqual(in_time, [0, 0, 0, 2.5, 7.5], (known, addresses, at_once))

    def test_attempt_under_way_counts_until_it_is_answered(self) -> None:
        """Three are checked at a time; one that was not checked does not count."""
        attempts = [self.begin("ann", f"192.0.2.{number}") for number in range(5)]
        begun = [self.successResultOf(attempt) for attempt in attempts[:3]]
        self.assertNoResult(attempts[3])
        self.throttle.end(begun[0], None)
        self.throttle.end(self.successResultOf(attempts[3]), False)
        self.assertNoResult(attempts[4])
        self.throttle.end(begun[1], False)
        self.assertNoResult(attempts[4])
        self.throttle.end(begun[2], True)
        self.throttle.end(self.successResultOf(attempts[4]), False)
        self.clock.advance(2.4)
        late = self.begin("ann", ADDRESS)
        self.assertNoResult(late)
        self.clock.advance(0.1)
        self.successResultOf(late)

    def test_wrong_answers_are_forgotten_after_an_hour(self) -> None:
        """The hour begins with the last of them."""
        self.guess_in_turn(5, ("ann", ADDRESS))
        self.clock.advance(3600)
        self.guess_in_turn(2, ("ann", ADDRESS))
        first, second = self.answers["ann"][-2:]
        self.assertGreaterEqual(second - first, 10)
        self.clock.advance(3601)
        self.guess_in_turn(3, ("ann", ADDRESS))
        first, _, third = self.answers["ann"][-3:]
        self.assertEqual(first, third)

    def test_owner_of_an_account_cannot_guess_at_others_by_logging_in(self) -> None:
        """A right password takes back what was wrong for the same account only."""
        for number in range(3):
            self.try_password(False, f"victim{number}")
            self.try_password(True, "bob")
        self.try_password(False, "victim")
        self.assertNotIn("victim", self.answers)
        self.clock.advance(2.5)
        self.assertEqual(self.answers["victim"], [2.5])

    def test_addresses_of_one_subscriber_are_one(self) -> None:
        """All of a /64 of IPv6; an IPv4 address in the notation of IPv6 is that address."""
        for addresses in (
            [f"2001:db8::{number}" for number in range(4)],
            ["192.0.2.9", "::ffff:192.0.2.9"] * 2,
        ):
            self.setUp()
            for number, address in enumerate(addresses):
                self.try_password(False, f"user{number}", address)
            self.assertEqual(len(self.answers), 3)
        self.setUp()
        for number in range(4):
            self.try_password(False, f"user{number}", f"::ffff:192.0.2.{number}")
        self.assertEqual(len(self.answers), 4)

    def test_clients_of_unix_sockets_do_not_delay_one_another(self) -> None:
        """They have no address: only the gap for an account counts."""
        self.guess_in_turn(14, *[(f"user{number}", LOCAL) for number in range(14)])
        self.assertEqual(self.clock.seconds(), 0)
        self.guess_in_turn(4, ("ann", LOCAL))
        self.assertEqual(self.answers["ann"], [0, 0, 0, 2.5])

    def test_spellings_of_a_name_are_one_account(self) -> None:
        """Guesses at ANN count for ann."""
        self.guess_in_turn(3, ("ANN", ADDRESS))
        self.assertEqual(self.wait_of("ann", OTHER_ADDRESS), 2.5)

    def test_no_name_is_taken_for_an_address(self) -> None:
        """A client may try any text as a name; that delays no other client."""
        for name in (ADDRESS, f"{ADDRESS} ann", f"address {ADDRESS}"):
            self.setUp()
            self.know()
            self.guess_in_turn(3, (name, OTHER_ADDRESS))
            self.assertEqual(self.wait_of("ann", ADDRESS), 0)

    def test_attempts_that_are_not_checked_forget_no_guesses(self) -> None:
        """Attempts at any number of accounts that end at once, because the client has left, cost an
        attacker nothing."""
        self.patch(throttle, "_CAPACITY", 50)
        self.guess_in_turn(8, *[("ann", f"192.0.2.{number}") for number in range(8)])
        for number in range(100):
            attempt = self.begin(f"user{number}", f"198.51.100.{number}")
            self.throttle.end(self.successResultOf(attempt), None)
        late = self.begin("ann", "192.0.2.100")
        self.assertNoResult(late)
        self.clock.advance(10)
        self.successResultOf(late)

    def test_memory_is_bounded(self) -> None:
        """Of any number of accounts and addresses only the latest are remembered, and no long
        name."""
        self.patch(throttle, "_CAPACITY", 50)
        self.patch(throttle, "_KNOWN_ACCOUNTS", 50)
        for number in range(200):
            self.try_password(False, f"{number}" + "x" * 60_000, f"192.0.2.{number}")
            for address in range(20):
                self.throttle.proven(number, f"198.51.100.{address}")
        tables = (self.throttle._accounts, self.throttle._addresses, self.throttle._pairs)
        for table in tables:
            self.assertEqual(len(table.answers), 50)
            self.assertLess(max(map(len, table.answers)), 100)
        self.assertEqual(len(self.throttle._known), 50)
        self.assertEqual(max(map(len, self.throttle._known.values())), 16)


class Owners(ThrottleCase):
    """Who has the right password gets in."""

    def test_right_passwords_do_not_count(self) -> None:
        """20 users behind one address, one after another or at the same moment."""
        attempts = [self.try_password(True, f"user{number}") for number in range(20)]
        self.assertEqual([attempt.called for attempt in attempts], [True] * 20)
        self.setUp()
        begun = [self.begin(f"user{number}", ADDRESS) for number in range(20)]
        order = []
        while begun:
            ready = next(attempt for attempt in begun if attempt.called)
            begun.remove(ready)
            attempt = self.successResultOf(ready)
            order.append(attempt.name)
            self.throttle.end(attempt, True)
        self.assertEqual(order, [f"user{number}" for number in range(20)])
        self.assertEqual(self.clock.seconds(), 0)

    def test_own_mistakes_are_forgotten_after_the_right_password(self) -> None:
        """Those for this account from this address."""
        self.guess_in_turn(3, ("ann", ADDRESS))
        self.assertEqual(self.wait_of(), 2.5)
        for number in range(2):
            self.try_password(False, f"user{number}", ADDRESS)
        self.try_password(False, "ann", OTHER_ADDRESS)
        self.assertEqual(len(self.answers), 3)

    def test_guesses_at_a_known_address_delay_the_owner_by_ten_seconds(self) -> None:
        """A neighbour behind the same address makes 14, and keeps all of them waiting: the newest
        attempt is the next one."""
        self.know()
        for _ in range(14):
            self.try_password(False, "ANN")
        self.clock.advance(1)
        self.assertEqual(self.wait_of(), 1.5)
        self.clock.pump([0.5] * 200)
        self.assertLessEqual(self.wait_of(), 10)
        self.assertEqual(self.refused, 0)
        # The right passwords have not made the guesses faster.
        self.assertEqual([time for time in self.answers["ANN"] if time <= 15], [0, 0, 0, 2.5, 7.5])

    def test_guesses_at_other_accounts_do_not_delay_the_owner_at_a_known_address(self) -> None:
        """A neighbour behind the same address has guessed 14 times."""
        self.know()
        for number in range(14):
            self.try_password(False, f"user{number}")
        self.assertEqual(self.wait_of(), 0)

    def test_guesses_from_other_addresses_do_not_delay_the_owner_at_a_known_address(self) -> None:
        """They come from 14 addresses."""
        self.know(ANN, OTHER_ADDRESS)
        for number in range(14):
            self.try_password(False, "ann", f"198.51.100.{number}")
        self.assertEqual(self.wait_of("ann", OTHER_ADDRESS), 0)

    def test_owner_at_a_new_address_waits_for_the_next_slot_only(self) -> None:
        """Attempts from addresses that were wrong before come after it, however many wait."""
        for number in range(8):
            for _ in range(10):
                self.try_password(False, "ann", f"198.51.100.{number}")
        self.clock.pump([0.5] * 200)
        self.assertLessEqual(self.wait_of("ann", OTHER_ADDRESS), 10)
        self.assertEqual(self.refused, 0)

    def test_owner_at_a_new_address_goes_before_newer_guesses(self) -> None:
        """Guessers that never stop take no slot before it."""
        self.guess_in_turn(4, ("ann", ADDRESS))
        owner = self.try_password(True, "ann", OTHER_ADDRESS)
        for _ in range(20):
            self.try_password(False, "ANN", ADDRESS)
            self.clock.advance(0.5)
        self.assertTrue(owner.called)

    def test_guesses_at_known_addresses_do_not_put_off_the_owner_elsewhere(self) -> None:
        """What is bound by its own address only does not move the slot of the account."""
        known = [f"198.51.100.{number}" for number in range(5)]
        for address in known:
            self.know(ANN, address)
        self.guess_in_turn(4, ("ann", ADDRESS))
        for second in range(40):
            if second == 20:
                owner = self.try_password(True, "ann", OTHER_ADDRESS)
            self.try_password(False, "ANN", known[second // 2 % 5])
            self.clock.advance(1)
        self.assertTrue(owner.called)

    def test_newcomer_at_an_address_of_a_guesser_waits_a_minute_at_most(self) -> None:
        """A user whose address is not known for the account, and whose neighbour guesses."""
        for number in range(14):
            self.try_password(False, f"user{number % 2}")
        self.clock.pump([0.5] * 400)
        self.assertLessEqual(self.wait_of("bob"), 60)

    def test_account_that_was_deleted_is_not_known(self) -> None:
        """The next account of the name has another id."""
        self.know(ANN + 100)
        self.guess_in_turn(3, ("ann", OTHER_ADDRESS))
        self.assertEqual(self.wait_of(), 2.5)


class Waiting(ThrottleCase):
    """Attempts that wait are bounded, and end with their connection."""

    def test_attempts_over_the_bound_displace_those_of_the_busiest_address(self) -> None:
        """Others go on waiting, and the sentence names the bound."""
        self.make(attempts=5)
        self.guess_in_turn(3, ("ann", "198.51.100.1"))
        alone = self.begin("ann", OTHER_ADDRESS)
        many = [self.begin("ann", ADDRESS) for _ in range(6)]
        refused = [attempt for attempt in many if attempt.called]
        self.assertEqual(refused, many[:2])
        for attempt in refused:
            failure = self.failureResultOf(attempt, Busy)
            self.assertEqual(failure.value.quota, "attempts")
            self.assertIn("(5)", str(failure.value))
        self.assertNoResult(alone)
        self.assertEqual(self.throttle.waiting, 5)

    def test_attempt_of_a_client_that_has_disconnected_is_dropped(self) -> None:
        """It takes no slot, and is dropped before others are refused."""
        self.make(attempts=2)
        leaving = FakeClient(OTHER_ADDRESS)
        self.guess_in_turn(3, ("ann", ADDRESS))
        abandoned = self.begin("ann", OTHER_ADDRESS, leaving)
        waiting = self.begin("ann", ADDRESS)
        leaving.disconnected = True
        third = self.begin("ann", ADDRESS)
        self.failureResultOf(abandoned, Disconnected)
        self.assertNoResult(waiting)
        self.clock.advance(2.5)
        self.successResultOf(third)

    def test_log_in_elsewhere_does_not_look_at_what_waits(self) -> None:
        """So a thousand guesses that wait do not make each log-in of others dearer."""
        self.guess_in_turn(3, *[("ann", f"192.0.2.{number}") for number in range(3)])
        waiting = self.try_password(True, "ann", OTHER_ADDRESS)
        looked: list[str] = []
        rank = self.throttle._rank

        def counted(attempt: Attempt, now: float) -> tuple[int, int]:
            looked.append(attempt.name)
            return rank(attempt, now)

        self.patch(self.throttle, "_rank", counted)
        self.successResultOf(self.try_password(True, "bob", "198.51.100.1"))
        self.assertEqual(looked, [])
        self.assertNoResult(waiting)
        self.clock.advance(2.5)
        self.successResultOf(waiting)

    def test_what_waits_is_refused_when_the_daemon_stops(self) -> None:
        """A connection is not kept open by it; nothing waits any more."""
        self.guess_in_turn(3, ("ann", ADDRESS))
        waiting = [self.begin("ann", ADDRESS) for _ in range(2)]
        self.throttle.stop()
        waiting.append(self.begin("ann", OTHER_ADDRESS))
        for attempt in waiting:
            self.failureResultOf(attempt, Busy)
        self.successResultOf(self.begin("bob", OTHER_ADDRESS))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_nothing_is_scheduled_while_nothing_waits(self) -> None:
        """A throttle that was used has no timer."""
        self.guess_in_turn(5, ("ann", ADDRESS))
        self.clock.advance(60)
        self.assertEqual(self.clock.getDelayedCalls(), [])
