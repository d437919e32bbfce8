"""The realm in memory: peers that record what they are sent, and a harness with accounts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.python.failure import Failure

from chatd.core.entries import Entry
from chatd.core.limits import Limits
from chatd.core.names import REPORTS, is_room, mailbox_log, mailbox_name, room_log
from chatd.realm.accounts import Account
from chatd.realm.documents import Stored
from chatd.realm.live_log import Run
from chatd.realm.mailbox import Mailbox
from chatd.realm.peer import Peer, SessionOptions
from chatd.realm.positions import VERY_SOON
from chatd.realm.realm import Realm
from chatd.realm.room import RoomRecord
from chatd.realm.session import Session
from chatd.realm.tasks import Tasks
from chatd.stores import Append, Store
from tests.doubles.stores import NULL_ORIGIN, HeldStore

T = TypeVar("T", bound=Entry | Append)


def new_mailbox(
    store: Store, account: int, owner: str, on_idle: Callable[[Mailbox], None]
) -> Mailbox:
    """A mailbox of an account that is not loaded."""
    return Mailbox(store, account, owner, mailbox_log(account), mailbox_name(owner), on_idle)


class Runner:
    """Runs the realm's background work on a `Clock`, and records its failures."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.failures: list[Failure] = []
        self.background = Tasks(self.spawn, self.sleep)

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """See `Tasks`."""
        Deferred.fromCoroutine(coroutine).addErrback(self.failures.append)

    def sleep(self, seconds: float) -> Awaitable[object]:
        """See `Tasks`."""
        return deferLater(self.clock, seconds)


def without_origin(entries: Sequence[T]) -> list[T]:
    """Copies of appends that do not refer to their sender; other entries as they are.

    Python does not look for reference cycles in an `Append`: a recorder that held one would never
    be released, with its realm.
    """
    return [
        msgspec.structs.replace(entry, origin=NULL_ORIGIN) if isinstance(entry, Append) else entry
        for entry in entries
    ]


class AckRecorder(Peer):
    """A peer whose client can acknowledge, and which records what it is sent.

    `logs` has the entries of each log as (seq, sender, kind, body). After `capacity` entries the
    peer is not writable until `drain`; None: it always is.
    """

    about = "a test"

    def __init__(self) -> None:
        self.capacity: int | None = None
        self.full = False
        self.logs: dict[str, list[tuple[int, str, str, str]]] = {}
        self.answers: list[Append] = []
        self.receipts: list[tuple[str, str, int]] = []
        self.echoes: list[str] = []
        self.rooms_joined: list[str] = []
        self.rooms_left: list[tuple[str, str]] = []
        """(room, reason)"""
        self.presences: list[tuple[str, str, str, int]] = []
        """(name, status, text, seen)"""
        self.typing_notices: list[tuple[str, str, bool]] = []
        """(log, name, typing)"""
        self.announcements: list[tuple[int, str]] = []
        """(time, text)"""
        self.charged = 0.0
        """the commands that its work was counted as"""
        self.ended_with = ""
        self.writes_separately = False

    @property
    def separate_writes(self) -> bool:
        """See `Peer`."""
        return self.writes_separately

    @property
    def writable(self) -> bool:
        """See `Peer`."""
        return not self.full

    def show(self, runs: Sequence[Run]) -> None:
        """See `Peer`."""
        for run in runs:
            self._take(run.log, run.entries)

    def _take(self, log: str, entries: Sequence[Entry | Append]) -> None:
        taken = self.logs.setdefault(log, [])
        taken += [(entry.seq, entry.sender, entry.kind, entry.body) for entry in entries]
        if self.capacity is not None:
            self.capacity -= len(entries)
            self.full = self.capacity < 0

    def answer(self, appends: Sequence[Append]) -> None:
        """See `Peer`."""
        self.answers += without_origin(appends)

    def echo(self, appends: Sequence[Append]) -> None:
        """See `Peer`."""
        self.echoes += [append.body for append in appends]

    def receipt(self, log: str, what: str, seqs: Sequence[int]) -> None:
        """See `Peer`."""
        self.receipts += [(log, what, seq) for seq in seqs]

    def left(self, room: str, reason: str, note: str = "", until: int = 0) -> None:
        """See `Peer`."""
        self.rooms_left.append((room, f"{reason}: {note}" if note else reason))

    def joined(self, log: str) -> None:
        """See `Peer`."""
        self.rooms_joined.append(log)

    def presence(self, name: str, status: str, text: str, seen: int) -> None:
        """See `Peer`."""
        self.presences.append((name, status, text, seen))

    def typing(self, log: str, name: str, typing: bool) -> None:
        """See `Peer`."""
        self.typing_notices.append((log, name, typing))

    def announcement(self, time: int, text: str) -> None:
        """See `Peer`."""
        self.announcements.append((time, text))

    def session_ended(self, code: str, sentence: str) -> None:
        """See `Peer`."""
        self.ended_with = code

    def charge(self, commands: float) -> None:
        """See `Peer`."""
        self.charged += commands

    def drain(self) -> None:
        """Make it writable again, without a limit."""
        self.capacity = None
        self.full = False


