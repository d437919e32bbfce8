"""The admin protocol: requests, answers, their order, and the users that are permitted."""

from __future__ import annotations

import json
import os
import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport
from twisted.logger import LogPublisher
from twisted.trial.unittest import SynchronousTestCase, TestCase

from chatd.codecs import admin as c
from chatd.core.errors import StoreUnavailable
from chatd.daemon.log_level import LogFilter
from chatd.protocols.admin import connection
from chatd.protocols.admin.connection import AdminFactory, AdminProtocol
from chatd.realm.operations import Operations
from chatd.realm.permissions import Policy
from chatd.server.owner_socket import OwnerPort
from tests.docs.pages import table
from tests.doubles.folders import folder
from tests.doubles.log_lines import log_lines
from tests.doubles.realm import RealmHarness


class AdminCase(SynchronousTestCase):
    """A realm with the open accounts Ann and bob, and the connection of an operator."""

    def setUp(self) -> None:
        self.patch(connection, "is_permitted", lambda transport: True)
        self.harness = RealmHarness()
        self.harness.register("Ann", "bob")
        self.harness.run(self.harness.realm.start())
        self.log_level = LogFilter(LogPublisher())
        self.factory = AdminFactory(Operations(self.harness.realm, log_level=self.log_level))
        self.operator, self.transport = self.connect()

    def connect(self) -> tuple[AdminProtocol, StringTransport]:
        """A new connection."""
        operator: Any = self.factory.buildProtocol(None)
        transport = StringTransport()
        operator.makeConnection(transport)
        return operator, transport

    def send(self, *requests: object) -> None:
        """Send requests, which are objects, or lines as they are."""
        for request in requests:
            line = request if isinstance(request, bytes) else json.dumps(request).encode() + b"\n"
            self.operator.dataReceived(line)
        self.harness.settle()

    def answers(self) -> list[Any]:
        """All answers since the last call."""
        lines = self.transport.value().splitlines()
        self.transport.clear()
        return [json.loads(line) for line in lines]

    def request(self, command: str, **fields: object) -> Any:
        """The answer to a request that is carried out, without `ok`."""
        self.send({"command": command, **fields})
        (answer,) = self.answers()
        self.assertTrue(answer.pop("ok"), answer)
        return answer

    def refusal_code(self, command: str, **fields: object) -> str:
        """The code with which a request is refused."""
        self.send({"command": command, **fields})
        (answer,) = self.answers()
        self.assertEqual(list(answer), ["ok", "code", "sentence"])
        self.assertFalse(answer["ok"])
        self.assertGreater(len(answer["sentence"]), 5)
        code: str = answer["code"]
        return code


