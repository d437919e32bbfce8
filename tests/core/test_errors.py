"""Every refusal has a code that programs can rely on and a sentence that people can read."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from chatd.core import errors
from chatd.core.errors import ChatdError, Fatal, Refused


def family(parent: type[ChatdError]) -> list[type[ChatdError]]:
    """A class and all that come from it."""
    return [parent, *(child for direct in parent.__subclasses__() for child in family(direct))]


EARLIER_CODES = {errors.OpenAccountsForbidden: "password-needed"}
"""codes that programs rely on, of classes that have been renamed since"""

EVERY = [kind for kind in family(ChatdError) if kind.__module__ == errors.__name__]


class Errors(SynchronousTestCase):
    """All of them at once."""

    def test_all_are_here(self) -> None:
        """The list below is not empty by accident, and nothing in the module is another sort of
        error."""
        defined = {value for value in vars(errors).values() if isinstance(value, type)}
        self.assertEqual({kind for kind in defined if issubclass(kind, BaseException)}, set(EVERY))
        self.assertGreater(len(EVERY), 15)

    def test_codes_are_unique(self) -> None:
        """A program that sees a code knows which error it was."""
        codes = [kind.code for kind in EVERY]
        self.assertEqual(sorted(codes), sorted(set(codes)))

    def test_codes_are_words(self) -> None:
        """Each class says its own code, in lower case with hyphens, made from the name of the
        class."""
        for kind in EVERY[1:]:
            self.assertIn("code", vars(kind), kind)
            words = re.sub(r"(?<!^)([A-Z])", r"-\1", kind.__name__).lower()
            self.assertEqual(kind.code, EARLIER_CODES.get(kind, words))

    def test_the_docstring_is_what_a_person_reads(self) -> None:
        """Without a sentence of its own, an error says its docstring, all of it, in one line."""
        for kind in EVERY:
            said = str(kind())
            self.assertEqual(said, " ".join((kind.__doc__ or "").split()), kind)
            self.assertNotIn("\n", said)
            self.assertGreater(len(said.split()), 1, kind)

    def test_a_better_sentence_wins(self) -> None:
        """Whoever raises an error can say more than the class knows."""
        for kind in EVERY:
            self.assertEqual(str(kind("the dog ate it")), "the dog ate it")

    def test_refused_or_fatal(self) -> None:
        """Each error either answers one request or ends something; none does both."""
        for kind in EVERY[1:]:
            self.assertEqual(issubclass(kind, Refused) + issubclass(kind, Fatal), 1, kind)
