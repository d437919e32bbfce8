"""A user of the gRPC service, by the handlers of its server, and its operations."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

import grpc

from chatd.codecs import chat_pb2 as pb
from chatd.core.names import NOTICE_SENDER
from chatd.protocols.grpc.stream import ACK_DELAY
from tests.simulation.facts import Change
from tests.simulation.legacy import LegacyDevice
from tests.simulation.legacy_refusals import Attempt
from tests.simulation.model import TOKEN, Message, Reader

if TYPE_CHECKING:
    from tests.simulation.world import World

_MATCHED = "Account matched: "
_UNCERTAIN = ("store-unavailable", "busy", "unknown-account")
"""refusals after which it is not known whether the call was carried out: a created account may have
changed before the log-in that belongs to the call"""


class Aborted(Exception):
    """A call has ended with a status and a sentence."""

    def __init__(self, status: grpc.StatusCode, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class _Context:
    """What a call tells of its client, and what takes its messages."""

    def __init__(self, device: GrpcDevice, start: int, credentials: str, delay: float) -> None:
        self._device = device
        self._start = start
        self._delay = delay
        self._metadata: list[tuple[str, str]] = []
        if credentials:
            encoded = b64encode(credentials.encode()).decode()
            self._metadata.append(("authorization", "Basic " + encoded))

    def peer(self) -> str:
        """See grpc.ServicerContext."""
        return f"ipv4:192.0.2.{self._device.number + 1}:5000"

    def invocation_metadata(self) -> list[tuple[str, str]]:
        """See grpc.ServicerContext."""
        return self._metadata

    async def abort(self, status: grpc.StatusCode, sentence: str) -> None:
        """See grpc.aio.ServicerContext."""
        raise Aborted(status, sentence)

    async def write(self, message: Any) -> None:
        """See grpc.aio.ServicerContext."""
        self._device.take(message, self._start)
        if self._delay:
            await asyncio.sleep(self._delay)


@dataclass(eq=False)
class _Call:
    """A call that is under way."""

    method: str
    start: int
    attempt: Attempt
    change: Change | None
    text: Message | None
    then: Callable[[], None] | None
    reader: Reader | None = None
    task: Any = None


class GrpcDevice(LegacyDevice):
    """One gRPC client: its calls, and at most one stream that it reads."""

    protocol = "grpc"
    save_time = ACK_DELAY + 1.1

    def __init__(self, world: World, number: int, name: str) -> None:
        super().__init__(world, number, name)
        self._start = 0
        self._stream: _Call | None = None
        self.calls: list[_Call] = []

    @property
    def connected(self) -> bool:
        """See `Device`: a daemon that has not ended since the last log-in."""
        return self._start not in self.world.ended_starts and self.world.machine.running

    @property
    def streaming(self) -> bool:
        """Whether the stream is open."""
        return self._stream is not None and self._stream.start not in self.world.ended_starts

    @property
    def reading_from(self) -> object:
        """See `LegacyDevice`."""
        return self._stream if self.streaming else None

    def may_have_session(self) -> bool:
        """See `Device`."""
        return self.connected

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
        then: Callable[[], None] | None = None,
    ) -> None:
        """Make a call; `then` is called when it succeeds."""
        machine = self.world.machine
        loop = machine.loop
        if loop is None or not machine.running or machine.stopping:
            if change is not None:
                change.end(self.model.now(), False)
            return
        self._start = machine.starts
        self.connected_last = self.model.now()
        recipient = "" if text is None else text.log[1:]
        attempt = self.attempt(method, recipient, password)
        call = _Call(method, machine.starts, attempt, change, text, then)
        self.calls.append(call)
        if change is not None:
            self.world.calls_under_way.append(change)
        self.log(f"-> {method} {str(request).split()}")
        call.task = loop.create_task(self._carry_out(call, request, password))

    async def _carry_out(self, call: _Call, request: Any, password: str | None) -> None:
        machine = self.world.machine
        handler = machine.grpc_handler(call.method)
        credentials = f"{self.name}:{password}" if password is not None else ""
        delay = Random(call.attempt.sent).choice((0.0, 0.0, 0.01, 0.05))
        context = _Context(self, call.start, credentials, delay)
        try:
            given = handler.request_deserializer(request.SerializeToString())
            if call is self._stream:
                await handler.unary_stream(given, context)
            else:
                handler.response_serializer(await handler.unary_unary(given, context))
        except Aborted as aborted:
            if self._ends(call):
                self._refused(call, aborted)
        except asyncio.CancelledError:
            if self._ends(call):
                self._cancelled(call)
        except Exception as error:
            self.model.violated(f"grpc:{type(error).__name__}", f"{self}: {call.method}: {error}")
        else:
            if self._ends(call):
                self._answered(call)

    def _ends(self, call: _Call) -> bool:
        """A call ends; whether its daemon has not ended before."""
        if call not in self.calls:
            return False
        self.calls.remove(call)
        return call.start == self.world.machine.starts and call.start not in self.world.ended_starts

    def _answered(self, call: _Call) -> None:
        if call is self._stream:
            self.log("the stream ends")
            self._stream = None
            return
        self.log(f"<- {call.method}")
        tick = self.model.now()
        if call.change is not None:
            call.change.end(tick, True)
        if call.text is not None:
            self._sent(call.text, call.attempt.sent)
        if call.then is not None:
            call.then()

    def _sent(self, text: Message, sent: int) -> None:
        """The call of a message was answered: it is stored, unless a notice says why not."""
        model = self.model
        blocks = model.blocks[text.log[1:], self.name]
        if model.exists[text.log].surely(True, sent, model.tick) and blocks.surely(
            False, sent, model.tick
        ):
            model.accepted_without_place(text)

    def _refused(self, call: _Call, aborted: Aborted) -> None:
        self.log(f"<- {call.method} failed: {aborted}")
        tick = self.model.now()
        code = self.check_refusal(call.attempt, str(aborted))
        if call is self._stream:
            self._stream = None
        if call.change is not None:
            call.change.end(tick, None if code in _UNCERTAIN else False)
        if call.text is not None:
            self.model.refuse(call.text)

    def _cancelled(self, call: _Call) -> None:
        """The client has cancelled a call, which the daemon finishes."""
        if call.change is not None:
            self.world.settle_call_later(call.change, call.start)
        if call is self._stream:
            self._stream = None

    def cancel(self) -> bool:
        """Cancel a call that is under way; whether there is one."""
        calls = [call for call in self.calls if call is not self._stream]
        if not calls or not self.connected:
            return False
        self.log(f"cancels {calls[-1].method}")
        calls[-1].task.cancel()
        return True

    def open_stream(self, password: str | None) -> None:
        """Read what the account receives."""
        self.log("opens a stream")
        # What was written just before a stream is cancelled may come again on the next one.
        self.begin_reading()
        count = len(self.calls)
        self.call("ReceiveMessages", pb.ChatClient(recipient_id=self.name), password)
        if len(self.calls) > count:
            self._stream = self.calls[-1]
            self._stream.reader = self.reader

    def take(self, message: Any, start: int) -> None:
        """A message is written to a stream of a daemon, given by its start."""
        if not self.streaming or start in self.world.ended_starts:
            # The client reads no more of it; the daemon may count it as read nevertheless.
            self.model.seen[self.name].update(self.model.tokens(message.message))
            return
        self.log(f"<- {message.sender_id}: {message.message[:60]}")
        if message.sender_id != NOTICE_SENDER:
            for token in TOKEN.findall(message.message)[:1]:
                self.show(message.sender_id, token)
        elif message.message.startswith(_MATCHED):
            # A notice may come again, on each stream of the account.
            names = message.message.removeprefix(_MATCHED).split(",")
            asked = self.world.first_matching[self._start, self.name]
            self.world.listings.accounts(names, asked)

    def find(self, password: str | None) -> None:
        """Ask for the names of all accounts."""
        sent = self.model.tick
        self.call("WildCard", pb.WildCardRequest(client_id=self.name, pattern=".*"), password)
        self.world.first_matching.setdefault((self._start, self.name), sent)

    @property
    def reading_as(self) -> Reader | None:
        """See `LegacyDevice`. A stream that ends shows what was left to be written."""
        return self.reader if self._stream is None else self._stream.reader

    def close_stream(self) -> None:
        """Cancel the stream."""
        stream, self._stream = self._stream, None
        if stream is not None and stream.start not in self.world.ended_starts:
            if stream in self.calls:
                self.calls.remove(stream)
            stream.task.cancel()

    def break_off(self) -> bool:
        """The connection breaks: the server ends the calls; whether there were some."""
        if not self.connected or not self.calls:
            return False
        self.log("the connection breaks")
        self.close_stream()
        for call in tuple(self.calls):
            call.task.cancel()
        return True

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
        for call in self.calls:
            if call.start not in self.world.ended_starts and call is not self._stream:
                self.model.violated(f"unanswered:grpc-{call.method}", f"{self}")


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

    def entered() -> None:
        device.session_began(sent, password)
        if not device.streaming:
            device.open_stream(password)

    if exists:
        request = pb.LogOutRequest(client_id=name)
        device.call("LogIn", request, password, then=entered)
    else:
        change = model.register(name, password)
        request = pb.CreateAccountRequest(client_id=name)
        device.call("CreateAccount", request, password, change, then=entered)
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
    device.call("SendMessage", request, _password(device, random), text=text)
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
    device.call("LogOut", pb.LogOutRequest(client_id=device.name), _password(device, random))
    return True


def _delete(device: GrpcDevice, random: Random) -> bool:
    """Delete the account."""
    if not device.ready:
        return False
    change = device.model.delete_account(device.name)
    request = pb.DeleteAccountRequest(client_id=device.name)
    device.reader = None
    device.call("DeleteAccount", request, _password(device, random), change)
    return True


def _find(device: GrpcDevice, random: Random) -> bool:
    """List the accounts."""
    if not device.ready:
        return False
    device.find(_password(device, random))
    return True


def _cancel(device: GrpcDevice, random: Random) -> bool:
    """Cancel a call."""
    return device.cancel()


OPERATIONS: dict[str, tuple[int, Callable[[GrpcDevice, Random], bool]]] = {
    "come": (20, _come),
    "send": (25, _send),
    "close-stream": (9, _close_stream),
    "log-out": (8, _log_out),
    "delete": (7, _delete),
    "find": (5, _find),
    "cancel": (6, _cancel),
}
