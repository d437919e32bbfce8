"""Sessions and mailboxes that this daemon holds: logging in, ending sessions, fetching mail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from chatd.core.errors import AlreadyLoggedIn, Busy, UnknownAccount
from chatd.realm.accounts import Account
from chatd.realm.context import Context
from chatd.realm.live_log import LiveLog
from chatd.realm.mail_fetch import ENDED, MailFetch
from chatd.realm.mailbox import Mailbox
from chatd.realm.peer import Peer
from chatd.realm.permissions import (
    check_not_suspended,
    check_session_count,
    rooms_in_scope,
)
from chatd.realm.proof import BY_NAME_OR_PASSWORD, Proof
from chatd.realm.room import Room
from chatd.realm.scoped_session import ScopedSession
from chatd.realm.session import Session

_NEWS = 7 * 24 * 3600 * 1000
"""milliseconds for which every log-in is notified of changed certificates and access tokens; later,
those are that come from before the account was last online"""


class Sessions:
    """The mailboxes of accounts that have sessions or are logging in, and these sessions.

    `live_logs` are the logs that delivery pushes to.
    """

    def __init__(self, context: Context, live_logs: dict[str, LiveLog]) -> None:
        self._context = context
        self._live_logs = live_logs
        # One bound method for all mailboxes.
        self._release_idle = self.release
        self._mailboxes: dict[int, Mailbox] = {}
        # By the owner's name in lower case. An account that is being deleted may still have a
        # mailbox when the next owner of its name has one.
        self._by_name: dict[str, Mailbox] = {}
        # The sessions from each address, and the logins under way.
        self._from_network: Counter[str] = Counter()

    # Logging in

    async def open(
        self, name: str, account: Account, peer: Peer, proof: Proof = BY_NAME_OR_PASSWORD
    ) -> Session:
        """Open a session, by the rules of `Peer.session_options`. Nothing is pushed before
        `Session.begin`.

        `account` is the record that the right to log in was proven against, by `proof`. Raises
        `AlreadyLoggedIn`, `Suspended`, `UnknownAccount` if the account has been deleted meanwhile,
        `Busy` if it has changed, or its sessions have been ended, `LimitReached`,
        `StoreUnavailable`.
        """
        mailbox = self.hold(name, account)
        options = peer.session_options
        with self.reserved(mailbox):
            network = peer.network
            if options.exclusive:
                self._make_way(mailbox, peer, network)
            self._check_count(mailbox, network, proof)
            if options.exclusive:
                mailbox.opening = True
            mailbox.logins += 1
            self._from_network[network] += 1
            session = None
            try:
                session = await self._open(mailbox, account, peer, proof)
                session.network = network
                return session
            finally:
                if session is None:
                    self._left_network(network)
                mailbox.logins -= 1
                if options.exclusive:
                    mailbox.opening = False

    def _check_count(self, mailbox: Mailbox, network: str, proof: Proof) -> None:
        """Check that there may be one more session, opened by `proof`. Raises `LimitReached`.

        Of an account that has too many, one that has every right displaces the oldest of those with
        a scope, so that a token which permits little cannot keep the owner out.
        """
        limits = self._context.limits
        count = len(mailbox.subscriptions) + len(mailbox.scoped) + mailbox.logins
        if count >= limits.account_sessions:
            # A client that connects again has hung up before, which may not be noticed yet.
            for session in mailbox.all_sessions:
                if session.closing or session.peer.hung_up():
                    session.end()
            count = len(mailbox.subscriptions) + len(mailbox.scoped) + mailbox.logins
            if count >= limits.account_sessions and proof.scope is None and mailbox.scoped:
                oldest = mailbox.scoped[0]
                self._check_address_without(oldest, network)
                oldest.end()
                oldest.peer.session_ended(
                    "limit-reached", "The account has too many sessions: this one was displaced."
                )
                count -= 1
        check_session_count(count, self._from_network[network], network, limits)

    def _check_address_without(self, session: Session, network: str) -> None:
        """Check that there may be one more session from an address when `session` has ended, so
        that a log-in which is refused ends none. Raises `LimitReached`."""
        count = self._from_network[network] - (session.network == network)
        check_session_count(0, count, network, self._context.limits)

    def _left_network(self, network: str) -> None:
        self._from_network[network] -= 1
        if not self._from_network[network]:
            del self._from_network[network]

    def _make_way(self, mailbox: Mailbox, peer: Peer, network: str) -> None:
        """End an exclusive session that is no longer used, or that the peer takes over. Raises
        `AlreadyLoggedIn`, `LimitReached`."""
        former = mailbox.exclusive
        if former is not None and (
            former.closing or former.peer.hung_up() or peer.session_options.takes_over
        ):
            self._check_address_without(former, network)
            former.end()
            if not former.closing:
                former.peer.session_ended("logged-in-elsewhere", "You have logged in elsewhere.")
        if mailbox.exclusive is not None or mailbox.opening:
            raise AlreadyLoggedIn()

    async def _open(self, mailbox: Mailbox, account: Account, peer: Peer, proof: Proof) -> Session:
        context = self._context
        endings = mailbox.endings
        await self._load(mailbox, account)
        rooms: list[Room | None] = []
        memberships = None
        # The account may join a room while its others are loaded.
        while peer.session_options.rooms and memberships is not mailbox.memberships:
            memberships = mailbox.memberships
            rooms = await context.rooms.load(rooms_in_scope(proof.scope, memberships))
        # `end` does not find a session that is not open yet.
        if mailbox.deleted:
            raise UnknownAccount()
        if mailbox.endings != endings:
            raise Busy(ENDED)
        kind = Session if proof.scope is None else ScopedSession
        session = kind(context, mailbox, account.created, peer, proof)
        if account.changed > min(mailbox.state.seen, context.now() - _NEWS):
            session.changed = account.changed
        for room in rooms:
            # Another room may have the name meanwhile.
            membership = None if room is None else mailbox.memberships.get(room.name)
            if room is not None and membership is not None and membership.room == room.id:
                session.add(room, membership.state.cursor)
        if len(mailbox.subscriptions) == 1 and proof.scope is None:
            context.presence.account_connected(session)
        return session

    async def open_mail_fetch(self, name: str, account: Account) -> MailFetch:
        """Fetch the waiting mail of an account without a session.

        Raises `UnknownAccount` if the account has been deleted, `Busy` if `account` is no longer
        its record, `Suspended`, `StoreUnavailable`. `end` ends it with the sessions of the account.
        """
        mailbox = self.hold(name, account)
        endings = mailbox.endings
        with self.reserved(mailbox):
            await self._load(mailbox, account)
            mailbox.reserved += 1
        return MailFetch(self._context, mailbox, endings, lambda: self._unreserve(mailbox))

    async def _load(self, mailbox: Mailbox, account: Account) -> None:
        """Load a reserved mailbox, if its account still has this record."""
        stored = await mailbox.load(self._context.documents)
        if stored is None or mailbox.deleted:
            raise UnknownAccount()
        if stored != account:
            raise Busy("This account has just been changed: log in again.")
        check_not_suspended(stored, self._context.now())

    def session_ended(self, session: Session) -> None:
        """A session has ended (`Session.end`)."""
        presence = self._context.presence
        presence.unwatch_all(session)
        self._left_network(session.network)
        mailbox = session.mailbox
        if not mailbox.subscriptions and session.scope is None:
            if not mailbox.deleted:
                mailbox.state.seen = max(mailbox.state.seen, self._context.now())
                self._context.positions.changed(mailbox.state, session.options.save_within)
            presence.account_disconnected(session)
        mailbox.release_if_idle()

    def end(
        self,
        account: int,
        code: str,
        sentence: str,
        excluded: Session | None = None,
        ends: Callable[[Session], bool] = lambda session: True,
    ) -> int:
        """End the sessions of an account that `ends` selects, all but `excluded`, with this reason;
        return their number. Logins and fetches of mail that are under way are refused."""
        mailbox = self._mailboxes.get(account)
        if mailbox is not None:
            mailbox.endings += 1
        sessions = [
            session
            for session in (() if mailbox is None else mailbox.all_sessions)
            if session is not excluded and ends(session)
        ]
        for session in sessions:
            session.end()
            session.peer.session_ended(code, sentence)
        return len(sessions)

    def account_deleted(self, account: int, requester: Session | None) -> None:
        """End all sessions of an account that has been deleted; its requester is answered."""
        mailbox = self._mailboxes.get(account)
        if mailbox is not None:
            mailbox.deleted = True
            for state in (
                mailbox.state,
                *(membership.state for membership in mailbox.memberships.values()),
            ):
                self._context.positions.discard(state)
            self._live_logs.pop(mailbox.log, None)
            for session in mailbox.all_sessions:
                session.end()
                if session is not requester:
                    session.peer.session_ended("account-deleted", "The account has been deleted.")
            self.release(mailbox)

    # Finding sessions

    def online(self, name: str) -> bool:
        """Whether an account has a session, or is logging in."""
        mailbox = self._by_name.get(name.lower())
        return mailbox is not None and bool(mailbox.subscriptions or mailbox.logins)

    def appears_online(self, name: str) -> bool:
        """Whether other accounts may know that an account has a session, or is logging in: it is
        not hidden (`Presence.set_presence`)."""
        mailbox = self._by_name.get(name.lower())
        if mailbox is None or not mailbox.loaded or mailbox.settings.hidden:
            return False
        return bool(mailbox.subscriptions or mailbox.logins)

    def is_in_use(self, name: str, besides: Session | None = None) -> bool:
        """As `appears_online`; but neither `besides` counts, nor a session whose client has hung
        up and which only waits for the store."""
        if not self.appears_online(name):
            return False
        mailbox = self._by_name[name.lower()]
        return mailbox.logins > 0 or any(
            session is not besides and not session.closing and not session.peer.hung_up()
            for session in mailbox.sessions
        )

    def all(self) -> list[Session]:
        """All sessions, also those with a scope."""
        return [session for mailbox in self._mailboxes.values() for session in mailbox.all_sessions]

    def accounts(self) -> list[int]:
        """The ids of the accounts whose mailboxes this daemon holds."""
        return list(self._mailboxes)

    def of(self, account: int) -> list[Session]:
        """The sessions of an account that follow its mailbox."""
        mailbox = self._mailboxes.get(account)
        return [] if mailbox is None else mailbox.sessions

    def members(self, room: Room) -> list[int]:
        """The ids of the members of a room whose mailboxes this daemon holds."""
        return [
            mailbox.account
            for mailbox in self._mailboxes.values()
            if room.name in mailbox.memberships and mailbox.memberships[room.name].room == room.id
        ]

    # Mailboxes

    def mailbox(self, account: int) -> Mailbox | None:
        """The mailbox of an account, if this daemon holds it."""
        return self._mailboxes.get(account)

    def hold(self, name: str, account: Account) -> Mailbox:
        """The mailbox of an account, which may have to be loaded."""
        mailbox = self._mailboxes.get(account.id)
        if mailbox is None:
            log, log_name = self._context.accounts.mailbox(name, account.id)
            mailbox = Mailbox(
                self._context.store, account.id, name, log, log_name, self._release_idle
            )
            self._mailboxes[account.id] = mailbox
            current = self._by_name.get(name.lower())
            # A former account of the name, which is found to be deleted when its mailbox is loaded,
            # must not hide the present one.
            if current is None or current.account < account.id:
                self._by_name[name.lower()] = mailbox
            self._live_logs[log] = mailbox
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

    def release(self, mailbox: Mailbox) -> None:
        """Stop holding a mailbox."""
        if self._mailboxes.get(mailbox.account) is mailbox:
            del self._mailboxes[mailbox.account]
            self._live_logs.pop(mailbox.log, None)
        if self._by_name.get(mailbox.owner.lower()) is mailbox:
            del self._by_name[mailbox.owner.lower()]