class Requests(AdminCase):
    """Every request: the fields of its answer, and its refusals."""

    def test_accounts_are_listed_in_alphabetical_order(self) -> None:
        """The list comes in pages and can be limited by a pattern."""
        self.harness.login("Ann")
        answer = self.request("users")
        self.assertEqual([item["name"] for item in answer["items"]], ["Ann", "bob"])
        self.assertEqual(
            answer["items"][0],
            {
                "name": "Ann",
                "created": 0,
                "open": True,
                "sessions": 1,
                "seen": 0,
                "suspended": None,
            },
        )
        self.assertEqual(sorted(answer), ["items", "last", "more"])
        page = self.request("users", limit=1)
        self.assertEqual(([item["name"] for item in page["items"]], page["more"]), (["Ann"], True))
        page = self.request("users", limit=1, after=page["last"])
        self.assertEqual([item["name"] for item in page["items"]], ["bob"])
        self.assertEqual(self.request("users", after=page["last"])["more"], False)
        self.assertEqual(
            [item["name"] for item in self.request("users", pattern="b*")["items"]], ["bob"]
        )
        self.assertEqual(self.refusal_code("users", pattern="*" * 1000), "pattern-too-long")

    def test_sessions_are_listed_by_account(self) -> None:
        """All sessions of an account are on one page."""
        self.assertEqual(self.request("sessions")["items"], [])
        self.harness.login("bob")
        self.harness.login("Ann")
        about = self.harness.sessions["Ann"].peer.about
        page = self.request("sessions", limit=1)
        self.assertEqual(page["items"], [{"name": "Ann", "since": 0, "about": about}])
        self.assertTrue(page["more"])
        page = self.request("sessions", limit=1, after=page["last"])
        self.assertEqual(([item["name"] for item in page["items"]], page["more"]), (["bob"], False))
        self.assertEqual(
            [item["name"] for item in self.request("sessions", name="ANN")["items"]], ["Ann"]
        )
        self.assertEqual(self.refusal_code("sessions", name="nobody"), "unknown-account")

    def test_ended_sessions_are_counted(self) -> None:
        """An account without sessions has none to end."""
        self.harness.login("Ann")
        self.assertEqual(
            self.request("end-sessions", name="ann", sentence="Enough."), {"sessions": 1}
        )
        self.assertTrue(self.harness.sessions["Ann"].ended)
        self.assertEqual(self.request("end-sessions", name="ann"), {"sessions": 0})
        self.assertEqual(self.refusal_code("end-sessions", name="nobody"), "unknown-account")

    def password(self) -> str | None:
        """The stored hash of Ann's password."""
        _, account = self.harness.run(self.harness.realm.accounts.account("ann"))
        password: str | None = account.password
        return password

    def test_password_is_replaced_or_removed(self) -> None:
        """Null removes it; a request without the field is refused. Sessions end."""
        self.harness.login("Ann")
        self.assertEqual(
            self.request("reset-password", name="ann", password="new"), {"name": "Ann"}
        )
        self.assertEqual(self.password(), "hash of new")
        self.assertTrue(self.harness.sessions["Ann"].ended)
        self.assertEqual(self.refusal_code("reset-password", name="ann"), "bad-request")
        self.assertEqual(
            self.refusal_code("reset-password", name="ann", password=""), "bad-request"
        )
        self.assertEqual(
            self.refusal_code("reset-password", name="nobody", password="x"), "unknown-account"
        )
        self.assertEqual(self.password(), "hash of new")
        self.request("reset-password", name="ann", password=None)
        self.assertIsNone(self.password())

    def test_account_is_not_made_open_where_open_accounts_are_forbidden(self) -> None:
        """Its owner could not log in to it."""
        self.harness.realm.policy = Policy("open", open_accounts=False)
        self.assertEqual(
            self.refusal_code("reset-password", name="ann", password=None), "password-needed"
        )

    def test_fingerprints_of_certificates_are_replaced(self) -> None:
        """A text that is not a fingerprint is refused."""
        fingerprint = "ab" * 32
        self.assertEqual(
            self.request("set-certificates", name="ann", fingerprints=[fingerprint]),
            {"name": "Ann"},
        )
        _, account = self.harness.run(self.harness.realm.accounts.account("ann"))
        self.assertEqual(account.certificates, (fingerprint,))
        self.assertEqual(
            self.refusal_code("set-certificates", name="ann", fingerprints=["x"]),
            "fingerprint-invalid",
        )

    def test_deleted_account_is_unknown(self) -> None:
        """The sessions of the account end."""
        self.harness.login("Ann")
        self.assertEqual(self.request("delete", name="ANN"), {"name": "Ann"})
        self.assertTrue(self.harness.sessions["Ann"].ended)
        self.assertEqual([item["name"] for item in self.request("users")["items"]], ["bob"])
        self.assertEqual(self.refusal_code("delete", name="Ann"), "unknown-account")

    def test_rooms_are_listed_and_deleted(self) -> None:
        """The lobby is not deleted, and has moderators and members only."""
        (room,) = self.request("rooms")["items"]
        self.assertEqual(
            room,
            {
                "room": "#lobby",
                "created": 1,
                "topic": "",
                "private": False,
                "owner": "",
                "members": 0,
            },
        )
        self.assertEqual(self.refusal_code("delete-room", room="#LOBBY"), "not-allowed")
        session, _ = self.harness.login_ack("Ann", {})
        rooms = self.harness.realm.rooms
        self.harness.run(rooms.create(session, "#Roses", "", True))
        self.harness.run(rooms.join(session, "#lobby"))
        self.assertEqual(self.request("room-topic", room="#roses", topic="red"), {"room": "#Roses"})
        self.assertEqual(self.request("rooms", pattern="#R*")["items"][0]["topic"], "red")
        role = {"room": "#LOBBY", "name": "ann", "role": "moderator"}
        self.assertEqual(
            self.request("room-role", **role), role | {"room": "#lobby", "name": "Ann"}
        )
        self.assertEqual(self.refusal_code("room-role", **role | {"role": "owner"}), "not-allowed")
        self.assertEqual(self.request("delete-room", room="#ROSES"), {"room": "#Roses"})
        (room,) = self.request("rooms")["items"]
        self.assertEqual(room["room"], "#lobby")
        self.assertEqual(self.refusal_code("delete-room", room="#garden"), "unknown-room")

    def test_reports_are_listed_in_pages(self) -> None:
        """The page after the last report is empty."""
        realm = self.harness.realm
        for number in range(3):
            realm.append(realm.new_note("@server", "Ann", 0, "report", f"bob: reason {number}"))
        realm.flush()
        self.harness.settle()
        first = self.request("reports", limit=2)
        still_open = {"closed": 0, "note": ""}
        self.assertEqual(
            first["items"],
            [
                {"seq": 1, "time": 1, "sender": "Ann", "body": "bob: reason 0", **still_open},
                {"seq": 2, "time": 1, "sender": "Ann", "body": "bob: reason 1", **still_open},
            ],
        )
        second = self.request("reports", after=first["last"])
        self.assertEqual([item["seq"] for item in second["items"]], [3])
        third = self.request("reports", after=second["last"])
        self.assertEqual(third, {"items": [], "more": False, "last": 3})
        self.assertEqual(self.request("close-report", seq=2, note="talked"), {"seq": 2})
        self.assertEqual(self.refusal_code("close-report", seq=2), "report-closed")
        items = self.request("reports", open=True)["items"]
        self.assertEqual([item["seq"] for item in items], [1, 3])

    def test_invite_tokens_are_created_listed_and_revoked(self) -> None:
        """The list does not have their text."""
        token = self.request("invite", uses=3, seconds=60, note="the choir")
        self.assertEqual(sorted(token), ["expires", "key", "token"])
        self.assertEqual(token["expires"], 60_000)
        (item,) = self.request("invites")["items"]
        self.assertEqual(
            item,
            {"key": token["key"], "created": 0, "expires": 60_000, "uses": 3, "note": "the choir"},
        )
        self.assertEqual(self.request("revoke", invite=token["token"]), {"key": token["key"]})
        self.assertEqual(self.refusal_code("revoke", invite=token["token"]), "invite-invalid")
        self.assertEqual(self.refusal_code("invite", uses=0), "bad-request")

    def test_stats_have_the_documented_names(self) -> None:
        """Counts have the names under which operators see them."""
        self.harness.login("Ann")
        stats = self.request("stats")
        self.assertEqual(
            sorted(stats),
            [
                "accounts",
                "counts",
                "queues",
                "quotas_met",
                "refusals",
                "rooms",
                "started",
                "store",
                "version",
            ],
        )
        documented = {row[0].strip("`") for row in table("docs/operations.md", "Monitoring")}
        scalars = {"version", "started", "accounts", "rooms"}
        self.assertEqual(documented | scalars, set(stats))
        (store,) = (
            row[1] for row in table("docs/operations.md", "Monitoring") if row[0] == "`store`"
        )
        for name in stats["store"]:
            self.assertIn(f"`{name}`", store)
        self.assertEqual((stats["accounts"], stats["rooms"], stats["started"]), (2, 1, 0))
        self.assertEqual(
            stats["counts"],
            {
                "sessions": 1,
                "accounts online": 1,
                "rooms in memory": 0,
                "characters waiting for the store": 0,
            },
        )

    def test_backup_to_a_relative_path_is_refused(self) -> None:
        """The client and the daemon may run in different folders."""
        self.assertEqual(self.refusal_code("backup", path="copy.db"), "bad-request")
        self.assertEqual(self.refusal_code("backup", path="/nowhere/copy.db"), "backup-failed")

    def test_log_level_is_changed_at_run_time(self) -> None:
        """A request without a level asks for it."""
        self.assertEqual(self.request("log-level", level="error"), {"level": "error"})
        self.assertEqual(self.log_level.level, "error")
        self.assertEqual(self.request("log-level"), {"level": "error"})
        self.assertEqual(self.refusal_code("log-level", level="loud"), "bad-request")

    def test_log_shows_texts_of_operators_without_control_characters(self) -> None:
        """Names and notes may have come from elsewhere, and are one line."""
        lines = log_lines(self)
        self.refusal_code("end-sessions", name="x\x1b[2J\nAdmin: delete ann")
        self.request("invite", note="chör \x1b]0;title\x07" + "y" * 400)
        self.assertEqual(lines[0], "Admin: end-sessions x\\x1b[2J\\nAdmin: delete ann  [ unknown ]")
        self.assertIn("invite chör \\x1b]0;title\\x07yyy", lines[1])

    def test_log_shows_what_a_request_is_about(self) -> None:
        """Also if the field that says it comes after others, or has no name."""
        lines = log_lines(self)
        self.refusal_code("restore-room", room="#pond")
        self.refusal_code("room-role", room="#pond", name="ann", role="member")
        self.request("delete-accounts", pattern="temp*", older=1)
        self.request("announce", text="at noon")
        self.refusal_code("close-report", seq=7, note="done")
        self.assertEqual(
            [line.removesuffix("  [ unknown ]") for line in lines],
            [
                "Admin: restore-room #pond",
                "Admin: room-role #pond ann",
                "Admin: delete-accounts temp*",
                "Admin: announce at noon",
                "Admin: close-report 7 done",
            ],
        )

    def test_question_for_the_log_level_is_not_logged(self) -> None:
        """It changes nothing."""
        lines = log_lines(self)
        self.request("log-level")
        self.assertEqual((lines, self.request("audit")["items"]), ([], []))


