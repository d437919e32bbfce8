"""Entries for many sessions: pushed in parts, each to every session once, and before the senders
are answered."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from random import Random

from twisted.internet.defer import Deferred

from chatd.realm.fan_out import FanOut
from chatd.realm.live_log import Run
from chatd.realm.session import Session
from chatd.realm.tasks import Tasks
from chatd.stores import PAGE_BYTES, Append
from tests.doubles.realm import AckRecorder, Text
from tests.realm.case import AckRealmCase

MEMBERS = 12
"""sessions of Ann that follow the room"""


class FanOutCase(AckRealmCase):
    """Ann has many sessions in a room of hers and bob's; three are pushed to at once."""

    def setUp(self) -> None:
        super().setUp()
        self.create_room(self.ann, self.bob)
        self.others = [self.login("Ann") for _ in range(MEMBERS)]
        for session, _ in self.others:
            self.harness.run(session.catch_up())
        self.realm.delivery.fan_out = FanOut(Tasks(self.harness.runner.spawn, self.sleep))
        self.realm.delivery.fan_out.at_once = 3
        self.sleeping: list[Deferred[None]] = []

    def sleep(self, seconds: float) -> Deferred[None]:
        """See `Tasks`. The next turn ends it."""
        self.assertEqual(seconds, 0)
        self.sleeping.append(Deferred())
        return self.sleeping[-1]

    def post(self, session: Session, recipient: str, *texts: str) -> None:
        """Send texts, which are committed; no other work goes on."""
        messages = [Text(session.name, recipient, text) for text in texts]
        _, refusal = self.realm.send(session, messages)
        self.assertIsNone(refusal)
        self.realm.flush()

    def turn(self) -> None:
        """Let others have their turn."""
        sleeping, self.sleeping = self.sleeping, []
        for each in sleeping:
            each.callback(None)

    def finish(self) -> None:
        """Let others have their turn until everything has been pushed."""
        turns = 0
        while self.realm.delivery.fan_out.busy:
            self.turn()
            turns += 1
            self.assertLess(turns, 1_000)

    def texts(self, peer: AckRecorder, log: str = "#room") -> list[str]:
        """The texts that a session was sent of a log."""
        return [body for _, _, kind, body in peer.logs.get(log, []) if kind == "text"]


