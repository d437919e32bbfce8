"""The terminal screen: typing, and messages that come meanwhile."""

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
from tests.doubles.terminal_emulator import TerminalEmulator

UP, DOWN, LEFT, HOME, DELETE = b"\x1b[A", b"\x1b[B", b"\x1b[D", b"\x1b[H", b"\x1b[3~"

# What can happen to a line: keys, a paste, news from the server, another size.
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


class Desk:
    """A terminal of this size with the screen on it."""

    def __init__(self, width: int = 40, height: int = 10, colours: bool = False) -> None:
        self.emulator = TerminalEmulator(width, height)
        self.interrupts = 0
        self.screen = TerminalScreen(
            lambda: (self.emulator.width, self.emulator.height), self._interrupted, colours
        )
        self.terminal = Terminal(lambda: self.screen)
        self.transport = StringTransport()
        self.terminal.makeConnection(self.transport)

    def press(self, keys: bytes) -> None:
        """The person types, or the terminal pastes."""
        self.terminal.dataReceived(keys)

    def lines(self) -> list[str]:
        """What stands on the terminal, without the empty lines at its end."""
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
    """Keys, and what they lead to."""

    def setUp(self) -> None:
        self.desk = Desk()

    def asked(self, keys: bytes, prompt: str = "> ") -> str:
        """What these keys and Enter answer."""
        reply = self.desk.screen.ask(prompt)
        self.desk.press(keys + b"\r")
        return self.successResultOf(reply)

    def test_line(self) -> None:
        """What is typed is what is answered, and it stays on the screen."""
        self.assertEqual(self.asked(b"hello"), "hello")
        self.assertEqual(self.desk.lines(), ["> hello"])
        self.assertEqual(self.desk.cursor(), (1, 0))

    def test_editing(self) -> None:
        """Arrows, Ctrl keys, Alt keys, in both of the modes a terminal can send them in."""
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
            self.assertEqual(self.asked(keys), line)

    def test_history(self) -> None:
        """The arrows bring back what was typed at this prompt; a password never comes back."""
        self.asked(b"one")
        self.asked(b"two")
        self.asked(b"Bobert", "Recipient: ")
        password = self.desk.screen.ask("> ", hidden=True)
        self.desk.press(b"secret\r")
        self.assertEqual(self.successResultOf(password), "secret")
        self.assertEqual(self.asked(b"draft" + UP + UP), "one")
        self.assertEqual(self.asked(b"draft" + UP + DOWN), "draft")
        self.assertEqual(self.asked(UP, "Recipient: "), "Bobert")

    def test_hidden(self) -> None:
        """Not a star of a password is shown."""
        reply = self.desk.screen.ask("Password: ", hidden=True)
        self.desk.press(b"secret")
        self.desk.screen.show("news")
        self.assertEqual(self.desk.lines(), ["news", "Password:"])
        self.desk.press(b"\r")
        self.assertEqual(self.successResultOf(reply), "secret")
        self.assertEqual(self.desk.lines(), ["news", "Password:"])

    def test_typed_ahead(self) -> None:
        """Keys that come while nothing is asked answer what is asked next, a password's keys
        unseen."""
        self.desk.press(b"one\rse")
        self.desk.press(b"cret\rthr")
        self.assertEqual(self.desk.lines(), [])
        self.assertEqual(self.successResultOf(self.desk.screen.ask("> ")), "one")
        self.assertEqual(
            self.successResultOf(self.desk.screen.ask("Password: ", hidden=True)), "secret"
        )
        third = self.desk.screen.ask("> ")
        self.assertEqual(self.desk.lines(), ["> one", "Password:", "> thr"])
        self.desk.press(b"ee\r")
        self.assertEqual(self.successResultOf(third), "three")

    def test_paste(self) -> None:
        """Several lines are one text, its control characters mean nothing, and it is not sent by
        itself."""
        reply = self.desk.screen.ask("Message: ")
        self.desk.press(b"\x1b[200~one\r\ntwo\n\nthree\x04\x15\tx\r\x1b[201~")
        self.assertNoResult(reply)
        self.assertEqual(self.desk.lines(), ["Message: one", "two", "", "three    x"])
        self.desk.press(b"\r")
        self.assertEqual(self.successResultOf(reply), "one\ntwo\n\nthree    x")

    def test_paste_without_brackets(self) -> None:
        """A terminal that cannot tell a paste from typing: each line answers a question."""
        first = self.desk.screen.ask("> ")
        self.desk.press(b"one\rtwo\r")
        self.assertEqual(self.successResultOf(first), "one")
        self.assertEqual(self.successResultOf(self.desk.screen.ask("> ")), "two")

    def test_pasted_password(self) -> None:
        """The line break that was copied with it is not part of it."""
        reply = self.desk.screen.ask("Password: ", hidden=True)
        self.desk.press(b"\x1b[200~secret\r\x1b[201~\r")
        self.assertEqual(self.successResultOf(reply), "secret")

    def test_completion(self) -> None:
        """As far as it is clear, and then what there is."""
        reply = self.desk.screen.ask(
            "> ", complete=lambda text: [f"{text}bert", f"{text}bot", "\x1b"]
        )
        self.desk.press(b"/msg Bo\t")
        self.assertEqual(self.desk.lines(), ["> /msg Bob"])
        self.desk.screen.ask("> ", complete=lambda text: ["/msg alan ", "/msg alice ", "\x1b[2J"])
        self.desk.press(b"/msg al\t")
        self.assertEqual(self.desk.lines()[-2:], ["alan  alice", "> /msg al"])
        self.assertNoResult(reply)

    def test_clear(self) -> None:
        """Ctrl-L leaves only the line."""
        self.desk.screen.show("old")
        self.desk.screen.ask("> ")
        self.desk.press(b"abc\x0c")
        self.assertEqual(self.desk.lines(), ["> abc"])


