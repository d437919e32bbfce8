"""The base class of tests through the realm."""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.core.errors import Refused
from chatd.realm.session import Session
from tests.doubles.realm import AckRecorder, RealmHarness, Text
from tests.doubles.stores import FailingDocumentStore


class RealmCase(SynchronousTestCase):
    """The accounts Ann and bob, over a store that can fail."""

    limits: dict[str, Any] = {}

    def setUp(self) -> None:
        """Register the accounts."""
        self.store = FailingDocumentStore()
        self.harness = RealmHarness(self.store, now=1, **self.limits)
        self.realm = self.harness.realm
        self.harness.register("Ann", "bob")

    def tearDown(self) -> None:
        """Check that no background task has failed."""
        self.assertEqual(self.harness.runner.failures, [])

    def begin(self, coroutine: Coroutine[Any, Any, Any]) -> Deferred[Any]:
        """Start a coroutine that waits for the store."""
        return Deferred.fromCoroutine(coroutine)

    def run_now(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """The result of a coroutine that waits for nothing but the store; everything that it has
        appended is committed."""
        result = self.harness.run(coroutine)
        self.realm.flush()
        self.harness.settle()
        return result

    def refuse(self, refusal: type[Refused], coroutine: Coroutine[Any, Any, Any]) -> str:
        """Check that a coroutine is refused, and return the sentence."""
        return str(self.assertRaises(refusal, self.harness.run, coroutine))

    def result(self, awaitable: Awaitable[Any]) -> Any:
        """What something that can be awaited gives."""

        async def wait() -> Any:
            return await awaitable

        return self.harness.run(wait())

    def send(self, session: Session, recipient: str, *texts: str, key: str | None = None) -> None:
        """Send texts, which are committed."""
        for text in texts:
            self.run_now(self.realm.deliver(session, Text(session.name, recipient, text, key)))

    def log(self, name: str) -> str:
        """See `RealmHarness.log`."""
        return self.harness.log(name)

    def entries(self, log: str) -> list[tuple[int, str, str, str]]:
        """The (seq, sender, kind, body) of the entries of a log, by the name that clients use."""
        return [
            (entry.seq, entry.sender, entry.kind, entry.body)
            for entry in self.result(self.store.read(self.log(log), 0, 10_000))
        ]


class AckRealmCase(RealmCase):
    """Ann and bob are logged in with peers that acknowledge, and wait for receipts."""

    def setUp(self) -> None:
        super().setUp()
        self.ann, self.ann_peer = self.login("Ann")
        self.bob, self.bob_peer = self.login("bob")

    def login(
        self, name: str, positions: dict[str, int] | None = None
    ) -> tuple[Session, AckRecorder]:
        """Open a session that resumes from these positions."""
        return self.harness.login_ack(name, positions or {})

    def create_room(self, *members: Session, private: bool = False) -> None:
        """The first of `members` creates #room, and the others join it."""
        owner, *others = members
        self.run_now(self.realm.rooms.create(owner, "#room", "", private))
        for session in others:
            if private:
                self.run_now(self.realm.rooms.invite(owner, "#room", session.name))
            self.run_now(self.realm.rooms.join(session, "#room"))
