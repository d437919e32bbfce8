"""The table of slash commands, from which parsing, help and completion are derived."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from chatd.client.cli.commands import (
    access_tokens,
    accounts,
    blocking,
    edits,
    history,
    moderation,
    presence,
    receipts,
    reports,
    rooms,
    sending,
    session,
)
from chatd.client.cli.commands.arguments import UsageProblem, WrongArguments, split_word
from chatd.client.cli.commands.context import CommandContext, Handler
from chatd.core.names import is_room

_LITERAL = re.compile(r"[@a-z-]{2,}")
_USAGE_WIDTH = 34
"""columns of the usages in the help; a longer one moves its summary to the right"""


@dataclass(frozen=True)
class Command:
    """One command."""

    name: str
    """its name without the slash"""
    arguments: str
    """its arguments as the help shows them: brackets mean optional; NAME, #ROOM, COMMAND and words
    in lower case are completed"""
    summary: str
    """what it does, in the imperative"""
    handler: Handler
    """carries it out"""
    aliases: tuple[str, ...] = ()
    """other names"""
    waits: bool = True
    """whether it waits until the messages before it are answered"""

    @property
    def usage(self) -> str:
        """The command with its arguments."""
        return f"/{self.name} {self.arguments}".strip()

    @property
    def description(self) -> str:
        """The summary, with the other names."""
        aliases = ", ".join(f"/{alias}" for alias in self.aliases)
        return f"{self.summary} (also {aliases})" if aliases else self.summary


async def _help(context: CommandContext, arguments: str) -> None:
    """Explain one command, or list all."""
    if arguments.strip():
        command = find(arguments.strip().removeprefix("/"))
        context.output.line(f"{command.usage}: {command.description}")
        return
    for line in help_lines():
        context.output.line(line)


COMMANDS = (
    Command("help", "[COMMAND]", "list the commands, or explain one", _help, ("h",)),
    Command("to", "NAME|#ROOM", "send what you type to NAME or #ROOM", sending.to, ("query",)),
    Command(
        "msg",
        "NAME|#ROOM TEXT",
        "send one message to NAME or #ROOM",
        sending.msg,
        ("m", "w"),
        waits=False,
    ),
    Command(
        "edit",
        "[N] TEXT",
        "edit your last message in this conversation, or the Nth last",
        edits.edit,
    ),
    Command(
        "delete",
        "[NAME] [N]",
        "delete your last message in this conversation, or that of NAME",
        edits.delete,
    ),
    Command(
        "react", "[N] EMOJI", "react to the last message, or the Nth from the end", edits.react
    ),
    Command("unreact", "[N]", "remove your reaction", edits.unreact),
    Command(
        "history",
        "[N] [NAME|#ROOM|@me]",
        "show earlier messages; repeat it for older ones",
        history.history,
    ),
    Command(
        "clear-mailbox",
        "",
        "remove the private messages that you have received",
        history.clear_mailbox,
    ),
    Command(
        "receipts", "", "show which of your messages were delivered and read", receipts.receipts
    ),
    Command("join", "#ROOM", "join a room", rooms.join, ("j",)),
    Command(
        "leave",
        "[#ROOM]",
        "leave a room; it is deleted when its last member leaves",
        rooms.leave,
        ("part",),
    ),
    Command("create", "#ROOM [--private] [TOPIC]", "create a room that you own", rooms.create),
    Command("rooms", "[PATTERN]", "list rooms; PATTERN may contain * ? [a-d]", rooms.list_rooms),
    Command(
        "who",
        "[#ROOM|NAME ...]",
        "list the members of a room, or show if NAME is online",
        rooms.who,
        ("names",),
    ),
    Command("topic", "[TEXT]", "show the topic of the room, set it, or remove it (-)", rooms.topic),
    Command("private", "[#ROOM]", "let only invited accounts join a room", rooms.private),
    Command("public", "[#ROOM]", "let every account join a room", rooms.public),
    Command(
        "visibility",
        "all|joined [#ROOM]",
        "let members read everything, or what is sent after joining",
        rooms.visibility,
    ),
    Command(
        "room-settings",
        "[#ROOM] [SETTING VALUE]",
        "show or set the settings slow, read-only, invite, unlisted",
        rooms.room_settings,
    ),
    Command(
        "slow",
        "SECONDS|off [#ROOM]",
        "let each member send one message in so many seconds",
        rooms.slow,
    ),
    Command("readonly", "on|off [#ROOM]", "let only moderators send to a room", rooms.read_only),
    Command("invite", "NAME [#ROOM]", "invite NAME to a room", rooms.invite),
    Command("kick", "NAME [#ROOM]", "remove NAME from a room", rooms.kick),
    Command(
        "ban",
        "[#ROOM] NAME|PATTERN [for TIME] [WHY]",
        "keep accounts out of a room; TIME: 30s 10m 2h 7d 2w",
        moderation.ban,
    ),
    Command("unban", "NAME|PATTERN [#ROOM]", "end a ban", moderation.unban),
    Command("bans", "[#ROOM]", "list the bans of a room", moderation.bans),
    Command(
        "silence",
        "[#ROOM] NAME [for TIME] [WHY]",
        "take no messages from NAME in a room",
        moderation.silence,
    ),
    Command("unsilence", "NAME [#ROOM]", "let NAME send again", moderation.unsilence),
    Command("silenced", "[#ROOM]", "list the silenced members of a room", moderation.silenced),
    Command(
        "role",
        "[#ROOM] NAME member|moderator|deputy|owner",
        "set the role of NAME in a room",
        rooms.role,
    ),
    Command("destroy", "#ROOM", "delete a room and all its messages", rooms.destroy),
    Command(
        "list", "[PATTERN]", "list accounts; PATTERN may contain * ? [a-d]", accounts.list_accounts
    ),
    Command(
        "seen", "NAME", "show if NAME is online, or when NAME last was", presence.seen, ("whois",)
    ),
    Command("watch", "NAME ...", "be notified when the presence of NAME changes", presence.watch),
    Command("unwatch", "NAME ...", "stop watching NAME", presence.unwatch),
    Command("away", "[TEXT]", "show others that you are away, and why", presence.away),
    Command("back", "", "show others that you are back", presence.back),
    Command("hide", "", "appear offline to others", presence.hide),
    Command("show", "", "stop appearing offline", presence.show),
    Command("block", "NAME", "stop receiving messages from NAME", blocking.block),
    Command("unblock", "NAME", "receive messages from NAME again", blocking.unblock),
    Command("blocked", "", "list the accounts you block", blocking.blocked),
    Command("report", "NAME REASON", "report NAME to the operators", reports.report),
    Command("passwd", "", "change your password", accounts.passwd),
    Command(
        "certificate",
        "SHA256 ...|none",
        "set the TLS certificates that can log in",
        accounts.certificate,
    ),
    Command(
        "token",
        "list|create|revoke [NAME ...]",
        "manage access tokens, with which programs log in",
        access_tokens.token,
    ),
    Command("unregister", "", "delete your account and quit", accounts.unregister),
    Command("status", "", "show your account, connection and rooms", session.status),
    Command(
        "quit",
        "",
        "quit; your account is kept",
        session.quit_client,
        ("q", "logout", "exit"),
        waits=False,
    ),
)

_BY_NAME = {name: command for command in COMMANDS for name in (command.name, *command.aliases)}


def find(name: str) -> Command:
    """The command with this name or alias. Raises `UsageProblem`, which suggests a similar one."""
    command = _BY_NAME.get(name.lower())
    if command is None:
        similar = get_close_matches(name.lower(), _BY_NAME, n=1)
        hint = f"Did you mean /{similar[0]}?" if similar else "/help lists the commands."
        raise UsageProblem(f"There is no command /{name}. {hint}")
    return command


def parse(line: str) -> tuple[Command, str]:
    """The command and the arguments of a line that begins with a slash. Raises `UsageProblem`."""
    word, arguments = split_word(line)
    return find(word.removeprefix("/")), arguments


async def run(context: CommandContext, command: Command, arguments: str) -> None:
    """Carry out a command. Raises `UsageProblem`, `Refused` and `Fatal`."""
    try:
        await command.handler(context, arguments)
    except WrongArguments:
        raise UsageProblem(f"Usage: {command.usage}") from None


def help_lines() -> list[str]:
    """The help: one line for each command, and one about messages."""
    width = min(_USAGE_WIDTH, max(len(command.usage) for command in COMMANDS))
    lines = [f"  {command.usage:<{width}}  {command.summary}" for command in COMMANDS]
    return [
        *lines,
        "  Other lines are sent as messages; begin with // to send a line that begins with /.",
    ]


def complete(text: str, names: Iterable[str]) -> list[str]:
    """All texts that `text` can become by completing its last word.

    `names` are the accounts and rooms to choose from.
    """
    word = re.split(r"\s", text)[-1]
    before = text[: len(text) - len(word)]
    if text.startswith("/") and not before:
        candidates = _command_names(word)
    elif text.startswith("/"):
        candidates = _argument_candidates(before, names)
    else:
        candidates = list(names)
    addressed = not before and not word.startswith("/") and not is_room(word)
    end = ": " if addressed else " "
    return sorted(
        before + candidate + end
        for candidate in candidates
        if candidate.lower().startswith(word.lower()) and (word or before)
    )


def _command_names(word: str) -> list[str]:
    """The commands that `word` begins; aliases only if there is no other."""
    matching = [name for name in _BY_NAME if f"/{name}".startswith(word.lower())]
    proper = [name for name in matching if _BY_NAME[name].name == name]
    return [f"/{name}" for name in proper or matching]


def _argument_candidates(before: str, names: Iterable[str]) -> list[str]:
    """The words that can follow `before`, according to the command's row in the table."""
    word, *arguments = before.split()
    command = _BY_NAME.get(word[1:].lower())
    if command is None:
        return []
    if "[N]" in command.arguments:
        arguments = [argument for argument in arguments if not argument.isdecimal()]
    placeholders = [
        placeholder
        for placeholder in command.arguments.split()
        if placeholder not in ("[N]", "...", "...]")
    ]
    if placeholders[:1] == ["[#ROOM]"] and arguments and not is_room(arguments[0]):
        del placeholders[0]
    if placeholders and ("..." in command.arguments or "TEXT" in placeholders[-1]):
        arguments = arguments[: len(placeholders) - 1]
    candidates: list[str] = []
    for placeholder in placeholders[len(arguments) :]:
        if "NAME" in placeholder or "TEXT" in placeholder:
            candidates += [name for name in names if not is_room(name)]
        if "#ROOM" in placeholder:
            candidates += [name for name in names if is_room(name)]
        if "COMMAND" in placeholder:
            candidates += [command.name for command in COMMANDS]
        candidates += _LITERAL.findall(placeholder)
        if not placeholder.startswith("["):
            break
    return candidates
