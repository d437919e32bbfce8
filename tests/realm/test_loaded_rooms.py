"""Rooms in memory: when they are loaded and evicted, and what is committed meanwhile."""

from __future__ import annotations

from random import Random

from chatd.core.errors import Banned, NotAllowed
from chatd.realm import loaded_rooms
from chatd.stores import batches
from tests.realm.rooms_case import RoomsCase


class Cache(RoomsCase):
    """The bound on rooms in memory."""

    def test_rooms_that_no_session_follows_are_evicted_over_the_bound(self) -> None:
        """They are loaded again when they are needed."""
        self.patch(loaded_rooms, "_CACHED", 2)
        self.create_room(self.ann)
        self.harness.run(self.realm.start())
        self.harness.run(self.rooms.load(["#lobby"]))
        self.run_now(self.rooms.create(self.ann, "#new", "", False))
        self.assertIsNone(self.rooms.loaded("#lobby"))
        self.assertIsNotNone(self.rooms.loaded("#room"))
        self.assertNotIn("#lobby", self.realm.delivery.live_logs)
        self.run_now(self.rooms.join(self.bob, "#lobby"))
        self.assertEqual(self.members(room="#lobby"), [("bob", "member")])


class RoomsInMemory(RoomsCase):
    """Rooms that no session follows, where only one may stay in memory."""

    def setUp(self) -> None:
        """#a is in memory, #b and #c are not."""
        super().setUp()
        for name in ("#a", "#b", "#c"):
            self.run_now(self.rooms.create(self.ann, name, "", False))
            self.ann.unsubscribe(name)
        self.patch(loaded_rooms, "_CACHED", 1)
        self.run_now(self.rooms.load(("#none",)))
        self.run_now(self.rooms.load(("#a",)))
        self.assertIsNone(self.rooms.loaded("#b"))
        self.store.eager = False

    def test_rooms_stay_in_memory_until_they_are_all_loaded(self) -> None:
        """Also if another request loads a room meanwhile."""
        other = self.begin(self.rooms.load(("#c",)))
        self.store.release()
        loading = self.begin(self.rooms.load(("#a", "#b")))
        self.store.release()
        self.successResultOf(other)
        self.assertNoResult(loading)
        self.store.release()
        rooms = self.successResultOf(loading)
        self.assertEqual([room.name for room in rooms], ["#a", "#b"])
        self.assertEqual([self.rooms.loaded(room.name) for room in rooms], rooms)
        self.assertIsNone(self.rooms.loaded("#c"))

    def test_room_stays_in_memory_while_its_change_is_considered_again(self) -> None:
        """The deletion of #a is refused, since its topic has changed; #b is loaded meanwhile."""
        room = self.rooms.loaded("#a")
        loading = self.begin(self.rooms.load(("#b",)))
        changing = self.begin(self.rooms.set_topic(self.ann, "#a", "news"))
        deleting = self.begin(self.rooms.delete_by_operator("#a"))
        self.store.release()
        self.successResultOf(changing)
        self.store.release()
        self.successResultOf(loading)
        self.assertNoResult(deleting)
        self.assertIs(self.rooms.loaded("#a"), room)
        self.store.release()
        self.successResultOf(deleting)
        self.assertIsNone(self.rooms.loaded("#a"))


class Heads(RoomsCase):
    """Rooms to which entries are appended while they are loaded."""

    def test_head_is_that_of_the_log_whatever_is_committed_meanwhile(self) -> None:
        """Also if several requests load it at once, and others evict it."""
        self.run_now(self.rooms.create(self.ann, "#a", "", False))
        self.ann.unsubscribe("#a")
        self.patch(loaded_rooms, "_CACHED", 1)
        # What is asked at the same moment may be answered in several turns.
        self.patch(batches, "LARGEST_BATCH", 2)
        log = self.log("#a")
        for seed in range(200):
            random = Random(seed)
            self.store.eager = True
            self.run_now(self.rooms.load(("#none",)))
            self.assertIsNone(self.rooms.loaded("#a"))
            self.store.eager = False
            loading = [self.begin(self.rooms.load(("#a",)))]
            for _ in range(12):
                match random.randrange(5):
                    case 0 | 1:
                        self.realm.append(
                            self.realm.new_note(log, "Ann", self.ann.account, "text", "x")
                        )
                    case 2:
                        loading.append(self.begin(self.rooms.load(("#a",))))
                    case 3:
                        self.begin(self.rooms.load(("#none",)))
                    case _:
                        self.store.release()
                        self.check_head(log, seed)
            self.harness.settle()
            self.check_head(log, seed)
            for each in loading:
                self.successResultOf(each)

    def check_head(self, log: str, seed: int) -> None:
        """Check the head of #a, if it is in memory, just after a commit."""
        room = self.rooms.loaded("#a")
        if room is not None:
            self.assertEqual(room.head, self.store._logs[log].head, seed)


class ChangesTogether(RoomsCase):
    """A room that is changed while another change of it is considered. Both are carried out."""

    def test_ban_stays_while_the_owner_leaves(self) -> None:
        """Or is deleted: the next owner is looked for meanwhile."""
        for leaves in (True, False):
            for steps in range(12):
                self.setUp()
                self.harness.register("cat", "dan")
                cat, _ = self.login("cat")
                dan, _ = self.login("dan")
                self.create_room(self.ann, self.bob)
                self.run_now(self.rooms.join(cat, "#room"))
                self.run_now(self.rooms.set_role(self.ann, "#room", "bob", "moderator"))
                self.store.eager = False
                left = self.begin(
                    self.rooms.leave(self.ann, "#room")
                    if leaves
                    else self.realm.delete_account("Ann")
                )
                for _ in range(steps):
                    self.store.release()
                banned = self.begin(self.rooms.ban(self.bob, "#room", "dan", 0, ""))
                self.harness.settle()
                with self.subTest(leaves=leaves, steps=steps):
                    self.successResultOf(left)
                    self.successResultOf(banned)
                    self.refuse(Banned, self.rooms.join(dan, "#room"))
                    self.assertEqual(self.members(self.bob)[0], ("bob", "owner"))

    def test_moderator_that_is_demoted_meanwhile_is_refused(self) -> None:
        """The role counts that the moderator has when the change is stored."""
        for steps in range(6):
            self.setUp()
            self.harness.register("cat")
            cat, _ = self.login("cat")
            self.create_room(self.ann, self.bob)
            self.run_now(self.rooms.join(cat, "#room"))
            self.run_now(self.rooms.set_role(self.ann, "#room", "bob", "moderator"))
            self.store.eager = False
            banned = self.begin(self.rooms.ban(self.bob, "#room", "c*", 0, ""))
            for _ in range(steps):
                self.store.release()
            demoted = self.begin(self.rooms.set_role(self.ann, "#room", "bob", "member"))
            self.harness.settle()
            with self.subTest(steps=steps):
                self.successResultOf(demoted)
                banned.addErrback(lambda failure: failure.trap(NotAllowed))
                self.successResultOf(banned)
                kinds = [kind for _, kind, _ in self.events() if kind in ("ban", "role")]
                self.assertIn(kinds, (["role", "ban", "role"], ["role", "role"]))
