"""Operators at work: a real daemon, and the real `python -m chatd.admin`."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pexpect

from chatd.admin.command_line import NO_DAEMON, REFUSED, WRONG_USAGE
from chatd.codecs import v1_messages
from chatd.codecs.classic import CREATE, LOGIN
from chatd.codecs.v1 import client_decoder, encode
from tests.doubles.daemon_process import PATIENCE, START_PATIENCE, Daemon, SocketClient
from tests.doubles.program import Program, environment, run
from tests.doubles.startup import Start


class _Administered(Start):
    """A daemon in the folder, and commands given there."""

    def start(self, *options: str, **extra: str) -> Daemon:
        """A daemon with the default store."""
        return self.daemon("--port", "0", *options, extra=extra)

    def command(
        self, *words: str, typed: str = "", **extra: str
    ) -> subprocess.CompletedProcess[str]:
        """`python -m chatd.admin WORDS`, to its end."""
        return run(
            ["chatd.admin", *words],
            cwd=self.folder,
            env=environment(extra),
            input=typed,
            timeout=START_PATIENCE,
        )

    def done(self, *words: str, typed: str = "") -> str:
        """What a command shows that is carried out."""
        ended = self.command(*words, typed=typed)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        return ended.stdout

    def json(self, *words: str) -> list[Any]:
        """The same as objects."""
        return [json.loads(line) for line in self.done(*words, "--json").splitlines()]

    def failed(self, status: int, *words: str, typed: str = "") -> str:
        """What is said on standard error about a command that is not carried out, which is one
        line."""
        ended = self.command(*words, typed=typed)
        self.assertEqual((ended.returncode, ended.stdout), (status, ""), ended.stderr)
        self.assertEqual(len(ended.stderr.splitlines()), 1, ended.stderr)
        self.assertTrue(ended.stderr.startswith("chatd.admin: "), ended.stderr)
        return ended.stderr


class Commands(_Administered):
    """Each of them, on accounts that are in use."""

    def setUp(self) -> None:
        super().setUp()
        self.running = self.start()
        self.ann = SocketClient(self, self.running).create("Ann", "secret")
        self.bob = SocketClient(self, self.running).create("bob")

    def test_looking(self) -> None:
        """Who there is, who is there, what there is."""
        lines = self.done("users").splitlines()
        self.assertEqual(lines[0].split(), ["NAME", "LOGIN", "CREATED", "LAST", "SEEN", "SESSIONS"])
        self.assertEqual(
            [line.split()[:2] for line in lines[1:]], [["Ann", "password"], ["bob", "open"]]
        )
        self.assertEqual([user["name"] for user in self.json("users", "b*")], ["bob"])
        sessions = self.json("sessions")
        self.assertEqual([session["name"] for session in sessions], ["Ann", "bob"])
        host, port = self.bob.socket.getsockname()
        self.assertIn(f"{port}", sessions[1]["about"])
        self.assertIn(host, sessions[1]["about"])
        self.assertIn(sessions[0]["about"], self.done("sessions", "ann"))
        self.assertEqual([room["room"] for room in self.json("rooms")], ["#lobby"])
        self.assertIn("#lobby  public", self.done("rooms", "#l*"))
        self.assertEqual(self.done("reports"), "")
        (stats,) = self.json("stats")
        self.assertEqual((stats["accounts"], stats["counts"]["sessions"]), (2, 2))
        self.assertIn("accounts", self.done("stats"))

    def test_kicking(self) -> None:
        """The connection is closed; the account may log in again."""
        self.assertEqual(
            self.json("end-sessions", "ANN", "that", "is", "enough"), [{"sessions": 1}]
        )
        self.ann.rest()
        SocketClient(self, self.running).login("Ann", "secret")
        self.assertIn("no account", self.failed(REFUSED, "end-sessions", "nobody"))

    def test_passwords(self) -> None:
        """By standard input, by a file, or none; the old one is worth nothing then."""
        self.assertIn(
            "Ann has a new password", self.done("reset-password", "ann", typed="second\nrest\n")
        )
        self.ann.rest()
        self.assertIn(
            "wrong password", SocketClient(self, self.running).error(LOGIN, "Ann", "secret")
        )
        SocketClient(self, self.running).login("Ann", "second").close()
        (self.folder / "password").write_text("third\n")
        self.done("reset-password", "ann", "--password-file", "password")
        SocketClient(self, self.running).login("Ann", "third").close()
        self.done("reset-password", "ann", "--open")
        SocketClient(self, self.running).login("Ann").close()
        for words, typed in (
            (["--password-file", "missing"], ""),
            (["--open", "--password-file", "password"], ""),
            ([], ""),
            ([], "\n"),
        ):
            self.failed(WRONG_USAGE, "reset-password", "ann", *words, typed=typed)
        self.assertIn(
            "at most 1024", self.failed(REFUSED, "reset-password", "ann", typed="x" * 1025)
        )
        SocketClient(self, self.running).login("Ann")
        self.assertNotIn("third", self.running.told)

    def test_passwords_at_a_terminal(self) -> None:
        """Asked for twice, and shown not at all."""
        for second, status in (("other", REFUSED), ("fourth", 0)):
            child = pexpect.spawn(
                sys.executable,
                ["-m", "chatd.admin", "reset-password", "ann"],
                cwd=str(self.folder),
                env=environment(),
                timeout=START_PATIENCE,
                encoding="utf-8",
            )
            self.addCleanup(child.close, True)
            child.expect_exact("New password for ann: ")
            child.waitnoecho(PATIENCE)
            child.sendline("fourth")
            child.expect_exact("Again: ")
            child.waitnoecho(PATIENCE)
            child.sendline(second)
            child.expect(pexpect.EOF)
            self.assertNotIn("fourth", child.before)
            child.close()
            self.assertEqual(child.exitstatus, status)
        SocketClient(self, self.running).login("Ann", "fourth")

    def test_deleting(self) -> None:
        """Only when it is meant; what is deleted can be made anew."""
        self.assertIn("--yes", self.failed(WRONG_USAGE, "delete", "ann", typed="yes\n"))
        self.assertEqual(self.json("delete", "ann", "--yes"), [{"name": "Ann"}])
        self.ann.rest()
        SocketClient(self, self.running).create("ann")
        self.assertIn("no account", self.failed(REFUSED, "delete", "--yes", "nobody"))
        self.assertEqual(self.done("delete-room", "lobby", "-y"), "Deleted: #lobby\n")
        self.assertIn("no room", self.failed(REFUSED, "delete-room", "#garden", "--yes"))

    def test_deleting_at_a_terminal(self) -> None:
        """Whoever is there is asked."""
        for answer, status in (("no", REFUSED), ("yes", 0)):
            child = pexpect.spawn(
                sys.executable,
                ["-m", "chatd.admin", "delete", "bob"],
                cwd=str(self.folder),
                env=environment(),
                timeout=START_PATIENCE,
                encoding="utf-8",
            )
            self.addCleanup(child.close, True)
            child.expect_exact("Delete the account bob and its mailbox? (yes/no) ")
            child.sendline(answer)
            child.expect(pexpect.EOF)
            child.close()
            self.assertEqual(child.exitstatus, status)
        self.assertEqual([user["name"] for user in self.json("users")], ["Ann"])

    def test_invites(self) -> None:
        """The token is shown once, alone on standard output; it can be taken back."""
        made = self.command("invite", "--uses", "2", "--note", "for the choir")
        token = made.stdout.strip()
        self.assertEqual((made.returncode, made.stdout), (0, token + "\n"))
        self.assertIn("Valid for 2 accounts until ", made.stderr)
        (invite,) = self.json("invites")
        self.assertEqual((invite["uses"], invite["note"]), (2, "for the choir"))
        self.assertEqual(invite["expires"] - invite["created"], 7 * 86_400_000)
        shown = self.done("invites")
        self.assertIn("for the choir", shown)
        self.assertNotIn(token, shown)
        self.done("revoke", token)
        self.assertIn("no invite", self.failed(REFUSED, "revoke", token))
        (made_for_ever,) = self.json("invite", "--expires", "never")
        self.assertIsNone(made_for_ever["expires"])
        self.done("revoke", made_for_ever["key"][:12])
        self.assertEqual(self.done("invites"), "")
        for wrong in (["--uses", "many"], ["--expires", "5"], ["--expires", ""]):
            self.failed(WRONG_USAGE, "invite", *wrong)
        self.failed(REFUSED, "invite", "--uses", "0")
        self.assertNotIn(token, self.running.told)

    def test_backup_while_clients_talk(self) -> None:
        """A copy of one moment, that a daemon can be started on; everything said before is in
        it."""
        said = [self.bob.say("bob", "Ann", f"{number}") for number in range(50)]
        self.assertEqual(len(self.ann.take(50)), 50)
        self.ann.close()
        said += [self.bob.say("bob", "Ann", "waiting") for _ in range(20)]
        backup = Program(["chatd.admin", "backup", "copy.db"], cwd=self.folder, env=environment())
        with backup:
            while backup.poll() is None:
                self.bob.say("bob", "Ann", "meanwhile")
            self.assertEqual(backup.returncode, 0)
            assert backup.stdout is not None
            self.assertEqual(backup.stdout.read(), f"Written: {self.folder / 'copy.db'}\n")
        copy = self.folder / "copy.db"
        self.assertEqual(stat.S_IMODE(copy.stat().st_mode), 0o600)
        self.assertIn("exists already", self.failed(REFUSED, "backup", "copy.db"))
        self.assertIn("cannot be written", self.failed(REFUSED, "backup", "none/copy.db"))
        restored = self.daemon("--port", "0", "--store", "sqlite:copy.db")
        mail = SocketClient(self, restored).login("Ann", "secret").mail()
        texts = [getattr(message, "text", None) for message in mail]
        self.assertEqual(texts[:20], ["waiting"] * 20)
        self.assertEqual(set(texts[20:]) | {"meanwhile"}, {"meanwhile"})
        self.assertEqual(restored.stop(), 0)


class Sockets(_Administered):
    """Where it is, who can open it, and when it is there."""

    def test_private(self) -> None:
        """Only its owner's, from the start, and gone at the end."""
        running = self.start()
        path = self.folder / "chatd.db.admin"
        kind = path.stat().st_mode
        self.assertTrue(stat.S_ISSOCK(kind))
        self.assertEqual(stat.S_IMODE(kind), 0o600)
        self.assertEqual(running.stop(), 0)
        self.assertIn(f"python -m chatd.admin --admin {path}", running.told)
        self.assertEqual(sorted(self.contents()), ["chatd.db"])

    def test_others(self) -> None:
        """Another user cannot even connect; and if the file's permissions are undone, is turned
        away."""
        if os.geteuid() != 0:
            # Only root can be somebody else; `tests.protocols.test_admin` asks the same without.
            return
        self.start()
        path = self.folder / "chatd.db.admin"
        self.folder.chmod(0o755)
        script = (
            "import os, socket, sys; os.setuid(65534); s = socket.socket(socket.AF_UNIX);"
            's.connect(sys.argv[1]); s.sendall(b\'{"command":"stats"}\\n\'); print(s.recv(100))'
        )
        tried = [sys.executable, "-c", script, str(path)]
        ended = subprocess.run(tried, capture_output=True, text=True, timeout=PATIENCE, check=False)
        self.assertIn("PermissionError", ended.stderr)
        path.chmod(0o666)
        ended = subprocess.run(tried, capture_output=True, text=True, timeout=PATIENCE, check=False)
        self.assertNotIn("version", ended.stdout)
        self.assertEqual(len(self.json("stats")), 1)

    def test_after_a_kill(self) -> None:
        """What a killed daemon leaves behind is replaced."""
        self.start().kill()
        self.assertTrue((self.folder / "chatd.db.admin").is_socket())
        self.assertIn("connection refused", self.failed(NO_DAEMON, "stats"))
        running = self.start()
        self.assertEqual(len(self.json("stats")), 1)
        self.assertEqual(running.stop(), 0)
        self.assertIn("no such file", self.failed(NO_DAEMON, "stats"))

    def test_two_daemons(self) -> None:
        """A live daemon's socket is not replaced, and the second one says why it does not start."""
        self.start("--admin", "socket")
        self.refused(
            "--port=0",
            "--store=sqlite:other.db",
            "--admin=socket",
            words="in use by another daemon",
        )
        self.assertEqual(len(self.json("--admin", "socket", "stats")), 1)

    def test_where_there_can_be_none(self) -> None:
        """One sentence, and nothing is begun."""
        (self.folder / "file").write_text("mine")
        for path, words in (
            ("x" * 120, "too long"),
            ("none/socket", "there is no folder"),
            ("file", "there is a file with this name"),
            ("", "an admin socket is a path, or none"),
        ):
            self.refused("--port=0", f"--admin={path}", words=words)

    def test_without(self) -> None:
        """With --admin none, and for a store in memory, there is none."""
        for options in (["--admin", "none"], ["--store", "memory"]):
            running = self.start(*options)
            self.assertNotIn("Administer:", running.told)
            self.assertFalse([path for path in self.folder.iterdir() if path.is_socket()])
            self.assertEqual(running.stop(), 0)
        self.assertIn("no admin socket", self.failed(WRONG_USAGE, "--admin", "none", "stats"))

    def test_in_memory(self) -> None:
        """It can be given one; there is nothing to back up then."""
        self.start("--store", "memory", "--admin", "socket")
        self.assertEqual(len(self.json("--admin", "socket", "stats")), 1)
        self.assertIn("in memory", self.failed(REFUSED, "--admin", "socket", "backup", "copy.db"))

    def test_found_as_the_daemon_finds_it(self) -> None:
        """By the environment and the configuration file."""
        (self.folder / "chatd.toml").write_text("store = 'sqlite:mine.db'\n")
        self.start("--config", "chatd.toml")
        self.assertEqual(len(self.json("--config", "chatd.toml", "stats")), 1)
        for extra in (
            {"CHATD_CONFIG": "chatd.toml"},
            {"CHATD_STORE": "sqlite:mine.db"},
            {"CHATD_ADMIN": "mine.db.admin"},
        ):
            self.assertEqual(self.command("stats", **extra).returncode, 0)
        self.assertEqual(self.command("stats", CHATD_ADMIN="other").returncode, NO_DAEMON)

    def test_stopping_with_operators(self) -> None:
        """An operator who stays does not hold it up."""
        running = self.start()
        with socket.socket(socket.AF_UNIX) as operator:
            operator.settimeout(PATIENCE)
            operator.connect(str(self.folder / "chatd.db.admin"))
            operator.sendall(b'{"command":"invites"}\n')
            self.assertEqual(operator.recv(1000), b'{"ok":true,"items":[]}\n')
            self.assertEqual(running.stop(signal.SIGINT), 0)
            self.assertEqual(operator.recv(1), b"")
        self.assertNotIn("Traceback", running.told)

    def test_what_is_no_daemon(self) -> None:
        """Something else that listens, and something that hangs up, are told apart."""
        path = str(self.folder / "other")
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(path)
            listening.listen()
            listening.settimeout(START_PATIENCE)
            for said, status in ((b"220 hello\n", REFUSED), (b"", NO_DAEMON)):
                ended = Program(
                    ["chatd.admin", "--admin", path, "stats"], cwd=self.folder, env=environment()
                )
                with ended:
                    connection, _ = listening.accept()
                    with connection:
                        connection.recv(1000)
                        connection.sendall(said)
                    self.assertEqual(ended.wait(START_PATIENCE), status)


