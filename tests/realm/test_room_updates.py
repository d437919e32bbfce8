"""Room updates: what is written together, and changes that meet those of other writers."""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.core.errors import NotAllowed, StoreUnavailable, UnknownRoom
from chatd.realm.documents import Documents
from chatd.realm.room import Room, RoomFacts, RoomRecord
from chatd.realm.room_updates import update_room
from tests.doubles.stores import FailingDocumentStore


class RoomUpdates(SynchronousTestCase):
    """A room over a store whose commits the test controls."""

    def setUp(self) -> None:
        """An empty room."""
        self.store = FailingDocumentStore()
        self.documents = Documents(self.store)
        stored = self.successResultOf(self.begin(self.documents.create("#A", RoomRecord(1, ""))))
        self.room = Room(self.store, stored, 0)
        self.store.eager = False
        self.store.attempts = 0

    def begin(self, awaitable: Any) -> Deferred[Any]:
        """Await something."""

        async def wait() -> Any:
            return await awaitable

        return Deferred.fromCoroutine(wait())

    def add(self, name: str) -> Deferred[None]:
        """Add a member, unless the room is full with three."""

        def check(facts: RoomFacts) -> None:
            if len(facts.record.members) >= 3:
                raise NotAllowed()

        return self.begin(
            update_room(self.store, self.room, check, lambda record: record.with_member(name))
        )

    def commit(self) -> None:
        """Commit until nothing is left to commit."""
        for _ in range(20):
            self.store.release()

    def stored(self) -> RoomRecord:
        """The record in the store."""
        stored = self.begin(self.documents.get(RoomRecord, "#a"))
        self.store.release()
        record: RoomRecord = self.successResultOf(stored).record
        return record

    def test_concurrent_updates_are_written_together(self) -> None:
        """The first change is written at once, those that arrive meanwhile with one more write."""
        updates = [self.add(name) for name in ("ann", "bob", "cyd")]
        self.commit()
        for update in updates:
            self.successResultOf(update)
        self.assertEqual(self.store.attempts, 2)
        self.assertEqual(list(self.stored().members), ["ann", "bob", "cyd"])
        self.assertEqual(self.room.record, self.stored())

    def test_check_sees_the_updates_before_it(self) -> None:
        """A change is checked against the record as the changes before it leave it."""
        updates = [self.add(name) for name in ("ann", "bob", "cyd", "dee")]
        self.commit()
        for update in updates[:3]:
            self.successResultOf(update)
        self.failureResultOf(updates[3], NotAllowed)
        self.assertEqual(list(self.stored().members), ["ann", "bob", "cyd"])

    def test_update_is_applied_to_what_another_writer_stored(self) -> None:
        """Nothing of a record that was changed meanwhile is lost."""
        other = RoomRecord(1, "", "a topic", members={"eve": "eve"})
        self.store.update("room", "#a", 1, msgspec.msgpack.encode(other))
        update = self.add("ann")
        self.commit()
        self.successResultOf(update)
        self.assertEqual(self.stored(), other.with_member("ann"))

    def test_update_of_a_room_deleted_meanwhile_is_refused(self) -> None:
        """The room is not created again."""
        self.store.drop("#a")
        update = self.add("ann")
        self.commit()
        self.failureResultOf(update, UnknownRoom)

    def test_failure_of_the_store_refuses_all_updates(self) -> None:
        """The record stays as it was, and a later change succeeds."""
        self.store.writable = False
        updates = [self.add(name) for name in ("ann", "bob")]
        self.commit()
        for update in updates:
            self.failureResultOf(update, StoreUnavailable)
        self.assertEqual(self.room.record, RoomRecord(1, ""))
        self.store.writable = True
        update = self.add("cyd")
        self.commit()
        self.successResultOf(update)
        self.assertEqual(list(self.stored().members), ["cyd"])
