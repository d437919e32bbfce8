"""`Rates`: calls over the rate of an account. Those over the rate of a connection are in
`test_server`."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from chatd.codecs import chat_pb2 as pb
from chatd.codecs import v1_messages as c
from chatd.core.errors import Busy, StoreUnavailable, WrongPassword
from chatd.protocols.grpc import rates
from chatd.protocols.grpc.caller import Caller
from chatd.protocols.grpc.service import ChatService
from tests.doubles.grpc_calls import CallContext, ServiceCase
from tests.doubles.v1_clients import MainPortServer


class AccountRate(ServiceCase):
    """Calls over the rate of an account: two a second, and two at once."""

    def setUp(self) -> None:
        self.server = MainPortServer(rate=10.0, burst_seconds=1.0, account_rate=0.2)
        self.service = ChatService(self.server.factory, {})

    def start_call(self, method: Any, request: Any, context: CallContext) -> Deferred[Any]:
        """A call that may wait."""
        return Deferred.fromCoroutine(method(request, Caller(context)))

    def start_send(self, sender: str, port: int = 1, password: str = "") -> Deferred[Any]:
        """A message to the sender itself, by a connection of its own."""
        request = pb.ChatMessageRequest(sender_id=sender, recipient_id=sender, message="hi")
        credentials = f"{sender}:{password}" if password else ""
        context = CallContext(credentials, f"ipv4:192.0.2.7:{port}")
        return self.start_call(self.service.send_message, request, context)

    def test_all_connections_share_the_rate_of_the_account(self) -> None:
        """A call beyond it waits; one of another account does not."""
        self.create_account("mason")
        self.create_account("eve")
        sends = [self.start_send("mason", port) for port in range(3)]
        self.assertEqual([send.called for send in sends], [True, False, False])
        find = pb.WildCardRequest(client_id="mason", pattern="x")
        found = self.start_call(self.service.wild_card, find, CallContext())
        self.successResultOf(self.start_send("eve"))
        waits = [*sends[1:], found]
        for expected in ([False] * 3, [True, False, False], [True, True, False], [True] * 3):
            self.assertEqual([wait.called for wait in waits], expected)
            self.server.clock.advance(0.5)
        for call in (*sends, found):
            self.successResultOf(call)

    def test_sessions_of_other_protocols_share_the_rate(self) -> None:
        """Their requests count, too."""
        client = self.server.log_in("mason")
        for _ in range(2):
            client.request(c.Ping(0))
        send = self.start_send("mason")
        self.assertNoResult(send)
        self.server.clock.advance(1)
        self.successResultOf(send)

    def test_call_that_has_waited_proves_the_account_again(self) -> None:
        """The password is changed, or the daemon stops, while it waits."""
        for reason in (WrongPassword, StoreUnavailable):
            self.setUp()
            self.server.log_in("eve", password="secret").disconnect()
            for _ in range(2):
                self.successResultOf(self.start_send("eve", password="secret"))
            send = self.start_send("eve", password="secret")
            context = CallContext("eve:secret")
            delete = pb.DeleteAccountRequest(client_id="eve")
            deleted = self.start_call(self.service.delete_account, delete, context)
            if reason is WrongPassword:
                self.server.run(self.server.realm.set_password("eve", "new"))
            else:
                self.service.stop()
            self.server.clock.advance(1)
            self.failureResultOf(send, reason)
            self.failureResultOf(deleted, reason)

    def test_calls_that_wait_are_bounded(self) -> None:
        """A client may cancel them and make others."""
        self.patch(rates, "_WAITING", 1)
        self.create_account("mason")
        calls = [self.start_send("mason") for _ in range(3)]
        self.failureResultOf(calls[2], Busy)
        self.server.clock.advance(1)
        self.successResultOf(calls[1])
        self.successResultOf(self.start_send("mason"))
