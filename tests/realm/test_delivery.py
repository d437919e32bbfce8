"""Delivery: committed entries to sessions, then answers to senders; back-pressure."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import msgspec

from chatd.core.errors import StoreUnavailable, UnknownAccount, UnknownRoom
from chatd.core.names import mailbox_log
from chatd.realm.delivery import refusal_of
from chatd.realm.live_log import Run
from chatd.realm.session import Session
from chatd.stores import Append, DropLog
from chatd.stores.batches import Batch
from tests.doubles.realm import AckRecorder, AutoAckRecorder, Text
from tests.doubles.stores import HeldStore
from tests.realm.case import AckRealmCase, RealmCase


class Order(RealmCase):
    """What happens when a batch has been committed, and in what order."""

    def setUp(self) -> None:
        """Log bob in."""
        super().setUp()
        self.bob = self.harness.login("bob")

    def answered(self) -> list[str]:
        """The texts for which bob's peer was answered."""
        return [append.body for append in self.bob.answers]

    def test_message_refused_by_the_store(self) -> None:
        """While the disk is full the sender gets a refusal, and the recipient nothing; later
        messages arrive."""
        recorder = self.harness.login("Ann")
        full = True

        def commit(batch: Batch) -> None:
            for item in batch if full else ():
                assert isinstance(item, Append)
                item.refusal = StoreUnavailable()
            if not full:
                HeldStore._commit(self.store, batch)

        self.patch(self.store, "_commit", commit)
        self.harness.send("bob", "ann", "lost")
        full = False
        self.harness.send("bob", "ann", "kept")
        self.assertEqual([bool(append.refusal) for append in self.bob.answers], [True, False])
        self.assertEqual([(entry.seq, entry.body) for entry in recorder.received], [(1, "kept")])

    def test_recipients_are_sent_a_batch_before_senders_are_answered(self) -> None:
        """A sender is answered when all recipients of the batch have been sent it."""
        order: list[str] = []

        class OrderRecorder(AutoAckRecorder):
            def show(self, runs: Sequence[Run]) -> None:
                order.extend("sent " + entry.body for run in runs for entry in run.entries)

            def answer(self, appends: Sequence[Append]) -> None:
                order.extend("answered " + append.body for append in appends)

        for name in ("Ann", "bob"):
            if name in self.harness.sessions:
                self.harness.logout(name)
            self.harness.sessions[name] = self.harness.open(name, OrderRecorder())
        self.store.eager = False
        for number, (sender, recipient) in enumerate(
            [("bob", "ann"), ("Ann", "bob"), ("bob", "ann")]
        ):
            self.harness.send(sender, recipient, str(number))
        self.store.release()
        self.assertEqual(
            order, ["sent 0", "sent 2", "sent 1", "answered 0", "answered 2", "answered 1"]
        )

    def test_appends_to_a_log_that_does_not_exist_are_refused(self) -> None:
        """The sender is told that there is no such account or room."""
        self.store.eager = False
        self.harness.send("bob", "ann", "late")
        self.store.write([DropLog(mailbox_log(self.harness.account("Ann").id))])
        refused = Append("#1", 1, 1, "bob", "x", self.harness.sessions["bob"])
        self.harness.send("bob", "ann", "later")
        self.realm.append(refused)
        self.harness.settle()
        outcomes = [refusal_of(append) for append in self.bob.answers]
        self.assertIsNone(outcomes[0])
        self.assertEqual(list(map(type, outcomes[1:])), [UnknownAccount, UnknownRoom])
        self.assertIsNone(refusal_of(Append("@1", 1, 1, "bob", "x", refused.origin)))


