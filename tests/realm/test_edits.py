"""Edits, deletions and reactions: where they are appended, and who may make them."""

from __future__ import annotations

from chatd.core.entries import Entry
from chatd.core.errors import (
    AlreadyDeleted,
    Blocked,
    NotTheAuthor,
    TextTooLong,
    UnknownAccount,
    UnknownEntry,
)
from chatd.realm.session import Session
from chatd.stores import Append
from tests.doubles.stores import NULL_ORIGIN
from tests.realm.case import AckRealmCase


class EditsCase(AckRealmCase):
    """Bob has sent a message to Ann."""

    limits = {"text": 100}

    def setUp(self) -> None:
        super().setUp()
        self.edits = self.realm.edits
        self.send(self.bob, "ann", "helo")

    def about(self, log: str) -> list[tuple[str, str, str, int]]:
        """The (sender, kind, body, seq of the message it is about) of the changes in a log."""
        entries = self.result(self.store.read(self.log(log), 0, 100))
        messages = self.result(self.store.read(self.log("@ann"), 0, 100)) + entries
        seqs = {entry.id: entry.seq for entry in messages}
        return [
            (entry.sender, entry.kind, entry.body, seqs[entry.about])
            for entry in entries
            if entry.about
        ]


class Editing(EditsCase):
    """Replacing the text of a message."""

    def test_edit_is_appended_to_the_log_of_the_message(self) -> None:
        """The edit is about the message's id; the message itself does not change."""
        self.run_now(self.edits.edit(self.bob, "@ann", 1, "hello", None))
        self.assertEqual(self.about("@ann"), [("bob", "edit", "hello", 1)])
        self.assertEqual(self.entries("@ann")[0], (1, "bob", "text", "helo"))
        self.assertEqual(self.ann_peer.logs["@ann"][1], (2, "bob", "edit", "hello"))

    def test_author_is_answered_when_the_edit_is_durable(self) -> None:
        """The author is not answered before the commit."""
        self.store.eager = False
        editing = self.begin(self.edits.edit(self.bob, "@ann", 1, "hello", None))
        while not editing.called:
            self.store.release()
        self.assertEqual(len(self.bob_peer.answers), 1)
        self.successResultOf(editing)
        self.realm.flush()
        self.store.release()
        self.assertEqual(
            [(append.kind, append.seq) for append in self.bob_peer.answers],
            [("text", 1), ("edit", 2)],
        )

    def test_only_the_author_edits(self) -> None:
        """The recipient of a message cannot edit it, and an edit cannot be edited."""
        self.refuse(NotTheAuthor, self.edits.edit(self.ann, "@ann", 1, "no", None))
        self.run_now(self.edits.edit(self.bob, "@ann", 1, "hello", None))
        self.refuse(NotTheAuthor, self.edits.edit(self.bob, "@ann", 2, "no", None))

    def test_message_that_does_not_exist_is_refused(self) -> None:
        """Nothing is appended."""
        for log, seq in (("@ann", 2), ("@ann", 0), ("@nemo", 1), ("#lobby", 1)):
            self.refuse(UnknownEntry, self.edits.edit(self.bob, log, seq, "x", None))
        self.assertEqual(self.about("@ann"), [])

    def test_long_text_is_refused(self) -> None:
        """The limit is that of messages, and is checked before the message is looked up."""
        self.run_now(self.edits.edit(self.bob, "@ann", 1, "x" * 100, None))
        self.refuse(TextTooLong, self.edits.edit(self.bob, "@ann", 1, "x" * 101, None))
        self.refuse(TextTooLong, self.edits.edit(self.bob, "@nemo", 1, "x" * 101, None))

    def test_edit_resent_with_its_key_is_stored_once(self) -> None:
        """The resent edit gets the first answer again."""
        for _ in range(2):
            self.run_now(self.edits.edit(self.bob, "@ann", 1, "hello", "key"))
        self.assertEqual(self.about("@ann"), [("bob", "edit", "hello", 1)])
        self.assertEqual(
            [(append.seq, append.resent) for append in self.bob_peer.answers[1:]],
            [(2, False), (2, True)],
        )

    def test_blocked_author_cannot_edit(self) -> None:
        """An edit would be another way to send a text to the account that blocks its author."""
        self.run_now(self.realm.blocking.set_blocked(self.ann, "bob", True))
        self.refuse(Blocked, self.edits.edit(self.bob, "@ann", 1, "hello", None))

    def test_message_to_a_deleted_account_cannot_be_edited(self) -> None:
        """The messages were deleted with the mailbox."""
        self.run_now(self.realm.delete(self.ann))
        self.refuse(UnknownEntry, self.edits.edit(self.bob, "@ann", 1, "hello", None))

    def test_edit_does_not_reach_the_next_account_of_the_name(self) -> None:
        """The account is deleted and registered again while the message is looked up."""
        found = self.realm.history.found

        async def slowly(session: Session, log: str, seq: int) -> tuple[str, Entry]:
            entry = await found(session, log, seq)
            await self.realm.delete(self.ann)
            await self.realm.register("Ann")
            return entry

        self.patch(self.realm.history, "found", slowly)
        self.refuse(UnknownEntry, self.edits.edit(self.bob, "@ann", 1, "hello", None))
        self.assertEqual(self.entries("@ann"), [])


