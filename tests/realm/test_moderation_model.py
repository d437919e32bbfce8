"""Moderation, joining and inviting at the same moment, in any order: what must hold afterwards."""

from __future__ import annotations

import contextlib
from collections.abc import Coroutine
from itertools import product
from typing import Any

from hypothesis import given, settings
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.core.errors import Refused, Silenced
from chatd.realm.membership import InvitationRecord, MemberRecord
from chatd.realm.restrictions import BanRecord, SilenceRecord, ban_of
from chatd.realm.session import Session
from tests.doubles.drawn import scripts_of
from tests.doubles.realm import RealmHarness, Text
from tests.doubles.rows import check_rows

ROOM = "#room"
PLAIN = ("carl", "Cleo", "dan")
"""accounts without a role; ann owns the room, and bob is a moderator"""
BANNED = (*PLAIN, "c*", "*a?*", "bob")


_WEIGHTS = {
    "join": 5,
    "invite": 2,
    "ban": 4,
    "unban": 1,
    "silence": 2,
    "unsilence": 1,
    "kick": 1,
    "leave": 1,
    "private": 1,
    "delete": 1,
    "time": 1,
    "commit": 4,
}
ACTIONS = [action for action, weight in _WEIGHTS.items() for _ in range(weight)]
CHOICES = list(product(PLAIN, ("ann", "bob"), BANNED))


class Daemon:
    """A daemon with one room; its store commits when it is told to."""

    def __init__(self) -> None:
        self.harness = RealmHarness(now=1_000_000)
        self.rooms = self.harness.realm.rooms
        self.store = self.harness.store
        self.sessions: dict[str, Session] = {}
        for name in ("ann", "bob", *PLAIN):
            self.open(name)
        run = self.harness.run
        run(self.rooms.create(self.sessions["ann"], ROOM, "", False))
        run(self.rooms.join(self.sessions["bob"], ROOM))
        run(self.rooms.set_role(self.sessions["ann"], ROOM, "bob", "moderator"))
        self.under_way: list[Deferred[Any]] = []
        self.store.eager = False

    def open(self, name: str) -> None:
        """Register an account, and log it in."""
        self.harness.register(name)
        self.sessions[name], _ = self.harness.login_ack(name)

    def begin(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Carry out a request until it waits for the store; it may be refused."""

        async def perform() -> None:
            with contextlib.suppress(Refused):
                await coroutine
            self.harness.realm.flush()

        self.under_way.append(Deferred.fromCoroutine(perform()))

    def perform(self, action: str, name: str, by: str, subject: str) -> None:
        """Begin an action."""
        rooms, plain, moderator = self.rooms, self.sessions[name], self.sessions[by]
        seconds = 60 if len(subject) % 2 else 0
        match action:
            case "join":
                self.begin(rooms.join(plain, ROOM))
            case "invite":
                self.begin(rooms.invite(moderator, ROOM, name))
            case "ban":
                self.begin(rooms.ban(moderator, ROOM, subject, seconds, ""))
            case "unban":
                self.begin(rooms.unban(moderator, ROOM, subject))
            case "silence":
                self.begin(rooms.silence(moderator, ROOM, name, seconds, ""))
            case "unsilence":
                self.begin(rooms.unsilence(moderator, ROOM, name))
            case "kick":
                self.begin(rooms.kick(moderator, ROOM, name))
            case "leave":
                self.begin(rooms.leave(plain, ROOM))
            case "private":
                self.begin(rooms.set_private(self.sessions["ann"], ROOM, bool(seconds)))
            case "delete":
                self.begin(self.harness.realm.delete(plain))
                self.settle()
                self.open(name)
            case "time":
                self.harness.now += 40_000
            case "commit":
                self.store.release()

    def settle(self) -> None:
        """Let everything that is under way end."""
        for _ in range(200):
            self.store.release()
            self.harness.runner.clock.advance(0)
            if not self.store._open and all(each.called for each in self.under_way):
                break
        for each in self.under_way:
            assert each.called
            each.addErrback(self.harness.runner.failures.append)
        self.under_way.clear()

    def result(self, awaitable: Any) -> Any:
        """What something that waits for the store gives."""

        async def wait() -> Any:
            return await awaitable

        return self.harness.run(wait())

    def check(self) -> None:
        """Check what must hold when nothing is under way."""
        self.settle()
        check_rows(self.store)
        assert not self.harness.runner.failures, self.harness.runner.failures
        room = self.rooms.loaded(ROOM)
        assert room is not None
        documents, now = self.harness.realm.documents, self.harness.now
        bans = self.result(documents.scan(BanRecord, room.scope))
        silences = {row.key: row for row in self.result(documents.scan(SilenceRecord, room.scope))}
        members = {row.key: row for row in self.result(documents.scan(MemberRecord, room.scope))}
        invited = {row.key for row in self.result(documents.scan(InvitationRecord, room.scope))}
        assert room.members == len(members)
        assert "ann" in members
        for name in PLAIN:
            session = self.sessions[name]
            banned = ban_of(bans, name, session.account, now)
            assert banned is None or name not in members, f"{name} is banned and a member"
            assert banned is None or name not in invited, f"{name} is banned and invited"
            assert (ROOM in session.subscriptions) is (name in members), name
            if name in members:
                row = silences.get(name)
                silenced = row is not None and row.record.until > now
                assert silenced is self.is_silenced(session), f"{name} silenced: {silenced}"

    def is_silenced(self, session: Session) -> bool:
        """Whether a text of an account is refused."""
        try:
            self.harness.run(self.harness.realm.deliver(session, Text(session.name, ROOM, "x")))
        except Silenced:
            return True
        self.settle()
        return False


class Concurrent(SynchronousTestCase):
    """Random requests, several of which are under way together."""

    @settings(derandomize=True, deadline=None, max_examples=150)
    @given(scripts_of(ACTIONS, CHOICES, min_size=10, max_size=40))
    def test_banned_accounts_are_neither_members_nor_invited(
        self, script: list[tuple[str, tuple[str, str, str]]]
    ) -> None:
        """And silenced members send nothing; rows, sessions and counts agree."""
        daemon = Daemon()
        for number, (action, choice) in enumerate(script):
            daemon.perform(action, *choice)
            if number % 8 == 7:
                daemon.check()
        daemon.check()
