"""The realm: accounts, sessions, mailboxes and rooms over one store, shared by all protocols.

This module wires the parts and has the send path. Nothing here knows bytes, sockets or threads;
`async def` is for what is rare, and the path of a message (`Realm.send`, `Delivery.committed`) is
plain calls. Each feature has a module of its own and uses the realm through `chatd.realm.context`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from typing import Protocol

from chatd.core.entries import TEXT
from chatd.core.errors import NameTaken, NotAMember, Refused, UnknownAccount, UnknownRoom
from chatd.core.limits import Limits
from chatd.core.names import check_name, is_room, mailbox_owner, room_log
from chatd.realm.accounts import Account, Accounts
from chatd.realm.ack_session import AckSession
from chatd.realm.blocking import Blocking
from chatd.realm.claims import Claim
from chatd.realm.delivery import Delivery, NullOrigin
from chatd.realm.documents import Documents
from chatd.realm.edits import Edits
from chatd.realm.history import History
from chatd.realm.mailbox import Mailbox
from chatd.realm.permissions import (
    INVITE_ONLY,
    Policy,
    check_open_accounts,
    check_registration,
    check_send_to_room,
    check_sender,
    check_text,
)
from chatd.realm.presence import Presence
from chatd.realm.receipts import Receipts
from chatd.realm.registration import redeem, restore
from chatd.realm.reports import Reports
from chatd.realm.room import Room
from chatd.realm.rooms import Rooms
from chatd.realm.session import Session
from chatd.realm.sessions import Sessions
from chatd.realm.tasks import Tasks, gather
from chatd.stores import Append, Store


class OutgoingMessage(Protocol):
    """A text to be sent: the sender that the client has given (None: none), the recipient (an
    account or a room), and the sender's own key to recognise a resend (None: none)."""

    @property
    def sender(self) -> str | None: ...
    @property
    def recipient(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def key(self) -> str | None: ...


class Realm:
    """Everything that protocols share.

    `tasks` runs background work; `hash_password` gives the hash of a password in PHC string format
    and raises `PasswordTooLong`, `Busy`; `boot` identifies this run of the machine; `now` gives the
    time in milliseconds since 1970 (UTC).
    """

    def __init__(
        self,
        store: Store,
        tasks: Tasks,
        limits: Limits,
        hash_password: Callable[[str], Awaitable[str]],
        boot: str = "",
        now: Callable[[], int] = lambda: 0,
        policy: Policy | None = None,
    ) -> None:
        self.store = store
        self.limits = limits
        self.now = now
        self.policy = policy or Policy()
        self._hash_password = hash_password
        self._boot = boot
        # Ids of a later start are greater, unless more than a million a millisecond are used.
        self._ids = count(now() << 20)
        # A text of at most so many characters has no more bytes than are allowed.
        self._short = limits.text // 4
        self._null_origin = NullOrigin()
        self.flush: Callable[[], None] = store.flush
        """ends a burst of `send`, `deliver`, `append` and `note`: the store may commit it"""
        self.documents = Documents(store)
        self.accounts = Accounts(self, tasks)
        self.rooms = Rooms(self)
        self.history = History(self)
        self.edits = Edits(self)
        self.receipts = Receipts(self)
        self.reports = Reports(self)
        self.presence = Presence(self, tasks)
        self.blocking = Blocking(self)
        self.delivery = Delivery(store, limits, self.receipts.notify_delivered)
        self.sessions = Sessions(self, tasks, boot, self.delivery.live_logs)

    async def start(self) -> None:
        """Resolve the claims of a daemon that was killed, and create the lobby. Raises
        `StoreUnavailable`."""
        for log in await self.documents.list(Claim):
            mailbox = self.sessions.hold(mailbox_owner(log))
            await mailbox.load()
            mailbox.resolve_claim(self._boot)
        await self.rooms.start()

    # Sending

    def send(
        self, session: Session, messages: Sequence[OutgoingMessage]
    ) -> tuple[list[Append], Refused | None]:
        """Append texts to the logs of their recipients; `session` is answered when they are
        durable. The caller calls `flush` at the end of its burst.

        Takes messages from the front until one is refused, or its recipient must be looked up.
        Returns the appends of the messages taken, and the refusal of the message after them: None
        if all were taken or `deliver` has to send it.
        """
        name = session.name
        short = self._short
        direct_logs = self.accounts.direct_logs
        ids = self._ids
        time = self.now()
        appends: list[Append] = []
        refusal: Refused | None = None
        recipient = log = None
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
                    log = direct_logs.get(recipient.lower())
                    if log is None:
                        log = self._address(session, recipient)
                if log is None:
                    break
                appends.append(Append(log, next(ids), time, name, text, session, TEXT, message.key))
        except Refused as refused:
            refusal = refused
        self.store.append(appends)
        return appends, refusal

    async def deliver(self, session: Session, message: OutgoingMessage) -> Append:
        """Send one message, after looking its recipient up if needed. The caller calls `flush`.

        Raises `NotTheSender`, `TextTooLong`, `UnknownAccount`, `NotAMember`, `Blocked`,
        `StoreUnavailable`.
        """
        appends, refusal = self.send(session, (message,))
        if not appends and refusal is None:
            if await self.accounts.account(message.recipient) is None:
                raise UnknownAccount(f"There is no account called {message.recipient}.")
            appends, refusal = self.send(session, (message,))
        if refusal is not None:
            raise refusal
        if not appends:
            # The account was deleted, or evicted from the cache, between the two attempts.
            raise UnknownAccount(f"There is no account called {message.recipient}.")
        return appends[0]

    def _address(self, session: Session, recipient: str) -> str | None:
        """The log of a recipient, None if the recipient must be looked up."""
        if is_room(recipient) and isinstance(session, AckSession):
            log = room_log(recipient)
            check_send_to_room(session, log)
            return log
        return self.accounts.cached_log(recipient, session.name)

    def append(self, append: Append) -> None:
        """Append an entry to a log; its origin is answered. The caller calls `flush`."""
        self.store.append((append,))

    def note(self, log: str, sender: str, kind: str, body: str) -> None:
        """Append an entry whose sender is not answered. The caller calls `flush`."""
        self.append(
            Append(log, next(self._ids), self.now(), sender, body, self._null_origin, kind=kind)
        )

    def new_id(self) -> int:
        """An id for an entry."""
        return next(self._ids)

    def add_live_log(self, room: Room) -> None:
        """See `chatd.realm.context.Context`."""
        self.delivery.live_logs[room.log] = room

    def remove_live_log(self, log: str) -> None:
        """See `chatd.realm.context.Context`."""
        self.delivery.live_logs.pop(log, None)

    # Accounts

    async def register(
        self, name: str, password: str | None = None, invite: str | None = None
    ) -> Account:
        """Create an account, open without a `password`; where registration takes an `invite`
        token, one use of it is redeemed.

        Raises, in this order: `NameTaken`, `IllegalName`, `RegistrationClosed` or
        `InviteRequired`, `OpenAccountsForbidden`, `PasswordTooLong`, `Busy`, `InviteInvalid`.
        """
        # Hashing is expensive, so everything else is checked before it.
        if await self.accounts.account(name) is not None:
            raise NameTaken()
        check_name(name)
        check_registration(self.policy, invite is not None)
        if password is None:
            check_open_accounts(self.policy)
        hashed = None if password is None else await self._hash_password(password)
        account = Account(self.now(), hashed)
        if self.policy.registration != INVITE_ONLY or invite is None:
            await self.accounts.register(name, account)
            return account
        await redeem(self.documents, invite, self.now())
        try:
            await self.accounts.register(name, account)
        except NameTaken:
            await restore(self.documents, invite)
            raise
        return account

    async def set_password(
        self,
        name: str,
        password: str | None,
        account: Account | None = None,
        requester: Session | None = None,
    ) -> None:
        """Change the password of an account (None: it becomes open), and end its sessions except
        that of the requester.

        `account` is the record that the right to do this was proven against. Raises
        `UnknownAccount` if the account has another record now, `PasswordTooLong`, `Busy`.
        """
        if account is None:
            named_account = await self.accounts.account(name)
            if named_account is None:
                raise UnknownAccount()
            name, account = named_account
        hashed = None if password is None else await self._hash_password(password)
        await self.accounts.set_password(name, account, hashed)
        await self.sessions.end(
            name, "password-changed", "The password has been changed: log in again.", requester
        )

    async def delete(self, session: Session) -> None:
        """Delete the account of a session with its mailbox, and end all its sessions."""
        if not session.ended:
            await self._delete(session.mailbox, session.name, session)

    async def delete_account(self, name: str) -> None:
        """Delete an account with its mailbox, by its name. Raises `UnknownAccount`."""
        name = await self.accounts.display_name(name)
        mailbox = self.sessions.hold(name)
        with self.sessions.reserved(mailbox):
            await mailbox.load()
            await self._delete(mailbox, name, None)

    async def _delete(self, mailbox: Mailbox, name: str, requester: Session | None) -> None:
        account = await self.documents.get(Account, name)
        if account is None or self.accounts.being_deleted(name):
            return
        self.accounts.begin_deletion(name)
        try:
            for log in list(mailbox.read_state.positions):
                try:
                    await self.rooms.leave(name, log)
                except (NotAMember, UnknownRoom):
                    mailbox.read_state.positions.pop(log, None)
            mailbox.deleted = True
            try:
                # Both are in the queue before either is awaited: one transaction.
                await gather(self.accounts.delete(account), self.store.drop(mailbox.log))
            except BaseException:
                # Sessions may have ended meanwhile: what they have read must still be saved.
                mailbox.deleted = False
                self.sessions.restore(mailbox)
                mailbox.saved_state.save_now()
                raise
        finally:
            self.accounts.end_deletion(name)
        for session in mailbox.sessions:
            session.end_without_saving()
            if session is not requester:
                session.peer.session_ended("account-deleted", "The account has been deleted.")
        self.sessions.release(mailbox)
