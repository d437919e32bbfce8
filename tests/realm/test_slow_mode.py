"""Slow mode: how long a member waits between two texts."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.realm.slow_mode import SlowMode


class SlowModeTests(SynchronousTestCase):
    """Members with ids, and an interval of 10 seconds."""

    def test_each_member_waits_for_the_interval(self) -> None:
        """A member does not wait because of another one."""
        slow = SlowMode()
        self.assertLessEqual(slow.wait(1, None, 10, 100.0), 0)
        slow.sent(1, None, 10, 100.0)
        self.assertEqual(slow.wait(1, None, 10, 104.0), 6.0)
        self.assertLessEqual(slow.wait(2, None, 10, 104.0), 0)
        self.assertLessEqual(slow.wait(1, None, 10, 110.0), 0)

    def test_last_text_can_be_sent_again_with_its_key(self) -> None:
        """That does not begin the interval anew."""
        slow = SlowMode()
        slow.sent(1, "k", 10, 100.0)
        self.assertLessEqual(slow.wait(1, "k", 10, 104.0), 0)
        slow.sent(1, "k", 10, 104.0)
        self.assertEqual(slow.wait(1, "other", 10, 104.0), 6.0)
        self.assertEqual(slow.wait(1, None, 10, 104.0), 6.0)

    def test_members_that_have_waited_are_forgotten(self) -> None:
        """What is remembered does not grow with the members of a room."""
        slow = SlowMode()
        for account in range(10_000):
            slow.sent(account, None, 10, float(account))
            self.assertLess(len(slow._last), 100)
        self.assertEqual(slow.wait(9_999, None, 10, 10_000.0), 9.0)
