"""Who is there: presence, those who watch it, typing notices, and who takes nothing from whom."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from chatd.core.errors import LimitReached, NotAMember
from chatd.core.limits import Limits
from chatd.realm.account import ACCOUNT, inbox
from chatd.realm.accounts import Directory
from chatd.realm.ack_session import FollowingSession
from chatd.realm.mailbox import READING, SETTINGS, Mailbox, Reading, Settings, all_of
from chatd.realm.session import Session
from chatd.stores import Document, Store

ON, AWAY, OFF, UNKNOWN = "on", "away", "off", "unknown"


class Person(msgspec.Struct, frozen=True):
    """How somebody is: `text` is what they said about being away, `seen` when they were last seen
    (milliseconds since 1970, UTC; 0: not known)."""

    name: str
    status: str
    text: str = ""
    seen: int = 0


class House(Protocol):
    """What people need of the realm."""

    store: Store
    limits: Limits
    directory: Directory

    def mailbox(self, name: str) -> Mailbox | None:
        """That of an account somebody is logged in as, perhaps."""

    def following(self, name: str) -> list[FollowingSession]:
        """The sessions of an account that follow logs."""


class People:
    """Everyone's presence, as others may see it."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._store = house.store
        self._away: dict[str, str] = {}
        self._watchers: dict[str, dict[FollowingSession, None]] = {}
        self._watched: dict[FollowingSession, dict[str, str]] = {}

    # Presence

    def came(self, session: Session) -> None:
        """The first session of an account has begun."""
        if not session.mailbox.settings.hidden:
            self._changed(session.name)

    def went(self, session: Session) -> None:
        """The last session of an account has ended, at `Reading.seen`."""
        self._away.pop(session.name.lower(), None)
        if not session.mailbox.settings.hidden:
            self._changed(session.name)

    def forget(self, session: FollowingSession) -> None:
        """It watches nobody any more."""
        self.unwatch(session, list(self._watched.get(session, ())))
        self._watched.pop(session, None)

    async def set_presence(self, session: Session, away: bool, text: str, hidden: bool) -> None:
        """Be away or back, and hidden or not. Raises `StoreUnavailable`."""
        key = session.name.lower()
        mailbox = session.mailbox
        if away:
            self._away[key] = text
        else:
            self._away.pop(key, None)
        was_hidden = mailbox.settings.hidden
        if was_hidden != hidden:
            mailbox.settings = msgspec.structs.replace(mailbox.settings, hidden=hidden)
            await mailbox.kept()
        # Nobody hears anything of somebody who hides, not even that nothing has changed.
        if not (was_hidden and hidden):
            self._changed(session.name)

    def _changed(self, name: str) -> None:
        key = name.lower()
        watchers = self._watchers.get(key)
        if watchers:
            mailbox = self._house.mailbox(name)
            reading = mailbox.reading if mailbox is not None else Reading()
            settings = mailbox.settings if mailbox is not None else Settings()
            person = self._person(name, reading, settings)
            for session in list(watchers):
                session.peer.presence(person.name, person.status, person.text, person.seen)

    def _person(self, name: str, reading: Reading, settings: Settings) -> Person:
        if settings.hidden:
            return Person(name, OFF)
        mailbox = self._house.mailbox(name)
        if mailbox is None or not mailbox.readers:
            return Person(name, OFF, "", reading.seen)
        text = self._away.get(name.lower())
        return Person(name, ON) if text is None else Person(name, AWAY, text)

    async def who(self, session: FollowingSession, names: Sequence[str], watch: bool) -> list[Person]:
        """How they are, in this order; and, if they are to be watched, every change from now on.

        Raises `LimitReached`, `StoreUnavailable`.
        """
        if watch:
            self._watch(session, names)
        questions = [
            answer
            for name in names
            for answer in (
                self._store.get(ACCOUNT, name),
                self._store.get(READING, inbox(name)),
                self._store.get(SETTINGS, inbox(name)),
            )
        ]
        answers: list[Document | None] = await all_of(*questions)
        people = []
        for name, account, reading, settings in zip(
            names, answers[::3], answers[1::3], answers[2::3], strict=True
        ):
            if account is None:
                people.append(Person(name, UNKNOWN))
                continue
            mailbox = self._house.mailbox(name)
            people.append(
                self._person(account.key, mailbox.reading, mailbox.settings)
                if mailbox is not None and mailbox.readers
                else self._person(
                    account.key,
                    msgspec.msgpack.decode(reading.body, type=Reading) if reading else Reading(),
                    msgspec.msgpack.decode(settings.body, type=Settings) if settings else Settings(),
                )
            )
        return people

    def _watch(self, session: FollowingSession, names: Iterable[str]) -> None:
        watched = self._watched.setdefault(session, {})
        new = {name.lower() for name in names} - set(watched)
        if len(watched) + len(new) > self._house.limits.watched:
            raise LimitReached(f"a session can watch {self._house.limits.watched} accounts at most")
        for key in new:
            watched[key] = key
            self._watchers.setdefault(key, {})[session] = None

    def unwatch(self, session: FollowingSession, names: Iterable[str]) -> None:
        """No longer be told about them."""
        watched = self._watched.get(session, {})
        for name in names:
            key = name.lower()
            watchers = self._watchers.get(key, {})
            watched.pop(key, None)
            watchers.pop(session, None)
            if not watchers:
                self._watchers.pop(key, None)

    # Typing

    async def typing(self, session: FollowingSession, recipient: str, typing: bool) -> None:
        """Tell an account, or the others in a room. Raises `UnknownAccount`, `NotAMember`."""
        if recipient.startswith("#"):
            reader = session.readers.get(recipient.lower())
            if reader is None:
                raise NotAMember()
            log = reader.feed.log
            told = [
                other
                for reading in reader.feed.readers
                if isinstance(other := reading.session, FollowingSession) and other.name != session.name
            ]
        else:
            recipient = await self._house.directory.display_name(recipient)
            log = inbox(recipient)
            told = (
                self._house.following(recipient)
                if self._house.directory.takes_from(log, session.name)
                else []
            )
        for other in told:
            if other.wants_typing:
                other.peer.typing(log, session.name, typing)

    # Blocking

    async def block(self, session: Session, name: str, blocked: bool) -> None:
        """Take nothing from an account any more, or again. Raises `UnknownAccount`, `LimitReached`,
        `StoreUnavailable`."""
        mailbox = session.mailbox
        key = name.lower()
        others = tuple(other for other in mailbox.settings.blocked if other != key)
        if blocked:
            await self._house.directory.display_name(name)
            if len(others) >= self._house.limits.blocked:
                raise LimitReached(f"an account can block {self._house.limits.blocked} others at most")
            others = (*others, key)
        mailbox.settings = msgspec.structs.replace(mailbox.settings, blocked=others)
        self._house.directory.block(mailbox.log, others)
        await mailbox.kept()
