"""The form of invite tokens."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.core.invite_tokens import BYTES, encoded, has_form


class Form(SynchronousTestCase):
    """What may be a token."""

    def test_token_is_shown_in_groups_of_letters(self) -> None:
        """The digits 2 to 7 are among the letters."""
        self.assertEqual(encoded(bytes(BYTES)), "aaaaaaa-aaaaaaa-aaaaaaa-aaaaa")
        self.assertEqual(encoded(b"\xff" * BYTES), "7777777-7777777-7777777-77774")

    def test_token_has_its_form_in_any_case_and_grouping(self) -> None:
        """Names and other words do not have it."""
        token = encoded(bytes(range(BYTES)))
        for text in (token, token.upper(), token.replace("-", ""), f"-{token}-"):
            self.assertTrue(has_form(text), text)
        for text in (
            "",
            "b",
            "x" * 25,
            "x" * 27,
            token + "x",
            token[:-1],
            token[:-1] + "1",
            "\u017f" * 26,
        ):
            self.assertFalse(has_form(text), text)