class AuditLog(AdminCase):
    """The audit log of requests."""

    def test_requests_that_change_something_are_in_the_audit_log(self) -> None:
        """With the user and the result; those that list something are not."""
        self.patch(connection, "peer_user", lambda transport: 0)
        self.operator, self.transport = self.connect()
        self.request("users")
        self.request("suspend", name="ann", reason="spam")
        self.refusal_code("suspend", name="nobody")
        self.request("reset-password", name="bob", password="s3cret")
        answer = self.request("audit")
        self.assertEqual(
            [
                (item["user"], item["command"], item["arguments"], item["refused"])
                for item in answer["items"]
            ],
            [
                ("root", "suspend", {"name": "ann", "reason": "spam"}, ""),
                ("root", "suspend", {"name": "nobody"}, "unknown-account"),
                ("root", "reset-password", {"name": "bob"}, ""),
            ],
        )
        self.assertEqual(
            answer["items"][0]["result"], {"name": "Ann", "until": None, "sessions": 0}
        )

    def test_operation_that_cannot_be_recorded_is_logged(self) -> None:
        """The operator is answered all the same."""

        async def fail(user: str, operation: object) -> None:
            raise StoreUnavailable()

        lines: list[str] = []
        self.patch(
            connection.logger,
            "critical",
            lambda text, **fields: lines.append(text.format(**fields)),
        )
        self.patch(self.harness.realm.audit, "record", fail)
        self.request("suspend", name="ann")
        self.assertEqual(len(lines), 1)
        self.assertIn("suspend of unknown is not in the audit log", lines[0])

    def test_user_without_a_name_is_shown_by_its_id(self) -> None:
        """A system may not say who it is."""
        self.assertEqual(connection.user_name(0), "root")
        self.assertEqual(connection.user_name(2**31 - 7), str(2**31 - 7))
        self.assertEqual(connection.user_name(None), "unknown")


