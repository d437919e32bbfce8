"""The bytes of the ops protocol: op codes and fields joined by bars, without any framing.

What one read of the socket gives is one command, and what one write takes is one reply. A chunk
that ends in a line break may be several commands, a line each.
Specification: docs/protocols/ops.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar, TypeAlias

import msgspec

SUFFIX = "123"
"""what an ID has behind the name"""

GREETING = (
    "To get started on this chat room, please create or login your account first and type command as "
    "instructed in the documentation \n"
)
INVALID = "Please give a valid input as instructed in the documentation"
NO_MESSAGES = "No new messages\n"
UNKNOWN_MAILBOX = "User not Found "
UNKNOWN_ACCOUNT = "User Not Found! "
DELETED = "Your account has been deleted\n"
MAIL_WAITS = "Please check your mailbox before deleting your account! \n"

_LINE_BREAK = re.compile(r"[\r\n]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Login(msgspec.Struct, frozen=True):
    """Op 0: log this connection in."""

    id: str


class Create(msgspec.Struct, frozen=True):
    """Op 1: make an account and log this connection in as it."""

    name: str


class List(msgspec.Struct, frozen=True):
    """Op 2: all names, or those that match a pattern."""

    pattern: str = ""


class Send(msgspec.Struct, frozen=True):
    """Op 3: a text for somebody."""

    recipient: str
    text: str

    sender: ClassVar[str | None] = None
    key: ClassVar[str | None] = None


class Fetch(msgspec.Struct, frozen=True):
    """Op 4: the mailbox, which is empty afterwards."""

    id: str


class Delete(msgspec.Struct, frozen=True):
    """Op 5: delete an account, and log out."""

    id: str


class Malformed(msgspec.Struct, frozen=True):
    """Anything else."""


Command: TypeAlias = Login | Create | List | Send | Fetch | Delete | Malformed


class Decoder:
    """Makes commands of chunks. There is nothing to be unfinished: a chunk is all there is."""

    unfinished = False

    def feed(self, data: bytes) -> list[Command]:
        """The commands of one chunk, in order."""
        text = data.decode("utf-8", "replace")
        if not text.endswith("\n"):
            return [_command(text)]
        return [_command(line) for line in text.replace("\r", "").split("\n") if line]


def opens(data: bytes) -> bool | None:
    """Whether a connection that begins so speaks ops; None: a digit by itself, which may be all of
    it."""
    if data[0] not in b"012345":
        return False
    if len(data) == 1:
        return None
    return data[1:2] == b"|" or data[1:3] in (b"\n", b"\r", b"\r\n")


def _command(text: str) -> Command:
    op, *fields = text.split("|", 2)
    match op, fields:
        case "0", [id]:
            return Login(id)
        case "1", [name]:
            return Create(name)
        case "2", []:
            return List()
        case "2", [pattern]:
            return List(pattern)
        case "3", [recipient, body]:
            return Send(recipient, body)
        case "4", [id]:
            return Fetch(id)
        case "5", [id]:
            return Delete(id)
    return Malformed()


def name_of(id: str) -> str:
    """The name in an ID, nothing if it is none."""
    return id.removesuffix(SUFFIX) if id.endswith(SUFFIX) else ""


def encode(reply: str) -> bytes:
    """A reply. Characters that are not ASCII become ``?``: the old client goes deaf of them."""
    return reply.encode("ascii", "replace")


def created(name: str) -> str:
    """The account is there, and logged in."""
    return f"Success New Account Creation! Your new Account ID: {name}{SUFFIX}\n"


def taken(name: str) -> str:
    """There is one of that name."""
    return f"Username {name} already exists. Please try a different username.\n"


def logged_in(name: str) -> str:
    """Messages come here now."""
    return f"user : {name} is now logged in\n"


def unknown_id(id: str) -> str:
    """Nobody has that ID."""
    advice = "please try a different name or create a new one"
    return f"user with ID : {id} is not recognized in the system, {advice}\n"


def all_names(names: Iterable[str]) -> str:
    """All accounts."""
    return f"Showing all accounts: {','.join(names)}\n"


def matched(pattern: str, names: Iterable[str]) -> str:
    """Those that match, if any."""
    found = ",".join(names)
    return (
        f"Account matched: {found}\n"
        if found
        else f"Account matched to: {pattern} doesn't exist \n"
    )


def message(sender: str, text: str) -> str:
    """A message as its recipient gets it."""
    return f"{sender}: {_on_one_line(text)}"


def sent(sender: str, text: str, recipient: str) -> str:
    """The recipient is on, and has it."""
    return f"Sender {sender} sends a new message {_on_one_line(text)} to {recipient}\n"


def kept(sender: str, recipient: str) -> str:
    """The recipient will find it."""
    return f"message from {sender} has been delivered to {recipient}'s mailbox\n"


def unknown_recipient(name: str) -> str:
    """Nobody has that name."""
    return f"Receiver: {name} doesn't exist \n"


def mail(id: str) -> str:
    """What comes before the messages of a mailbox."""
    return f"undelivered message for user ID {id}: \n"


def waited(sender: str, text: str) -> str:
    """One of them."""
    return f"{sender} sends: {_on_one_line(text)}\n\n"


def _on_one_line(text: str) -> str:
    return _CONTROL.sub("?", _LINE_BREAK.sub(" ", text).replace("\t", " "))
