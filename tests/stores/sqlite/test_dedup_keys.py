"""Deduplication keys in the SQLite store: recent, indexed, both, and of deleted entries."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from twisted.internet.defer import Deferred

from chatd.core.entries import EDIT
from chatd.core.errors import KeyReused
from chatd.stores import Append, CreateLog, DropLog
from chatd.stores.batches import Call
from chatd.stores.sqlite import dedup_keys as keys_module
from chatd.stores.sqlite import maintenance as maintenance_module
from chatd.stores.sqlite import recent_entries as recent_module
from tests.doubles.folders import MEMORY
from tests.doubles.sqlite_file import empty_store
from tests.doubles.sqlite_writer import SteppedStore, WithWriter
from tests.doubles.stores import NULL_ORIGIN
from tests.stores.contract import new_text
from tests.stores.sequences import Script, SequenceContract, any_script


class Resending(WithWriter):
    """A resend, wherever the first entry is by then."""

    def test_resend_of_recent_entry_gets_its_seq(self) -> None:
        """Before and after a restart."""
        self.append(new_text("@a", "x", "k"))
        self.assertEqual(self.append(new_text("@a", "x", "k")), [(1, True)])
        self.reopen()
        self.assertEqual(
            self.append(new_text("@a", "x", "k"), new_text("@a", "y", "l")), [(1, True), (2, False)]
        )

    def test_resend_of_indexed_entry_gets_its_seq(self) -> None:
        """Keys that increase, and one that does not, before and after a restart."""
        self.append(*[new_text("@a", "x", f"k{n}") for n in range(10, 20)])
        self.index()
        self.append(new_text("@a", "x", "k00"), new_text("@a", "x", "k20"))
        self.index()
        for _ in range(2):
            again = self.append(*[new_text("@a", "x", key) for key in ("k10", "k19", "k00", "k20")])
            self.assertEqual(again, [(1, True), (10, True), (11, True), (12, True)])
            self.reopen()

    def test_resend_while_the_index_is_written_gets_its_seq(self) -> None:
        """Half of the keys are in the file."""
        self.append(*[new_text(log, "x", "k") for log in ("@a", "@b")])
        self.begin_index()
        for _ in range(2):
            self.assertEqual(
                self.append(new_text("@a", "x", "k"), new_text("@b", "x", "k")), [(1, True)] * 2
            )
            self.reopen()
        self.index()
        self.assertEqual(
            self.append(new_text("@a", "x", "k"), new_text("@b", "x", "k")), [(1, True)] * 2
        )

    def test_resend_after_a_crash_of_indexing_gets_its_seq(self) -> None:
        """The same keys are written again, with later ones."""
        self.append(*[new_text(log, "x", key) for log in ("@a", "@b") for key in ("k1", "k2")])
        self.begin_index()
        self.reopen()
        self.append(new_text("@a", "x", "k3"), new_text("@a", "x", "k0"))
        self.index()
        self.reopen()
        again = self.append(*[new_text("@a", "x", f"k{n}") for n in range(4)])
        self.assertEqual(again, [(4, True), (1, True), (2, True), (3, True)])

    def test_resend_of_many_keys_in_any_order_gets_their_seqs(self) -> None:
        """The keys fill several runs."""
        keys = [f"{n * 7919 % 1000:03d}" for n in range(1000)]
        for half in (keys[:500], keys[500:]):
            self.append(*[new_text("@a", "x", key) for key in half])
            self.index()
        self.reopen()
        for key in keys[::37]:
            self.assertEqual(self.append(new_text("@a", "x", key)), [(keys.index(key) + 1, True)])
        self.assertEqual(self.append(new_text("@a", "x", "0005")), [(1001, False)])

    def test_any_text_can_be_a_key(self) -> None:
        """The empty text is one; UTF-8 and UTF-16 order some texts differently."""
        keys = ["", "\0", "a\0b", "Z", "a", "é", "\uffff", "\N{GRINNING FACE}"]
        self.append(*[new_text("@a", "x", key) for key in keys])
        for step in (self.index, self.reopen):
            step()
            again = self.append(*[new_text("@a", "x", key) for key in reversed(keys)])
            self.assertEqual(again, [(seq, True) for seq in range(len(keys), 0, -1)])

    def test_resend_gets_the_first_id_and_time(self) -> None:
        """The id and the time are those of the stored entry."""
        self.append(Append("@a", 7, 8, "ann", "x", NULL_ORIGIN, key="k"))
        self.index()
        again = Append("@a", 9, 10, "ann", "x", NULL_ORIGIN, key="k")
        self.append(again)
        self.assertEqual((again.seq, again.id, again.time), (1, 7, 8))

    def test_same_key_with_another_content_is_refused(self) -> None:
        """Another body, kind or `about`, compared with the batch, recent entries and the index."""
        others = [
            new_text("@a", "y", "k"),
            Append("@a", 1, 2, "ann", "x", NULL_ORIGIN, key="k", kind=EDIT),
            Append("@a", 1, 2, "ann", "x", NULL_ORIGIN, key="k", about=1),
        ]
        self.commit(new_text("@a", "x", "k"), *others)
        self.commit(*others)
        self.index()
        self.commit(*others)
        self.assertEqual([type(other.refusal) for other in others], [KeyReused] * 3)
        self.assertEqual(self.seqs("@a"), [1])

    def test_about_is_stored_and_compared(self) -> None:
        """`about` is stored with any kind of entry."""
        self.append(Append("@a", 1, 2, "ann", "x", NULL_ORIGIN, key="k", about=77))
        self.assertEqual(
            self.append(Append("@a", 1, 2, "ann", "x", NULL_ORIGIN, key="k", about=77)), [(1, True)]
        )
        (entry,) = self.call(lambda writer: writer.read("@a", 0, 9))
        self.assertEqual((entry.kind, entry.about), ("text", 77))

    def test_failed_batch_frees_its_keys(self) -> None:
        """The keys of earlier batches remain used."""
        self.append(new_text("@a", "x", "k1"))
        self.writer.connection.execute(
            "CREATE TEMP TRIGGER fault BEFORE INSERT ON entries WHEN new.body = 'fault'"
            " BEGIN SELECT raise(ABORT, 'injected'); END"
        )
        failed = [new_text("@a", "x", "k1"), new_text("@a", "y", "k2"), new_text("@a", "fault")]
        self.assertIn("injected", self.writer.commit(list(failed)) or "")
        self.assertEqual([(append.seq, append.resent) for append in failed], [(0, False)] * 3)
        self.assertEqual(
            self.append(new_text("@a", "other", "k2"), new_text("@a", "x", "k1")),
            [(2, False), (1, True)],
        )

    def test_failed_indexing_loses_no_key(self) -> None:
        """The next commit permits indexing again."""
        self.append(new_text("@a", "x", "k1"), new_text("@a", "y", "k0"))
        self.writer.connection.execute(
            "CREATE TEMP TRIGGER fault BEFORE UPDATE ON progress"
            " BEGIN SELECT raise(ABORT, 'injected'); END"
        )
        self.index()
        self.writer.connection.execute("DROP TRIGGER fault")
        self.assertEqual(len(self.writer._recent), 2)
        self.assertEqual(
            self.append(new_text("@a", "x", "k1"), new_text("@a", "y", "k0")),
            [(1, True), (2, True)],
        )
        self.index()
        self.assertEqual(len(self.writer._recent), 0)
        self.assertEqual(
            self.append(new_text("@a", "x", "k1"), new_text("@a", "y", "k0")),
            [(1, True), (2, True)],
        )


class FreeAgain(WithWriter):
    """A key whose entry was deleted identifies the next entry that uses it."""

    def trim(self, upto: int) -> None:
        """Trim @a; its rows may still be in the file."""
        self.call(lambda writer: writer.logs.trim("@a", upto))

    def check(self, key: str, seq: int) -> None:
        """The key is free; then it is used: recent, indexed, and after a restart."""
        self.assertEqual(self.append(new_text("@a", "new", key)), [(seq, False)])
        for step in (lambda: None, self.index, self.reopen):
            step()
            self.assertEqual(self.append(new_text("@a", "new", key)), [(seq, True)])

    def test_key_of_trimmed_recent_entry_is_free(self) -> None:
        """The key is still in memory."""
        self.append(new_text("@a", "old", "k"))
        self.trim(1)
        self.check("k", 2)

    def test_key_of_trimmed_recent_entry_is_free_after_restart(self) -> None:
        """The key is loaded into memory again."""
        self.append(new_text("@a", "old", "k"))
        self.trim(1)
        self.reopen()
        self.check("k", 2)

    def test_key_of_trimmed_indexed_entry_is_free(self) -> None:
        """The key is in the file until its entry is purged."""
        self.append(
            new_text("@a", "old", "k1"), new_text("@a", "old", "k2"), new_text("@a", "stays", "k3")
        )
        self.index()
        self.trim(2)
        self.check("k1", 4)
        self.assertEqual(self.append(new_text("@a", "stays", "k3")), [(3, True)])

    def test_key_can_be_used_again_before_it_is_indexed(self) -> None:
        """The recent keys are then not in the order of their seqs."""
        self.append(new_text("@a", "old", "k1"), new_text("@a", "old", "k2"))
        self.trim(2)
        self.check("k1", 3)

    def test_key_can_be_used_again_while_an_older_row_remains(self) -> None:
        """A removed run leaves single keys below it, one of which is used again."""
        self.append(new_text("@a", "old", "k9"))
        self.index()
        self.append(new_text("@a", "old", "k5"))
        self.index()
        self.trim(1)
        self.index()
        self.trim(2)
        self.reopen()
        self.append(new_text("@a", "new", "k5"))
        while len(self.writer._recent):
            self.writer._recent.index()
        self.assertEqual(self.append(new_text("@a", "new", "k5")), [(3, True)])
        self.index()
        self.assertEqual(self.append(new_text("@a", "new", "k5")), [(3, True)])

    def test_dropped_log_frees_its_keys(self) -> None:
        """From the same batch on."""
        self.append(new_text("@a", "old", "k1"))
        self.index()
        self.append(new_text("@a", "old", "k2"))
        again = [new_text("@a", "new", "k1"), new_text("@a", "new", "k2")]
        self.commit(
            new_text("@a", "old", "k3"),
            Call(lambda writer: writer.write([DropLog("@a"), CreateLog("@a")])),
            *again,
        )
        self.assertEqual(
            [(append.seq, append.resent) for append in again], [(1, False), (2, False)]
        )
        self.check("k3", 3)

    def test_purge_removes_the_keys(self) -> None:
        """Runs and single keys are removed with their entries."""
        for keys in (("k5", "k6"), ("k1", "k7"), ("k0", "k8")):
            self.append(*[new_text("@a", "x", key) for key in keys])
            self.index()
        self.trim(3)
        self.index()
        self.assertEqual(
            self.append(new_text("@a", "x", "k7"), new_text("@a", "x", "k0")),
            [(4, True), (5, True)],
        )
        self.drop("@a")
        self.index()
        for table in ("entries", "place_runs", "keys", "key_runs", "rubbish"):
            self.assertEqual(self.count(self.writer.connection, table), 0, table)

    def count(self, connection: sqlite3.Connection, table: str) -> int:
        """The number of rows."""
        (rows,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(rows)


class Sequences(SequenceContract):
    """Any sequence of calls, with maintenance in any order, small runs and small steps."""

    @settings(derandomize=True, deadline=None, max_examples=400)
    @any_script
    def test_any_sequence_has_the_results_of_the_model(self, script: Script) -> None:
        """Maintenance runs at any time, with small bounds."""
        self.patch(maintenance_module, "INDEX_AT", 3)
        self.patch(maintenance_module, "_PURGE_STEP", 2)
        self.patch(recent_module, "_INDEX_STEP", 1)
        self.patch(keys_module, "_RUN_KEYS", 2)
        self.patch(keys_module, "_CACHED_PAIRS", 3)
        with tempfile.TemporaryDirectory(prefix="chatd-test-", dir=MEMORY) as self.folder:
            Path(self.folder, "chatd.db").write_bytes(empty_store())
            self.play(script)

    def open(self) -> SteppedStore:
        """A store in a file of its own."""
        self.store = SteppedStore(os.path.join(self.folder, "chatd.db"))
        self.store.start()
        return self.store

    def wait_for(self, answer: Deferred[Any]) -> Any:
        """The result, after a commit."""
        self.store.commit()
        return self.successResultOf(answer)

    def restart(self, store: SteppedStore) -> SteppedStore:
        """Open the file again, as after a kill."""
        self.close(store)
        return self.open()

    def maintain(self, store: SteppedStore) -> None:
        """One step of maintenance."""
        if store.writer.maintenance.needed:
            store.writer.maintenance.run()

    def close(self, store: SteppedStore) -> None:
        """Close the file."""
        store.writer.connection.close()


del SequenceContract
