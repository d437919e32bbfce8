"""A device that speaks the classic protocol, and its operations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from chatd.codecs import classic
from tests.simulation.facts import Change
from tests.simulation.legacy import LegacyDevice
from tests.simulation.legacy_refusals import Attempt
from tests.simulation.model import TOKEN, Message

if TYPE_CHECKING:
    from tests.simulation.world import World

_UNCERTAIN = ("store-unavailable", "busy", "unknown-account")
"""refusals after which it is not known whether the command was carried out: a created account may
have changed before the log-in that belongs to CREATE"""


@dataclass(eq=False)
class Request:
    """A command that is answered, in order."""

    kind: str
    sent: int
    change: Change | None = None
    text: Message | None = None
    then: Callable[[], None] | None = None
    password: str | None = None
    attempt: Attempt | None = None


class ClassicDevice(LegacyDevice):
    """One classic client. A command without an answer is followed by LIST, whose answer follows."""

    protocol = "classic"

    def __init__(self, world: World, number: int, name: str) -> None:
        super().__init__(world, number, name)
        self.pending: list[Request] = []
        self._decoder: Any = None

    def connect(self) -> None:
        """See `Device`."""
        super().connect()
        self._decoder = classic.client_decoder(1 << 20)

    def ask(self, request: Request, command: int, *fields: str) -> None:
        """Send a command; one without an answer together with LIST."""
        recipient = "" if request.text is None else request.text.log[1:]
        request.attempt = self.attempt(request.kind, recipient, request.password)
        self.pending.append(request)
        self.log(f"-> {request.kind} {fields}")
        data = classic.encode(command, *fields)
        if request.kind in ("deliver", "delete"):
            data += classic.encode(classic.LIST, "*")
        self.write(data)

    def read(self, data: bytes) -> None:
        """See `Device`."""
        for message in self._decoder.feed(data):
            self.log(f"<- {message}"[:200])
            if isinstance(message, classic.Send) and message.recipient.lower() == self.name:
                # This client sends nothing to itself, so this is no echo.
                self._shown(message)
            elif not self.pending:
                self.model.violated("classic:unasked-answer", f"{self}: {message}")
            else:
                self._answer(message)

    def _shown(self, message: Any) -> None:
        if message.recipient != self.name:
            self.model.violated("read:not-for-them", f"{self}: {message}")
        for token in TOKEN.findall(message.text)[:1]:
            self.show(message.sender, token)

    def _answer(self, message: Any) -> None:
        request = self.pending[0]
        if isinstance(message, classic.ListResponse):
            expected = request.kind in ("list", "deliver", "delete")
        elif isinstance(message, classic.Send):
            expected = request.kind == "send"
        else:
            expected = True
        if not expected:
            self.model.violated("classic:wrong-answer", f"{self}: {message} to {request.kind}")
            return
        if isinstance(message, classic.Response) and message.error:
            self._refused(request, message.error)
            if request.kind in ("deliver", "delete") and "cannot be read" not in message.error:
                # The answer to LIST follows.
                self.pending[0] = Request("list", request.sent, attempt=request.attempt)
                return
            self.pending.pop(0)
            return
        self.pending.pop(0)
        tick = self.model.now()
        if request.change is not None:
            request.change.end(tick, True)
        if isinstance(message, classic.ListResponse) and request.kind != "delete":
            self.world.listings.accounts(message.names, request.sent)
        if request.text is not None:
            self._accepted(request.text, message)
        if request.then is not None:
            request.then()

    def _accepted(self, text: Message, message: Any) -> None:
        if text.token not in message.text:
            self.model.violated("classic:order", f"{self}: {message} for {text.token}")
        self.model.accepted_without_place(text)

    def _refused(self, request: Request, error: str) -> None:
        tick = self.model.now()
        assert request.attempt is not None
        code = self.check_refusal(request.attempt, error)
        if request.change is not None:
            request.change.end(tick, None if code in _UNCERTAIN else False)
        if request.text is not None:
            self.model.refuse(request.text)

    def lose(self) -> None:
        """See `Device`."""
        pending, self.pending = self.pending, []
        for request in pending:
            if request.change is not None:
                self.world.settle_later(request.change, self.link)
        super().lose()

    def check_rest(self) -> None:
        """See `Device`."""
        for request in self.pending[:1]:
            self.model.violated(f"unanswered:classic-{request.kind}", f"{self}")


def _come(device: ClassicDevice, random: Random) -> bool:
    """Connect if need be, and create the account or log in to it."""
    if device.pending or (device.connected and device.reader is not None):
        return False
    if not device.connected:
        device.connect()
    model, name = device.model, device.name
    tick = model.tick
    create = not model.exists["@" + name].surely(True, tick, tick)
    password = random.choice(
        (None, None, "p1") if create else model.password[name].possible(tick, tick)
    )
    if not create and random.random() < 0.05:
        password = random.choice((None, "p1", "p2", "p3"))
    fields = (name,) if password is None else (name, password)
    change = model.register(name, password) if create else None
    sent = model.now()
    command = classic.CREATE if create else classic.LOGIN
    request = Request(
        "create" if create else "login",
        sent,
        change,
        None,
        lambda: device.session_began(sent, password),
        password,
    )
    device.ask(request, command, *fields)
    return True


def _send(device: ClassicDevice, random: Random) -> bool:
    """Send a message to another account."""
    if not device.ready:
        return False
    others = [name for name in device.model.names if name != device.name]
    recipient = random.choice(others)
    for _ in range(random.choice((1, 1, 3))):
        text = device.new_message("@" + recipient)
        request = Request("send", text.sent, None, text)
        device.ask(request, classic.SEND, device.name, recipient, text.body)
    return True


def _deliver(device: ClassicDevice, random: Random) -> bool:
    """Fetch the waiting mail."""
    if not device.ready:
        return False
    device.ask(Request("deliver", device.model.now()), classic.DELIVER)
    return True


def _list(device: ClassicDevice, random: Random) -> bool:
    """List the accounts."""
    if not device.connected:
        return False
    device.ask(Request("list", device.model.now()), classic.LIST, "*")
    return True


def _delete(device: ClassicDevice, random: Random) -> bool:
    """Delete the account."""
    if not device.ready:
        return False
    change = device.model.delete_account(device.name)
    device.reader = None
    device.ask(Request("delete", change.sent, change), classic.DELETE)
    return True


def _leave_network(device: ClassicDevice, random: Random) -> bool:
    """Close the connection, at once or in one direction first."""
    if not device.connected or device.link is None:
        return False
    if random.random() < 0.3:
        device.log("sends no more")
        device.half_closed = True
        device.link.half_close()
    else:
        device.hang_up()
    return True


OPERATIONS: dict[str, tuple[int, Callable[[ClassicDevice, Random], bool]]] = {
    "come": (20, _come),
    "send": (30, _send),
    "deliver": (15, _deliver),
    "list": (7, _list),
    "delete": (7, _delete),
    "leave-network": (8, _leave_network),
}
