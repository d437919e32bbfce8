"""Calls of the gRPC ChatService without its network."""

from __future__ import annotations

from base64 import b64encode
from typing import Any, NoReturn

import grpc
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import chat_pb2 as pb
from chatd.protocols.grpc.account import GrpcAccount
from chatd.protocols.grpc.caller import Caller
from chatd.protocols.grpc.service import ChatService
from chatd.protocols.grpc.stream import Stream
from tests.doubles.v1_clients import MainPortServer


class Aborted(Exception):
    """A call was aborted with a status and a sentence."""


class CallContext:
    """The context of a call, with a password (``name:password``) if one is given.

    `written` has the messages written to the stream of the call.
    """

    def __init__(self, credentials: str = "", peer: str = "ipv4:192.0.2.7:5000") -> None:
        self.metadata = [("user-agent", "test")]
        self.written: list[pb.ChatMessage] = []
        self._peer = peer
        if credentials:
            self.metadata.append(
                ("authorization", "Basic " + b64encode(credentials.encode()).decode())
            )

    def peer(self) -> str:
        """See `grpc.ServicerContext`."""
        return self._peer

    def invocation_metadata(self) -> list[tuple[str, str]]:
        """See `grpc.ServicerContext`."""
        return self.metadata

    async def write(self, message: pb.ChatMessage) -> None:
        """See `grpc.aio.ServicerContext`."""
        self.written.append(message)

    async def abort(self, status: grpc.StatusCode, sentence: str) -> NoReturn:
        """See `grpc.aio.ServicerContext`."""
        raise Aborted(status, sentence)


class ServiceCase(SynchronousTestCase):
    """A service, and `ann`, who uses version 1 on the same server."""

    def setUp(self) -> None:
        self.server = MainPortServer()
        self.thread_ids: dict[int, int] = {}
        self.service = ChatService(self.server.factory, self.thread_ids)
        self.ann = self.server.log_in("ann")

    def call(self, method: Any, request: Any, context: CallContext | None = None) -> Any:
        """The answer of a call. Raises its refusal."""
        return self.successResultOf(
            Deferred.fromCoroutine(method(request, Caller(context or CallContext())))
        )

    def assert_refused(
        self, kind: Any, method: Any, request: Any, context: CallContext | None = None
    ) -> None:
        """Check that a call is refused with an error of this class."""
        self.failureResultOf(
            Deferred.fromCoroutine(method(request, Caller(context or CallContext()))), kind
        )

    def create_account(self, name: str) -> None:
        """Create an account, which logs in to it."""
        self.call(self.service.create_account, pb.CreateAccountRequest(client_id=name))

    def log_in(self, name: str) -> None:
        """Log in."""
        self.call(self.service.log_in, pb.LogOutRequest(client_id=name))

    def log_out(self, name: str) -> None:
        """Log out."""
        self.call(self.service.log_out, pb.LogOutRequest(client_id=name))

    def find(self, name: str, pattern: str) -> None:
        """Ask for the accounts that match a pattern; the answer is a notice."""
        self.call(self.service.wild_card, pb.WildCardRequest(client_id=name, pattern=pattern))

    def send(self, sender: str, recipient: str, text: str, thread_id: int = 1) -> None:
        """Send a message."""
        request = pb.ChatMessageRequest(
            sender_id=sender, recipient_id=recipient, message=text, thread_id=thread_id
        )
        self.assertEqual(self.call(self.service.send_message, request), pb.ChatMessageResponse())

    def account(self, name: str) -> GrpcAccount:
        """The account as the service holds it."""
        return self.service._accounts[name.lower()]

    def open(self, name: str, connection: str = "ipv4:192.0.2.7:5000") -> Stream:
        """Open a stream of an open account by a connection."""
        return self.open_with(name, CallContext(peer=connection))

    def open_with(self, name: str, context: CallContext) -> Stream:
        """Open a stream by a call with this context."""
        request = pb.ChatClient(recipient_id=name)
        stream: Stream | None = self.call(self.service.open_stream, request, context)
        assert stream is not None
        return stream

    def read(self, name: str, stream: Stream, count: int = 10_000) -> list[tuple[str, str]]:
        """(sender, text) of at most `count` messages of a stream, which are written to its call."""
        messages: list[tuple[str, str]] = []
        while len(messages) < count and (waiting := stream.next()) is not None:
            message = waiting.message
            stream.written(waiting)
            self.assertEqual(message.recipient_id, name)
            messages.append((message.sender_id, message.message))
        return messages

    def read_texts(self, name: str, stream: Stream, count: int = 10_000) -> list[str]:
        """The texts of `read`."""
        return [text for _, text in self.read(name, stream, count)]