class Usage(_Administered):
    """The command line alone."""

    def test_help(self) -> None:
        """Of the program and of each command, without a daemon."""
        text = self.done("--help")
        for name in (
            *(
                "users",
                "sessions",
                "end-sessions",
                "reset-password",
                "delete",
                "rooms",
                "delete-room",
            ),
            *("reports", "invite", "invites", "revoke", "stats", "backup"),
        ):
            self.assertIn(f" {name} ", text)
            self.assertIn("--json", self.done(name, "--help"))
        self.assertRegex(self.done("--version"), r"\Achatd \d")

    def test_mistakes(self) -> None:
        """One line, and status 2."""
        for words in (
            [],
            ["fly"],
            ["end-sessions"],
            ["end-sessions", ""],
            ["users", "a", "b"],
            ["stats", "--fast"],
            ["--admin"],
            ["--config", "missing", "stats"],
            ["backup"],
            ["revoke", ""],
        ):
            self.failed(WRONG_USAGE, *words)

    def test_no_daemon(self) -> None:
        """The path at which it was looked for is told."""
        self.assertIn("chatd.db.admin", self.failed(NO_DAEMON, "users"))
        self.assertIn(
            str(Path("/nowhere/socket")),
            self.failed(NO_DAEMON, "--admin", "/nowhere/socket", "users"),
        )
        self.failed(NO_DAEMON, "--admin", "x" * 200, "users")


