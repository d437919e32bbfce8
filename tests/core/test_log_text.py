"""What peers have written, as the log shows it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.core.log_text import LONGEST, one_line, tried_name


class LogTextTests(SynchronousTestCase):
    """Texts that try to be something else."""

    def test_name_stays_as_it_is(self) -> None:
        """In the spelling that the client gave."""
        self.assertEqual(tried_name("Ann.B_c-9"), "Ann.B_c-9")

    def test_name_cannot_imitate_another_part_of_the_line(self) -> None:
        """Neither brackets nor blanks, line breaks or escape sequences are logged."""
        name = "x ]\nClient (192.0.2.1, 5) refused: wrong-password\x1b[2J"
        self.assertEqual(tried_name(name), "x???Client??192.0.2.1??5??refuse")
        self.assertEqual(tried_name("ж\u202e"), "??")

    def test_name_is_no_longer_than_names_are(self) -> None:
        """Any more could fill the disk."""
        self.assertEqual(tried_name("x" * 65_536), "x" * 32)

    def test_text_of_an_operator_is_one_line_without_control_characters(self) -> None:
        """Letters of all scripts are legible."""
        self.assertEqual(one_line("Größe 世界\n\x1b[31mred\x07"), "Größe 世界\\n\\x1b[31mred\\x07")
        self.assertEqual(one_line("\u202egnp\u2028"), "\\u202egnp\\u2028")

    def test_long_text_is_cut_off(self) -> None:
        """A line of the log stays legible."""
        self.assertEqual(one_line("x" * LONGEST), "x" * LONGEST)
        self.assertEqual(one_line("\n" * (LONGEST + 1)), "\\n" * LONGEST + "...")
