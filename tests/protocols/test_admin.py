"""The admin socket: what may be asked, what is answered, and who may ask."""

from __future__ import annotations

import json
import os
import socket
import stat
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase, TestCase

from chatd.codecs import admin as c
from chatd.core.errors import SocketUnusable
from chatd.protocols import admin
from chatd.protocols.admin import AdminFactory, AdminProtocol
from chatd.realm.operations import Operations
from chatd.realm.permissions import Policy
from chatd.server.owner_socket import OwnerPort, check_socket_path
from tests.doubles.folders import folder
from tests.doubles.realm import RealmHarness


async def hash_password(password: str) -> str:
    """A hash by which a test can tell the password."""
    return f"hash of {password}"


class _Asked(SynchronousTestCase):
    """A realm with two accounts, and an operator."""

    def setUp(self) -> None:
        self.patch(admin, "is_permitted", lambda transport: True)
        self.harness = RealmHarness()
        self.harness.register("Ann", "bob")
        self.harness.run(self.harness.realm.start())
        self.factory = AdminFactory(Operations(self.harness.realm, hash_password))
        self.operator, self.transport = self.connect()

    def connect(self) -> tuple[AdminProtocol, StringTransport]:
        """A connection."""
        operator: Any = self.factory.buildProtocol(None)
        transport = StringTransport()
        operator.makeConnection(transport)
        return operator, transport

    def send(self, *requests: object) -> None:
        """Requests: objects, or lines as they are."""
        for request in requests:
            line = request if isinstance(request, bytes) else json.dumps(request).encode() + b"\n"
            self.operator.dataReceived(line)
        self.harness.settle()

    def answers(self) -> list[Any]:
        """All that came since."""
        lines = self.transport.value().splitlines()
        self.transport.clear()
        return [json.loads(line) for line in lines]

    def ask(self, command: str, **fields: object) -> Any:
        """The answer to a request that is carried out."""
        self.send({"command": command, **fields})
        (answer,) = self.answers()
        self.assertTrue(answer.pop("ok"), answer)
        return answer

    def refused(self, command: str, **fields: object) -> str:
        """The code with which a request is refused."""
        self.send({"command": command, **fields})
        (answer,) = self.answers()
        self.assertFalse(answer["ok"])
        self.assertGreater(len(answer["sentence"]), 5)
        code: str = answer["code"]
        return code


