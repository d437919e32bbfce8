"""The real client against the real daemon: at a pseudo-terminal and in pipes."""

from __future__ import annotations

import io
import os
import re
import signal
import socket
import subprocess
import sys
import termios
import threading
from pathlib import Path

import pexpect
import pexpect.fdpexpect
from twisted.trial.unittest import SynchronousTestCase

import chatd
from tests.client.emulator import Emulator
from tests.folders import folder

TWISTD = "import sys; from twisted.scripts.twistd import run; sys.exit(run())"
PATIENCE = 30
"""seconds after which a test gives up"""


class Process(SynchronousTestCase):
    """What the cases share: a daemon of their own, and clients of it."""

    def setUp(self) -> None:
        self.folder = folder(self)
        self.environment = {**os.environ, "PYTHONPATH": str(Path(chatd.__file__).parents[1]), "TERM": "xterm"}
        self.environment.pop("CHATD_PASSWORD", None)
        self.start_daemon("127.0.0.1")

    def start_daemon(self, host: str) -> None:
        """A daemon on a free port, that ends with the test."""
        arguments = ["-n", "--pidfile=", "chatd", "--host", host, "--port", "0", "--store", "memory"]
        self.daemon = subprocess.Popen(
            [sys.executable, "-c", TWISTD, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.addCleanup(self.stop_daemon, self.daemon)
        assert self.daemon.stdout is not None
        told = ""
        for line in self.daemon.stdout:
            told += line
            listening = re.search(r"listening on (\S+):(\d+)", line)
            if listening:
                self.url = f"chat://localhost:{listening[2]}"
                self.port = listening[2]
                break
        else:
            self.fail(f"the daemon did not start:\n{told}")
        threading.Thread(target=self.daemon.stdout.read, daemon=True).start()

    def stop_daemon(self, daemon: subprocess.Popen[str]) -> None:
        """End it and wait for its end."""
        if daemon.poll() is None:
            daemon.terminate()
        daemon.wait(PATIENCE)
        if daemon.stdout is not None:
            daemon.stdout.close()

    def command(self, *arguments: str) -> list[str]:
        """The client's command line."""
        return [sys.executable, "-m", "chatd.client", *arguments]

    def script(
        self, script: str, *arguments: str, password: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run the client in a pipe to its end."""
        return subprocess.run(
            self.command(*arguments),
            input=script,
            cwd=self.folder,
            env=self.environment | ({"CHATD_PASSWORD": password} if password else {}),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )


class Person:
    """Someone at a pseudo-terminal."""

    def __init__(self, case: Process, *arguments: str) -> None:
        self.case = case
        self.log = io.StringIO()
        program, *rest = case.command(*arguments)
        self.child = pexpect.spawn(
            program,
            rest,
            cwd=case.folder,
            env=case.environment,
            dimensions=(50, 110),
            encoding="utf-8",
            timeout=PATIENCE,
        )
        self.child.delaybeforesend = None
        self.child.logfile_read = self.log
        case.addCleanup(self.child.close)

    def sees(self, *texts: str) -> None:
        """Wait until these came, in this order."""
        for text in texts:
            self.child.expect_exact(text)

    def answers(self, *pairs: str) -> None:
        """For each prompt, in turn, what is typed there."""
        for prompt, answer in zip(pairs[::2], pairs[1::2], strict=True):
            self.sees(prompt)
            self.child.send(answer + "\r")

    def presses(self, keys: str) -> None:
        """Type without Enter."""
        self.child.send(keys)

    def leaves(self, status: int = 0) -> None:
        """The client has ended."""
        self.sees_nothing_more()
        self.child.wait()
        self.case.assertEqual(self.child.exitstatus, status, self.log.getvalue())

    def sees_nothing_more(self) -> None:
        """Read to the end."""
        self.child.expect(pexpect.EOF)

    def screen(self) -> list[str]:
        """All that was on the terminal, without blanks at the ends of lines."""
        emulator = Emulator(110, 50)
        emulator.feed(self.log.getvalue())
        lines = emulator.lines()
        while lines and not lines[-1]:
            lines.pop()
        return lines


MENU_BEFORE = "Commands: login, create_account, quit"
MENU = "Commands: help (h), compose (c), list users (l), get messages (g), delete account (d), logout (q)"


class ConversationTests(Process):
    """Alicia and Bobert."""

    def compose(self, person: Person, recipient: str, text: str) -> None:
        """Write a message step by step."""
        person.answers("> ", "c", "Recipient: ", recipient, "Message: ", text, "Send? (y/n): ", "y")
        person.sees(f"Sent to {recipient}: ", text)

    def test_alicia_and_bobert(self) -> None:
        """The whole of the old screen: online, offline and back."""
        alicia = Person(self, self.url)
        alicia.answers(MENU_BEFORE + "\r\n> ", "login", "Username: ", "Alicia")
        alicia.sees("username does not exist")
        alicia.answers(MENU_BEFORE + "\r\n> ", "create_account", "Username: ", "Alicia")
        alicia.sees("Logged in as: Alicia", MENU)

        bobert = Person(self, self.url)
        bobert.answers("> ", "create_account", "Username: ", "Bobert")
        bobert.sees("Logged in as: Bobert", MENU)

        alicia.answers("> ", "l", "Search pattern (optional): ", "*")
        alicia.sees("Accounts:", "\tAlicia", "\tBobert")
        self.compose(alicia, "Bobert", "Salutations, Bobert. Is it snowy where you are?")
        bobert.sees("New message from Alicia: ", "Salutations, Bobert. Is it snowy where you are?")
        self.compose(bobert, "Alicia", "Hey Alicia, yes it is very snowy. I am worried I may lose power.")
        alicia.sees("New message from Bobert: ", "I may lose power.")
        bobert.answers("> ", "q")
        bobert.leaves()

        self.compose(alicia, "Bobert", "Are you still there?")
        self.compose(alicia, "Bobert", "Keep warm!")
        alicia.answers("> ", "q")
        alicia.leaves()

        bobert = Person(self, self.url)
        bobert.answers("> ", "login", "Username: ", "Bobert")
        bobert.sees("Logged in as: Bobert")
        bobert.answers("> ", "g")
        bobert.sees("New message from Alicia: ", "Are you still there?")
        bobert.sees("New message from Alicia: ", "Keep warm!")
        self.compose(bobert, "Alicia", "The power is back.")
        self.compose(bobert, "Alicia", "So am I.")
        bobert.answers("> ", "logout")
        bobert.leaves()

        again = Person(self, self.url)
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

    def test_message_while_typing(self) -> None:
        """What is being typed is neither garbled nor lost, though it wraps and the window changes."""
        alicia = Person(self, "Alicia", self.url)
        alicia.answers("Password", "")
        alicia.sees(MENU, "> ")
        half = "/msg Alicia " + "la " * 40
        alicia.presses(half + "end\x1b[D\x1b[D\x1b[D")
        alicia.sees("end")
        told = self.script("/msg Alicia knock knock\n", "Bobert", self.url)
        self.assertEqual(told.returncode, 0)
        alicia.sees("New message from Bobert: ", "knock knock", "> /msg Alicia")
        alicia.child.setwinsize(50, 60)
        alicia.presses("the \r")
        alicia.sees("Sent to Alicia: ", "la " * 40 + "the end")
        alicia.presses("\x04")
        alicia.leaves()

    def test_password(self) -> None:
        """Chosen at the first run, asked for at the next, never seen."""
        alice = Person(self, "alice", self.url)
        alice.sees("CREATING NEW ID: alice")
        alice.answers("Password (empty: anyone can log in): ", "hunter2", "Password again: ", "hunter2")
        alice.answers("> ", "tata")
        alice.leaves()
        again = Person(self, "alice", self.url)
        again.answers("Password: ", "hunter3", "wrong password\r\nPassword: ", "hunter2")
        again.sees("Logged in as: alice")
        again.answers("> ", "d", "Confirm account deletion? (y/n): ", "y")
        again.leaves()
        self.assertNotIn("hunter", alice.log.getvalue() + again.log.getvalue())

    def test_ctrl_c_at_every_prompt(self) -> None:
        """And Ctrl-D: the client leaves, and says so."""
        for answers in (
            ["> "],
            ["> ", "login", "Username: "],
            ["> ", "create_account", "Username: ", "NAME", MENU + "\r\n> "],
            ["> ", "create_account", "Username: ", "NAME", "> ", "l", "Search pattern (optional): "],
            ["> ", "create_account", "Username: ", "NAME", "> ", "c", "Recipient: "],
            ["> ", "create_account", "Username: ", "NAME", "> ", "c", "Recipient: ", "x", "Message: "],
            ["> ", "create_account", "Username: ", "NAME", "> ", "d", "Confirm account deletion? (y/n): "],
        ):
            for key, sentence in ("\x03", "Interrupt received, shutting down ..."), ("\x04", ""):
                person = Person(self, self.url)
                name = f"n{len(answers)}{ord(key)}-{os.urandom(4).hex()}"
                *pairs, last = (name if answer == "NAME" else answer for answer in answers)
                person.answers(*pairs)
                person.sees(last)
                person.presses(key)
                person.sees(sentence)
                person.leaves()


class LeavingTests(Process):
    """The terminal afterwards, whichever way the client ended."""

    def test_terminal_as_before(self) -> None:
        """Modes and blocking are restored; the exit status says what happened."""
        for leave, status in (
            (b"\x03", 0),
            (b"\x04", 0),
            (b"/quit\r", 0),
            (signal.SIGTERM, 128 + signal.SIGTERM),
            (signal.SIGHUP, 128 + signal.SIGHUP),
            (signal.SIGINT, 128 + signal.SIGINT),
            ("the daemon stops", 1),
        ):
            if isinstance(leave, signal.Signals) and signal.getsignal(leave) == signal.SIG_IGN:
                continue  # as under nohup: the client, too, ignores it then
            master, slave = os.openpty()
            before = termios.tcgetattr(slave)
            client = subprocess.Popen(
                self.command(self.url),
                stdin=slave,
                stdout=slave,
                stderr=slave,
                cwd=self.folder,
                env=self.environment,
                start_new_session=True,
            )
            terminal = pexpect.fdpexpect.fdspawn(master, timeout=PATIENCE)
            terminal.expect_exact(b"> ")
            self.assertNotEqual(termios.tcgetattr(slave), before)
            if isinstance(leave, bytes):
                os.write(master, leave)
            elif isinstance(leave, signal.Signals):
                client.send_signal(leave)
            else:
                os.write(master, b"half a line")
                terminal.expect_exact(b"half a line")
                self.daemon.terminate()
                terminal.expect_exact(b"Disconnected from server ... exiting!")
            terminal.expect_exact(b"\x1b[?2004l")
            self.assertEqual(client.wait(PATIENCE), status, leave)
            self.assertEqual(termios.tcgetattr(slave), before, leave)
            self.assertTrue(os.get_blocking(slave), leave)
            os.close(slave)
            terminal.close()


class PipeTests(Process):
    """Scripts."""

    def test_one_message(self) -> None:
        """The one-liner of the documentation."""
        self.assertEqual(self.script("", "bob", self.url).returncode, 0)
        done = self.script("/msg bob hi\n", "alice", self.url)
        self.assertEqual((done.stdout, done.stderr), ("CREATING NEW ID: alice\nSent to bob: hi\n", ""))
        self.assertEqual(done.returncode, 0)
        done = self.script("/get\n/list b*\n", "bob", self.url)
        self.assertEqual((done.stdout, done.returncode), ("alice: hi\nAccounts:\n\tbob\n", 0))

    def test_refused(self) -> None:
        """Refusals on the error output, all else goes on, the status says so."""
        done = self.script("/msg nobody hi\n/msg alice a|||b\n/msg alice bye", "alice", self.url)
        self.assertEqual(done.stdout, "CREATING NEW ID: alice\nalice: bye\nSent to alice: bye\n")
        self.assertIn("Server error: specific recipient nobody does not exist", done.stderr)
        self.assertIn("A message cannot contain |||. Nothing was sent.\n", done.stderr)
        self.assertEqual(done.returncode, 1)

    def test_old_screen(self) -> None:
        """The menus, answered by lines."""
        done = self.script("create_account\nAlicia\nc\nAlicia\nhi\ny\nl\n\nq\n", self.url)
        self.assertEqual(
            done.stdout,
            "Logged in as: Alicia\nAlicia: hi\nSent to Alicia: hi\nAccounts:\n\tAlicia\n",
        )
        self.assertEqual((done.stderr, done.returncode), ("", 0))

    def test_password(self) -> None:
        """From the environment or a file; without it, a sentence."""
        self.assertEqual(self.script("", "alice", self.url, password="secret").returncode, 0)
        done = self.script("", "alice", self.url)
        self.assertEqual(done.returncode, 1)
        self.assertIn("CHATD_PASSWORD", done.stderr)
        self.assertEqual(self.script("", "alice", self.url, password="wrong").stderr, "wrong password\n")
        Path(self.folder, "password").write_text("secret\n")
        done = self.script("/list\n", "alice", self.url, "--password-file", "password")
        self.assertEqual((done.stdout, done.returncode), ("Accounts:\n\talice\n", 0))

    def test_many(self) -> None:
        """Thousands of lines, each acknowledged before the client ends, in order."""
        self.script("", "bob", self.url)
        done = self.script("".join(f"/msg bob {n}\n" for n in range(3000)), "alice", self.url)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.splitlines()[1:], [f"Sent to bob: {n}" for n in range(3000)])
        got = self.script("/get\n", "bob", self.url)
        self.assertEqual(got.stdout.splitlines(), [f"alice: {n}" for n in range(3000)])

    def test_nobody_reads(self) -> None:
        """As before `head -1`: it ends, without a traceback."""
        client = subprocess.Popen(
            self.command("alice", self.url),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.folder,
            env=self.environment,
            text=True,
        )
        assert client.stdin and client.stdout and client.stderr
        self.assertEqual(client.stdout.readline(), "CREATING NEW ID: alice\n")
        client.stdout.close()
        client.stdin.write("/list\n")
        client.stdin.flush()
        self.assertEqual(client.stderr.read(), "")
        self.assertEqual(client.wait(PATIENCE), 1)
        client.stderr.close()
        client.stdin.close()

    def test_files(self) -> None:
        """Input and output can be files, too."""
        script, output = Path(self.folder, "script"), Path(self.folder, "output")
        script.write_text("/list\n")
        with script.open() as stdin, output.open("w") as stdout:
            status = subprocess.call(
                self.command("alice", self.url),
                stdin=stdin,
                stdout=stdout,
                stderr=stdout,
                cwd=self.folder,
                env=self.environment,
            )
        self.assertEqual((status, output.read_text()), (0, "CREATING NEW ID: alice\nAccounts:\n\talice\n"))

    def test_server_stops(self) -> None:
        """The sentence, and a status that says so, though the input goes on."""
        client = subprocess.Popen(
            self.command("alice", self.url),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.folder,
            env=self.environment,
            text=True,
        )
        assert client.stdin and client.stdout and client.stderr
        self.assertEqual(client.stdout.readline(), "CREATING NEW ID: alice\n")
        client.stdin.write("/list\n")
        client.stdin.flush()
        self.assertEqual(client.stdout.readline(), "Accounts:\n")
        self.daemon.terminate()
        self.assertEqual(client.stderr.read(), "Disconnected from server ... exiting!\n")
        self.assertEqual(client.wait(PATIENCE), 1)
        for stream in (client.stdin, client.stdout, client.stderr):
            stream.close()

    def test_no_server(self) -> None:
        """Nobody listens, or what was given is no server."""
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            done = self.script("", "alice", f"chat://127.0.0.1:{closed.getsockname()[1]}")
        self.assertEqual(done.stderr, "Error:  That host or port is not accepting connections.\n")
        self.assertEqual(done.returncode, 1)
        done = self.script("", "alice", "chats://localhost")
        self.assertEqual(done.stderr, "Error:  Invalid server.  Enter a URL of the form:  chat://host:port\n")
        self.assertEqual(done.returncode, 2)

    def test_help_and_version(self) -> None:
        """They print and leave, with status 0."""
        done = self.script("", "--help")
        self.assertEqual(done.returncode, 0)
        self.assertIn("python -m chatd.client [USERNAME] [chat://HOST[:PORT]]", done.stdout)
        self.assertTrue(all(len(line) <= 80 for line in done.stdout.splitlines()), done.stdout)
        done = self.script("", "--version")
        self.assertEqual((done.returncode, done.stdout), (0, f"chatd {chatd.__version__}\n"))

    def test_ipv6(self) -> None:
        """An address in brackets."""
        try:
            with socket.socket(socket.AF_INET6) as probe:
                probe.bind(("::1", 0))
        except OSError:
            self.skipTest("this machine has no IPv6")
        self.start_daemon("::1")
        done = self.script("/list\n", "alice", f"chat://[::1]:{self.port}")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
