"""The contract of a store: one suite of tests, run against each back end."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from chatd.core.entries import EDIT, TEXT, Entry
from chatd.core.errors import Conflict, Exists, KeyReused
from chatd.stores import (
    PAGE_BYTES,
    Append,
    Change,
    Create,
    CreateLog,
    Delete,
    DropLog,
    Update,
)
from tests.doubles.stores import NULL_ORIGIN

_NONE = type(None)


def new_text(log: str, body: str, key: str | None = None, sender: str = "ann") -> Append:
    """An append of a text, with fixed id and time."""
    return Append(log=log, id=1, time=2, sender=sender, body=body, origin=NULL_ORIGIN, key=key)


class StoreContract(TestCase):
    """Base of the contract tests: subclasses open `store` in `setUp`, close it in `tearDown`."""

    store: Any

    def create(self, kind: str, key: str, body: bytes, scope: str = "") -> Deferred[int]:
        """Create a document; its version."""
        return self._write(Create(kind, key, body, scope))

    def update(
        self, kind: str, key: str, version: int, body: bytes, scope: str = ""
    ) -> Deferred[int]:
        """Update a document; its new version."""
        return self._write(Update(kind, key, version, body, scope))

    def delete(self, kind: str, key: str, version: int, scope: str = "") -> Deferred[int]:
        """Delete a document."""
        return self._write(Delete(kind, key, version, scope))

    def _write(self, change: Change) -> Deferred[int]:
        written: Deferred[list[int]] = self.store.write([change])
        return written.addCallback(lambda versions: versions[0])

    async def create_logs(self, *logs: str) -> None:
        """Create those of these logs that do not exist."""
        for log in dict.fromkeys(logs):
            with suppress(Exists):
                await self.store.write([CreateLog(log)])

    def collect_answers(self) -> list[Append]:
        """A list to which the store adds every answered append from now on."""
        answered: list[Append] = []
        self.store.committed = answered.extend
        return answered

    async def append(self, *appends: Append) -> Sequence[Append]:
        """Append these entries, in logs that are created if needed; return them when all are
        answered."""
        await self.create_logs(*[append.log for append in appends])
        answered: list[Append] = []
        done: Deferred[None] = Deferred()

        def committed(run: Sequence[Append]) -> None:
            answered.extend(run)
            if len(answered) >= len(appends):
                done.callback(None)

        self.store.committed = committed
        self.store.append(appends)
        self.store.flush()
        await done
        return answered


class LogContract(StoreContract):
    """Logs: append, read, head, trim."""

    async def test_seqs_count_from_one_without_gaps(self) -> None:
        """Each log has seqs of its own, in the order of the appends."""
        answered = await self.append(
            new_text("@a", "1"), new_text("@b", "2"), new_text("@a", "3"), new_text("@a", "4")
        )
        self.assertEqual(
            [(a.log, a.seq) for a in answered], [("@a", 1), ("@b", 1), ("@a", 2), ("@a", 3)]
        )
        self.assertEqual([e.body for e in await self.store.read("@a", 0, 10)], ["1", "3", "4"])
        self.assertEqual(await self.store.head("@a"), 3)
        self.assertEqual(await self.store.head("@unknown"), 0)
        self.assertEqual(await self.store.read("@unknown", 0, 10), [])

    async def test_entry_is_read_as_it_was_appended(self) -> None:
        """Every field is preserved, with any text."""
        text = "é\n\0|||\N{GRINNING FACE}" * 3
        await self.append(
            Append(
                "@a", 2**62, 1_700_000_000_123, "Ann", text, NULL_ORIGIN, kind=EDIT, about=2**62 - 1
            ),
            Append("@a", 2, 3, "Ann", text, NULL_ORIGIN, about=2**62),
            Append("@a", 3, 4, "Ann", text, NULL_ORIGIN),
        )
        self.assertEqual(
            await self.store.read("@a", 0, 10),
            [
                Entry(1, 2**62, 1_700_000_000_123, "Ann", EDIT, text, 2**62 - 1),
                Entry(2, 2, 3, "Ann", TEXT, text, 2**62),
                Entry(3, 3, 4, "Ann", TEXT, text),
            ],
        )

    async def test_pages_of_a_log_cover_every_entry_once(self) -> None:
        """Reading on after the last seq of each page neither omits nor repeats an entry."""
        await self.append(*[new_text("@a", str(n)) for n in range(1, 101)])
        seen: list[int] = []
        while page := await self.store.read("@a", seen[-1] if seen else 0, 7):
            self.assertLessEqual(len(page), 7)
            seen += [entry.seq for entry in page]
        self.assertEqual(seen, list(range(1, 101)))

    async def test_page_is_bounded_in_text(self) -> None:
        """Long texts make pages shorter, but never empty."""
        long = "x" * (PAGE_BYTES // 2)
        await self.append(
            new_text("@a", long),
            new_text("@a", long),
            new_text("@a", long),
            new_text("@a", "x" * PAGE_BYTES * 2),
        )
        self.assertEqual([e.seq for e in await self.store.read("@a", 0, 10)], [1, 2])
        self.assertEqual([e.seq for e in await self.store.read("@a", 2, 10)], [3])
        self.assertEqual([e.seq for e in await self.store.read("@a", 3, 10)], [4])

    async def test_call_sees_earlier_appends(self) -> None:
        """A call after an append sees it, though the append has not been awaited."""
        await self.create_logs("@a")
        self.collect_answers()
        self.store.append([new_text("@a", "1")])
        self.assertEqual(await self.store.head("@a"), 1)

    async def test_results_arrive_in_the_order_of_the_queue(self) -> None:
        """Appends and calls, mixed, are answered one after another."""
        await self.create_logs("@a")
        order: list[object] = []
        self.store.committed = lambda run: order.extend(append.body for append in run)
        self.store.append([new_text("@a", "1")])
        first = self.store.head("@a")
        self.store.append([new_text("@a", "2")])
        self.store.append([new_text("@a", "3")])
        second = self.store.get("kind", "key")
        first.addCallback(order.append)
        second.addCallback(order.append)
        await gatherResults([first, second])
        await self.store.head("@a")
        # A store that commits at once answers before the callbacks are added.
        self.assertEqual([x for x in order if isinstance(x, str)], ["1", "2", "3"])
        self.assertEqual(len(order), 5)

    async def test_backlog_counts_unanswered_text(self) -> None:
        """The backlog grows with each append and is 0 when everything is answered."""
        await self.create_logs("@a")
        self.collect_answers()
        self.store.append([new_text("@a", "12345")])
        self.assertEqual(self.store.backlog, 5)
        await self.store.head("@a")
        self.assertEqual(self.store.backlog, 0)

    async def test_resend_with_the_same_key_gets_the_first_seq(self) -> None:
        """The same key, sender and text get the first seq, and store no second entry."""
        await self.append(new_text("@a", "x", "k1"), new_text("@a", "y"), new_text("@a", "z", "k2"))
        again, inside, twice = await self.append(
            new_text("@a", "x", "k1"), new_text("@a", "n", "k3"), new_text("@a", "n", "k3")
        )
        self.assertEqual((again.seq, again.refusal), (1, None))
        self.assertEqual((inside.seq, twice.seq), (4, 4))
        self.assertEqual(await self.store.head("@a"), 4)

    async def test_keys_that_were_used_are_known(self) -> None:
        """By the log and the author, for as long as the entry exists."""
        entries = [
            Append("@a", 1, 2, "ann", "x", NULL_ORIGIN, key=key, author=7) for key in ("k1", "k2")
        ]
        await self.append(*entries, Append("@b", 1, 2, "ann", "x", NULL_ORIGIN, key="k3", author=7))
        known = [
            await self.store.has_key(log, author, key)
            for log, author, key in (
                ("@a", 7, "k1"),
                ("@a", 8, "k1"),
                ("@a", 7, "k3"),
                ("@b", 7, "k3"),
                ("@c", 7, "k1"),
            )
        ]
        self.assertEqual(known, [True, False, False, True, False])
        await self.store.trim("@a", 1)
        known = [await self.store.has_key("@a", 7, key) for key in ("k1", "k2")]
        self.assertEqual(known, [False, True])

    async def test_same_key_with_another_text_is_refused(self) -> None:
        """`KeyReused` refuses that append only."""
        await self.append(new_text("@a", "x", "k"))
        wrong, right = await self.append(new_text("@a", "other", "k"), new_text("@a", "y"))
        self.assertIsInstance(wrong.refusal, KeyReused)
        self.assertEqual((right.seq, right.refusal), (2, None))

    async def test_same_key_with_another_kind_or_about_is_refused(self) -> None:
        """The same text of another kind, or about another entry, is not a resend."""
        first = Append("@a", 1, 2, "ann", "x", NULL_ORIGIN, kind=EDIT, key="k", about=7)
        kind = Append("@a", 1, 2, "ann", "x", NULL_ORIGIN, key="k", about=7)
        about = Append("@a", 1, 2, "ann", "x", NULL_ORIGIN, kind=EDIT, key="k", about=8)
        again = Append("@a", 3, 4, "ann", "x", NULL_ORIGIN, kind=EDIT, key="k", about=7)
        await self.append(first, kind, about)
        await self.append(again)
        self.assertEqual(
            [type(a.refusal) for a in (first, kind, about, again)],
            [_NONE, KeyReused, KeyReused, _NONE],
        )
        self.assertEqual((again.seq, again.resent, again.id, again.time), (1, True, 1, 2))
        self.assertEqual((first.resent, await self.store.head("@a")), (False, 1))

    async def test_key_of_deleted_entry_can_be_used_again(self) -> None:
        """Trimming and dropping free the keys of the deleted entries, and no others."""
        await self.append(
            new_text("@a", "1", "k2"), new_text("@a", "2", "k3"), new_text("@a", "3", "k1")
        )
        await self.store.trim("@a", 2)
        answered = await self.append(
            new_text("@a", "new", "k2"), new_text("@a", "3", "k1"), new_text("@a", "new", "k2")
        )
        self.assertEqual([(a.seq, a.resent) for a in answered], [(4, False), (3, True), (4, True)])
        await self.store.write([DropLog("@a")])
        answered = await self.append(new_text("@a", "newer", "k2"), new_text("@a", "newer", "k2"))
        self.assertEqual([(a.seq, a.resent) for a in answered], [(1, False), (1, True)])

    async def test_keys_of_other_senders_and_logs_are_independent(self) -> None:
        """Another sender, or the same sender in another log, can use the same key."""
        answered = await self.append(
            new_text("@a", "x", "k"),
            new_text("@a", "y", "k", sender="bob"),
            new_text("@b", "z", "k"),
        )
        self.assertEqual([a.seq for a in answered], [1, 2, 1])

    async def test_trim_deletes_the_oldest_entries(self) -> None:
        """Seqs continue after a trim; trimming beyond the head deletes all entries."""
        await self.append(*[new_text("@a", str(n)) for n in range(1, 6)])
        await self.store.trim("@a", 3)
        self.assertEqual([e.seq for e in await self.store.read("@a", 0, 10)], [4, 5])
        await self.store.trim("@a", 2)
        self.assertEqual([e.seq for e in await self.store.read("@a", 0, 10)], [4, 5])
        await self.store.trim("@a", 99)
        self.assertEqual(await self.store.read("@a", 0, 10), [])
        self.assertEqual(await self.store.head("@a"), 5)
        (append,) = await self.append(new_text("@a", "6"))
        self.assertEqual(append.seq, 6)
        await self.store.trim("@unknown", 3)


class DocumentContract(StoreContract):
    """Documents: create, get, update, delete, list, page."""

    async def test_created_document_can_be_read(self) -> None:
        """The first document has version 1; each kind and key has one document."""
        self.assertEqual(await self.create("account", "Ann", b"body"), 1)
        document = await self.store.get("account", "Ann")
        self.assertEqual((document.key, document.version, document.body), ("Ann", 1, b"body"))
        self.assertIsNone(await self.store.get("room", "Ann"))
        self.assertIsNone(await self.store.get("account", "Bob"))
        await self.create("room", "Ann", b"other")

    async def test_keys_ignore_case_and_keep_their_spelling(self) -> None:
        """ANN finds the document Ann, whose key is displayed as it was created."""
        await self.create("account", "Ann", b"")
        await self.assertFailure(self.create("account", "aNN", b""), Exists)
        self.assertEqual((await self.store.get("account", "ANN")).key, "Ann")
        await self.update("account", "ann", 1, b"new")
        self.assertEqual((await self.store.get("account", "Ann")).key, "Ann")
        await self.delete("account", "anN", 2)
        self.assertGreater(await self.create("account", "ANN", b""), 2)
        self.assertEqual(await self.store.list("account"), ["ANN"])

    async def test_update_requires_the_current_version(self) -> None:
        """Another version, or a missing document, raises `Conflict`."""
        await self.create("account", "Ann", b"1")
        self.assertEqual(await self.update("account", "Ann", 1, b"2"), 2)
        await self.assertFailure(self.update("account", "Ann", 1, b"3"), Conflict)
        await self.assertFailure(self.update("account", "Bob", 1, b"3"), Conflict)
        self.assertEqual((await self.store.get("account", "Ann")).body, b"2")

    async def test_delete_requires_the_current_version(self) -> None:
        """Another version, or a missing document, raises `Conflict`."""
        await self.create("account", "Ann", b"1")
        await self.assertFailure(self.delete("account", "Ann", 2), Conflict)
        await self.delete("account", "Ann", 1)
        await self.assertFailure(self.delete("account", "Ann", 1), Conflict)
        self.assertIsNone(await self.store.get("account", "Ann"))

    async def test_refused_call_does_not_affect_others(self) -> None:
        """The appends and calls around a refused call are carried out."""
        await self.create_logs("@a")
        answered = self.collect_answers()
        self.store.append([new_text("@a", "1")])
        calls = [
            self.create("account", "Ann", b""),
            self.assertFailure(self.create("account", "Ann", b""), Exists),
            self.create("account", "Bob", b""),
        ]
        self.store.append([new_text("@a", "2")])
        await gatherResults(calls)
        self.assertEqual(await self.store.head("@a"), 2)
        self.assertEqual([a.refusal for a in answered], [None, None])
        self.assertEqual(await self.store.list("account"), ["Ann", "Bob"])

    async def test_list_is_in_order_of_creation(self) -> None:
        """The glob is case-sensitive, and the limit counts matching keys."""
        for name in ("mason", "Wayne", "alice", "Mona"):
            await self.create("account", name, b"")
        await self.create("room", "marble", b"")
        self.assertEqual(await self.store.list("account"), ["mason", "Wayne", "alice", "Mona"])
        self.assertEqual(await self.store.list("account", "m*"), ["mason"])
        self.assertEqual(await self.store.list("account", "[Mm]*"), ["mason", "Mona"])
        self.assertEqual(await self.store.list("account", "*", 2), ["mason", "Wayne"])
        self.assertEqual(await self.store.list("account", "*a*", 1), ["mason"])
        self.assertEqual(await self.store.list("nothing"), [])

    async def test_pages_are_in_alphabetical_order(self) -> None:
        """The order ignores case; `after` may be any text, also one that is not a key."""
        for name in ("mason", "Wayne", "alice", "Mona", "_x", "9", "B.b"):
            await self.create("account", name, b"")
        await self.create("room", "marble", b"")
        order = ["9", "_x", "alice", "B.b", "mason", "Mona", "Wayne"]
        self.assertEqual(await self.store.page("account", "*", "", 100), order)
        self.assertEqual(await self.store.page("account", "*", "", 3), order[:3])
        self.assertEqual(await self.store.page("account", "*", "ALICE", 2), order[3:5])
        self.assertEqual(await self.store.page("account", "*", "mb", 100), order[5:])
        self.assertEqual(await self.store.page("account", "*", "wayne", 100), [])
        self.assertEqual(await self.store.page("account", "*", "", 0), [])
        self.assertEqual(await self.store.page("nothing", "*", "", 100), [])

    async def test_page_limit_counts_matching_keys(self) -> None:
        """The glob is case-sensitive."""
        for number in range(50):
            await self.create("account", f"{'aA'[number % 2]}{number:02d}", b"")
        seen: list[str] = []
        while page := await self.store.page("account", "a*[02468]", seen[-1] if seen else "", 7):
            self.assertLessEqual(len(page), 7)
            seen += page
        self.assertEqual(seen, [f"a{number:02d}" for number in range(0, 50, 2)])

    async def test_page_continues_after_a_deleted_key(self) -> None:
        """Deleting the last key of a page neither repeats nor omits another key."""
        for name in ("a", "b", "c", "d"):
            await self.create("account", name, b"")
        self.assertEqual(await self.store.page("account", "*", "", 2), ["a", "b"])
        await self.delete("account", "b", 1)
        self.assertEqual(await self.store.page("account", "*", "b", 2), ["c", "d"])
