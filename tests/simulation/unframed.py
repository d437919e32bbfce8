"""Devices that speak the text protocols ops and CHAT/1.0, and their operations.

Neither protocol has frames that survive any network, so what these devices send arrives in one
piece. Some of them end it with a line break, others with silence.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from chatd.codecs import chat10
from tests.simulation.facts import Change
from tests.simulation.legacy import LegacyDevice
from tests.simulation.legacy_refusals import Attempt, is_justified
from tests.simulation.model import Message

if TYPE_CHECKING:
    from tests.simulation.world import World

_SENT = re.compile(
    r"Sender \w+ sends a new message (m\d+)|message from \w+ has been delivered to \w+'s mailbox\n"
)
_REFUSED = re.compile(
    "store|too many|logged in elsewhere|no account|[Pp]assword|ask the operator|log in again"
    "|is suspended"
)
"""what the sentences of refusals have that any command may get"""
_REPLIES = (chat10.REGISTERED, chat10.TAKEN, chat10.INVALID)
_TAKEN = ("already-logged-in", "password-required")
_INVALID = (
    "store-unavailable",
    "busy",
    "unknown-account",
    "registration-closed",
    "invite-required",
    "password-needed",
    "unknown-room",
    "not-a-member",
    "suspended",
)
"""the refusals that have one of the two replies of CHAT/1.0"""
_SILENCE = 1.0
"""seconds between two messages of a client that sends no line breaks"""
_OPS_REPLIES = {
    "create": (r"Success New Account Creation!.*\n", r"already exists\.[^\n]*\n"),
    "login": (r"is now logged in\n", r"is not recognized[^\n]*\n"),
    "send": (_SENT.pattern, r"Receiver: \w+ doesn't exist|does not accept[^\n]*\n|valid input"),
    "list": (r"Showing all accounts: [^\n]*\n", r"\Znever"),
    "fetch": (r"undelivered message for|No new messages\n", r"User not Found"),
    "delete": (r"has been deleted\n", r"User Not Found!|check your mailbox"),
}
"""for each command, the replies to one that was carried out and to one that was refused"""


class TextDevice(LegacyDevice):
    """A device of a protocol without reliable frames."""

    def __init__(self, world: World, number: int, name: str) -> None:
        super().__init__(world, number, name)
        self.stream = ""
        self.read_upto = 0
        self.lines = True
        """whether this client ends its messages with line breaks"""
        self._said = 0.0

    def connect(self) -> None:
        """See `Device`."""
        super().connect()
        self.stream = ""
        self.read_upto = 0
        if self.link is not None:
            self.link.conditions.whole = True
            self.lines = self.link.conditions.random.random() < 0.6

    @property
    def silent(self) -> bool:
        """Whether a message would not run together with the one before it."""
        return self.lines or self.world.schedule.now >= self._said + _SILENCE

    def say(self, line: str) -> None:
        """Send a message."""
        self.log(f"-> {line}" + ("" if self.lines else " (no line break)"))
        self._said = self.world.schedule.now
        self.write(line.encode() + (b"\n" if self.lines else b""))

    def read(self, data: bytes) -> None:
        """See `Device`."""
        self.log(f"<- {data!r}"[:200])
        self.stream += data.decode()
        self.read_upto += self.show_all(self.stream[self.read_upto :])
        self.heard()

    def heard(self) -> None:
        """More of the stream has been read."""


class OpsDevice(TextDevice):
    """One ops client: sends a command when the one before it is answered."""

    protocol = "ops"

    def __init__(self, world: World, number: int, name: str) -> None:
        super().__init__(world, number, name)
        self.command = ""
        self._sent = 0
        self._change: Change | None = None
        self._text: Message | None = None
        self._answer_from = 0
        self._attempt: Attempt | None = None

    def ask(
        self, command: str, line: str, change: Change | None = None, text: Message | None = None
    ) -> None:
        """Send a command."""
        self.command, self._change, self._text = command, change, text
        self._sent = self.model.now()
        self._attempt = self.attempt(command, "" if text is None else text.log[1:])
        self._answer_from = len(self.stream)
        self.say(line)

    def heard(self) -> None:
        """See `TextDevice`."""
        if not self.command:
            return
        done, refused = _OPS_REPLIES[self.command]
        stream = self.stream[self._answer_from :]
        if re.search(done, stream):
            self._done(True)
        elif re.search(refused, stream) or (_REFUSED.search(stream) and stream.endswith("\n")):
            assert self._attempt is not None
            self.model.now()
            code = self.check_refusal(self._attempt, stream)
            self._done(None if code in ("store-unavailable", "busy") else False)

    def _done(self, done: bool | None) -> None:
        command, self.command = self.command, ""
        if self._change is not None:
            self._change.end(self.model.now(), done)
        if self._text is not None:
            if done:
                self.model.accepted_without_place(self._text)
            else:
                self.model.refuse(self._text)
        if done and command in ("create", "login"):
            self.session_began(self._sent)
        if done and command == "delete":
            self.reader = None

    def lose(self) -> None:
        """See `Device`."""
        if self.command and self._change is not None:
            self.world.settle_later(self._change, self.link)
        self.command = ""
        super().lose()

    def check_rest(self) -> None:
        """See `Device`."""
        if self.command:
            self.model.violated(f"unanswered:ops-{self.command}", f"{self}: {self.stream[-80:]!r}")


class Chat10Device(TextDevice):
    """One client of CHAT/1.0."""

    protocol = "chat10"

    def __init__(self, world: World, number: int, name: str) -> None:
        super().__init__(world, number, name)
        self._changes: list[Change] = []
        self.registering = False
        self._sent = 0
        self._attempt: Attempt | None = None
        self.leaving = False

    def register(self) -> None:
        """Register, and join the lobby."""
        model, name = self.model, self.name
        registered = model.register(name, None, creates=False)
        self._changes = [registered, model.set_member("#lobby", name, True)]
        self._sent = model.tick
        self._attempt = self.attempt("register")
        self.registering = True
        self.leaving = False
        self.say(f"REGISTER {name} CHAT/1.0")

    @property
    def reading_from(self) -> object:
        """See `LegacyDevice`. The connection of a client without line breaks stays open for a
        moment after its session has ended, which has saved nothing more."""
        ended = self.leaving or self.session_may_have_ended()
        return None if ended else super().reading_from

    def heard(self) -> None:
        """See `TextDevice`."""
        # A reply may arrive in pieces.
        if not self.registering or not self.stream.startswith(_REPLIES):
            return
        self.registering = False
        registered = self.stream.startswith("200 ")
        for change in self._changes:
            change.end(self.model.now(), True if registered else None)
        if registered:
            self.session_began(self._sent)
        else:
            self.leaving = True
            self._check_refusal()

    def _check_refusal(self) -> None:
        """The registration was refused, for one of several reasons that have the same reply."""
        assert self._attempt is not None
        taken = self.stream.startswith(chat10.TAKEN)
        codes = _TAKEN if taken else _INVALID
        if not any(is_justified(self, self._attempt, code) for code in codes):
            self.model.violated(f"refused:chat10:{'taken' if taken else 'invalid'}", f"{self}")

    def disconnected(self) -> None:
        """See `Client`."""
        self.half_closed = self.half_closed or self.leaving
        super().disconnected()

    def lose(self) -> None:
        """See `Device`."""
        if self.registering:
            for change in self._changes:
                self.world.settle_later(change, self.link)
        self.registering = False
        super().lose()

    def check_rest(self) -> None:
        """See `Device`."""
        if self.registering:
            self.model.violated("unanswered:chat10-register", f"{self}")


def _ops_come(device: OpsDevice, random: Random) -> bool:
    """Connect if need be, and create the account or log in to it."""
    if device.command or (device.connected and device.reader is not None):
        return False
    if not device.connected:
        device.connect()
    model, name = device.model, device.name
    tick = model.tick
    takeover = Change(tick)
    model.takeovers[name].append(takeover)
    device.world.settle_later(takeover, device.link)
    if not model.exists["@" + name].surely(True, tick, tick):
        device.ask("create", f"1|{name}", model.register(name, None))
    else:
        device.ask("login", f"0|{name}123")
    return True


def _ops_send(device: OpsDevice, random: Random) -> bool:
    """Send a message."""
    if not device.ready or device.command:
        return False
    recipient = random.choice([name for name in device.model.names if name != device.name])
    text = device.new_message("@" + recipient)
    device.ask("send", f"3|{recipient}|{text.body}", None, text)
    return True


def _ops_fetch(device: OpsDevice, random: Random) -> bool:
    """Fetch the waiting mail."""
    if not device.ready or device.command:
        return False
    device.ask("fetch", f"4|{device.name}123")
    return True


def _ops_list(device: OpsDevice, random: Random) -> bool:
    """List the accounts."""
    if not device.ready or device.command:
        return False
    device.ask("list", "2")
    return True


def _ops_delete(device: OpsDevice, random: Random) -> bool:
    """Delete the account."""
    if not device.ready or device.command:
        return False
    device.ask("delete", f"5|{device.name}123", device.model.delete_account(device.name))
    return True


def _leave_network(device: TextDevice, random: Random) -> bool:
    """Close the connection."""
    if not device.connected:
        return False
    device.hang_up()
    return True


def _chat10_come(device: Chat10Device, random: Random) -> bool:
    """Connect and register."""
    if device.connected:
        return False
    device.connect()
    device.register()
    return True


def _chat10_send(device: Chat10Device, random: Random) -> bool:
    """Send a text to the lobby."""
    if not device.ready or device.leaving or not device.silent:
        return False
    text = device.new_message("#lobby")
    # After a stall, several of them may arrive at once.
    text.framed = device.lines
    device.say(f"@{device.name}: {text.body}")
    return True


def _chat10_disconnect(device: Chat10Device, random: Random) -> bool:
    """End the session."""
    if not device.ready or device.leaving or not device.silent:
        return False
    device.leaving = True
    device.say(f"DISCONNECT {device.name} CHAT/1.0")
    return True


OPS_OPERATIONS: dict[str, tuple[int, Callable[[OpsDevice, Random], bool]]] = {
    "come": (20, _ops_come),
    "send": (25, _ops_send),
    "fetch": (15, _ops_fetch),
    "list": (8, _ops_list),
    "delete": (8, _ops_delete),
    "leave-network": (8, _leave_network),
}

CHAT10_OPERATIONS: dict[str, tuple[int, Callable[[Chat10Device, Random], bool]]] = {
    "come": (20, _chat10_come),
    "send": (25, _chat10_send),
    "disconnect": (10, _chat10_disconnect),
    "leave-network": (6, _leave_network),
}
