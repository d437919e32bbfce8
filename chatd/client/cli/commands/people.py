"""People: who there is, how they are, whom we want to hear of and whom not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatd.client.cli.commands import Usage, nothing, only, split
from chatd.client.cli.message_cache import conversation
from chatd.codecs import v1_messages as c

if TYPE_CHECKING:
    from chatd.client.cli.chat import Chat

_MANY = 1_000


async def accounts(chat: Chat, rest: str) -> None:
    """Those whose names match."""
    pattern = only(rest) if rest.strip() else "*"
    after, found = "", 0
    while True:
        answer: c.Names = await chat.ask(c.FindAccounts(0, pattern, after))
        chat.seen.met(*answer.names)
        found += len(answer.names)
        if not answer.more or not answer.names or found >= _MANY:
            break
        after = answer.names[-1]
    if not found:
        chat.output.note("There is no such account.")
    elif answer.more:
        chat.output.note(
            f"These are the first {found}: give a pattern to see others, such as /list b*"
        )


async def away(chat: Chat, rest: str) -> None:
    """Say that we are away."""
    await _present(chat, rest.strip(), await _is_hidden(chat), "You are away now; /back ends that.")


async def back(chat: Chat, rest: str) -> None:
    """Say that we are back."""
    nothing(rest)
    await _present(chat, None, await _is_hidden(chat), "You are back.")


async def hide(chat: Chat, rest: str) -> None:
    """Look as if we were off."""
    nothing(rest)
    await _present(
        chat, chat.away, True, "To others you look as if you were not here; /show ends that."
    )


async def show(chat: Chat, rest: str) -> None:
    """No longer hide."""
    nothing(rest)
    await _present(chat, chat.away, False, "Others can see that you are here.")


async def _is_hidden(chat: Chat) -> bool:
    """Whether we hide, perhaps since another day: then we look off although we are here."""
    answer: c.People = await chat.request(c.Who(0, [chat.client.name]))
    return [person.status for person in answer.people] == ["off"]


async def _present(chat: Chat, text: str | None, hidden: bool, sentence: str) -> None:
    await chat.ask(c.SetPresence(0, text is not None, text or "", hidden), sentence)
    chat.away = text


async def seen(chat: Chat, rest: str) -> None:
    """How somebody is, or when they were here last."""
    await chat.ask(c.Who(0, [only(rest)]))


async def watch(chat: Chat, rest: str) -> None:
    """Tell when they come and go."""
    if not rest.strip():
        raise Usage()
    await chat.ask(c.Who(0, rest.split()[:100], True), "You will be told when that changes.")


async def unwatch(chat: Chat, rest: str) -> None:
    """No longer."""
    if not rest.strip():
        raise Usage()
    await chat.ask(c.Unwatch(0, rest.split()[:100]), "You will not be told any more.")


async def block(chat: Chat, rest: str) -> None:
    """Take nothing from somebody any more."""
    name = only(rest)
    await chat.ask(
        c.Block(0, name),
        f"Nothing that {name} says reaches you any more; /unblock {name} ends that.",
    )


async def unblock(chat: Chat, rest: str) -> None:
    """Take it again."""
    name = only(rest)
    await chat.ask(c.Block(0, name, False), f"What {name} says reaches you again.")


async def blocked(chat: Chat, rest: str) -> None:
    """Whom we block."""
    nothing(rest)
    answer: c.Names = await chat.ask(c.GetBlocked(0))
    chat.blocking.learned(answer.names)
    if not answer.names:
        chat.output.note("You block nobody.")


async def report(chat: Chat, rest: str) -> None:
    """Tell the operators about somebody, and show them what they said last."""
    name, reason = split(rest)
    if not name or not reason.strip():
        raise Usage()
    place = conversation(chat.target) if chat.target.startswith("#") else conversation(name)
    said = chat.seen.said(place, by=name)
    log, seq = (said[-1].log, said[-1].seq) if said else ("", 0)
    sentence = (
        f"The operators have been told about {name}{', and what they said last' if said else ''}."
    )
    await chat.ask(c.Report(0, name, reason.strip(), log, seq), sentence)