class Parts(FanOutCase):
    """What one commit does at once, and what has to wait."""

    def test_sessions_are_pushed_to_in_parts_and_then_the_sender_is_answered(self) -> None:
        """Three sessions have the entry after each turn, and the sender is answered in the last."""
        self.post(self.bob, "#room", "x")
        reached = []
        while self.realm.delivery.fan_out.busy:
            reached.append(sum(self.texts(peer) == ["x"] for _, peer in self.others))
            self.assertEqual(self.bob_peer.answers, [])
            self.turn()
        self.assertEqual(sorted(set(reached)), reached)
        self.assertLessEqual(max(after - before for before, after in pairwise(reached)), 3)
        self.assertEqual([self.texts(peer) for _, peer in self.others], [["x"]] * MEMBERS)
        self.assertEqual([append.body for append in self.bob_peer.answers], ["x"])

    def test_small_logs_do_not_wait(self) -> None:
        """A private message is pushed at once; its sender is answered in order."""
        self.post(self.bob, "#room", "to all")
        self.post(self.bob, "bob", "to one")
        self.assertEqual(self.texts(self.bob_peer, "@bob"), ["to one"])
        self.assertEqual(self.bob_peer.answers, [])
        self.finish()
        self.assertEqual([append.body for append in self.bob_peer.answers], ["to all", "to one"])

    def test_messages_to_many_accounts_are_pushed_in_parts(self) -> None:
        """The sender is answered, in order, when all of them have been pushed."""
        names = [f"to{number}" for number in range(8)]
        self.harness.register(*names)
        peers = [self.login(name)[1] for name in names]
        messages = [Text("bob", name, name) for name in names]
        for message in messages:
            self.harness.run(self.realm.accounts.account(message.recipient))
        self.store.eager = False
        self.realm.send(self.bob, messages)
        self.store.release()
        reached = []
        while self.realm.delivery.fan_out.busy:
            reached.append(sum(bool(peer.logs) for peer in peers))
            self.assertEqual(self.bob_peer.answers, [])
            self.turn()
        self.assertEqual(reached, [3, 6])
        self.assertEqual(
            [peer.logs[f"@{name}"][0][3] for name, peer in zip(names, peers, strict=True)], names
        )
        self.assertEqual([append.body for append in self.bob_peer.answers], names)

    def test_receipt_follows_the_answer(self) -> None:
        """A recipient may acknowledge a message before its sender is answered."""
        self.post(self.ann, "#room", "to all")
        self.post(self.ann, "bob", "to one")
        self.bob.acknowledge("@bob", 1, 1)
        self.assertEqual(self.ann_peer.receipts, [])
        answered: list[tuple[int, int]] = []
        answer = self.ann_peer.answer

        def answer_and_look(appends: Sequence[Append]) -> None:
            answer(appends)
            answered.append((len(self.ann_peer.answers), len(self.ann_peer.receipts)))

        self.patch(self.ann_peer, "answer", answer_and_look)
        self.finish()
        self.assertEqual(answered[-1], (2, 0))
        self.assertEqual(self.ann_peer.receipts, [("@bob", "delivered", 1)])

    def test_senders_are_answered_after_a_notification_that_failed(self) -> None:
        """What waits behind it is not lost: here, the answer to another message."""
        self.post(self.ann, "#room", "to all")
        self.post(self.ann, "bob", "to one")
        self.patch(self.ann_peer, "receipt", lambda *args: 1 / 0)
        self.bob.acknowledge("@bob", 1, 1)
        self.post(self.bob, "#room", "later")
        self.finish()
        self.assertEqual([append.body for append in self.bob_peer.answers], ["later"])
        (failure,) = self.harness.runner.failures
        self.harness.runner.failures.clear()
        failure.trap(ZeroDivisionError)

    def test_entries_of_a_burst_to_several_rooms_are_one_run_of_each(self) -> None:
        """A session is written to once for each large room, however the entries are mixed."""
        self.run_now(self.realm.rooms.create(self.ann, "#two", "", False))
        self.finish()
        calls: list[tuple[str, int]] = []

        def show(runs: Sequence[Run]) -> None:
            calls.extend((run.log, len(run.entries)) for run in runs)

        _, peer = self.others[0]
        self.patch(peer, "show", show)
        messages = [Text("Ann", room, str(n)) for n in range(5) for room in ("#room", "#two")]
        self.store.eager = False
        self.realm.send(self.ann, messages)
        self.store.release()
        self.finish()
        self.assertEqual(sorted(calls), [("#room", 5), ("#two", 5)])

    def test_many_entries_are_pushed_to_fewer_sessions_at_once(self) -> None:
        """32 entries for one session count as three sessions."""
        self.post(self.bob, "#room", *map(str, range(32)))
        reached = []
        while self.realm.delivery.fan_out.busy:
            reached.append(sum(len(self.texts(peer)) == 32 for _, peer in self.others))
            self.turn()
        self.assertEqual(max(after - before for before, after in pairwise(reached)), 1)

    def test_entries_that_are_written_separately_count_by_themselves(self) -> None:
        """Those for one session of such a peer are as much work as one for each of many, also if
        few sessions follow the log."""
        self.run_now(self.realm.rooms.create(self.bob, "#two", "", False))
        self.finish()
        live_log = self.bob.subscriptions["#two"].live_log
        for writes, waits in ((False, False), (True, True)):
            self.bob.unsubscribe("#two")
            self.bob_peer.writes_separately = writes
            self.bob.subscribe(live_log)
            self.post(self.bob, "#two", *"abcd")
            self.assertEqual(self.realm.delivery.fan_out.busy, waits)
            self.finish()
        self.assertEqual(self.texts(self.bob_peer, "#two"), [*"abcdabcd"])
        self.bob.unsubscribe("#two")
        self.assertEqual(live_log.separate_writes, 0)

    def test_many_entries_for_few_sessions_are_pushed_in_parts(self) -> None:
        """Also if the sessions are so few that one entry for them would not wait."""
        self.run_now(self.realm.rooms.create(self.bob, "#two", "", False))
        self.finish()
        self.bob_peer.answers.clear()
        self.post(self.bob, "#two", *["x"] * 48)
        self.assertEqual(self.texts(self.bob_peer, "#two"), [])
        self.finish()
        self.assertEqual(len(self.texts(self.bob_peer, "#two")), 48)
        self.assertEqual(len(self.bob_peer.answers), 48)

    def test_session_that_does_not_read_is_written_a_part_of_much_text(self) -> None:
        """The others get all of it."""
        (_, slow), (_, other) = self.others[:2]
        slow.capacity = 0
        self.post(self.bob, "#room", *["x" * (PAGE_BYTES // 4)] * 20)
        self.finish()
        self.assertEqual(len(self.texts(slow)), 4)
        self.assertEqual(len(self.texts(other)), 20)

    def test_senders_are_paused_while_much_waits_to_be_pushed(self) -> None:
        """What the store has committed counts until its senders are answered."""
        delivery = self.realm.delivery
        self.post(self.bob, "#room", *["x" * 60_000] * 150)
        self.assertTrue(delivery.congested)
        called: list[bool] = []
        delivery.when_clear(lambda: called.append(delivery.congested))
        self.turn()
        self.assertEqual(called, [])
        self.finish()
        self.assertEqual(called, [False])


class Meanwhile(FanOutCase):
    """Sessions that change while an entry is pushed to others."""

    def test_each_session_gets_each_entry_once_and_in_order(self) -> None:
        """Sessions fall behind, catch up, begin, end, leave and join, and others send: whatever the
        order, each is sent every entry from its first to its last, and a sender is answered when
        all sessions that are live have the entry."""
        for seed in range(60):
            self.setUp()
            random = Random(seed)
            everyone = [(self.ann, self.ann_peer), (self.bob, self.bob_peer), *self.others]
            for _, peer in everyone:
                self._check_answers(peer, everyone)
            for _ in range(60):
                session, peer = random.choice(everyone)
                match random.randrange(9):
                    case 0 | 1 | 2:
                        sender = random.choice((self.ann, self.bob))
                        texts = ["x" * random.choice((1, 1, PAGE_BYTES // 4))] * random.choice(
                            (1, 3, 20)
                        )
                        self.post(sender, random.choice(("#room", "Ann", "bob")), *texts)
                    case 3:
                        peer.capacity = random.randrange(3)
                    case 4 | 5:
                        peer.drain()
                        self.harness.run(session.catch_up())
                    case 6:
                        new = self.login("Ann", {"#room": random.randrange(3)})
                        self._check_answers(new[1], everyone)
                        everyone.append(new)
                    case 7 if session not in (self.ann, self.bob):
                        session.end()
                    case _:
                        self.turn()
            self.finish()
            for session, peer in everyone:
                peer.drain()
                while session.behind:
                    self.harness.run(session.catch_up())
                for log, entries in peer.logs.items():
                    seqs = [seq for seq, *_ in entries]
                    self.assertEqual(seqs, list(range(seqs[0], seqs[0] + len(seqs))), (seed, log))
                    if not session.ended:
                        head = session.subscriptions[log].live_log.head
                        self.assertEqual(seqs[-1], head, (seed, log))

    def _check_answers(
        self, peer: AckRecorder, everyone: list[tuple[Session, AckRecorder]]
    ) -> None:
        """Check at each answer to a peer that all live sessions have the entries."""
        answer = peer.answer

        def checked(appends: Sequence[Append]) -> None:
            for append in appends:
                for session, other in everyone:
                    for name, subscription in session.subscriptions.items():
                        if subscription.live_log.log == append.log and subscription.live:
                            shown = other.logs.get(name)
                            if shown:
                                self.assertGreaterEqual(shown[-1][0], append.seq)
            answer(appends)

        self.patch(peer, "answer", checked)

    def test_session_that_left_is_not_shown_later_entries(self) -> None:
        """What was sent before it left is not shown after it has been notified."""
        self.post(self.bob, "#room", "x")
        self.run_now(self.realm.rooms.leave(self.bob, "#room"))
        self.finish()
        self.assertEqual(self.texts(self.bob_peer), [])
        self.assertEqual([append.body for append in self.bob_peer.answers], ["x"])

    def test_account_that_joins_is_shown_later_entries_only(self) -> None:
        """Its first entry is that it has joined."""
        self.run_now(self.realm.rooms.leave(self.bob, "#room"))
        self.finish()
        self.bob_peer.logs.clear()
        self.post(self.ann, "#room", "before")
        self.run_now(self.realm.rooms.join(self.bob, "#room"))
        self.post(self.ann, "#room", "after")
        self.finish()
        kinds = [(kind, body) for _, _, kind, body in self.bob_peer.logs["#room"]]
        self.assertEqual(kinds, [("join", ""), ("text", "after")])
