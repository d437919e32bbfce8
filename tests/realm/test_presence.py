"""Presence: online, away and offline, watching, hiding, and typing notices."""

from __future__ import annotations

from typing import Any

import msgspec

from chatd.core.errors import LimitReached, NotAMember, NotLoggedIn, UnknownAccount
from chatd.core.names import mailbox_log
from chatd.realm import presence
from chatd.realm.presence import PresenceState
from tests.realm.case import AckRealmCase, RealmCase


class Finding(RealmCase):
    """Asking for the presence of accounts."""

    def setUp(self) -> None:
        """Ann asks."""
        super().setUp()
        self.ann, _ = self.harness.login_ack("Ann", {})

    def find(self, *names: str) -> list[PresenceState]:
        """What Ann is answered."""
        states: list[PresenceState] = self.harness.run(
            self.realm.presence.find(self.ann, names, False)
        )
        return states

    def test_online_and_offline_accounts_by_their_names_as_first_written(self) -> None:
        """The answers are in the order asked; an unknown account has the requested name."""
        self.assertEqual(
            self.find("BOB", "Nemo", "ann"),
            [
                PresenceState("bob", "off"),
                PresenceState("Nemo", "unknown"),
                PresenceState("Ann", "on"),
            ],
        )

    def test_account_is_online_by_either_kind_of_session(self) -> None:
        """The account is online until its last session has ended."""
        self.harness.login("bob")
        session, _ = self.harness.login_ack("bob", {})
        self.harness.logout("bob")
        self.assertEqual(self.find("bob"), [PresenceState("bob", "on")])
        session.end()
        self.assertEqual([state.status for state in self.find("bob")], ["off"])

    def test_offline_account_was_seen_when_its_last_session_ended(self) -> None:
        """The time is known after the mailbox has been released, too."""
        session, _ = self.harness.login_ack("bob", {})
        self.harness.now = 77
        session.end()
        self.harness.save()
        self.assertIsNone(self.harness.mailbox("bob"))
        self.harness.now = 99
        self.assertEqual(self.find("bob"), [PresenceState("bob", "off", "", 77)])

    def test_only_the_mailboxes_of_the_accounts_are_asked_about(self) -> None:
        """An account may be in hundreds of rooms, whose positions are not needed."""
        asked: list[tuple[Any, ...]] = []
        positions = self.harness.store.positions

        def recorded(*arguments: Any) -> Any:
            asked.append(arguments)
            return positions(*arguments)

        self.patch(self.harness.store, "positions", recorded)
        self.find("bob")
        self.harness.run(self.realm.receipts.states(self.ann, "@bob", [1]))
        bob = self.harness.account("bob").id
        self.assertEqual(asked, 2 * [(bob, mailbox_log(bob))])

    def test_away_message_lasts_until_the_last_session_ends(self) -> None:
        """An away message is not stored."""
        session, _ = self.harness.login_ack("bob", {})
        self.run_now(self.realm.presence.set_presence(session, True, "lunch", False))
        self.assertEqual(self.find("bob"), [PresenceState("bob", "away", "lunch")])
        self.run_now(self.realm.presence.set_presence(session, False, "", False))
        self.assertEqual(self.find("bob"), [PresenceState("bob", "on")])
        self.run_now(self.realm.presence.set_presence(session, True, "lunch", False))
        session.end()
        self.harness.login_ack("bob", {})
        self.assertEqual(self.find("bob"), [PresenceState("bob", "on")])

    def test_hidden_account_appears_as_offline_and_never_seen(self) -> None:
        """Being hidden is stored, and holds while the account is online as well as afterwards."""
        session, _ = self.harness.login_ack("bob", {})
        self.run_now(self.realm.presence.set_presence(session, True, "lunch", True))
        hidden = [PresenceState("bob", "off")]
        self.assertEqual(self.find("bob"), hidden)
        session.end()
        self.harness.settle()
        self.assertEqual(self.find("bob"), hidden)
        self.harness = self.harness.restart()
        self.realm = self.harness.realm
        self.ann, _ = self.harness.login_ack("Ann", {})
        self.harness.login_ack("bob", {})
        self.assertEqual(self.find("bob"), hidden)


