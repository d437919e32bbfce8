"""Version 1: edits, deletions and reactions."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import v1_messages as c
from tests.doubles.v1_clients import MainPortServer


class Edits(SynchronousTestCase):
    """Ann and Bob write to each other."""

    def setUp(self) -> None:
        self.server = MainPortServer()
        self.ann = self.server.log_in("Ann")
        self.bob = self.server.log_in("bob")

    def test_only_the_sender_edits_and_deletes_a_message(self) -> None:
        """The entries of that refer to the message by its id."""
        sent = self.ann.request(c.Send(0, "bob", "helo"))
        self.ann.request(c.Edit(0, "@bob", sent.seq, "hello"))
        self.assertEqual(self.bob.refusal_code(c.Edit(0, "@bob", sent.seq, "ha")), "not-the-author")
        self.assertEqual(self.bob.refusal_code(c.Retract(0, "@bob", sent.seq)), "not-the-author")
        self.assertEqual(
            self.ann.refusal_code(c.Edit(0, "@bob", 2, "not a text")), "not-the-author"
        )
        self.assertEqual(self.ann.refusal_code(c.Edit(0, "@bob", 9, "x")), "unknown-entry")
        self.assertEqual(self.ann.refusal_code(c.Edit(0, "#lobby", 1, "x")), "unknown-entry")
        self.ann.request(c.Retract(0, "@bob", sent.seq))
        self.assertEqual(
            [(entry.kind, entry.body, entry.about) for entry in self.bob.receive_events(c.Pushed)],
            [("text", "helo", 0), ("edit", "hello", sent.id), ("delete", "", sent.id)],
        )

    def test_reaction_is_sent_to_the_other_end_of_the_conversation(self) -> None:
        """Both ends can react; other accounts cannot."""
        sent = self.ann.request(c.Send(0, "bob", "hi"))
        self.assertEqual(self.bob.request(c.React(0, "@bob", sent.seq, "👍")).log, "@ann")
        (pushed,) = self.ann.receive_events(c.Pushed)
        self.assertEqual((pushed.kind, pushed.body, pushed.about), ("reaction", "👍", sent.id))
        self.assertEqual(self.ann.request(c.React(0, "@bob", sent.seq, "")).log, "@bob")
        eve = self.server.log_in("eve")
        self.assertEqual(eve.refusal_code(c.React(0, "@bob", sent.seq, "x")), "unknown-entry")

    def test_edit_is_answered_when_it_is_durable(self) -> None:
        """The recipient is sent it at the same time."""
        sent = self.ann.request(c.Send(0, "bob", "helo"))
        self.bob.receive()
        self.server.store.eager = False
        self.ann.send(c.Edit(9, "@bob", sent.seq, "hello"))
        self.assertEqual((self.ann.receive(), self.bob.receive()), ([], []))
        for _ in range(10):
            self.server.store.release()
        (accepted,), (pushed,) = self.ann.receive(), self.bob.receive()
        assert isinstance(accepted, c.Accepted) and isinstance(pushed, c.Pushed)
        self.assertEqual((accepted.ref, pushed.body), (9, "hello"))

    def test_new_owner_of_a_name_cannot_edit_messages_of_the_former_one(self) -> None:
        """The messages belong to the deleted account."""
        seq = self.ann.request(c.Send(0, "bob", "by the first Ann")).seq
        self.ann.request(c.DeleteAccount(0))
        self.server.clock.advance(1)
        self.server.now += 1000
        ann = self.server.log_in("Ann")
        self.assertEqual(ann.refusal_code(c.Edit(0, "@bob", seq, "changed")), "unknown-entry")
        self.assertEqual(self.bob.receive_entries(), [("@bob", "Ann", "by the first Ann")])