class RunRecorder(AckRecorder):
    """A peer that records the runs of each call."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[list[Run]] = []

    def show(self, runs: Sequence[Run]) -> None:
        """See `Peer`."""
        self.calls.append(list(runs))


class Pushing(AckRealmCase):
    """What sessions are pushed of a batch."""

    def open(self, name: str) -> RunRecorder:
        """Open another session of an account, which has caught up."""
        peer = RunRecorder()
        session = self.harness.run(self.realm.sessions.open(name, self.harness.account(name), peer))
        session.begin({})
        self.harness.run(session.catch_up())
        peer.calls.clear()
        return peer

    def test_session_is_shown_a_batch_in_one_call(self) -> None:
        """Consecutive entries of one log are one run."""
        self.create_room(self.ann, self.bob)
        peer = self.open("Ann")
        self.store.eager = False
        for recipient, text in (("ann", "1"), ("ann", "2"), ("#room", "3"), ("ann", "4")):
            self.realm.send(self.bob, [Text("bob", recipient, text)])
        self.assertEqual(peer.calls, [])
        self.store.release()
        (runs,) = peer.calls
        self.assertEqual(
            [(run.log, [entry.body for entry in run.entries]) for run in runs],
            [("@ann", ["1", "2"]), ("#room", ["3"]), ("@ann", ["4"])],
        )

    def test_run_for_several_sessions_is_encoded_once(self) -> None:
        """All sessions are shown the same run; a run for one session has no encodings."""
        first, second = self.open("Ann"), self.open("Ann")
        only = self.open("bob")
        self.bob.end()
        self.send(self.ann, "ann", "x")
        self.send(self.ann, "bob", "y")
        self.assertIs(first.calls[0][0], second.calls[0][0])
        self.assertEqual(first.calls[0][0].encodings, {})
        self.assertIsNone(only.calls[0][0].encodings)

    def test_slow_session_does_not_delay_others(self) -> None:
        """Only the slow session falls behind."""
        _, other_peer = self.login("Ann")
        self.ann_peer.capacity = 0
        self.send(self.bob, "ann", "1", "2")
        self.assertEqual(len(self.ann_peer.logs["@ann"]), 1)
        self.assertEqual(len(other_peer.logs["@ann"]), 2)

    def test_resent_message_is_not_pushed_again(self) -> None:
        """Recipients were shown it the first time."""
        self.send(self.bob, "ann", "x", "x", key="key")
        self.assertEqual(self.ann_peer.logs["@ann"], [(1, "bob", "text", "x")])
        self.assertEqual([append.resent for append in self.bob_peer.answers], [False, True])

    def test_entries_of_the_server_are_pushed_and_not_answered(self) -> None:
        """No session waits for their outcome."""
        self.realm.append(
            self.realm.new_note(self.log("@ann"), "bob", self.bob.account, "invite", "#room")
        )
        self.realm.flush()
        self.assertEqual(self.ann_peer.logs["@ann"], [(1, "bob", "invite", "#room")])
        self.assertEqual(self.bob_peer.answers, [])


class FailingPeer(AckRecorder):
    """A peer with a programming error in one method; `failures` has what it was aborted for."""

    def __init__(self, method: str) -> None:
        super().__init__()
        self.failures: list[str] = []
        setattr(self, method, self._fail)

    def _fail(self, *arguments: object) -> None:
        raise ZeroDivisionError("a programming error")

    def failed(self) -> None:
        """See `Peer`."""
        self.failures.append(str(sys.exception()))


class Failures(AckRealmCase):
    """Programming errors in one peer."""

    def open(self, name: str, method: str) -> tuple[Session, FailingPeer]:
        """Open a session of an account whose peer has an error in this method."""
        peer = FailingPeer(method)
        session = self.harness.run(self.realm.sessions.open(name, self.harness.account(name), peer))
        session.begin({})
        return session, peer

    def test_peer_that_fails_to_show_a_batch(self) -> None:
        """It is aborted once and pushed nothing more; all others are shown and answered."""
        session, peer = self.open("Ann", "show")
        _, last_peer = self.login("Ann")
        self.send(self.bob, "ann", "1", "2")
        self.assertEqual((peer.failures, session.behind), (["a programming error"], True))
        for other in (self.ann_peer, last_peer):
            self.assertEqual([body for *_, body in other.logs["@ann"]], ["1", "2"])
        self.assertEqual([append.body for append in self.bob_peer.answers], ["1", "2"])

    def test_peer_that_fails_to_answer(self) -> None:
        """It is aborted; senders after it in the batch are answered."""
        session, peer = self.open("Ann", "answer")
        self.store.eager = False
        for sender in (session, self.bob):
            self.realm.send(sender, [Text(sender.name, "bob", "x")])
        self.store.release()
        self.assertEqual(peer.failures, ["a programming error"])
        self.assertEqual(len(self.bob_peer.answers), 1)
        self.assertEqual((session.answers, self.ann_peer.echoes), ([], ["x"]))

    def test_peer_that_fails_to_echo(self) -> None:
        """It is aborted; the account's other sessions see what was sent."""
        _, peer = self.open("Ann", "echo")
        _, last_peer = self.login("Ann")
        self.send(self.ann, "bob", "x")
        self.assertEqual(peer.failures, ["a programming error"])
        self.assertEqual((len(self.ann_peer.answers), last_peer.echoes), (1, ["x"]))


class Charges(AckRealmCase):
    """What the entries of a room cost their senders."""

    limits = {"account_sessions": 200}

    def test_entries_are_charged_by_the_sessions_that_follow_the_room(self) -> None:
        """Each 50 sessions count as one command more, for each entry."""
        self.realm.limits = msgspec.structs.replace(self.realm.limits, account_sessions=200)
        self.create_room(self.ann, self.bob)
        for _ in range(98):
            self.login("Ann")
        self.store.eager = False
        for peer in (self.ann_peer, self.bob_peer):
            peer.charged = 0
        for sender in (self.ann, self.bob, self.bob):
            self.realm.send(sender, [Text(sender.name, "#room", "x")])
        self.realm.append(
            self.realm.new_note(self.log("#room"), "Ann", self.ann.account, "topic", "x")
        )
        self.store.release()
        self.assertEqual((self.ann_peer.charged, self.bob_peer.charged), (2, 4))

    def test_entries_of_a_small_room_and_of_a_mailbox_cost_nothing_more(self) -> None:
        """Fewer than 50 sessions are notified."""
        self.create_room(self.ann, self.bob)
        self.send(self.bob, "#room", "x")
        self.send(self.bob, "ann", "x")
        self.assertEqual(self.bob_peer.charged, 0)


class BackPressure(RealmCase):
    """The bound on what waits for the store."""

    limits = {"backlog": 100}

    def setUp(self) -> None:
        """Log bob in."""
        super().setUp()
        self.bob = self.harness.login("bob")

    def test_senders_are_resumed_at_half_the_bound(self) -> None:
        """The realm is congested over the bound; `when_clear` calls once at half of it."""
        self.store.eager = False
        called: list[str] = []
        self.harness.send("bob", "ann", "x" * 100)
        self.assertFalse(self.realm.delivery.congested)
        self.harness.send("bob", "ann", "x")
        self.assertTrue(self.realm.delivery.congested)
        self.realm.delivery.when_clear(lambda: called.append("first"))
        self.realm.delivery.when_clear(lambda: called.append("second"))
        batch = self.store._take_open()
        self.harness.send("bob", "ann", "y" * 60)
        self.store._commit(batch)
        self.store._committing = 0
        self.store._answer(batch)
        self.assertEqual((self.realm.delivery.congested, called), (False, []))
        self.store.release()
        self.store.eager = True
        self.harness.send("bob", "ann", "z")
        self.harness.send("bob", "ann", "z")
        self.assertEqual(called, ["first", "second"])