class Watching(AckRealmCase):
    """Notices of changes: Ann watches bob, who is online."""

    limits = {"watched": 3, "account_sessions": 200}

    def setUp(self) -> None:
        super().setUp()
        self.watch("BOB")

    def watch(self, *names: str) -> None:
        """Ann watches accounts."""
        self.run_now(self.realm.presence.find(self.ann, names, True))

    def set_presence(self, away: bool = False, text: str = "", hidden: bool = False) -> None:
        """Bob sets his presence."""
        self.run_now(self.realm.presence.set_presence(self.bob, away, text, hidden))

    def test_watcher_is_notified_of_first_and_last_session_only(self) -> None:
        """The notice has the name as first written, and the time when the last session ended."""
        second, _ = self.login("bob")
        self.harness.now = 5
        second.end()
        self.assertEqual(self.ann_peer.presences, [])
        self.bob.end()
        self.login("bob")
        self.assertEqual(self.ann_peer.presences, [("bob", "off", "", 5), ("bob", "on", "", 0)])

    def test_watcher_is_notified_of_away_messages(self) -> None:
        """The watcher is also notified that the account is back."""
        self.set_presence(away=True, text="lunch")
        self.set_presence()
        self.assertEqual(
            self.ann_peer.presences, [("bob", "away", "lunch", 0), ("bob", "on", "", 0)]
        )

    def test_nothing_is_disclosed_of_a_hidden_account(self) -> None:
        """The watcher sees it go offline once; later changes give no notice."""
        self.set_presence(hidden=True)
        self.assertEqual(self.ann_peer.presences, [("bob", "off", "", 0)])
        self.set_presence(away=True, text="lunch", hidden=True)
        self.bob.end()
        self.bob, _ = self.login("bob")
        self.assertEqual(len(self.ann_peer.presences), 1)
        self.set_presence()
        self.assertEqual(self.ann_peer.presences[1:], [("bob", "on", "", 0)])

    def test_change_is_charged_by_the_sessions_that_watch(self) -> None:
        """Each 50 sessions count as one command more."""
        self.realm.limits = msgspec.structs.replace(self.realm.limits, account_sessions=200)
        session, peer = self.harness.login_ack("bob", {})
        for _ in range(100):
            watching, _ = self.harness.login_ack("Ann", {})
            self.harness.run(self.realm.presence.find(watching, ["bob"], True))
        self.run_now(self.realm.presence.set_presence(session, True, "", False))
        self.assertEqual(peer.charged, 2)

    def test_other_work_goes_on_between_many_watchers(self) -> None:
        """Those that are notified later are notified of the presence at that time, unless their
        session has ended."""
        self.patch(presence, "_AT_ONCE", 2)
        watching = [self.login("Ann") for _ in range(4)]
        for session, _ in watching:
            self.run_now(self.realm.presence.find(session, ["bob"], True))
        self.set_presence(away=True, text="lunch")
        peers = [self.ann_peer, *(peer for _, peer in watching)]
        self.assertEqual([len(peer.presences) for peer in peers], [1, 1, 0, 0, 0])
        watching[2][0].end()
        self.set_presence()
        self.harness.runner.clock.advance(0)
        self.harness.runner.clock.advance(0)
        self.assertEqual(watching[2][1].presences, [])
        for peer in (self.ann_peer, watching[1][1], watching[3][1]):
            self.assertEqual(peer.presences[-1], ("bob", "on", "", 0))

    def test_other_work_goes_on_between_the_watchers_of_a_deleted_account(self) -> None:
        """Those that are notified later are not notified if they have ended, do not watch it any
        more, or watch the next account of the name."""
        self.patch(presence, "_AT_ONCE", 2)
        watching = [self.login("Ann") for _ in range(5)]
        for session, _ in watching:
            self.run_now(self.realm.presence.find(session, ["bob"], True))
        self.run_now(self.realm.delete_account("bob"))
        peers = [self.ann_peer, *(peer for _, peer in watching)]
        self.assertEqual([len(peer.presences) for peer in peers], [1, 1, 0, 0, 0, 0])
        watching[1][0].end()
        self.realm.presence.unwatch(watching[2][0], ["bob"])
        self.harness.register("bob")
        self.run_now(self.realm.presence.find(watching[3][0], ["bob"], True))
        self.harness.runner.clock.advance(0)
        self.harness.runner.clock.advance(0)
        self.assertEqual([len(peer.presences) for peer in peers], [1, 1, 0, 0, 0, 1])
        self.assertEqual(peers[-1].presences, [("bob", "unknown", "", 0)])
        self.login("bob")
        self.assertEqual([len(peer.presences) for peer in peers], [1, 1, 0, 0, 1, 1])

    def test_each_watching_session_is_notified(self) -> None:
        """Other sessions of the watching account are not notified, nor ended ones."""
        _, other_peer = self.login("Ann")
        third, third_peer = self.login("Ann")
        self.run_now(self.realm.presence.find(third, ["bob"], True))
        third.end()
        self.set_presence(away=True)
        self.assertEqual(len(self.ann_peer.presences), 1)
        self.assertEqual((other_peer.presences, third_peer.presences), ([], []))

    def test_no_notice_after_unwatching(self) -> None:
        """The name may have any spelling; an account that is not watched is passed over."""
        self.realm.presence.unwatch(self.ann, ["Bob", "nemo"])
        self.set_presence(away=True)
        self.assertEqual(self.ann_peer.presences, [])

    def test_account_is_watched_not_its_name(self) -> None:
        """A name without an account is not watched, and does not count; nor is the next account of
        the name of one that was deleted, until the watcher asks again."""
        self.watch("cyd", "dee", "eve")
        self.harness.register("Cyd")
        self.login("Cyd")
        self.run_now(self.realm.delete(self.bob))
        self.assertEqual(self.ann_peer.presences, [("bob", "unknown", "", 0)])
        self.harness.register("bob")
        bob, _ = self.login("bob")
        self.assertEqual(len(self.ann_peer.presences), 1)
        self.watch("bob")
        bob.end()
        self.assertEqual(self.ann_peer.presences[1:], [("bob", "off", "", 1)])

    def test_deleted_account_is_unknown_to_each_watcher_once(self) -> None:
        """Also if it was hidden or offline; it counts as watched no more."""
        other, other_peer = self.login("Ann")
        for hidden in (False, True):
            self.run_now(self.realm.presence.find(other, ["bob"], True))
            self.watch("bob")
            self.set_presence(hidden=hidden)
            self.bob.end()
            self.ann_peer.presences.clear()
            other_peer.presences.clear()
            self.run_now(self.realm.delete_account("bob"))
            for peer in (self.ann_peer, other_peer):
                self.assertEqual(peer.presences, [("bob", "unknown", "", 0)])
            self.assertEqual(self.realm.presence._watchers, {})
            self.harness.register("bob", *(f"u{number}{hidden}" for number in range(3)))
            self.bob, _ = self.login("bob")
            self.watch(*(f"u{number}{hidden}" for number in range(3)))
            self.realm.presence.unwatch(self.ann, [f"u{number}{hidden}" for number in range(3)])

    def test_away_text_of_a_deleted_account_ends(self) -> None:
        """The next account of the name is online, without a text."""
        self.set_presence(away=True, text="lunch")
        self.run_now(self.realm.delete(self.bob))
        self.harness.register("bob")
        self.login("bob")
        (state,) = self.harness.run(self.realm.presence.find(self.ann, ["bob"], False))
        self.assertEqual((state.status, state.text), ("on", ""))

    def test_watcher_that_is_deleted_is_notified_no_more(self) -> None:
        """Nothing of its watching is left."""
        self.run_now(self.realm.delete(self.ann))
        self.set_presence(away=True, text="lunch")
        self.assertEqual(self.ann_peer.presences, [])
        self.assertEqual(self.realm.presence._watchers, {})
        self.assertEqual(self.realm.presence._watched, {})

    def test_account_deleted_while_it_sets_itself_away(self) -> None:
        """No text is left for an account that has no session any more, wherever the two meet."""
        outcomes = set()
        for head_start in range(6):
            self.store.eager = False
            deleting = self.begin(self.realm.delete(self.bob))
            for _ in range(head_start):
                self.store.release()
            setting = self.begin(self.realm.presence.set_presence(self.bob, True, "x", True))
            setting.addErrback(lambda failure: failure.trap(NotLoggedIn))
            self.harness.settle()
            self.successResultOf(deleting)
            outcomes.add(self.successResultOf(setting))
            self.assertEqual(self.realm.presence._away, {})
            self.store.eager = True
            self.harness.register("bob")
            self.bob, _ = self.login("bob")
        self.assertEqual(outcomes, {None, NotLoggedIn})

    def test_request_to_watch_too_many_accounts_watches_none_of_them(self) -> None:
        """Accounts that are watched already do not count twice; unwatching makes room."""
        self.harness.register("x", "y", "z")
        self.watch("bob", "Bob")
        self.refuse(LimitReached, self.realm.presence.find(self.ann, ["Ann", "x", "y"], True))
        self.login("Ann")[0].end()
        self.assertEqual(self.ann_peer.presences, [])
        self.watch("x", "y")
        self.realm.presence.unwatch(self.ann, ["x"])
        self.watch("z")


