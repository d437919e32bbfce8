"""A user of the gRPC service, by the service's methods, and its operations.

A stream is read as `ChatService.receive_messages` reads it; that method itself needs asyncio.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from chatd.codecs import chat_pb2 as pb
from chatd.core.errors import Refused, UnknownAccount
from chatd.protocols.grpc.caller import Caller
from chatd.protocols.grpc.stream import ACK_DELAY, NOTICE_SENDER, Stream
from tests.simulation.facts import Change
from tests.simulation.legacy import LegacyDevice
from tests.simulation.model import TOKEN, Message

if TYPE_CHECKING:
    from tests.simulation.world import World


class _Context:
    """What a call tells of its client."""

    def __init__(self, host: int, credentials: str) -> None:
        self._host = host
        self._metadata: list[tuple[str, str]] = []
        if credentials:
            encoded = b64encode(credentials.encode()).decode()
            self._metadata.append(("authorization", "Basic " + encoded))

    def peer(self) -> str:
        """See grpc.ServicerContext."""
        return f"ipv4:192.0.2.{self._host}:5000"

    def invocation_metadata(self) -> list[tuple[str, str]]:
        """See grpc.ServicerContext."""
        return self._metadata


class GrpcDevice(LegacyDevice):
    """One gRPC client: its calls, and at most one stream that it reads."""

    protocol = "grpc"
    save_time = ACK_DELAY + 1.1

    def __init__(self, world: World, number: int, name: str) -> None:
        super().__init__(world, number, name)
        self._start = 0
        self._stream: Stream | None = None
        self.calls: list[tuple[str, int]] = []

    @property
    def connected(self) -> bool:
        """See `Device`: a daemon that has not ended since the last log-in."""
        return self._start not in self.world.ended_starts and self.world.machine.running

    @property
    def streaming(self) -> bool:
        """Whether the stream is open."""
        return self._stream is not None

    @property
    def reading_from(self) -> object:
        """See `LegacyDevice`."""
        return self._stream

    def was_saved(self, token: str) -> bool:
        """See `LegacyDevice`. The session of an account may have begun long before a log-in, and
        shows what other sessions have read meanwhile."""
        return token in self.saved_here

    def call(
        self,
        method: str,
        request: Any,
        password: str | None = None,
        change: Change | None = None,
        text: Message | None = None,
        then: Callable[[Any], None] | None = None,
    ) -> None:
        """Make a call; `then` is called with its result when it succeeds."""
        machine = self.world.machine
        service = machine.chat_service
        if service is None or not machine.running or machine.stopping:
            if change is not None:
                change.end(self.model.now(), False)
            return
        start = self._start = machine.starts
        sent = self.model.now()
        credentials = f"{self.name}:{password}" if password is not None else ""
        caller = Caller(_Context(self.number + 1, credentials))
        entry = (method, start)
        self.calls.append(entry)
        if change is not None:
            self.world.calls_under_way.append(change)
        self.log(f"-> {method} {str(request).split()}")

        def answered(result: Any) -> None:
            if machine.starts != start or start in self.world.ended_starts:
                return
            if entry in self.calls:
                self.calls.remove(entry)
            self._answered(method, sent, result, change, text, then)

        coroutine = getattr(service, method)(request, caller)
        Deferred.fromCoroutine(coroutine).addBoth(answered)

    def _answered(
        self,
        method: str,
        sent: int,
        result: Any,
        change: Change | None,
        text: Message | None,
        then: Callable[[Any], None] | None,
    ) -> None:
        tick = self.model.now()
        if isinstance(result, Failure):
            self.log(f"<- {method} failed: {result.value}")
            if not isinstance(result.value, Refused):
                self.model.violated(f"grpc:{type(result.value).__name__}", f"{self}: {method}")
            if change is not None:
                # A created account may have changed before the log-in that belongs to the call.
                code = getattr(result.value, "code", "")
                uncertain = code in ("store-unavailable", "busy", "unknown-account")
                change.end(tick, None if uncertain else False)
            if text is not None:
                text.refused = True
            if isinstance(result.value, UnknownAccount) and method != "send_message":
                exists = self.model.exists["@" + self.name]
                if exists.surely(True, sent, tick) and not self._credentials_change(sent):
                    self.model.violated(f"grpc:refused:{method}", f"{self}: {result.value}")
            return
        self.log(f"<- {method}")
        if change is not None:
            change.end(tick, True)
        if then is not None:
            then(result)

    def _credentials_change(self, sent: int) -> bool:
        return any(
            change.settled is None or change.settled >= sent
            for change in self.model.credential_changes[self.name]
        )

    def open_stream(self, password: str | None) -> None:
        """Read what the account receives."""

        def opened(stream: Stream | None) -> None:
            if stream is None:
                return
            if self.streaming or self.reader is None:
                self._close(stream)
                return
            self._stream = stream
            # What was written before a stream is cancelled may come again on the next one.
            self.begin_reading()
            self._read(stream)

        request = pb.ChatClient(recipient_id=self.name)
        self.call("open_stream", request, password, then=opened)

    def _close(self, stream: Stream) -> None:
        service = self.world.machine.chat_service
        assert service is not None
        service.close_stream(stream)

    def _read(self, stream: Stream) -> None:
        stream.ready().addCallback(lambda _: self._take(stream))

    def _take(self, stream: Stream) -> None:
        if stream is not self._stream:
            return
        if not self.connected:
            self._stream = None
            return
        waiting = stream.next()
        if waiting is None:
            self.log("the stream ends")
            self.close_stream()
            return
        message = waiting.message
        stream.written(waiting)
        self.log(f"<- {message.sender_id}: {message.message[:60]}")
        if message.sender_id != NOTICE_SENDER:
            for token in TOKEN.findall(message.message)[:1]:
                self.show(message.sender_id, token)
        self._read(stream)

    def close_stream(self) -> None:
        """Cancel the stream."""
        stream, self._stream = self._stream, None
        if stream is not None:
            self._close(stream)

    def lose(self) -> None:
        """See `Device`."""
        self.close_stream()
        super().lose()

    def hang_up(self) -> None:
        """See `Device`."""
        if self.connected:
            self.close_stream()
        self._stream = None

    def check_rest(self) -> None:
        """See `Device`."""
        for method, start in self.calls:
            if start not in self.world.ended_starts:
                self.model.violated(f"unanswered:grpc-{method}", f"{self}")


def _password(device: GrpcDevice, random: Random) -> str | None:
    model, name = device.model, device.name
    password: str | None = random.choice(model.password[name].possible(model.tick, model.tick))
    return password


def _come(device: GrpcDevice, random: Random) -> bool:
    """Create the account or log in to it, and open a stream."""
    if device.ready and device.streaming:
        return False
    model, name = device.model, device.name
    sent = model.now()
    exists = model.exists["@" + name].surely(True, sent, sent)
    password = _password(device, random) if exists else random.choice((None, None, "p1"))

    def entered(_: Any) -> None:
        device.session_began(sent, password)
        if not device.streaming:
            device.open_stream(password)

    if exists:
        request = pb.LogOutRequest(client_id=name)
        device.call("log_in", request, password, then=entered)
    else:
        change = model.register(name, password)
        request = pb.CreateAccountRequest(client_id=name)
        device.call("create_account", request, password, change, then=entered)
    return True


def _send(device: GrpcDevice, random: Random) -> bool:
    """Send a message."""
    if not device.ready:
        return False
    recipient = random.choice([name for name in device.model.names if name != device.name])
    text = device.new_message("@" + recipient)
    request = pb.ChatMessageRequest(
        sender_id=device.name, recipient_id=recipient, message=text.body, thread_id=1
    )
    device.call("send_message", request, _password(device, random), text=text)
    return True


def _close_stream(device: GrpcDevice, random: Random) -> bool:
    """Cancel the stream."""
    if not device.connected or not device.streaming:
        return False
    device.close_stream()
    return True


def _log_out(device: GrpcDevice, random: Random) -> bool:
    """Log out."""
    if not device.ready:
        return False
    device.reader = None
    device.call("log_out", pb.LogOutRequest(client_id=device.name), _password(device, random))
    return True


def _delete(device: GrpcDevice, random: Random) -> bool:
    """Delete the account."""
    if not device.ready:
        return False
    change = device.model.delete_account(device.name)
    request = pb.DeleteAccountRequest(client_id=device.name)
    device.reader = None
    device.call("delete_account", request, _password(device, random), change)
    return True


OPERATIONS: dict[str, tuple[int, Callable[[GrpcDevice, Random], bool]]] = {
    "come": (20, _come),
    "send": (25, _send),
    "close-stream": (9, _close_stream),
    "log-out": (8, _log_out),
    "delete": (7, _delete),
}
