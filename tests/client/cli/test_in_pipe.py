"""The real client in pipes, over version 1, against the real daemon."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path
from typing import Any

from tests.doubles.client_process import PATIENCE, Process

USAGE = "Usage: /msg NAME|#ROOM TEXT\n"


class PipeTests(Process):
    """Scripts."""

    def test_one_message(self) -> None:
        """The one-liner of the documentation; the message waits, and comes once."""
        self.assertEqual(
            self.script("", "bob", self.url).stdout, "CREATED ACCOUNT: bob\n* bob joined #lobby\n"
        )
        done = self.executed("/msg bob hi\n", "alice", f"chat://localhost:{self.daemon.port}")
        self.assertEqual(done.stdout, "CREATED ACCOUNT: alice\n* alice joined #lobby\n-> bob: hi\n")
        self.assertEqual((done.stderr, done.returncode), ("", 0))
        done = self.script("", "bob", self.url)
        self.assertEqual(sorted(done.stdout.splitlines()), ["* alice joined #lobby", "alice: hi"])
        self.assertEqual(self.script("", "bob", self.url).stdout, "")

    def test_room(self) -> None:
        """Text goes to the lobby, or where one has turned."""
        done = self.script(
            "hello\n/create #garden Seeds\nhi\n/topic\n/who\n/edit ho\n/leave\n", "alice", self.url
        )
        self.assertEqual((done.stderr, done.returncode), ("", 0))
        lines = done.stdout.splitlines()
        for line in (
            "#lobby <alice> hello",
            "#garden <alice> hi",
            "#garden: Seeds",
            "alice (owner) online",
            '* alice edited "hi" in #garden: ho',
            "* you left #garden",
        ):
            self.assertIn(line, lines)

    def test_times(self) -> None:
        """With --times."""
        done = self.script("hello\n", "alice", self.url, "--times")
        self.assertRegex(done.stdout, r"(?m)^\d\d:\d\d #lobby <alice> hello$")

    def test_refused(self) -> None:
        """Refusals on the error output, all else goes on, the status says so."""
        done = self.script(
            "/msg nobody hi\n/msg\n/jion x\n/msg alice a|||b \u00fc\x1b", "alice", self.url
        )
        self.assertEqual(done.stdout.splitlines()[2:], ["alice: a|||b \u00fc^["])
        self.assertIn(USAGE, done.stderr)
        self.assertIn("Did you mean /join?\n", done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 3)
        self.assertEqual(done.returncode, 1)

    def test_password(self) -> None:
        """From the environment or a file; without it, a sentence. /passwd takes the next line."""
        self.assertEqual(self.script("", "alice", self.url, password="secret").returncode, 0)
        done = self.script("", "alice", self.url)
        self.assertEqual(done.returncode, 1)
        self.assertIn("CHATD_PASSWORD", done.stderr)
        self.assertEqual(
            self.script("", "alice", self.url, password="wrong").stderr, "wrong password\n"
        )
        Path(self.folder, "password").write_text("secret\n")
        done = self.script("/passwd\nother\n", "alice", self.url, "--password-file", "password")
        self.assertEqual((done.stderr, done.returncode), ("", 0))
        done = self.script("/unregister\n", "alice", self.url, password="other")
        self.assertEqual(
            (done.stdout.splitlines()[-1], done.returncode), ("DELETED ACCOUNT: alice", 0)
        )

    def test_many(self) -> None:
        """Thousands of lines, each durable before the client ends, in order; and read again in
        order."""
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

    def test_nobody_reads(self) -> None:
        """As before `head -1`: it ends, without a traceback."""
        client = self.start("alice", self.url)
        assert client.stdin and client.stdout and client.stderr
        self.assertEqual(client.stdout.readline(), "CREATED ACCOUNT: alice\n")
        client.stdout.close()
        client.stdin.write("/list\n")
        client.stdin.flush()
        self.assertEqual(client.stderr.read(), "")
        self.assertEqual(client.wait(PATIENCE), 1)

    def test_signal(self) -> None:
        """It leaves, and the status says why."""
        client = self.start("alice", self.url)
        assert client.stdout and client.stderr
        self.assertEqual(client.stdout.readline(), "CREATED ACCOUNT: alice\n")
        client.terminate()
        self.assertEqual(client.stderr.read(), "Interrupt received, shutting down ...\n")
        self.assertEqual(client.wait(PATIENCE), 128 + 15)

    def test_no_server(self) -> None:
        """Nobody listens."""
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            done = self.script("", "alice", f"chat://127.0.0.1:{closed.getsockname()[1]}")
        self.assertEqual(done.stderr, "Error:  That host or port is not accepting connections.\n")
        self.assertEqual(done.returncode, 1)

    def test_old_server(self) -> None:
        """One that answers in the classic protocol: the sentence says what to do."""
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


class ProgramTests(Process):
    """--json."""

    def test_robot(self) -> None:
        """A program that answers everybody, in a language that knows JSON."""
        robot = self.start("robot", self.url, "--json")
        assert robot.stdin and robot.stdout

        def until(type: str, **fields: Any) -> dict[str, Any]:
            assert robot.stdout is not None
            for line in robot.stdout:
                told: dict[str, Any] = json.loads(line)
                if told["type"] == type and fields.items() <= told.items():
                    return told
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
