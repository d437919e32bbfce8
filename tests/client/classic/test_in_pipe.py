"""The client process with pipes and files, with a daemon process."""

from __future__ import annotations

import socket
from pathlib import Path

import chatd
from tests.doubles.client_process import PATIENCE, ClientCase
from tests.doubles.program import Program


class PipeTests(ClientCase):
    """Scripts for the client."""

    protocol = "classic"

    def test_message_to_an_offline_user_waits(self) -> None:
        """It is stored, and fetched by a later script of the recipient."""
        self.assertEqual(self.script("", "bob", self.url).returncode, 0)
        done = self.executed("/msg bob hi\n", "alice", f"chat://localhost:{self.daemon.port}")
        self.assertEqual(
            (done.stdout, done.stderr), ("CREATING NEW ID: alice\nSent to bob: hi\n", "")
        )
        self.assertEqual(done.returncode, 0)
        done = self.script("/get\n/list b*\n", "bob", self.url)
        self.assertEqual((done.stdout, done.returncode), ("alice: hi\nAccounts:\n\tbob\n", 0))

    def test_errors_go_to_standard_error(self) -> None:
        """The other lines are carried out, and the exit status is 1."""
        done = self.script("/msg nobody hi\n/msg alice a|||b\n/msg alice bye", "alice", self.url)
        self.assertEqual(done.stdout, "CREATING NEW ID: alice\nalice: bye\nSent to alice: bye\n")
        self.assertIn("Server error: specific recipient nobody does not exist", done.stderr)
        self.assertIn("A message cannot contain |||. Nothing was sent.\n", done.stderr)
        self.assertEqual(done.returncode, 1)

    def test_menus_can_be_scripted(self) -> None:
        """The answers are lines of the script."""
        done = self.script("create_account\nAlicia\nc\nAlicia\nhi\ny\nl\n\nq\n", self.url)
        self.assertEqual(
            done.stdout,
            "Logged in as: Alicia\nAlicia: hi\nSent to Alicia: hi\nAccounts:\n\tAlicia\n",
        )
        self.assertEqual((done.stderr, done.returncode), ("", 0))

    def test_password_comes_from_environment_or_file(self) -> None:
        """Without one, the error says how to give it."""
        self.assertEqual(self.script("", "alice", self.url, password="secret").returncode, 0)
        done = self.script("", "alice", self.url)
        self.assertEqual(done.returncode, 1)
        self.assertIn("CHATD_PASSWORD", done.stderr)
        self.assertEqual(
            self.script("", "alice", self.url, password="wrong").stderr, "wrong password\n"
        )
        Path(self.folder, "password").write_text("secret\n")
        done = self.script("/list\n", "alice", self.url, "--password-file", "password")
        self.assertEqual((done.stdout, done.returncode), ("Accounts:\n\talice\n", 0))

    def test_thousands_of_messages_are_delivered_in_order(self) -> None:
        """The client exits when all of them are acknowledged."""
        self.script("", "bob", self.url)
        done = self.script("".join(f"/msg bob {n}\n" for n in range(3000)), "alice", self.url)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.splitlines()[1:], [f"Sent to bob: {n}" for n in range(3000)])
        got = self.script("/get\n", "bob", self.url)
        self.assertEqual(got.stdout.splitlines(), [f"alice: {n}" for n in range(3000)])

    def test_closed_output_ends_the_client(self) -> None:
        """There is no traceback; the output may be a pipe to `head -1`, for example."""
        client = self.start("alice", self.url)
        assert client.stdin and client.stdout and client.stderr
        self.assertEqual(client.stdout.readline(), "CREATING NEW ID: alice\n")
        client.stdout.close()
        client.stdin.write("/list\n")
        client.stdin.flush()
        self.assertEqual(client.stderr.read(), "")
        self.assertEqual(client.wait(PATIENCE), 1)

    def test_input_and_output_may_be_files(self) -> None:
        """They work like pipes."""
        script, output = Path(self.folder, "script"), Path(self.folder, "output")
        script.write_text("/list\n")
        with script.open() as stdin, output.open("w") as stdout:
            client = Program(
                self.command("alice", self.url),
                cwd=self.folder,
                env=self.environment,
                stdin=stdin.fileno(),
                stdout=stdout.fileno(),
                stderr=stdout.fileno(),
            )
            status = client.wait(PATIENCE)
        self.assertEqual(
            (status, output.read_text()), (0, "CREATING NEW ID: alice\nAccounts:\n\talice\n")
        )

    def test_stop_of_the_daemon_ends_the_client(self) -> None:
        """The client exits with an error before its input has ended."""
        client = self.start("alice", self.url)
        assert client.stdin and client.stdout and client.stderr
        self.assertEqual(client.stdout.readline(), "CREATING NEW ID: alice\n")
        client.stdin.write("/list\n")
        client.stdin.flush()
        self.assertEqual(client.stdout.readline(), "Accounts:\n")
        self.assertEqual(self.daemon.stop(), 0)
        self.assertEqual(client.stderr.read(), "Disconnected from server ... exiting!\n")
        self.assertEqual(client.wait(PATIENCE), 1)

    def test_server_that_cannot_be_reached_is_an_error(self) -> None:
        """A closed port, and an argument that is no address of a server."""
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            done = self.script("", "alice", f"chat://127.0.0.1:{closed.getsockname()[1]}")
        self.assertEqual(done.stderr, "Error:  That host or port is not accepting connections.\n")
        self.assertEqual(done.returncode, 1)
        done = self.script("", "alice", "https://localhost")
        self.assertEqual(
            done.stderr, "Error:  Invalid server.  Enter a URL of the form:  chat://host:port\n"
        )
        self.assertEqual(done.returncode, 2)

    def test_help_and_version_are_printed(self) -> None:
        """The exit status is 0."""
        done = self.script("", "--help")
        self.assertEqual(done.returncode, 0)
        self.assertIn("python -m chatd.client [USERNAME] [URL] [options]", done.stdout)
        self.assertTrue(all(len(line) <= 80 for line in done.stdout.splitlines()), done.stdout)
        done = self.script("", "--version")
        self.assertEqual((done.returncode, done.stdout), (0, f"chatd {chatd.__version__}\n"))

    def test_ipv6_address_is_in_brackets(self) -> None:
        """The URL is that of any IPv6 address."""
        try:
            with socket.socket(socket.AF_INET6) as probe:
                probe.bind(("::1", 0))
        except OSError:
            self.skipTest("this machine has no IPv6")
        self.start_daemon("--host", "::1")
        done = self.script("/list\n", "alice", f"chat://[::1]:{self.daemon.port}")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
