"""The client process at a pseudo-terminal, with a daemon process."""

from __future__ import annotations

import os
import signal
import termios

import pexpect.fdpexpect

from tests.doubles.client_process import PATIENCE, ClientCase, TerminalUser
from tests.doubles.program import Program

MENU_BEFORE = "Commands: login, create_account, quit"
MENU = (
    "Commands: help (h), compose (c), list users (l), get messages (g), delete account (d),"
    " logout (q)"
)


class DialogueTests(ClientCase):
    """Alicia and Bobert."""

    protocol = "classic"

    def compose(self, user: TerminalUser, recipient: str, text: str) -> None:
        """Write a message step by step."""
        user.answers("> ", "c", "Recipient: ", recipient, "Message: ", text, "Send? (y/n): ", "y")
        user.sees(f"Sent to {recipient}: ", text)

    def test_dialogue_is_that_of_the_old_client(self) -> None:
        """Every line of the old client's README: messages to online and to offline users."""
        alicia = TerminalUser(self, self.url)
        alicia.answers(MENU_BEFORE + "\r\n> ", "login", "Username: ", "Alicia")
        alicia.sees("username does not exist")
        alicia.answers(MENU_BEFORE + "\r\n> ", "create_account", "Username: ", "Alicia")
        alicia.sees("Logged in as: Alicia", MENU)

        bobert = TerminalUser(self, self.url)
        bobert.answers("> ", "create_account", "Username: ", "Bobert")
        bobert.sees("Logged in as: Bobert", MENU)

        alicia.answers("> ", "l", "Search pattern (optional): ", "*")
        alicia.sees("Accounts:", "\tAlicia", "\tBobert")
        self.compose(alicia, "Bobert", "Salutations, Bobert. Is it snowy where you are?")
        bobert.sees("New message from Alicia: ", "Salutations, Bobert. Is it snowy where you are?")
        self.compose(
            bobert, "Alicia", "Hey Alicia, yes it is very snowy. I am worried I may lose power."
        )
        alicia.sees("New message from Bobert: ", "I may lose power.")
        bobert.answers("> ", "q")
        bobert.leaves()

        self.compose(alicia, "Bobert", "Are you still there?")
        self.compose(alicia, "Bobert", "Keep warm!")
        alicia.answers("> ", "q")
        alicia.leaves()

        bobert = TerminalUser(self, self.url)
        bobert.answers("> ", "login", "Username: ", "Bobert")
        bobert.sees("Logged in as: Bobert")
        bobert.answers("> ", "g")
        bobert.sees("New message from Alicia: ", "Are you still there?")
        bobert.sees("New message from Alicia: ", "Keep warm!")
        self.compose(bobert, "Alicia", "The power is back.")
        self.compose(bobert, "Alicia", "So am I.")
        bobert.answers("> ", "logout")
        bobert.leaves()

        again = TerminalUser(self, self.url)
        again.answers("> ", "login", "Username: ", "Alicia")
        again.answers(MENU + "\r\n> ", "get messages")
        again.sees("New message from Bobert: ", "The power is back.")
        again.sees("New message from Bobert: ", "So am I.")
        again.answers("> ", "q")
        again.leaves()

        self.assertEqual(
            alicia.screen(),
            [
                MENU_BEFORE,
                "> login",
                "Username: Alicia",
                "username does not exist",
                MENU_BEFORE,
                "> create_account",
                "Username: Alicia",
                "Logged in as: Alicia",
                MENU,
                "> l",
                "Search pattern (optional): *",
                "Accounts:",
                "        Alicia",
                "        Bobert",
                "> c",
                "Recipient: Bobert",
                "Message: Salutations, Bobert. Is it snowy where you are?",
                "Send? (y/n): y",
                "Sent to Bobert:",
                "Salutations, Bobert. Is it snowy where you are?",
                "",
                "New message from Bobert:",
                "Hey Alicia, yes it is very snowy. I am worried I may lose power.",
                "",
                "> c",
                "Recipient: Bobert",
                "Message: Are you still there?",
                "Send? (y/n): y",
                "Sent to Bobert:",
                "Are you still there?",
                "",
                "> c",
                "Recipient: Bobert",
                "Message: Keep warm!",
                "Send? (y/n): y",
                "Sent to Bobert:",
                "Keep warm!",
                "",
                "> q",
            ],
        )

    def test_message_received_while_typing_keeps_the_line(self) -> None:
        """The line under edit is neither garbled nor lost, even if it wraps and the window
        changes."""
        alicia = TerminalUser(self, "Alicia", self.url)
        alicia.answers("Password", "")
        alicia.sees(MENU, "> ")
        half = "/msg Alicia " + "la " * 40
        alicia.presses(half + "end\x1b[D\x1b[D\x1b[D")
        alicia.sees("end")
        done = self.script("/msg Alicia knock knock\n", "Bobert", self.url)
        self.assertEqual(done.returncode, 0)
        alicia.sees("New message from Bobert: ", "knock knock", "> /msg Alicia")
        alicia.resize(50, 60)
        alicia.presses("the \r")
        alicia.sees("Sent to Alicia: ", "la " * 40 + "the end")
        alicia.presses("\x04")
        alicia.leaves()

    def test_password_is_never_shown(self) -> None:
        """Passwords are typed when they are chosen and when they are asked for."""
        alice = TerminalUser(self, "alice", self.url)
        alice.sees("CREATING NEW ID: alice")
        alice.answers(
            "Password (empty: anyone can log in): ", "hunter2", "Password again: ", "hunter2"
        )
        alice.answers("> ", "tata")
        alice.leaves()
        again = TerminalUser(self, "alice", self.url)
        again.answers("Password: ", "hunter3", "wrong password\r\nPassword: ", "hunter2")
        again.sees("Logged in as: alice")
        again.answers("> ", "d", "Confirm account deletion? (y/n): ", "y")
        again.leaves()
        self.assertNotIn("hunter", alice.log.getvalue() + again.log.getvalue())

    def test_ctrl_c_and_ctrl_d_end_the_client_at_every_prompt(self) -> None:
        """After Ctrl-C the client prints a sentence."""
        for answers in (
            ["> "],
            ["> ", "login", "Username: "],
            ["> ", "create_account", "Username: ", "NAME", MENU + "\r\n> "],
            [
                "> ",
                "create_account",
                "Username: ",
                "NAME",
                "> ",
                "l",
                "Search pattern (optional): ",
            ],
            ["> ", "create_account", "Username: ", "NAME", "> ", "c", "Recipient: "],
            [
                "> ",
                "create_account",
                "Username: ",
                "NAME",
                "> ",
                "c",
                "Recipient: ",
                "x",
                "Message: ",
            ],
            [
                "> ",
                "create_account",
                "Username: ",
                "NAME",
                "> ",
                "d",
                "Confirm account deletion? (y/n): ",
            ],
        ):
            for key, sentence in ("\x03", "Interrupt received, shutting down ..."), ("\x04", ""):
                user = TerminalUser(self, self.url)
                name = f"n{len(answers)}{ord(key)}-{os.urandom(4).hex()}"
                *pairs, last = (name if answer == "NAME" else answer for answer in answers)
                user.answers(*pairs)
                user.sees(last)
                user.presses(key)
                user.sees(sentence)
                user.leaves()


