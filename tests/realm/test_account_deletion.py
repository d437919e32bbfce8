"""Deleting an account, and registering its name again."""

from __future__ import annotations

from chatd.core.errors import (
    Blocked,
    StoreUnavailable,
    UnknownAccount,
    UnknownRoom,
    WrongPassword,
)
from chatd.realm import changes
from chatd.realm.delivery import refusal_of
from chatd.realm.membership import MembershipRecord
from chatd.realm.read_state import Settings
from tests.doubles.realm import Text
from tests.doubles.rows import check_rows
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
        """The next account of the name has its own spelling, and no mail, position or setting."""
        self.harness.run(self.realm.blocking.set_blocked(self.session, "bob", True))
        self.recorder.arrive()
        self.harness.save()
        id = self.session.account
        self.assertEqual(len(self.result(self.store.positions(id))), 1)
        self.harness.run(self.realm.delete(self.session))
        self.assertTrue(self.session.ended)
        self.assertEqual(self.successResultOf(self.store.list(Settings.document_kind)), [])
        self.assertEqual(self.result(self.store.positions(id)), [])
        self.assertEqual(self.harness.run(self.realm.accounts.names()), ["bob"])
        self.harness.register("ANN")
        recorder = self.harness.login("ANN")
        self.harness.fetch("ANN")
        self.assertEqual(recorder.texts, [])
        self.harness.send("bob", "ann", "new")
        self.assertEqual([(entry.seq, entry.body) for entry in recorder.received], [(1, "new")])

    def test_name_is_free_at_the_moment_at_which_the_deletion_is_answered(self) -> None:
        """Whatever other clients ask about it meanwhile; messages go to the next account."""
        for steps in range(6):
            session = self.harness.sessions["Ann"]
            self.store.eager = False
            deleting = self.begin(self.realm.delete(session))
            for _ in range(steps):
                self.store.release()
            asking = self.begin(self.realm.accounts.account("ann"))
            deleting.addCallback(lambda _: self.begin(self.realm.register("Ann")))
            self.harness.settle()
            self.store.eager = True
            self.successResultOf(asking)
            self.assertNotEqual(self.successResultOf(deleting).id, session.account)
            recorder = self.harness.login("Ann")
            self.harness.send("bob", "ann", "new")
            self.assertEqual(recorder.texts, ["new"], steps)

    def test_session_of_a_deleted_account_has_ended(self) -> None:
        """It gets no entries of the next account of the name, and changes nothing."""
        self.harness.run(self.realm.delete(self.session))
        self.harness.register("ann")
        new = self.harness.login("ann")
        self.session.end()
        self.refuse(UnknownAccount, self.realm.delete(self.session))
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
        self.assertIsNone(self.bob.answers[-1].refusal)
        self.store.eager = True
        self.harness.register("ann")
        recorder = self.harness.login("ann")
        self.harness.fetch("ann")
        self.assertEqual(recorder.texts, [])

    def test_message_sent_while_the_account_is_deleted(self) -> None:
        """Its sender is told that there is no such account, if the deletion comes first."""
        for head_start in range(6):
            self.store.eager = False
            deleting = self.begin(self.realm.delete(self.harness.sessions["Ann"]))
            for _ in range(head_start):
                self.store.release()
            before = len(self.bob.answers)
            message = Text("bob", "ann", f"at {head_start}")
            appends, refusal = self.realm.send(self.harness.sessions["bob"], [message])
            self.realm.flush()
            self.harness.settle()
            self.successResultOf(deleting)
            self.assertIsNone(refusal)
            answers = self.bob.answers[before:]
            self.assertEqual([append.id for append in answers], [append.id for append in appends])
            for append in answers:
                if refusal_of(append) is not None:
                    self.assertIsInstance(refusal_of(append), UnknownAccount)
            self.store.eager = True
            self.harness.register("Ann")
            recorder = self.harness.login("Ann")
            self.harness.fetch("Ann")
            self.assertEqual(recorder.texts, [])
            self.harness.send("bob", "ann", "new")
            self.assertEqual(recorder.texts, ["new"])

    def test_resend_to_the_next_account_of_the_name_is_a_new_message(self) -> None:
        """The keys of a sender belong to the deleted mailbox; so does a key of the deleted sender
        to its account."""
        bob = self.harness.sessions["bob"]
        self.send(bob, "ann", "x", key="key")
        self.send(self.session, "bob", "y", key="key")
        self.run_now(self.realm.delete(self.session))
        self.harness.register("Ann")
        recorder = self.harness.login("Ann")
        self.send(bob, "ann", "x", key="key")
        self.assertEqual(recorder.texts, ["x"])
        self.assertFalse(self.bob.answers[-1].resent)
        self.send(self.harness.sessions["Ann"], "bob", "other", key="key")
        self.assertIsNone(recorder.answers[-1].refusal)
        self.assertEqual(self.bob.texts, ["y", "other"])

    def test_next_account_of_the_name_is_not_blocked(self) -> None:
        """A block is of an account, not of its name."""
        bob = self.harness.sessions["bob"]
        self.run_now(self.realm.blocking.set_blocked(bob, "ann", True))
        self.refuse(Blocked, self.realm.deliver(self.session, Text("Ann", "bob", "x")))
        self.run_now(self.realm.delete(self.session))
        self.harness.register("Ann")
        self.harness.login("Ann")
        self.harness.send("Ann", "bob", "y")
        self.assertEqual(self.bob.texts, ["y"])

    def test_failed_deletion_changes_nothing(self) -> None:
        """If the store fails, the account stays and its session continues."""
        self.store.writable = False
        self.failureResultOf(self.begin(self.realm.delete(self.session)), StoreUnavailable)
        self.store.writable = True
        flush_unavailable(self)
        self.harness.send("bob", "ann", "after")
        self.assertEqual(self.recorder.texts, ["read", "after"])
        self.assertEqual(self.harness.run(self.realm.accounts.names()), ["Ann", "bob"])
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
        self.assertEqual((room.record.owner, room.record.owner_name), (self.bob.account, "bob"))
        self.assertEqual(room.members, 1)
        self.assertEqual(self.bob_peer.logs["#room"][-1], (3, "Ann", "leave", ""))

    def test_texts_that_are_sent_meanwhile_have_no_later_times(self) -> None:
        """The times of a log never decrease."""
        self.create_room(self.ann, self.bob)
        self.store.eager = False
        deleting = self.begin(self.realm.delete(self.bob))
        while not deleting.called:
            self.harness.now += 1
            self.realm.send(self.ann, [Text("Ann", "#room", "x")])
            self.store.release()
        self.store.eager = True
        times = [e.time for e in self.result(self.store.read(self.log("#room"), 0, 100))]
        self.assertGreater(len(times), 4)
        self.assertEqual(times, sorted(times))

    def test_operator_deletes_an_account_that_is_offline(self) -> None:
        """The name may have any spelling; an unknown account is refused."""
        self.create_room(self.ann)
        self.ann.end()
        self.harness.save()
        self.assertIsNone(self.harness.mailbox("Ann"))
        self.run_now(self.realm.delete_account("ANN"))
        self.refuse(UnknownRoom, self.realm.rooms.room("#room"))
        self.refuse(UnknownAccount, self.realm.delete_account("Ann"))

    def test_proof_against_a_former_password_is_refused(self) -> None:
        """Whether the account is given by its session or by its name."""
        proven = self.harness.account("Ann")
        self.run_now(self.realm.set_password("Ann", "new", None, self.ann))
        self.refuse(WrongPassword, self.realm.delete(self.ann, proven))
        self.refuse(WrongPassword, self.realm.delete_account("Ann", proven))
        self.run_now(self.realm.delete(self.ann, self.harness.account("Ann")))

    def test_proof_against_a_former_owner_of_the_name_is_refused(self) -> None:
        """Both accounts are open."""
        proven = self.harness.account("Ann")
        self.run_now(self.realm.delete_account("Ann", proven))
        self.harness.register("Ann")
        self.refuse(UnknownAccount, self.realm.delete_account("Ann", proven))
        self.assertEqual(self.harness.run(self.realm.accounts.names()), ["bob", "Ann"])

    def test_account_is_deleted_once(self) -> None:
        """The second of two concurrent requests is refused."""
        other, _ = self.login("Ann")
        self.store.eager = False
        first, second = [self.begin(self.realm.delete(session)) for session in (self.ann, other)]
        self.harness.settle()
        self.successResultOf(first)
        self.failureResultOf(second, UnknownAccount)
        self.store.eager = True
        self.assertEqual(self.harness.run(self.realm.accounts.names()), ["bob"])

    def test_membership_of_a_room_that_is_gone_is_passed_over(self) -> None:
        """It does not prevent the deletion."""
        self.create_room(self.bob, self.ann)
        row = changes.create("12345", MembershipRecord("#gone", 1), str(self.ann.account))
        self.result(self.store.write([row]))
        self.run_now(self.realm.delete(self.ann))
        self.assertEqual(self.harness.run(self.realm.accounts.names()), ["bob"])
        self.assertEqual(self.result(self.store.count("membership", str(self.ann.account))), 0)

    def test_account_in_more_rooms_than_one_page(self) -> None:
        """It leaves all of them, and all its invitations are withdrawn."""
        for number in range(5):
            self.run_now(self.realm.rooms.create(self.ann, f"#a{number}", "", False))
            self.run_now(self.realm.rooms.create(self.bob, f"#b{number}", "", True))
            self.run_now(self.realm.rooms.invite(self.bob, f"#b{number}", "Ann"))
        scan = self.store.scan
        self.patch(
            self.store,
            "scan",
            lambda kind, scope, after, limit: scan(kind, scope, after, min(limit, 2)),
        )
        self.run_now(self.realm.delete(self.ann))
        check_rows(self.store)
        self.assertEqual(self.result(self.store.list("room")), [f"#b{n}" for n in range(5)])
        self.assertEqual(self.result(self.store.count("invited", str(self.ann.account))), 0)


class DeletionByOperator(AckRealmCase):
    """An account is deleted without a session."""

    def test_rooms_are_notified_at_once(self) -> None:
        """Nothing has to be sent afterwards."""
        self.create_room(self.bob, self.ann)
        self.ann.end()
        self.harness.save()
        self.harness.run(self.realm.delete_account("Ann"))
        self.assertEqual(self.bob_peer.logs["#room"][-1][1:], ("Ann", "leave", ""))
