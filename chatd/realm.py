"""The heart: who is who, who is there, who is told what. One realm is shared by all protocols.

Nothing here knows bytes, sockets or threads; `async def` is for what happens seldom, and the way of a
message (`send` and `committed`) is plain calls.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from typing import Protocol

import msgspec

from chatd.accounts import ACCOUNT, Account, check_name, inbox
from chatd.errors import (
    AlreadyLoggedIn,
    Exists,
    NameTaken,
    PatternTooLong,
    Refused,
    UnknownAccount,
)
from chatd.limits import Limits
from chatd.mailboxes import CLAIM, Background, Mailbox, all_of
from chatd.permissions import check_sender, check_text
from chatd.sessions import Peer, Session
from chatd.stores import Append, Document, Origin, Store


class Message(Protocol):
    """What somebody says: who it claims to be, to whom, and the message as it came, to be passed on."""

    @property
    def sender(self) -> str: ...
    @property
    def recipient(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def frame(self) -> bytes | None: ...


class Realm:
    """Accounts, sessions and mailboxes over one store.

    `boot` names this run of the machine; `now` is milliseconds since 1970 (UTC), and ids count on from it.
    """

    def __init__(
        self, store: Store, background: Background, limits: Limits, boot: str = "", now: int = 0
    ) -> None:
        self.store = store
        self.limits = limits
        self._background = background
        self._boot = boot
        # A million ids a millisecond before they could run into those of a later start.
        self._ids = count(now << 20)
        self._mailboxes: dict[str, Mailbox] = {}
        # The logs of accounts known to exist, by the name in lower case.
        self._known: dict[str, str] = {}
        self._leaving: set[str] = set()
        self._held: deque[_Held] = deque()
        self._waiting: list[Callable[[], None]] = []
        store.committed = self.committed

    async def start(self) -> None:
        """Settle what a daemon that was killed left open. May raise `StoreUnavailable`."""
        for log in await self.store.list(CLAIM):
            mailbox = self._mailbox(log)
            await mailbox.load()
            mailbox.settle(self._boot)

    # Accounts

    async def account(self, name: str) -> tuple[str, Account] | None:
        """The name as first written, and what is stored; None if there is no such account."""
        document = await self.store.get(ACCOUNT, name)
        if document is None or name.lower() in self._leaving:
            return None
        self._remember(name)
        return document.key, _account(document)

    async def register(self, name: str, account: Account) -> None:
        """Make an account. Raises `IllegalName`, `NameTaken`."""
        check_name(name)
        try:
            await self.store.create(ACCOUNT, name, msgspec.msgpack.encode(account))
        except Exists:
            raise NameTaken() from None
        self._remember(name)

    async def names(self, pattern: str = "*") -> list[str]:
        """The names of all accounts that match a glob, in order of creation. Raises `PatternTooLong`."""
        if len(pattern) > self.limits.pattern:
            raise PatternTooLong(
                f"search pattern too long: {len(pattern)} characters, the limit is {self.limits.pattern}"
            )
        return await self.store.list(ACCOUNT, pattern)

    async def delete(self, session: Session) -> None:
        """Delete the account of `session` with its mailbox; the session is over."""
        key = session.name.lower()
        document = await self.store.get(ACCOUNT, session.name)
        if document is None or session.ended:
            return
        mailbox = session.mailbox
        self._known.pop(key, None)
        self._leaving.add(key)
        mailbox.gone = True
        try:
            # Both are in the queue before either is awaited: one transaction.
            await all_of(
                self.store.delete(ACCOUNT, session.name, document.version), self.store.drop(mailbox.log)
            )
        except BaseException:
            # The session may have ended meanwhile; what it has read still has to be kept.
            mailbox.gone = False
            self._mailboxes.setdefault(mailbox.log, mailbox)
            mailbox.when_kept(_nothing)
            raise
        finally:
            self._leaving.discard(key)
        session.vanish()
        self._mailboxes.pop(mailbox.log, None)

    def _remember(self, name: str) -> None:
        if len(self._known) >= self.limits.accounts_cached:
            self._known.clear()
        self._known[name.lower()] = inbox(name)

    # Sessions

    async def login(self, name: str, account: Account, peer: Peer) -> Session:
        """Log `peer` in as the account `name`, whose right to it has been proven when it was `account`.

        Raises `AlreadyLoggedIn`; `UnknownAccount` if it has been deleted meanwhile, even if there is another
        of that name now; `StoreUnavailable`.
        """
        log = inbox(name)
        mailbox = self._mailboxes.get(log)
        if mailbox is not None and mailbox.session is not None:
            former = mailbox.session
            if former.leaving or former.peer.hung_up():
                former.end()
                mailbox = self._mailboxes.get(log)
        if mailbox is not None and (mailbox.session is not None or mailbox.reserved):
            raise AlreadyLoggedIn()
        is_new = mailbox is None
        if mailbox is None:
            mailbox = self._mailbox(log)
        mailbox.reserved = True
        try:
            document = self.store.get(ACCOUNT, name)
            (found,) = await (mailbox.load(document) if is_new else all_of(document))
            if found is None or name.lower() in self._leaving or _account(found) != account:
                raise UnknownAccount()
            return Session(name, mailbox, peer, self.store, self.limits, self._boot)
        except BaseException:
            if is_new:
                self._settled(mailbox)
            else:
                mailbox.when_kept(_nothing)
            raise
        finally:
            mailbox.reserved = False

    def online(self, name: str) -> bool:
        """Whether someone is logged in as `name`."""
        mailbox = self._mailboxes.get(inbox(name))
        return mailbox is not None and (mailbox.session is not None or mailbox.reserved)

    def _mailbox(self, log: str) -> Mailbox:
        mailbox = self._mailboxes[log] = Mailbox(self.store, self._background, log, self._settled)
        return mailbox

    def _settled(self, mailbox: Mailbox) -> None:
        if self._mailboxes.get(mailbox.log) is mailbox:
            del self._mailboxes[mailbox.log]

    # Messages

    def send(self, session: Session, messages: Sequence[Message], time: int) -> int:
        """Append texts to the inboxes of their recipients; `session` is answered when they are durable.

        Takes as many of `messages` as it can without asking the store, from the front, and says how many:
        0 if it does not know whether there is such a recipient (await `account`). `time` is milliseconds
        since 1970 (UTC). Raises, if the first is refused, `NotTheSender`, `UnknownAccount`, `TextTooLong`.
        """
        name = session.name
        limit = self.limits.text
        ids = self._ids
        known = self._known
        appends: list[Append] = []
        recipient = log = None
        for message in messages:
            sender = message.sender
            text = message.text
            if message.recipient != recipient:
                recipient = message.recipient
                log = known.get(recipient.lower())
            if log is None or sender != name or len(text) > limit:
                try:
                    check_sender(session, sender)
                    check_text(text, limit)
                except Refused:
                    if appends:
                        break
                    raise
                if log is None:
                    break
            frame = message.frame
            # Others are told a sender's name as it was first written, so only then can the frame go on.
            passed = frame if sender == name else None
            appends.append(Append(log, next(ids), time, name, text, session, frame, recipient, passed))
        self.store.append(appends)
        return len(appends)

    def fetch(self, session: Session) -> None:
        """Have the waiting mail replayed: what comes meanwhile comes after it (`Session.catch_up`)."""
        if session.ask() and session.live:
            session.fall_behind()

    def flush(self) -> None:
        """Say that a burst of `send` has ended."""
        self.store.flush()

    @property
    def congested(self) -> bool:
        """Whether so much waits for the store that senders should pause."""
        return self.store.backlog > self.limits.backlog

    def when_clear(self, function: Callable[[], None]) -> None:
        """Call it, once, when the store has caught up."""
        self._waiting.append(function)

    def committed(self, appends: Sequence[Append]) -> None:
        """Called by the store with what became durable: readers first, then those who sent it."""
        mailboxes = self._mailboxes
        reached: list[Session] = []
        claimed: list[Mailbox] = []
        log = mailbox = outbox = None
        for append in appends:
            # Bursts are to one log more often than not.
            if append.log is not log:
                log = append.log
                mailbox = mailboxes.get(log)
                outbox = None
                if mailbox is not None:
                    session = mailbox.session
                    if session is not None and session.live:
                        outbox = session.outbox
                        if not outbox:
                            reached.append(session)
                    elif mailbox.claimed and mailbox not in claimed:
                        claimed.append(mailbox)
            if mailbox is None or append.seq <= mailbox.head:
                continue
            mailbox.head = append.seq
            if outbox is not None:
                outbox.append(append)
        for session in reached:
            if session.outbox and not session.push():
                session.fall_behind()
                claimed.append(session.mailbox)
        if claimed or self._held:
            self._hold(appends, claimed)
        else:
            _answer(appends)
        if self._waiting and self.store.backlog < self.limits.backlog // 2:
            waiting, self._waiting = self._waiting, []
            for function in waiting:
                function()

    def _hold(self, appends: Sequence[Append], claimed: list[Mailbox]) -> None:
        """Entries that were not handed over are not safe while the store has it that a session takes them;
        until it knows better, no sender may hear of them, nor of anything that came later."""
        held = _Held(appends, len(claimed))
        self._held.append(held)
        for mailbox in claimed:
            mailbox.when_kept(partial(self._release, held))

    def _release(self, held: _Held) -> None:
        held.unknown -= 1
        while self._held and not self._held[0].unknown:
            _answer(self._held.popleft().appends)


class _Held:
    """Appends whose senders wait until `unknown` more claims are known to be gone."""

    __slots__ = ("appends", "unknown")

    def __init__(self, appends: Sequence[Append], unknown: int) -> None:
        self.appends = appends
        self.unknown = unknown


def _account(document: Document) -> Account:
    return msgspec.msgpack.decode(document.body, type=Account)


def _nothing() -> None:
    """Nobody waits."""


def _answer(appends: Sequence[Append]) -> None:
    """Tell each sender what became of what it sent, all at once."""
    origins: list[Origin] = []
    origin = None
    for append in appends:
        if append.origin is not origin:
            origin = append.origin
            answers = origin.answers
            if not answers:
                origins.append(origin)
        answers.append(append)
    for origin in origins:
        origin.answer()