class Deleting(EditsCase):
    """Deleting a message."""

    def test_deletion_is_appended_to_the_log_of_the_message(self) -> None:
        """A deletion has no text."""
        self.run_now(self.edits.delete(self.bob, "@ann", 1, None))
        self.assertEqual(self.about("@ann"), [("bob", "delete", "", 1)])

    def test_only_the_author_deletes_a_private_message(self) -> None:
        """The recipient of a message cannot delete it."""
        self.refuse(NotTheAuthor, self.edits.delete(self.ann, "@ann", 1, None))

    def test_blocked_author_can_delete(self) -> None:
        """A deletion sends no text, so blocking does not prevent it."""
        self.run_now(self.realm.blocking.set_blocked(self.ann, "bob", True))
        self.run_now(self.edits.delete(self.bob, "@ann", 1, None))
        self.assertEqual(self.about("@ann"), [("bob", "delete", "", 1)])

    def test_deleted_message_is_not_edited(self) -> None:
        """Whenever the author asks for that: the edit is before the deletion, or refused."""
        for log in ("@ann", "#room"):
            for steps in range(10):
                self.setUp()
                self.harness.register("cat")
                self.create_room(self.ann, self.bob)
                self.run_now(self.realm.rooms.silence(self.ann, "#room", "cat", 60, ""))
                self.send(self.bob, "#room", "helo")
                seq = self.bob.subscriptions["#room"].live_log.head if log == "#room" else 1
                self.store.eager = False
                deleter = self.ann if log == "#room" else self.bob
                deleting = self.begin(self.edits.delete(deleter, log, seq, None))
                for _ in range(steps):
                    self.store.release()
                editing = self.begin(self.edits.edit(self.bob, log, seq, "hello", None))
                self.harness.settle()
                self.realm.flush()
                self.harness.settle()
                with self.subTest(log=log, steps=steps):
                    self.successResultOf(deleting)
                    editing.addErrback(lambda failure: failure.trap(AlreadyDeleted))
                    self.successResultOf(editing)
                    self.assertEqual([kind for _, kind, _, _ in self.about(log)][-1], "delete")

    def test_moderators_delete_messages_of_members(self) -> None:
        """Moderators cannot delete other entries, nor members the messages of moderators."""
        self.create_room(self.ann, self.bob)
        self.send(self.bob, "#room", "spam")
        self.send(self.ann, "#room", "stop")
        self.run_now(self.edits.delete(self.ann, "#room", 3, None))
        self.assertEqual(self.about("#room"), [("Ann", "delete", "", 3)])
        self.refuse(NotTheAuthor, self.edits.delete(self.ann, "#room", 2, None))
        self.refuse(NotTheAuthor, self.edits.delete(self.bob, "#room", 4, None))


class Reacting(EditsCase):
    """Reacting to a message."""

    def test_recipients_reaction_is_appended_to_the_authors_mailbox(self) -> None:
        """The author is shown the reaction in its own mailbox."""
        self.run_now(self.edits.react(self.ann, "@ann", 1, "+1", None))
        self.assertEqual(self.about("@bob"), [("Ann", "reaction", "+1", 1)])
        self.assertEqual(self.about("@ann"), [])
        self.assertEqual(self.bob_peer.logs["@bob"], [(1, "Ann", "reaction", "+1")])

    def test_authors_reaction_is_appended_to_the_recipients_mailbox(self) -> None:
        """The reaction is in the mailbox that has the message."""
        self.run_now(self.edits.react(self.bob, "@ann", 1, "!", None))
        self.assertEqual(self.about("@ann"), [("bob", "reaction", "!", 1)])

    def test_empty_reaction_withdraws_the_former_one(self) -> None:
        """An empty reaction is appended like any other."""
        for reaction in ("+1", ""):
            self.run_now(self.edits.react(self.ann, "@ann", 1, reaction, None))
        self.assertEqual([body for _, _, body, _ in self.about("@bob")], ["+1", ""])

    def test_reaction_in_a_room_is_appended_there(self) -> None:
        """Any member can react to a message in a room."""
        self.create_room(self.ann, self.bob)
        self.send(self.ann, "#room", "x")
        self.run_now(self.edits.react(self.bob, "#room", 3, "+1", None))
        self.assertEqual(self.about("#room"), [("bob", "reaction", "+1", 3)])

    def test_blocked_account_cannot_react(self) -> None:
        """Neither the recipient of a message nor its author can react to it if blocked by the
        other."""
        self.run_now(self.realm.blocking.set_blocked(self.bob, "ann", True))
        self.refuse(Blocked, self.edits.react(self.ann, "@ann", 1, "+1", None))
        self.run_now(self.realm.blocking.set_blocked(self.ann, "bob", True))
        self.refuse(Blocked, self.edits.react(self.bob, "@ann", 1, "+1", None))

    def test_reaction_to_a_message_of_a_deleted_account_is_refused(self) -> None:
        """The author has no mailbox to which the reaction could be appended."""
        self.run_now(self.realm.delete(self.bob))
        self.refuse(UnknownAccount, self.edits.react(self.ann, "@ann", 1, "+1", None))

    def test_reaction_does_not_reach_the_next_account_of_the_authors_name(self) -> None:
        """It is the account that wrote the message that counts, not its name."""
        self.run_now(self.realm.delete(self.bob))
        self.harness.register("bob")
        self.refuse(UnknownAccount, self.edits.react(self.ann, "@ann", 1, "+1", None))
        self.assertEqual(self.entries("@bob"), [])

    def test_reaction_to_a_message_without_an_author_goes_by_its_time(self) -> None:
        """Entries of older versions have no author: one that is older than the account of its
        sender's name was written by a former account."""
        log, time = self.log("@ann"), self.bob.created
        for written in (time - 1, time):
            self.store.append(
                [Append(log, self.realm.new_id(), written, "bob", "old", NULL_ORIGIN)]
            )
        self.realm.flush()
        self.harness.settle()
        self.refuse(UnknownAccount, self.edits.react(self.ann, "@ann", 2, "+1", None))
        self.run_now(self.edits.react(self.ann, "@ann", 3, "+1", None))
        self.assertEqual(self.about("@bob"), [("Ann", "reaction", "+1", 3)])