class Peer:
    """A client of version 1 that asks one thing after another."""

    def __init__(self, case: _Administered, daemon: Daemon) -> None:
        self._socket = socket.create_connection(("127.0.0.1", daemon.port), PATIENCE)
        case.addCleanup(self._socket.close)
        self._decoder = client_decoder(1 << 20)
        self._come: list[Any] = []

    def next(self) -> Any:
        """The next message that comes."""
        while not self._come:
            data = self._socket.recv(1 << 16)
            assert data, "the daemon closed the connection"
            self._come += self._decoder.feed(data)
        return self._come.pop(0)

    def ask(self, request: v1_messages.Message) -> Any:
        """The answer to a request, as nothing else comes meanwhile."""
        self._socket.sendall(encode(request))
        return self.next()


class Users(_Administered):
    """What users notice of it, who speak version 1."""

    def test_by_invitation(self) -> None:
        """A token makes as many accounts as it is good for, whoever presents it; a revoked one,
        none."""
        running = self.start("--registration", "invite")
        token = self.done("invite", "--uses", "2").strip()
        peer = Peer(self, running)

        def register(name: str, invite: str | None) -> str:
            answer = peer.ask(v1_messages.Register(1, name, "secret", invite))
            return answer.code if isinstance(answer, v1_messages.Refusal) else "done"

        self.assertEqual(peer.ask(v1_messages.Hello(1)).registration, "invite")
        self.assertEqual(register("ann", None), "invite-required")
        self.assertEqual(register("ann", "wrong"), "invite-invalid")
        self.assertEqual(register("ann", token), "done")
        self.assertEqual(register("ann", token), "name-taken")
        self.assertEqual(register("bob", token.upper()), "done")
        self.assertEqual(register("cid", token), "invite-invalid")
        token = self.done("invite").strip()
        self.done("revoke", token)
        self.assertEqual(register("cid", token), "invite-invalid")
        self.assertIn("invite", SocketClient(self, running).error(CREATE, "dan", "secret"))
        self.assertEqual([user["name"] for user in self.json("users")], ["ann", "bob"])

    def test_being_told(self) -> None:
        """Who is kicked, or deleted, is told why; what users report can be read."""
        running = self.start()
        peer = Peer(self, running)
        for name in ("ann", "bob"):
            peer.ask(v1_messages.Register(1, name))
        self.assertIsInstance(peer.ask(v1_messages.LogIn(1, "ann")), v1_messages.LoggedIn)
        peer.ask(v1_messages.Report(1, "bob", "rude\x1b[2J"))
        shown = self.done("reports")
        self.assertIn("ann reports\n    bob: rude\\x1b[2J\n", shown)
        (report,) = self.json("reports")
        self.assertEqual(self.done("reports", "--after", str(report["seq"])), "")
        self.done("end-sessions", "ann", "Enough of it.")
        said = peer.next()
        self.assertEqual((said.code, said.sentence), ("kicked", "Enough of it."))
        peer = Peer(self, running)
        peer.ask(v1_messages.LogIn(1, "bob"))
        self.done("delete", "bob", "--yes")
        self.assertEqual(peer.next().code, "account-deleted")

    def test_rooms(self) -> None:
        """An operator sees private ones, and deletes any."""
        running = self.start()
        peer = Peer(self, running)
        peer.ask(v1_messages.Register(1, "ann"))
        peer.ask(v1_messages.LogIn(1, "ann"))
        self.assertIsInstance(
            peer.ask(v1_messages.CreateRoom(1, "#Garden", "roses\x07", True)), v1_messages.RoomState
        )
        (room,) = self.json("rooms", "#G*")
        self.assertEqual((room["owner"], room["members"], room["private"]), ("ann", 1, True))
        self.assertIn("roses\\x07", self.done("rooms"))
        self.assertEqual(self.done("delete-room", "garden", "--yes"), "Deleted: #Garden\n")
        self.assertEqual([room["room"] for room in self.json("rooms")], ["#lobby"])