class Author:
    """Keeps commands on the screen, and remembers what was typed."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def complete(self, text: str) -> list[str]:
        """One way to go on."""
        return [f"{text}bert: "]

    def text_changed(self, text: str) -> None:
        """Remember it."""
        self.texts.append(text)

    def stays_on_screen(self, line: str) -> bool:
        """Commands."""
        return line.startswith("/")


class ComposingTests(SynchronousTestCase):
    """Lines of a conversation."""

    def setUp(self) -> None:
        self.desk = Desk()
        self.author = Author()

    def compose(self, keys: bytes, prompt: str = "#lobby> ") -> Deferred[str]:
        """Type this for the conversation."""
        reply = self.desk.screen.compose(prompt, self.author)
        self.desk.press(keys)
        return reply

    def test_said(self) -> None:
        """It makes room for how it is shown to all; commands stay."""
        self.assertEqual(self.successResultOf(self.compose(b"hel\x7fllo\r")), "hello")
        self.desk.screen.show("#lobby <alice> hello")
        self.assertEqual(self.successResultOf(self.compose(b"/who\r")), "/who")
        self.desk.screen.show("bob")
        self.assertEqual(self.desk.lines(), ["#lobby <alice> hello", "#lobby> /who", "bob"])
        self.assertEqual(self.author.texts[:5], ["h", "he", "hel", "he", "hel"])

    def test_one_history(self) -> None:
        """Wherever it was said; a question's answers are apart."""
        self.compose(b"one\r", "#lobby> ")
        self.desk.screen.ask("Sure? ")
        self.desk.press(b"y\r")
        self.assertEqual(self.successResultOf(self.compose(UP + b"\r", "bob> ")), "one")

    def test_completion(self) -> None:
        """By whoever is written to."""
        self.compose(b"bo\t")
        self.assertEqual(self.desk.lines(), ["#lobby> bobert:"])
        self.assertEqual(self.author.texts[-1], "bobert: ")

    def test_reprompt(self) -> None:
        """What is being typed stays, the cursor in its place."""
        self.compose(b"hello" + LEFT)
        self.desk.screen.set_prompt("#lobby (bob writing)> ")
        self.assertEqual(self.desk.lines(), ["#lobby (bob writing)> hello"])
        self.assertEqual(self.desk.cursor(), (0, 26))
        self.desk.screen.set_prompt("> ")
        self.assertEqual(self.desk.lines(), ["> hello"])
        self.desk.press(b"\r")
        self.desk.screen.set_prompt("lost> ")
        self.desk.screen.ask("Sure? ")
        self.desk.screen.set_prompt("lost> ")
        self.assertEqual(self.desk.lines()[-1], "Sure?")

    def test_end(self) -> None:
        """Ctrl-D on an empty line."""
        self.failureResultOf(self.compose(b"\x04"), EndOfInput)
        self.failureResultOf(self.compose(b""), EndOfInput)


