"""The rows of members and invitations: what concurrent requests and failures leave behind."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from itertools import permutations
from typing import Any, TypeAlias

from twisted.python.failure import Failure

from chatd.core.entries import Cursor
from chatd.core.errors import Refused, StoreUnavailable
from chatd.realm.session import Session
from chatd.stores import Position
from tests.doubles.rows import check_rows
from tests.doubles.stores import flush_unavailable
from tests.realm.case import AckRealmCase

Request: TypeAlias = Callable[["MembershipCase"], Coroutine[Any, Any, Any]]

_STEPS = 8
"""more commits than any request here waits for"""


class MembershipCase(AckRealmCase):
    """Ann owns #room, bob is a member, cyd is invited, and dee has nothing to do with it."""

    private = False

    def setUp(self) -> None:
        """Log all of them in, in a new realm."""
        super().setUp()
        self.harness.register("cyd", "dee")
        self.cyd, self.cyd_peer = self.login("cyd")
        self.dee, self.dee_peer = self.login("dee")
        self.create_room(self.ann, self.bob)
        self.run_now(self.realm.rooms.invite(self.ann, "#room", "cyd"))
        if self.private:
            self.run_now(self.realm.rooms.set_private(self.ann, "#room", True))

    @property
    def sessions(self) -> list[Session]:
        """The sessions of all accounts."""
        return [self.ann, self.bob, self.cyd, self.dee]

    def check(self) -> None:
        """Check the store, and that the realm knows what it has."""
        self.store.eager = True
        self.realm.flush()
        self.harness.settle()
        check_rows(self.store)
        for session in self.sessions:
            if session.ended:
                continue
            rows = self.result(self.store.scan("membership", str(session.account), "", 100))
            rooms = {f"#{row.key}" for row in rows}
            known = session.mailbox.memberships.values()
            self.assertEqual({membership.state.log for membership in known}, rooms)
            followed = {other.live_log.log for other in session.subscriptions.values()}
            self.assertEqual(followed - {session.mailbox.log}, rooms)
        for name in self.result(self.store.list("room")):
            room = self.harness.run(self.realm.rooms.room(name))
            rows = self.result(self.store.scan("member", room.scope, "", 100))
            self.assertEqual(room.members, len(rows), name)
            log = self.entries(name)
            joined = [sender for _, sender, kind, _ in log if kind == "join"]
            left = [sender for _, sender, kind, _ in log if kind == "leave"]
            left += [body for _, _, kind, body in log if kind == "kick"]
            for row in rows:
                count = joined.count(row.key) - left.count(row.key)
                self.assertEqual(count, 1, f"{row.key} in {log}")
        self.assertEqual(self.harness.runner.failures, [])


def leave(name: str) -> Request:
    """A member leaves #room."""
    return lambda case: case.realm.rooms.leave(getattr(case, name), "#room")


def join(name: str) -> Request:
    """An account joins #room."""
    return lambda case: case.realm.rooms.join(getattr(case, name), "#room")


def delete(name: str) -> Request:
    """An account is deleted."""
    return lambda case: case.realm.delete(getattr(case, name))


def kick(name: str, other: str) -> Request:
    """A moderator removes another account from #room."""
    return lambda case: case.realm.rooms.kick(getattr(case, name), "#room", other)


def invite(name: str, other: str) -> Request:
    """A member invites another account."""
    return lambda case: case.realm.rooms.invite(getattr(case, name), "#room", other)


def own(name: str) -> Request:
    """Ann makes another member the owner."""
    return lambda case: case.realm.rooms.set_role(case.ann, "#room", name, "owner")


def moderate(name: str) -> Request:
    """Ann makes another member a moderator."""
    return lambda case: case.realm.rooms.set_role(case.ann, "#room", name, "moderator")


def create(name: str, room: str) -> Request:
    """An account creates a room."""
    return lambda case: case.realm.rooms.create(getattr(case, name), room, "", False)