class Requests(_Asked):
    """Each of them."""

    def test_users(self) -> None:
        """In alphabetical order, with what is known of them, in pages."""
        self.harness.login("Ann")
        items = self.ask("users")["items"]
        self.assertEqual([item["name"] for item in items], ["Ann", "bob"])
        self.assertEqual(
            items[0], {"name": "Ann", "created": 0, "open": True, "sessions": 1, "seen": 0}
        )
        page = self.ask("users", limit=1)
        self.assertEqual(([item["name"] for item in page["items"]], page["more"]), (["Ann"], True))
        page = self.ask("users", limit=1, after=page["last"])
        self.assertEqual([item["name"] for item in page["items"]], ["bob"])
        self.assertEqual(self.ask("users", after=page["last"])["more"], False)
        self.assertEqual(
            [item["name"] for item in self.ask("users", pattern="b*")["items"]], ["bob"]
        )
        self.assertEqual(self.refused("users", pattern="*" * 1000), "pattern-too-long")

    def test_sessions(self) -> None:
        """Who is there, and from where; all sessions of an account are on one page."""
        self.assertEqual(self.ask("sessions")["items"], [])
        self.harness.login("bob")
        self.harness.login("Ann")
        about = self.harness.sessions["Ann"].peer.about
        page = self.ask("sessions", limit=1)
        self.assertEqual(page["items"], [{"name": "Ann", "since": 0, "about": about}])
        self.assertTrue(page["more"])
        page = self.ask("sessions", limit=1, after=page["last"])
        self.assertEqual(([item["name"] for item in page["items"]], page["more"]), (["bob"], False))
        self.assertEqual(
            [item["name"] for item in self.ask("sessions", name="ANN")["items"]], ["Ann"]
        )
        self.assertEqual(self.refused("sessions", name="nobody"), "unknown-account")

    def test_kick(self) -> None:
        """All sessions end, and may begin again."""
        self.harness.login("Ann")
        self.assertEqual(self.ask("end-sessions", name="ann", sentence="Enough."), {"sessions": 1})
        self.assertTrue(self.harness.sessions["Ann"].ended)
        self.assertEqual(self.ask("end-sessions", name="ann"), {"sessions": 0})
        self.assertEqual(self.refused("end-sessions", name="nobody"), "unknown-account")

    def password(self) -> str | None:
        """Ann's."""
        _, account = self.harness.run(self.harness.realm.accounts.account("ann"))
        found: str | None = account.password
        return found

    def test_reset_password(self) -> None:
        """A new one, or none; whoever is logged in is so no more."""
        self.harness.login("Ann")
        self.assertEqual(self.ask("reset-password", name="ann", password="new"), {"name": "Ann"})
        self.assertEqual(self.password(), "hash of new")
        self.assertTrue(self.harness.sessions["Ann"].ended)
        self.assertEqual(self.refused("reset-password", name="ann"), "bad-request")
        self.assertEqual(self.refused("reset-password", name="ann", password=""), "bad-request")
        self.assertEqual(
            self.refused("reset-password", name="nobody", password="x"), "unknown-account"
        )
        self.assertEqual(self.password(), "hash of new")
        self.ask("reset-password", name="ann", password=None)
        self.assertIsNone(self.password())

    def test_no_open_accounts_where_they_are_not_allowed(self) -> None:
        """Not even for the operator, who could not use it either."""
        self.harness.realm.policy = Policy("open", open_accounts=False)
        self.assertEqual(
            self.refused("reset-password", name="ann", password=None), "password-needed"
        )

    def test_delete(self) -> None:
        """An account is gone, with whoever was it."""
        self.harness.login("Ann")
        self.assertEqual(self.ask("delete", name="ANN"), {"name": "Ann"})
        self.assertTrue(self.harness.sessions["Ann"].ended)
        self.assertEqual([item["name"] for item in self.ask("users")["items"]], ["bob"])
        self.assertEqual(self.refused("delete", name="Ann"), "unknown-account")

    def test_rooms(self) -> None:
        """Listed, private ones as well, and deleted; the lobby is there again at once."""
        (room,) = self.ask("rooms")["items"]
        self.assertEqual(
            (room["room"], room["private"], room["owner"], room["members"]),
            ("#lobby", False, "", 0),
        )
        self.assertEqual(self.ask("delete-room", room="#LOBBY"), {"room": "#lobby"})
        self.assertEqual(
            [item["room"] for item in self.ask("rooms", pattern="#l*")["items"]], ["#lobby"]
        )
        self.assertEqual(self.refused("delete-room", room="#garden"), "unknown-room")

    def test_reports(self) -> None:
        """What users have told, in pages, to the end."""
        realm = self.harness.realm
        for number in range(3):
            realm.note("@server", "Ann", "report", f"bob: reason {number}")
        realm.flush()
        self.harness.settle()
        first = self.ask("reports", limit=2)
        self.assertEqual(
            [(item["seq"], item["sender"], item["body"]) for item in first["items"]],
            [(1, "Ann", "bob: reason 0"), (2, "Ann", "bob: reason 1")],
        )
        second = self.ask("reports", after=first["last"])
        self.assertEqual([item["seq"] for item in second["items"]], [3])
        third = self.ask("reports", after=second["last"])
        self.assertEqual(third, {"items": [], "more": False, "last": 3})

    def test_invites(self) -> None:
        """Made, listed without their tokens, revoked."""
        made = self.ask("invite", uses=3, seconds=60, note="the choir")
        self.assertEqual(made["expires"], 60_000)
        (item,) = self.ask("invites")["items"]
        self.assertEqual(
            item,
            {"key": made["key"], "created": 0, "expires": 60_000, "uses": 3, "note": "the choir"},
        )
        self.assertEqual(self.ask("revoke", invite=made["token"]), {"key": made["key"]})
        self.assertEqual(self.refused("revoke", invite=made["token"]), "invite-invalid")
        self.assertEqual(self.refused("invite", uses=0), "bad-request")

    def test_stats(self) -> None:
        """Some numbers."""
        self.harness.login("Ann")
        stats = self.ask("stats")
        self.assertEqual(
            (stats["accounts"], stats["rooms"], stats["counts"]["sessions"]), (2, 1, 1)
        )

    def test_backup(self) -> None:
        """For the store to do or to refuse; a path means the same to both ends."""
        self.assertEqual(self.refused("backup", path="copy.db"), "bad-request")
        self.assertEqual(self.refused("backup", path="/nowhere/copy.db"), "backup-failed")


