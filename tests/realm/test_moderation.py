"""Moderation: bans by account and by pattern, their end, their lists, and races with joining."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from chatd.core.errors import (
    Banned,
    LimitReached,
    NotAllowed,
    UnknownAccount,
    UnknownRestriction,
    UnknownRoom,
)
from chatd.realm.membership import InvitationRecord, InvitedRecord, MemberRecord, MembershipRecord
from chatd.realm.moderation import Restriction
from chatd.realm.restrictions import BanRecord, SilenceRecord
from chatd.realm.session import Session
from tests.doubles.realm import Text
from tests.realm.rooms_case import RoomsCase


class ModerationCase(RoomsCase):
    """Ann owns #room, and bob is a member."""

    limits = {"restrictions": 3, "ban_patterns": 2}

    def setUp(self) -> None:
        super().setUp()
        self.create_room(self.ann, self.bob)

    def ban(self, name: str, seconds: int = 0, reason: str = "") -> None:
        """Ann bans an account or a pattern from #room."""
        self.run_now(self.rooms.ban(self.ann, "#room", name, seconds, reason))

    def rejoin(self, session: Session) -> None:
        """An account joins #room."""
        self.run_now(self.rooms.join(session, "#room"))

    def stored(self, record: Any, session: Session) -> int:
        """How many records of a type there are of an account and of #room."""
        room = self.rooms.loaded("#room")
        assert room is not None
        scopes = (room.scope, str(session.account))
        return sum(self.result(self.realm.documents.count(record, scope)) for scope in scopes)

    def open(self, name: str) -> Session:
        """Register an account and log it in."""
        self.harness.register(name)
        session, _ = self.login(name)
        return session


