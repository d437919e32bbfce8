"""The contract of `Store.write`, and of scopes, counters, versions and logs: for each back end."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chatd.core.entries import TEXT, Entry
from chatd.core.errors import Conflict, Exists, KeyReused, UnknownLog
from chatd.stores import (
    Append,
    Change,
    Create,
    CreateLog,
    Delete,
    DeleteKey,
    DeleteScope,
    DropLog,
    Erase,
    RenameLog,
    Require,
    RequireNone,
    RequireSome,
    Update,
)
from tests.doubles.stores import NULL_ORIGIN
from tests.stores.contract import StoreContract, new_text
from tests.stores.document_model import KINDS, SCOPES, DocumentModel, changes_of, with_versions
from tests.stores.sequences import LOGS, SequenceContract


def new_entry(log: str, body: str, key: str | None = None, author: int = 0) -> Append:
    """An append with an author."""
    return Append(log, 1, 2, "ann", body, NULL_ORIGIN, key=key, author=author)


class WriteContract(StoreContract):
    """Several changes at once."""

    async def test_versions_are_returned_in_order(self) -> None:
        """Of new and updated documents; other changes give 0."""
        (version,) = await self.store.write([Create("account", "Ann", b"1")])
        self.assertEqual(
            await self.store.write(
                [
                    Require("account", "Ann", version),
                    CreateLog("@1"),
                    Update("account", "ann", version, b"2"),
                    Create("room", "#a", b"3"),
                    Update("account", "ann", version + 1, b"4"),
                ]
            ),
            [0, 0, version + 1, 1, version + 2],
        )
        document = await self.store.get("account", "ANN")
        self.assertEqual((document.key, document.body), ("Ann", b"4"))

    async def test_refused_deletion_leaves_the_order_of_creation(self) -> None:
        """What it would have deleted is not the newest; later documents are."""
        for name in ("Wayne", "mason", "alice"):
            await self.store.write([Create("account", name, b"")])
        changes = [
            Delete("account", "Wayne", None),
            Delete("account", "mason", None),
            Require("room", "#a"),
        ]
        await self.assertFailure(self.store.write(changes), Conflict)
        await self.store.write([Create("account", "Bob", b"")])
        names = await self.store.list("account")
        self.assertEqual(names, ["Wayne", "mason", "alice", "Bob"])
        self.assertEqual(await self.store.list("account", limit=2), names[:2])

    async def test_erased_entry_keeps_its_place_and_no_text(self) -> None:
        """An entry that does not exist is no matter; neither are other logs."""
        await self.store.write([CreateLog("@1"), CreateLog("@2")])
        for body in ("one", "two", "three"):
            await self.append(new_text("@1", body, body), new_text("@2", body))
        await self.store.trim("@1", 1)
        await self.store.write([Erase("@1", 2), Erase("@1", 1), Erase("@1", 9), Erase("@3", 1)])
        for _ in range(2):
            entries = await self.store.read("@1", 0, 9)
            self.assertEqual(
                [(entry.seq, entry.kind, entry.body) for entry in entries],
                [(2, "erased", ""), (3, "text", "three")],
            )
            await self.store.write([Erase("@1", 2)])
        bodies = [entry.body for entry in await self.store.read("@2", 0, 9)]
        self.assertEqual(bodies, ["one", "two", "three"])
        (again,) = await self.append(new_text("@1", "two", "two"))
        self.assertIsInstance(again.refusal, KeyReused)

    async def test_refused_write_erases_nothing(self) -> None:
        """The entry has its text again."""
        await self.store.write([CreateLog("@1")])
        await self.append(new_text("@1", "one"))
        with self.assertRaises(Conflict):
            await self.store.write([Erase("@1", 1), Require("account", "nobody")])
        (entry,) = await self.store.read("@1", 0, 9)
        self.assertEqual((entry.kind, entry.body), ("text", "one"))

    async def test_no_changes_are_a_write(self) -> None:
        """It does nothing."""
        self.assertEqual(await self.store.write([]), [])

    async def test_refused_write_changes_nothing(self) -> None:
        """Neither documents, counters nor logs; each refused change is tried as the last one."""
        await self.store.write(
            [
                Create("account", "Ann", b"1"),
                Create("member", "Ann", b"1", "7"),
                Create("member", "Bob", b"2", "7"),
                CreateLog("@1"),
            ]
        )
        await self.append(new_text("@1", "old", "k"))
        before = [
            Update("account", "Ann", 1, b"2"),
            Create("account", "Cid", b"3"),
            Delete("member", "Ann", 1, "7"),
            Create("member", "Dan", b"", "7"),
            DeleteScope("member", "7"),
            Create("member", "Eve", b"", "7"),
            DropLog("@1"),
            CreateLog("@2"),
            RenameLog("@2", "@3"),
        ]
        refused: list[tuple[Change, type[Exception]]] = [
            (Create("account", "ann", b""), Exists),
            (Update("account", "Ann", 1, b""), Conflict),
            (Update("account", "Bob", 1, b""), Conflict),
            (Delete("account", "Ann", 1), Conflict),
            (Delete("account", "Bob", 1), Conflict),
            (Require("account", "Ann", 1), Conflict),
            (Require("account", "Bob"), Conflict),
            (Require("account", "Ann", scope="7"), Conflict),
            (RequireNone("member", "7"), Conflict),
            (CreateLog("@3"), Exists),
            (RenameLog("@2", "@4"), Conflict),
            (RenameLog("@1", "@4"), Conflict),
            (RenameLog("@3", "@3"), Exists),
        ]
        for change, refusal in refused:
            await self.assertFailure(self.store.write([*before, change]), refusal)
            self.assertEqual((await self.store.get("account", "Ann")).body, b"1")
            self.assertEqual(await self.store.list("account"), ["Ann"])
            self.assertEqual(await self.store.list("member", scope="7"), ["Ann", "Bob"])
            self.assertEqual(
                [await self.store.count("account"), await self.store.count("member", "7")], [1, 2]
            )
            self.assertEqual([e.body for e in await self.store.read("@1", 0, 9)], ["old"])
            (again,) = await self.append(new_text("@1", "old", "k"))
            self.assertEqual((again.seq, again.resent), (1, True))
        await self.store.write([CreateLog("@2")])

    async def test_refused_write_does_not_affect_others(self) -> None:
        """Appends and writes around it, queued together, are carried out."""
        answered = self.collect_answers()
        await self.store.write([CreateLog("@1")])
        self.store.append([new_text("@1", "1")])
        refused = self.store.write([DropLog("@1"), Require("account", "Ann")])
        self.store.append([new_text("@1", "2")])
        made = self.store.write([Create("account", "Ann", b"")])
        await self.assertFailure(refused, Conflict)
        await made
        self.assertEqual(await self.store.head("@1"), 2)
        self.assertEqual([a.refusal for a in answered], [None, None])

    async def test_conditions_see_the_changes_before_them(self) -> None:
        """In their order in the list."""
        await self.store.write([Create("member", "Ann", b"", "7"), Create("room", "#a", b"")])
        await self.assertFailure(
            self.store.write([RequireNone("member", "7"), Delete("member", "Ann", 1, "7")]),
            Conflict,
        )
        await self.store.write(
            [
                Delete("member", "Ann", 1, "7"),
                RequireNone("member", "7"),
                Delete("room", "#a", None),
            ]
        )
        self.assertEqual(await self.store.count("room"), 0)

    async def test_delete_of_any_version(self) -> None:
        """There need not be a document."""
        await self.store.write([Delete("account", "Ann", None)])
        await self.store.write([Create("account", "Ann", b"")])
        await self.store.write([Delete("account", "ANN", None), Delete("account", "ANN", None)])
        self.assertIsNone(await self.store.get("account", "Ann"))

    async def test_version_is_never_given_twice(self) -> None:
        """Not after deletion, alone or with the scope, and creation under the same name."""
        seen: list[int] = []
        deletions: list[list[Change]] = [
            [Delete("member", "ann", None, "7")],
            [DeleteScope("member", "7")],
        ]
        for deletion in deletions * 2:
            (version,) = await self.store.write([Create("member", "Ann", b"", "7")])
            seen.append(version)
            seen += await self.store.write([Update("member", "Ann", version, b"", "7")])
            await self.store.write(deletion)
        version = await self.create("member", "Ann", b"", "7")
        await self.delete("member", "Ann", version, "7")
        seen += [version, await self.create("member", "Ann", b"", "7")]
        self.assertEqual(sorted(set(seen)), seen)


class ScopeContract(StoreContract):
    """Documents of several scopes."""

    async def test_scopes_are_independent(self) -> None:
        """The same key can be in each of them."""
        for scope in ("", "7", "x"):
            await self.create("member", "Ann", scope.encode(), scope)
        await self.update("member", "Ann", 1, b"new", "7")
        await self.delete("member", "Ann", 1, "x")
        self.assertEqual((await self.store.get("member", "Ann")).body, b"")
        self.assertEqual((await self.store.get("member", "Ann", "7")).body, b"new")
        self.assertIsNone(await self.store.get("member", "Ann", "x"))
        self.assertIsNone(await self.store.get("member", "Ann", "X"))

    async def test_scope_is_listed_counted_scanned_and_deleted_alone(self) -> None:
        """Other scopes and other kinds are unchanged."""
        names = ("mason", "Wayne", "alice", "Mona")
        for name in names:
            await self.create("member", name, name.encode(), "7")
        await self.create("member", "Bob", b"", "8")
        await self.create("member", "Cid", b"")
        await self.create("invitation", "Dan", b"", "7")
        self.assertEqual(await self.store.list("member", scope="7"), list(names))
        self.assertEqual(await self.store.list("member", "*a*", 2, "7"), ["mason", "Wayne"])
        self.assertEqual(
            await self.store.page("member", "*", "", 9, "7"), ["alice", "mason", "Mona", "Wayne"]
        )
        self.assertEqual(await self.store.page("member", "*", "b", 2, "7"), ["mason", "Mona"])
        self.assertEqual(await self.store.count("member", "7"), 4)
        documents = await self.store.scan("member", "7")
        self.assertEqual(
            [(d.key, d.body) for d in documents],
            [(name, name.encode()) for name in ("alice", "mason", "Mona", "Wayne")],
        )
        self.assertEqual(
            [d.key for d in await self.store.scan("member", "7", "MASON", 1)], ["Mona"]
        )
        await self.store.write([DeleteScope("member", "7")])
        self.assertEqual(await self.store.list("member", scope="7"), [])
        self.assertEqual(
            [await self.store.count(*scope) for scope in (("member", "7"), ("member", "8"))], [0, 1]
        )
        self.assertEqual(await self.store.list("member"), ["Cid"])
        self.assertEqual(await self.store.list("invitation", scope="7"), ["Dan"])

    async def test_scan_sees_what_is_queued(self) -> None:
        """As `get` and `count` do."""
        self.store.write([Create("member", "Ann", b"", "7")])
        counted = self.store.count("member", "7")
        self.assertEqual([d.key for d in await self.store.scan("member", "7")], ["Ann"])
        self.assertEqual(await counted, 1)

    async def test_documents_of_a_key_are_deleted_in_all_scopes(self) -> None:
        """But not in the empty one, nor of other kinds."""
        for scope in ("", "7", "8"):
            await self.create("member", "Ann", b"", scope)
        await self.create("member", "Bob", b"", "7")
        await self.create("invited", "Ann", b"", "7")
        await self.assertFailure(
            self.store.write([DeleteKey("member", "ann"), RequireSome("member", "8")]), Conflict
        )
        self.assertEqual(await self.store.count("member", "8"), 1)
        await self.store.write([DeleteKey("member", "ann")])
        counts = [await self.store.count("member", scope) for scope in ("", "7", "8")]
        self.assertEqual(counts, [1, 1, 0])
        self.assertEqual(await self.store.count("invited", "7"), 1)


class ExplicitLogContract(StoreContract):
    """Logs that are created and dropped, and appends to logs that do not exist."""

    async def test_append_to_unknown_log_is_refused(self) -> None:
        """Also after the log was dropped, and in the batch that drops it; no log is created."""
        answered = self.collect_answers()
        self.store.append([new_text("@1", "1", "k")])
        self.store.write([CreateLog("@1")])
        self.store.append([new_text("@1", "2", "k"), new_text("@2", "3"), new_text("@1", "4")])
        self.store.write([DropLog("@1")])
        self.store.append([new_text("@1", "5", "k")])
        await self.store.head("@1")
        self.store.append([new_text("@1", "6", "k"), new_text("@1", "7")])
        self.assertEqual(await self.store.head("@1"), 0)
        self.assertEqual(
            [(a.body, a.seq, type(a.refusal)) for a in answered if a.refusal],
            [(body, 0, UnknownLog) for body in "13567"],
        )
        self.assertEqual([(a.body, a.seq) for a in answered if a.seq], [("2", 1), ("4", 2)])
        self.assertEqual(await self.store.read("@1", 0, 9), [])

    async def test_new_log_of_a_dropped_name_is_empty(self) -> None:
        """Its seqs begin at 1, and it has no keys."""
        await self.store.write([CreateLog("@1")])
        await self.append(new_text("@1", "1", "k"), new_text("@1", "2"))
        await self.assertFailure(self.store.write([CreateLog("@1")]), Exists)
        await self.store.write([DropLog("@1"), CreateLog("@1")])
        self.assertEqual(await self.store.head("@1"), 0)
        (new,) = await self.append(new_text("@1", "3", "k"))
        self.assertEqual((new.seq, new.resent), (1, False))
        self.assertEqual([e.body for e in await self.store.read("@1", 0, 9)], ["3"])

    async def test_drop_of_unknown_log_does_nothing(self) -> None:
        """It is not refused."""
        await self.store.write([DropLog("@1")])

    async def test_entries_are_appended_with_the_changes(self) -> None:
        """They are answered after the changes, in order, and stored by the same transaction; those
        of refused changes are refused."""
        answered = self.collect_answers()
        order: list[Any] = []
        self.store.write([CreateLog("#1")])
        entries = [new_text("#1", "1"), new_text("#1", "2", "k")]
        written = self.store.write(
            [Create("room", "#a", b""), entries[0], entries[1], Create("room", "#b", b"")]
        )
        written.addCallback(lambda versions: order.append((versions, list(answered))))
        refused = [new_text("#1", "3"), new_text("#2", "4")]
        refusal = self.store.write([*refused, Require("account", "Ann")])
        await self.assertFailure(refusal, Conflict)
        self.store.append([new_text("#1", "5")])
        await self.store.head("#1")
        self.assertEqual(order, [([1, 0, 0, 1], [])])
        self.assertEqual(
            [(a.body, a.seq, type(a.refusal)) for a in answered],
            [
                ("1", 1, type(None)),
                ("2", 2, type(None)),
                ("3", 0, UnknownLog),
                ("4", 0, UnknownLog),
                ("5", 3, type(None)),
            ],
        )
        self.assertEqual([e.body for e in await self.store.read("#1", 0, 9)], ["1", "2", "5"])

    async def test_renamed_log_has_its_entries_and_keys(self) -> None:
        """Appends to the former name are refused, also in the same batch; a new log of that name is
        another one, and the renamed one continues its seqs."""
        answered = self.collect_answers()
        self.store.write([CreateLog("#1")])
        self.store.append([new_text("#1", "1", "k")])
        self.store.write([RenameLog("#1", "!1")])
        self.store.append([new_text("#1", "2", "l")])
        await self.store.write([CreateLog("#1")])
        self.assertEqual([type(a.refusal) for a in answered], [type(None), UnknownLog])
        self.assertEqual(await self.store.head("#1"), 0)
        again, new = await self.append(new_text("!1", "1", "k"), new_text("!1", "3"))
        self.assertEqual((again.seq, again.resent, new.seq), (1, True, 2))
        self.assertEqual([e.body for e in await self.store.read("!1", 0, 9)], ["1", "3"])
        await self.assertFailure(self.store.write([RenameLog("!1", "#1")]), Exists)
        await self.store.write([DropLog("#1"), RenameLog("!1", "#1")])
        self.assertEqual([e.body for e in await self.store.read("#1", 1, 9)], ["3"])
        await self.assertFailure(self.store.write([RenameLog("!1", "#2")]), Conflict)


class AuthorContract(StoreContract):
    """Entries with authors."""

    async def test_author_is_stored(self) -> None:
        """Entries without one have 0."""
        await self.append(new_entry("@1", "x", author=2**61), new_text("@1", "y"))
        self.assertEqual(
            await self.store.read("@1", 0, 9),
            [Entry(1, 1, 2, "ann", TEXT, "x", 0, 2**61), Entry(2, 1, 2, "ann", TEXT, "y")],
        )

    async def test_keys_are_those_of_the_author(self) -> None:
        """Two authors of the same name have keys of their own; so has a name without an author,
        also one that has the digits of an id."""
        first = [
            new_entry("@1", "a", "k", author=5),
            new_entry("@1", "b", "k", author=6),
            new_entry("@1", "c", "k"),
            new_text("@1", "d", "k", sender="5"),
        ]
        self.assertEqual([a.seq for a in await self.append(*first)], [1, 2, 3, 4])
        again = [
            new_entry("@1", "a", "k", author=5),
            new_entry("@1", "b", "k", author=6),
            new_entry("@1", "c", "k"),
            new_text("@1", "d", "k", sender="5"),
            new_entry("@1", "other", "k", author=6),
        ]
        self.assertEqual(
            [(a.seq, a.resent) for a in await self.append(*again)],
            [(1, True), (2, True), (3, True), (4, True), (0, False)],
        )
        self.assertIsInstance(again[-1].refusal, KeyReused)


any_writes = given(st.lists(changes_of(LOGS[:2]), min_size=5, max_size=25), st.integers(0, 25))


class WriteSequenceContract(SequenceContract):
    """Any sequence of writes, compared with a model."""

    def play_writes(self, script: list[list[Change]], restart: int) -> None:
        """Do these writes; the store is restarted after one of them."""
        store = self.open()
        model = DocumentModel(set())
        for number, relative in enumerate(script):
            changes = with_versions(model, relative)
            refusal = model.refusal(changes)
            outcome: list[Any] = []
            store.write(changes).addBoth(outcome.append)
            self.wait_for(store.head("@unknown"))
            if refusal is None:
                self.assertEqual(model.adopt(changes, outcome[0]), [], changes)
            else:
                self.assertTrue(outcome[0].check(refusal), (changes, refusal, outcome))
            if number == restart:
                store = self.restart(store)
            self.compare(store, model)
        self.close(store)

    def compare(self, store: Any, model: DocumentModel) -> None:
        """Every kind and scope has the documents of the model."""
        for kind in KINDS:
            for scope in SCOPES:
                documents = model.in_scope(kind, scope)
                self.assertEqual(
                    self.wait_for(store.scan(kind, scope)),
                    sorted(documents, key=lambda document: document.key.lower()),
                )
                self.assertEqual(self.wait_for(store.count(kind, scope)), len(documents))
                self.assertEqual(
                    self.wait_for(store.list(kind, scope=scope)),
                    [document.key for document in documents],
                )


del StoreContract, SequenceContract
