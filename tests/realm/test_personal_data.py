"""The export of what is stored of one account."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from chatd.core.errors import BadRequest, UnknownAccount
from chatd.realm import changes
from chatd.realm.membership import InvitedRecord
from chatd.realm.operations import Operations
from chatd.realm.personal_data import PersonalData
from chatd.realm.resume_tokens import hashed
from chatd.stores import PAGE_BYTES
from tests.realm.case import AckRealmCase


class Export(AckRealmCase):
    """Ann and bob talk to each other and in #room; a page of a log has three entries."""

    limits = {"page": 3, "deleted_room_time": 0}

    def setUp(self) -> None:
        super().setUp()
        self.run_now(self.realm.start())
        self.data = PersonalData(self.realm)
        self.create_room(self.bob, self.ann)
        self.send(self.bob, "ann", *(f"to ann {number}" for number in range(4)))
        self.send(self.ann, "bob", "to bob 0", "to bob 1")
        self.send(self.ann, "#room", *(f"ann {number}" for number in range(5)))
        self.send(self.bob, "#room", "bob")
        self.run_now(self.realm.reports.report(self.ann, "bob", "spam", "", 0))
        self.run_now(self.realm.blocking.set_blocked(self.ann, "bob", True))

    def export(self, name: str, limit: int = 1000) -> list[dict[str, Any]]:
        """All items, page by page."""
        items: list[dict[str, Any]] = []
        after, more = "", True
        while more:
            page = self.run_now(self.data.page(name, after, limit))
            self.assertLessEqual(len(page.items), limit + 3)
            items += page.items
            after, more = page.last, page.more
        return items

    def test_export_has_what_the_account_has_stored_and_written(self) -> None:
        """Nothing that others have written to others."""
        items = self.export("ANN")
        self.assertEqual(
            Counter(item["type"] for item in items),
            {"account": 1, "settings": 1, "membership": 1, "report": 1, "entry": 12},
        )
        account, settings, membership = items[:3]
        self.assertEqual((account["name"], account["password"]), ("Ann", False))
        self.assertEqual(settings["blocked"], ["bob"])
        self.assertEqual((membership["room"], membership["role"]), ("#room", "member"))
        logs = Counter((item["log"], item["sender"]) for item in items if item["type"] == "entry")
        self.assertEqual(logs, {("@ann", "bob"): 4, ("#room", "Ann"): 6, ("@bob", "Ann"): 2})
        texts = {item["body"] for item in items if item["type"] == "entry"}
        self.assertLessEqual({"to ann 3", "to bob 1", "ann 4"}, texts)
        self.assertNotIn("bob", texts)

    def test_pages_of_any_size_have_the_same_items(self) -> None:
        """In the same order."""
        items = self.export("ann")
        for limit in (1, 2, 5):
            self.assertEqual(self.export("ann", limit), items)

    def test_page_has_a_bounded_amount_of_text(self) -> None:
        """However many entries it might have."""
        self.run_now(self.realm.blocking.set_blocked(self.ann, "bob", False))
        self.send(self.bob, "ann", *("x" * 60_000 for _ in range(20)))
        page = self.run_now(self.data.page("ann", "", 1000))
        self.assertTrue(page.more)
        self.assertLess(sum(len(item.get("body", "")) for item in page.items), 2 * PAGE_BYTES)

    def test_all_invitations_are_exported(self) -> None:
        """Many accounts can invite one."""
        rooms = [f"#room{number}" for number in range(1_001)]
        rows = [
            changes.create(str(10**6 + number), InvitedRecord(room), str(self.ann.account))
            for number, room in enumerate(rooms)
        ]
        self.result(self.realm.documents.write(rows))
        items = self.export("ann")
        self.assertEqual([item["room"] for item in items if item["type"] == "invitation"], rooms)

    def test_rooms_that_were_left_are_exported_too(self) -> None:
        """What was written there is still there."""
        self.run_now(self.realm.rooms.leave(self.ann, "#room"))
        logs = [item["log"] for item in self.export("ann") if item["type"] == "entry"]
        self.assertEqual(logs.count("#room"), 7)

    def test_tokens_are_listed_without_their_hashes(self) -> None:
        """They are no data of the person that an operator needs."""
        token = self.run_now(self.realm.resume_tokens.issue(self.ann))
        operations = Operations(self.realm)
        new = self.run_now(operations.create_access_token("ann", "bot", ["all"], 60))
        items = [item for item in self.export("ann") if item["type"].endswith("-token")]
        self.assertEqual([item.get("name") for item in items], [None, "bot"])
        self.assertEqual((items[1]["scopes"], items[1]["used"]), (["all"], 0))
        for secret in (token, new.token):
            self.assertNotIn(secret, json.dumps(items))
            self.assertNotIn(hashed(secret), json.dumps(items))

    def test_log_that_is_deleted_meanwhile_is_passed_over(self) -> None:
        """The export goes on with the next one."""
        page = self.run_now(self.data.page("ann", "", 12))
        self.assertEqual(page.items[-1]["log"], "#room")
        self.run_now(self.realm.rooms.delete_by_operator("#room"))
        items = self.run_now(self.data.page("ann", page.last, 100)).items
        self.assertEqual({item["log"] for item in items}, {"@bob"})

    def test_account_of_another_page_is_not_confused_with_its_successor(self) -> None:
        """A place that is none is refused."""
        page = self.run_now(self.data.page("ann", "", 1))
        self.run_now(self.realm.delete_account("ann"))
        self.run_now(self.realm.register("ann"))
        self.refuse(UnknownAccount, self.data.page("ann", page.last, 1))
        self.refuse(UnknownAccount, self.data.page("nobody", "", 1))
        for place in ("x", "[]", "[1,9]", "{}"):
            self.refuse(BadRequest, self.data.page("ann", place, 1))
