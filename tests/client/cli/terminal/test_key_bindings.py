"""The key bindings: what each key does."""

from __future__ import annotations

from twisted.conch.insults.insults import FUNCTION_KEYS
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.cli.terminal import key_bindings as keys


class KeyBindingsTests(SynchronousTestCase):
    """Keys and escape sequences."""

    def test_enter_and_control_keys_have_their_usual_actions(self) -> None:
        """The bindings are those of a shell."""
        for key, action in (
            (b"\r", keys.ENTER),
            (b"\n", keys.ENTER),
            (b"\t", keys.COMPLETE),
            (b"\x03", keys.INTERRUPT),
            (b"\x04", keys.END),
            (b"\x0c", keys.CLEAR),
            (b"\x01", "home"),
            (b"\x15", "kill to start"),
            (b"\x17", "kill word"),
            (b"\x7f", "backspace"),
            (b"\x10", "older"),
            (b"[UP_ARROW]", "older"),
        ):
            self.assertEqual(keys.key_action(key, None), action, key)

    def test_characters_have_no_action(self) -> None:
        """They are inserted; unbound control keys are ignored."""
        for key in (b"a", b" ", b"\xc3", b"\x00", b"\x1a", b"[F1]", b"[INSERT]"):
            self.assertIsNone(keys.key_action(key, None), key)

    def test_alt_changes_the_action_of_some_keys(self) -> None:
        """Other keys have the same action with Alt as without."""
        self.assertEqual(keys.key_action(b"\x7f", keys.ALT), "kill word")
        self.assertEqual(keys.key_action(b"b", keys.ALT), "word left")
        self.assertIsNone(keys.key_action(b"b", None))
        self.assertEqual(keys.key_action(b"[LEFT_ARROW]", keys.ALT), "left")

    def test_arrows_with_control_or_alt_move_by_words(self) -> None:
        """A sequence that is not bound has no action."""
        for modifier in (b"3", b"5"):
            self.assertEqual(keys.sequence_action(b"\x1b[1;" + modifier + b"C"), "word right")
            self.assertEqual(keys.sequence_action(b"\x1b[1;" + modifier + b"D"), "word left")
        self.assertEqual(keys.sequence_action(b"\x1b[OA"), "older")
        self.assertIsNone(keys.sequence_action(b"\x1b[99~"))

    def test_every_action_is_known_to_the_screen(self) -> None:
        """It edits the line, or is one of those that the screen carries out."""
        screen_actions = {keys.ENTER, keys.INTERRUPT, keys.END, keys.CLEAR, keys.COMPLETE}
        tables = (keys._CONTROL, keys._ALT, keys._SEQUENCES)
        actions = {action for table in tables for action in table.values()}
        self.assertLessEqual(actions, screen_actions | keys.EDITS.keys())
        self.assertLessEqual(keys.EDITS.keys(), actions)

    def test_names_in_brackets_are_those_of_insults(self) -> None:
        """A misspelt name would never be reported."""
        names = {key for key in keys._CONTROL if key.startswith(b"[")} | {keys.ALT}
        self.assertLessEqual(names, set(FUNCTION_KEYS) | {b"[ALT]"})