class Registration(_Administered):
    """What the daemon says about who may make accounts."""

    def test_told_at_start(self) -> None:
        """As it is."""
        for options, words in (
            (
                (),
                "this machine only (--host 0.0.0.0 for others). Anyone can create an account, and anyone can use",
            ),
            (
                ("--registration", "closed", "--forbid-open-accounts"),
                "Nobody can create an account\n",
            ),
            (
                ("--registration", "invite"),
                "-m chatd.admin invite), and anyone can use",
            ),
            (("--registration", "invite", "--admin", "none"), "making one requires --admin PATH"),
        ):
            running = self.start(*options)
            running.stop()
            self.assertIn(words, running.told)

    def test_retention(self) -> None:
        """What has been read, and is too much, is trimmed when the daemon starts; what waits is
        not."""
        running = self.start()
        ann, bob = (
            SocketClient(self, running).create("Ann"),
            SocketClient(self, running).create("bob"),
        )
        for number in range(20):
            bob.say("bob", "Ann", f"{number}")
        self.assertEqual(len(ann.take(20)), 20)
        ann.close()
        cid = SocketClient(self, running).create("Cid")
        cid.close()
        for number in range(20):
            bob.say("bob", "Cid", f"{number}")
        self.assertEqual(running.stop(), 0)
        running = self.start("--retain", "5")
        with closing(sqlite3.connect(f"file:{self.folder}/chatd.db?mode=ro", uri=True)) as store:
            deadline = time.monotonic() + PATIENCE
            while dict(store.execute("SELECT name, trimmed FROM logs")) != {"@ann": 15, "@cid": 0}:
                self.assertLess(time.monotonic(), deadline)
        self.assertEqual(running.stop(), 0)
        self.assertNotIn("Traceback", running.told)
