"""Wrapping of long lines at the right margin."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.client.cli.terminal.wrap import Wrapped


class WrappedTests(SynchronousTestCase):
    """`Wrapped`."""

    def test_wide_characters_take_two_columns_and_combining_accents_none(self) -> None:
        """A wide character that does not fit begins the next row."""
        wrapped = Wrapped("ab\u65e5e\u0301", 4)
        self.assertEqual(wrapped.rows, [0, 3])
        self.assertEqual(wrapped.position(5), (1, 1))
        self.assertEqual(wrapped.position(2), (0, 2))

    def test_text_up_to_the_margin_is_followed_by_an_empty_row(self) -> None:
        """The cursor goes there."""
        wrapped = Wrapped("abcd", 4)
        self.assertTrue(wrapped.full)
        self.assertEqual(wrapped.position(4), (1, 0))

    def test_slice_has_no_final_line_break(self) -> None:
        """A line break ends its row."""
        wrapped = Wrapped("ab\ncd", 4)
        self.assertEqual(wrapped.slice(0, 1), "ab")
        self.assertEqual(wrapped.slice(0, 2), "ab\ncd")
