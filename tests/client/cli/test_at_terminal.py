"""The real client at a pseudo-terminal, over version 1, with a real daemon."""

from __future__ import annotations

import re
import signal
import socket
import termios
import time
from pathlib import Path

from chatd.client.cli.terminal.screen import PASTE_OFF
from tests.doubles.client_process import PATIENCE, ClientCase, TerminalUser


class TerminalTests(ClientCase):
    """Alice and Bob talk."""

    def user(self, name: str, password: str = "") -> TerminalUser:
        """A client with a new account, in the lobby."""
        user = TerminalUser(self, name, self.url)
        user.answers("(empty: anyone can log in): ", password)
        if password:
            user.answers("Password again: ", password)
        user.sees_joined(name, "#lobby")
        user.sees("#lobby> ")
        return user

    def types(self, user: TerminalUser, *lines: str) -> None:
        """Type lines, each with Enter."""
        for line in lines:
            user.presses(line + "\r")

    def plain(self, user: TerminalUser) -> list[str]:
        """The lines on the terminal, with times replaced."""
        return [re.sub(r"^\d\d:\d\d ", "00:00 ", line) for line in user.screen()]

    def test_conversation_in_rooms_and_in_private(self) -> None:
        """It contains edits, reactions, receipts, typing and roles."""
        alice, bob = self.user("alice"), self.user("bob", "secret")
        alice.sees_joined("bob", "#lobby")
        self.types(alice, "hello all")
        bob.sees("hello all")
        self.types(bob, "/to al\t", "psst")
        alice.sees("psst")
        bob.sees("(read by alice)")
        self.types(alice, "/to bob", "/react \U0001f44d")
        bob.sees('reacted \U0001f44d to your "psst"')
        self.types(alice, "yes?", "/edit what?")
        bob.sees('edited "yes?": what?')
        bob.presses("wai")
        alice.sees("bob (typing)> ")
        bob.presses("t\r")
        alice.sees("wait")
        self.types(alice, "/create #garden Seeds", "/invite bob")
        bob.sees("invites you to #garden")
        self.types(bob, "/join #garden")
        alice.sees_joined("bob", "#garden")
        self.types(alice, "/kick bob")
        bob.sees("you were kicked from #garden", "#lobby> ")
        self.types(alice, "/destroy #garden", "y")
        alice.sees("#garden was deleted", "#lobby> ")
        self.types(bob, "/quit")
        bob.leaves()
        alice.presses("\x03")
        alice.leaves()
        shown = self.plain(alice)
        for line in (
            "00:00 * alice joined #lobby",
            "00:00 #lobby <alice> hello all",
            "00:00 bob: psst",
            '00:00 * alice reacted \U0001f44d to bob\'s "psst"',
            "00:00 -> bob: yes?",
            '00:00 * alice edited "yes?": what?',
            "00:00 bob: wait",
            "00:00 * alice kicked bob from #garden",
            "#garden> /kick bob",
            "Interrupt received, shutting down ...",
        ):
            self.assertEqual(shown.count(line), 1, (line, shown))
        self.assertNotIn("secret", bob.log.getvalue())

    def test_password_is_asked_for_changed_and_never_shown(self) -> None:
        """The account is deleted at the end."""
        alice = self.user("alice", "hunter2")
        self.types(alice, "/quit")
        alice.leaves()
        again = TerminalUser(self, "alice", self.url)
        again.answers("Password: ", "hunter3", "wrong password\r\nPassword: ", "hunter2")
        again.sees("#lobby> ")
        self.types(again, "/passwd")
        again.answers(
            "Current password: ", "hunter2", "log in): ", "hunter4", "Password again: ", "hunter4"
        )
        again.sees("The password is changed", "#lobby> ")
        self.types(again, "/unregister")
        again.answers("(y/n): ", "y", "Password: ", "hunter4")
        again.sees("DELETED ACCOUNT: alice")
        again.leaves()
        self.assertNotIn("hunter", alice.log.getvalue() + again.log.getvalue())

    def test_colours_follow_no_color_and_term(self) -> None:
        """A dumb terminal has no line editing either."""
        alice = self.user("alice")
        self.types(alice, "/quit")
        alice.leaves()
        self.assertIn("\x1b[2m", alice.log.getvalue())
        self.environment["NO_COLOR"] = "1"
        bob = self.user("bob")
        self.types(bob, "/quit")
        bob.leaves()
        self.assertNotRegex(bob.log.getvalue(), "\x1b\\[[0-9;]*m")
        self.environment["TERM"] = "dumb"
        carl = TerminalUser(self, "carl", self.url)
        carl.sees("CREATED ACCOUNT: carl", "joined #lobby")
        self.types(carl, "/quit")
        carl.leaves()
        self.assertNotIn("\x1b", carl.log.getvalue())

    def test_output_keeps_the_line_that_is_being_typed(self) -> None:
        """The line wraps, and the window changes its size."""
        alice = self.user("alice")
        alice.presses("la " * 40 + "end\x1b[D\x1b[D\x1b[D")
        alice.sees("end")
        self.assertEqual(self.script("knock knock\n", "bob", self.url).returncode, 0)
        alice.sees("knock knock", "la la la")
        alice.resize(50, 60)
        alice.presses("the \r")
        alice.sees("> \x1b[0m\x1b[2m" + "la " * 40 + "the end")
        alice.presses("not se")
        alice.sees("not se")
        self.stop_and_continue(alice)
        alice.sees("#lobby> not se")
        alice.presses("nt\x15\x04")
        alice.leaves()

    def stop_and_continue(self, user: TerminalUser) -> None:
        """Stop a client like Ctrl-Z of a shell; the terminal is raw only before and after."""
        state = Path(f"/proc/{user.program.pid}/stat")
        deadline = time.monotonic() + PATIENCE
        user.program.send_signal(signal.SIGTSTP)
        while state.read_text().rpartition(")")[2].split()[0] != "T":
            self.assertLess(time.monotonic(), deadline)
        self.assertTrue(termios.tcgetattr(user.master)[3] & termios.ICANON)
        user.program.send_signal(signal.SIGCONT)
        user.sees(PASTE_OFF, "\x1b[?2004h")
        self.assertFalse(termios.tcgetattr(user.master)[3] & termios.ICANON)

    def test_messages_sent_while_the_daemon_is_down_arrive_once(self) -> None:
        """They are sent when the client has reconnected."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        self.daemon.kill()
        self.start_daemon(port=port, store="sqlite:chatd.db")
        alice, bob = self.user("alice"), self.user("bob")
        alice.sees_joined("bob", "#lobby")
        self.daemon.kill()
        alice.sees("the connection is lost")
        self.types(alice, "/msg bob still there?", "/who")
        alice.sees("will be sent after reconnecting", "The connection to the server is closed.")
        self.start_daemon(port=port, store="sqlite:chatd.db")
        alice.sees("reconnected", "still there?")
        bob.sees("reconnected", "still there?")
        for user in (alice, bob):
            self.types(user, "/quit")
            user.leaves()
        self.assertEqual(bob.log.getvalue().count("still there?"), 1)
