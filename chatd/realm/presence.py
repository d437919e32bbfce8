"""Who is there: presence, those who watch it, typing notices, and who takes nothing from whom."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from chatd.core.errors import LimitReached, NotAMember
from chatd.core.limits import Limits
from chatd.core.names import mailbox_log
from chatd.realm.accounts import ACCOUNT, Accounts
from chatd.realm.ack_session import AckSession
from chatd.realm.mailbox import READING, SETTINGS, Mailbox, ReadState, Settings
from chatd.realm.session import Session
from chatd.realm.tasks import gather
from chatd.stores import Document, Store

ON, AWAY, OFF, UNKNOWN = "on", "away", "off", "unknown"


class Person(msgspec.Struct, frozen=True):
    """How somebody is: `text` is what they said about being away, `seen` when they were last seen
    (milliseconds since 1970, UTC; 0: not known)."""

    name: str
    status: str
    text: str = ""
    seen: int = 0


class Context(Protocol):
    """What people need of the realm."""

    store: Store
    limits: Limits
    accounts: Accounts

    def mailbox(self, name: str) -> Mailbox | None:
        """That of an account somebody is logged in as, perhaps."""

    def following(self, name: str) -> list[AckSession]:
        """The sessions of an account that follow logs."""


class People:
    """Everyone's presence, as others may see it."""

    def __init__(self, house: Context) -> None:
        self._context = house
        self._store = house.store
        self._away: dict[str, str] = {}
        self._watchers: dict[str, dict[AckSession, None]] = {}
        self._watched: dict[AckSession, dict[str, str]] = {}

    # Presence

    def came(self, session: Session) -> None:
        """The first session of an account has begun."""
        if not session.mailbox.settings.hidden:
            self._changed(session.name)

    def went(self, session: Session) -> None:
        """The last session of an account has ended, at `ReadState.seen`."""
        self._away.pop(session.name.lower(), None)
        if not session.mailbox.settings.hidden:
            self._changed(session.name)

    def forget(self, session: AckSession) -> None:
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
            mailbox = self._context.mailbox(name)
            read_state = mailbox.read_state if mailbox is not None else ReadState()
            settings = mailbox.settings if mailbox is not None else Settings()
            person = self._person(name, read_state, settings)
            for session in list(watchers):
                session.peer.presence(person.name, person.status, person.text, person.seen)

    def _person(self, name: str, read_state: ReadState, settings: Settings) -> Person:
        if settings.hidden:
            return Person(name, OFF)
        mailbox = self._context.mailbox(name)
        if mailbox is None or not mailbox.subscriptions:
            return Person(name, OFF, "", read_state.seen)
        text = self._away.get(name.lower())
        return Person(name, ON) if text is None else Person(name, AWAY, text)

    async def who(self, session: AckSession, names: Sequence[str], watch: bool) -> list[Person]:
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
                self._store.get(READING, mailbox_log(name)),
                self._store.get(SETTINGS, mailbox_log(name)),
            )
        ]
        answers: list[Document | None] = await gather(*questions)
        people = []
        for name, account, read_state, settings in zip(
            names, answers[::3], answers[1::3], answers[2::3], strict=True
        ):
            if account is None:
                people.append(Person(name, UNKNOWN))
                continue
            mailbox = self._context.mailbox(name)
            people.append(
                self._person(account.key, mailbox.read_state, mailbox.settings)
                if mailbox is not None and mailbox.subscriptions
                else self._person(
                    account.key,
                    msgspec.msgpack.decode(read_state.body, type=ReadState)
                    if read_state
                    else ReadState(),
                    msgspec.msgpack.decode(settings.body, type=Settings)
                    if settings
                    else Settings(),
                )
            )
        return people

    def _watch(self, session: AckSession, names: Iterable[str]) -> None:
        watched = self._watched.setdefault(session, {})
        new = {name.lower() for name in names} - set(watched)
        if len(watched) + len(new) > self._context.limits.watched:
            raise LimitReached(
                f"a session can watch {self._context.limits.watched} accounts at most"
            )
        for key in new:
            watched[key] = key
            self._watchers.setdefault(key, {})[session] = None

    def unwatch(self, session: AckSession, names: Iterable[str]) -> None:
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

    async def typing(self, session: AckSession, recipient: str, typing: bool) -> None:
        """Tell an account, or the others in a room. Raises `UnknownAccount`, `NotAMember`."""
        if recipient.startswith("#"):
            subscription = session.subscriptions.get(recipient.lower())
            if subscription is None:
                raise NotAMember()
            log = subscription.live_log.log
            told = [
                other
                for read_state in subscription.live_log.subscriptions
                if isinstance(other := read_state.session, AckSession)
                and other.name != session.name
            ]
        else:
            recipient = await self._context.accounts.display_name(recipient)
            log = mailbox_log(recipient)
            told = (
                self._context.following(recipient)
                if self._context.accounts.takes_from(log, session.name)
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
            await self._context.accounts.display_name(name)
            if len(others) >= self._context.limits.blocked:
                raise LimitReached(
                    f"an account can block {self._context.limits.blocked} others at most"
                )
            others = (*others, key)
        mailbox.settings = msgspec.structs.replace(mailbox.settings, blocked=others)
        self._context.accounts.block(mailbox.log, others)
        await mailbox.kept()
