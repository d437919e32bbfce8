"""Typing notifications: how often they are sent, and how long an account counts as typing."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.cli.typing import (
    REPEAT_INTERVAL,
    TIMEOUT,
    TypingAccounts,
    TypingNotifier,
)
from chatd.codecs import v1_messages as c


class TypingNotifierTests(SynchronousTestCase):
    """`TypingNotifier`."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.requests: list[Any] = []
        self.notifier = TypingNotifier(self.requests.append, self.clock)

    def test_commands_and_lines_without_target_are_not_notified(self) -> None:
        """Nothing is sent for them."""
        self.notifier.text_changed("/who", "#lobby")
        self.notifier.text_changed("h", "")
        self.assertEqual(self.requests, [])

    def test_notification_is_repeated_after_an_interval(self) -> None:
        """The first key is notified at once, later keys once in each interval."""
        for _ in range(100):
            self.notifier.text_changed("hello", "#lobby")
            self.clock.advance(REPEAT_INTERVAL / 50)
        self.assertEqual(self.requests, [c.SayTyping(0, "#lobby", True)] * 2)

    def test_change_of_target_is_notified_at_once(self) -> None:
        """The new target is notified, whenever the last one was."""
        self.notifier.text_changed("hello", "#lobby")
        self.notifier.text_changed("hello", "bob")
        self.assertEqual(self.requests[1:], [c.SayTyping(0, "bob", True)])

    def test_cleared_line_is_notified_once(self) -> None:
        """The end of typing is notified if its start was."""
        self.notifier.text_changed("hello", "bob")
        self.notifier.text_changed("", "bob")
        self.notifier.text_changed("", "bob")
        self.assertEqual(self.requests[1:], [c.SayTyping(0, "bob", False)])

    def test_entered_line_is_not_notified(self) -> None:
        """The message itself shows that typing has ended."""
        self.notifier.text_changed("x", "bob")
        self.notifier.line_entered()
        self.notifier.text_changed("", "bob")
        self.assertEqual(self.requests, [c.SayTyping(0, "bob", True)])

    def test_next_line_is_notified_at_once(self) -> None:
        """The interval does not delay the notification of a new line."""
        self.notifier.text_changed("one", "bob")
        self.notifier.line_entered()
        self.notifier.text_changed("t", "bob")
        self.assertEqual(self.requests, [c.SayTyping(0, "bob", True)] * 2)


class TypingAccountsTests(SynchronousTestCase):
    """`TypingAccounts`."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.changes: list[list[str]] = []
        self.accounts = TypingAccounts(
            lambda: self.changes.append(self.accounts.names("#lobby")), self.clock
        )

    def test_accounts_count_until_they_stop_or_time_out(self) -> None:
        """A repeated notification restarts the timeout and is no change."""
        self.accounts.update("#lobby", "Bob", True)
        self.accounts.update("#lobby", "carl", True)
        self.clock.advance(TIMEOUT - 1)
        self.accounts.update("#lobby", "bob", True)
        self.accounts.update("#lobby", "carl", False)
        self.accounts.update("#lobby", "carl", False)
        self.clock.advance(TIMEOUT - 1)
        self.assertEqual(self.accounts.names("#lobby"), ["bob"])
        self.clock.advance(1)
        self.assertEqual(self.changes, [["Bob"], ["Bob", "carl"], ["bob"], []])

    def test_stop_cancels_all_timers(self) -> None:
        """No delayed call is left."""
        self.accounts.update("#lobby", "bob", True)
        self.accounts.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
