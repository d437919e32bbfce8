"""Presence: which accounts are online, away or offline, the sessions that watch it, and typing
notices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from chatd.core.errors import Blocked
from chatd.core.names import is_room, mailbox_log, mailbox_name, room_name
from chatd.realm.accounts import Account
from chatd.realm.blocking import change_settings
from chatd.realm.context import Context
from chatd.realm.documents import Stored
from chatd.realm.mailbox import Mailbox
from chatd.realm.permissions import check_send_to_room, check_watched_count
from chatd.realm.read_state import NO_SETTINGS, Settings
from chatd.realm.requester import check_connected
from chatd.realm.session import SESSIONS_PER_COMMAND, Session
from chatd.realm.tasks import Tasks, gather
from chatd.stores import Position

_AT_ONCE = 500
"""sessions that are notified before other work goes on"""

ON, AWAY, OFF, UNKNOWN = "on", "away", "off", "unknown"


class PresenceState(msgspec.Struct, frozen=True):
    """The presence of one account.

    `text` is the away message; `seen` is when its last session ended (milliseconds since 1970,
    UTC; 0 if it is online or the time is not known).
    """

    name: str
    status: str
    text: str = ""
    seen: int = 0


class Presence:
    """The presence of every account, as other accounts may see it."""

    def __init__(self, context: Context, tasks: Tasks) -> None:
        self._context = context
        self._tasks = tasks
        # Away messages, and the sessions that watch an account, by its id.
        self._away: dict[int, str] = {}
        self._watchers: dict[int, dict[Session, None]] = {}
        # The ids of the accounts that a session watches, by the name in lower case.
        self._watched: dict[Session, dict[str, int]] = {}

    # Online, away, offline

    def account_connected(self, session: Session) -> None:
        """Notify watchers: the first session of an account has begun."""
        if not session.mailbox.settings.hidden:
            self._notify_watchers(session)

    def account_disconnected(self, session: Session) -> None:
        """Notify watchers: the last session of an account has ended, at `ReadState.seen`."""
        mailbox = session.mailbox
        self._away.pop(mailbox.account, None)
        if not mailbox.settings.hidden and not mailbox.deleted:
            self._notify_watchers(session)

    def account_deleted(self, account: int, name: str) -> None:
        """Notify watchers for the last time: the account has been deleted."""
        sessions = list(self._watchers.pop(account, ()))
        self._notify_deleted(sessions[:_AT_ONCE], account, name)
        if len(sessions) > _AT_ONCE:
            self._tasks.spawn(self._notify_rest_deleted(sessions[_AT_ONCE:], account, name))

    async def _notify_rest_deleted(
        self, sessions: Sequence[Session], account: int, name: str
    ) -> None:
        """Notify watchers of a deletion while other work goes on."""
        for start in range(0, len(sessions), _AT_ONCE):
            await self._tasks.sleep(0)
            self._notify_deleted(sessions[start : start + _AT_ONCE], account, name)

    def _notify_deleted(self, sessions: Sequence[Session], account: int, name: str) -> None:
        key = name.lower()
        for session in sessions:
            # Meanwhile it may have ended, or watch the next account of the name.
            watched = self._watched.get(session, {})
            if watched.get(key) == account:
                del watched[key]
                if not watched:
                    del self._watched[session]
                session.peer.presence(name, UNKNOWN, "", 0)

    async def set_presence(self, session: Session, away: bool, text: str, hidden: bool) -> None:
        """Set whether an account is away, with its away message, and whether it is hidden.

        A hidden account appears as offline. Raises `NotLoggedIn` if the account has been deleted,
        `StoreUnavailable`.
        """
        mailbox = session.mailbox
        was_hidden = mailbox.settings.hidden
        if was_hidden != hidden:

            def changed(current: Settings | None) -> Settings:
                return msgspec.structs.replace(current or NO_SETTINGS, hidden=hidden)

            await change_settings(self._context, mailbox, changed)
        # Away ends with the last session, which may have ended meanwhile.
        if away and mailbox.subscriptions:
            self._away[mailbox.account] = text
        else:
            self._away.pop(mailbox.account, None)
        # Watchers are not notified about a hidden account, not even that nothing has changed.
        if not (was_hidden and hidden):
            self._notify_watchers(session)

    def _notify_watchers(self, changed: Session) -> None:
        watchers = self._watchers.get(changed.account)
        if watchers:
            changed.charge(len(watchers) // SESSIONS_PER_COMMAND)
            sessions = list(watchers)
            self._notify(sessions[:_AT_ONCE], changed.mailbox)
            if len(sessions) > _AT_ONCE:
                self._tasks.spawn(self._notify_rest(sessions[_AT_ONCE:], changed.mailbox))

    async def _notify_rest(self, sessions: Sequence[Session], mailbox: Mailbox) -> None:
        """Notify watchers while other work goes on, each of how things stand then."""
        for start in range(0, len(sessions), _AT_ONCE):
            await self._tasks.sleep(0)
            # The account may have been deleted, or its mailbox released and loaded again.
            if mailbox.deleted:
                return
            current = self._context.sessions.mailbox(mailbox.account)
            if current is not None and current.loaded:
                mailbox = current
            watchers = self._watchers.get(mailbox.account, {})
            part = sessions[start : start + _AT_ONCE]
            self._notify([session for session in part if session in watchers], mailbox)

    def _notify(self, sessions: Iterable[Session], mailbox: Mailbox) -> None:
        state = self._state_online(mailbox)
        for session in sessions:
            session.peer.presence(state.name, state.status, state.text, state.seen)

    def _state_online(self, mailbox: Mailbox) -> PresenceState:
        """The presence of an account whose mailbox this daemon holds."""
        name = mailbox.owner
        if mailbox.settings.hidden:
            return PresenceState(name, OFF)
        if not mailbox.subscriptions:
            return PresenceState(name, OFF, "", mailbox.state.seen)
        text = self._away.get(mailbox.account)
        return PresenceState(name, ON) if text is None else PresenceState(name, AWAY, text)

    async def find(
        self, session: Session, names: Sequence[str], watch: bool
    ) -> list[PresenceState]:
        """Return the presence of accounts, in the order of `names`.

        With `watch`, the session is notified of every later change of those that exist. Raises
        `LimitReached`, `StoreUnavailable`, `Disconnected`.
        """
        documents = self._context.documents
        accounts = await gather(*(documents.get(Account, name) for name in names))
        check_connected(session)
        ids = {stored.key.lower(): stored.record.id for stored in accounts if stored is not None}
        if watch and not session.ended:
            self._watch(session, ids)
        stored_states = await gather(
            *(
                answer
                for id in ids.values()
                for answer in (
                    documents.get(Settings, mailbox_log(id)),
                    self._context.store.positions(id, mailbox_log(id)),
                )
            )
        )
        offline = {
            id: _state_offline(settings, positions)
            for id, settings, positions in zip(
                ids.values(), stored_states[::2], stored_states[1::2], strict=True
            )
        }
        states = []
        for name, account in zip(names, accounts, strict=True):
            if account is None:
                states.append(PresenceState(name, UNKNOWN))
                continue
            mailbox = self._context.sessions.mailbox(account.record.id)
            if mailbox is not None and mailbox.loaded:
                states.append(self._state_online(mailbox))
            else:
                state = offline[account.record.id]
                states.append(msgspec.structs.replace(state, name=account.key))
        return states

    # Watching

    def _watch(self, session: Session, ids: Mapping[str, int]) -> None:
        watched = self._watched.setdefault(session, {})
        check_watched_count(len(watched.keys() | ids.keys()), self._context.limits)
        for name, id in ids.items():
            watched[name] = id
            self._watchers.setdefault(id, {})[session] = None

    def unwatch(self, session: Session, names: Iterable[str]) -> None:
        """Stop notifying a session of changes of these accounts."""
        watched = self._watched.get(session, {})
        for name in names:
            id = watched.pop(name.lower(), None)
            if id is not None:
                watchers = self._watchers.get(id, {})
                watchers.pop(session, None)
                if not watchers:
                    self._watchers.pop(id, None)
        if not watched:
            self._watched.pop(session, None)

    def unwatch_all(self, session: Session) -> None:
        """Stop notifying a session, which has ended."""
        self.unwatch(session, list(self._watched.get(session, ())))

    # Typing

    async def notify_typing(self, session: Session, recipient: str, typing: bool) -> None:
        """Notify an account, or the other members of a room, that the sender types or has stopped.

        Raises `UnknownAccount`, `NotAMember`, `ReadOnly`.
        """
        if is_room(recipient):
            name = room_name(recipient)
            await self._context.rooms.check_speak(session, name)
            subscriptions = check_send_to_room(session, name).live_log.subscriptions
            readers = [
                subscription.session
                for subscription in subscriptions
                if subscription.session.account != session.account
            ]
        else:
            name = mailbox_name(recipient)
            _, account = await self._context.accounts.existing(recipient)
            try:
                self._context.accounts.cached_log(recipient, session.account)
            except Blocked:
                return
            readers = self._context.sessions.of(account.id)
        session.charge(len(readers) // SESSIONS_PER_COMMAND)
        readers = [reader for reader in readers if reader.wants_typing]
        for start in range(0, len(readers), _AT_ONCE):
            if start:
                await self._tasks.sleep(0)
            for reader in readers[start : start + _AT_ONCE]:
                if not reader.ended:
                    reader.peer.typing(name, session.name, typing)


def _state_offline(
    settings: Stored[Settings] | None, positions: Sequence[Position]
) -> PresenceState:
    """The presence of an account without a session, by what is stored of it and its mailbox."""
    if settings is not None and settings.record.hidden:
        return PresenceState("", OFF)
    seen = max((position.seen for position in positions), default=0)
    return PresenceState("", OFF, "", seen)
