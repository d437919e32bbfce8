"""The send path of the realm."""

from __future__ import annotations

import msgspec

from chatd.core.errors import NotTheSender, Refused, TextTooLong, UnknownAccount
from chatd.realm.accounts import Account
from tests.doubles.realm import OPEN, Text
from tests.realm.case import RealmCase


class Sending(RealmCase):
    """Bursts of messages."""

    def setUp(self) -> None:
        """Log bob in."""
        super().setUp()
        self.bob = self.harness.login("bob")

    def answered(self) -> list[str]:
        """The texts for which bob's peer was answered."""
        return [append.body for append in self.bob.answers]

    def send_burst(self, *messages: Text) -> tuple[int, type[Refused] | None]:
        """Bob's burst: how many messages were taken, and how the next one was refused."""
        appends, refusal = self.realm.send(self.harness.sessions["bob"], messages)
        self.realm.flush()
        return len(appends), None if refusal is None else type(refusal)

    def test_burst_is_sent_up_to_the_first_refused_message(self) -> None:
        """The messages before it are sent, and the refusal is returned."""
        good = Text("bob", "ann", "good")
        for bad, kind in (
            (Text("ann", "ann", "forged"), NotTheSender),
            (Text("bob", "ann", "x" * 65_537), TextTooLong),
        ):
            self.assertEqual(self.send_burst(good, good, bad, good), (2, kind))
            self.assertEqual(self.send_burst(bad, good), (0, kind))
        self.assertEqual(self.answered(), ["good"] * 4)

    def test_burst_is_sent_up_to_a_recipient_that_is_not_cached(self) -> None:
        """Whether there is such an account is for `deliver` to find out."""
        good = Text("bob", "ann", "good")
        self.assertEqual(self.send_burst(Text("bob", "cyd", "x"), good), (0, None))
        self.assertEqual(self.send_burst(good, Text("bob", "cyd", "x")), (1, None))
        self.assertEqual(self.send_burst(), (0, None))

    def test_deliver_looks_up_the_recipient(self) -> None:
        """An account that is not cached is found; an unknown one is refused."""
        bob = self.harness.sessions["bob"]
        self.realm.store.create(Account.document_kind, "Dee", msgspec.msgpack.encode(OPEN))
        message = Text("bob", "dee", "x")
        self.assertEqual(self.send_burst(message), (0, None))
        append = self.harness.run(self.realm.deliver(bob, message))
        self.assertEqual((append.log, append.body), ("@dee", "x"))
        with self.assertRaises(UnknownAccount):
            self.harness.run(self.realm.deliver(bob, Text("bob", "cyd", "x")))
        with self.assertRaises(NotTheSender):
            self.harness.run(self.realm.deliver(bob, Text("ann", "dee", "x")))

    def test_sender_is_spelled_as_first_written(self) -> None:
        """However a client spells its own name, recipients see the name of its account."""
        recorder = self.harness.login("Ann")
        self.send_burst(Text("bob", "Ann", "1"), Text("BOB", "ANN", "2"))
        for appends in (recorder.received, self.bob.answers):
            self.assertEqual([append.body for append in appends], ["1", "2"])
            self.assertEqual([append.sender for append in appends], ["bob", "bob"])
