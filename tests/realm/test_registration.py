"""Invite tokens, over each store."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from chatd.core.errors import Busy, InviteInvalid
from chatd.realm import registration as invites
from chatd.stores.memory import MemoryStore
from chatd.stores.sqlite.store import SQLiteStore
from tests.doubles.folders import folder

if TYPE_CHECKING:
    _Case = TestCase
else:
    _Case = object


class _Invites(_Case):
    """Subclasses make `store` in `setUp`."""

    store: Any

    async def refused(self, token: str, now: int = 0) -> None:
        """A token is not taken."""
        with self.assertRaises(InviteInvalid):
            await invites.redeem(self.store, token, now)

    async def test_a_token_is_good_for_its_uses(self) -> None:
        """So often and no more."""
        token = await invites.make(self.store, 0, uses=2)
        await invites.redeem(self.store, token, 1)
        await invites.redeem(self.store, token, 2)
        await self.refused(token)

    async def test_a_token_expires(self) -> None:
        """To the millisecond; without a time, never."""
        token = await invites.make(self.store, 0, expires=1000)
        await self.refused(token, 1000)
        await invites.redeem(self.store, token, 999)
        await invites.redeem(self.store, await invites.make(self.store, 0), 2**50)

    async def test_other_tokens_are_worth_nothing(self) -> None:
        """Neither an invented one, nor none, nor the key under which one is stored."""
        await invites.make(self.store, 0)
        ((key, _),) = await invites.listing(self.store)
        for token in ("", "-", "a" * 26, key, "\0", "é" * 100):
            await self.refused(token)

    async def test_a_token_may_be_copied_carelessly(self) -> None:
        """Its groups and the size of its letters do not matter."""
        token = await invites.make(self.store, 0, uses=3)
        self.assertRegex(token, r"\A[a-z2-7]{7}(-[a-z2-7]{5,7}){3}\Z")
        for copied in (token.replace("-", ""), token.upper(), f" {token.replace('-', ' ')}\n"):
            await invites.redeem(self.store, copied, 0)

    async def test_tokens_differ(self) -> None:
        """No two are the same."""
        tokens = {await invites.make(self.store, 0) for _ in range(50)}
        self.assertEqual(len(tokens), 50)

    async def test_the_token_is_not_kept(self) -> None:
        """Nothing in the store tells what it is; what the operator noted is kept."""
        token = await invites.make(self.store, 5, uses=3, expires=9, note="for Ann")
        ((key, invite),) = await invites.listing(self.store)
        self.assertEqual(key, invites.hashed(token))
        self.assertNotIn(token.replace("-", ""), key)
        self.assertEqual(invite, invites.InviteToken(5, 9, 3, "for Ann"))

    async def test_many_at_once(self) -> None:
        """However many come at the same moment, the uses are counted right."""
        token = await invites.make(self.store, 0, uses=3)
        outcomes = await DeferredList(
            [Deferred.fromCoroutine(invites.redeem(self.store, token, 0)) for _ in range(8)],
            consumeErrors=True,
        )
        self.assertEqual(sum(1 for succeeded, _ in outcomes if succeeded), 3)
        for succeeded, outcome in outcomes:
            if not succeeded:
                assert isinstance(outcome, Failure)
                outcome.trap(InviteInvalid)
        ((_, invite),) = await invites.listing(self.store)
        self.assertEqual(invite.uses, 0)

    async def test_restoring(self) -> None:
        """What was redeemed in vain can be redeemed again, but not once it has been revoked."""
        token = await invites.make(self.store, 0)
        await invites.redeem(self.store, token, 0)
        await invites.restore(self.store, token)
        await invites.redeem(self.store, token, 0)
        await invites.revoke(self.store, token)
        await invites.restore(self.store, token)
        await self.refused(token)

    async def test_revoking(self) -> None:
        """By the token or the beginning of the key; the others stay."""
        tokens = [await invites.make(self.store, 0) for _ in range(3)]
        keys = [invites.hashed(token) for token in tokens]
        self.assertEqual(await invites.revoke(self.store, tokens[0].upper()), keys[0])
        self.assertEqual(await invites.revoke(self.store, keys[1][:20].upper()), keys[1])
        await self.refused(tokens[0])
        await self.refused(tokens[1])
        self.assertEqual([key for key, _ in await invites.listing(self.store)], keys[2:])
        for unknown in (tokens[0], keys[1], "", "zz", "*"):
            with self.assertRaises(InviteInvalid):
                await invites.revoke(self.store, unknown)

    async def test_a_beginning_that_says_too_little(self) -> None:
        """Of several that begin alike none is revoked."""
        for _ in range(17):
            await invites.make(self.store, 0)
        keys = [key for key, _ in await invites.listing(self.store)]
        (twice, *_) = [key[0] for key in keys if sum(other[0] == key[0] for other in keys) > 1]
        with self.assertRaises(InviteInvalid) as refusal:
            await invites.revoke(self.store, twice)
        self.assertIn("give more of it", str(refusal.exception))
        self.assertEqual(len(await invites.listing(self.store)), 17)


class InMemory(_Invites, TestCase):
    """Gone when the daemon stops."""

    def setUp(self) -> None:
        self.store = MemoryStore()

    async def test_a_token_that_never_rests(self) -> None:
        """Where somebody else is always quicker, it is said so in the end, and nothing is taken."""
        token = await invites.make(self.store, 0, uses=1000)
        get = self.store.get

        async def meddled(kind: str, key: str) -> Any:
            document = await get(kind, key)
            await self.store.update(kind, key, document.version, document.body)
            return document

        self.patch(self.store, "get", meddled)
        with self.assertRaises(Busy):
            await invites.redeem(self.store, token, 0)


class InFile(_Invites, TestCase):
    """In SQLite."""

    def setUp(self) -> None:
        self.store = SQLiteStore(reactor, os.path.join(folder(self), "chatd.db"))
        self.store.start()

    def tearDown(self) -> Any:
        return self.store.stop()
