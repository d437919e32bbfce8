"""Claims: what waits after a restart of the daemon, and of the machine."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.realm.claims import Claim
from tests.doubles.realm import RealmHarness


class Restarts(SynchronousTestCase):
    """What waits for ann after the daemon was killed and a new one has started on its store."""

    def setUp(self) -> None:
        """Ann has a waiting message and is logged in; Bob is, too."""
        self.harness = RealmHarness()
        self.harness.register("ann", "bob")
        self.bob = self.harness.login("bob")
        self.harness.send("bob", "ann", "old")
        self.recorder = self.harness.login("ann")

    def restart(self, boot: str = "boot") -> None:
        """Kill the daemon and start another one."""
        self.harness = self.harness.restart(boot)

    def waiting(self) -> list[str]:
        """The texts that ann gets when she logs in and fetches her mail."""
        recorder = self.harness.login("ann")
        self.harness.fetch("ann")
        self.harness.logout("ann")
        self.harness.settle()
        return recorder.texts

    def test_entries_handed_over_do_not_wait(self) -> None:
        """The kernel delivers what was written although the daemon was killed."""
        self.harness.send("bob", "ann", "new", "newer")
        self.assertEqual(self.recorder.texts, ["new", "newer"])
        self.restart()
        self.assertEqual(self.waiting(), ["old"])

    def test_entries_handed_over_wait_after_the_machine_stopped(self) -> None:
        """They may have been lost, so they are delivered again."""
        self.harness.send("bob", "ann", "new", "newer")
        self.restart("another boot")
        self.assertEqual(self.waiting(), ["old", "new", "newer"])

    def test_entries_without_a_session_wait(self) -> None:
        """Messages that are sent after Ann has logged out wait, whatever was restarted."""
        self.harness.logout("ann")
        self.harness.send("bob", "ann", "new")
        for boot in ("boot", "another boot"):
            self.restart(boot)
        self.assertEqual(self.waiting(), ["old", "new"])

    def test_no_claim_is_left_after_a_restart(self) -> None:
        """The start of the daemon resolves all claims."""
        self.assertEqual(
            self.successResultOf(self.harness.store.list(Claim.document_kind)), ["@bob", "@ann"]
        )
        self.restart()
        self.assertEqual(self.successResultOf(self.harness.store.list(Claim.document_kind)), [])
        self.assertFalse(self.harness.realm.sessions.online("ann"))

    def test_resolved_claims_stay_resolved(self) -> None:
        """Further restarts change nothing."""
        self.harness.send("bob", "ann", "new")
        self.restart()
        self.harness.login("bob")
        self.harness.send("bob", "ann", "between")
        for boot in ("boot", "second boot", "third boot"):
            self.restart(boot)
        self.assertEqual(self.waiting(), ["old", "between"])
        self.restart("second boot")
        self.assertEqual(self.waiting(), [])

    def test_entries_not_handed_over_wait(self) -> None:
        """A recipient that reads slowly gets the rest after the restart, once."""
        self.recorder.capacity = 1
        self.harness.send("bob", "ann", "1", "2", "3")
        self.harness.send("bob", "ann", "4")
        self.assertEqual(self.recorder.texts, ["1", "2", "3"])
        self.restart()
        self.assertEqual(self.waiting(), ["old", "2", "3", "4"])

    def test_sender_is_answered_after_the_claim_is_deleted(self) -> None:
        """No sender is answered while a restart could count its message as received."""
        store = self.harness.store
        store.eager = False
        self.harness.send("bob", "ann", "late")
        self.harness.logout("ann")
        batch = store._take_open()
        store._commit(batch)
        store._answer(batch[:1])
        self.assertEqual([append.body for append in self.bob.answers], ["old"])
        store._answer(batch[1:])
        self.harness.settle()
        self.assertEqual([append.body for append in self.bob.answers], ["old", "late"])
        store.eager = True
        self.restart()
        self.assertEqual(self.waiting(), ["old", "late"])
