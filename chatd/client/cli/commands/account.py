"""The account itself, and the session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatd.client.cli.commands import Usage, nothing
from chatd.client.cli.login import choose_password
from chatd.codecs import v1_messages as c

if TYPE_CHECKING:
    from chatd.client.cli.chat import Chat


async def passwd(chat: Chat, rest: str) -> None:
    """Change the password; in a pipe the next line is the new one."""
    nothing(rest)
    old = await _password(chat, "Password until now: ")
    new = await choose_password(chat.screen, "New password (empty: anyone can log in): ")
    await chat.ask(
        c.ChangePassword(0, old, new),
        "The password is changed; other sessions have been logged out.",
    )
    chat.arrival.password = new


async def certificate(chat: Chat, rest: str) -> None:
    """Choose the certificates that log in without the password: their SHA-256, or none."""
    words = rest.split()
    if not words:
        raise Usage()
    password = await _password(chat, "Password: ")
    fingerprints = [] if words == ["none"] else words
    done = (
        "These certificates log in to the account."
        if fingerprints
        else "No certificate logs in any more."
    )
    await chat.ask(c.SetCertificates(0, fingerprints, password), done)


async def unregister(chat: Chat, rest: str) -> None:
    """Delete the account."""
    nothing(rest)
    name = chat.client.name
    if not await chat.agreed(f"Delete the account {name} with all its messages? (y/n): "):
        chat.output.note("Not deleted.")
        return
    password = await _password(chat, "Password: ")
    await chat.ask(c.DeleteAccount(0, password))
    chat.output.line(f"DELETED ACCOUNT: {name}")
    chat.leave()


async def _password(chat: Chat, prompt: str) -> str | None:
    """The account's password, typed once more by a person."""
    if chat.arrival.password is None or not chat.screen.interactive:
        return chat.arrival.password
    return await chat.screen.ask(prompt, hidden=True)


async def status(chat: Chat, rest: str) -> None:
    """Where we are."""
    nothing(rest)
    client = chat.client
    welcome = client.welcome
    lines = [
        f"account: {client.name}" + ("" if chat.away is None else f" (away{_colon(chat.away)})"),
        f"server: {welcome.server} {welcome.version} at {chat.address}",
    ]
    if client.connected:
        before = chat.clock.seconds()
        await chat.request(c.Ping(0))
        lines.append(f"connection: answers after {(chat.clock.seconds() - before) * 1000:.0f} ms")
    else:
        lines.append("connection: lost; it is being tried again")
    rooms = ", ".join(info.room for info in client.rooms.values())
    lines += [f"rooms: {rooms or 'none'}", f"talking to: {chat.target or 'nobody'}"]
    for line in lines:
        chat.output.line(line)


def _colon(text: str) -> str:
    return f": {text}" if text else ""


async def leave(chat: Chat, rest: str) -> None:
    """Enough."""
    nothing(rest)
    chat.leave()
