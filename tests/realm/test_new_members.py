"""From which entry on a new member follows a room, whatever is sent to it at that moment."""

from __future__ import annotations

from typing import Any

from chatd.core.errors import Refused
from chatd.realm.session import Session
from chatd.stores import Change
from tests.doubles.realm import AckRecorder, Text
from tests.realm.case import AckRealmCase


class NewMembers(AckRealmCase):
    """Ann and Bob become members while others send; the store works in single steps."""

    def meet(self, steps: int) -> None:
        """Begin anew: Ann creates a room and, so many steps of the store later, Bob joins it and
        sends a text."""
        self.setUp()

        async def join_and_send() -> None:
            for text in ("hello", "again"):
                try:
                    await self.realm.rooms.join(self.bob, "#room")
                    await self.realm.deliver(self.bob, Text(self.bob.name, "#room", text))
                except Refused:
                    return
                self.realm.flush()

        self.store.eager = False
        self.begin(self.realm.rooms.create(self.ann, "#room", "", False))
        for _ in range(steps):
            self.store.release()
        self.begin(join_and_send())
        self.harness.settle()

    def check(self, session: Session, peer: AckRecorder) -> None:
        """The session has been pushed everything after what counts as read."""
        membership = session.mailbox.memberships.get("#room")
        if membership is not None:
            first = membership.state.cursor.upto + 1
            head = session.subscriptions["#room"].live_log.head
            seqs = [entry[0] for entry in peer.logs.get("#room", ())]
            self.assertEqual(seqs, list(range(first, head + 1)))

    def test_room_is_joined_while_it_is_created(self) -> None:
        """Neither its owner nor the new member misses an entry."""
        for steps in range(12):
            self.meet(steps)
            with self.subTest(steps=steps):
                self.check(self.ann, self.ann_peer)
                self.check(self.bob, self.bob_peer)

    def test_texts_before_the_joining_count_as_read(self) -> None:
        """They are committed together with it, and the new member is not pushed them."""
        self.create_room(self.ann)
        rows = self.realm.rooms._member_rows

        def send_before(*arguments: Any) -> list[Change]:
            self.realm.send(self.ann, [Text(self.ann.name, "#room", "before")])
            return rows(*arguments)

        self.patch(self.realm.rooms, "_member_rows", send_before)
        self.run_now(self.realm.rooms.join(self.bob, "#room"))
        self.check(self.bob, self.bob_peer)
        self.assertEqual([entry[2] for entry in self.bob_peer.logs["#room"]], ["join"])
        self.harness.runner.clock.advance(1.0)
        self.harness.settle()
        self.harness = self.harness.restart()
        self.realm = self.harness.realm
        session, peer = self.login("bob")
        self.run_now(session.catch_up())
        self.assertEqual([entry[2] for entry in peer.logs["#room"]], ["join"])
