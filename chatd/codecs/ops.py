"""The ops protocol: bytes to commands and replies; op codes and fields joined by bars, no framing.

The data of one read of the socket is one command, and one write is one reply. Data that ends in a
line break may be several commands, one for each line. Specification: docs/protocols/ops.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar, TypeAlias

import msgspec

from chatd.core import invite_tokens
from chatd.core.entries import without_controls

LONGEST = 69_632
"""bytes that may be sent at once: a command with the longest text, or several commands"""
MOST_COMMANDS = 1_000
"""commands that may be sent at once"""
SUFFIX = "123"
"""the end of an ID, after the name"""

GREETING = (
    "To get started on this chat room, please create or login your account first"
    " and type command as instructed in the documentation \n"
)
INVALID = "Please give a valid input as instructed in the documentation"
NO_MESSAGES = "No new messages\n"
UNKNOWN_MAILBOX = "User not Found "
UNKNOWN_ACCOUNT = "User Not Found! "
DELETED = "Your account has been deleted\n"
MAIL_WAITS = "Please check your mailbox before deleting your account! \n"

_LINE_BREAK = re.compile(r"[\r\n]+")


class Login(msgspec.Struct, frozen=True):
    """Op 0: log in to an account."""

    id: str


class Create(msgspec.Struct, frozen=True):
    """Op 1: create an account and log in to it, with an invite token where that is required."""

    name: str
    invite: str | None = None


class List(msgspec.Struct, frozen=True):
    """Op 2: list all names, or those that match a pattern."""

    pattern: str = ""


class Send(msgspec.Struct, frozen=True):
    """Op 3: send a text to an account."""

    recipient: str
    text: str

    sender: ClassVar[str | None] = None
    key: ClassVar[str | None] = None


class Fetch(msgspec.Struct, frozen=True):
    """Op 4: get the mailbox, which is empty afterwards."""

    id: str


class Delete(msgspec.Struct, frozen=True):
    """Op 5: delete an account, and log out."""

    id: str


class TooLong(msgspec.Struct, frozen=True):
    """A message of more than `LONGEST` bytes, which is refused as a whole."""


class TooMany(msgspec.Struct, frozen=True):
    """More than `MOST_COMMANDS` at once, of which none is decoded: that would take long."""


class Malformed(msgspec.Struct, frozen=True):
    """Any other command."""


Command: TypeAlias = Login | Create | List | Send | Fetch | Delete | TooLong | TooMany | Malformed


class Decoder:
    """Decodes messages without framing; none is ever unfinished."""

    unfinished = False

    def feed(self, data: bytes) -> list[Command]:
        """The commands of one message, in order."""
        if len(data) > LONGEST:
            return [TooLong()]
        if not data.endswith(b"\n"):
            return [_command(data)]
        lines = [line for line in data.replace(b"\r", b"").split(b"\n") if line]
        return [TooMany()] if len(lines) > MOST_COMMANDS else list(map(_command, lines))


def opens(data: bytes) -> bool | None:
    """Whether a connection that begins with `data` speaks ops; None if more is needed.

    More is needed after a single digit, which may be the complete command.
    """
    if data[0] not in b"012345":
        return False
    if len(data) == 1:
        return None
    return data[1:2] == b"|" or data[1:3] in (b"\n", b"\r", b"\r\n")


def _command(data: bytes) -> Command:
    text = data.decode("utf-8", "replace")
    op, *fields = text.split("|", 2)
    match op, fields:
        case "0", [id]:
            return Login(id)
        case "1", [name]:
            return Create(name)
        case "1", [name, token] if invite_tokens.has_form(token):
            return Create(name, token)
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
    """The name in an ID, empty if it is not an ID."""
    return id.removesuffix(SUFFIX) if id.endswith(SUFFIX) else ""


def encode(reply: str) -> bytes:
    """A reply.

    Characters that are not ASCII become ``?``: the original client shows nothing after
    receiving one.
    """
    return reply.encode("ascii", "replace")


def created(name: str) -> str:
    """The reply to Create: the account exists, and the session is logged in."""
    return f"Success New Account Creation! Your new Account ID: {name}{SUFFIX}\n"


def taken(name: str) -> str:
    """The reply to Create if the name is taken."""
    return f"Username {name} already exists. Please try a different username.\n"


def logged_in(name: str) -> str:
    """The reply to Login: messages are pushed from now on."""
    return f"user : {name} is now logged in\n"


def unknown_id(id: str) -> str:
    """The reply to Login if the ID is unknown."""
    advice = "please try a different name or create a new one"
    return f"user with ID : {id} is not recognized in the system, {advice}\n"


def all_names(names: Iterable[str]) -> str:
    """The reply to List without a pattern."""
    return f"Showing all accounts: {','.join(names)}\n"


def matched(pattern: str, names: Iterable[str]) -> str:
    """The reply to List with a pattern."""
    matching = ",".join(names)
    return (
        f"Account matched: {matching}\n"
        if matching
        else f"Account matched to: {pattern} doesn't exist \n"
    )


def message(sender: str, text: str) -> str:
    """A message as its recipient gets it."""
    return f"{sender}: {_on_one_line(text)}"


def sent(sender: str, text: str, recipient: str) -> str:
    """The reply to Send if the recipient is online: the message has been pushed."""
    return f"Sender {sender} sends a new message {_on_one_line(text)} to {recipient}\n"


def left_in_mailbox(sender: str, recipient: str) -> str:
    """The reply to Send if the recipient is offline: the message waits in the mailbox."""
    return f"message from {sender} has been delivered to {recipient}'s mailbox\n"


def unknown_recipient(name: str) -> str:
    """The reply to Send if there is no such account."""
    return f"Receiver: {name} doesn't exist \n"


def mail(id: str) -> str:
    """The heading of the reply to Fetch."""
    return f"undelivered message for user ID {id}: \n"


def mail_item(sender: str, text: str) -> str:
    """One message of the reply to Fetch."""
    return f"{sender} sends: {_on_one_line(text)}\n\n"


def _on_one_line(text: str) -> str:
    return without_controls(_LINE_BREAK.sub(" ", text))
