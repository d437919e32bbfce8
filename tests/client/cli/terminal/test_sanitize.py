"""Sanitizing: nothing from the network controls the terminal."""

from __future__ import annotations

import unicodedata

from twisted.trial.unittest import SynchronousTestCase

from chatd.client.cli.terminal.sanitize import block, one_line, printable


class SanitizeTests(SynchronousTestCase):
    """All characters of Unicode."""

    def test_no_control_character_remains(self) -> None:
        """Of all of Unicode only the line break, and only in texts of several lines."""
        for code in range(0x110000):
            char = chr(code)
            if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
                for shown in (one_line(char), printable(char).replace("\n", "")):
                    self.assertTrue(
                        all(unicodedata.category(each) not in ("Cc", "Cf") for each in shown), code
                    )

    def test_control_characters_become_visible(self) -> None:
        """They are shown in caret notation, or as U+FFFD."""
        self.assertEqual(one_line("\x1b[2J\x07\x7f"), "^[[2J^G^?")
        self.assertEqual(one_line("a\tb"), "a       b")
        self.assertEqual(one_line("a\r\nb\nc\rd"), "a\\nb\\nc^Md")
        self.assertEqual(one_line("caf\u00e9 \\ \u65e5"), "caf\u00e9 \\ \u65e5")

    def test_later_lines_of_a_message_are_indented(self) -> None:
        """They cannot imitate a line of the client."""
        self.assertEqual(
            block("hi\nNew message from Alicia: \nliar"), "hi\n  New message from Alicia: \n  liar"
        )
