"""Doubles for the neighbours of the realm: a store that commits when told, a peer with a small
buffer."""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine, Mapping, Sequence
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.python.failure import Failure

from chatd.core.entries import Entry
from chatd.core.limits import Limits
from chatd.realm.accounts import Account
from chatd.realm.ack_session import AckSession
from chatd.realm.auto_ack_session import AutoAckSession
from chatd.realm.live_log import Run
from chatd.realm.realm import Realm
from chatd.realm.session import Peer
from chatd.realm.tasks import Tasks
from chatd.stores import Append
from chatd.stores.memory import MemoryStore


class HeldStore(MemoryStore):
    """Commits when the test says so, or at once while `eager`."""

    eager = True

    def flush(self) -> None:
        """See `Store.flush`."""
        if self.eager:
            super().flush()

    def release(self) -> None:
        """Commit what is waiting now, and tell of it."""
        if self._open:
            batch = self._take_open()
            self._commit(batch)
            self._answer(batch)

    def crash(self) -> None:
        """Forget what was not committed."""
        self._open = []
        self._calls = 0


class Runner:
    """Runs the realm's background work on a `Clock`, and keeps what failed."""

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


class Follower(Peer):
    """A peer that acknowledges: keeps what it is handed, by log, as (seq, sender, kind, body).
    After `room` entries it is not writable until `drain`."""

    about = "a test"

    def __init__(self) -> None:
        self.room: int | None = None
        self.full = False
        self.logs: dict[str, list[tuple[int, str, str, str]]] = {}
        self.answers: list[Append] = []
        self.receipts: list[tuple[str, str, int]] = []
        self.echoes: list[str] = []
        self.rooms_left: list[str] = []

    @property
    def writable(self) -> bool:
        """See `Peer`."""
        return not self.full

    def show(self, runs: Sequence[Run]) -> None:
        """See `Peer`."""
        for run in runs:
            self._take(run.log, run)

    def _take(self, log: str, entries: Sequence[Entry | Append]) -> None:
        taken = self.logs.setdefault(log, [])
        taken += [(entry.seq, entry.sender, entry.kind, entry.body) for entry in entries]
        if self.room is not None:
            self.room -= len(entries)
            self.full = self.room < 0

    def answer(self, appends: Sequence[Append]) -> None:
        """See `Peer`."""
        self.answers += appends

    def echo(self, appends: Sequence[Append]) -> None:
        """See `Peer`."""
        self.echoes += [append.body for append in appends]

    def receipt(self, log: str, what: str, seqs: Sequence[int]) -> None:
        """See `Peer`."""
        self.receipts += [(log, what, seq) for seq in seqs]

    def left(self, room: str, reason: str) -> None:
        """See `Peer`."""
        self.rooms_left.append(room)

    def session_ended(self, code: str, sentence: str) -> None:
        """See `Peer`."""

    def drain(self) -> None:
        """It reads again."""
        self.room = None
        self.full = False


OPEN = Account(0)
"""the accounts of these tests"""


class Reader(Peer):
    """A peer that keeps what it is handed. After `room` entries the rest stays in its buffer, and
    it is not writable until `drain`."""

    def __init__(self) -> None:
        self.room: int | None = None
        self.received: list[Entry | Append] = []
        self.buffered = 0
        self.lost = 0
        self.answers: list[Append] = []
        self.dismissed = ""

    about = "a test"

    def session_ended(self, code: str, sentence: str) -> None:
        """See `Peer`."""
        self.dismissed = code

    @property
    def writable(self) -> bool:
        """See `Peer`."""
        return not self.buffered

    def show(self, runs: Sequence[Run]) -> None:
        """See `Peer`."""
        for run in runs:
            self._take(run)

    def _take(self, entries: Sequence[Entry | Append]) -> None:
        self.received += entries
        if self.room is not None:
            self.buffered += max(0, len(entries) - self.room)
            self.room = max(0, self.room - len(entries))
            # A full buffer shows with the first entry that does not fit.

    def answer(self, appends: Sequence[Append]) -> None:
        """See `Peer`."""
        self.answers += appends

    def unsent(self) -> list[int]:
        """See `Peer`."""
        return [entry.seq for entry in self.received[len(self.received) - self.buffered :]]

    def not_arrived(self) -> list[int]:
        """See `Peer`."""
        return [
            entry.seq
            for entry in self.received[len(self.received) - max(self.buffered, self.lost) :]
        ]

    def drain(self) -> None:
        """The buffer has gone out."""
        self.room = None
        self.buffered = 0

    @property
    def texts(self) -> list[str]:
        """What was said, in the order in which it came."""
        return [entry.body for entry in self.received]


class Said(msgspec.Struct, frozen=True):
    """See `chatd.realm.realm.Message`."""

    sender: str
    recipient: str
    text: str
    frame: bytes | None = None
    key: str | None = None


async def hash_password(password: str) -> str:
    """A hash that costs nothing."""
    return "hash of " + password


class RealmHarness:
    """A realm with accounts, over a store that the test controls."""

    def __init__(self, store: HeldStore | None = None, boot: str = "boot", **limits: Any) -> None:
        self.store = store or HeldStore()
        self.runner = Runner()
        self.hash_password = hash_password
        self.realm = Realm(
            self.store,
            self.runner.background,
            Limits(**limits),
            lambda password: self.hash_password(password),
            boot=boot,
        )
        self.sessions: dict[str, AutoAckSession] = {}

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """The result of a coroutine that needs nothing but the store."""
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
        """Make open accounts."""
        for name in names:
            self.run(self.realm.accounts.register(name, OPEN))

    def login(self, name: str) -> Reader:
        """Log a new reader in."""
        subscription = Reader()
        self.sessions[name] = self.run(
            self.realm.sessions.open_auto_ack_session(name, OPEN, subscription)
        )
        return subscription

    def follow(self, name: str, positions: Mapping[str, int]) -> tuple[AckSession, Follower]:
        """Log a follower in."""
        peer = Follower()
        session = self.run(self.realm.sessions.open_ack_session(name, OPEN, peer))
        session.wants_receipts = True
        session.begin(positions)
        return session, peer

    def send(self, sender: str, recipient: str, *texts: str) -> None:
        """Send texts, each known recipient at once."""
        session = self.sessions[sender]
        messages = [Said(sender, recipient, text) for text in texts]
        if messages:
            self.run(self.realm.deliver(session, messages[0]))
        _, refusal = self.realm.send(session, messages[1:])
        if refusal is not None:
            raise refusal
        self.realm.flush()

    def fetch(self, name: str) -> None:
        """Ask for the waiting mail."""
        self.sessions[name].fetch_mail()
        self.catch_up(name)

    def catch_up(self, name: str) -> None:
        """What a protocol does when its connection has drained."""
        if self.sessions[name].behind:
            self.run(self.sessions[name].catch_up())

    def logout(self, name: str) -> None:
        """The connection ends."""
        self.sessions.pop(name).end()

    def settle(self) -> None:
        """Commit until there is nothing left to commit."""
        for _ in range(100):
            if not self.store._open:
                return
            self.store.release()
        raise AssertionError("the store never comes to rest")

    def restart(self, boot: str = "boot") -> RealmHarness:
        """kill -9 and a new daemon on the same store."""
        self.store.crash()
        harness = RealmHarness(self.store, boot)
        harness.run(harness.realm.start())
        return harness
