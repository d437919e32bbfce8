"""Rooms that limit sending: slow mode and read-only rooms."""

from __future__ import annotations

from chatd.core.errors import ReadOnly, Refused, Silenced, SlowMode
from tests.doubles.realm import Text
from tests.realm.rooms_case import RoomsCase


class SpeechTests(RoomsCase):
    """Ann owns #room, and bob is a member."""

    def setUp(self) -> None:
        super().setUp()
        self.create_room(self.ann, self.bob)

    def configure(self, setting: str, value: str) -> None:
        """Ann sets a setting."""
        self.run_now(self.rooms.configure(self.ann, "#room", setting, value))

    def texts(self) -> list[str]:
        """The texts in #room."""
        return [body for _, kind, body in self.events() if kind == "text"]

    def refuse_all(self, refusal: type[Refused]) -> str:
        """Bob can send nothing to the room, in no way; returns the sentence, always the same."""
        edits = self.realm.edits
        sentences = {
            self.refuse(refusal, request)
            for request in (
                self.realm.deliver(self.bob, Text("bob", "#room", "x")),
                edits.edit(self.bob, "#room", 3, "x", None),
                edits.react(self.bob, "#room", 3, "+", None),
                self.realm.presence.notify_typing(self.bob, "#room", True),
            )
        }
        self.assertEqual(len(sentences), 1)
        return sentences.pop()

    def test_unrestricted_room_takes_texts_without_a_look(self) -> None:
        """Sending needs nothing but the session's subscription."""
        appends, refusal = self.realm.send(self.bob, (Text("bob", "#room", "x"),))
        self.assertEqual((len(appends), refusal), (1, None))
        self.configure("slow", "5")
        self.assertEqual(self.realm.send(self.bob, (Text("bob", "#room", "x"),)), ([], None))
        self.configure("slow", "0")
        appends, refusal = self.realm.send(self.bob, (Text("bob", "#room", "x"),))
        self.assertEqual((len(appends), refusal), (1, None))

    def test_slow_mode_makes_members_wait_and_not_moderators(self) -> None:
        """The refusal says for how long."""
        self.configure("slow", "30")
        self.send(self.bob, "#room", "one")
        self.harness.runner.clock.advance(10.5)
        sentence = self.refuse(
            SlowMode, self.realm.deliver(self.bob, Text("bob", "#room", "early"))
        )
        self.assertEqual(sentence, "#room is in slow mode: you can send again in 20 s.")
        self.send(self.ann, "#room", "a", "b")
        self.harness.runner.clock.advance(19.5)
        self.send(self.bob, "#room", "two")
        self.assertEqual(self.texts(), ["one", "a", "b", "two"])

    def test_slow_mode_answers_a_text_that_is_sent_again(self) -> None:
        """Its sender may have lost the connection before the answer."""
        self.configure("slow", "30")
        self.send(self.bob, "#room", "one", key="k")
        self.send(self.bob, "#room", "one", key="k")
        self.assertEqual(self.texts(), ["one"])
        self.assertEqual([append.seq for append in self.bob_peer.answers], [4, 4])

    def test_slow_mode_is_for_texts_only(self) -> None:
        """Edits and reactions do not wait."""
        self.configure("slow", "30")
        self.send(self.bob, "#room", "one")
        self.run_now(self.realm.edits.edit(self.bob, "#room", 4, "corrected", None))
        self.run_now(self.realm.edits.react(self.bob, "#room", 4, "+", None))

    def test_read_only_room_takes_nothing_from_members(self) -> None:
        """No text, edit, reaction or typing notice; a member can delete its own texts."""
        self.send(self.bob, "#room", "one")
        self.configure("read-only", "on")
        edits = self.realm.edits
        sentence = self.refuse_all(ReadOnly)
        self.assertEqual(sentence, "#room is read-only: only its moderators can send to it.")
        self.send(self.ann, "#room", "from the owner")
        self.run_now(edits.react(self.ann, "#room", 3, "+", None))
        self.run_now(edits.delete(self.bob, "#room", 3, None))
        self.assertEqual(self.texts(), ["one", "from the owner"])

    def test_silenced_member_sends_nothing_until_the_end(self) -> None:
        """The refusal has the end and the reason; the restriction is forgotten after it."""
        self.send(self.bob, "#room", "one")
        self.harness.now = 1_767_225_600_000
        self.run_now(self.rooms.silence(self.ann, "#room", "BOB", 60, "too loud"))
        sentence = self.refuse_all(Silenced)
        self.assertEqual(sentence, "You are silenced in #room until 2026-01-01 00:01 UTC: too loud")
        self.send(self.ann, "#room", "owner")
        self.harness.now += 60_000
        room = self.rooms.loaded("#room")
        assert room is not None
        self.assertTrue(room.limits_sending)
        self.send(self.bob, "#room", "two")
        self.assertFalse(room.limits_sending)
        self.assertEqual(self.texts(), ["one", "owner", "two"])

    def test_member_is_silenced_after_it_has_joined_again(self) -> None:
        """And until a moderator ends it."""
        self.run_now(self.rooms.silence(self.ann, "#room", "bob", 0, ""))
        self.run_now(self.rooms.leave(self.bob, "#room"))
        self.run_now(self.rooms.join(self.bob, "#room"))
        sentence = self.refuse(Silenced, self.realm.deliver(self.bob, Text("bob", "#room", "x")))
        self.assertEqual(sentence, "You are silenced in #room.")
        self.run_now(self.rooms.unsilence(self.ann, "#room", "bob"))
        self.send(self.bob, "#room", "x")

    def test_silenced_moderator_can_send(self) -> None:
        """A member that becomes a moderator is not silenced any more."""
        self.run_now(self.rooms.silence(self.ann, "#room", "bob", 0, ""))
        self.run_now(self.rooms.set_role(self.ann, "#room", "bob", "moderator"))
        self.send(self.bob, "#room", "x")

    def test_restrictions_hold_after_the_room_is_loaded_again(self) -> None:
        """They are those of the stored record."""
        self.configure("read-only", "on")
        self.bob.end()
        self.ann.end()
        room = self.rooms.loaded("#room")
        assert room is not None
        self.rooms._evict(room)
        bob, _ = self.login("bob")
        self.refuse(ReadOnly, self.realm.deliver(bob, Text("bob", "#room", "x")))