class Lines(AdminCase):
    """The order of requests and answers, and the end of a connection."""

    def test_lines_that_are_not_requests_are_refused(self) -> None:
        """The next line is read all the same."""
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
        self.request("stats")

    def test_line_without_end_closes_the_connection(self) -> None:
        """The operator gets a refusal before."""
        self.send(b"x" * (c.MAX_LINE + 1))
        (answer,) = self.answers()
        self.assertEqual(answer["code"], "bad-request")
        self.assertTrue(self.transport.disconnecting)

    def test_requests_are_answered_in_order(self) -> None:
        """The segments in which they arrive do not matter."""
        requests = [{"command": "end-sessions", "name": f"nobody{number}"} for number in range(5)]
        data = b"".join(json.dumps(request).encode() + b"\n" for request in requests)
        for at in range(0, len(data), 7):
            self.send(data[at : at + 7])
        self.send(*[{"command": "stats"}, {"command": "nonsense"}])
        self.assertEqual([answer["ok"] for answer in self.answers()], [False] * 5 + [True, False])

    def test_thousands_of_lines_in_one_read_are_answered(self) -> None:
        """Handling them takes no recursion for each line."""
        self.send(b"\n" * 20_000)
        self.assertEqual(len(self.answers()), 20_000)

    def test_reading_is_paused_while_a_request_is_carried_out(self) -> None:
        """Each request has one answer."""
        self.harness.store.eager = False
        self.operator.dataReceived(b'{"command":"stats"}\n{"command":"invites"}\n')
        self.assertEqual(self.transport.producerState, "paused")
        self.assertEqual(self.answers(), [])
        self.harness.settle()
        self.assertEqual([answer["ok"] for answer in self.answers()], [True, True])
        self.assertEqual(self.transport.producerState, "producing")

    def test_operator_that_does_not_read_is_not_answered(self) -> None:
        """Reading and answering are paused until the transport has room again."""
        self.operator.pauseProducing()
        self.send({"command": "stats"}, {"command": "stats"})
        self.assertEqual(self.answers(), [])
        self.assertEqual(self.transport.producerState, "paused")
        self.operator.resumeProducing()
        self.assertEqual(len(self.answers()), 2)
        self.assertEqual(self.transport.producerState, "producing")

    def test_operator_that_sends_no_more_is_answered(self) -> None:
        """The connection is closed after the last answer, and not read any more."""
        self.assertTrue(IHalfCloseableProtocol.providedBy(self.operator))
        self.harness.store.eager = False
        self.operator.dataReceived(b'{"command":"invite"}\n{"command":"stats"}\n')
        self.operator.readConnectionLost()
        self.assertFalse(self.transport.disconnecting)
        self.harness.settle()
        self.assertEqual([answer["ok"] for answer in self.answers()], [True, True])
        self.assertTrue(self.transport.disconnecting)
        self.assertEqual(self.transport.producerState, "paused")
        operator, transport = self.connect()
        operator.readConnectionLost()
        self.assertTrue(transport.disconnecting)

    def test_operator_that_sends_no_more_and_does_not_read_is_answered_later(self) -> None:
        """The requests wait until it reads."""
        self.operator.pauseProducing()
        self.send({"command": "stats"}, {"command": "stats"})
        self.operator.readConnectionLost()
        self.assertFalse(self.transport.disconnecting)
        self.operator.resumeProducing()
        self.harness.settle()
        self.assertEqual(len(self.answers()), 2)
        self.assertTrue(self.transport.disconnecting)

    def test_unexpected_exception_is_logged_and_answered(self) -> None:
        """The connection goes on."""

        def broken() -> Any:
            raise ZeroDivisionError()

        self.patch(self.harness.realm.sessions, "all", broken)
        self.assertEqual(self.refusal_code("stats"), "error")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.request("invites")

    def test_stopping_finishes_the_request_that_is_carried_out(self) -> None:
        """It is answered; queued requests are dropped, and all connections are closed."""
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

    def test_stopping_waits_for_a_request_whose_operator_has_disconnected(self) -> None:
        """It is carried out, and not answered."""
        self.harness.store.eager = False
        self.operator.dataReceived(b'{"command":"invite"}\n')
        self.operator.connectionLost()
        finished = self.factory.finish()
        self.assertNoResult(finished)
        self.harness.settle()
        self.successResultOf(finished)
        self.assertEqual(self.answers(), [])

    def test_other_users_are_disconnected(self) -> None:
        """They get no answer."""
        self.patch(connection, "is_permitted", lambda transport: False)
        self.operator, self.transport = self.connect()
        self.assertTrue(self.transport.disconnecting)
        self.assertEqual(self.answers(), [])


