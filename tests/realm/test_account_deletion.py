"""Deleting an account, and registering its name again."""

from __future__ import annotations

from chatd.core.entries import Cursor
from chatd.core.errors import StoreUnavailable, UnknownAccount, UnknownRoom
from chatd.realm.accounts import Account
from chatd.realm.claims import Claim
from tests.doubles.realm import Text
from tests.doubles.stores import flush_unavailable
from tests.realm.case import AckRealmCase, RealmCase


class AccountDeletion(RealmCase):
    """Ann's account is deleted."""

    def setUp(self) -> None:
        """Ann is logged in; one message waits, and one has been received."""
        super().setUp()
        self.bob = self.harness.login("bob")
        self.harness.send("bob", "ann", "old")
        self.recorder = self.harness.login("Ann")
        self.harness.send("bob", "ann", "read")
        self.session = self.harness.sessions["Ann"]

    def test_name_is_free_and_nothing_is_left(self) -> None:
        """The next account of the name has its own spelling, and no mail, cursor or claim."""
        self.harness.run(self.realm.delete(self.session))
        self.assertTrue(self.session.ended)
        for kind in (Cursor.document_kind, Claim.document_kind):
            self.assertNotIn("@ann", self.successResultOf(self.store.list(kind)))
        self.assertEqual(self.harness.run(self.realm.accounts.names()), ["bob"])
        self.harness.register("ANN")
        recorder = self.harness.login("ANN")
        self.harness.fetch("ANN")
        self.assertEqual(recorder.texts, [])
        self.harness.send("bob", "ann", "new")
        self.assertEqual([(entry.seq, entry.body) for entry in recorder.received], [(1, "new")])

    def test_session_of_a_deleted_account_has_ended(self) -> None:
        """It gets no entries of the next account of the name, and changes nothing."""
        self.harness.run(self.realm.delete(self.session))
        self.harness.register("ann")
        new = self.harness.login("ann")
        self.session.end()
        self.harness.run(self.realm.delete(self.session))
        self.harness.send("bob", "ann", "new")
        self.assertEqual((self.recorder.texts, new.texts), (["read"], ["new"]))
        self.assertTrue(self.realm.sessions.online("ann"))

    def test_send_to_a_deleted_account(self) -> None:
        """The account is removed from the cache."""
        self.harness.run(self.realm.delete(self.session))
        self.assertEqual(
            self.realm.send(self.harness.sessions["bob"], [Text("bob", "ann", "x")]), ([], None)
        )
        self.assertIsNone(self.harness.run(self.realm.accounts.account("ann")))

    def test_message_sent_before_the_deletion(self) -> None:
        """It is answered, and does not reach the next account of the name."""
        self.store.eager = False
        self.harness.send("bob", "ann", "last")
        deleting = self.begin(self.realm.delete(self.session))
        self.harness.settle()
        self.successResultOf(deleting)
        self.assertEqual([append.body for append in self.bob.answers], ["old", "read", "last"])
        self.store.eager = True
        self.harness.register("ann")
        recorder = self.harness.login("ann")
        self.harness.fetch("ann")
        self.assertEqual(recorder.texts, [])

    def test_account_is_unknown_while_it_is_deleted(self) -> None:
        """From the beginning of the deletion on, lookups give None and nothing is sent to it."""
        self.store.eager = False
        before = self.begin(self.realm.accounts.account("ann"))
        deleting = self.begin(self.realm.delete(self.session))
        during = self.begin(self.realm.accounts.account("ann"))
        self.store.release()
        self.assertEqual(self.successResultOf(before), ("Ann", Account(0)))
        self.assertIsNone(self.successResultOf(during))
        self.assertEqual(
            self.realm.send(self.harness.sessions["bob"], [Text("bob", "ann", "x")]), ([], None)
        )
        registering = self.begin(self.realm.accounts.register("ann", Account(5)))
        self.harness.settle()
        self.successResultOf(deleting)
        self.successResultOf(registering)
        self.store.eager = True
        self.assertEqual(self.harness.run(self.realm.accounts.account("ann")), ("ann", Account(5)))

    def test_failed_deletion_changes_nothing(self) -> None:
        """If the store fails, the account stays and its session continues."""
        self.store.writable = False
        # It is in one transaction with the account, so both fail.
        self.patch(self.store, "drop", lambda log: self.store._call(self.store._fail))
        self.failureResultOf(self.begin(self.realm.delete(self.session)), StoreUnavailable)
        self.store.writable = True
        flush_unavailable(self)
        self.harness.send("bob", "ann", "after")
        self.assertEqual(self.recorder.texts, ["read", "after"])
        self.assertEqual(
            self.successResultOf(self.store.list(Account.document_kind)), ["Ann", "bob"]
        )
        self.harness.logout("Ann")
        recorder = self.harness.login("Ann")
        self.harness.fetch("Ann")
        self.assertEqual(recorder.texts, ["old"])


class DeletionWithRooms(AckRealmCase):
    """Ann, who is in rooms and has several sessions, is deleted."""

    def test_other_sessions_are_ended_with_a_reason(self) -> None:
        """The session that asked for it is answered by its protocol."""
        _, other_peer = self.login("Ann")
        recorder = self.harness.login("Ann")
        self.run_now(self.realm.delete(self.ann))
        self.assertEqual(
            (self.ann_peer.ended_with, other_peer.ended_with, recorder.ended_with),
            ("", "account-deleted", "account-deleted"),
        )

    def test_account_leaves_its_rooms(self) -> None:
        """Another member becomes the owner; the members are shown that it left."""
        self.create_room(self.ann, self.bob)
        self.run_now(self.realm.delete(self.ann))
        room = self.realm.rooms.loaded("#room")
        assert room is not None
        self.assertEqual((room.record.owner, list(room.record.members)), ("bob", ["bob"]))
        self.assertEqual(self.bob_peer.logs["#room"][-1], (3, "Ann", "leave", ""))

    def test_operator_deletes_an_account_that_is_offline(self) -> None:
        """The name may have any spelling; an unknown account is refused."""
        self.create_room(self.ann)
        self.ann.end()
        self.harness.settle()
        self.run_now(self.realm.delete_account("ANN"))
        self.assertIsNone(self.realm.sessions.mailbox("Ann"))
        self.refuse(UnknownRoom, self.realm.rooms.room("#room"))
        self.refuse(UnknownAccount, self.realm.delete_account("Ann"))

    def test_account_is_deleted_once(self) -> None:
        """The second of two concurrent requests changes nothing."""
        other, _ = self.login("Ann")
        self.store.eager = False
        requests = [self.begin(self.realm.delete(session)) for session in (self.ann, other)]
        self.harness.settle()
        for request in requests:
            self.successResultOf(request)
        self.store.eager = True
        self.assertEqual(self.harness.run(self.realm.accounts.names()), ["bob"])

    def test_room_that_the_account_has_lost_meanwhile_is_passed_over(self) -> None:
        """Its position there may be older than its membership."""
        self.create_room(self.bob, self.ann)
        position = self.ann.mailbox.read_state.positions["#room"]
        self.run_now(self.realm.rooms.kick("bob", "#room", "Ann"))
        self.ann.mailbox.read_state.positions.update({"#room": position, "#gone": position})
        self.run_now(self.realm.delete(self.ann))
        self.assertEqual(self.harness.run(self.realm.accounts.names()), ["bob"])
