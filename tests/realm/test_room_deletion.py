"""Deleting a room, and what is done with its name at the same moment."""

from __future__ import annotations

from collections.abc import Sequence

from chatd.realm import rooms
from chatd.realm.room import RoomRecord
from chatd.stores import Change
from tests.realm.case import AckRealmCase


class RoomDeletion(AckRealmCase):
    """Ann and Bob are members."""

    def test_there_is_always_a_lobby(self) -> None:
        """An operator's deletion replaces it in one step, in which the daemon may die."""
        self.run_now(self.realm.rooms.start())
        for session in (self.ann, self.bob):
            self.run_now(self.realm.rooms.join(session, "#lobby"))
        former = self.run_now(self.realm.rooms.room("#lobby"))
        write = self.store.write
        written: list[bool] = []

        def write_and_look(changes: Sequence[Change]) -> object:
            answer = write(changes)
            lobby = self.result(self.realm.documents.get(RoomRecord, "#lobby"))
            written.append(lobby is not None and lobby.record.id != former.id)
            return answer

        self.patch(self.store, "write", write_and_look)
        self.run_now(self.realm.rooms.delete_by_operator("#lobby"))
        self.assertEqual(written, [True])
        self.assertEqual(self.ann_peer.rooms_left, [("#lobby", "deleted")])
        self.assertEqual(self.run_now(self.realm.rooms.join(self.ann, "#lobby")).members, 1)

    def test_lobby_can_be_joined_while_it_is_replaced(self) -> None:
        """However the requests meet, the account becomes a member of one of the two."""
        for first in (True, False):
            for steps in range(8):
                self.setUp()
                self.run_now(self.realm.rooms.start())
                self.store.eager = False
                requests = [
                    self.realm.rooms.join(self.ann, "#lobby"),
                    self.realm.rooms.delete_by_operator("#lobby"),
                ]
                results = [self.begin(requests.pop(first))]
                for _ in range(steps):
                    self.store.release()
                results.append(self.begin(requests.pop()))
                self.harness.settle()
                with self.subTest(first=first, steps=steps):
                    for result in results:
                        self.successResultOf(result)

    def test_name_is_used_again_before_all_members_are_notified(self) -> None:
        """A session that was not notified yet follows the new room from then on."""
        self.patch(rooms, "_AT_ONCE", 1)
        self.create_room(self.ann, self.bob)
        deleted = self.begin(self.realm.rooms.delete(self.ann, "#room"))
        self.harness.settle()
        self.assertNoResult(deleted)
        self.run_now(self.realm.rooms.create(self.bob, "#room", "", False))
        self.harness.runner.clock.advance(0)
        self.successResultOf(deleted)
        self.assertEqual(self.bob_peer.rooms_left, [("#room", "deleted")])
        self.send(self.bob, "#room", "hello")
        self.assertEqual(self.bob_peer.logs["#room"][-1][-1], "hello")
        self.run_now(self.realm.rooms.join(self.ann, "#room"))
        self.assertEqual(self.ann_peer.rooms_left, [("#room", "deleted")])
