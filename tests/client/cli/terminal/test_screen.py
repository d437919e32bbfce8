"""The terminal screen: typing, printing, and both at the same time."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.cli.output.style import DIM, Span
from chatd.client.cli.screen import EndOfInput
from chatd.client.cli.terminal.screen import Terminal, TerminalScreen
from chatd.client.cli.terminal.wrap import Wrapped
from tests.doubles.screen import RecordingComposer
from tests.doubles.terminal_emulator import TerminalEmulator

UP, DOWN, LEFT, HOME, DELETE = b"\x1b[A", b"\x1b[B", b"\x1b[D", b"\x1b[H", b"\x1b[3~"

# Events for the property test: keys, a paste, a printed line, another size.
EVENTS: list[bytes | str] = [
    b"a",
    b"bc ",
    b"x" * 9,
    LEFT,
    LEFT * 4,
    HOME,
    b"\x05",
    b"\x7f",
    DELETE,
    UP,
]
EVENTS += [b"\x17", b"\x15", b"\x1b[200~p\rq\x1b[201~", b"\x0c", "message", "size"]


class TerminalFixture:
    """A `TerminalScreen` on an emulated terminal of this size."""

    def __init__(self, width: int = 40, height: int = 10, colours: bool = False) -> None:
        self.emulator = TerminalEmulator(width, height)
        self.interrupts = 0
        self.screen = TerminalScreen(
            lambda: (self.emulator.width, self.emulator.height), self._interrupted, colours
        )
        self.protocol = Terminal(lambda: self.screen)
        self.transport = StringTransport()
        self.protocol.makeConnection(self.transport)

    def press(self, keys: bytes) -> None:
        """Type keys, or paste a text."""
        self.protocol.dataReceived(keys)

    def lines(self) -> list[str]:
        """The lines on the terminal, without empty lines at the end."""
        self.emulator.feed(self.transport.value().decode("utf-8"))
        self.transport.clear()
        lines = self.emulator.lines()
        while lines and not lines[-1]:
            lines.pop()
        return lines

    def cursor(self) -> tuple[int, int]:
        """Row and column of the cursor."""
        self.lines()
        return self.emulator.row, self.emulator.column

    def _interrupted(self) -> None:
        self.interrupts += 1


class TypingTests(SynchronousTestCase):
    """Answers to prompts."""

    def setUp(self) -> None:
        self.terminal = TerminalFixture()

    def answer(self, keys: bytes, prompt: str = "> ") -> str:
        """Answer a prompt with these keys and Enter; returns the line."""
        reply = self.terminal.screen.ask(prompt)
        self.terminal.press(keys + b"\r")
        return self.successResultOf(reply)

    def test_line_is_returned_and_stays_on_the_screen(self) -> None:
        """The cursor is below it."""
        self.assertEqual(self.answer(b"hello"), "hello")
        self.assertEqual(self.terminal.lines(), ["> hello"])
        self.assertEqual(self.terminal.cursor(), (1, 0))

    def test_keys_edit_the_line(self) -> None:
        """Arrows, Ctrl and Alt keys, in both modes of a terminal."""
        for keys, line in (
            (b"hllo" + LEFT * 3 + b"e", "hello"),
            (b"hexllo" + LEFT * 4 + DELETE, "hello"),
            (b"ello" + HOME + b"h", "hello"),
            (b"ello\x1b[1~h\x1b[4~!", "hello!"),
            (b"ello\x1bOHh\x1bOF!", "hello!"),
            (b"ello\x01h\x05!", "hello!"),
            (b"helloo\x7f", "hello"),
            (b"helloo\x08", "hello"),
            (b"nonsense\x15hello", "hello"),
            (b"hello wrld\x17world", "hello world"),
            (b"hello world\x1bb\x0b", "hello "),
            (b"two one \x1b[1;5D\x1b[1;5D\x1bd\x05\x19", " one two"),
            (b"a\x1b[99~b\x1b[5~c", "abc"),
            ("h\u00e9 \u65e5\u672c".encode(), "h\u00e9 \u65e5\u672c"),
            (b"a\xffb", "a\ufffdb"),
            (b"ab\x04" + LEFT + b"\x04", "a"),
        ):
            self.assertEqual(self.answer(keys), line)

    def test_each_prompt_has_its_own_history(self) -> None:
        """Passwords are not in it."""
        self.answer(b"one")
        self.answer(b"two")
        self.answer(b"Bobert", "Recipient: ")
        password = self.terminal.screen.ask("> ", hidden=True)
        self.terminal.press(b"secret\r")
        self.assertEqual(self.successResultOf(password), "secret")
        self.assertEqual(self.answer(b"draft" + UP + UP), "one")
        self.assertEqual(self.answer(b"draft" + UP + DOWN), "draft")
        self.assertEqual(self.answer(UP, "Recipient: "), "Bobert")

    def test_hidden_answer_is_not_shown(self) -> None:
        """No stars are shown in its place."""
        reply = self.terminal.screen.ask("Password: ", hidden=True)
        self.terminal.press(b"secret")
        self.terminal.screen.show("news")
        self.assertEqual(self.terminal.lines(), ["news", "Password:"])
        self.terminal.press(b"\r")
        self.assertEqual(self.successResultOf(reply), "secret")
        self.assertEqual(self.terminal.lines(), ["news", "Password:"])

    def test_keys_typed_ahead_answer_the_next_prompts(self) -> None:
        """A hidden answer stays hidden."""
        self.terminal.press(b"one\rse")
        self.terminal.press(b"cret\rthr")
        self.assertEqual(self.terminal.lines(), [])
        self.assertEqual(self.successResultOf(self.terminal.screen.ask("> ")), "one")
        self.assertEqual(
            self.successResultOf(self.terminal.screen.ask("Password: ", hidden=True)), "secret"
        )
        third = self.terminal.screen.ask("> ")
        self.assertEqual(self.terminal.lines(), ["> one", "Password:", "> thr"])
        self.terminal.press(b"ee\r")
        self.assertEqual(self.successResultOf(third), "three")

    def test_pasted_lines_are_one_text_without_control_characters(self) -> None:
        """It is entered only by Enter."""
        reply = self.terminal.screen.ask("Message: ")
        self.terminal.press(b"\x1b[200~one\r\ntwo\n\nthree\x04\x15\tx\r\x1b[201~")
        self.assertNoResult(reply)
        self.assertEqual(self.terminal.lines(), ["Message: one", "two", "", "three    x"])
        self.terminal.press(b"\r")
        self.assertEqual(self.successResultOf(reply), "one\ntwo\n\nthree    x")

    def test_paste_ends_at_its_mark_whatever_is_before_it(self) -> None:
        """Neither ESC at its end nor any division into reads joins the mark to the text."""
        pasted = b"\x1b[200~caf\xc3\xa9 \x1b[3\x1b\x1b[201~!"
        for size in range(1, len(pasted) + 1):
            reply = self.terminal.screen.ask("> ")
            for start in range(0, len(pasted), size):
                self.terminal.press(pasted[start : start + size])
            self.terminal.press(b"\r")
            self.assertEqual(self.successResultOf(reply), "caf\u00e9 [3!", size)

    def test_ctrl_c_in_a_pasted_text_is_ignored(self) -> None:
        """It is a character of the text, not a key."""
        reply = self.terminal.screen.ask("> ")
        self.terminal.press(b"\x1b[200~a\x03b\x1b[201~\r")
        self.assertEqual(self.successResultOf(reply), "ab")
        self.assertEqual(self.terminal.interrupts, 0)

    def test_escape_before_a_paste_does_not_change_the_next_key(self) -> None:
        """It would be a key with Alt."""
        self.assertEqual(self.answer(b"one \x1b\x1b[200~two\x1b[201~b"), "one twob")

    def test_long_paste_is_inserted_at_once(self) -> None:
        """Its time does not grow with the square of its length. The composer is called once."""
        composer = RecordingComposer()
        reply = self.terminal.screen.compose("> ", composer)
        self.terminal.press(b"\x1b[200~" + b"word " * 20_000 + b"\x1b[201~\r")
        self.assertEqual(len(self.successResultOf(reply)), 100_000)
        self.assertEqual(len(composer.texts), 1)

    def test_paste_without_bracketed_mode_answers_prompts_line_by_line(self) -> None:
        """The terminal does not distinguish it from typing."""
        first = self.terminal.screen.ask("> ")
        self.terminal.press(b"one\rtwo\r")
        self.assertEqual(self.successResultOf(first), "one")
        self.assertEqual(self.successResultOf(self.terminal.screen.ask("> ")), "two")

    def test_line_break_of_a_pasted_password_is_ignored(self) -> None:
        """It is often copied with the password."""
        reply = self.terminal.screen.ask("Password: ", hidden=True)
        self.terminal.press(b"\x1b[200~secret\r\x1b[201~\r")
        self.assertEqual(self.successResultOf(reply), "secret")

    def test_tab_inserts_the_common_prefix_or_lists_completions(self) -> None:
        """Completions with control characters are ignored."""
        reply = self.terminal.screen.ask(
            "> ", complete=lambda text: [f"{text}bert", f"{text}bot", "\x1b"]
        )
        self.terminal.press(b"/msg Bo\t")
        self.assertEqual(self.terminal.lines(), ["> /msg Bob"])
        self.terminal.screen.ask(
            "> ", complete=lambda text: ["/msg alan ", "/msg alice ", "\x1b[2J"]
        )
        self.terminal.press(b"/msg al\t")
        self.assertEqual(self.terminal.lines()[-2:], ["alan  alice", "> /msg al"])
        self.assertNoResult(reply)

    def test_ctrl_l_clears_all_but_the_line(self) -> None:
        """The line stays as it is."""
        self.terminal.screen.show("old")
        self.terminal.screen.ask("> ")
        self.terminal.press(b"abc\x0c")
        self.assertEqual(self.terminal.lines(), ["> abc"])


class ComposingTests(SynchronousTestCase):
    """Lines of a conversation, which have a composer."""

    def setUp(self) -> None:
        self.terminal = TerminalFixture()
        self.composer = RecordingComposer()

    def compose(self, keys: bytes, prompt: str = "#lobby> ") -> Deferred[str]:
        """Compose a line of the conversation with these keys."""
        reply = self.terminal.screen.compose(prompt, self.composer)
        self.terminal.press(keys)
        return reply

    def test_commands_stay_and_messages_are_erased(self) -> None:
        """Each change of the text is reported."""
        self.assertEqual(self.successResultOf(self.compose(b"hel\x7fllo\r")), "hello")
        self.terminal.screen.show("#lobby <alice> hello")
        self.assertEqual(self.successResultOf(self.compose(b"/who\r")), "/who")
        self.terminal.screen.show("bob")
        self.assertEqual(self.terminal.lines(), ["#lobby <alice> hello", "#lobby> /who", "bob"])
        self.assertEqual(self.composer.texts[:5], ["h", "he", "hel", "he", "hel"])

    def test_all_targets_share_one_history(self) -> None:
        """Answers to questions are not in it."""
        self.compose(b"one\r", "#lobby> ")
        self.terminal.screen.ask("Sure? ")
        self.terminal.press(b"y\r")
        self.assertEqual(self.successResultOf(self.compose(UP + b"\r", "bob> ")), "one")

    def test_composer_completes_the_line(self) -> None:
        """The completed text is reported."""
        self.compose(b"bo\t")
        self.assertEqual(self.terminal.lines(), ["#lobby> bobert:"])
        self.assertEqual(self.composer.texts[-1], "bobert: ")

    def test_set_prompt_keeps_line_and_cursor(self) -> None:
        """It has no effect on questions."""
        self.compose(b"hello" + LEFT)
        self.terminal.screen.set_prompt("#lobby (bob typing)> ")
        self.assertEqual(self.terminal.lines(), ["#lobby (bob typing)> hello"])
        self.assertEqual(self.terminal.cursor(), (0, 25))
        self.terminal.screen.set_prompt("> ")
        self.assertEqual(self.terminal.lines(), ["> hello"])
        self.terminal.press(b"\r")
        self.terminal.screen.set_prompt("lost> ")
        self.terminal.screen.ask("Sure? ")
        self.terminal.screen.set_prompt("lost> ")
        self.assertEqual(self.terminal.lines()[-1], "Sure?")

    def test_ctrl_d_on_an_empty_line_ends_the_input(self) -> None:
        """This line and all later ones fail."""
        self.failureResultOf(self.compose(b"\x04"), EndOfInput)
        self.failureResultOf(self.compose(b""), EndOfInput)


class EndTests(SynchronousTestCase):
    """Ctrl-C, Ctrl-D, and closed terminals."""

    def setUp(self) -> None:
        self.terminal = TerminalFixture()

    def test_ctrl_c_interrupts_at_once(self) -> None:
        """There may be a prompt or none; the line stays visible."""
        self.terminal.press(b"\x03")
        self.assertEqual(self.terminal.interrupts, 1)
        self.terminal.screen.ask("> ")
        self.terminal.press(b"half\x03")
        self.terminal.screen.show("bye")
        self.assertEqual(self.terminal.interrupts, 2)
        self.assertEqual(self.terminal.lines(), ["> half", "bye"])

    def test_ctrl_d_on_an_empty_prompt_ends_the_input(self) -> None:
        """This prompt and all later ones fail."""
        reply = self.terminal.screen.ask("> ")
        self.terminal.press(b"\x04")
        self.failureResultOf(reply, EndOfInput)
        self.failureResultOf(self.terminal.screen.ask("> "), EndOfInput)

    def test_cancelled_prompt_stays_and_output_continues_below(self) -> None:
        """The prompt accepts no more keys."""
        reply = self.terminal.screen.ask("> ")
        self.terminal.press(b"half")
        reply.cancel()
        self.failureResultOf(reply)
        self.terminal.screen.show("bye")
        self.assertEqual(self.terminal.lines(), ["> half", "bye"])

    def test_close_restores_the_paste_mode_and_keeps_the_output(self) -> None:
        """The screen is not cleared."""
        self.terminal.screen.show("old")
        self.assertEqual(
            (self.terminal.lines(), self.terminal.emulator.modes), (["old"], {"?2004"})
        )
        closed = self.terminal.screen.close()
        self.assertTrue(self.terminal.transport.disconnecting)
        self.assertNoResult(closed)
        self.lose_terminal()
        self.successResultOf(closed)
        self.assertEqual((self.terminal.lines(), self.terminal.emulator.modes), (["old"], set()))

    def test_prompt_is_drawn_again_after_a_stop(self) -> None:
        """With what was typed; pastes are marked again."""
        self.terminal.screen.ask("> ")
        self.terminal.press(b"hel")
        self.terminal.lines()
        self.terminal.emulator.feed("\r\n$ fg\r\n")
        self.terminal.screen.continued()
        self.assertIn(b"\x1b[?2004h", self.terminal.transport.value())
        self.terminal.press(b"lo")
        self.assertEqual(self.terminal.lines()[-2:], ["$ fg", "> hello"])

    def test_closed_terminal_ends_the_input(self) -> None:
        """Closing does not wait then."""
        reply: Deferred[str] = self.terminal.screen.ask("> ")
        self.lose_terminal()
        self.failureResultOf(reply, EndOfInput)
        self.successResultOf(self.terminal.screen.close())

    def lose_terminal(self) -> None:
        """Close the transport."""
        self.terminal.protocol.connectionLost(Failure(ConnectionDone()))


class DrawingTests(SynchronousTestCase):
    """Output above the line that is being typed."""

    def test_message_is_printed_above_the_unfinished_line(self) -> None:
        """The cursor stays in its column."""
        terminal = TerminalFixture()
        reply = terminal.screen.ask("> ")
        terminal.press(b"/msg Bobert hi" + LEFT * 2)
        column = terminal.cursor()[1]
        terminal.screen.show_message("Bobert", "Hey!")
        self.assertEqual(
            terminal.lines(), ["New message from Bobert:", "Hey!", "", "> /msg Bobert hi"]
        )
        self.assertEqual(terminal.cursor(), (3, column))
        terminal.press(b"X\r")
        self.assertEqual(self.successResultOf(reply), "/msg Bobert Xhi")

    def test_sent_message_has_its_recipient_above(self) -> None:
        """The old client prints it in this way."""
        terminal = TerminalFixture()
        terminal.screen.show_sent("Bobert", "Salutations")
        self.assertEqual(terminal.lines(), ["Sent to Bobert:", "Salutations"])

    def test_control_characters_never_reach_the_terminal(self) -> None:
        """The emulator fails on any of them."""
        terminal = TerminalFixture()
        terminal.screen.ask("> ")
        terminal.screen.show_message("\x1b[2Jeve", "\x1b]0;title\x07\r\x00\x7f\ta")
        terminal.screen.show("\tna\x1bme\n")
        terminal.screen.show_error("\x9b2J")
        terminal.screen.note("\x1bc")
        self.assertEqual(terminal.lines()[0], "New message from ^[[2Jeve:")

    def test_colours_are_printed_if_wanted(self) -> None:
        """Texts from the network add none."""
        line = (Span("bob\x1b[31m", "32"), Span(": hi\n\x1b[0mthere", DIM))
        for colours, styles in ((True, {"32", "2", "0"}), (False, set())):
            terminal = TerminalFixture(colours=colours)
            terminal.screen.show_styled(line)
            self.assertEqual(terminal.lines(), ["bob^[[31m: hi", "  ^[[0mthere"])
            self.assertEqual(terminal.emulator.styles, styles)

    def test_line_longer_than_the_screen_is_shown_around_the_cursor(self) -> None:
        """Earlier output is not overwritten, and the whole line is returned."""
        terminal = TerminalFixture(10, 5)
        terminal.screen.show("old")
        text = bytes(range(65, 91)) * 4
        reply = terminal.screen.ask("> ")
        terminal.press(text)
        self.assertIn(text[-5:].decode(), terminal.lines()[-1])
        terminal.press(HOME)
        self.assertTrue(terminal.lines()[-4].startswith("> ABCDEFGH"), terminal.lines())
        terminal.screen.show("news")
        self.assertEqual(terminal.lines()[:2], ["old", "news"])
        terminal.press(b"\r")
        self.assertEqual(self.successResultOf(reply), text.decode())

    def test_character_at_the_end_of_the_line_is_written_alone(self) -> None:
        """Nothing else is drawn again."""
        terminal = TerminalFixture()
        terminal.screen.ask("> ")
        terminal.press(b"a")
        terminal.transport.clear()
        terminal.press(b"b")
        self.assertEqual(terminal.transport.value(), b"b")

    @settings(max_examples=150, deadline=None, derandomize=True)
    @given(
        st.integers(2, 30),
        st.lists(
            st.sampled_from(EVENTS),
            max_size=40,
        ),
    )
    def test_any_keys_and_output_leave_line_and_cursor_right(
        self, width: int, events: list[bytes | str]
    ) -> None:
        """The screen ends with the line, and the cursor is on its character."""
        terminal = TerminalFixture(width, 60)
        terminal.screen.ask("> ")
        messages = 0
        for event in events:
            if event == "message":
                terminal.screen.show("!")
                messages += 1
            elif event == "size":
                terminal.screen.resized()
            elif isinstance(event, bytes):
                terminal.press(event)
                messages *= event != b"\x0c"
            prompt = terminal.screen._prompt
            assert prompt is not None
            text, cursor = prompt.content()
            wrapped = Wrapped(text, width)
            expected = [wrapped.slice(row, row + 1).rstrip() for row in range(len(wrapped.rows))]
            # What Ctrl-L scrolled out of sight or cleared is no part of this.
            terminal.lines()
            emulator = terminal.emulator
            first = emulator.row - wrapped.position(cursor)[0]
            self.assertEqual(emulator.lines()[first : first + len(expected)], expected)
            self.assertEqual(emulator.column, wrapped.position(cursor)[1])
            self.assertEqual(sum(line == "!" for line in emulator.lines()), messages)