class BanTests(ModerationCase):
    """What Ann bans, and for how long."""

    def test_banned_member_is_removed_and_cannot_join(self) -> None:
        """The member is notified of the reason; so are the others, by entries."""
        self.ban("BOB", reason="too loud")
        self.assertEqual(self.bob_peer.rooms_left, [("#room", "banned: too loud")])
        self.assertEqual(self.members(), [("Ann", "owner")])
        self.assertEqual(
            self.events()[-2:], [("Ann", "ban", "bob 0 too loud"), ("Ann", "kick", "bob")]
        )
        sentence = self.refuse(Banned, self.rooms.join(self.bob, "#room"))
        self.assertEqual(sentence, "You are banned from #room: too loud")
        self.assertEqual(self.stored(MemberRecord, self.bob), 1)
        self.assertEqual(self.stored(MembershipRecord, self.bob), 0)

    def test_account_that_is_not_a_member_can_be_banned(self) -> None:
        """It must exist."""
        carl = self.open("Carl")
        self.ban("carl")
        self.assertEqual(self.events()[-1], ("Ann", "ban", "Carl 0"))
        self.refuse(Banned, self.rooms.join(carl, "#room"))
        self.refuse(UnknownAccount, self.rooms.ban(self.ann, "#room", "dan", 0, ""))
        room = self.rooms.loaded("#room")
        assert room is not None
        self.assertEqual(room.members, 2)

    def test_ban_ends_with_its_date_or_when_a_moderator_ends_it(self) -> None:
        """Then the account can join again. The refusal has the end, rounded up to the minute."""
        self.harness.now = 1_767_225_600_000
        self.ban("bob", 61)
        sentence = self.refuse(Banned, self.rooms.join(self.bob, "#room"))
        self.assertEqual(sentence, "You are banned from #room until 2026-01-01 00:02 UTC.")
        self.harness.now += 61_000
        self.rejoin(self.bob)
        self.ban("bob")
        self.run_now(self.rooms.unban(self.ann, "#room", "BOB"))
        self.assertEqual(self.events()[-1], ("Ann", "unban", "bob"))
        for lift, sentence in (
            (self.rooms.unban, "bob is not banned from #room."),
            (self.rooms.unsilence, "bob is not silenced in #room."),
        ):
            self.assertEqual(
                self.refuse(UnknownRestriction, lift(self.ann, "#room", "bob")), sentence
            )
        self.rejoin(self.bob)

    def test_pattern_bans_all_that_match(self) -> None:
        """Members are removed, and later accounts cannot join; the case is ignored."""
        bot = self.open("SpamBot")
        self.rejoin(bot)
        self.ban("spam*", reason="spam")
        self.assertEqual(self.members(), [("Ann", "owner"), ("bob", "member")])
        self.assertEqual(
            self.events()[-2:], [("Ann", "ban", "spam* 0 spam"), ("Ann", "kick", "SpamBot")]
        )
        other = self.open("spammer")
        for session in (bot, other):
            self.refuse(Banned, self.rooms.join(session, "#room"))
        self.run_now(self.rooms.unban(self.ann, "#room", "SPAM*"))
        self.rejoin(other)

    def test_pattern_of_many_members_removes_all_of_lower_rank(self) -> None:
        """They are removed some at a time; the moderators stay."""
        self.run_now(self.rooms.set_role(self.ann, "#room", "bob", "moderator"))
        for number in range(120):
            self.rejoin(self.open(f"x{number}"))
        banning = self.begin(self.rooms.ban(self.bob, "#room", "*", 0, ""))
        for _ in range(10):
            self.harness.runner.clock.advance(0)
        self.successResultOf(banning)
        self.realm.flush()
        self.harness.settle()
        self.assertEqual(self.members(), [("Ann", "owner"), ("bob", "moderator")])
        self.assertEqual(sum(kind == "kick" for _, kind, _ in self.events()), 120)
        self.assertGreaterEqual(self.bob_peer.charged, 12)

    def test_pattern_is_charged_by_the_members(self) -> None:
        """All their names are compared with it, though none matches."""
        room = self.rooms.loaded("#room")
        assert room is not None
        room.members = 5_000
        self.ban("x*")
        self.assertGreaterEqual(self.ann_peer.charged, 50)

    def test_ban_withdraws_invitations(self) -> None:
        """By account and by pattern; and the account cannot be invited again."""
        self.run_now(self.rooms.set_private(self.ann, "#room", True))
        for name, banned in (("carl", "carl"), ("dan", "d?n")):
            session = self.open(name)
            self.run_now(self.rooms.invite(self.ann, "#room", name))
            self.assertEqual(self.stored(InvitationRecord, session), 1)
            self.ban(banned)
            self.assertEqual(self.stored(InvitationRecord, session), 0)
            self.assertEqual(self.stored(InvitedRecord, session), 0)
            sentence = self.refuse(Banned, self.rooms.invite(self.ann, "#room", name))
            self.assertEqual(sentence, f"{name} is banned from #room.")

    def test_existence_of_a_private_room_is_not_told_to_the_banned(self) -> None:
        """They get the refusal of a room that does not exist."""
        self.run_now(self.rooms.set_private(self.ann, "#room", True))
        self.ban("bob")
        self.refuse(UnknownRoom, self.rooms.join(self.bob, "#room"))
        found, _, _ = self.harness.run(self.rooms.find(self.bob, "*", "", 10))
        self.assertEqual([room.name for room, _ in found], [])

    def test_banned_moderator_has_no_role_any_more(self) -> None:
        """It is a member, when the owner has ended the ban and it has joined again."""
        self.run_now(self.rooms.set_role(self.ann, "#room", "bob", "moderator"))
        self.ban("bob")
        self.run_now(self.rooms.unban(self.ann, "#room", "bob"))
        self.rejoin(self.bob)
        self.assertEqual(self.members(), [("Ann", "owner"), ("bob", "member")])
        self.refuse(NotAllowed, self.rooms.ban(self.bob, "#room", "Ann", 0, ""))

    def test_lists_are_for_moderators_and_omit_what_has_ended(self) -> None:
        """In alphabetical order, page by page."""
        self.harness.now = 1_000_000
        self.open("carl")
        self.ban("x*", reason="x")
        self.ban("carl", 60)
        self.ban("bob", 30)
        listed, more = self.run_now(self.rooms.bans(self.ann, "#room", "", 2))
        self.assertEqual([ban.name for ban in listed], ["bob", "carl"])
        self.assertTrue(more)
        self.harness.now += 40_000
        listed, more = self.run_now(self.rooms.bans(self.ann, "#room", "", 2))
        self.assertEqual(
            listed,
            [
                Restriction("carl", "Ann", 1_000_000, 1_060_000, ""),
                Restriction("x*", "Ann", 1_000_000, 0, "x"),
            ],
        )
        self.assertFalse(more)
        self.run_now(self.rooms.silence(self.ann, "#room", "bob", 0, ""))
        listed, _ = self.run_now(self.rooms.silences(self.ann, "#room", "", 10))
        self.assertEqual([silence.name for silence in listed], ["bob"])

    def test_number_of_bans_is_limited(self) -> None:
        """Another ban of the same name is not one more, and those that have ended do not count."""
        self.harness.now = 1_000_000
        for name in ("Carl", "dan", "eve"):
            self.open(name)
            self.ban(name, 60)
        self.ban("carl", 60)
        self.refuse(LimitReached, self.rooms.ban(self.ann, "#room", "bob", 0, ""))
        self.harness.now += 60_000
        self.ban("bob")
        self.assertEqual(self.stored(BanRecord, self.bob), 1)

    def test_number_of_patterns_is_limited(self) -> None:
        """An account that joins is compared with each of them, which counts against its rate."""
        self.ban("x*")
        self.ban("y*")
        sentence = self.refuse(LimitReached, self.rooms.ban(self.ann, "#room", "z*", 0, ""))
        self.assertEqual(sentence, "#room has 2 patterns, and cannot have more.")
        self.ban("X*", 60)
        self.ban("bob")
        self.open("carl")
        carl, peer = self.login("carl")
        self.rejoin(carl)
        self.assertGreaterEqual(peer.charged, 1)

    def test_rows_are_deleted_with_the_account_and_the_room(self) -> None:
        """A later account of the name is not banned, and a later room has no bans."""
        self.run_now(self.rooms.silence(self.ann, "#room", "bob", 0, ""))
        self.ban("bob")
        room = self.rooms.loaded("#room")
        assert room is not None
        self.run_now(self.realm.delete(self.bob))
        count = self.realm.documents.count
        self.assertEqual(self.result(count(BanRecord, room.scope)), 0)
        self.assertEqual(self.result(count(SilenceRecord, room.scope)), 0)
        bob = self.open("bob")
        self.rejoin(bob)
        self.send(bob, "#room", "hello")
        self.ban("bob")
        self.run_now(self.rooms.silence(self.ann, "#room", "bob", 0, ""))
        self.run_now(self.rooms.delete_by_operator("#room", True))
        self.assertEqual(self.result(count(BanRecord, room.scope)), 0)
        self.assertEqual(self.result(count(SilenceRecord, room.scope)), 0)

    def test_bans_are_checked_without_the_store_where_there_are_none(self) -> None:
        """A room whose last ban has ended, too."""
        self.harness.now = 1_000_000
        scans: list[Any] = []
        scan = self.realm.documents.scan

        def counted(_: Any, record: Any, *arguments: Any, **options: Any) -> Any:
            if record is BanRecord:
                scans.append(record)
            return scan(record, *arguments, **options)

        self.patch(type(self.realm.documents), "scan", counted)
        self.rejoin(self.open("carl"))
        self.assertEqual(scans, [])
        self.ban("x*", 60)
        scans.clear()
        self.rejoin(self.open("dan"))
        self.assertEqual(len(scans), 1)
        self.harness.now += 60_000
        self.rejoin(self.open("eve"))
        self.assertEqual(len(scans), 1)


