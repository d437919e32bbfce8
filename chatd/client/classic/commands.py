"""The commands that a user or a script can type: one table for menus, help, parsing and completion.

Some commands have a name in a menu, some a slash form, some both.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """One command: it is typed by its name, its letter or its slash form."""

    name: str
    """the name in the menu, empty if it is in no menu"""
    letter: str
    """the short form in the menu after logging in, empty if it is not in that menu"""
    slash: str
    """the slash form, empty if it has none"""
    arguments: str
    """the arguments of the slash form, for the help; those in brackets are optional"""
    sentence: str
    """what the command does, for the help"""
    before: bool = False
    """whether it can be used before logging in"""
    after: bool = True
    """whether it can be used after logging in"""

    @property
    def words(self) -> frozenset[str]:
        """The lines that are this command without arguments."""
        return frozenset({self.name, self.letter, self.slash, self.slash[1:]} - {""})

    @property
    def usage(self) -> str:
        """The slash form with its arguments."""
        return f"{self.slash} {self.arguments}".strip()


LOGIN = Command("login", "", "", "", "log in to an account", before=True, after=False)
CREATE = Command(
    "create_account", "", "", "", "create an account and log in to it", before=True, after=False
)
HELP = Command("help", "h", "/help", "", "show this list", before=True)
COMPOSE = Command("compose", "c", "", "", "write a message step by step")
MESSAGE = Command("", "", "/msg", "USER TEXT", "send TEXT to USER, online or not")
LIST = Command("list users", "l", "/list", "[PATTERN]", "list accounts (* ? [a-d] match)")
GET = Command("get messages", "g", "/get", "", "get the messages received while offline")
DELETE = Command("delete account", "d", "/delete", "", "delete your account and exit")
LOGOUT = Command("logout", "q", "/quit", "", "log out and exit; the account is kept")
QUIT = Command("quit", "", "/quit", "", "exit", before=True, after=False)
TATA = Command("tata", "", "/tata", "", "exit", before=True)

COMMANDS = (LOGIN, CREATE, HELP, COMPOSE, MESSAGE, LIST, GET, DELETE, LOGOUT, QUIT, TATA)

_BEFORE = (LOGIN, CREATE, QUIT)


def usable(logged_in: bool) -> list[Command]:
    """Return the commands that can be used before or after logging in."""
    return [command for command in COMMANDS if (command.after if logged_in else command.before)]


def menu(logged_in: bool) -> str:
    """Return the line that lists the commands of the menu."""
    if not logged_in:
        return "Commands: " + ", ".join(command.name for command in _BEFORE)
    return "Commands: " + ", ".join(
        f"{command.name} ({command.letter})" for command in COMMANDS if command.letter
    )


def help_lines(logged_in: bool) -> list[str]:
    """Return one line of help for each usable command, in columns."""
    rows = [
        (
            command.name + (f" ({command.letter})" if command.letter else ""),
            command.usage,
            command.sentence,
        )
        for command in usable(logged_in)
    ]
    first, second = (max(len(row[column]) for row in rows) for column in (0, 1))
    return [f"  {name:<{first}}  {usage:<{second}}  {sentence}" for name, usage, sentence in rows]


def parse(line: str, logged_in: bool) -> tuple[Command | None, str]:
    """Return the command of a line, and the arguments after a slash command; None if the line is
    no usable command."""
    word = line.strip().lower()
    for command in usable(logged_in):
        if word in command.words:
            return command, ""
    slash, arguments = split(line.lstrip())
    for command in usable(logged_in):
        if command.arguments and slash.lower() == command.slash:
            return command, arguments
    return None, ""


def split(text: str) -> tuple[str, str]:
    """Return the first word of `text`, and the text after the blank or line break that follows it,
    unchanged."""
    word = text.split(None, 1)[0] if text.strip() else ""
    return word, text[len(word) + 1 :]


def complete(text: str, logged_in: bool, names: Iterable[str]) -> list[str]:
    """Return all completions of a line that begins with `text`: commands, and user names after
    /msg."""
    word, arguments = split(text)
    if " " not in text:
        forms = {
            form for command in usable(logged_in) for form in (command.slash, command.name)
        } - {""}
        matches = (
            form
            for form in forms
            if form.startswith(word.lower()) and (word or form.startswith("/"))
        )
        return sorted(form + " " * (form in (MESSAGE.slash, LIST.slash)) for form in matches)
    if word.lower() == MESSAGE.slash and " " not in arguments:
        return [f"{word} {name} " for name in complete_name(arguments, names)]
    return []


def complete_name(text: str, names: Iterable[str]) -> list[str]:
    """Return the names that begin with `text`, ignoring case."""
    return sorted(name for name in names if name.lower().startswith(text.lower()))