class ExitTests(ClientCase):
    """The terminal after the client has exited."""

    protocol = "classic"

    def test_terminal_is_restored(self) -> None:
        """Modes and blocking are as before, however the client ended; the exit status tells how."""
        for ending, status in (
            (b"\x03", 0),
            (b"\x04", 0),
            (b"/quit\r", 0),
            (signal.SIGTERM, 128 + signal.SIGTERM),
            (signal.SIGHUP, 128 + signal.SIGHUP),
            (signal.SIGINT, 128 + signal.SIGINT),
            ("the daemon stops", 1),
        ):
            if isinstance(ending, signal.Signals) and signal.getsignal(ending) == signal.SIG_IGN:
                continue  # As under nohup: the client ignores the signal then.
            master, slave = os.openpty()
            before = termios.tcgetattr(slave)
            client = Program(
                self.command(self.url),
                cwd=self.folder,
                env=self.environment,
                stdin=slave,
                stdout=slave,
                stderr=slave,
            )
            terminal = pexpect.fdpexpect.fdspawn(master, timeout=PATIENCE)
            terminal.expect_exact(b"> ")
            self.assertNotEqual(termios.tcgetattr(slave), before)
            if isinstance(ending, bytes):
                os.write(master, ending)
            elif isinstance(ending, signal.Signals):
                client.send_signal(ending)
            else:
                os.write(master, b"half a line")
                terminal.expect_exact(b"half a line")
                self.assertEqual(self.daemon.stop(), 0)
                terminal.expect_exact(b"Disconnected from server ... exiting!")
            terminal.expect_exact(b"\x1b[?2004l")
            self.assertEqual(client.wait(PATIENCE), status, ending)
            self.assertEqual(termios.tcgetattr(slave), before, ending)
            self.assertTrue(os.get_blocking(slave), ending)
            os.close(slave)
            terminal.close()
