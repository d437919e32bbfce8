"""The commands a person or a script can type: one table for the menus, the help, parsing and
completion."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """One command. In a menu it is its name or its letter, anywhere else its slash form."""

    name: str
    """as the menu spells it; empty: the menu has it not"""
    letter: str
    """the menu's short form, empty: none; the menu after logging in lists what has one"""
    slash: str
    """as a slash command, empty: it is none"""
    arguments: str
    """what follows the slash command, as help shows it; in brackets: optional"""
    sentence: str
    """what it does, for help"""
    before: bool = False
    """whether it can be used before logging in"""
    after: bool = True
    """whether it can be used after logging in"""

    @property
    def words(self) -> frozenset[str]:
        """All that means this command when it is all that is typed."""
        return frozenset({self.name, self.letter, self.slash, self.slash[1:]} - {""})

    @property
    def usage(self) -> str:
        """The slash form with its arguments."""
        return f"{self.slash} {self.arguments}".strip()


LOGIN = Command("login", "", "", "", "log in to an account", before=True, after=False)
CREATE = Command(
    "create_account", "", "", "", "make an account and log in to it", before=True, after=False
)
HELP = Command("help", "h", "/help", "", "show this list", before=True)
COMPOSE = Command("compose", "c", "", "", "write a message, step by step")
MESSAGE = Command("", "", "/msg", "USER TEXT", "send TEXT to USER, online or not")
LIST = Command("list users", "l", "/list", "[PATTERN]", "list accounts (* ? [a-d] match)")
GET = Command("get messages", "g", "/get", "", "get what came while you were away")
DELETE = Command("delete account", "d", "/delete", "", "delete your account, and leave")
LOGOUT = Command("logout", "q", "/quit", "", "leave; your account stays")
QUIT = Command("quit", "", "/quit", "", "leave", before=True, after=False)
TATA = Command("tata", "", "/tata", "", "leave, too", before=True)

COMMANDS = (LOGIN, CREATE, HELP, COMPOSE, MESSAGE, LIST, GET, DELETE, LOGOUT, QUIT, TATA)

_BEFORE = (LOGIN, CREATE, QUIT)


def usable(logged_in: bool) -> list[Command]:
    """The commands that can be used now."""
    return [command for command in COMMANDS if (command.after if logged_in else command.before)]


def menu(logged_in: bool) -> str:
    """The line that offers the commands."""
    if not logged_in:
        return "Commands: " + ", ".join(command.name for command in _BEFORE)
    return "Commands: " + ", ".join(
        f"{each.name} ({each.letter})" for each in COMMANDS if each.letter
    )


def help_lines(logged_in: bool) -> list[str]:
    """One line for each command that can be used now."""
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
    """The command that `line` is, and what follows a slash command; None: it is no command usable
    now."""
    typed = line.strip().lower()
    for command in usable(logged_in):
        if typed in command.words:
            return command, ""
    word, rest = split(line.lstrip())
    for command in usable(logged_in):
        if command.arguments and word.lower() == command.slash:
            return command, rest
    return None, ""


def split(text: str) -> tuple[str, str]:
    """The first word of `text`, and what follows the blank or line break after it, unchanged."""
    word = text.split(None, 1)[0] if text.strip() else ""
    return word, text[len(word) + 1 :]


def complete(text: str, logged_in: bool, names: Iterable[str]) -> list[str]:
    """All that `text`, typed as a command so far, can become: slash commands, words, and users for
    /msg."""
    word, rest = split(text)
    if " " not in text:
        forms = {
            form for command in usable(logged_in) for form in (command.slash, command.name)
        } - {""}
        found = (
            form
            for form in forms
            if form.startswith(word.lower()) and (word or form.startswith("/"))
        )
        return sorted(form + " " * (form in (MESSAGE.slash, LIST.slash)) for form in found)
    if word.lower() == MESSAGE.slash and " " not in rest:
        return [f"{word} {name} " for name in complete_name(rest, names)]
    return []


def complete_name(text: str, names: Iterable[str]) -> list[str]:
    """The names that begin with `text`, whatever their case."""
    return sorted(name for name in names if name.lower().startswith(text.lower()))
