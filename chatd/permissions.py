"""Who may do what: the only place that decides. Each function returns, or raises what to tell the asker."""

from __future__ import annotations

from chatd.accounts import Account
from chatd.errors import NotLoggedIn, NotTheSender, PasswordRequired, TextTooLong
from chatd.sessions import Session


def check_open(account: Account) -> None:
    """Being an account by its name alone is for open accounts. Raises `PasswordRequired`."""
    if account.password is not None:
        raise PasswordRequired()


def check_logged_in(session: Session | None, otherwise: str = "") -> Session:
    """Sending, fetching and deleting are for sessions. Raises `NotLoggedIn`, saying `otherwise`."""
    if session is None:
        raise NotLoggedIn(otherwise)
    return session


def check_sender(session: Session, sender: str) -> None:
    """Nobody speaks for another, however the name is spelled. Raises `NotTheSender`."""
    if sender != session.name and sender.lower() != session.name.lower():
        raise NotTheSender()


def check_text(text: str, limit: int) -> None:
    """A text has at most `limit` characters. Raises `TextTooLong`."""
    if len(text) > limit:
        raise TextTooLong(f"text too long: {len(text)} characters, the limit is {limit}")
