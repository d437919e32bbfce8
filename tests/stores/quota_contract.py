"""The contract of quotas: how much a log stores, in all and from one author."""

from __future__ import annotations

from typing import Any

from chatd.core.entries import DELETION, EDIT, INVITE, JOIN, REACTION, TEXT
from chatd.core.errors import MailboxFull, RoomFull
from chatd.core.names import OPERATOR_LOGS
from chatd.stores import Append, Create, Delete, Erase, Quota, RequireSpace
from tests.doubles.stores import NULL_ORIGIN
from tests.stores.contract import StoreContract


def new_entry(
    log: str, author: int, size: int = 1, kind: str = TEXT, key: str | None = None
) -> Append:
    """An append of a text of so many characters; it counts as 150 bytes more."""
    text = "x" * size
    return Append(log, 1, 2, f"name{author}", text, NULL_ORIGIN, kind, key, author=author)


class QuotaContract(StoreContract):
    """Base of the tests of quotas: a subclass opens the store in `restart`.

    In a test everything that is appended at once is in one batch, which may exceed a quota.
    """

    async def restart(self, quota: Quota) -> None:
        """Open the store with this quota, with what it has, if it is not ephemeral."""
        raise NotImplementedError

    async def expect_refused(self, *appends: Append) -> None:
        """Fail unless all appends are refused because their log is full."""
        await self.append(*appends)
        for append in appends:
            self.assertIsInstance(append.refusal, (MailboxFull, RoomFull))
            self.assertEqual(append.seq, 0)

    async def expect_stored(self, *appends: Append) -> None:
        """Fail unless all appends are stored."""
        await self.append(*appends)
        self.assertEqual([append.refusal for append in appends], [None] * len(appends))

    async def test_mailbox_takes_no_more_from_one_sender(self) -> None:
        """Others can send to it, and this sender to other mailboxes."""
        await self.restart(Quota(sender=6_000))
        await self.expect_stored(*[new_entry("@1", 7, 850) for _ in range(4)])
        await self.expect_stored(*[new_entry("@1", 7, 850) for _ in range(2)])
        refused = new_entry("@1", 7)
        await self.expect_refused(refused)
        self.assertEqual(
            str(refused.refusal),
            "The mailbox of the recipient is full: its limit is 6,000 bytes from one sender.",
        )
        assert refused.refusal is not None
        self.assertEqual(refused.refusal.quota, "sender_bytes")
        await self.expect_stored(new_entry("@1", 8), new_entry("@2", 7))

    async def test_each_sender_of_a_batch_counts_by_itself(self) -> None:
        """The entries of two senders take turns in the batch."""
        await self.restart(Quota(sender=5_000))
        await self.expect_stored(*[new_entry("@1", int(n), 850) for n in "877878787"])
        await self.expect_stored(new_entry("@1", 8))
        await self.expect_refused(new_entry("@1", 7))

    async def test_mailbox_takes_no_more_in_all(self) -> None:
        """From no sender; each entry counts for 150 bytes besides its text."""
        await self.restart(Quota(mailbox=3_000))
        await self.expect_stored(*[new_entry("@1", n, 0) for n in range(1, 15)])
        await self.expect_stored(*[new_entry("@1", n, 0) for n in range(15, 21)])
        refused = new_entry("@1", 21, 0)
        await self.expect_refused(refused)
        self.assertIn("limit is 3,000 bytes.", str(refused.refusal))
        assert refused.refusal is not None
        self.assertEqual(refused.refusal.quota, "mailbox_bytes")

    async def test_room_takes_no_more_from_one_member(self) -> None:
        """Rooms have no limit in all, and what happens in them is stored."""
        await self.restart(Quota(sender=3_000, mailbox=3_000))
        await self.expect_stored(*[new_entry("#1", 7, 850) for _ in range(3)])
        refused = new_entry("#1", 7)
        await self.expect_refused(refused)
        self.assertIsInstance(refused.refusal, RoomFull)
        await self.expect_stored(new_entry("#1", 7, 0, JOIN), new_entry("#1", 8, 2_000))

    async def test_logs_for_operators_have_no_limit_in_all(self) -> None:
        """Otherwise a few accounts could keep all others from reporting, and a small limit for
        mailboxes would end the audit log. What one account reports is bounded."""
        await self.restart(Quota(sender=3_000, mailbox=3_000))
        for log in OPERATOR_LOGS:
            await self.expect_stored(*[new_entry(log, 0, 850) for _ in range(4)])
            await self.expect_stored(*[new_entry(log, 7, 850) for _ in range(3)])
            await self.expect_stored(new_entry(log, 0), new_entry(log, 8))
            await self.expect_refused(new_entry(log, 7))

    async def test_changes_can_require_that_a_log_takes_more(self) -> None:
        """They are refused as an entry would be, and nothing is changed."""
        await self.restart(Quota(sender=3_000, mailbox=6_000))
        changes = [Create("kind", "key", b""), RequireSpace("#1", 7), RequireSpace("@1", 8)]
        await self.expect_stored(*[new_entry("#1", 7, 850) for _ in range(2)])
        await self.store.write([*changes, Delete("kind", "key", None)])
        await self.expect_stored(new_entry("#1", 7, 850))
        with self.assertRaises(RoomFull):
            await self.store.write(changes)
        self.assertIsNone(await self.store.get("kind", "key"))
        await self.store.write([RequireSpace("#1", 8), RequireSpace("#none", 7)])
        await self.expect_stored(*[new_entry("@1", n, 850) for n in range(1, 7)])
        with self.assertRaises(MailboxFull):
            await self.store.write(changes[2:])

    async def test_erased_texts_do_not_count(self) -> None:
        """Neither to the author nor in all; the entries do."""
        await self.restart(Quota(sender=6_000, mailbox=9_000))
        for _ in range(3):
            await self.expect_stored(*[new_entry("@1", 7, 1_850) for _ in range(3)])
            await self.expect_refused(new_entry("@1", 7))
            head = await self.store.head("@1")
            await self.store.write([Erase("@1", head - number) for number in range(3)])
            await self.expect_stored(new_entry("@1", 7))

    async def test_full_mailbox_takes_deletions(self) -> None:
        """Edits, reactions and invitations are refused as texts are."""
        await self.restart(Quota(sender=3_000))
        await self.expect_stored(*[new_entry("@1", 7, 850) for _ in range(3)])
        for kind in (EDIT, REACTION, INVITE):
            await self.expect_refused(new_entry("@1", 7, 1, kind))
        await self.expect_stored(new_entry("@1", 7, 0, DELETION))

    async def test_resend_to_a_full_mailbox_gets_its_first_answer(self) -> None:
        """A key that was refused can be used again when there is room."""
        await self.restart(Quota(sender=3_000))
        texts = [new_entry("@1", 7, 850, key=f"k{n}") for n in range(3)]
        await self.expect_stored(*texts)
        again = new_entry("@1", 7, 850, key="k1")
        await self.expect_stored(again)
        self.assertEqual((again.seq, again.resent), (2, True))
        await self.expect_refused(new_entry("@1", 7, key="k9"), new_entry("@1", 7, key="k0 new"))
        await self.trimmed("@1", 3)
        last = new_entry("@1", 7, key="k9")
        await self.expect_stored(last)
        self.assertEqual((last.seq, last.resent), (4, False))

    async def trimmed(self, log: str, upto: int) -> None:
        """Trim a log, and wait until what it took does not count any more."""
        await self.store.trim(log, upto)
        while await self.garbage():
            pass

    async def garbage(self) -> Any:
        """Whether the store has still to remove what was trimmed."""
        return False

    async def test_trimmed_entries_do_not_count(self) -> None:
        """Of a log that is full; the others remain counted."""
        await self.restart(Quota(mailbox=3_000))
        await self.expect_stored(*[new_entry("@1", n, 850) for n in (7, 8, 9)])
        await self.expect_refused(new_entry("@1", 7))
        await self.trimmed("@1", 1)
        await self.expect_stored(new_entry("@1", 7, 850))
        await self.expect_refused(new_entry("@1", 7))
        await self.trimmed("@1", 9)
        await self.expect_stored(*[new_entry("@1", 9, 850) for _ in range(3)])
        await self.expect_refused(new_entry("@1", 7))

    async def test_a_flood_of_one_sender_is_bounded(self) -> None:
        """One batch after another, until the store refuses: what is stored is not much over."""
        await self.restart(Quota(sender=40_000))
        stored = 0
        for _ in range(100):
            batch = [new_entry("@1", 7, 850) for _ in range(5)]
            await self.append(*batch)
            stored += sum(append.refusal is None for append in batch)
        self.assertIn(1_000 * stored, range(40_000, 40_000 + 10_000 + 5_000 + 1))


del StoreContract
