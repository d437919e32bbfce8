"""Senders' own keys in the SQLite store: in the tail, in the index, in both, and after their
entries."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from typing import Any

from hypothesis import settings
from twisted.internet.defer import Deferred

from chatd.core.entries import EDIT
from chatd.core.errors import KeyReused
from chatd.stores import Append
from chatd.stores.batches import Call
from chatd.stores.sqlite import dedup_keys as sqlite_keys
from chatd.stores.sqlite import recent_entries as sqlite_tail
from chatd.stores.sqlite import writer as sqlite_writer
from tests.doubles.sqlite_writer import SteppedStore, WithWriter
from tests.stores.contract import NOBODY, said
from tests.stores.sequences import Script, SequenceContract, any_script


class Resending(WithWriter):
    """The same key again, wherever its entry is by then."""

    def test_from_the_tail(self) -> None:
        """Which the writer knows by heart, and reads again at start."""
        self.say(said("@a", "x", "k"))
        self.assertEqual(self.say(said("@a", "x", "k")), [(1, True)])
        self.reopen()
        self.assertEqual(
            self.say(said("@a", "x", "k"), said("@a", "y", "l")), [(1, True), (2, False)]
        )

    def test_from_the_index(self) -> None:
        """Keys that rose, and one that did not, before and after a restart."""
        self.say(*[said("@a", "x", f"k{n}") for n in range(10, 20)])
        self.index()
        self.say(said("@a", "x", "k00"), said("@a", "x", "k20"))
        self.index()
        for _ in range(2):
            again = self.say(*[said("@a", "x", key) for key in ("k10", "k19", "k00", "k20")])
            self.assertEqual(again, [(1, True), (10, True), (11, True), (12, True)])
            self.reopen()

    def test_while_the_index_is_written(self) -> None:
        """Half of the keys are there already."""
        self.say(*[said(log, "x", "k") for log in ("@a", "@b")])
        self.begin_index()
        for _ in range(2):
            self.assertEqual(self.say(said("@a", "x", "k"), said("@b", "x", "k")), [(1, True)] * 2)
            self.reopen()
        self.index()
        self.assertEqual(self.say(said("@a", "x", "k"), said("@b", "x", "k")), [(1, True)] * 2)

    def test_while_the_index_is_written_for_the_second_time(self) -> None:
        """After a crash between two steps: the same keys, and later ones."""
        self.say(*[said(log, "x", key) for log in ("@a", "@b") for key in ("k1", "k2")])
        self.begin_index()
        self.reopen()
        self.say(said("@a", "x", "k3"), said("@a", "x", "k0"))
        self.index()
        self.reopen()
        again = self.say(*[said("@a", "x", f"k{n}") for n in range(4)])
        self.assertEqual(again, [(4, True), (1, True), (2, True), (3, True)])

    def test_many_keys_at_once(self) -> None:
        """More than one run of them, in any order."""
        keys = [f"{n * 7919 % 1000:03d}" for n in range(1000)]
        for half in (keys[:500], keys[500:]):
            self.say(*[said("@a", "x", key) for key in half])
            self.index()
        self.reopen()
        for key in keys[::37]:
            self.assertEqual(self.say(said("@a", "x", key)), [(keys.index(key) + 1, True)])
        self.assertEqual(self.say(said("@a", "x", "0005")), [(1001, False)])

    def test_any_text_can_be_a_key(self) -> None:
        """Also none, and what two alphabets order differently."""
        keys = ["", "\0", "a\0b", "Z", "a", "é", "\uffff", "\N{GRINNING FACE}"]
        self.say(*[said("@a", "x", key) for key in keys])
        for step in (self.index, self.reopen):
            step()
            again = self.say(*[said("@a", "x", key) for key in reversed(keys)])
            self.assertEqual(again, [(seq, True) for seq in range(len(keys), 0, -1)])

    def test_the_answer_is_that_of_the_first_time(self) -> None:
        """The id and the time are the entry's."""
        self.say(Append("@a", 7, 8, "ann", "x", NOBODY, key="k"))
        self.index()
        again = Append("@a", 9, 10, "ann", "x", NOBODY, key="k")
        self.say(again)
        self.assertEqual((again.seq, again.id, again.time), (1, 7, 8))

    def test_another_meaning_is_refused(self) -> None:
        """The body, the kind or what it is about: from the batch, the tail and the index."""
        others = [
            said("@a", "y", "k"),
            Append("@a", 1, 2, "ann", "x", NOBODY, key="k", kind=EDIT),
            Append("@a", 1, 2, "ann", "x", NOBODY, key="k", about=1),
        ]
        self.commit(said("@a", "x", "k"), *others)
        self.commit(*others)
        self.index()
        self.commit(*others)
        self.assertEqual([type(other.refusal) for other in others], [KeyReused] * 3)
        self.assertEqual(self.seqs("@a"), [1])

    def test_what_is_about_another_entry(self) -> None:
        """Kept and compared whatever the kind."""
        self.say(Append("@a", 1, 2, "ann", "x", NOBODY, key="k", about=77))
        self.assertEqual(
            self.say(Append("@a", 1, 2, "ann", "x", NOBODY, key="k", about=77)), [(1, True)]
        )
        (entry,) = self.ask(lambda writer: writer.read("@a", 0, 9))
        self.assertEqual((entry.kind, entry.about), ("text", 77))

    def test_a_batch_that_failed(self) -> None:
        """Its keys are free; those from before are not."""
        self.say(said("@a", "x", "k1"))
        self.writer.connection.execute(
            "CREATE TEMP TRIGGER fault BEFORE INSERT ON entries WHEN new.body = 'fault'"
            " BEGIN SELECT raise(ABORT, 'injected'); END"
        )
        failed = [said("@a", "x", "k1"), said("@a", "y", "k2"), said("@a", "fault")]
        self.assertIn("injected", self.writer.commit(list(failed)) or "")
        self.assertEqual([(append.seq, append.resent) for append in failed], [(0, False)] * 3)
        self.assertEqual(
            self.say(said("@a", "other", "k2"), said("@a", "x", "k1")), [(2, False), (1, True)]
        )

    def test_indexing_that_failed(self) -> None:
        """Nothing is forgotten, and it is done later."""
        self.say(said("@a", "x", "k1"), said("@a", "y", "k0"))
        self.writer.connection.execute(
            "CREATE TEMP TRIGGER fault BEFORE UPDATE ON progress BEGIN SELECT raise(ABORT, 'injected'); END"
        )
        self.index()
        self.writer.connection.execute("DROP TRIGGER fault")
        self.assertEqual(len(self.writer._tail), 2)
        self.assertEqual(
            self.say(said("@a", "x", "k1"), said("@a", "y", "k0")), [(1, True), (2, True)]
        )
        self.index()
        self.assertEqual(len(self.writer._tail), 0)
        self.assertEqual(
            self.say(said("@a", "x", "k1"), said("@a", "y", "k0")), [(1, True), (2, True)]
        )