class RaceTests(ModerationCase):
    """Something is done between the attempt of a change and its write."""

    def change_but_first(self, coroutine: Coroutine[Any, Any, Any], other: Any) -> Any:
        """Carry out a coroutine; `other` is run before its first write."""
        write = self.realm.documents.write
        waiting = [other]

        def write_after(steps: Any) -> Any:
            if waiting:
                self.run_now(waiting.pop())
            return write(steps)

        self.patch(type(self.realm.documents), "write", lambda _, steps: write_after(steps))
        return self.begin(coroutine)

    def test_join_does_not_win_over_a_ban(self) -> None:
        """Whichever is written first, the account is no member in the end."""
        carl = self.open("carl")
        joining = self.change_but_first(
            self.rooms.join(carl, "#room"), self.rooms.ban(self.ann, "#room", "carl", 0, "")
        )
        self.failureResultOf(joining, Banned)
        self.assertEqual(self.members(), [("Ann", "owner"), ("bob", "member")])

    def test_ban_removes_an_account_that_joins_at_the_same_moment(self) -> None:
        """By account and by pattern."""
        for name, banned in (("carl", "carl"), ("dan", "d*")):
            session = self.open(name)
            banning = self.change_but_first(
                self.rooms.ban(self.ann, "#room", banned, 0, ""), self.rooms.join(session, "#room")
            )
            self.harness.runner.clock.advance(0)
            self.successResultOf(banning)
            self.assertEqual(self.members(), [("Ann", "owner"), ("bob", "member")])
            room = self.rooms.loaded("#room")
            assert room is not None
            self.assertEqual(room.members, 2)

    def test_invitation_does_not_win_over_a_ban(self) -> None:
        """It is considered again."""
        self.open("carl")
        inviting = self.change_but_first(
            self.rooms.invite(self.bob, "#room", "carl"),
            self.rooms.ban(self.ann, "#room", "c*", 0, ""),
        )
        self.failureResultOf(inviting, Banned)

    def test_silence_is_in_force_when_it_is_answered(self) -> None:
        """A text that is sent from then on is refused; one that was sent before it is not."""
        self.run_now(self.rooms.silence(self.ann, "#room", "bob", 0, ""))
        self.assertEqual(self.realm.send(self.bob, (Text("bob", "#room", "x"),)), ([], None))