class Typing(AckRealmCase):
    """Typing notices."""

    limits = {"account_sessions": 200}

    def setUp(self) -> None:
        """Both accounts want typing notices."""
        super().setUp()
        self.ann.wants_typing = self.bob.wants_typing = True

    def notify(self, recipient: str, typing: bool = True) -> None:
        """Bob types."""
        self.run_now(self.realm.presence.notify_typing(self.bob, recipient, typing))

    def test_all_sessions_of_the_recipient_that_want_notices_are_notified(self) -> None:
        """They are notified that the sender types, and that it has stopped."""
        second, second_peer = self.login("Ann")
        second.wants_typing = True
        _, third_peer = self.login("Ann")
        self.notify("ANN")
        self.notify("ann", False)
        notices = [("@ann", "bob", True), ("@ann", "bob", False)]
        self.assertEqual(self.ann_peer.typing_notices, notices)
        self.assertEqual(second_peer.typing_notices, notices)
        self.assertEqual(third_peer.typing_notices, [])

    def test_unknown_recipient_is_refused(self) -> None:
        """A typing notice to an unknown account is refused like a message."""
        self.refuse(UnknownAccount, self.realm.presence.notify_typing(self.bob, "nemo", True))

    def test_notice_to_an_account_that_is_offline_does_nothing(self) -> None:
        """A recipient that is offline has no session to notify."""
        self.ann.end()
        self.notify("ann")

    def test_recipient_that_blocks_the_sender_is_not_notified(self) -> None:
        """The notice is dropped, and the sender gets no refusal."""
        self.run_now(self.realm.blocking.set_blocked(self.ann, "bob", True))
        self.notify("ann")
        self.assertEqual(self.ann_peer.typing_notices, [])

    def test_other_members_of_a_room_are_notified(self) -> None:
        """The sessions of the sender are not notified."""
        self.create_room(self.bob, self.ann)
        other, other_peer = self.login("bob")
        other.wants_typing = True
        self.notify("#ROOM")
        self.assertEqual(self.ann_peer.typing_notices, [("#room", "bob", True)])
        self.assertEqual((self.bob_peer.typing_notices, other_peer.typing_notices), ([], []))

    def test_notice_is_charged_by_the_sessions_that_follow_the_room(self) -> None:
        """Each 50 sessions count as one command more, whether or not they want notices."""
        self.realm.limits = msgspec.structs.replace(self.realm.limits, account_sessions=200)
        self.create_room(self.bob, self.ann)
        for _ in range(99):
            self.login("Ann")
        self.bob_peer.charged = 0
        self.notify("#room")
        self.assertEqual(self.bob_peer.charged, 2)

    def test_other_work_goes_on_between_many_notices(self) -> None:
        """A session that has ended meanwhile is not notified."""
        self.patch(presence, "_AT_ONCE", 2)
        logins = [self.login("Ann") for _ in range(4)]
        for session, _ in logins:
            session.wants_typing = True
        self.begin(self.realm.presence.notify_typing(self.bob, "ann", True))
        peers = [self.ann_peer, *(peer for _, peer in logins)]
        counts = [[len(peer.typing_notices) for peer in peers]]
        logins[2][0].end()
        self.harness.runner.clock.advance(0)
        counts.append([len(peer.typing_notices) for peer in peers])
        self.assertEqual(counts, [[1, 1, 0, 0, 0], [1, 1, 1, 0, 1]])

    def test_notice_to_a_room_is_for_members(self) -> None:
        """The refused notice reaches no member."""
        self.create_room(self.ann)
        self.refuse(NotAMember, self.realm.presence.notify_typing(self.bob, "#room", True))
        self.assertEqual(self.ann_peer.typing_notices, [])
