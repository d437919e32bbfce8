"""What the slash commands do; `chatd.client.cli.commands.table` is the table of them.

Each is a coroutine of the chat and of what follows the command's name. It raises `Misused` if that
is not what it needs, `Refused` or `Fatal` if it comes to nothing; whoever called it tells.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from chatd.core.errors import Refused

if TYPE_CHECKING:
    from chatd.client.cli.chat import Chat

Deed = Callable[["Chat", str], Awaitable[None]]


class Misused(Refused):
    """That cannot be done like this."""

    code = "usage"


class Usage(Misused):
    """These are not the arguments that the command needs."""


def split(text: str) -> tuple[str, str]:
    """The first word of `text`, and what follows the blank or line break after it, unchanged."""
    word = text.split(None, 1)[0] if text.strip() else ""
    return word, text.lstrip()[len(word) + 1 :]


def only(text: str) -> str:
    """The one word that `text` must be. Raises `Usage`."""
    word, rest = split(text)
    if not word or rest.strip():
        raise Usage()
    return word


def nothing(text: str) -> None:
    """There must be no arguments. Raises `Usage`."""
    if text.strip():
        raise Usage()


def number(text: str, default: int) -> tuple[int, str]:
    """A number that `text` may begin with, from 1 to 1000, and what follows it. Raises `Usage`."""
    word, rest = split(text)
    if not (word.isascii() and word.isdecimal()):
        return default, text
    if not 1 <= int(word[:6]) <= 1000:
        raise Usage()
    return int(word), rest


def is_room(word: str) -> bool:
    """Whether this names a room, rather than an account."""
    return word.startswith("#")


def room_of(chat: Chat, text: str) -> str:
    """The room that `text` names, else the current one. Raises `Usage`, `Misused`."""
    word = only(text) if text.strip() else chat.target
    if not is_room(word):
        if text.strip():
            raise Usage()
        raise Misused("You are in no room now: name one, as in #lobby.")
    return word