def restore(new_name: str = "", owner: str = "") -> Request:
    """An operator restores #room, if it is deleted."""

    async def attempt(case: MembershipCase) -> None:
        await case.realm.rooms.restore("#room", 0, new_name, owner)

    return attempt


def remove_deleted() -> Request:
    """An operator removes what is left of deleted rooms called #room."""
    return lambda case: case.realm.rooms.remove_deleted("#room")


def delete_room() -> Request:
    """Ann deletes #room."""
    return lambda case: case.realm.rooms.delete(case.ann, "#room")


def mark_read(name: str) -> Request:
    """A member sets its read marker, which is saved at once."""

    async def mark(case: MembershipCase) -> None:
        await case.realm.receipts.mark_read(getattr(case, name), "#room", 2)
        await case.realm.positions.save()

    return mark


class Races(MembershipCase):
    """Two or three requests meet at every point of each other."""

    def perform(self, *requests: Request, together: int = _STEPS) -> None:
        """Perform requests, each begun after every number of commits of the one before it."""
        for order in permutations(requests):
            for head_start in range(together):
                with self.subTest(order=requests.index(order[0]), head_start=head_start):
                    self.setUp()
                    self.store.eager = False
                    outcomes: list[Any] = []
                    for request in order:
                        self.begin(request(self)).addBoth(outcomes.append)
                        for _ in range(head_start):
                            self.store.release()
                    self.harness.settle()
                    self.assertEqual(len(outcomes), len(order), "a request never ends")
                    for outcome in outcomes:
                        if isinstance(outcome, Failure):
                            outcome.trap(Refused)
                    self.check()

    def test_last_member_leaves_while_another_account_joins(self) -> None:
        """Either the room is deleted, or the other account is a member of it."""
        self.perform(leave("ann"), leave("bob"), join("dee"))

    def test_all_members_leave_at_once(self) -> None:
        """The room is deleted once."""
        self.perform(leave("ann"), leave("bob"))

    def test_owner_leaves_while_its_successor_leaves(self) -> None:
        """No account that is no member owns the room."""
        self.perform(join("cyd"), leave("ann"), leave("bob"))

    def test_owner_leaves_while_the_role_is_given_away(self) -> None:
        """The new owner is a member."""
        self.perform(own("bob"), leave("bob"), leave("ann"))
        self.perform(moderate("bob"), leave("bob"), kick("ann", "bob"))

    def test_one_account_joins_and_leaves_on_two_devices(self) -> None:
        """It has joined once; there is one notice of it."""
        self.perform(join("dee"), join("dee"))
        self.perform(leave("bob"), leave("bob"), join("bob"))

    def test_member_leaves_while_it_is_kicked(self) -> None:
        """The room is shown one of the two."""
        self.perform(leave("bob"), kick("ann", "bob"))

    def test_kicking_member_leaves_and_kicked_one_joins_again(self) -> None:
        """Nothing is left of either."""
        self.perform(kick("ann", "bob"), leave("ann"), join("bob"))

    def test_room_is_deleted_while_accounts_join_and_leave(self) -> None:
        """No row is left in a room that does not exist."""
        self.perform(delete_room(), join("cyd"), leave("bob"))
        self.perform(delete_room(), invite("bob", "dee"), kick("ann", "cyd"))

    def test_room_is_deleted_and_created_again(self) -> None:
        """Who joins is in one of the two rooms."""
        self.perform(delete_room(), create("dee", "#Room"), join("cyd"))

    def test_account_is_deleted_while_it_creates_a_room(self) -> None:
        """There is no room without an owner."""
        self.perform(delete("dee"), create("dee", "#new"))

    def test_account_is_deleted_while_it_joins(self) -> None:
        """There is no member without an account."""
        self.perform(delete("cyd"), join("cyd"))
        self.perform(delete("dee"), join("dee"), leave("ann"))

    def test_account_is_deleted_while_it_is_invited(self) -> None:
        """There is no invitation of an account that does not exist."""
        self.perform(delete("dee"), invite("ann", "dee"))
        self.perform(delete("cyd"), join("cyd"), kick("ann", "cyd"))

    def test_account_is_deleted_while_it_leaves_or_is_kicked(self) -> None:
        """It is removed once."""
        self.perform(delete("bob"), leave("bob"))
        self.perform(delete("bob"), kick("ann", "bob"))

    def test_owner_is_deleted_while_the_others_leave(self) -> None:
        """The room has another owner, or is deleted."""
        self.perform(delete("ann"), leave("bob"), join("dee"))

    def test_all_members_are_deleted_at_once(self) -> None:
        """The room is deleted."""
        self.perform(delete("ann"), delete("bob"))

    def test_account_is_deleted_while_its_room_is(self) -> None:
        """Both deletions succeed."""
        self.perform(delete("ann"), delete_room(), join("cyd"))

    def test_two_accounts_create_one_room(self) -> None:
        """One of them owns it."""
        self.perform(create("ann", "#new"), create("dee", "#NEW"), delete("dee"))

    def test_room_is_deleted_and_restored(self) -> None:
        """Whatever its members do meanwhile, and whatever else gets its name."""
        self.perform(delete_room(), restore(), delete("bob"))
        self.perform(delete_room(), restore(), create("dee", "#Room"))
        self.perform(delete_room(), restore("#other", "dee"), leave("bob"))
        self.perform(delete_room(), restore("#other", "dee"), join("dee"))
        self.perform(delete_room(), restore(owner="dee"), delete("dee"))
        self.perform(delete_room(), restore(), restore("#other"))
        self.perform(delete_room(), restore(), remove_deleted())
        self.perform(delete_room(), restore(), mark_read("bob"))

    def test_room_is_restored_after_its_last_member_left(self) -> None:
        """Whatever that member does meanwhile."""
        self.perform(leave("ann"), leave("bob"), restore())
        self.perform(leave("ann"), delete("bob"), restore(owner="ann"))

    def test_member_leaves_while_its_position_is_saved(self) -> None:
        """A position that is saved last is left over until the account joins again."""
        self.perform(leave("bob"), mark_read("bob"))
        self.perform(delete("bob"), mark_read("bob"))


