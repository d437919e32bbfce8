"""The realm: accounts, sessions, mailboxes and rooms over one store, shared by all protocols.

This module wires the parts and has the send path. Nothing here knows bytes, sockets or threads;
`async def` is for what is rare, and the path of a message (`Realm.send`, `Delivery.committed`) is
plain calls. Each feature has a module of its own and uses the realm through `chatd.realm.context`.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from typing import Protocol

from chatd.core.addresses import network_of
from chatd.core.entries import LEAVE, TEXT
from chatd.core.errors import (
    Busy,
    Conflict,
    Exists,
    LimitReached,
    NameTaken,
    Refused,
    UnknownAccount,
    WrongPassword,
)
from chatd.core.limits import Limits
from chatd.core.names import check_name, is_room, mailbox_log, mailbox_name, room_name
from chatd.realm import changes, message_marks
from chatd.realm.access_token import ending_all_access_tokens
from chatd.realm.access_tokens import AccessTokens
from chatd.realm.accounts import Account, Accounts
from chatd.realm.address_bans import AddressBans
from chatd.realm.announcements import Announcements
from chatd.realm.audit import Audit
from chatd.realm.blocking import Blocking
from chatd.realm.counters import Counters
from chatd.realm.delivery import Delivery, NullOrigin
from chatd.realm.documents import Documents
from chatd.realm.edits import Edits
from chatd.realm.history import History
from chatd.realm.invite_tokens import redeeming
from chatd.realm.membership import CreatedRoomRecord
from chatd.realm.permissions import (
    INVITE_ONLY,
    Policy,
    check_created_count,
    check_open_accounts,
    check_registration,
    check_send_in_scope,
    check_send_to_room,
    check_sender,
    check_text,
    created_limit,
)
from chatd.realm.positions import Positions
from chatd.realm.presence import Presence
from chatd.realm.proof import BY_NAME_OR_PASSWORD, UNKNOWN
from chatd.realm.read_state import Settings
from chatd.realm.receipts import Receipts
from chatd.realm.registrations import Registrations
from chatd.realm.reports import Reports
from chatd.realm.requester import OPERATOR, Client
from chatd.realm.restrictions import BanRecord, SilenceRecord
from chatd.realm.resume_token import ending_all_resume_tokens
from chatd.realm.resume_tokens import ResumeTokens
from chatd.realm.room import Room
from chatd.realm.rooms import Rooms
from chatd.realm.session import Session
from chatd.realm.sessions import Sessions
from chatd.realm.suspensions import Suspensions
from chatd.realm.tasks import Tasks
from chatd.stores import Append, Change, DropLog, Store

_ATTEMPTS = 16
_ID_BITS = 20
"""the bits of an id below a time: when the daemon started, or an account or a room was created"""


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
        self.registrations = Registrations(seconds)
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

    # Accounts

    async def register(
        self,
        name: str,
        password: str | None = None,
        invite: str | None = None,
        client: Client = OPERATOR,
    ) -> Account:
        """Create an account, open without a `password`; where registration takes an `invite`
        token, one use of it is redeemed.

        An account without a token counts for the address of the client, unless that is an operator;
        where no token is needed, one lifts the limit.

        Raises, in this order: `AddressBanned`, `NameTaken`, `IllegalName`, `RegistrationClosed` or
        `InviteRequired`, `OpenAccountsForbidden`, `LimitReached`, `InviteInvalid`,
        `PasswordTooLong`, `Busy`.
        """
        # Behind a proxy, the address may not have been known when the connection was accepted.
        self.address_bans.check(client.address)
        # Hashing is expensive, so everything else is checked before it.
        if await self.accounts.account(name) is not None:
            raise NameTaken()
        check_name(name)
        check_registration(self.policy, invite is not None)
        if password is None:
            check_open_accounts(self.policy)
        redeems = invite if self.policy.registration == INVITE_ONLY else None
        network = network_of(client.address)
        counts = (
            redeems is None
            and client is not OPERATOR
            and created_limit(network, self.limits) is not None
        )
        if counts:
            try:
                check_created_count(self.registrations.count(network), network, self.limits)
            except LimitReached:
                if invite is None:
                    raise
                redeems, counts = invite, False
        with self.registrations.creating(network) if counts else nullcontext():
            return await self._register(name, password, redeems, client)

    async def _register(
        self, name: str, password: str | None, redeems: str | None, client: Client
    ) -> Account:
        """Create an account, and redeem one use of an invite token (None: of none). Raises
        `NameTaken`, `InviteInvalid`, `PasswordTooLong`, `Busy`."""
        if redeems is not None:
            await redeeming(self.documents, redeems, self.now())
        hashed = None if password is None else await self._hash_password(password, client)
        account = Account(self.creation_time(), hashed, id=self.new_id())
        for _ in range(_ATTEMPTS):
            steps: list[Change] = []
            if redeems is not None:
                # Again, since another registration may have used the token meanwhile.
                steps.append(await redeeming(self.documents, redeems, self.now()))
            try:
                await self.accounts.register(name, account, steps)
            except Conflict:
                # The token was used by another registration at the same moment.
                continue
            return account
        raise Busy()

    async def set_password(
        self,
        name: str,
        password: str | None,
        account: Account | None = None,
        requester: Session | None = None,
        client: Client = OPERATOR,
    ) -> None:
        """Change the password of an account (None: it becomes open), and end its resume tokens, and
        its sessions except that of the requester.

        `account` is the record that the right to do this was proven against, None for an operator.
        If the account was open, and if an operator sets the password, the certificates that log in
        to it are removed, and its access tokens end. Otherwise access tokens stay, and so do the
        sessions that they have opened.

        Raises `UnknownAccount` if the account has been deleted, `WrongPassword` if it has another
        password now, `OpenAccountsForbidden`, `PasswordTooLong`, `Busy`.
        """
        proven = account is not None
        if account is None:
            name, account = await self.accounts.existing(name)
        if password is None:
            check_open_accounts(self.policy)
        hashed = None if password is None else await self._hash_password(password, client)
        regained = await self.accounts.set_password(name, account, hashed, proven)
        if regained and requester is not None:
            # It does not end with a certificate or token that is no more.
            requester.proof = BY_NAME_OR_PASSWORD
        self.sessions.end(
            account.id,
            "password-changed",
            "The password has been changed: log in again.",
            requester,
            lambda session: regained or not session.proof.access_token,
        )

    async def set_certificates(
        self,
        name: str,
        certificates: tuple[str, ...],
        account: Account | None = None,
        requester: Session | None = None,
    ) -> bool:
        """Replace the certificates, given by their fingerprints, that log in to an account. The
        sessions that a removed one has opened end, except that of the requester. Returns whether
        the resume tokens of the account have ended, since one was removed.

        `account` is the record that the right to do this was proven against, None for an operator.
        Raises `UnknownAccount` if the account has been deleted, `WrongPassword` if it has another
        password now, `Busy`.
        """
        proven = account is not None
        if account is None:
            name, account = await self.accounts.existing(name)
        removed = await self.accounts.set_certificates(name, account, certificates, proven)
        if requester is not None and requester.proof.certificate:
            requester.proof = BY_NAME_OR_PASSWORD
        if removed:
            opened = removed | {UNKNOWN}
            self.sessions.end(
                account.id,
                "certificate-removed",
                "The certificate of this session was removed from the account: log in again.",
                requester,
                lambda session: session.proof.certificate in opened,
            )
        return bool(removed)

    async def end_sessions(self, account: int, code: str, sentence: str) -> int:
        """End all sessions of an account, given by its id, with this reason, and its resume tokens;
        return the number of sessions.

        Raises `StoreUnavailable` if its tokens could not be ended.
        """
        # First the sessions, so that none of them gets a new token.
        ended = self.sessions.end(account, code, sentence)
        await self.resume_tokens.revoke_all(account)
        return ended

    async def delete(self, session: Session, proven: Account | None = None) -> None:
        """Delete the account of a session with its mailbox, and end all its sessions.

        `proven` is the record that the right to do this was proven against, None if the session is
        proof enough. Raises `UnknownAccount` if the account has been deleted already,
        `WrongPassword` if it has another password now than `proven` has.
        """
        await self._delete(session.name, session.account, proven, session)

    async def delete_account(self, name: str, proven: Account | None = None) -> None:
        """Delete an account with its mailbox, by its name.

        `proven` is as for `delete`, None for an operator. Raises `UnknownAccount`, also if the name
        belongs to another account than `proven` by now, `WrongPassword`.
        """
        name, account = await self.accounts.existing(name)
        await self._delete(name, account.id if proven is None else proven.id, proven, None)

    async def _delete(
        self, name: str, account: int, proven: Account | None, requester: Session | None
    ) -> None:
        log = mailbox_log(account)
        for remaining in reversed(range(_ATTEMPTS)):
            stored = await self.documents.get(Account, name)
            if stored is None or stored.record.id != account:
                raise UnknownAccount(f"There is no account called {name}.")
            if proven is not None and stored.record.password != proven.password:
                raise WrongPassword()
            try:
                leaving, rooms = await self.rooms.leaving_all(account, name)
                steps: list[Change] = [
                    changes.delete(stored),
                    *leaving,
                    *await self.rooms.withdrawing_all(account, name),
                    changes.delete_key(BanRecord, name),
                    changes.delete_key(SilenceRecord, name),
                    changes.delete_any(Settings, log),
                    ending_all_resume_tokens(account),
                    ending_all_access_tokens(account),
                    DropLog(log),
                    *message_marks.removing(log),
                    changes.delete_scope(CreatedRoomRecord, str(account)),
                    # Made last, so that their times are not before those of what is queued.
                    *(
                        self.new_note(room.log, name, account, LEAVE, "")
                        for room, deleted in rooms
                        if not deleted
                    ),
                ]
                self.rooms.written(steps, await self.documents.write(steps))
                break
            except (Conflict, Exists):
                if not remaining:
                    raise Busy() from None
        self.accounts.deleted(name, log)
        self.sessions.account_deleted(account, requester)
        self.presence.account_deleted(account, name)
        for room, deleted in rooms:
            self.rooms.left(room, account, deleted, "left")
        self.flush()
