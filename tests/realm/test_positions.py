"""Positions: when they are saved, with what, and what happens when the store fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.core.entries import Cursor
from chatd.core.errors import StoreUnavailable
from chatd.realm.mailbox import Mailbox
from chatd.realm.positions import RETRY_SECONDS, SOON, VERY_SOON, Positions
from chatd.realm.read_state import ReadState
from chatd.stores import Change, CreateLog, DropLog, Forget, Position
from tests.doubles.realm import Runner, new_mailbox
from tests.doubles.stores import FailingDocumentStore, HeldStore, flush_unavailable
from tests.realm.case import AckRealmCase


class Saving(SynchronousTestCase):
    """The positions of the accounts 1 and 2 in their mailboxes, over a store that can fail."""

    def setUp(self) -> None:
        """Empty mailboxes without sessions."""
        self.store = FailingDocumentStore()
        self.runner = Runner()
        self.released: list[Mailbox] = []
        self.positions = Positions(self.store, self.runner.background, self.runner.clock.seconds)
        self.ann, self.bob = self.mailbox(1), self.mailbox(2)
        self.store.attempts = 0

    def mailbox(self, account: int) -> Mailbox:
        """The mailbox of an account."""
        self.store.write([CreateLog(f"@{account}")])
        return new_mailbox(self.store, account, f"a{account}", self.released.append)

    def acknowledge(self, mailbox: Mailbox, upto: int, within: float = SOON) -> None:
        """Acknowledge entries, to be saved within so many seconds."""
        mailbox.state.cursor = mailbox.state.cursor.acknowledge(1, upto)
        self.positions.changed(mailbox.state, within)

    def stored(self, account: int = 1) -> Cursor:
        """The stored cursor of an account's mailbox."""
        positions = self.successResultOf(HeldStore.positions(self.store, account))
        return next(iter(positions)).cursor if positions else Cursor()

    def save(self) -> Deferred[None]:
        """Save all now."""
        return Deferred.fromCoroutine(self.positions.save())

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.runner.clock.advance(seconds)

    def test_all_changes_of_a_second_are_saved_by_one_call(self) -> None:
        """Those of all accounts, each as it is then."""
        for upto in (1, 2, 3):
            self.acknowledge(self.ann, upto)
            self.acknowledge(self.bob, 2 * upto)
        self.assertEqual(self.store.attempts, 0)
        self.advance(SOON)
        self.assertEqual((self.stored(), self.stored(2)), (Cursor(3), Cursor(6)))
        self.assertEqual(self.store.attempts, 1)
        self.assertEqual(self.runner.clock.getDelayedCalls(), [])

    def test_earliest_change_decides_when_all_are_saved(self) -> None:
        """A change that may wait is saved with one that may not."""
        self.acknowledge(self.ann, 1)
        self.advance(0.5)
        self.acknowledge(self.bob, 1, VERY_SOON)
        self.advance(VERY_SOON)
        self.assertEqual((self.stored(), self.stored(2)), (Cursor(1), Cursor(1)))
        self.advance(SOON)
        self.assertEqual(self.store.attempts, 1)

    def test_change_after_a_save_is_saved_within_its_own_time(self) -> None:
        """The time of the save before it does not count."""
        self.acknowledge(self.ann, 1, VERY_SOON)
        self.advance(VERY_SOON)
        self.acknowledge(self.ann, 2)
        self.advance(SOON - VERY_SOON)
        self.assertEqual(self.stored(), Cursor(1))
        self.advance(VERY_SOON)
        self.assertEqual((self.stored(), self.store.attempts), (Cursor(2), 2))

    def test_save_that_is_due_soon_goes_with_a_commit(self) -> None:
        """Within the last 10 milliseconds; a commit before does not save."""
        self.acknowledge(self.ann, 1, VERY_SOON)
        self.positions.committed()
        self.assertEqual(self.store.attempts, 0)
        self.advance(VERY_SOON - 0.005)
        self.positions.committed()
        self.assertEqual((self.stored(), self.store.attempts), (Cursor(1), 1))
        self.positions.committed()
        self.advance(1)
        self.assertEqual(self.store.attempts, 1)

    def test_all_parts_of_a_state_are_saved(self) -> None:
        """The cursor with its gaps, the read marker and the time; a restarted daemon has them."""
        state = self.ann.state
        state.cursor, state.read, state.seen = Cursor(3, ((5, 7),)), 6, 99
        self.positions.changed(state, SOON)
        self.successResultOf(self.save())
        (position,) = self.successResultOf(self.store.positions(1))
        self.assertEqual(position, Position(1, "@1", Cursor(3, ((5, 7),)), 6, 99))
        again = ReadState(self.ann, "@1", Cursor())
        again.merge(position)
        self.assertEqual(again.position(), position)

    def test_what_another_daemon_has_saved_stays(self) -> None:
        """Positions are united in the store."""
        self.store.save([Position(1, "@1", Cursor(0, ((8, 9),)), 5, 50)])
        self.ann.state.seen = 40
        self.acknowledge(self.ann, 4)
        self.successResultOf(self.save())
        (position,) = self.successResultOf(self.store.positions(1))
        self.assertEqual(position, Position(1, "@1", Cursor(4, ((8, 9),)), 5, 50))

    def test_mailbox_is_released_when_its_last_state_is_saved(self) -> None:
        """A mailbox is not released while a change of it waits, nor during a login."""
        self.store.eager = False
        self.acknowledge(self.ann, 1)
        self.acknowledge(self.bob, 1)
        self.bob.reserved = 1
        self.ann.release_if_idle()
        saving = self.save()
        self.acknowledge(self.ann, 2)
        self.store.release()
        self.successResultOf(saving)
        self.assertEqual(self.released, [])
        self.advance(SOON)
        self.store.release()
        self.assertEqual((self.released, self.ann.unsaved, self.bob.unsaved), ([self.ann], 0, 0))

    def test_failed_save_is_tried_again_until_it_succeeds(self) -> None:
        """With pauses; what has changed meanwhile is saved with it."""
        self.store.writable = False
        self.acknowledge(self.ann, 4)
        self.advance(SOON)
        for _ in range(3):
            self.advance(RETRY_SECONDS)
        self.assertEqual(self.store.attempts, 4)
        self.acknowledge(self.ann, 5, VERY_SOON)
        self.acknowledge(self.bob, 1, VERY_SOON)
        self.positions.committed()
        self.advance(VERY_SOON)
        self.assertEqual(self.store.attempts, 4)
        self.assertEqual(self.released, [])
        self.store.writable = True
        self.advance(RETRY_SECONDS)
        self.assertEqual((self.stored(), self.stored(2)), (Cursor(5), Cursor(1)))
        self.assertEqual(self.released, [self.ann, self.bob])
        self.assertEqual((self.ann.unsaved, self.bob.unsaved), (0, 0))
        self.assertEqual((self.runner.clock.getDelayedCalls(), self.runner.failures), ([], []))
        flush_unavailable(self)

    def test_change_during_a_failing_save_is_saved(self) -> None:
        """Also if it is the same state, and the retry succeeds."""
        self.store.eager = self.store.writable = False
        self.acknowledge(self.ann, 1)
        self.advance(SOON)
        self.acknowledge(self.ann, 2)
        self.store.release()
        self.store.writable = self.store.eager = True
        self.advance(RETRY_SECONDS)
        self.assertEqual((self.stored(), self.ann.unsaved), (Cursor(2), 0))
        self.acknowledge(self.ann, 3)
        self.advance(SOON)
        self.assertEqual(self.stored(), Cursor(3))
        flush_unavailable(self)

    def test_save_that_is_waited_for_raises_and_is_tried_again(self) -> None:
        """One retry goes on, however many callers waited."""
        self.acknowledge(self.ann, 1)
        self.store.writable = False
        for _ in range(2):
            self.failureResultOf(self.save(), StoreUnavailable)
        self.assertEqual(self.store.attempts, 2)
        self.store.writable = True
        self.advance(RETRY_SECONDS)
        self.assertEqual((self.stored(), self.store.attempts), (Cursor(1), 3))
        self.assertEqual(self.runner.clock.getDelayedCalls(), [])

    def test_save_without_changes_waits_for_the_saves_before_it(self) -> None:
        """`Realm.stop` may be called while a save is under way."""
        self.store.eager = False
        self.acknowledge(self.ann, 1)
        first, second = self.save(), self.save()
        self.assertNoResult(second)
        self.store.release()
        self.successResultOf(first)
        self.successResultOf(second)

    def test_save_does_not_rely_on_a_save_under_way(self) -> None:
        """The one in the background fails, and this one has stored its states."""
        self.store.eager = self.store.writable = False
        self.acknowledge(self.ann, 1)
        self.advance(SOON)
        self.store.writable = True
        saving = self.save()
        self.store.release()
        self.successResultOf(saving)
        self.store.eager = True
        self.assertEqual((self.stored(), self.ann.unsaved), (Cursor(1), 1))
        self.advance(RETRY_SECONDS)
        self.assertEqual((self.ann.unsaved, self.released), (0, [self.ann]))
        flush_unavailable(self)

    def test_discarded_state_is_not_saved(self) -> None:
        """Its log may have been created again, or its account's membership."""
        self.acknowledge(self.ann, 3)
        self.positions.discard(self.ann.state)
        self.acknowledge(self.bob, 1)
        self.successResultOf(self.save())
        self.assertEqual((self.stored(), self.stored(2)), (Cursor(), Cursor(1)))
        self.assertEqual(self.ann.unsaved, 0)
        self.acknowledge(self.ann, 4)
        self.successResultOf(self.save())
        self.assertEqual((self.stored(), self.ann.unsaved), (Cursor(), 0))

    def test_state_discarded_during_a_failing_save_is_not_tried_again(self) -> None:
        """Its mailbox is not held for it."""
        self.store.eager = self.store.writable = False
        self.acknowledge(self.ann, 3)
        self.advance(SOON)
        self.positions.discard(self.ann.state)
        self.store.release()
        self.store.writable = self.store.eager = True
        self.advance(RETRY_SECONDS)
        self.assertEqual((self.stored(), self.ann.unsaved), (Cursor(), 0))
        self.assertEqual(self.runner.clock.getDelayedCalls(), [])
        flush_unavailable(self)

    def test_position_in_a_log_that_was_deleted_is_not_stored(self) -> None:
        """Another daemon may have deleted the log; the other positions are stored."""
        self.store.write([DropLog("@1")])
        self.acknowledge(self.ann, 3)
        self.acknowledge(self.bob, 1)
        self.successResultOf(self.save())
        self.store.write([CreateLog("@1")])
        self.assertEqual((self.stored(), self.stored(2)), (Cursor(), Cursor(1)))