class AutoAckRecorder(Peer):
    """A peer whose client cannot acknowledge, and which records what it is sent; `arrive`
    acknowledges for the client, as `chatd.server.arrivals` does.

    After `capacity` entries the others stay in its buffer, `buffered` of them, and it is not
    writable until `drain`. The last `lost` entries do not arrive at the other end.
    """

    about = "a test"
    session_options = SessionOptions(
        exclusive=True, fetches=True, rooms=False, save_within=VERY_SOON
    )
    session: Session

    def __init__(self, options: SessionOptions | None = None) -> None:
        if options is not None:
            self.session_options = options
        self.capacity: int | None = None
        self.received: list[Entry | Append] = []
        self.buffered = 0
        self.lost = 0
        self.answers: list[Append] = []
        self.ended_with = ""
        # The log and the seq of each entry that has not been acknowledged.
        self._outstanding: list[tuple[str, int]] = []

    def session_ended(self, code: str, sentence: str) -> None:
        """See `Peer`."""
        self.ended_with = code

    @property
    def writable(self) -> bool:
        """See `Peer`."""
        return not self.buffered

    def show(self, runs: Sequence[Run]) -> None:
        """See `Peer`."""
        for run in runs:
            self._take(run.log, run.entries)

    def _take(self, log: str, entries: Sequence[Entry | Append]) -> None:
        self.received += without_origin(entries)
        first = entries[0].seq
        # As `chatd.server.write_tracker` does: the entries of a run have successive seqs.
        self._outstanding += [(log, first + number) for number in range(len(entries))]
        if self.capacity is not None:
            self.buffered += max(0, len(entries) - self.capacity)
            self.capacity = max(0, self.capacity - len(entries))

    def answer(self, appends: Sequence[Append]) -> None:
        """See `Peer`."""
        self.answers += without_origin(appends)

    def arrive(self) -> None:
        """Acknowledge the entries that have arrived at the other end."""
        count = len(self._outstanding) - max(self.buffered, self.lost)
        arrived, self._outstanding = self._outstanding[:count], self._outstanding[count:]
        for log, seq in arrived:
            self.session.acknowledge(log, seq, seq)

    def drain(self) -> None:
        """Write out the buffer, and make the peer writable without a limit."""
        self.capacity = None
        self.buffered = 0

    @property
    def texts(self) -> list[str]:
        """The texts it was sent, in order."""
        return [entry.body for entry in self.received]


class Text(msgspec.Struct, frozen=True):
    """A message to send; see `chatd.realm.realm.OutgoingMessage`."""

    sender: str
    recipient: str
    text: str
    key: str | None = None


async def hash_password(password: str) -> str:
    """A hash that costs nothing."""
    return "hash of " + password