class LeavingTests(SynchronousTestCase):
    """Ctrl-C, Ctrl-D, and terminals that go away."""

    def setUp(self) -> None:
        self.desk = Desk()

    def test_ctrl_c(self) -> None:
        """It is heard at once, asked or not, and what was typed stays visible."""
        self.desk.press(b"\x03")
        self.assertEqual(self.desk.interrupts, 1)
        self.desk.screen.ask("> ")
        self.desk.press(b"half\x03")
        self.desk.screen.show("bye")
        self.assertEqual(self.desk.interrupts, 2)
        self.assertEqual(self.desk.lines(), ["> half", "bye"])

    def test_ctrl_d(self) -> None:
        """On an empty line it is the end, for this question and every later one."""
        reply = self.desk.screen.ask("> ")
        self.desk.press(b"\x04")
        self.failureResultOf(reply, EndOfInput)
        self.failureResultOf(self.desk.screen.ask("> "), EndOfInput)

    def test_cancelled(self) -> None:
        """A question that nobody wants answered any more goes, and the next line is below it."""
        reply = self.desk.screen.ask("> ")
        self.desk.press(b"half")
        reply.cancel()
        self.failureResultOf(reply)
        self.desk.screen.show("bye")
        self.assertEqual(self.desk.lines(), ["> half", "bye"])

    def test_close(self) -> None:
        """The terminal gets back what it was asked to change; nothing that was said is wiped."""
        self.desk.screen.show("said")
        self.assertEqual((self.desk.lines(), self.desk.emulator.modes), (["said"], {"?2004"}))
        closed = self.desk.screen.close()
        self.assertTrue(self.desk.transport.disconnecting)
        self.assertNoResult(closed)
        self.terminal_gone()
        self.successResultOf(closed)
        self.assertEqual((self.desk.lines(), self.desk.emulator.modes), (["said"], set()))

    def test_terminal_gone(self) -> None:
        """A closed window is the end of the input."""
        reply: Deferred[str] = self.desk.screen.ask("> ")
        self.terminal_gone()
        self.failureResultOf(reply, EndOfInput)
        self.successResultOf(self.desk.screen.close())

    def terminal_gone(self) -> None:
        """The transport is gone."""
        self.desk.terminal.connectionLost(Failure(ConnectionDone()))


