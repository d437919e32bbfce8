"""The heart: who is who, who is there, who is told what. One realm is shared by all protocols.

Nothing here knows bytes, sockets or threads; `async def` is for what happens seldom, and the way of
a message (`send` and `committed`) is plain calls. Each feature has a module of its own and uses the
realm through `chatd.realm.context`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import Protocol

from chatd.core.errors import (
    AlreadyLoggedIn,
    NameTaken,
    NotAMember,
    Refused,
    UnknownAccount,
    UnknownRoom,
)
from chatd.core.limits import Limits
from chatd.core.names import check_name, is_room, mailbox_log, mailbox_owner
from chatd.realm.accounts import Account, Accounts
from chatd.realm.ack_session import AckPeer, AckSession
from chatd.realm.auto_ack_session import AutoAckPeer, AutoAckSession
from chatd.realm.blocking import Blocking
from chatd.realm.claims import Claim
from chatd.realm.delivery import Delivery, NullOrigin
from chatd.realm.documents import Documents
from chatd.realm.edits import Edits
from chatd.realm.history import History
from chatd.realm.mail_fetch import MailFetch
from chatd.realm.mailbox import Mailbox
from chatd.realm.permissions import (
    INVITE_ONLY,
    Policy,
    check_open_accounts,
    check_registration,
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
from chatd.realm.tasks import Tasks, gather
from chatd.stores import Append, Store


class Message(Protocol):
    """What somebody says: who it claims to be (None: itself), to whom, and the sender's own key for
    it."""

    @property
    def sender(self) -> str | None: ...
    @property
    def recipient(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def key(self) -> str | None: ...


class Realm:
    """Accounts, sessions, mailboxes and rooms over one store.

    `boot` names this run of the machine; `now` gives milliseconds since 1970 (UTC), and ids count
    on from what it says first.
    """

    def __init__(
        self,
        store: Store,
        background: Tasks,
        limits: Limits,
        boot: str = "",
        now: Callable[[], int] = lambda: 0,
        policy: Policy | None = None,
    ) -> None:
        self.store = store
        self.limits = limits
        self.now = now
        self.policy = policy or Policy()
        self._background = background
        self._boot = boot
        # A million ids a millisecond before they could run into those of a later start.
        self._ids = count(now() << 20)
        # Texts of so many characters have no more bytes than are allowed.
        self._short = limits.text // 4
        self._mailboxes: dict[str, Mailbox] = {}
        self._nobody = NullOrigin()
        self.documents = Documents(store)
        self.accounts = Accounts(self.documents, limits, background)
        self.rooms = Rooms(self)
        self.history = History(self)
        self.edits = Edits(self)
        self.receipts = Receipts(self)
        self.reports = Reports(self)
        self.presence = Presence(self)
        self.blocking = Blocking(self)
        self.delivery = Delivery(store, limits, self.receipts.notify_delivered)

    async def start(self) -> None:
        """Settle what a daemon that was killed left open. May raise `StoreUnavailable`."""
        for log in await self.documents.list(Claim):
            mailbox = self._mailbox(mailbox_owner(log))
            await mailbox.load()
            mailbox.resolve_claim(self._boot)
        await self.rooms.start()

    # Accounts

    async def register(self, name: str, account: Account, invite: str | None = None) -> None:
        """Make an account; where that takes an `invite`, it is used up.

        Raises `IllegalName`, `NameTaken`, and what `check_register` does, `InviteInvalid`.
        """
        self.check_register(account.password is None, invite)
        if self.policy.registration != INVITE_ONLY or invite is None:
            await self.accounts.register(name, account)
            return
        check_name(name)
        if await self.accounts.account(name) is not None:
            raise NameTaken()
        await redeem(self.documents, invite, self.now())
        try:
            await self.accounts.register(name, account)
        except NameTaken:
            await restore(self.documents, invite)
            raise

    def check_register(self, open_account: bool, invite: str | None = None) -> None:
        """Whether the policy lets anyone make such an account. Raises `RegistrationClosed`,
        `InviteRequired`, `OpenAccountsForbidden`."""
        check_registration(self.policy, invite is not None)
        if open_account:
            check_open_accounts(self.policy)

    async def set_password(
        self,
        name: str,
        password: str | None,
        account: Account | None = None,
        asker: Session | None = None,
    ) -> None:
        """Give an account another password (its hash, or None: it becomes open) and end its
        sessions but the asker's. With `account`: if it is still that. Raises `UnknownAccount`."""
        if account is None:
            found = await self.accounts.account(name)
            if found is None:
                raise UnknownAccount()
            name, account = found
        await self.accounts.set_password(name, account, password)
        await self.end_sessions(
            name, "password-changed", "The password has been changed: log in again.", asker
        )

    async def delete(self, session: Session) -> None:
        """Delete the account of `session` with its inbox; the session is over, and so are its
        others."""
        if not session.ended:
            await self._delete(session.mailbox, session.name, session)

    async def delete_account(self, name: str) -> None:
        """Delete an account with its mailbox, by its name. Raises `UnknownAccount`."""
        name = await self.accounts.display_name(name)
        mailbox = self._mailbox(name)
        mailbox.reserved += 1
        try:
            await mailbox.load()
            await self._delete(mailbox, name, None)
        finally:
            self._unreserve(mailbox)

    async def _delete(self, mailbox: Mailbox, name: str, asker: Session | None) -> None:
        account = await self.documents.get(Account, name)
        if account is None or self.accounts.leaving(name):
            return
        self.accounts.leave(name)
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
                # Sessions may have ended meanwhile; what they have read still has to be kept.
                mailbox.deleted = False
                self._mailboxes.setdefault(mailbox.log, mailbox)
                self.delivery.live_logs.setdefault(mailbox.log, mailbox)
                mailbox.saved_state.save_now()
                raise
        finally:
            self.accounts.left(name)
        for session in mailbox.sessions:
            session.vanish()
            if session is not asker:
                session.peer.session_ended("account-deleted", "The account has been deleted.")
        self._remove_mailbox(mailbox)

    async def end_sessions(
        self, name: str, code: str, sentence: str, but: Session | None = None
    ) -> int:
        """End all sessions of an account except `but`, with this reason; return their number."""
        mailbox = self.mailbox(name)
        sessions = [] if mailbox is None else [each for each in mailbox.sessions if each is not but]
        for session in sessions:
            session.end()
            session.peer.session_ended(code, sentence)
        return len(sessions)

    # Sessions

    async def login(self, name: str, account: Account, peer: AutoAckPeer) -> AutoAckSession:
        """Log `peer` in as the account `name`, whose right to it has been proven when it was
        `account`.

        Raises `AlreadyLoggedIn`, unless the peer takes over; `UnknownAccount` if it has been
        deleted meanwhile, even if there is another of that name now; `StoreUnavailable`.
        """
        mailbox = self._mailbox(name)
        if mailbox.session is not None:
            former = mailbox.session
            if former.leaving or former.peer.hung_up() or peer.takes_over:
                former.end()
                if not former.leaving:
                    former.peer.session_ended(
                        "logged-in-elsewhere", "You have logged in elsewhere."
                    )
                mailbox = self._mailbox(name)
        if mailbox.session is not None or mailbox.claiming:
            raise AlreadyLoggedIn()
        mailbox.claiming = True
        try:
            await self._check_in(mailbox, name, account)
            session = AutoAckSession(
                name, mailbox, peer, self.store, self.limits, self._boot, self.now(), self._went
            )
        finally:
            mailbox.claiming = False
            self._unreserve(mailbox)
        self._came(session)
        return session

    async def follow(self, name: str, account: Account, peer: AckPeer) -> AckSession:
        """The same for a peer that acknowledges what it gets. Nothing is pushed before
        `Session.begin`.

        Raises `UnknownAccount`, `StoreUnavailable`.
        """
        mailbox = self._mailbox(name)
        try:
            await self._check_in(mailbox, name, account)
            positions = mailbox.read_state.positions
            await self.rooms.load(list(positions))
            session = AckSession(
                name, account.created, mailbox, peer, self.limits, self.now(), self._went
            )
            for log in list(positions):
                room = self.rooms.loaded(log)
                if (
                    room is not None
                    and room.record.created == positions[log].since
                    and name.lower() in room.record.members
                ):
                    session.follow(room, positions[log])
                else:
                    del positions[log]
        finally:
            self._unreserve(mailbox)
        self._came(session)
        return session

    async def mail(self, name: str, account: Account) -> MailFetch:
        """The waiting mail of an account, for somebody who need not be logged in. Raises as
        `follow`."""
        mailbox = self._mailbox(name)
        try:
            await self._check_in(mailbox, name, account)
        except Refused:
            self._unreserve(mailbox)
            raise
        return MailFetch(mailbox, self.limits, lambda: self._unreserve(mailbox))

    async def _check_in(self, mailbox: Mailbox, name: str, account: Account) -> None:
        """Load a mailbox, to be given back with `_unreserve`, if its account is still what it
        was."""
        mailbox.reserved += 1
        (found,) = await mailbox.load(self.documents.get(Account, name))
        if (
            found is None
            or self.accounts.leaving(name)
            or mailbox.deleted
            or found.record != account
        ):
            raise UnknownAccount()

    def _unreserve(self, mailbox: Mailbox) -> None:
        mailbox.reserved -= 1
        mailbox.release_if_idle()

    def _came(self, session: Session) -> None:
        if len(session.mailbox.subscriptions) == 1:
            self.presence.account_connected(session)

    def _went(self, session: Session) -> None:
        if isinstance(session, AckSession):
            self.presence.unwatch_all(session)
        mailbox = session.mailbox
        if not mailbox.subscriptions and not mailbox.deleted:
            mailbox.read_state.seen = self.now()
            self.presence.account_disconnected(session)

    def online(self, name: str) -> bool:
        """Whether someone is logged in as `name`."""
        mailbox = self._mailboxes.get(mailbox_log(name))
        return mailbox is not None and bool(mailbox.subscriptions or mailbox.reserved)

    def sessions(self) -> list[Session]:
        """All there are."""
        return [session for mailbox in self._mailboxes.values() for session in mailbox.sessions]

    def following(self, name: str) -> list[AckSession]:
        """The sessions of an account that follow logs."""
        mailbox = self.mailbox(name)
        found = [] if mailbox is None else mailbox.sessions
        return [session for session in found if isinstance(session, AckSession)]

    def mailbox(self, name: str) -> Mailbox | None:
        """That of an account somebody is logged in as, perhaps."""
        return self._mailboxes.get(mailbox_log(name))

    def _mailbox(self, name: str) -> Mailbox:
        """That of an account, which may have to be loaded."""
        log = mailbox_log(name)
        mailbox = self._mailboxes.get(log)
        if mailbox is None:
            mailbox = Mailbox(self.store, self._background, log, self._remove_mailbox)
            self._mailboxes[log] = self.delivery.live_logs[log] = mailbox
        return mailbox

    def _remove_mailbox(self, mailbox: Mailbox) -> None:
        if self._mailboxes.get(mailbox.log) is mailbox:
            del self._mailboxes[mailbox.log]
            del self.delivery.live_logs[mailbox.log]

    def add_live_log(self, room: Room) -> None:
        """See `chatd.realm.context.Context`."""
        self.delivery.live_logs[room.log] = room

    def remove_live_log(self, log: str) -> None:
        """See `chatd.realm.context.Context`."""
        self.delivery.live_logs.pop(log, None)

    # Messages

    def send(self, session: Session, messages: Sequence[Message], time: int) -> int:
        """Append texts to the logs of their recipients; `session` is answered when they are
        durable.

        Takes as many of `messages` as it can without asking the store, from the front, and says how
        many: 0 if it does not know whether there is such a recipient (await `account`). `time` is
        milliseconds since 1970 (UTC). Raises, if the first is refused, `NotTheSender`,
        `UnknownAccount`, `TextTooLong`, `NotAMember`, `Blocked`.
        """
        name = session.name
        short = self._short
        known = self.accounts.known
        anyone_blocks = self.accounts.blocked
        ids = self._ids
        appends: list[Append] = []
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
                    log = None if anyone_blocks else known.get(recipient.lower())
                    if log is None:
                        log = self._address(session, recipient)
                if log is None:
                    break
                appends.append(
                    Append(log, next(ids), time, name, text, session, message, key=message.key)
                )
        except Refused:
            if not appends:
                raise
        self.store.append(appends)
        return len(appends)

    def _address(self, session: Session, recipient: str) -> str | None:
        """The log of a recipient, None if it is not known whether there is one."""
        if is_room(recipient) and isinstance(session, AckSession):
            log = recipient.lower()
            if log not in session.subscriptions:
                raise NotAMember()
            return log
        return self.accounts.mailbox_log(recipient, session.name)

    def append(self, append: Append) -> None:
        """Put an entry into a log; its origin is told. `flush` is the caller's."""
        self.store.append((append,))

    def new_id(self) -> int:
        """An id for an entry."""
        return next(self._ids)

    def note(self, log: str, sender: str, kind: str, body: str) -> None:
        """Append an entry of which nobody waits to hear; `flush` is the caller's."""
        self.append(Append(log, next(self._ids), self.now(), sender, body, self._nobody, kind=kind))

    def fetch(self, session: AutoAckSession) -> None:
        """Have the waiting mail replayed: what comes meanwhile comes after it
        (`Session.catch_up`)."""
        if session.ask() and session.live:
            session.fall_behind()

    def flush(self) -> None:
        """Say that a burst of `send` has ended."""
        self.store.flush()