class FreeAgain(WithWriter):
    """A key whose entry is gone can be used for another, and that one is then resent."""

    def trim(self, upto: int) -> None:
        """Forget the front of @a, though the rows may still be there."""
        self.ask(lambda writer: writer.trim("@a", upto))

    def check(self, key: str, seq: int) -> None:
        """The key is free; then it is not, in the tail, in the index and after a restart."""
        self.assertEqual(self.say(said("@a", "new", key)), [(seq, False)])
        for step in (lambda: None, self.index, self.reopen):
            step()
            self.assertEqual(self.say(said("@a", "new", key)), [(seq, True)])

    def test_trimmed_in_the_tail(self) -> None:
        """The tail still has the key."""
        self.say(said("@a", "old", "k"))
        self.trim(1)
        self.check("k", 2)

    def test_trimmed_in_the_tail_before_a_restart(self) -> None:
        """The tail has the key again."""
        self.say(said("@a", "old", "k"))
        self.trim(1)
        self.reopen()
        self.check("k", 2)

    def test_trimmed_in_the_index(self) -> None:
        """The index may have the key until the rows are swept."""
        self.say(said("@a", "old", "k1"), said("@a", "old", "k2"), said("@a", "stays", "k3"))
        self.index()
        self.trim(2)
        self.check("k1", 4)
        self.assertEqual(self.say(said("@a", "stays", "k3")), [(3, True)])

    def test_used_again_before_it_is_indexed(self) -> None:
        """The keys of the tail are then not in the order of their seqs."""
        self.say(said("@a", "old", "k1"), said("@a", "old", "k2"))
        self.trim(2)
        self.check("k1", 3)

    def test_used_again_though_an_older_one_is_there(self) -> None:
        """A run that is gone leaves single keys below it, one of which is used again."""
        self.say(said("@a", "old", "k9"))
        self.index()
        self.say(said("@a", "old", "k5"))
        self.index()
        self.trim(1)
        self.index()
        self.trim(2)
        self.reopen()
        self.say(said("@a", "new", "k5"))
        while len(self.writer._tail):
            self.writer._tail.index()
        self.assertEqual(self.say(said("@a", "new", "k5")), [(3, True)])
        self.index()
        self.assertEqual(self.say(said("@a", "new", "k5")), [(3, True)])

    def test_of_a_dropped_log(self) -> None:
        """Its successor has none of its keys, from the same batch on."""
        self.say(said("@a", "old", "k1"))
        self.index()
        self.say(said("@a", "old", "k2"))
        again = [said("@a", "new", "k1"), said("@a", "new", "k2")]
        self.commit(said("@a", "old", "k3"), Call(lambda writer: writer.drop("@a")), *again)
        self.assertEqual(
            [(append.seq, append.resent) for append in again], [(1, False), (2, False)]
        )
        self.check("k3", 3)

    def test_nothing_is_left(self) -> None:
        """When the entries are gone their keys are too, in runs or not."""
        for keys in (("k5", "k6"), ("k1", "k7"), ("k0", "k8")):
            self.say(*[said("@a", "x", key) for key in keys])
            self.index()
        self.trim(3)
        self.index()
        self.assertEqual(
            self.say(said("@a", "x", "k7"), said("@a", "x", "k0")), [(4, True), (5, True)]
        )
        self.ask(lambda writer: writer.drop("@a"))
        self.index()
        for table in ("entries", "places", "keys", "key_runs", "rubbish"):
            self.assertEqual(self.count(self.writer.connection, table), 0, table)

    def count(self, connection: sqlite3.Connection, table: str) -> int:
        """Rows."""
        (rows,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(rows)


class Sequences(SequenceContract):
    """Any sequence, and any order of chores: small runs, small steps."""

    @settings(derandomize=True, deadline=None, max_examples=400)
    @any_script
    def test_any_sequence(self, script: Script) -> None:
        """Every answer is what the model says."""
        self.patch(sqlite_writer, "INDEX_AT", 3)
        self.patch(sqlite_writer, "_RUBBISH_AT_ONCE", 2)
        self.patch(sqlite_tail, "_STEP", 1)
        self.patch(sqlite_keys, "_RUN", 2)
        self.patch(sqlite_keys, "_CACHED", 3)
        with tempfile.TemporaryDirectory(prefix="chatd-test-") as self.folder:
            self.play(script)

    def open(self) -> SteppedStore:
        """A file of its own."""
        self.store = SteppedStore(os.path.join(self.folder, "chatd.db"))
        self.store.start()
        return self.store

    def wait_for(self, answer: Deferred[Any]) -> Any:
        """By committing."""
        self.store.commit()
        return self.successResultOf(answer)

    def restart(self, store: SteppedStore) -> SteppedStore:
        """What a kill and a restart do."""
        self.close(store)
        return self.open()

    def chore(self, store: SteppedStore) -> None:
        """One step."""
        if store.writer.chores:
            store.writer.tidy()

    def close(self, store: SteppedStore) -> None:
        """Close the file."""
        store.writer.connection.close()


del SequenceContract