class Lines(_Asked):
    """How requests come and answers go."""

    def test_what_is_no_request(self) -> None:
        """Whatever comes is answered with a reason, and the next line is read."""
        for line in (
            b"\n",
            b"hello\n",
            b"{}\n",
            b"[1]\n",
            b'{"command":"fly"}\n',
            b'{"command":"end-sessions"}\n',
            b'{"command":"end-sessions","name":1}\n',
            b'{"command":"end-sessions","name":"ann","force":true}\n',
            b'{"command":"users","limit":0}\n',
            b'{"command":"end-sessions","name":"\xff"}\n',
            b'{"command":"end-sessions","name":"\\ud800"}\n',
            b"\x00\xff\n",
            b"[" * 10_000 + b"\n",
        ):
            self.send(line)
            (answer,) = self.answers()
            self.assertEqual((answer["ok"], answer["code"]), (False, "bad-request"), line)
        self.ask("stats")

    def test_a_line_without_end(self) -> None:
        """Is refused, and ends the connection."""
        self.send(b"x" * (c.MAX_LINE + 1))
        (answer,) = self.answers()
        self.assertEqual(answer["code"], "bad-request")
        self.assertTrue(self.transport.disconnecting)

    def test_one_after_another(self) -> None:
        """However they come, requests are carried out and answered in order."""
        requests = [{"command": "end-sessions", "name": f"nobody{number}"} for number in range(5)]
        data = b"".join(json.dumps(request).encode() + b"\n" for request in requests)
        for at in range(0, len(data), 7):
            self.send(data[at : at + 7])
        self.send(*[{"command": "stats"}, {"command": "nonsense"}])
        self.assertEqual([answer["ok"] for answer in self.answers()], [False] * 5 + [True, False])

    def test_many_at_once(self) -> None:
        """Thousands of lines in one read do no harm."""
        self.send(b"\n" * 20_000)
        self.assertEqual(len(self.answers()), 20_000)

    def test_waiting(self) -> None:
        """While something is carried out nothing more is read; what is done by then is not answered
        twice."""
        self.harness.store.eager = False
        self.operator.dataReceived(b'{"command":"stats"}\n{"command":"invites"}\n')
        self.assertEqual(self.transport.producerState, "paused")
        self.assertEqual(self.answers(), [])
        self.harness.settle()
        self.assertEqual([answer["ok"] for answer in self.answers()], [True, True])
        self.assertEqual(self.transport.producerState, "producing")

    def test_an_operator_who_does_not_read(self) -> None:
        """Gets no more answers than the connection takes, until it takes more."""
        self.operator.pauseProducing()
        self.send({"command": "stats"}, {"command": "stats"})
        self.assertEqual(self.answers(), [])
        self.assertEqual(self.transport.producerState, "paused")
        self.operator.resumeProducing()
        self.assertEqual(len(self.answers()), 2)
        self.assertEqual(self.transport.producerState, "producing")

    def test_a_failure(self) -> None:
        """A mistake of ours is logged, and the operator is told that there was one."""

        def broken() -> Any:
            raise ZeroDivisionError()

        self.patch(self.harness.realm, "sessions", broken)
        self.assertEqual(self.refused("stats"), "error")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.ask("invites")

    def test_stopping(self) -> None:
        """What is under way is finished and answered; all connections end."""
        self.harness.store.eager = False
        idle, idle_transport = self.connect()
        self.operator.dataReceived(b'{"command":"stats"}\n{"command":"stats"}\n')
        finished = self.factory.finish()
        self.assertTrue(idle_transport.disconnecting)
        self.assertFalse(self.transport.disconnecting)
        self.harness.settle()
        self.assertEqual(len(self.answers()), 1)
        self.assertTrue(self.transport.disconnecting)
        idle.connectionLost()
        self.assertNoResult(finished)
        self.operator.connectionLost()
        self.successResultOf(finished)

    def test_gone_before_the_answer(self) -> None:
        """What was asked is done all the same, and the daemon waits for it when it stops."""
        self.harness.store.eager = False
        self.operator.dataReceived(b'{"command":"invite"}\n')
        self.operator.connectionLost()
        finished = self.factory.finish()
        self.assertNoResult(finished)
        self.harness.settle()
        self.successResultOf(finished)
        self.assertEqual(self.answers(), [])

    def test_turned_away(self) -> None:
        """Whoever may not enter is answered nothing."""
        self.patch(admin, "is_permitted", lambda transport: False)
        self.operator, self.transport = self.connect()
        self.assertTrue(self.transport.disconnecting)


