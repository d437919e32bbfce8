"""Messages that are deleted are not changed any more, and reactions to a message are limited."""

from __future__ import annotations

from typing import Any

from chatd.core.errors import AlreadyDeleted, KeyReused, LimitReached, MailboxFull, UnknownEntry
from chatd.core.names import mailbox_log
from chatd.realm.edits import Edits
from chatd.realm.message_marks import DeletedRecord, ReactionsRecord
from chatd.realm.session import Session
from chatd.stores import DropLog, Quota
from tests.realm.test_edits import EditsCase


class Marks(EditsCase):
    """Bob has sent a message to Ann; carl is a third account."""

    def kinds(self, log: str) -> list[str]:
        """The kinds of the entries in a log."""
        return [kind for _, _, kind, _ in self.entries(log)]

    def last_answer(self) -> tuple[int, bool]:
        """(seq, resent) of what bob was answered last."""
        answer = self.bob_peer.answers[-1]
        self.assertIsNone(answer.refusal)
        return answer.seq, answer.resent

    def delete(self, session: Session, log: str = "@ann", key: str | None = None) -> None:
        """Delete the first message of a log."""
        self.run_now(self.edits.delete(session, log, 1, key))

    def room(self) -> None:
        """Make a room of Ann with a message of bob as its second entry."""
        self.run_now(self.realm.rooms.create(self.ann, "#room", "", False))
        self.run_now(self.realm.rooms.join(self.bob, "#room"))
        self.send(self.bob, "#room", "hi")


class Deletions(Marks):
    """A message that is deleted."""

    def test_message_is_deleted_once(self) -> None:
        """The author, on two devices, gets the answer of the first deletion each time."""
        for key in ("k1", "k2", None, "k1"):
            self.delete(self.bob, key=key)
            self.assertEqual(self.last_answer(), (2, len(self.bob_peer.answers) > 2))
        self.assertEqual(self.kinds("@ann"), ["text", "delete"])

    def test_two_devices_delete_at_the_same_moment(self) -> None:
        """Both are answered; one deletion is stored."""
        self.store.eager = False
        both = [self.begin(self.edits.delete(self.bob, "@ann", 1, key)) for key in ("k1", "k2")]
        while not all(request.called for request in both):
            self.store.release()
        for request in both:
            self.successResultOf(request)
        self.realm.flush()
        self.store.release()
        self.store.eager = True
        self.assertEqual([answer.seq for answer in self.bob_peer.answers[-2:]], [2, 2])
        self.assertEqual(self.kinds("@ann"), ["text", "delete"])

    def test_deleted_message_is_neither_edited_nor_reacted_to(self) -> None:
        """A reaction can be removed."""
        self.run_now(self.edits.react(self.ann, "@ann", 1, "+1", None))
        self.delete(self.bob)
        self.refuse(AlreadyDeleted, self.edits.edit(self.bob, "@ann", 1, "again", None))
        self.refuse(AlreadyDeleted, self.edits.react(self.bob, "@ann", 1, "+1", None))
        self.refuse(AlreadyDeleted, self.edits.react(self.ann, "@ann", 1, "+2", None))
        self.run_now(self.edits.react(self.ann, "@ann", 1, "", None))
        self.assertEqual(self.kinds("@ann"), ["text", "delete"])
        self.assertEqual(self.kinds("@bob"), ["reaction", "reaction"])

    def test_edit_that_was_accepted_before_gets_its_first_answer(self) -> None:
        """The answer was lost, and the message has been deleted by another device meanwhile."""
        self.run_now(self.edits.edit(self.bob, "@ann", 1, "hello", "k1"))
        self.run_now(self.edits.react(self.bob, "@ann", 1, "+1", "k2"))
        self.delete(self.bob)
        self.run_now(self.edits.edit(self.bob, "@ann", 1, "hello", "k1"))
        self.assertEqual(self.last_answer(), (2, True))
        self.run_now(self.edits.react(self.bob, "@ann", 1, "+1", "k2"))
        self.assertEqual(self.last_answer(), (3, True))
        self.refuse(AlreadyDeleted, self.edits.edit(self.bob, "@ann", 1, "hello", "k3"))

    def test_moderator_is_told_that_a_message_is_deleted(self) -> None:
        """And the author, if the moderator was faster."""
        self.room()
        seq = self.kinds("#room").index("text") + 1
        self.run_now(self.edits.delete(self.ann, "#room", seq, None))
        self.refuse(AlreadyDeleted, self.edits.delete(self.bob, "#room", seq, None))
        self.assertEqual(self.kinds("#room").count("delete"), 1)

    def test_deletion_that_was_not_appended_is_made_by_another(self) -> None:
        """The daemon was killed after it was noted and before it was appended."""
        self.room()
        seq = self.kinds("#room").index("text") + 1
        marks = self.edits._marks
        log = self.log("#room")
        self.run_now(marks.delete(log, seq, self.bob.account, "k1"))
        self.run_now(self.edits.delete(self.ann, "#room", seq, None))
        self.assertEqual(self.kinds("#room").count("delete"), 1)
        self.refuse(AlreadyDeleted, self.edits.delete(self.bob, "#room", seq, "k1"))

    def test_deletion_that_is_refused_deletes_nothing(self) -> None:
        """Its key belongs to another message: the message can still be edited, and deleted."""
        self.send(self.bob, "ann", "hello", key="k1")
        self.delete(self.bob, key="k1")
        self.assertIsInstance(self.bob_peer.answers[-1].refusal, KeyReused)
        self.run_now(self.edits.edit(self.bob, "@ann", 1, "hi", None))
        self.delete(self.bob, key="k2")
        self.assertEqual(self.kinds("@ann"), ["text", "text", "edit", "delete"])

    def test_log_that_is_deleted_meanwhile_gets_no_marks(self) -> None:
        """The message is unknown then."""
        log = self.log("@ann")
        self.result(self.store.write([DropLog(log)]))
        self.refuse(UnknownEntry, self.edits._marks.delete(log, 1, self.bob.account, None))
        self.assertEqual(self.result(self.realm.documents.count(DeletedRecord, log)), 0)