class OfSessions(AckRealmCase):
    """What sessions have saved."""

    def restart(self) -> None:
        """Kill the daemon a second after the last change, and start another one."""
        self.harness.runner.clock.advance(SOON)
        self.harness.settle()
        self.harness = self.harness.restart()
        self.realm = self.harness.realm

    def test_acknowledgements_of_one_session_are_saved_within_a_second(self) -> None:
        """Those in the mailbox and in rooms, and read markers, survive a kill after that."""
        self.create_room(self.bob, self.ann)
        self.send(self.bob, "ann", *"abc")
        self.send(self.bob, "#room", "d")
        self.ann.acknowledge("@ann", 2, 2)
        self.ann.acknowledge("#room", 0, 3)
        self.run_now(self.realm.receipts.mark_read(self.ann, "#room", 3))
        self.restart()
        session, peer = self.login("Ann")
        self.run_now(session.catch_up())
        self.assertEqual([seq for seq, *_ in peer.logs["@ann"]], [1, 3])
        self.assertNotIn("#room", peer.logs)
        self.assertEqual(session.mailbox.memberships["#room"].state.read, 3)

    def test_position_in_a_room_ends_with_the_membership(self) -> None:
        """Whoever joins again begins with the next entry; what was acknowledged is forgotten."""
        self.create_room(self.bob, self.ann)
        self.send(self.bob, "#room", *"abc")
        self.ann.acknowledge("#room", 0, 5)
        self.run_now(self.realm.rooms.leave(self.ann, "#room"))
        self.restart()
        positions = self.result(self.store.positions(self.harness.account("Ann").id))
        self.assertNotIn(self.log("#room"), [position.log for position in positions])

    def test_position_that_is_saved_while_the_room_is_left_is_forgotten(self) -> None:
        """Also if the member is removed, or its account is deleted. The position of a member who
        joins again at once stays."""
        rooms = self.realm.rooms
        self.create_room(self.bob, self.ann)
        log = self.log("#room")
        write = self.store.write

        def write_and_save(changes: Sequence[Change]) -> Any:
            written = write(changes)
            if Forget(self.ann.account, log) in changes and not saving:
                self.ann.acknowledge("#room", 0, self.ann.subscriptions["#room"].live_log.head)
                saving.append(self.begin(self.realm.positions.save()))
            return written

        self.patch(self.store, "write", write_and_save)
        for leave, joins in (
            (lambda: rooms.leave(self.ann, "#room"), True),
            (lambda: rooms.leave(self.ann, "#room"), False),
            (lambda: rooms.kick(self.bob, "#room", "Ann"), True),
            (lambda: self.realm.delete(self.ann), False),
        ):
            self.run_now(rooms.join(self.ann, "#room"))
            self.send(self.bob, "#room", "a")
            saving: list[Deferred[Any]] = []
            self.store.eager = False
            leaving = self.begin(leave())
            if joins:
                leaving.addCallback(lambda _: self.begin(rooms.join(self.ann, "#room")))
            self.harness.settle()
            self.store.eager = True
            self.successResultOf(leaving)
            self.successResultOf(saving[0])
            positions = self.result(self.store.positions(self.ann.account))
            self.assertEqual(sum(position.log == log for position in positions), joins)

    def test_realm_saves_all_when_it_stops(self) -> None:
        """Also what would be saved later."""
        self.send(self.bob, "ann", *"abc")
        self.ann.acknowledge("@ann", 0, 2)
        self.ann.end()
        self.harness.run(self.realm.stop())
        self.harness = self.harness.restart()
        session, _ = self.harness.login_ack("Ann")
        self.assertEqual(session.mailbox.state.cursor, Cursor(2))
