"""Presence: which accounts are online, away or offline, the sessions that watch it, and typing
notices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from chatd.core.names import is_room, mailbox_log, room_log
from chatd.realm.accounts import Account
from chatd.realm.ack_session import AckSession
from chatd.realm.context import Context
from chatd.realm.permissions import check_send_to_room, check_watched_count
from chatd.realm.read_state import ReadState, Settings
from chatd.realm.session import SESSIONS_PER_COMMAND, Session
from chatd.realm.tasks import Tasks, gather

_AT_ONCE = 1_000
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
        # Away messages, and the sessions that watch an account, by its name in lower case.
        self._away: dict[str, str] = {}
        self._watchers: dict[str, dict[AckSession, None]] = {}
        # The names, in lower case, that a session watches.
        self._watched: dict[AckSession, dict[str, None]] = {}

    # Online, away, offline

    def account_connected(self, session: Session) -> None:
        """Notify watchers: the first session of an account has begun."""
        if not session.mailbox.settings.hidden:
            self._notify_watchers(session)

    def account_disconnected(self, session: Session) -> None:
        """Notify watchers: the last session of an account has ended, at `ReadState.seen`."""
        self._away.pop(session.name.lower(), None)
        if not session.mailbox.settings.hidden:
            self._notify_watchers(session)

    async def set_presence(self, session: Session, away: bool, text: str, hidden: bool) -> None:
        """Set whether an account is away, with its away message, and whether it is hidden.

        A hidden account appears as offline. Raises `StoreUnavailable`.
        """
        key = session.name.lower()
        mailbox = session.mailbox
        if away:
            self._away[key] = text
        else:
            self._away.pop(key, None)
        was_hidden = mailbox.settings.hidden
        if was_hidden != hidden:
            mailbox.settings = msgspec.structs.replace(mailbox.settings, hidden=hidden)
            await mailbox.saved_state.saved()
        # Watchers are not notified about a hidden account, not even that nothing has changed.
        if not (was_hidden and hidden):
            self._notify_watchers(session)

    def _notify_watchers(self, changed: Session) -> None:
        name = changed.name
        watchers = self._watchers.get(name.lower())
        if watchers:
            changed.charge(len(watchers) // SESSIONS_PER_COMMAND)
            mailbox = self._context.sessions.mailbox(name)
            read_state = mailbox.read_state if mailbox is not None else ReadState()
            settings = mailbox.settings if mailbox is not None else Settings()
            state = self._state(name, read_state, settings)
            for session in list(watchers):
                session.peer.presence(state.name, state.status, state.text, state.seen)

    def _state(self, name: str, read_state: ReadState, settings: Settings) -> PresenceState:
        if settings.hidden:
            return PresenceState(name, OFF)
        mailbox = self._context.sessions.mailbox(name)
        if mailbox is None or not mailbox.subscriptions:
            return PresenceState(name, OFF, "", read_state.seen)
        text = self._away.get(name.lower())
        return PresenceState(name, ON) if text is None else PresenceState(name, AWAY, text)

    async def find(
        self, session: AckSession, names: Sequence[str], watch: bool
    ) -> list[PresenceState]:
        """Return the presence of accounts, in the order of `names`.

        With `watch`, the session is notified of every later change. Raises `LimitReached`,
        `StoreUnavailable`.
        """
        if watch:
            self._watch(session, names)
        documents = self._context.documents
        stored = await gather(
            *(
                answer
                for name in names
                for answer in (
                    documents.get(Account, name),
                    documents.get(ReadState, mailbox_log(name)),
                    documents.get(Settings, mailbox_log(name)),
                )
            )
        )
        states = []
        for name, account, read_state, settings in zip(
            names, stored[::3], stored[1::3], stored[2::3], strict=True
        ):
            if account is None:
                states.append(PresenceState(name, UNKNOWN))
                continue
            mailbox = self._context.sessions.mailbox(name)
            if mailbox is not None and mailbox.subscriptions:
                state = self._state(account.key, mailbox.read_state, mailbox.settings)
            else:
                state = self._state(
                    account.key,
                    ReadState() if read_state is None else read_state.record,
                    Settings() if settings is None else settings.record,
                )
            states.append(state)
        return states

    # Watching

    def _watch(self, session: AckSession, names: Iterable[str]) -> None:
        watched = self._watched.setdefault(session, {})
        new = {name.lower() for name in names} - set(watched)
        check_watched_count(len(watched) + len(new), self._context.limits)
        for key in new:
            watched[key] = None
            self._watchers.setdefault(key, {})[session] = None

    def unwatch(self, session: AckSession, names: Iterable[str]) -> None:
        """Stop notifying a session of changes of these accounts."""
        watched = self._watched.get(session, {})
        for name in names:
            key = name.lower()
            watchers = self._watchers.get(key, {})
            watched.pop(key, None)
            watchers.pop(session, None)
            if not watchers:
                self._watchers.pop(key, None)

    def unwatch_all(self, session: AckSession) -> None:
        """Stop notifying a session, which has ended."""
        self.unwatch(session, list(self._watched.get(session, ())))
        self._watched.pop(session, None)

    # Typing

    async def notify_typing(self, session: AckSession, recipient: str, typing: bool) -> None:
        """Notify an account, or the other members of a room, that the sender types or has stopped.

        Raises `UnknownAccount`, `NotAMember`.
        """
        if is_room(recipient):
            log = room_log(recipient)
            subscriptions = check_send_to_room(session, log).live_log.subscriptions
            sessions = [subscription.session for subscription in subscriptions]
        else:
            recipient = await self._context.accounts.display_name(recipient)
            log = mailbox_log(recipient)
            sessions = (
                self._context.sessions.ack_sessions(recipient)
                if not self._context.accounts.blocks(recipient, session.name)
                else []
            )
        session.charge(len(sessions) // SESSIONS_PER_COMMAND)
        own_name = session.name if is_room(recipient) else None
        recipients = [other for other in sessions if other.wants_typing and other.name != own_name]
        for start in range(0, len(recipients), _AT_ONCE):
            if start:
                await self._tasks.sleep(0)
            for other in recipients[start : start + _AT_ONCE]:
                if not other.ended:
                    other.peer.typing(log, session.name, typing)