class Reactions(Marks):
    """How often an account reacts to a message."""

    def test_reactions_of_an_account_to_a_message_are_limited(self) -> None:
        """It can remove them as often; other accounts and messages are not affected."""
        for number in range(8):
            self.run_now(self.edits.react(self.bob, "@ann", 1, f"r{number}", None))
        sentence = self.refuse(LimitReached, self.edits.react(self.bob, "@ann", 1, "more", None))
        self.assertIn("at most 8 times", str(sentence))
        for _ in range(8):
            self.run_now(self.edits.react(self.bob, "@ann", 1, "", None))
        self.refuse(LimitReached, self.edits.react(self.bob, "@ann", 1, "", None))
        self.run_now(self.edits.react(self.ann, "@ann", 1, "+1", None))
        self.send(self.bob, "ann", "another")
        self.run_now(self.edits.react(self.bob, "@ann", 18, "+1", None))
        self.assertEqual(self.kinds("@ann").count("reaction"), 17)

    def test_reaction_that_is_sent_again_does_not_count(self) -> None:
        """It gets its first answer, also when the limit is reached."""
        for number in range(8):
            self.run_now(self.edits.react(self.bob, "@ann", 1, f"r{number}", f"k{number}"))
        self.run_now(self.edits.react(self.bob, "@ann", 1, "r3", "k3"))
        self.assertEqual(self.last_answer(), (5, True))

    def test_reaction_to_a_full_mailbox_does_not_count(self) -> None:
        """The account can react when there is room again."""
        self.patch(self.store, "_quota", Quota(sender=1))
        self.patch(self.store, "_least", 1)
        for number in range(9):
            self.refuse(MailboxFull, self.edits.react(self.bob, "@ann", 1, f"r{number}", None))
        self.assertNotIn("reaction", self.kinds("@ann"))
        self.patch(self.store, "_quota", Quota())
        self.run_now(self.edits.react(self.bob, "@ann", 1, "+1", None))
        self.assertIn("reaction", self.kinds("@ann"))


class Races(Marks):
    """Bob is kicked from the room while a mark is stored."""

    def kick_meanwhile(self) -> int:
        """Make a room, and have bob kicked; return the seq of his message there."""
        self.room()
        write = self.edits._marks._write

        async def kick_and_write(*arguments: Any) -> bool:
            await self.realm.rooms.kick(self.ann, "#room", "bob")
            return await write(*arguments)

        self.patch(self.edits._marks, "_write", kick_and_write)
        return self.kinds("#room").index("text") + 1

    def test_kicked_member_reacts_no_more(self) -> None:
        """Its reaction would follow the entry about its removal."""
        seq = self.kick_meanwhile()
        self.refuse(UnknownEntry, self.edits.react(self.bob, "#room", seq, "+1", None))
        self.assertNotIn("reaction", self.kinds("#room"))

    def test_kicked_member_deletes_no_message(self) -> None:
        """A moderator of the room still can."""
        seq = self.kick_meanwhile()
        self.refuse(UnknownEntry, self.edits.delete(self.bob, "#room", seq, None))
        self.assertNotIn("delete", self.kinds("#room"))
        self.edits = Edits(self.realm)
        self.run_now(self.edits.delete(self.ann, "#room", seq, None))
        self.assertIn("delete", self.kinds("#room"))


class Removal(Marks):
    """What is stored does not stay longer than the messages."""

    limits = {"deleted_room_time": 0}

    def count(self, log: str) -> tuple[int, int]:
        """The number of marks of each kind in a log, by its name in the store."""
        documents = self.realm.documents
        return (
            self.result(documents.count(DeletedRecord, log)),
            self.result(documents.count(ReactionsRecord, log)),
        )

    def test_marks_end_with_their_account(self) -> None:
        """And with their room."""
        self.room()
        log, room = self.log("@ann"), self.log("#room")
        self.run_now(self.edits.react(self.bob, "@ann", 1, "+1", None))
        self.delete(self.bob)
        seq = self.kinds("#room").index("text") + 1
        self.run_now(self.edits.react(self.ann, "#room", seq, "+1", None))
        self.run_now(self.edits.delete(self.ann, "#room", seq, None))
        self.assertEqual((self.count(log), self.count(room)), ((1, 1), (1, 1)))
        self.run_now(self.realm.rooms.delete(self.ann, "#room"))
        self.assertEqual(self.count(room), (0, 0))
        self.run_now(self.realm.delete(self.ann))
        self.assertEqual(self.count(log), (0, 0))

    def test_marks_of_trimmed_messages_are_removed_with_later_ones(self) -> None:
        """Some at a time, so that a log which is trimmed has not more and more of them."""
        log = mailbox_log(self.ann.account)
        for seq in range(1, 40):
            self.run_now(self.edits.delete(self.bob, "@ann", 2 * seq - 1, None))
            self.send(self.bob, "ann", "again")
            self.result(self.store.trim(log, 2 * seq))
        self.assertLessEqual(self.count(log)[0], 2)
