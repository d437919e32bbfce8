"""Styles: which parts of a line have which colour, and when."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.client.cli.message_cache import MessageCache
from chatd.client.cli.output import style as styling
from chatd.client.cli.output import wording
from chatd.client.cli.output.style import DIM, Span
from tests.doubles.client import pushed


class StyleTests(SynchronousTestCase):
    """Colours."""

    def test_names_have_constant_colours_and_own_messages_are_dim(self) -> None:
        """The case of the name does not matter."""
        cache = MessageCache()
        cache.account = "alice"
        own = wording.entry(pushed("#lobby", "alice", "hi"), cache)
        assert own is not None
        self.assertEqual({span.style for span in own}, {DIM})
        other = wording.entry(pushed("#lobby", "bob", "hi"), cache)
        assert other is not None
        self.assertIn(styling.name_span("bob"), other)
        self.assertEqual(styling.name_span("BOB").style, styling.name_span("bob").style)
        self.assertEqual(styling.styled_text("x", DIM), "\x1b[2mx\x1b[0m")
        self.assertEqual(styling.styled_text("x", Span("").style), "x")

    def test_colours_depend_on_the_environment(self) -> None:
        """See https://no-color.org"""
        for environment, wanted in (
            ({"TERM": "xterm"}, True),
            ({"TERM": "xterm", "NO_COLOR": ""}, True),
            ({"TERM": "xterm", "NO_COLOR": "1"}, False),
            ({"TERM": "dumb"}, False),
            ({}, False),
        ):
            self.assertEqual(styling.colours_wanted(environment), wanted)
