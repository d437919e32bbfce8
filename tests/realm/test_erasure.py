"""Erasure of an account with its texts: what goes, what stays, and what an interruption leaves."""

from __future__ import annotations

from typing import Any

from chatd.core.errors import StoreUnavailable, UnknownAccount
from chatd.core.names import deleted_room_log
from chatd.realm.erasure import Erasure, ErasureStep
from chatd.realm.erasure_record import ErasureRecord
from tests.realm.case import AckRealmCase


class Erasing(AckRealmCase):
    """Ann and bob have written to each other and to #room; a page of a log has three entries."""

    limits = {"page": 3}

    def setUp(self) -> None:
        super().setUp()
        self.run_now(self.realm.start())
        self.erasure = Erasure(self.realm)
        self.create_room(self.bob, self.ann)
        self.send(self.bob, "ann", "to ann")
        self.send(self.ann, "bob", "to bob 0", "to bob 1")
        self.send(self.bob, "#room", "by bob")
        self.send(self.ann, "#room", *(f"by ann {number}" for number in range(5)))
        self.run_now(self.realm.edits.edit(self.ann, "#room", 4, "edited", None))
        self.run_now(self.realm.edits.react(self.ann, "#room", 3, "+1", None))
        self.run_now(self.realm.reports.report(self.ann, "bob", "spam", "", 0))

    def erase(self, resume: bool = False) -> ErasureStep:
        """Erase Ann, step by step; the last one."""
        step: ErasureStep = self.run_now(self.erasure.step("ANN", resume))
        while step.more:
            step = self.run_now(self.erasure.step("ann", True))
        return step

    def texts(self, log: str) -> list[tuple[str, str, str]]:
        """(sender, kind, body) of the entries of a log."""
        return [(sender, kind, body) for _, sender, kind, body in self.entries(log)]

    def pending(self) -> list[Any]:
        """Erasures that are under way."""
        records: list[Any] = self.result(self.realm.documents.scan(ErasureRecord))
        return records

    def check_erased(self) -> None:
        """Nothing that Ann has written is left, and everything that bob has."""
        self.assertEqual(self.texts("@bob"), [("Ann", "erased", "")] * 2)
        room = self.texts("#room")
        self.assertIn(("bob", "text", "by bob"), room)
        self.assertEqual(room.count(("Ann", "erased", "")), 7)
        self.assertEqual(
            {kind for sender, kind, _ in room if sender == "Ann"} - {"join", "leave"}, {"erased"}
        )
        self.assertEqual(self.pending(), [])

    def test_texts_of_the_account_are_erased_in_rooms_and_mailboxes(self) -> None:
        """Edits and reactions as well. Entries keep their places, names and times."""
        before = self.entries("#room")
        step = self.erase()
        self.assertEqual((step.name, step.erased), ("Ann", 9))
        self.check_erased()
        after = self.entries("#room")
        self.assertEqual(
            [entry[:2] for entry in after[: len(before)]], [entry[:2] for entry in before]
        )
        self.assertIsNone(self.run_now(self.realm.accounts.account("ann")))
        self.assertTrue(self.ann.ended)
        self.refuse(UnknownAccount, self.erasure.step("ann", False))

    def test_texts_in_a_deleted_room_are_erased_too(self) -> None:
        """It may be restored."""
        self.run_now(self.realm.rooms.delete_by_operator("#room"))
        self.assertEqual(self.erase().erased, 9)
        ((_, log),) = [
            (row.key, deleted_room_log(row.record.record.id))
            for row in self.run_now(self.realm.rooms.deleted("", 10))
        ]
        entries = self.result(self.store.read(log, 0, 100))
        self.assertEqual(
            [entry.kind for entry in entries if entry.sender == "Ann"].count("erased"), 7
        )
        self.assertNotIn("by ann 0", [entry.body for entry in entries])

    def test_texts_in_a_room_that_is_restored_meanwhile_are_erased(self) -> None:
        """Whatever has been read by then, and under whatever name it is restored."""
        for name in ("", "#a", "#z"):
            for steps in range(1, 12):
                self.setUp()
                self.run_now(self.realm.rooms.create(self.bob, "#s", "", False))
                for _ in range(4):
                    self.send(self.bob, "#s", "by bob")
                self.run_now(self.realm.rooms.delete_by_operator("#room"))
                for _ in range(steps):
                    step = self.run_now(self.erasure.step("ann", False))
                    if not step.more:
                        break
                self.run_now(self.realm.rooms.restore("#room", 0, name, ""))
                while step.more:
                    step = self.run_now(self.erasure.step("ann", True))
                with self.subTest(name=name, steps=steps):
                    texts = self.texts(name or "#room")
                    self.assertEqual(texts.count(("Ann", "erased", "")), 7)
                    self.assertEqual(self.pending(), [])

    def test_reports_by_the_account_stay(self) -> None:
        """Operators need them, and they are about others."""
        self.erase()
        page = self.run_now(self.realm.reports.page(0, 10))
        self.assertEqual([report.body for report in page.items], ["bob: spam"])

    def test_erasure_goes_on_after_each_failure_of_the_store(self) -> None:
        """Also if the account is deleted already, or the erasure has only begun."""
        for failures in (0, 1, 1, 0, 0):
            self.store.fail_after = failures
            self.refuse(StoreUnavailable, self.erasure.step("ann", False))
        self.erase(resume=True)
        self.check_erased()

    def test_next_account_of_the_name_is_not_erased(self) -> None:
        """Only that of the beginning is."""
        self.assertTrue(self.run_now(self.erasure.step("ann", False)).more)
        self.run_now(self.realm.register("ann"))
        ann, _ = self.login("ann")
        self.send(ann, "bob", "by the next one")
        self.erase(resume=True)
        self.assertIn(("ann", "text", "by the next one"), self.texts("@bob"))
        self.assertIsNotNone(self.run_now(self.realm.accounts.account("ann")))

    def test_resuming_needs_an_erasure_that_is_under_way(self) -> None:
        """So each one begins with a request that is in the audit log."""
        self.refuse(UnknownAccount, self.erasure.step("ann", True))
        self.assertIsNotNone(self.run_now(self.realm.accounts.account("ann")))
