"""Errors: codes that programs rely on, and sentences that users read."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from chatd.core import errors
from chatd.core.errors import ChatdError, Fatal, Refused


def family(parent: type[ChatdError]) -> list[type[ChatdError]]:
    """A class and all its subclasses."""
    return [parent, *(child for direct in parent.__subclasses__() for child in family(direct))]


EARLIER_CODES: dict[type[ChatdError], str] = {errors.OpenAccountsForbidden: "password-needed"}
"""the codes of classes that were renamed: programs rely on them"""

EVERY = [kind for kind in family(ChatdError) if kind.__module__ == errors.__name__]


class Errors(SynchronousTestCase):
    """All error classes."""

    def test_every_class_of_the_module_is_tested(self) -> None:
        """Every exception of the module is a `ChatdError`."""
        defined = {value for value in vars(errors).values() if isinstance(value, type)}
        self.assertEqual({kind for kind in defined if issubclass(kind, BaseException)}, set(EVERY))
        self.assertGreater(len(EVERY), 15)

    def test_codes_are_unique(self) -> None:
        """A code identifies one class."""
        codes = [kind.code for kind in EVERY]
        self.assertEqual(sorted(codes), sorted(set(codes)))

    def test_code_is_the_name_of_the_class(self) -> None:
        """In lower case with hyphens, except for the codes of renamed classes."""
        for kind in EVERY[1:]:
            self.assertIn("code", vars(kind), kind)
            words = re.sub(r"(?<!^)([A-Z])", r"-\1", kind.__name__).lower()
            self.assertEqual(kind.code, EARLIER_CODES.get(kind, words))

    def test_docstring_is_the_general_sentence(self) -> None:
        """In one line, with more than one word."""
        for kind in EVERY:
            sentence = str(kind())
            self.assertEqual(sentence, " ".join((kind.__doc__ or "").split()), kind)
            self.assertNotIn("\n", sentence)
            self.assertGreater(len(sentence.split()), 1, kind)

    def test_given_sentence_replaces_the_general_one(self) -> None:
        """The code that raises an error can be more specific."""
        for kind in EVERY:
            self.assertEqual(str(kind("The disk is full.")), "The disk is full.")

    def test_every_error_is_either_refused_or_fatal(self) -> None:
        """No class is both."""
        for kind in EVERY[1:]:
            self.assertEqual(issubclass(kind, Refused) + issubclass(kind, Fatal), 1, kind)
