"""What every store must do: one suite, run against each back end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from chatd.core.entries import EDIT, TEXT, Entry
from chatd.core.errors import Conflict, Exists, KeyReused
from chatd.stores import PAGE_BYTES, Append


class Sender:
    """An origin that nobody asks."""

    wants_receipts = False

    def __init__(self) -> None:
        self.answers: list[Append] = []

    def answer(self) -> None:
        """Nothing to tell."""


NOBODY = Sender()
_NONE = type(None)


def said(log: str, body: str, key: str | None = None, sender: str = "ann") -> Append:
    """An append of a text."""
    return Append(log=log, id=1, time=2, sender=sender, body=body, origin=NOBODY, key=key)


class StoreContract(TestCase):
    """Subclasses make `store` in `setUp` and close it in `tearDown`."""

    store: Any

    def listen(self) -> list[Append]:
        """Everything the store answers from now on."""
        heard: list[Append] = []
        self.store.committed = heard.extend
        return heard

    async def say(self, *appends: Append) -> Sequence[Append]:
        """Append all of these and wait until they are answered."""
        heard: list[Append] = []
        done: Deferred[None] = Deferred()

        def committed(run: Sequence[Append]) -> None:
            heard.extend(run)
            if len(heard) >= len(appends):
                done.callback(None)

        self.store.committed = committed
        self.store.append(appends)
        self.store.flush()
        await done
        return heard


class LogContract(StoreContract):
    """Logs: append, read, head, trim, drop."""

    async def test_seqs_count_from_one_without_gaps(self) -> None:
        """Each log counts for itself, in the order in which things were appended."""
        heard = await self.say(said("@a", "1"), said("@b", "2"), said("@a", "3"), said("@a", "4"))
        self.assertEqual(
            [(a.log, a.seq) for a in heard], [("@a", 1), ("@b", 1), ("@a", 2), ("@a", 3)]
        )
        self.assertEqual([e.body for e in await self.store.read("@a", 0, 10)], ["1", "3", "4"])
        self.assertEqual(await self.store.head("@a"), 3)
        self.assertEqual(await self.store.head("@nobody"), 0)
        self.assertEqual(await self.store.read("@nobody", 0, 10), [])

    async def test_an_entry_comes_back_as_it_was_appended(self) -> None:
        """Every field, and any text."""
        text = "é\n\0|||\N{GRINNING FACE}" * 3
        await self.say(
            Append("@a", 2**62, 1_700_000_000_123, "Ann", text, NOBODY, kind=EDIT, about=2**62 - 1),
            Append("@a", 2, 3, "Ann", text, NOBODY, about=2**62),
            Append("@a", 3, 4, "Ann", text, NOBODY),
        )
        self.assertEqual(
            await self.store.read("@a", 0, 10),
            [
                Entry(1, 2**62, 1_700_000_000_123, "Ann", EDIT, text, 2**62 - 1),
                Entry(2, 2, 3, "Ann", TEXT, text, 2**62),
                Entry(3, 3, 4, "Ann", TEXT, text),
            ],
        )

    async def test_reading_pages(self) -> None:
        """`after` and `limit` walk through a log without missing or repeating anything."""
        await self.say(*[said("@a", str(n)) for n in range(1, 101)])
        seen: list[int] = []
        while page := await self.store.read("@a", seen[-1] if seen else 0, 7):
            self.assertLessEqual(len(page), 7)
            seen += [entry.seq for entry in page]
        self.assertEqual(seen, list(range(1, 101)))

    async def test_a_page_is_bounded_in_bytes(self) -> None:
        """Long texts make pages short, but never empty."""
        long = "x" * (PAGE_BYTES // 2)
        await self.say(
            said("@a", long), said("@a", long), said("@a", long), said("@a", "x" * PAGE_BYTES * 2)
        )
        self.assertEqual([e.seq for e in await self.store.read("@a", 0, 10)], [1, 2])
        self.assertEqual([e.seq for e in await self.store.read("@a", 2, 10)], [3])
        self.assertEqual([e.seq for e in await self.store.read("@a", 3, 10)], [4])

    async def test_later_calls_see_earlier_appends(self) -> None:
        """What is asked after an append, without waiting for it, sees it."""
        self.listen()
        self.store.append([said("@a", "1")])
        self.assertEqual(await self.store.head("@a"), 1)

    async def test_answers_come_in_the_order_of_the_calls(self) -> None:
        """Appends and calls, mixed, are answered one after another."""
        order: list[object] = []
        self.store.committed = lambda run: order.extend(append.body for append in run)
        self.store.append([said("@a", "1")])
        first = self.store.head("@a")
        self.store.append([said("@a", "2")])
        self.store.append([said("@a", "3")])
        second = self.store.get("kind", "key")
        first.addCallback(order.append)
        second.addCallback(order.append)
        await gatherResults([first, second])
        await self.store.head("@a")
        # A store that commits at once answers before anyone can listen.
        self.assertEqual([x for x in order if isinstance(x, str)], ["1", "2", "3"])
        self.assertEqual(len(order), 5)

    async def test_the_backlog_is_what_has_not_been_answered(self) -> None:
        """It grows by what is appended and is nothing when all is answered."""
        self.listen()
        self.store.append([said("@a", "12345")])
        self.assertEqual(self.store.backlog, 5)
        await self.store.head("@a")
        self.assertEqual(self.store.backlog, 0)

    async def test_a_resent_key_gives_the_same_seq(self) -> None:
        """The same key, sender and text: the seq of the first time, and no second entry."""
        await self.say(said("@a", "x", "k1"), said("@a", "y"), said("@a", "z", "k2"))
        again, inside, twice = await self.say(
            said("@a", "x", "k1"), said("@a", "n", "k3"), said("@a", "n", "k3")
        )
        self.assertEqual((again.seq, again.refusal), (1, None))
        self.assertEqual((inside.seq, twice.seq), (4, 4))
        self.assertEqual(await self.store.head("@a"), 4)

    async def test_a_reused_key_is_refused(self) -> None:
        """The same key with another text is refused, and only that."""
        await self.say(said("@a", "x", "k"))
        wrong, right = await self.say(said("@a", "other", "k"), said("@a", "y"))
        self.assertIsInstance(wrong.refusal, KeyReused)
        self.assertEqual((right.seq, right.refusal), (2, None))

    async def test_a_key_stands_for_all_that_was_said(self) -> None:
        """The same text of another kind, or about another entry, is something else."""
        first = Append("@a", 1, 2, "ann", "x", NOBODY, kind=EDIT, key="k", about=7)
        kind = Append("@a", 1, 2, "ann", "x", NOBODY, key="k", about=7)
        about = Append("@a", 1, 2, "ann", "x", NOBODY, kind=EDIT, key="k", about=8)
        again = Append("@a", 3, 4, "ann", "x", NOBODY, kind=EDIT, key="k", about=7)
        await self.say(first, kind, about)
        await self.say(again)
        self.assertEqual(
            [type(a.refusal) for a in (first, kind, about, again)],
            [_NONE, KeyReused, KeyReused, _NONE],
        )
        self.assertEqual((again.seq, again.resent, again.id, again.time), (1, True, 1, 2))
        self.assertEqual((first.resent, await self.store.head("@a")), (False, 1))

    async def test_a_key_is_free_when_its_entry_is_gone(self) -> None:
        """Trimmed or dropped, whatever the order of the keys; those of other entries are not."""
        await self.say(said("@a", "1", "k2"), said("@a", "2", "k3"), said("@a", "3", "k1"))
        await self.store.trim("@a", 2)
        heard = await self.say(
            said("@a", "new", "k2"), said("@a", "3", "k1"), said("@a", "new", "k2")
        )
        self.assertEqual([(a.seq, a.resent) for a in heard], [(4, False), (3, True), (4, True)])
        await self.store.drop("@a")
        heard = await self.say(said("@a", "newer", "k2"), said("@a", "newer", "k2"))
        self.assertEqual([(a.seq, a.resent) for a in heard], [(1, False), (1, True)])

    async def test_keys_belong_to_a_sender_and_a_log(self) -> None:
        """Others may use the same key, and so may the same sender elsewhere."""
        heard = await self.say(
            said("@a", "x", "k"), said("@a", "y", "k", sender="bob"), said("@b", "z", "k")
        )
        self.assertEqual([a.seq for a in heard], [1, 2, 1])

    async def test_trim_forgets_the_front(self) -> None:
        """What was trimmed cannot be read, seqs go on, and trimming too far trims all there is."""
        await self.say(*[said("@a", str(n)) for n in range(1, 6)])
        await self.store.trim("@a", 3)
        self.assertEqual([e.seq for e in await self.store.read("@a", 0, 10)], [4, 5])
        await self.store.trim("@a", 2)
        self.assertEqual([e.seq for e in await self.store.read("@a", 0, 10)], [4, 5])
        await self.store.trim("@a", 99)
        self.assertEqual(await self.store.read("@a", 0, 10), [])
        self.assertEqual(await self.store.head("@a"), 5)
        (append,) = await self.say(said("@a", "6"))
        self.assertEqual(append.seq, 6)
        await self.store.trim("@nobody", 3)

    async def test_drop_forgets_everything(self) -> None:
        """A log that is dropped begins anew, with its documents gone, and no other log is
        touched."""
        await self.say(said("@a", "old", "k"), said("@b", "other"))
        await self.store.create("cursor", "@a", b"1")
        await self.store.create("claim", "@a", b"2")
        await self.store.create("cursor", "@b", b"3")
        await self.store.drop("@a")
        self.assertEqual(await self.store.head("@a"), 0)
        self.assertEqual(await self.store.read("@a", 0, 10), [])
        self.assertIsNone(await self.store.get("cursor", "@a"))
        self.assertIsNone(await self.store.get("claim", "@a"))
        self.assertIsNotNone(await self.store.get("cursor", "@b"))
        (append,) = await self.say(said("@a", "new", "k"))
        self.assertEqual((append.seq, append.refusal), (1, None))
        self.assertEqual([e.body for e in await self.store.read("@a", 0, 10)], ["new"])
        self.assertEqual([e.body for e in await self.store.read("@b", 0, 10)], ["other"])
        await self.store.drop("@nobody")


class DocumentContract(StoreContract):
    """Documents: create, get, update, delete, list."""

    async def test_create_and_get(self) -> None:
        """A new document has version 1; there is one for each kind and key."""
        self.assertEqual(await self.store.create("account", "Ann", b"body"), 1)
        document = await self.store.get("account", "Ann")
        self.assertEqual((document.key, document.version, document.body), ("Ann", 1, b"body"))
        self.assertIsNone(await self.store.get("room", "Ann"))
        self.assertIsNone(await self.store.get("account", "Bob"))
        await self.store.create("room", "Ann", b"other")

    async def test_keys_ignore_case_and_keep_their_spelling(self) -> None:
        """ann is Ann, shown as first written."""
        await self.store.create("account", "Ann", b"")
        await self.assertFailure(self.store.create("account", "aNN", b""), Exists)
        self.assertEqual((await self.store.get("account", "ANN")).key, "Ann")
        await self.store.update("account", "ann", 1, b"new")
        self.assertEqual((await self.store.get("account", "Ann")).key, "Ann")
        await self.store.delete("account", "anN", 2)
        self.assertEqual(await self.store.create("account", "ANN", b""), 1)
        self.assertEqual(await self.store.list("account"), ["ANN"])

    async def test_update_compares(self) -> None:
        """Only who knows the current version may change a document."""
        await self.store.create("account", "Ann", b"1")
        self.assertEqual(await self.store.update("account", "Ann", 1, b"2"), 2)
        await self.assertFailure(self.store.update("account", "Ann", 1, b"3"), Conflict)
        await self.assertFailure(self.store.update("account", "Bob", 1, b"3"), Conflict)
        self.assertEqual((await self.store.get("account", "Ann")).body, b"2")

    async def test_delete_compares(self) -> None:
        """Only who knows the current version may delete a document."""
        await self.store.create("account", "Ann", b"1")
        await self.assertFailure(self.store.delete("account", "Ann", 2), Conflict)
        await self.store.delete("account", "Ann", 1)
        await self.assertFailure(self.store.delete("account", "Ann", 1), Conflict)
        self.assertIsNone(await self.store.get("account", "Ann"))

    async def test_a_refused_call_refuses_nothing_else(self) -> None:
        """One conflict in the midst of others: they are done all the same."""
        heard = self.listen()
        self.store.append([said("@a", "1")])
        calls = [
            self.store.create("account", "Ann", b""),
            self.assertFailure(self.store.create("account", "Ann", b""), Exists),
            self.store.create("account", "Bob", b""),
        ]
        self.store.append([said("@a", "2")])
        await gatherResults(calls)
        self.assertEqual(await self.store.head("@a"), 2)
        self.assertEqual([a.refusal for a in heard], [None, None])
        self.assertEqual(await self.store.list("account"), ["Ann", "Bob"])

    async def test_list_in_order_of_creation(self) -> None:
        """Keys that match, with regard to case, oldest first, at most as many as asked for."""
        for name in ("mason", "Wayne", "alice", "Mona"):
            await self.store.create("account", name, b"")
        await self.store.create("room", "marble", b"")
        self.assertEqual(await self.store.list("account"), ["mason", "Wayne", "alice", "Mona"])
        self.assertEqual(await self.store.list("account", "m*"), ["mason"])
        self.assertEqual(await self.store.list("account", "[Mm]*"), ["mason", "Mona"])
        self.assertEqual(await self.store.list("account", "*", 2), ["mason", "Wayne"])
        self.assertEqual(await self.store.list("account", "*a*", 1), ["mason"])
        self.assertEqual(await self.store.list("nothing"), [])

    async def test_pages_in_alphabetical_order(self) -> None:
        """Whatever the case, from the first or from any text on, also one that is no key."""
        for name in ("mason", "Wayne", "alice", "Mona", "_x", "9", "B.b"):
            await self.store.create("account", name, b"")
        await self.store.create("room", "marble", b"")
        order = ["9", "_x", "alice", "B.b", "mason", "Mona", "Wayne"]
        self.assertEqual(await self.store.page("account", "*", "", 100), order)
        self.assertEqual(await self.store.page("account", "*", "", 3), order[:3])
        self.assertEqual(await self.store.page("account", "*", "ALICE", 2), order[3:5])
        self.assertEqual(await self.store.page("account", "*", "mb", 100), order[5:])
        self.assertEqual(await self.store.page("account", "*", "wayne", 100), [])
        self.assertEqual(await self.store.page("account", "*", "", 0), [])
        self.assertEqual(await self.store.page("nothing", "*", "", 100), [])

    async def test_pages_of_what_matches(self) -> None:
        """The pattern counts letters of another case as others; the limit counts what matches."""
        for number in range(50):
            await self.store.create("account", f"{'aA'[number % 2]}{number:02d}", b"")
        seen: list[str] = []
        while page := await self.store.page("account", "a*[02468]", seen[-1] if seen else "", 7):
            self.assertLessEqual(len(page), 7)
            seen += page
        self.assertEqual(seen, [f"a{number:02d}" for number in range(0, 50, 2)])

    async def test_pages_go_on_after_a_key_that_is_gone(self) -> None:
        """What was deleted between two pages neither repeats nor hides anything."""
        for name in ("a", "b", "c", "d"):
            await self.store.create("account", name, b"")
        self.assertEqual(await self.store.page("account", "*", "", 2), ["a", "b"])
        await self.store.delete("account", "b", 1)
        self.assertEqual(await self.store.page("account", "*", "b", 2), ["c", "d"])
