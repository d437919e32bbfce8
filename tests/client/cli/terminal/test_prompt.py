"""The prompt with its answer."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.client.cli.terminal.prompt import Prompt
from tests.doubles.screen import RecordingComposer


class PromptTests(SynchronousTestCase):
    """`Prompt`."""

    def test_answer_is_drawn_after_the_text(self) -> None:
        """The cursor is in the answer."""
        prompt = Prompt("> ", [])
        prompt.editor.insert("hello")
        prompt.editor.left()
        self.assertEqual(prompt.content(), ("> hello", 6))

    def test_hidden_answer_is_not_drawn(self) -> None:
        """The cursor stays behind the text, so the length is not shown either."""
        prompt = Prompt("Password: ", [], hidden=True)
        prompt.editor.insert("secret")
        self.assertEqual(prompt.content(), ("Password: ", 10))
        self.assertEqual(prompt.editor.text, "secret")

    def test_composer_completes_the_answer(self) -> None:
        """Without one, the function for completion does, if there is any."""
        composer = RecordingComposer()
        complete = Prompt("> ", [], complete=lambda text: ["other"], composer=composer).complete
        assert complete is not None
        self.assertEqual(complete("bo"), composer.complete("bo"))
        complete = Prompt("> ", [], complete=lambda text: [text + "!"]).complete
        assert complete is not None
        self.assertEqual(complete("bo"), ["bo!"])
        self.assertIsNone(Prompt("> ", []).complete)

    def test_history_is_that_of_the_caller(self) -> None:
        """An entered line is added to it."""
        history = ["one"]
        prompt = Prompt("> ", history)
        prompt.editor.older()
        self.assertEqual(prompt.content(), ("> one", 5))
        prompt.editor.insert(" two")
        prompt.editor.enter()
        self.assertEqual(history, ["one", "one two"])