class Permission(TestCase):
    """The user at the other end of the socket."""

    async def test_user_of_the_daemon_is_permitted(self) -> None:
        """The system tells which user has connected."""
        permitted: Deferred[bool] = Deferred()

        class Accepting(Protocol):
            def connectionMade(self) -> None:
                permitted.callback(connection.is_permitted(self.transport))
                assert self.transport is not None
                self.transport.loseConnection()

        path = os.path.join(folder(self), "admin")
        port: Any = OwnerPort(path, Factory.forProtocol(Accepting), reactor)
        port.startListening()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
            self.assertTrue(await permitted)
        await port.stopListening()

    def test_root_and_the_user_of_the_daemon_are_permitted_only(self) -> None:
        """The user is known by the credentials that the system gives."""

        class Transport:
            def __init__(self, user: int) -> None:
                self.socket = self
                self.user = user

            def getsockopt(self, level: int, option: int, size: int) -> bytes:
                return connection._CREDENTIALS.pack(1, self.user, self.user)

        self.patch(os, "geteuid", lambda: 1000)
        self.assertEqual(
            [connection.is_permitted(Transport(user)) for user in (0, 1000, 1001)],
            [True, True, False],
        )


class TooMany(AdminCase):
    """Connections beyond `MAX_CONNECTIONS`."""

    def test_connection_that_was_idle_longest_is_closed(self) -> None:
        """So scripts that leave connections open do not lock the operator out."""
        idle = [self.connect()[1] for _ in range(connection.MAX_CONNECTIONS - 1)]
        self.request("stats")
        _, newest = self.connect()
        self.assertTrue(idle[0].disconnected)
        self.assertFalse(any(each.disconnected for each in (*idle[1:], self.transport, newest)))

    def test_connection_whose_request_is_carried_out_stays(self) -> None:
        """If all are busy, the new one is closed."""
        self.patch(connection, "MAX_CONNECTIONS", 1)
        self.harness.store.eager = False
        self.operator.dataReceived(b'{"command":"stats"}\n')
        _, newest = self.connect()
        self.assertTrue(newest.disconnected)
        self.assertFalse(self.transport.disconnected)
        self.harness.settle()
        self.assertEqual(len(self.answers()), 1)
