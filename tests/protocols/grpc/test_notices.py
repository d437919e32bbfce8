"""`Notices`: the latest notices of an account, by number."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.protocols.grpc.notices import MAX_CHARACTERS, MAX_NOTICES, Notices


class NoticeTests(SynchronousTestCase):
    """Notices that are added, read and discarded."""

    def test_notices_are_read_by_number(self) -> None:
        """After the last one there is none."""
        notices = Notices()
        self.assertIsNone(notices.after(0))
        for text in ("one", "two"):
            notices.add(text)
        self.assertEqual(
            [notices.after(number) for number in (0, 1, 2)], [(1, "one"), (2, "two"), None]
        )

    def test_only_the_latest_are_there(self) -> None:
        """A reader that is behind goes on with the oldest of them."""
        notices = Notices()
        for number in range(1, MAX_NOTICES + 6):
            notices.add(str(number))
        self.assertEqual(notices.after(2), (6, "6"))
        self.assertEqual(notices.after(MAX_NOTICES + 4), (MAX_NOTICES + 5, str(MAX_NOTICES + 5)))

    def test_long_notices_do_not_wait_without_bounds(self) -> None:
        """The oldest are dropped; the latest is there however long it is."""
        notices = Notices()
        half = "x" * (MAX_CHARACTERS // 2)
        for text in (half, half, "y"):
            notices.add(text)
        self.assertEqual(notices.after(0), (2, half))
        notices.discard(2)
        notices.add(half)
        self.assertEqual(notices.after(0), (3, "y"))
        notices.add("x" * (MAX_CHARACTERS + 1))
        self.assertEqual(notices.after(0), (5, "x" * (MAX_CHARACTERS + 1)))

    def test_notices_that_belong_together_are_dropped_together(self) -> None:
        """Those added latest are all there, however long they are."""
        notices = Notices()
        half = "x" * (MAX_CHARACTERS // 2)
        notices.add("a", half)
        notices.add(half, half, half)
        self.assertEqual(notices.after(0), (3, half))
        self.assertEqual(notices.after(4), (5, half))
        notices.add("b")
        self.assertEqual(notices.after(0), (5, half))

    def test_notices_wait_until_they_are_read(self) -> None:
        """Those that were discarded do not."""
        notices = Notices()
        self.assertFalse(notices.waiting)
        notices.add("one")
        notices.add("two")
        notices.read = 1
        self.assertTrue(notices.waiting)
        notices.discard(1)
        self.assertEqual(notices.after(0), (2, "two"))
        notices.read = 2
        self.assertFalse(notices.waiting)
        notices.discard(5)
        self.assertIsNone(notices.after(0))
        notices.add("three")
        self.assertEqual(notices.after(2), (3, "three"))
