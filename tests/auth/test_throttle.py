"""`LoginThrottle`: how long each attempt to log in must wait."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.auth.throttle import LoginThrottle
from chatd.core.addresses import LOCAL
from chatd.core.errors import Busy

ADDRESS, OTHER_ADDRESS = "192.0.2.1", "192.0.2.2"


class Throttling(SynchronousTestCase):
    """Attempts on a clock that the test advances."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.throttle = LoginThrottle(self.clock)

    def attempts_at_once(
        self, count: int, account: str = "ann", address: str = ADDRESS
    ) -> list[float]:
        """The waiting times of attempts that are all made now."""
        return [self.throttle.attempt(account, address) for _ in range(count)]

    def attempts_in_turn(self, *attempts: tuple[str, str]) -> list[float]:
        """The waiting times of attempts (account, address), each made after the one before has
        waited."""
        waits = []
        for account, address in attempts:
            waits.append(self.throttle.attempt(account, address))
            self.clock.advance(waits[-1])
        return waits

    def test_first_attempts_do_not_wait(self) -> None:
        """A user who mistypes a password a few times notices nothing."""
        self.assertEqual(self.attempts_at_once(4), [0, 0, 0, 0])

    def test_gap_for_an_account_doubles_up_to_ten_seconds(self) -> None:
        """It begins with half a second, whatever addresses the attempts come from."""
        waits = [self.throttle.attempt("ann", f"192.0.2.{number}") for number in range(4)]
        waits += self.attempts_in_turn(*[("ann", f"198.51.100.{number}") for number in range(8)])
        self.assertEqual(waits[4:], [0.5, 1, 2, 4, 8, 10, 10, 10])

    def test_gap_for_an_address_doubles_up_to_a_minute(self) -> None:
        """Trying many accounts from one address gets slower."""
        waits = self.attempts_in_turn(*[(f"user{number}", ADDRESS) for number in range(14)])
        self.assertEqual(waits, [0, 0, 0, 0, 0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60])

    def test_clients_of_unix_sockets_do_not_delay_one_another(self) -> None:
        """They have no address: only the gap for an account counts."""
        waits = self.attempts_in_turn(*[(f"user{number}", LOCAL) for number in range(14)])
        self.assertEqual(waits, [0] * 14)
        waits = self.attempts_in_turn(*[("ann", LOCAL)] * 6)
        self.assertEqual(waits[4:], [0.5, 1])
        self.throttle.succeeded("ann", LOCAL)
        self.assertEqual(self.throttle.attempt("ann", LOCAL), 0)

    def test_no_name_is_taken_for_an_address(self) -> None:
        """A client may try any text as a name; that delays no other client."""
        for name in (ADDRESS, f"from {ADDRESS}", f"address {ADDRESS}"):
            self.attempts_at_once(6, name, OTHER_ADDRESS)
            self.assertEqual(self.throttle.attempt("ann", ADDRESS), 0)
            self.throttle = LoginThrottle(self.clock)

    def test_long_names_are_not_stored_whole(self) -> None:
        """No account has them, and they would take memory."""
        self.throttle.attempt("x" * 65_536, LOCAL)
        self.assertLess(max(map(len, self.throttle._attempts)), 100)

    def test_attempts_at_once_are_no_faster_than_attempts_in_turn(self) -> None:
        """The n-th of many attempts at once is checked when the n-th of attempts in turn is."""
        at_once = self.attempts_at_once(9)
        self.throttle = LoginThrottle(self.clock)
        in_turn = self.attempts_in_turn(*[("ann", ADDRESS)] * 9)
        self.assertEqual(at_once, [sum(in_turn[: number + 1]) for number in range(9)])

    def test_attempt_that_would_wait_over_a_minute_is_refused(self) -> None:
        """Refused attempts do not make later ones wait longer."""
        self.attempts_at_once(10)
        for _ in range(100):
            self.assertRaises(Busy, self.throttle.attempt, "ann", ADDRESS)
        self.clock.advance(60)
        self.assertEqual(self.throttle.attempt("ann", ADDRESS), 3.5)

    def test_right_password_ends_the_waiting_for_the_account(self) -> None:
        """The attempts for the account are forgotten, whatever the spelling of its name."""
        self.attempts_at_once(6)
        self.throttle.succeeded("ANN", ADDRESS)
        self.assertEqual(self.attempts_at_once(4, "ann", OTHER_ADDRESS), [0, 0, 0, 0])

    def test_right_password_does_not_end_the_waiting_for_the_address(self) -> None:
        """The owner of one account cannot guess at others by logging in now and then."""
        for number in range(6):
            self.throttle.attempt(f"victim{number}", ADDRESS)
            self.throttle.attempt("mallory", ADDRESS)
            self.throttle.succeeded("mallory", ADDRESS)
            self.clock.advance(0.01)
        self.assertGreater(self.throttle.attempt("victim", ADDRESS), 5)

    def test_right_password_without_an_attempt_changes_nothing(self) -> None:
        """The address gains no attempt that need not wait."""
        self.throttle.succeeded("ann", ADDRESS)
        waits = [self.throttle.attempt(f"user{number}", ADDRESS) for number in range(5)]
        self.assertEqual(waits, [0, 0, 0, 0, 0.5])

    def test_attempts_are_forgotten_after_an_hour(self) -> None:
        """An attempt after exactly an hour still counts with those before."""
        self.attempts_at_once(6)
        self.clock.advance(3.5 + 3600)
        self.assertEqual(self.attempts_at_once(2), [0, 4])
        self.throttle = LoginThrottle(self.clock)
        self.attempts_at_once(6)
        self.clock.advance(3.5 + 3601)
        self.assertEqual(self.attempts_at_once(5), [0, 0, 0, 0, 0.5])

    def test_spellings_of_a_name_are_one_account(self) -> None:
        """Attempts for ANN count for ann."""
        self.attempts_at_once(4, "ANN")
        self.assertEqual(self.attempts_at_once(1, "ann", OTHER_ADDRESS), [0.5])

    def test_other_accounts_from_other_addresses_do_not_wait(self) -> None:
        """Attempts concern their account and their address only."""
        self.attempts_at_once(8)
        self.assertEqual(self.attempts_at_once(1, "bob", OTHER_ADDRESS), [0])

    def test_account_named_as_an_address_does_not_wait_for_it(self) -> None:
        """Names and addresses are counted apart."""
        self.attempts_at_once(8, "ann", "bob")
        self.assertEqual(self.attempts_at_once(1, "bob", OTHER_ADDRESS), [0])

    def test_owner_waits_ten_seconds_at_most(self) -> None:
        """An attacker at another address who guesses in turn locks the owner out no longer."""
        self.attempts_in_turn(*[("ann", ADDRESS)] * 30)
        self.assertLessEqual(self.throttle.attempt("ann", OTHER_ADDRESS), 10)

    def test_memory_is_bounded(self) -> None:
        """Of any number of accounts and addresses only the latest are remembered."""
        self.attempts_at_once(5, "first", OTHER_ADDRESS)
        for number in range(20_000):
            self.throttle.attempt(f"user{number}", f"address{number}")
        self.assertLessEqual(len(self.throttle._attempts), LoginThrottle._CAPACITY)
        self.assertEqual(self.attempts_at_once(1, "first", OTHER_ADDRESS), [0])
