"""Deletion of many accounts: which ones, and what happens to them meanwhile."""

from __future__ import annotations

from typing import Any

from chatd.core.errors import BadRequest, PatternTooLong
from chatd.realm.mass_deletion import Deleted
from chatd.realm.operations import Operations
from tests.doubles.realm import AckRecorder
from tests.realm.case import RealmCase

HOUR = 3_600_000


class MassDeletion(RealmCase):
    """Ann and bob exist since the beginning, and c1 to c3 for an hour; c2 is online, and c3 was
    half an hour ago."""

    def setUp(self) -> None:
        super().setUp()
        self.run_now(self.realm.start())
        self.deletion = Operations(self.realm).mass_deletion
        self.harness.now = 9 * HOUR
        for name in ("c1", "c2", "c3"):
            self.run_now(self.realm.register(name))
        self.harness.now += HOUR // 2
        session, _ = self.harness.login_ack("c3", {})
        session.end()
        self.harness.save()
        self.harness.login_ack("c2", {})
        self.harness.now += HOUR // 2 + 10

    def delete(self, pattern: str, **options: Any) -> list[Deleted]:
        """What is deleted, or would be."""
        arguments = {
            "older": None,
            "idle": None,
            "dry_run": False,
            "after": "",
            "limit": 10,
            **options,
        }
        items: list[Deleted] = self.run_now(self.deletion.page(pattern, **arguments)).items
        return items

    def names(self) -> list[str]:
        """All accounts."""
        names: list[str] = self.run_now(self.realm.accounts.names())
        return names

    def test_only_old_accounts_that_match_are_deleted(self) -> None:
        """With --dry-run nothing is; letters count in their case."""
        for pattern, older, found in (
            ("*", 2 * 3600, ["Ann", "bob"]),
            ("a*", 2 * 3600, []),
            ("c*", 2 * 3600, []),
            ("c[13]", 3600, ["c1", "c3"]),
        ):
            items = self.delete(pattern, older=older, dry_run=True)
            self.assertEqual([item.name for item in items], found)
        self.assertEqual(len(self.names()), 5)
        self.assertEqual([item.name for item in self.delete("*", older=2 * 3600)], ["Ann", "bob"])
        self.assertEqual(sorted(self.names()), ["c1", "c2", "c3"])

    def test_account_of_a_bot_is_idle_when_its_token_is(self) -> None:
        """A session with a scope is no presence, but the account is in use."""
        people, _ = self.harness.login_ack("c1", {})
        self.run_now(self.realm.rooms.create(people, "#ci", "", False))
        account = self.harness.account("c1")
        tokens = self.realm.access_tokens
        token, _ = self.run_now(
            tokens.create("c1", account, "bot", ["read #ci"], None, proven=True)
        )
        people.end()
        self.harness.save()
        self.harness.now += 3 * HOUR
        self.assertEqual([item.name for item in self.delete("c1", idle=3600, dry_run=True)], ["c1"])
        name, account, proof = self.run_now(tokens.account("c1", token))
        session = self.run_now(self.realm.sessions.open(name, account, AckRecorder(), proof))
        self.run_now(tokens.opened(session))
        self.assertEqual([item.refused for item in self.delete("c1", idle=0)], ["busy"])
        session.end()
        self.harness.now += HOUR - 1
        self.assertEqual(self.delete("c1", idle=3600), [])
        self.harness.now += 1
        self.assertEqual([item.name for item in self.delete("c1", idle=3600)], ["c1"])

    def test_only_idle_accounts_are_deleted(self) -> None:
        """One that was never online counts from its creation, one that is online is not idle."""
        self.assertEqual([item.name for item in self.delete("c*", idle=3600)], ["c1"])
        self.assertEqual([item.name for item in self.delete("c*", idle=1800)], ["c3"])
        self.assertEqual([item.name for item in self.delete("c*", idle=0, dry_run=True)], ["c2"])
        self.assertEqual(sorted(self.names()), ["Ann", "bob", "c2"])

    def test_both_conditions_must_hold(self) -> None:
        """At least one must be given."""
        self.assertEqual(self.delete("c*", older=2 * 3600, idle=1), [])
        self.refuse(BadRequest, self.deletion.page("c*", None, None, True, "", 10))
        self.refuse(PatternTooLong, self.deletion.page("c" * 1000, 1, None, True, "", 10))

    def test_pages_follow_each_other(self) -> None:
        """A page looks at a few names."""
        page = self.run_now(self.deletion.page("*", 1, None, False, "", 2))
        self.assertEqual(([item.name for item in page.items], page.more), (["Ann", "bob"], True))
        page = self.run_now(self.deletion.page("*", 1, None, True, page.last, 2))
        self.assertEqual([item.name for item in page.items], ["c1", "c2"])

    def test_account_that_is_used_meanwhile_stays(self) -> None:
        """It is online, has another password, or its name belongs to another account."""
        existing = self.realm.accounts.existing

        async def with_login(name: str) -> Any:
            account = await existing(name)
            self.patch(self.realm.sessions, "online", lambda name: True)
            return account

        async def with_new_account(name: str) -> Any:
            await self.realm.delete_account(name)
            await self.realm.register(name)
            return await existing(name)

        async def with_new_password(name: str) -> Any:
            account = await existing(name)
            await self.realm.set_password(name, "new")
            return account

        def meanwhile(function: Any) -> Any:
            async def once(name: str) -> Any:
                self.patch(self.realm.accounts, "existing", existing)
                return await function(name)

            return once

        for function, code in (
            (with_login, "busy"),
            (with_new_password, "wrong-password"),
            (with_new_account, "unknown-account"),
        ):
            replaced = self.patch(self.realm.accounts, "existing", meanwhile(function))
            (item,) = self.delete("c1", idle=0)
            self.assertEqual(item.refused, code)
            self.assertIn("c1", self.names())
            replaced.restore()
            self.patch(self.realm.sessions, "online", lambda name: False)