class PrivateRaces(Races):
    """The same in a private room, where dee cannot join."""

    private = True


class Failures(MembershipCase):
    """Each write of a request fails once."""

    prepare: Request | None = None
    """what is done before the request"""

    def perform(self, request: Request) -> None:
        """Perform a request whose first, second, ... write fails, until none fails; then again, as
        a client does that was refused."""
        for fail_after in range(10):
            self.setUp()
            if self.prepare is not None:
                self.run_now(self.prepare(self))
            before = self.snapshot()
            self.store.fail_after = fail_after
            outcomes: list[Any] = []
            self.begin(request(self)).addBoth(outcomes.append)
            failed = self.store.fail_after is None
            self.store.fail_after = None
            (outcome,) = outcomes
            if not failed:
                self.assertNotIsInstance(outcome, Failure)
                self.check()
                return
            outcome.trap(StoreUnavailable)
            self.assertEqual(self.snapshot(), before)
            self.check()
            self.run_now(request(self))
            self.check()
            flush_unavailable(self)
        self.fail("always another write")

    def snapshot(self) -> Any:
        """Everything that is stored, and what the clients were notified of."""
        rows = {
            (kind, scope, document.key, document.body)
            for (kind, scope), found in self.store.documents.scopes.items()
            for _, document in found.documents.values()
        }
        logs = {name: self.entries(name) for name in ("#room", "@ann", "@bob", "@cyd", "@dee")}
        peers = [self.ann_peer, self.bob_peer, self.cyd_peer, self.dee_peer]
        notices = [(peer.rooms_joined, peer.rooms_left, peer.ended_with) for peer in peers]
        return rows, logs, repr(notices)

    def test_every_request_is_made_wholly_or_not_at_all(self) -> None:
        """What was refused can be done again."""
        for request in (
            leave("ann"),
            leave("bob"),
            join("cyd"),
            join("dee"),
            kick("ann", "bob"),
            kick("ann", "cyd"),
            invite("bob", "dee"),
            own("bob"),
            delete_room(),
            create("dee", "#new"),
            delete("ann"),
            delete("bob"),
            delete("cyd"),
        ):
            self.perform(request)

    def test_room_is_restored_wholly_or_not_at_all(self) -> None:
        """A failed write leaves it deleted."""
        for request in (restore(), restore("#other"), restore(owner="dee"), remove_deleted()):
            self.prepare = delete_room()
            self.perform(request)


