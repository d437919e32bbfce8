"""Sessions and mailboxes that this daemon holds: logging in, ending sessions, fetching mail."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from chatd.core.errors import AlreadyLoggedIn, UnknownAccount
from chatd.core.names import mailbox_log
from chatd.realm.accounts import Account
from chatd.realm.ack_session import AckSession
from chatd.realm.auto_ack_session import AutoAckSession
from chatd.realm.context import Context
from chatd.realm.live_log import LiveLog
from chatd.realm.mail_fetch import MailFetch
from chatd.realm.mailbox import Mailbox
from chatd.realm.session import Peer, Session
from chatd.realm.tasks import Tasks


class Sessions:
    """The mailboxes of accounts that have sessions or are logging in, and these sessions.

    `boot` identifies this run of the machine (`chatd.realm.claims`); `live_logs` are the logs that
    delivery pushes to.
    """

    def __init__(
        self, context: Context, tasks: Tasks, boot: str, live_logs: dict[str, LiveLog]
    ) -> None:
        self._context = context
        self._tasks = tasks
        self._boot = boot
        self._live_logs = live_logs
        self._mailboxes: dict[str, Mailbox] = {}

    # Logging in

    async def open_auto_ack_session(
        self, name: str, account: Account, peer: Peer
    ) -> AutoAckSession:
        """Open a session for a peer that cannot acknowledge. The account may have one at a time.

        `account` is the record that the right to log in was proven against. Raises
        `AlreadyLoggedIn`, unless the peer takes over; `UnknownAccount` if the account has changed
        or been deleted meanwhile, even if another has its name now; `StoreUnavailable`.
        """
        mailbox = self.hold(name)
        former = mailbox.session
        if former is not None and (former.closing or former.peer.hung_up() or peer.takes_over):
            former.end()
            if not former.closing:
                former.peer.session_ended("logged-in-elsewhere", "You have logged in elsewhere.")
            mailbox = self.hold(name)
        if mailbox.session is not None or mailbox.claiming:
            raise AlreadyLoggedIn()
        mailbox.claiming = True
        context = self._context
        try:
            with self.reserved(mailbox):
                await self._load_for(mailbox, name, account)
                session = AutoAckSession(
                    name,
                    mailbox,
                    peer,
                    context.store,
                    context.limits,
                    self._boot,
                    context.now(),
                    self._ended,
                )
        finally:
            mailbox.claiming = False
        self._opened(session)
        return session

    async def open_ack_session(self, name: str, account: Account, peer: Peer) -> AckSession:
        """Open a session for a peer that acknowledges. Nothing is pushed before `AckSession.begin`.

        `account` is the record that the right to log in was proven against. Raises
        `UnknownAccount` if the account has changed or been deleted meanwhile, even if another has
        its name now; `StoreUnavailable`.
        """
        mailbox = self.hold(name)
        context = self._context
        with self.reserved(mailbox):
            await self._load_for(mailbox, name, account)
            positions = mailbox.read_state.positions
            await context.rooms.load(list(positions))
            session = AckSession(
                name,
                account.created,
                mailbox,
                peer,
                context.limits,
                context.now(),
                self._ended,
                context.receipts.notify_delivered,
            )
            for log in list(positions):
                room = context.rooms.loaded(log)
                if (
                    room is not None
                    and room.record.created == positions[log].since
                    and name.lower() in room.record.members
                ):
                    session.add(room, positions[log].cursor)
                else:
                    del positions[log]
        self._opened(session)
        return session

    async def open_mail_fetch(self, name: str, account: Account) -> MailFetch:
        """Fetch the waiting mail of an account without a session.

        Raises `UnknownAccount` if `account` is no longer its record, `StoreUnavailable`.
        """
        mailbox = self.hold(name)
        with self.reserved(mailbox):
            await self._load_for(mailbox, name, account)
            mailbox.reserved += 1
        return MailFetch(
            mailbox,
            self._context.limits,
            lambda: self._unreserve(mailbox),
            self._context.receipts.notify_delivered,
        )

    async def _load_for(self, mailbox: Mailbox, name: str, account: Account) -> None:
        """Load a reserved mailbox, if its account still has this record."""
        (stored,) = await mailbox.load(self._context.documents.get(Account, name))
        if (
            stored is None
            or mailbox.deleted
            or self._context.accounts.being_deleted(name)
            or stored.record != account
        ):
            raise UnknownAccount()

    def _opened(self, session: Session) -> None:
        if len(session.mailbox.subscriptions) == 1:
            self._context.presence.account_connected(session)

    def _ended(self, session: Session) -> None:
        presence = self._context.presence
        if isinstance(session, AckSession):
            presence.unwatch_all(session)
        mailbox = session.mailbox
        if not mailbox.subscriptions and not mailbox.deleted:
            mailbox.read_state.seen = self._context.now()
            presence.account_disconnected(session)

    async def end(
        self, name: str, code: str, sentence: str, excluded: Session | None = None
    ) -> int:
        """End all sessions of an account but `excluded`, with this reason; return their number."""
        mailbox = self.mailbox(name)
        sessions = [] if mailbox is None else mailbox.sessions
        sessions = [session for session in sessions if session is not excluded]
        for session in sessions:
            session.end()
            session.peer.session_ended(code, sentence)
        return len(sessions)

    # Finding sessions

    def online(self, name: str) -> bool:
        """Whether an account has a session, or is logging in."""
        mailbox = self.mailbox(name)
        return mailbox is not None and bool(mailbox.subscriptions or mailbox.reserved)

    def all(self) -> list[Session]:
        """All sessions."""
        return [session for mailbox in self._mailboxes.values() for session in mailbox.sessions]

    def ack_sessions(self, name: str) -> list[AckSession]:
        """The sessions of an account whose peers acknowledge."""
        mailbox = self.mailbox(name)
        sessions = [] if mailbox is None else mailbox.sessions
        return [session for session in sessions if isinstance(session, AckSession)]

    # Mailboxes

    def mailbox(self, name: str) -> Mailbox | None:
        """The mailbox of an account, if this daemon holds it."""
        return self._mailboxes.get(mailbox_log(name))

    def hold(self, name: str) -> Mailbox:
        """The mailbox of an account, which may have to be loaded."""
        log = mailbox_log(name)
        mailbox = self._mailboxes.get(log)
        if mailbox is None:
            mailbox = Mailbox(self._context.store, self._tasks, log, self.release)
            self.restore(mailbox)
        return mailbox

    @contextmanager
    def reserved(self, mailbox: Mailbox) -> Iterator[None]:
        """Hold a mailbox while this lasts, although it may have no session."""
        mailbox.reserved += 1
        try:
            yield
        finally:
            self._unreserve(mailbox)

    def _unreserve(self, mailbox: Mailbox) -> None:
        mailbox.reserved -= 1
        mailbox.release_if_idle()

    def restore(self, mailbox: Mailbox) -> None:
        """Hold a mailbox, unless another one of its account is held."""
        self._mailboxes.setdefault(mailbox.log, mailbox)
        self._live_logs.setdefault(mailbox.log, mailbox)

    def release(self, mailbox: Mailbox) -> None:
        """Stop holding a mailbox."""
        if self._mailboxes.get(mailbox.log) is mailbox:
            del self._mailboxes[mailbox.log]
            del self._live_logs[mailbox.log]
