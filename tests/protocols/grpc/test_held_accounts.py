"""The accounts that the gRPC service holds: idle ones, log-ins that wait, and the end."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from chatd.codecs import chat_pb2 as pb
from chatd.codecs import v1_messages as c
from chatd.core.errors import StoreUnavailable
from chatd.protocols.grpc.caller import Caller
from chatd.protocols.grpc.held_accounts import IDLE
from chatd.protocols.grpc.stream import ACK_DELAY
from tests.doubles.grpc_calls import CallContext, ServiceCase


class Held(ServiceCase):
    """From the first call of an account to its last."""

    def test_account_without_streams_and_calls_is_logged_out(self) -> None:
        """An account with a stream is not logged out and loses nothing."""
        self.create_account("mason")
        self.create_account("wayne")
        stream = self.open("wayne")
        self.server.clock.advance(IDLE + 100)
        self.service.remove_idle()
        self.assertFalse(self.server.realm.sessions.online("mason"))
        self.assertTrue(self.server.realm.sessions.online("wayne"))
        self.ann.request(c.Send(0, "wayne", "still"))
        self.assertEqual(self.read("wayne", stream)[-1], ("ann", "still"))

    def test_stopping_ends_streams(self) -> None:
        """What was written to a stream a minute before is not shown after a restart."""
        self.create_account("mason")
        stream = self.open("mason")
        for text in ("one", "two"):
            self.server.clock.advance(ACK_DELAY)
            self.ann.request(c.Send(0, "mason", text))
            self.read("mason", stream)
        self.server.clock.advance(1)
        self.service.stop()
        self.successResultOf(stream.ready())
        self.assertIsNone(stream.next())
        self.assertFalse(self.server.realm.sessions.online("mason"))
        self.assertEqual(self.server.log_in_again("mason").receive_bodies(), ["two"])

    def test_calls_during_a_stop_are_unavailable(self) -> None:
        """Also those that waited when it began. They leave no session behind."""
        eve = CallContext("eve:secret")
        for name in ("mason", "eve"):
            context = CallContext(f"{name}:secret")
            request = pb.CreateAccountRequest(client_id=name)
            self.call(self.service.create_account, request, context)
        log_out = pb.LogOutRequest(client_id="eve")
        self.call(self.service.log_out, log_out, eve)
        message = pb.ChatMessageRequest(sender_id="mason", recipient_id="ann", message="hi")
        hold = self.server.passwords.hold = Deferred()
        calls = [
            Deferred.fromCoroutine(call(request, Caller(context)))
            for call, request, context in (
                (self.service.log_in, log_out, eve),
                (self.service.send_message, message, CallContext("mason:secret")),
            )
        ]
        self.service.stop()
        hold.callback(None)
        self.server.passwords.hold = None
        for answer in calls:
            self.failureResultOf(answer, StoreUnavailable)
        self.assert_refused(StoreUnavailable, self.service.send_message, message)
        self.assert_refused(StoreUnavailable, self.service.log_in, log_out, eve)
        self.assert_refused(
            StoreUnavailable, self.service.open_stream, pb.ChatClient(recipient_id="eve"), eve
        )
        for name in ("mason", "eve"):
            self.assertFalse(self.server.realm.sessions.online(name), name)

    def test_login_that_waits_while_idle_accounts_are_removed_leaves_no_session(self) -> None:
        """The account that it waits for is not removed, and can be logged out."""
        eve = CallContext("eve:secret")
        self.call(self.service.create_account, pb.CreateAccountRequest(client_id="eve"), eve)
        log_out = pb.LogOutRequest(client_id="eve")
        self.call(self.service.log_out, log_out, eve)
        self.read("eve", self.open_with("eve", eve))
        hold = self.server.passwords.hold = Deferred()
        login = Deferred.fromCoroutine(self.service.log_in(log_out, Caller(eve)))
        self.server.clock.advance(IDLE + 1)
        self.service.remove_idle()
        hold.callback(None)
        self.server.passwords.hold = None
        self.successResultOf(login)
        self.assertTrue(self.server.realm.sessions.online("eve"))
        self.call(self.service.log_out, log_out, eve)
        self.assertFalse(self.server.realm.sessions.online("eve"))

    def test_account_that_makes_calls_stays_logged_in(self) -> None:
        """The time without a call begins with the last one."""
        self.create_account("mason")
        for _ in range(3):
            self.server.clock.advance(IDLE - 1)
            self.send("mason", "ann", "hi")
            self.service.remove_idle()
        self.assertTrue(self.server.realm.sessions.online("mason"))