class Notices(MembershipCase):
    """What is notified once."""

    def test_two_devices_that_join_at_once_make_one_notice(self) -> None:
        """All devices follow the room; each is notified of what another one did."""
        other, other_peer = self.login("dee")
        self.store.eager = False
        joining = [
            self.begin(self.realm.rooms.join(session, "#room")) for session in (self.dee, other)
        ]
        self.harness.settle()
        for request in joining:
            self.successResultOf(request)
        self.check()
        notices = [entry for entry in self.entries("#room") if entry[1:3] == ("dee", "join")]
        self.assertEqual(len(notices), 1)
        self.assertEqual((self.dee_peer.rooms_joined, other_peer.rooms_joined), ([], ["#room"]))
        for peer in (self.dee_peer, other_peer):
            self.assertEqual(peer.logs["#room"], notices)

    def test_position_that_was_left_over_changes_nothing(self) -> None:
        """A member that joins again begins with the next entry."""
        self.send(self.ann, "#room", *"abc")
        position = Position(self.bob.account, self.log("#room"), Cursor(1, ((3, 4),)), 3)
        self.run_now(self.realm.rooms.leave(self.bob, "#room"))
        self.result(self.store.save([position]))
        self.bob.end()
        self.harness.save()
        session, peer = self.login("bob")
        self.assertEqual(set(session.subscriptions), {"@bob"})
        self.run_now(self.realm.rooms.join(session, "#room"))
        self.assertEqual(peer.logs["#room"], [(7, "bob", "join", "")])
        session.end()
        self.harness.save()
        session, peer = self.login("bob")
        self.assertEqual(session.mailbox.memberships["#room"].state.cursor, Cursor(6))
        self.run_now(session.catch_up())
        self.assertEqual(peer.logs["#room"], [(7, "bob", "join", "")])

    def test_room_of_the_same_name_is_another_room(self) -> None:
        """Former members, invitations, history, topic and positions do not come back."""
        self.run_now(self.realm.rooms.set_topic(self.ann, "#room", "roses"))
        self.run_now(self.realm.receipts.mark_read(self.bob, "#room", 2))
        former = self.log("#room")
        self.run_now(self.realm.rooms.delete(self.ann, "#room"))
        self.run_now(self.realm.rooms.create(self.dee, "#Room", "", True))
        self.assertNotEqual(self.log("#room"), former)
        self.assertEqual(self.entries("#room"), [(1, "dee", "join", "")])
        for session in (self.ann, self.bob, self.cyd):
            self.refuse(Refused, self.realm.rooms.join(session, "#room"))
            self.assertEqual(session.mailbox.memberships, {})
        self.check()
        self.run_now(self.realm.rooms.invite(self.dee, "#room", "bob"))
        self.run_now(self.realm.rooms.join(self.bob, "#room"))
        self.assertEqual(self.bob.mailbox.memberships["#room"].state.read, 1)
        self.check()

    def test_members_of_the_same_name_are_other_accounts(self) -> None:
        """The next account of a name is neither a member nor invited nor a moderator."""
        self.run_now(self.realm.rooms.set_role(self.ann, "#room", "bob", "moderator"))
        for name in ("bob", "cyd"):
            self.run_now(self.realm.delete_account(name))
            self.harness.register(name)
        self.check()
        bob, _ = self.login("bob")
        self.assertEqual(set(bob.subscriptions), {"@bob"})
        self.run_now(self.realm.rooms.join(bob, "#room"))
        members, _ = self.harness.run(self.realm.rooms.members(self.ann, "#room", "", 9))
        self.assertEqual(members, [("Ann", "owner"), ("bob", "member")])