class Sockets(TestCase):
    """The socket's file."""

    def setUp(self) -> None:
        self.folder = folder(self)
        self.file = Path(self.folder) / "admin"
        self.path = str(self.file)

    def port(self) -> Any:
        """A port that listens."""
        port = OwnerPort(self.path, Factory.forProtocol(Protocol), reactor)
        port.startListening()
        return port

    async def test_private(self) -> None:
        """Its owner's only, whatever the umask; it is gone afterwards."""
        former = os.umask(0)
        try:
            port = self.port()
            self.assertEqual(os.umask(0), 0)
        finally:
            os.umask(former)
        kind = os.stat(self.path).st_mode
        self.assertTrue(stat.S_ISSOCK(kind))
        self.assertEqual(stat.S_IMODE(kind), 0o600)
        await port.stopListening()
        self.assertEqual(os.listdir(self.folder), [])

    async def test_never_open_to_others(self) -> None:
        """From the moment there is a file it is private; nobody can connect before."""
        seen: list[int] = []
        chmod = os.chmod

        def watched(path: Any, mode: int) -> None:
            seen.append(stat.S_IMODE(os.stat(path).st_mode))
            chmod(path, mode)

        self.patch(os, "chmod", watched)
        port = self.port()
        self.assertEqual([mode & 0o077 for mode in seen], [0] * len(seen))
        await port.stopListening()

    async def test_left_behind(self) -> None:
        """What a killed daemon left is replaced; what a live one has is not, nor is anybody's
        file."""
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(self.path)
            left.listen()
            self.assertIn("in use", str(self.assertRaises(SocketUnusable, self.port)))
            self.assertIn(
                "in use", str(self.assertRaises(SocketUnusable, check_socket_path, self.path))
            )
        check_socket_path(self.path)
        port = self.port()
        other = self.assertRaises(SocketUnusable, self.port)
        self.assertIn(self.path, str(other))
        await port.stopListening()
        self.file.write_text("mine")
        self.assertIn("a file with this name", str(self.assertRaises(SocketUnusable, self.port)))
        self.assertEqual(self.file.read_text(), "mine")

    async def test_somebody_who_does_not_accept(self) -> None:
        """A live daemon with a full queue is not waited for."""
        with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as waiting:
            listening.bind(self.path)
            listening.listen(0)
            waiting.connect(self.path)
            self.assertIn(
                "in use", str(self.assertRaises(SocketUnusable, check_socket_path, self.path))
            )

    async def test_a_socket_that_is_not_ours_any_more(self) -> None:
        """What has been put in its place is left alone, and a missing file is no trouble."""
        port = self.port()
        os.unlink(self.path)
        self.file.write_text("another")
        await port.stopListening()
        self.assertEqual(os.listdir(self.folder), ["admin"])
        os.unlink(self.path)
        port = self.port()
        os.unlink(self.path)
        await port.stopListening()

    def test_where_there_can_be_none(self) -> None:
        """The path is looked at before anything else is done; the sentence says what is wrong with
        it."""
        long = os.path.join(self.folder, "é" * 60)
        for path, words in (
            (long, f"has {len(os.fsencode(long))} bytes, the system allows"),
            (os.path.join(self.folder, "none", "admin"), "there is no folder"),
            (self.folder, "there is a file with this name"),
        ):
            self.assertIn(words, str(self.assertRaises(SocketUnusable, check_socket_path, path)))
        self.assertEqual(os.listdir(self.folder), [])

    async def test_who_is_permitted(self) -> None:
        """This user and root; the system says who is at the other end."""
        entered: Deferred[bool] = Deferred()

        class Asked(Protocol):
            def connectionMade(self) -> None:
                entered.callback(admin.is_permitted(self.transport))
                assert self.transport is not None
                self.transport.loseConnection()

        port: Any = OwnerPort(self.path, Factory.forProtocol(Asked), reactor)
        port.startListening()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(self.path)
            self.assertTrue(await entered)
        await port.stopListening()

    def test_who_may_not(self) -> None:
        """Anybody else."""

        class Other:
            def __init__(self, user: int) -> None:
                self.socket = self
                self.user = user

            def getsockopt(self, level: int, option: int, size: int) -> bytes:
                return admin._CREDENTIALS.pack(1, self.user, self.user)

        self.patch(os, "geteuid", lambda: 1000)
        self.assertEqual(
            [admin.is_permitted(Other(user)) for user in (0, 1000, 1001)], [True, True, False]
        )
