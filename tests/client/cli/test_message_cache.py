"""The message cache: conversations, edits and deletions, its bound."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.client.cli.message_cache import MessageCache, conversation_of
from tests.doubles.client import pushed


class MessageCacheTests(SynchronousTestCase):
    """The cache of the account alice."""

    def setUp(self) -> None:
        self.cache = MessageCache()
        self.cache.account = "alice"

    def test_private_conversation_has_both_sides_in_order_of_time(self) -> None:
        """Each message is listed once."""
        theirs = pushed("@alice", "Bob", "one", seq=1, id=11)
        ours = pushed("@bob", "alice", "two", seq=2, id=12)
        for entry in (ours, theirs, theirs, pushed("@alice", "carl", "x", seq=3, id=13)):
            self.cache.add(entry)
        conversation = conversation_of("BOB")
        self.assertEqual(
            [message.text for message in self.cache.messages(conversation)], ["one", "two"]
        )
        self.assertEqual(
            [message.text for message in self.cache.messages(conversation, sender="Alice")], ["two"]
        )
        self.assertEqual(self.cache.display_name("@bob"), "Bob")
        self.assertEqual(self.cache.display_name("@nobody"), "nobody")

    def test_latest_edit_counts_and_deleted_messages_are_not_listed(self) -> None:
        """The order in which edits arrive does not matter."""
        self.cache.add(pushed("#lobby", "bob", "a", seq=1, id=11))
        for seq, text in ((3, "c"), (2, "b")):
            self.cache.add(pushed("#lobby", "bob", text, "edit", seq=seq, about=11))
        (message,) = self.cache.messages("#lobby")
        self.assertEqual((message.text, message.current_text), ("c", "c (edited)"))
        self.cache.add(pushed("#lobby", "bob", "", "delete", seq=4, about=11))
        self.assertEqual(self.cache.messages("#lobby"), [])
        self.assertEqual(message.current_text, "(deleted)")

    def test_only_the_latest_messages_are_kept(self) -> None:
        """Older ones are not found by id either."""
        for seq in range(1, 1001):
            self.cache.add(pushed("#lobby", "bob", str(seq), seq=seq))
        messages = self.cache.messages("#lobby")
        self.assertEqual((len(messages), messages[0].text), (500, "501"))
        self.assertIsNone(self.cache.get(1))
