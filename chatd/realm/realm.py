"""The realm: accounts, sessions, mailboxes and rooms over one store, shared by all protocols.

This module wires the parts and has the send path; what is done with accounts is in its base class
(`chatd.realm.account_changes`). Nothing here knows bytes, sockets or threads; `async def` is for
what is rare, and the path of a message (`Realm.send`, `Delivery.committed`) is plain calls. Each
feature has a module of its own and uses the realm through `chatd.realm.context`.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from chatd.core.entries import TEXT
from chatd.core.errors import Refused, UnknownAccount
from chatd.core.limits import Limits
from chatd.core.names import is_room, mailbox_name, room_name
from chatd.realm.access_tokens import AccessTokens
from chatd.realm.account_changes import AccountChanges
from chatd.realm.accounts import Accounts
from chatd.realm.address_bans import AddressBans
from chatd.realm.announcements import Announcements
from chatd.realm.audit import Audit
from chatd.realm.blocking import Blocking
from chatd.realm.counters import Counters
from chatd.realm.delivery import Delivery, NullOrigin
from chatd.realm.documents import Documents
from chatd.realm.edits import Edits
from chatd.realm.history import History
from chatd.realm.last_hour import LastHour
from chatd.realm.permissions import (
    Policy,
    check_send_in_scope,
    check_send_to_room,
    check_sender,
    check_text,
)
from chatd.realm.positions import Positions
from chatd.realm.presence import Presence
from chatd.realm.receipts import Receipts
from chatd.realm.reports import Reports
from chatd.realm.requester import Client
from chatd.realm.resume_tokens import ResumeTokens
from chatd.realm.room import Room
from chatd.realm.rooms import Rooms
from chatd.realm.session import Session
from chatd.realm.sessions import Sessions
from chatd.realm.suspensions import Suspensions
from chatd.realm.tasks import Tasks
from chatd.stores import Append, Store

_ID_BITS = 20
"""the bits of an id below a time: when the daemon started, or an account or a room was created"""


class OutgoingMessage(Protocol):
    """A text to be sent: the sender that the client has given (None: none), the recipient (an
    account or a room), and the sender's own key to recognize a resend (None: none)."""

    @property
    def sender(self) -> str | None: ...
    @property
    def recipient(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def key(self) -> str | None: ...


class Realm(AccountChanges):
    """Everything that protocols share.

    `tasks` runs background work; `hash_password` gives the hash of a password in PHC string format
    for a client, and raises `PasswordTooLong`, `Busy`, `Disconnected`; `now` gives the time in
    milliseconds since 1970 (UTC) by the wall clock, which may jump, `seconds` that of a monotonic
    clock, `random_bytes` so many bytes that cannot be guessed.
    """

    def __init__(
        self,
        store: Store,
        tasks: Tasks,
        limits: Limits,
        hash_password: Callable[[str, Client], Awaitable[str]],
        now: Callable[[], int] = lambda: 0,
        seconds: Callable[[], float] = lambda: 0.0,
        policy: Policy | None = None,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self.store = store
        self.limits = limits
        self.now = now
        self.seconds = seconds
        self.policy = policy or Policy()
        self._hash_password = hash_password
        # The last id and time that were given; `start` reads those of the store.
        self._id = now() << _ID_BITS
        self._time = 0
        # A text of at most so many characters has no more bytes than are allowed.
        self._short = limits.text // 4
        self._null_origin = NullOrigin()
        self.flush: Callable[[], None] = store.flush
        """ends a burst of `send`, `deliver` and `append`: the store may commit it"""
        self.counters = Counters()
        self.documents = Documents(store)
        self.positions = Positions(store, tasks, seconds)
        self.accounts = Accounts(self, tasks)
        self.rooms = Rooms(self, tasks)
        self.history = History(self)
        self.edits = Edits(self)
        self.receipts = Receipts(self)
        self.reports = Reports(self)
        self.presence = Presence(self, tasks)
        self.blocking = Blocking(self)
        self.delivery = Delivery(store, limits, tasks, self.positions.committed)
        self.sessions = Sessions(self, self.delivery.live_logs)
        self.registrations = LastHour(seconds)
        self.resume_tokens = ResumeTokens(self, tasks, random_bytes)
        self.suspensions = Suspensions(self)
        self.address_bans = AddressBans(self)
        self.announcements = Announcements(self, tasks)
        self.audit = Audit(self)
        self.access_tokens = AccessTokens(self, tasks, random_bytes)

    async def start(self) -> None:
        """Continue the ids and times of the store, and create the lobby and the logs for operators.
        Raises `StoreUnavailable`."""
        id, time = self.store.newest
        # Ids of a later start are greater, also if the clock was set back.
        self._id = max(self._id, id)
        # An account or a room may have been created later than the latest entry.
        self._time = max(self._time, time, id >> _ID_BITS)
        await self.address_bans.start()
        await self.reports.start()
        await self.audit.start()
        await self.rooms.start()

    async def stop(self) -> None:
        """Save what has been acknowledged and read, and when access tokens were used; no session is
        left. Raises `StoreUnavailable`."""
        await self.positions.save()
        await self.access_tokens.save_uses()

    # Sending

    def send(
        self, session: Session, messages: Sequence[OutgoingMessage], permitted: bool = False
    ) -> tuple[list[Append], Refused | None]:
        """Append texts to the logs of their recipients; `session` is answered when they are
        durable. The caller calls `flush` at the end of its burst.

        Takes messages from the front until one is refused, or its recipient must be looked up or is
        a room that limits sending, and sending to it is not `permitted` yet. Returns the appends of
        the messages taken, and the refusal of the message after them: None if all were taken or
        `deliver` has to send it.
        """
        name = session.name
        short = self._short
        direct_logs = self.accounts.direct_logs
        account, id, time = session.account, self._id, self.entry_time()
        scope = session.scope
        appends: list[Append] = []
        refusal: Refused | None = None
        recipient = target = None
        try:
            for message in messages:
                text = message.text
                sender = message.sender
                if sender is not None and sender != name:
                    check_sender(session, sender)
                if len(text) > short:
                    check_text(text, self.limits.text)
                if message.recipient != recipient:
                    recipient = message.recipient
                    target = direct_logs.get(recipient.lower())
                    if target is None:
                        target = self._target(session, recipient, permitted)
                    if target is None:
                        break
                    log, log_name = target
                    if scope is not None:
                        check_send_in_scope(scope, log)
                id += 1
                appends.append(
                    Append(
                        log,
                        id,
                        time,
                        name,
                        text,
                        session,
                        TEXT,
                        message.key,
                        author=account,
                        log_name=log_name,
                    )
                )
        except Refused as refused:
            refusal = refused
        self._id = id
        self.store.append(appends)
        return appends, refusal

    async def deliver(self, session: Session, message: OutgoingMessage) -> Append:
        """Send one message, after looking its recipient up if needed. The caller calls `flush`.

        Raises `NotTheSender`, `TextTooLong`, `UnknownAccount`, `NotAMember`, `Blocked`, `ReadOnly`,
        `Silenced`, `SlowMode`, `OutOfScope`, `StoreUnavailable`.
        """
        appends, refusal = self.send(session, (message,))
        if not appends and refusal is None and is_room(message.recipient) and session.options.rooms:
            log = room_name(message.recipient)
            await self.rooms.check_speak(session, log)
            self.rooms.take_turn(session, log, message.key)
            appends, refusal = self.send(session, (message,), permitted=True)
        elif not appends and refusal is None:
            if await self.accounts.account(message.recipient) is None:
                raise UnknownAccount(f"There is no account called {message.recipient}.")
            appends, refusal = self.send(session, (message,))
        if refusal is not None:
            raise refusal
        if not appends:
            # The account was deleted between the two attempts.
            raise UnknownAccount(f"There is no account called {message.recipient}.")
        return appends[0]

    def _target(self, session: Session, recipient: str, permitted: bool) -> tuple[str, str] | None:
        """The log of a recipient, and the name by which clients know it; None if the recipient must
        be looked up, or is a room that limits sending and sending is not `permitted` yet."""
        if is_room(recipient) and session.options.rooms:
            room = check_send_to_room(session, room_name(recipient)).live_log
            if room.limits_sending and not permitted:
                return None
            return room.log, room.name
        log = self.accounts.cached_log(recipient, session.account)
        return None if log is None else (log, mailbox_name(recipient))

    def append(self, append: Append) -> None:
        """Append an entry to a log; its origin is answered. The caller calls `flush`."""
        self.store.append((append,))

    def new_note(self, log: str, sender: str, author: int, kind: str, body: str) -> Append:
        """See `chatd.realm.context.Context`."""
        return Append(
            log,
            self.new_id(),
            self.entry_time(),
            sender,
            body,
            self._null_origin,
            kind=kind,
            author=author,
        )

    def new_id(self) -> int:
        """See `chatd.realm.context.Context`."""
        self._id += 1
        return self._id

    def entry_time(self) -> int:
        """See `chatd.realm.context.Context`."""
        now = self.now()
        if now > self._time:
            self._time = now
        return self._time

    def creation_time(self) -> int:
        """See `chatd.realm.context.Context`."""
        self._time = max(self.now(), self._time + 1)
        self._id = max(self._id, self._time << _ID_BITS)
        return self._time

    def add_live_log(self, room: Room) -> None:
        """See `chatd.realm.context.Context`."""
        self.delivery.live_logs[room.log] = room

    def remove_live_log(self, log: str) -> None:
        """See `chatd.realm.context.Context`."""
        self.delivery.live_logs.pop(log, None)

    def when_answered(self, function: Callable[[], None]) -> None:
        """See `chatd.realm.context.Context`."""
        self.delivery.fan_out.then(function)
