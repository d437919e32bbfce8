"""Deleting an account that becomes a member, or is invited, after its rooms were read."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import Deferred

from chatd.core.errors import NotLoggedIn, UnknownAccount
from chatd.realm.documents import Documents
from chatd.realm.membership import (
    InvitationRecord,
    InvitedRecord,
    MemberRecord,
    MembershipRecord,
)
from chatd.realm.room import RoomRecord
from tests.doubles.realm import AckRecorder
from tests.realm.case import AckRealmCase


class DeletionRaces(AckRealmCase):
    """Something is done between reading the rooms of Ann's account and deleting it."""

    def delete_ann_but_first(
        self, coroutine: Coroutine[Any, Any, Any], after: str = "withdrawing_all"
    ) -> None:
        """Delete Ann's account; `coroutine` is run when the method `after` of the rooms is done."""
        read = getattr(self.realm.rooms, after)
        waiting = [coroutine]

        async def read_and_go_on(*arguments: Any) -> Any:
            result = await read(*arguments)
            if waiting:
                await waiting.pop()
            return result

        self.patch(self.realm.rooms, after, read_and_go_on)
        self.run_now(self.realm.delete(self.ann))

    def stored(self, *records: Any) -> list[int]:
        """How many records there are of these types, in the scopes of Ann's account and #room."""
        room = self.result(self.realm.documents.get(RoomRecord, "#room"))
        scopes = [str(self.ann.account), *([] if room is None else [str(room.record.id)])]
        return [
            sum(self.result(self.realm.documents.count(record, scope)) for scope in scopes)
            for record in records
        ]

    def test_room_that_is_created_meanwhile_is_deleted(self) -> None:
        """It would have an owner that does not exist."""
        self.delete_ann_but_first(self.realm.rooms.create(self.ann, "#room", "", False))
        self.assertIsNone(self.result(self.realm.documents.get(RoomRecord, "#room")))
        self.assertEqual(self.stored(MembershipRecord), [0])

    def test_room_that_is_joined_meanwhile_is_left(self) -> None:
        """It would have a member that does not exist."""
        self.create_room(self.bob)
        self.delete_ann_but_first(self.realm.rooms.join(self.ann, "#room"))
        self.assertEqual(self.stored(MemberRecord, MembershipRecord), [1, 0])

    def test_room_that_is_left_meanwhile(self) -> None:
        """The account is deleted, and the room has its other member."""
        self.create_room(self.bob, self.ann)
        self.delete_ann_but_first(self.realm.rooms.leave(self.ann, "#room"))
        self.assertEqual(self.stored(MemberRecord, MembershipRecord), [1, 0])

    def test_room_that_is_deleted_meanwhile(self) -> None:
        """The account is deleted nevertheless, whether its rooms were just found or read."""
        for after in ("load", "leaving_all"):
            with self.subTest(after=after):
                self.create_room(self.bob, self.ann)
                self.delete_ann_but_first(self.realm.rooms.delete(self.bob, "#room"), after)
                self.assertEqual(self.stored(MembershipRecord), [0])
                self.assertIsNone(self.result(self.realm.accounts.account("Ann")))
                self.harness.register("Ann")
                self.ann, self.ann_peer = self.login("Ann")

    def test_invitation_that_is_made_meanwhile_is_withdrawn(self) -> None:
        """A room would list an invited account that does not exist."""
        self.create_room(self.bob)
        self.delete_ann_but_first(self.realm.rooms.invite(self.bob, "#room", "Ann"))
        self.assertEqual(self.stored(InvitationRecord, InvitedRecord), [0, 0])

    def test_requests_that_meet_a_deletion(self) -> None:
        """Each is carried out, or refused because there is no such account any more."""
        rooms = self.realm.rooms
        for request in ("invite", "set_topic", "kick", "set_role", "leave"):
            for steps in range(12):
                self.setUp()
                rooms = self.realm.rooms
                self.create_room(self.ann, self.bob)
                self.harness.register("cat")
                cat, _ = self.login("cat")
                self.store.eager = False
                deleted = self.begin(self.realm.delete(cat if request == "invite" else self.ann))
                for _ in range(steps):
                    self.store.release()
                arguments = {
                    "invite": ("cat",),
                    "set_topic": ("x",),
                    "kick": ("bob",),
                    "set_role": ("bob", "moderator"),
                }.get(request, ())
                asked = self.begin(getattr(rooms, request)(self.ann, "#room", *arguments))
                self.harness.settle()
                with self.subTest(request=request, steps=steps):
                    self.successResultOf(deleted)
                    asked.addErrback(lambda failure: failure.trap(UnknownAccount, NotLoggedIn))
                    self.successResultOf(asked)


class NextMember(AckRealmCase):
    """A member of #room is deleted while a request concerns it, and the next account of its name
    joins: the request finds that account, which has a row of its own."""

    def perform(self, request: Coroutine[Any, Any, Any]) -> Deferred[Any]:
        """Perform a request; once it has read the row of bob, another account is bob."""
        get = Documents.get
        waiting = [self.replace_bob]

        async def get_and_go_on(
            documents: Documents, record: Any, key: str, scope: str = ""
        ) -> Any:
            stored = await get(documents, record, key, scope)
            if record is MemberRecord and key == "bob" and waiting:
                await waiting.pop()()
            return stored

        self.create_room(self.ann, self.bob)
        self.patch(Documents, "get", get_and_go_on)
        performed = self.begin(request)
        self.harness.settle()
        return performed

    async def replace_bob(self) -> None:
        """Bob's account is deleted, and the next one of its name joins #room."""
        former = self.bob.account
        await self.realm.delete(self.bob)
        account = await self.realm.register("bob")
        self.assertNotEqual(account.id, former)
        session = await self.realm.sessions.open("bob", account, AckRecorder())
        await self.realm.rooms.join(session, "#room")

    def members(self) -> list[tuple[str, str]]:
        """The members of #room with their roles."""
        members, _ = self.run_now(self.realm.rooms.members(self.ann, "#room", "", 9))
        return list(members)

    def test_kick(self) -> None:
        """The request is considered again: it names the next account by now."""
        self.successResultOf(self.perform(self.realm.rooms.kick(self.ann, "#room", "bob")))
        self.assertEqual(self.members(), [("Ann", "owner")])
        _, account = self.run_now(self.realm.accounts.existing("bob"))
        rooms = self.realm.documents.count(MembershipRecord, str(account.id))
        self.assertEqual(self.result(rooms), 0)

    def test_role(self) -> None:
        """The role is that of the next account, not of the former one."""
        request = self.realm.rooms.set_role(self.ann, "#room", "bob", "moderator")
        self.successResultOf(self.perform(request))
        self.assertEqual(self.members(), [("Ann", "owner"), ("bob", "moderator")])

    def test_successor(self) -> None:
        """The next account owns the room when the owner has left it."""
        self.successResultOf(self.perform(self.realm.rooms.leave(self.ann, "#room")))
        room = self.run_now(self.realm.rooms.room("#room"))
        _, account = self.run_now(self.realm.accounts.existing("bob"))
        self.assertEqual(room.record.owner, account.id)
