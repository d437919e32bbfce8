"""The table of slash commands. Parsing, help and completion are made from it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from chatd.client.cli.commands import Deed, Misused, Usage, account, people, rooms, split
from chatd.client.cli.commands import messages as talking

if TYPE_CHECKING:
    from chatd.client.cli.chat import Chat

_WORDS = re.compile(r"[@a-z-]{2,}")


@dataclass(frozen=True)
class Command:
    """One command."""

    name: str
    """without its slash"""
    arguments: str
    """what follows it; in brackets: optional. NAME, #ROOM, COMMAND and words in lower case are
    completed"""
    sentence: str
    """what it does"""
    deed: Deed
    """who carries it out"""
    aliases: tuple[str, ...] = ()
    """other names"""
    waits: bool = True
    """whether messages that are under way are to be answered before it begins"""

    @property
    def usage(self) -> str:
        """The command with its arguments."""
        return f"/{self.name} {self.arguments}".strip()

    @property
    def sentences(self) -> str:
        """What it does, and its other names."""
        return self.sentence + (
            f" (also {', '.join('/' + each for each in self.aliases)})" if self.aliases else ""
        )


async def _help(chat: Chat, rest: str) -> None:
    """Explain one command, or all."""
    if rest.strip():
        command = find(rest.strip().removeprefix("/"))
        chat.output.line(f"{command.usage}: {command.sentences}")
        return
    for line in help_lines():
        chat.output.line(line)


COMMANDS = (
    Command("help", "[COMMAND]", "show this list, or explain a command", _help, ("h",)),
    Command("to", "NAME|#ROOM", "talk to NAME, or in #ROOM, from now on", talking.to, ("query",)),
    Command(
        "msg",
        "NAME|#ROOM TEXT",
        "send TEXT, and go on talking where you are",
        talking.msg,
        ("m", "w"),
        False,
    ),
    Command("edit", "[N] TEXT", "replace your last message here, or the N-th last", talking.edit),
    Command("delete", "[NAME] [N]", "delete your last message here, or NAME's", talking.delete),
    Command(
        "react", "[N] EMOJI", "react to the last message here, or the N-th last", talking.react
    ),
    Command("unreact", "[N]", "take your reaction to it back", talking.unreact),
    Command(
        "history",
        "[N] [NAME|#ROOM|@me]",
        "what was said here before; again: before that",
        talking.history,
    ),
    Command(
        "receipts", "", "which of your messages have been delivered and read", talking.receipts
    ),
    Command("join", "#ROOM", "become a member of a room", rooms.join, ("j",)),
    Command("leave", "[#ROOM]", "be no member any more", rooms.leave, ("part",)),
    Command("create", "#ROOM [--private] [TOPIC]", "make a room and be its owner", rooms.create),
    Command("rooms", "[PATTERN]", "list rooms (* ? [a-d] match)", rooms.rooms),
    Command("who", "[#ROOM|NAME ...]", "who is in the room, or how NAME is", rooms.who, ("names",)),
    Command("topic", "[TEXT]", "show the topic, change it, or remove it (-)", rooms.topic),
    Command("private", "[#ROOM]", "who wants to join has to be invited", rooms.private),
    Command("public", "[#ROOM]", "everyone may join", rooms.public),
    Command("invite", "NAME [#ROOM]", "let NAME join", rooms.invite),
    Command("kick", "NAME [#ROOM]", "put NAME out of the room", rooms.kick),
    Command("role", "NAME member|moderator|owner", "say what NAME is here", rooms.role),
    Command("destroy", "#ROOM", "delete a room with all that was said there", rooms.destroy),
    Command("list", "[PATTERN]", "list accounts (* ? [a-d] match)", people.accounts),
    Command("seen", "NAME", "how NAME is, or was here last", people.seen, ("whois",)),
    Command("watch", "NAME ...", "be told when they come and go", people.watch),
    Command("unwatch", "NAME ...", "no longer", people.unwatch),
    Command("away", "[TEXT]", "say that you are away, and why", people.away),
    Command("back", "", "say that you are back", people.back),
    Command("hide", "", "look as if you were not here", people.hide),
    Command("show", "", "be seen again", people.show),
    Command("block", "NAME", "take nothing from NAME any more", people.block),
    Command("unblock", "NAME", "take it again", people.unblock),
    Command("blocked", "", "list whom you block", people.blocked),
    Command("report", "NAME REASON", "tell the operators about NAME", people.report),
    Command("passwd", "", "change your password", account.passwd),
    Command("certificate", "SHA256 ...|none", "log in by TLS certificates", account.certificate),
    Command("unregister", "", "delete your account, and leave", account.unregister),
    Command("status", "", "where you are, and how the connection is", account.status),
    Command("quit", "", "leave; your account stays", account.leave, ("q", "logout", "exit"), False),
)

_BY_NAME = {name: command for command in COMMANDS for name in (command.name, *command.aliases)}


def find(name: str) -> Command:
    """The command of this name, without slash. Raises `Misused`, which names the nearest."""
    command = _BY_NAME.get(name.lower())
    if command is None:
        near = get_close_matches(name.lower(), _BY_NAME, n=1)
        hint = f"Did you mean /{near[0]}?" if near else "/help shows all commands."
        raise Misused(f"There is no command /{name}. {hint}")
    return command


def parse(line: str) -> tuple[Command, str]:
    """The command that `line`, which begins with a slash, is, and what follows. Raises
    `Misused`."""
    word, rest = split(line)
    return find(word.removeprefix("/")), rest


async def carry_out(chat: Chat, command: Command, rest: str) -> None:
    """Do it. Raises `Misused` with a sentence, `Refused`, `Fatal`."""
    try:
        await command.deed(chat, rest)
    except Usage:
        raise Misused(f"Type it like this: {command.usage}") from None


def help_lines() -> list[str]:
    """One line for each command."""
    width = max(len(command.usage) for command in COMMANDS)
    lines = [f"  {command.usage:<{width}}  {command.sentence}" for command in COMMANDS]
    return [
        *lines,
        "  Anything else is said where you are; // begins a line that begins with a slash.",
    ]


def complete(text: str, names: Iterable[str]) -> list[str]:
    """All that `text` can become by completing its last word; `names` are accounts and rooms."""
    word = re.split(r"\s", text)[-1]
    before = text[: len(text) - len(word)]
    if text.startswith("/") and not before:
        found = [f"/{name}" for name in _BY_NAME]
        found = [name for name in found if name.startswith(word.lower())]
        # Short forms are for who knows them.
        found = [
            name for name in found if name[1:] in {command.name for command in COMMANDS}
        ] or found
    elif text.startswith("/"):
        found = _arguments(before, names)
    else:
        found = list(names)
    end = ": " if not before and not word.startswith(("/", "#")) else " "
    matching = (
        each for each in found if each.lower().startswith(word.lower()) and (word or before)
    )
    return sorted(before + each + end for each in matching)


def _arguments(before: str, names: Iterable[str]) -> list[str]:
    """What can stand after `before`, by the command's own row of the table."""
    word, *given = before.split()
    command = _BY_NAME.get(word[1:].lower())
    if command is None:
        return []
    given = [each for each in given if not ("[N]" in command.arguments and each.isdecimal())]
    places = [each for each in command.arguments.split() if each not in ("[N]", "...", "...]")]
    if places and ("..." in command.arguments or "TEXT" in places[-1]):
        given = given[: len(places) - 1]
    found: list[str] = []
    for place in places[len(given) :]:
        if "NAME" in place or "TEXT" in place:
            found += [each for each in names if not each.startswith("#")]
        if "#ROOM" in place:
            found += [each for each in names if each.startswith("#")]
        if "COMMAND" in place:
            found += [each.name for each in COMMANDS]
        found += _WORDS.findall(place)
        if not place.startswith("["):
            break
    return found
