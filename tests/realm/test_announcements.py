"""Announcements: which sessions are shown one, and in which turns."""

from __future__ import annotations

from chatd.core.errors import BadRequest
from chatd.realm import announcements as announcing
from chatd.realm.announcements import AT_ONCE
from chatd.realm.session import Session
from chatd.realm.tasks import Tasks
from tests.realm.case import AckRealmCase


class Announcements(AckRealmCase):
    """Ann and bob are logged in."""

    def test_each_session_is_shown_the_text(self) -> None:
        """Unless it has not begun: its client is not logged in yet."""
        _, second = self.login("Ann")
        self.patch(self.bob, "_begun", False)
        self.harness.now = 5
        self.assertEqual(self.run_now(self.realm.announcements.announce("Noon.")), 2)
        for peer, shown in (
            (self.ann_peer, [(5, "Noon.")]),
            (second, [(5, "Noon.")]),
            (self.bob_peer, []),
        ):
            self.assertEqual(peer.announcements, shown)

    def test_other_work_goes_on_between_many_sessions(self) -> None:
        """All sessions of one account are shown it at once."""
        accounts = list(range(AT_ONCE))
        shown: list[int] = []

        class Counted:
            """A session that notes when it is shown something."""

            def __init__(self, account: int) -> None:
                self.account = account

            def announce(self, time: int, text: str) -> bool:
                """See `Session`."""
                shown.append(self.account)
                return True

        async def sleep(seconds: float) -> None:
            turns.append(len(shown))

        turns: list[int] = []
        self.patch(self.realm.sessions, "accounts", lambda: accounts)
        self.patch(self.realm.sessions, "of", lambda account: [Counted(account)] * 3)
        announcements = announcing.Announcements(self.realm, Tasks(lambda _: None, sleep))
        self.assertEqual(self.run_now(announcements.announce("Noon.")), 3 * AT_ONCE)
        self.assertEqual(turns, [51, 102])

    def test_text_is_one_printable_line(self) -> None:
        """An empty one is refused."""
        self.run_now(self.realm.announcements.announce(" at\n noon\x1b[2J"))
        self.assertEqual(self.ann_peer.announcements, [(1, "at noon\\x1b[2J")])
        self.refuse(BadRequest, self.realm.announcements.announce(" \n"))

    def test_peer_that_fails_is_the_only_one_that_is_aborted(self) -> None:
        """The others are shown the text."""
        failed: list[Session] = []

        def fail(time: int, text: str) -> None:
            raise ValueError("a fault")

        self.patch(self.ann_peer, "announcement", fail)
        self.patch(self.ann_peer, "failed", lambda: failed.append(self.ann))
        self.run_now(self.realm.announcements.announce("Noon."))
        self.assertEqual(failed, [self.ann])
        self.assertEqual(self.bob_peer.announcements, [(1, "Noon.")])
