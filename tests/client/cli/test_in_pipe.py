"""The real client in pipes, over version 1, with a real daemon."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path
from typing import Any

from tests.doubles.client_process import PATIENCE, ClientCase

USAGE = "Usage: /msg NAME|#ROOM TEXT\n"


class PipeTests(ClientCase):
    """Scripts of lines and commands."""

    def test_message_waits_for_its_recipient_and_arrives_once(self) -> None:
        """The lines are those of the documentation."""
        self.assertEqual(
            self.script("", "bob", self.url).stdout, "CREATED ACCOUNT: bob\n* bob joined #lobby\n"
        )
        done = self.executed("/msg bob hi\n", "alice", f"chat://localhost:{self.daemon.port}")
        self.assertEqual(done.stdout, "CREATED ACCOUNT: alice\n* alice joined #lobby\n-> bob: hi\n")
        self.assertEqual((done.stderr, done.returncode), ("", 0))
        done = self.script("", "bob", self.url)
        self.assertEqual(sorted(done.stdout.splitlines()), ["* alice joined #lobby", "alice: hi"])
        self.assertEqual(self.script("", "bob", self.url).stdout, "")

    def test_messages_go_to_the_lobby_or_the_chosen_room(self) -> None:
        """The script uses the commands for rooms."""
        done = self.script(
            "hello\n/create #Garden Seeds\nhi\n/topic\n/who\n/edit ho\n/slow 5\n/room-settings\n"
            "/leave\n",
            "alice",
            self.url,
        )
        self.assertEqual((done.stderr, done.returncode), ("", 0))
        lines = done.stdout.splitlines()
        for line in (
            "#lobby <alice> hello",
            "#Garden <alice> hi",
            "#Garden: Seeds",
            "alice (owner) online",
            '* alice edited "hi" in #Garden: ho',
            "#Garden: slow 5, read-only off, invite members, unlisted off",
            "* you left #Garden",
        ):
            self.assertIn(line, lines)

    def test_times_option_adds_the_time(self) -> None:
        """Each line begins with it."""
        done = self.script("hello\n", "alice", self.url, "--times")
        self.assertRegex(done.stdout, r"(?m)^\d\d:\d\d #lobby <alice> hello$")

    def test_refusals_go_to_the_error_output(self) -> None:
        """The lines after them are handled, and the exit status is 1."""
        done = self.script(
            "/msg nobody hi\n/msg\n/jion x\n/msg alice a|||b \u00fc\x1b", "alice", self.url
        )
        self.assertEqual(done.stdout.splitlines()[2:], ["alice: a|||b \u00fc^["])
        self.assertIn(USAGE, done.stderr)
        self.assertIn("Did you mean /join?\n", done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 3)
        self.assertEqual(done.returncode, 1)

    def test_line_that_is_not_utf_8_is_not_sent(self) -> None:
        """The lines after it are, and the exit status is 1. So it is with --json."""
        for more in ((), ("--json",)):
            client = self.start("alice", self.url, *more)
            assert client.stdin and client.stdout and client.stderr
            client.stdin.buffer.write(b"one\ncaf\xe9\ntwo\n")  # type: ignore[attr-defined]
            client.stdin.close()
            output, errors = client.stdout.read(), client.stderr.read()
            self.assertIn("two", output)
            self.assertNotIn("caf", output)
            self.assertIn("Line 2 of the input is not valid UTF-8.", output if more else errors)
            self.assertEqual(client.wait(PATIENCE), 1)

    def test_password_comes_from_environment_or_file(self) -> None:
        """Without one, the error says so. ``/passwd`` takes the new one from a file, too."""
        self.assertEqual(self.script("", "alice", self.url, password="secret").returncode, 0)
        done = self.script("", "alice", self.url)
        self.assertEqual(done.returncode, 1)
        self.assertIn("CHATD_PASSWORD", done.stderr)
        self.assertEqual(
            self.script("", "alice", self.url, password="wrong").stderr, "wrong password\n"
        )
        Path(self.folder, "password").write_text("secret\n")
        Path(self.folder, "new").write_text("other\n")
        files = ["--password-file", "password", "--new-password-file", "new"]
        done = self.script("/passwd\n", "alice", self.url, *files)
        self.assertEqual((done.stderr, done.returncode), ("", 0))
        done = self.script("/unregister\n", "alice", self.url, password="other")
        self.assertEqual(
            (done.stdout.splitlines()[-1], done.returncode), ("DELETED ACCOUNT: alice", 0)
        )

    def test_thousands_of_lines_are_stored_in_order(self) -> None:
        """All are durable before the client ends."""
        self.script("", "bob", self.url)
        done = self.script("".join(f"/msg bob {n}\n" for n in range(3000)), "alice", self.url)
        self.assertEqual(done.returncode, 0, done.stderr)
        sent = [line for line in done.stdout.splitlines() if line.startswith("->")]
        self.assertEqual(sent, [f"-> bob: {n}" for n in range(3000)])
        got = self.script("", "bob", self.url).stdout.splitlines()
        self.assertEqual(
            [line for line in got if line.startswith("alice: ")],
            [f"alice: {n}" for n in range(3000)],
        )

    def test_closed_output_ends_the_client(self) -> None:
        """There is no traceback; the output may be a pipe to ``head -1``, for example."""
        client = self.start("alice", self.url)
        assert client.stdin and client.stdout and client.stderr
        self.assertEqual(client.stdout.readline(), "CREATED ACCOUNT: alice\n")
        client.stdout.close()
        client.stdin.write("/list\n")
        client.stdin.flush()
        self.assertEqual(client.stderr.read(), "")
        self.assertEqual(client.wait(PATIENCE), 1)

    def test_signal_ends_the_client_with_its_status(self) -> None:
        """128 and the number of the signal."""
        client = self.start("alice", self.url)
        assert client.stdout and client.stderr
        self.assertEqual(client.stdout.readline(), "CREATED ACCOUNT: alice\n")
        client.terminate()
        self.assertEqual(client.stderr.read(), "Interrupt received, shutting down ...\n")
        self.assertEqual(client.wait(PATIENCE), 128 + 15)

    def test_closed_port_is_an_error(self) -> None:
        """The exit status is 1."""
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            done = self.script("", "alice", f"chat://127.0.0.1:{closed.getsockname()[1]}")
        self.assertEqual(done.stderr, "Error:  That host or port is not accepting connections.\n")
        self.assertEqual(done.returncode, 1)

    def test_classic_server_is_an_error_with_advice(self) -> None:
        """The error names --protocol classic."""
        with socket.create_server(("127.0.0.1", 0)) as server:

            def refuse() -> None:
                connection, _ = server.accept()
                connection.recv(1024)
                connection.sendall(bytes([0, 8]) + (0).to_bytes(40))
                connection.close()

            thread = threading.Thread(target=refuse, daemon=True)
            thread.start()
            done = self.script("", "alice", f"chat://127.0.0.1:{server.getsockname()[1]}")
            thread.join(PATIENCE)
        self.assertIn("--protocol classic", done.stderr)
        self.assertEqual((done.returncode, len(done.stderr.splitlines())), (1, 1))


class ProgramTests(ClientCase):
    """A program, with ``--json``."""

    def test_program_answers_messages(self) -> None:
        """It sends, reacts, is refused, and gets receipts."""
        robot = self.start("robot", self.url, "--json")
        assert robot.stdin and robot.stdout

        def until(type: str, **fields: Any) -> dict[str, Any]:
            assert robot.stdout is not None
            for line in robot.stdout:
                event: dict[str, Any] = json.loads(line)
                if event["type"] == type and fields.items() <= event.items():
                    return event
            raise AssertionError(f"no {type} came")

        def ask(request: dict[str, Any]) -> None:
            assert robot.stdin is not None
            robot.stdin.write(json.dumps(request) + "\n")
            robot.stdin.flush()

        self.assertEqual(until("logged_in")["name"], "robot")
        until("pushed", kind="join", sender="robot")
        self.script("/msg robot hello\n", "alice", self.url)
        entry = until("pushed", log="@robot")
        self.assertEqual((entry["sender"], entry["body"]), ("alice", "hello"))
        ask({"send": {"recipient": entry["sender"], "text": entry["body"] + "!", "ref": 7}})
        self.assertEqual(until("accepted", ref=7)["log"], "@alice")
        ask({"react": {"log": "@robot", "seq": entry["seq"], "reaction": "\U0001f44d"}})
        self.assertEqual(until("accepted", request="react")["log"], "@alice")
        ask({"leave": {"room": "#nowhere"}})
        self.assertEqual(until("refusal", request="leave")["code"], "unknown-room")
        got = self.script("", "alice", self.url).stdout
        self.assertIn("robot: hello!\n", got)
        self.assertIn("* robot reacted \U0001f44d to an earlier message\n", got)
        self.assertEqual(until("receipt", log="@alice")["what"], "delivered")
        ask({"log_out": {}})
        self.assertEqual(robot.wait(PATIENCE), 1)