class RealmHarness:
    """A realm with accounts, over a store that the test controls."""

    def __init__(self, store: HeldStore | None = None, now: int = 0, **limits: Any) -> None:
        self.store = store or HeldStore()
        self.runner = Runner()
        self.hash_password = hash_password
        self.now = now
        """milliseconds since 1970 (UTC)"""
        self.realm = Realm(
            self.store,
            self.runner.background,
            Limits(**limits),
            lambda password, client: self.hash_password(password),
            now=lambda: self.now,
            seconds=self.runner.clock.seconds,
        )
        self.sessions: dict[str, Session] = {}
        """those opened by `login`"""

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """The result of a coroutine that waits for nothing but the store."""
        results: list[Any] = []
        Deferred.fromCoroutine(coroutine).addBoth(results.append)
        for _ in range(100):
            if results:
                break
            self.store.release()
        (result,) = results
        if isinstance(result, Failure):
            result.raiseException()
        return result

    def register(self, *names: str) -> None:
        """Create open accounts."""
        for name in names:
            account = Account(self.now, id=self.realm.new_id())
            self.run(self.realm.accounts.register(name, account))

    def account(self, name: str) -> Account:
        """The stored record of an account."""

        async def read() -> Account:
            stored: Stored[Account] | None = await self.realm.documents.get(Account, name)
            assert stored is not None
            return stored.record

        account: Account = self.run(read())
        return account

    def mailbox(self, name: str) -> Mailbox | None:
        """The mailbox of an account, if the realm holds it."""
        return self.realm.sessions.mailbox(self.account(name).id)

    def log(self, name: str) -> str:
        """The name in the store of the log that clients know by `name`; that of a log that was
        never there if there is no such account or room."""
        if name == REPORTS:
            return name
        kind: Any = RoomRecord if is_room(name) else Account

        async def read() -> str:
            stored = await self.realm.documents.get(kind, name.removeprefix("@"))
            id = 0 if stored is None else stored.record.id
            return room_log(id) if is_room(name) else mailbox_log(id)

        log: str = self.run(read())
        return log

    def open(self, name: str, peer: Peer, positions: Mapping[str, int] | None = None) -> Session:
        """Open a session, and begin it."""
        session: Session = self.run(self.realm.sessions.open(name, self.account(name), peer))
        session.begin(positions or {})
        return session

    def login(self, name: str, options: SessionOptions | None = None) -> AutoAckRecorder:
        """Log in with a peer whose client cannot acknowledge."""
        recorder = AutoAckRecorder(options)
        self.sessions[name] = recorder.session = self.open(name, recorder)
        return recorder

    def login_ack(
        self, name: str, positions: Mapping[str, int] | None = None
    ) -> tuple[Session, AckRecorder]:
        """Log in with a peer whose client acknowledges, and has the logs up to these seqs."""
        peer = AckRecorder()
        session = self.open(name, peer, positions)
        session.wants_receipts = True
        return session, peer

    def send(self, sender: str, recipient: str, *texts: str) -> None:
        """Send texts. Raises the refusal of the first that is refused."""
        session = self.sessions[sender]
        messages = [Text(sender, recipient, text) for text in texts]
        if messages:
            self.run(self.realm.deliver(session, messages[0]))
        _, refusal = self.realm.send(session, messages[1:])
        if refusal is not None:
            raise refusal
        self.realm.flush()

    def fetch(self, name: str) -> None:
        """Fetch the waiting mail."""
        self.sessions[name].fetch_mail()
        self.catch_up(name)

    def catch_up(self, name: str) -> None:
        """Continue a session that is behind, as when its connection is writable again."""
        if self.sessions[name].behind:
            self.run(self.sessions[name].catch_up())

    def logout(self, name: str) -> None:
        """End the session, after what has arrived is acknowledged."""
        session = self.sessions.pop(name)
        assert isinstance(session.peer, AutoAckRecorder)
        session.peer.arrive()
        session.end()

    def settle(self) -> None:
        """Commit until nothing is left to commit."""
        for _ in range(100):
            if not self.store._open:
                return
            self.store.release()
        raise AssertionError("there is always something left to commit")

    def save(self) -> None:
        """Save what has been acknowledged and read, and wait for it."""
        self.run(self.realm.positions.save())

    def restart(self) -> RealmHarness:
        """Kill the daemon and start another one on the same store."""
        self.store.crash()
        harness = RealmHarness(self.store, self.now)
        harness.run(harness.realm.start())
        return harness
