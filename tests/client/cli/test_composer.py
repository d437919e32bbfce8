"""The line being composed: typing notifications, completion, prompt."""

from __future__ import annotations

from chatd.codecs import v1_messages as c
from tests.doubles.chat import ChatTestCase
from tests.doubles.client import pushed


class ComposerTests(ChatTestCase):
    """A person in the lobby."""

    def setUp(self) -> None:
        super().setUp()
        self.begin()

    def test_typing_is_notified_and_shown_in_the_prompt(self) -> None:
        """Commands are not notified; a message ends the typing of its sender."""
        composer = self.screen.composer
        assert composer is not None
        composer.text_changed("h")
        composer.text_changed("he")
        self.assertEqual(self.requests(), [c.SayTyping(0, "#lobby", True)])
        composer.text_changed("/he")
        self.assertEqual(self.requests(), [c.SayTyping(0, "#lobby", False)])
        self.client.tell(c.Typing("#lobby", "bob", True), c.Typing("@alice", "carl", True))
        self.assertEqual(self.screen.prompt, "#lobby (bob typing)> ")
        self.client.tell(pushed("#lobby", "bob", "hi"))
        self.assertEqual(self.screen.prompt, "#lobby> ")

    def test_commands_stay_on_the_screen_and_messages_do_not(self) -> None:
        """Messages are printed again when they are stored."""
        composer = self.screen.composer
        assert composer is not None
        self.assertTrue(composer.stays_on_screen("/who"))
        for line in ("hi", "//hi", "/msg bob hi"):
            self.assertFalse(composer.stays_on_screen(line))

    def test_known_names_are_completed(self) -> None:
        """Accounts and rooms."""
        self.client.tell(pushed("#lobby", "Bobert", "hi"))
        composer = self.screen.composer
        assert composer is not None
        self.assertEqual(composer.complete("/msg bo"), ["/msg Bobert "])
        self.assertEqual(composer.complete("/to #l"), ["/to #lobby "])
