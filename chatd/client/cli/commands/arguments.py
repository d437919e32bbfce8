"""Parsing of a command's arguments, and the errors for wrong ones."""

from __future__ import annotations

from chatd.core.errors import Refused
from chatd.core.names import is_room


class UsageProblem(Refused):
    """The command cannot be used like this."""

    code = "usage"


class WrongArguments(UsageProblem):
    """The arguments of the command are wrong."""


def split_word(text: str) -> tuple[str, str]:
    """Split off the first word; the rest begins after one space or line break, unchanged."""
    word = text.split(None, 1)[0] if text.strip() else ""
    return word, text.lstrip()[len(word) + 1 :]


def single_word(text: str) -> str:
    """The only word of `text`. Raises `WrongArguments` if there are none or several."""
    word, rest = split_word(text)
    if not word or rest.strip():
        raise WrongArguments()
    return word


def no_arguments(text: str) -> None:
    """Check that `text` is blank. Raises `WrongArguments`."""
    if text.strip():
        raise WrongArguments()


def leading_number(text: str, default: int) -> tuple[int, str]:
    """Split off a leading number, from 1 to 1000; without one, return `default` and `text`.

    Raises `WrongArguments`.
    """
    word, rest = split_word(text)
    if not (word.isascii() and word.isdecimal()):
        return default, text
    if not 1 <= int(word[:6]) <= 1000:
        raise WrongArguments()
    return int(word), rest


def selected_room(target: str) -> str:
    """`target`, if it is a room. Raises `UsageProblem`, for a command that cannot name a room."""
    if not is_room(target):
        raise UsageProblem("No room is selected: use /join #ROOM or /to #ROOM first.")
    return target


def room_or_target(text: str, target: str) -> str:
    """The room that `text` names; if it is blank, `target`. Raises `UsageProblem`."""
    word = single_word(text) if text.strip() else target
    if not is_room(word):
        if text.strip():
            raise WrongArguments()
        raise UsageProblem("No room is selected: name one, such as #lobby.")
    return word


def leading_room(text: str, target: str) -> tuple[str, str]:
    """Split off the room that `text` begins with; without one, return `target` and `text`.

    Raises `UsageProblem`.
    """
    word, rest = split_word(text)
    return (word, rest) if is_room(word) else (room_or_target("", target), text)


def name_and_room(text: str, target: str) -> tuple[str, str]:
    """The account that `text` names first, and the room after it; without one, `target`.

    Raises `UsageProblem`.
    """
    name, room = split_word(text)
    if not name or is_room(name):
        raise WrongArguments()
    return name, room_or_target(room, target)
