"""Invite tokens, over each store."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from chatd.core.errors import Conflict, InviteInvalid
from chatd.realm.documents import Documents
from chatd.realm.invite_tokens import InviteToken, hashed, listing, make, redeeming, revoke
from chatd.stores.memory import MemoryStore
from chatd.stores.sqlite.store import SQLiteStore
from tests.doubles.folders import folder

if TYPE_CHECKING:
    _Case = TestCase
else:
    _Case = object


class _InviteTokens(_Case):
    """The tests of invite tokens; subclasses make `documents` in `setUp`."""

    documents: Documents

    async def redeem(self, token: str, now: int) -> None:
        """Use a token once, again if another registration has used it meanwhile."""
        while True:
            use = await redeeming(self.documents, token, now)
            try:
                await self.documents.write([use])
            except Conflict:
                continue
            return

    async def assert_refused(self, token: str, now: int = 0) -> None:
        """A token is refused."""
        with self.assertRaises(InviteInvalid):
            await self.redeem(token, now)

    async def test_token_is_valid_for_its_uses(self) -> None:
        """A token for two accounts is refused for a third."""
        token = await make(self.documents, 0, uses=2)
        await self.redeem(token, 1)
        await self.redeem(token, 2)
        await self.assert_refused(token)

    async def test_token_expires(self) -> None:
        """A token is refused from its time of expiry on; without one it is valid for ever."""
        token = await make(self.documents, 0, expires=1000)
        await self.assert_refused(token, 1000)
        await self.redeem(token, 999)
        await self.redeem(await make(self.documents, 0), 2**50)

    async def test_unknown_token_is_refused(self) -> None:
        """Invented tokens, an empty one, and the key of a stored token are refused."""
        await make(self.documents, 0)
        ((key, _),) = await listing(self.documents)
        for token in ("", "-", "a" * 26, key, "\0", "é" * 100):
            await self.assert_refused(token)

    async def test_case_and_grouping_do_not_matter(self) -> None:
        """A token may be copied with other groups, other letter case, and blanks around it."""
        token = await make(self.documents, 0, uses=3)
        self.assertRegex(token, r"\A[a-z2-7]{7}(-[a-z2-7]{5,7}){3}\Z")
        for copied in (token.replace("-", ""), token.upper(), f" {token.replace('-', ' ')}\n"):
            await self.redeem(copied, 0)

    async def test_tokens_differ(self) -> None:
        """No two tokens are the same."""
        tokens = {await make(self.documents, 0) for _ in range(50)}
        self.assertEqual(len(tokens), 50)

    async def test_only_the_hash_is_stored(self) -> None:
        """Neither the key nor the record contains the token; the operator's note is stored."""
        token = await make(self.documents, 5, uses=3, expires=9, note="for Ann")
        ((key, invite),) = await listing(self.documents)
        self.assertEqual(key, hashed(token))
        self.assertNotIn(token.replace("-", ""), key)
        self.assertEqual(invite, InviteToken(5, 9, 3, "for Ann"))

    async def test_concurrent_uses_are_counted(self) -> None:
        """Of eight concurrent registrations, a token for three accounts lets three succeed."""
        token = await make(self.documents, 0, uses=3)
        outcomes = await DeferredList(
            [Deferred.fromCoroutine(self.redeem(token, 0)) for _ in range(8)],
            consumeErrors=True,
        )
        self.assertEqual(sum(1 for succeeded, _ in outcomes if succeeded), 3)
        for succeeded, outcome in outcomes:
            if not succeeded:
                assert isinstance(outcome, Failure)
                outcome.trap(InviteInvalid)
        ((_, invite),) = await listing(self.documents)
        self.assertEqual(invite.uses, 0)

    async def test_use_is_counted_by_the_write_that_has_it(self) -> None:
        """A use that is not written costs nothing; one that another write has used is refused."""
        token = await make(self.documents, 0)
        first, second = [await redeeming(self.documents, token, 0) for _ in range(2)]
        await self.documents.write([first])
        with self.assertRaises(Conflict):
            await self.documents.write([second])
        await self.assert_refused(token)

    async def test_revoked_token_is_refused(self) -> None:
        """A token can be revoked by itself or by the beginning of its key; others stay valid."""
        tokens = [await make(self.documents, 0) for _ in range(3)]
        keys = [hashed(token) for token in tokens]
        self.assertEqual(await revoke(self.documents, tokens[0].upper()), keys[0])
        self.assertEqual(await revoke(self.documents, keys[1][:20].upper()), keys[1])
        await self.assert_refused(tokens[0])
        await self.assert_refused(tokens[1])
        self.assertEqual([key for key, _ in await listing(self.documents)], keys[2:])
        for unknown in (tokens[0], keys[1], "", "zz", "*"):
            with self.assertRaises(InviteInvalid):
                await revoke(self.documents, unknown)

    async def test_ambiguous_beginning_revokes_nothing(self) -> None:
        """If several keys begin alike, none of their tokens is revoked."""
        for _ in range(17):
            await make(self.documents, 0)
        keys = [key for key, _ in await listing(self.documents)]
        (twice, *_) = [key[0] for key in keys if sum(other[0] == key[0] for other in keys) > 1]
        with self.assertRaises(InviteInvalid) as refusal:
            await revoke(self.documents, twice)
        self.assertIn("give more of it", str(refusal.exception))
        self.assertEqual(len(await listing(self.documents)), 17)


class InMemory(_InviteTokens, TestCase):
    """With the store in memory."""

    def setUp(self) -> None:
        self.store = MemoryStore()
        self.documents = Documents(self.store)


class InFile(_InviteTokens, TestCase):
    """With SQLite."""

    def setUp(self) -> None:
        self.store = SQLiteStore(reactor, os.path.join(folder(self), "chatd.db"))
        self.store.start()
        self.documents = Documents(self.store)

    def tearDown(self) -> Any:
        return self.store.stop()