class DrawingTests(SynchronousTestCase):
    """The line being typed survives whatever is shown."""

    def test_message_above_half_a_line(self) -> None:
        """The message in full, then the line as it was, the cursor where it was."""
        desk = Desk()
        reply = desk.screen.ask("> ")
        desk.press(b"/msg Bobert hi" + LEFT * 2)
        column = desk.cursor()[1]
        desk.screen.show_message("Bobert", "Hey!")
        self.assertEqual(desk.lines(), ["New message from Bobert:", "Hey!", "", "> /msg Bobert hi"])
        self.assertEqual(desk.cursor(), (3, column))
        desk.press(b"X\r")
        self.assertEqual(self.successResultOf(reply), "/msg Bobert Xhi")

    def test_sent(self) -> None:
        """The form of the old screen."""
        desk = Desk()
        desk.screen.show_sent("Bobert", "Salutations")
        self.assertEqual(desk.lines(), ["Sent to Bobert:", "Salutations"])

    def test_control_characters(self) -> None:
        """The emulator fails on any; what comes from the network is shown, not obeyed."""
        desk = Desk()
        desk.screen.ask("> ")
        desk.screen.show_message("\x1b[2Jeve", "\x1b]0;title\x07\r\x00\x7f\ta")
        desk.screen.show("\tna\x1bme\n")
        desk.screen.show_error("\x9b2J")
        desk.screen.note("\x1bc")
        self.assertEqual(desk.lines()[0], "New message from ^[[2Jeve:")

    def test_colours(self) -> None:
        """Where there are any; what comes from the network adds none."""
        line = (Span("bob\x1b[31m", "32"), Span(": hi\n\x1b[0mthere", DIM))
        for colours, styles in ((True, {"32", "2", "0"}), (False, set())):
            desk = Desk(colours=colours)
            desk.screen.show_styled(line)
            self.assertEqual(desk.lines(), ["bob^[[31m: hi", "  ^[[0mthere"])
            self.assertEqual(desk.emulator.styles, styles)

    def test_longer_than_the_screen(self) -> None:
        """The part around the cursor is shown, nothing that was said is lost, the text is whole."""
        desk = Desk(10, 5)
        desk.screen.show("said")
        text = bytes(range(65, 91)) * 4
        reply = desk.screen.ask("> ")
        desk.press(text)
        self.assertIn(text[-5:].decode(), desk.lines()[-1])
        desk.press(HOME)
        self.assertTrue(desk.lines()[-4].startswith("> ABCDEFGH"), desk.lines())
        desk.screen.show("news")
        self.assertEqual(desk.lines()[:2], ["said", "news"])
        desk.press(b"\r")
        self.assertEqual(self.successResultOf(reply), text.decode())

    def test_wide_characters(self) -> None:
        """They take two columns, accents that combine none."""
        wrapped = Wrapped("ab\u65e5e\u0301", 4)
        self.assertEqual(wrapped.rows, [0, 3])
        self.assertEqual(wrapped.position(5), (1, 1))
        self.assertEqual(wrapped.position(2), (0, 2))

    def test_same_keys_less_output(self) -> None:
        """A character at the end of the line is one byte, not a new drawing."""
        desk = Desk()
        desk.screen.ask("> ")
        desk.press(b"a")
        desk.transport.clear()
        desk.press(b"b")
        self.assertEqual(desk.transport.value(), b"b")

    @settings(max_examples=150, deadline=None, derandomize=True)
    @given(
        st.integers(2, 30),
        st.lists(
            st.sampled_from(EVENTS),
            max_size=40,
        ),
    )
    def test_any_typing_with_any_news(self, width: int, events: list[bytes | str]) -> None:
        """After anything, the screen ends with the line as it is, the cursor on its character."""
        desk = Desk(width, 60)
        desk.screen.ask("> ")
        messages = 0
        for event in events:
            if event == "message":
                desk.screen.show("!")
                messages += 1
            elif event == "size":
                desk.screen.resized()
            elif isinstance(event, bytes):
                desk.press(event)
                messages *= event != b"\x0c"
            prompt = desk.screen._prompt
            assert prompt is not None
            text, cursor = prompt.content()
            wrapped = Wrapped(text, width)
            expected = [wrapped.slice(row, row + 1).rstrip() for row in range(len(wrapped.rows))]
            # What Ctrl-L scrolled out of sight or cleared is no part of this.
            desk.lines()
            emulator = desk.emulator
            first = emulator.row - wrapped.position(cursor)[0]
            self.assertEqual(emulator.lines()[first : first + len(expected)], expected)
            self.assertEqual(emulator.column, wrapped.position(cursor)[1])
            self.assertEqual(sum(line == "!" for line in emulator.lines()), messages)
