"""Who may do what: the only place that decides. Each function returns, or raises what to tell the
asker."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from chatd.core.entries import TEXT, Entry
from chatd.core.errors import (
    InviteRequired,
    NotAllowed,
    NotAMember,
    NotLoggedIn,
    NotTheAuthor,
    NotTheSender,
    OpenAccountsForbidden,
    PasswordRequired,
    RegistrationClosed,
    TextTooLong,
    UnknownMember,
    UnknownRoom,
)
from chatd.realm.accounts import Account
from chatd.realm.ack_session import AckSession
from chatd.realm.room import INVITED, MEMBER, MODERATOR, OWNER, RANKS, RoomFacts
from chatd.realm.session import Session

S = TypeVar("S", bound=Session)

OPEN, INVITE_ONLY, CLOSED = "open", "invite", "closed"
"""registration: for everyone, with an operator's token, for nobody"""


class Policy(msgspec.Struct, frozen=True):
    """Who may become somebody here: `registration` is one of the above; `open_accounts`: whether
    accounts without a password may be made and used."""

    registration: str = OPEN
    open_accounts: bool = True


def check_registration(policy: Policy, invited: bool) -> None:
    """Whether an account may be made; `invited`: with an invite token, whatever it is worth. Raises
    `RegistrationClosed`, `InviteRequired`."""
    if policy.registration == CLOSED:
        raise RegistrationClosed()
    if policy.registration == INVITE_ONLY and not invited:
        raise InviteRequired()


def check_open_accounts(policy: Policy) -> None:
    """Whether there may be accounts without a password, and one may log in to them. Raises
    `OpenAccountsForbidden`."""
    if not policy.open_accounts:
        raise OpenAccountsForbidden()


def check_open(account: Account) -> None:
    """Being an account by its name alone is for open accounts. Raises `PasswordRequired`."""
    if account.password is not None:
        raise PasswordRequired()


def check_logged_in(session: S | None, otherwise: str = "") -> S:
    """Sending, fetching and deleting are for sessions. Raises `NotLoggedIn`, saying `otherwise`."""
    if session is None:
        raise NotLoggedIn(otherwise)
    return session


def check_sender(session: Session, sender: str) -> None:
    """Nobody speaks for another, however the name is spelled. Raises `NotTheSender`."""
    if sender != session.name and sender.lower() != session.name.lower():
        raise NotTheSender()


def check_text(text: str, limit: int) -> None:
    """A text has at most `limit` bytes of UTF-8. Raises `TextTooLong`."""
    size = len(text) if text.isascii() else len(text.encode())
    if size > limit:
        raise TextTooLong(f"text too long: {size} bytes, the limit is {limit}")


def check_author(session: AckSession, entry: Entry) -> None:
    """Only what one has said oneself can be changed, and only texts. Raises `NotTheAuthor`."""
    if not is_author(session, entry) or entry.kind != TEXT:
        raise NotTheAuthor()


def is_author(session: AckSession, entry: Entry) -> bool:
    """Whether this account said it, not a former one of the same name."""
    return entry.sender == session.name and entry.time >= session.created


def may_see(room: RoomFacts, name: str) -> bool:
    """A private room is there for those in it, and those invited."""
    return not room.record.private or room.record.role(name) != ""


def check_seen(room: RoomFacts, name: str) -> None:
    """Raises `UnknownRoom`, as if there were none."""
    if not may_see(room, name):
        raise UnknownRoom()


def check_join(room: RoomFacts, name: str) -> None:
    """Everyone may join a public room, who is invited a private one. Raises `UnknownRoom`."""
    check_seen(room, name)


def check_role(room: RoomFacts, name: str, role: str) -> None:
    """That takes at least this role. Raises `UnknownRoom`, `NotAMember`, `NotAllowed`."""
    check_seen(room, name)
    own = room.record.role(name)
    if RANKS[own] < RANKS[MEMBER]:
        raise NotAMember()
    if RANKS[own] < RANKS[role]:
        raise NotAllowed(f"that takes the {role} of {room.name}; you are a {own}")


def check_topic(room: RoomFacts, name: str) -> None:
    """A topic is for moderators and the owner; nobody owns the lobby. Raises as `check_role`."""
    check_role(room, name, MODERATOR)


def check_invite(room: RoomFacts, name: str) -> None:
    """In a public room every member may invite. Raises as `check_role`."""
    check_role(room, name, MODERATOR if room.record.private else MEMBER)


def check_kick(room: RoomFacts, name: str, other: str) -> None:
    """Those of lower rank can be put out. Raises as `check_role`, and `UnknownMember`."""
    check_role(room, name, MODERATOR)
    role = room.record.role(other)
    if not role:
        raise UnknownMember(f"{room.name} has no member {other}")
    if RANKS[role] >= RANKS[room.record.role(name)]:
        raise NotAllowed(f"{other} is a {role} of {room.name}, as much as you")


def check_owner(room: RoomFacts, name: str, member: str = "") -> None:
    """Roles, access and deletion are the owner's. Raises as `check_role`, and `UnknownMember`."""
    check_role(room, name, OWNER)
    if member and room.record.role(member) in ("", INVITED):
        raise UnknownMember(f"{room.name} has no member {member}")


def check_retract(session: AckSession, entry: Entry, room: RoomFacts | None) -> None:
    """One's own messages can be deleted, and by moderators all in their room. Raises
    `NotTheAuthor`."""
    if (
        room is None
        or entry.kind != TEXT
        or RANKS[room.record.role(session.name)] < RANKS[MODERATOR]
    ):
        check_author(session, entry)
