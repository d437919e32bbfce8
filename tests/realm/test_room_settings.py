"""Settings of rooms: values as texts, stored and announced."""

from __future__ import annotations

import msgspec

from chatd.core.errors import BadRequest, NotAllowed, UnknownSetting
from chatd.realm.room import RoomRecord
from chatd.realm.room_settings import SETTINGS, shown_settings
from tests.realm.rooms_case import RoomsCase


class SettingTests(RoomsCase):
    """Ann owns #room."""

    def setUp(self) -> None:
        super().setUp()
        self.create_room(self.ann, self.bob)

    def configure(self, setting: str, value: str) -> None:
        """Ann sets a setting."""
        self.run_now(self.rooms.configure(self.ann, "#room", setting, value))

    def shown(self) -> list[tuple[str, str]]:
        """The settings of #room."""
        room = self.rooms.loaded("#room")
        assert room is not None
        return shown_settings(room.record)

    def test_setting_is_stored_and_announced(self) -> None:
        """Settings as in a new room are not shown."""
        self.configure("slow", "30")
        self.configure("read-only", "on")
        self.assertEqual(self.shown(), [("slow", "30"), ("read-only", "on")])
        self.assertEqual(
            self.events()[-2:],
            [("Ann", "setting", "slow 30"), ("Ann", "setting", "read-only on")],
        )
        self.configure("slow", "0")
        self.configure("read-only", "off")
        self.assertEqual(self.shown(), [])

    def test_who_may_invite(self) -> None:
        """The setting holds for public and private rooms."""
        self.harness.register("cyd")
        self.configure("invite", "moderators")
        self.refuse(NotAllowed, self.rooms.invite(self.bob, "#room", "cyd"))
        self.run_now(self.rooms.set_private(self.ann, "#room", True))
        self.configure("invite", "members")
        self.assertEqual(self.shown(), [("invite", "members")])
        self.run_now(self.rooms.invite(self.bob, "#room", "cyd"))

    def test_unlisted_room_is_found_by_those_who_belong_to_it(self) -> None:
        """Others can join it if they know its name."""
        self.harness.register("cyd", "dee")
        (cyd, _), (dee, _) = self.login("cyd"), self.login("dee")
        self.run_now(self.rooms.invite(self.ann, "#room", "cyd"))
        self.configure("unlisted", "on")
        for session, found in ((self.bob, 1), (cyd, 1), (dee, 0), (None, 1)):
            rooms, _, _ = self.run_now(self.rooms.find(session, "*", "", 10))
            self.assertEqual(len(rooms), found)
        self.run_now(self.rooms.members(dee, "#room", "", 10))
        self.run_now(self.rooms.join(dee, "#room"))
        self.configure("unlisted", "off")
        self.assertEqual(self.shown(), [])

    def test_wrong_values_and_unknown_settings_are_refused(self) -> None:
        """The sentence says what is possible."""
        for setting, value in (
            ("slow", "-1"),
            ("slow", "21601"),
            ("slow", "1.5"),
            ("slow", "\u0663"),
            ("slow", ""),
            ("slow", "9" * 500),
            ("read-only", "yes"),
            ("invite", "owner"),
            ("invite", ""),
            ("unlisted", "1"),
        ):
            self.refuse(BadRequest, self.rooms.configure(self.ann, "#room", setting, value))
        sentence = self.refuse(
            UnknownSetting, self.rooms.configure(self.ann, "#room", "colour", "red")
        )
        self.assertEqual(sentence, f"A setting of a room is one of {', '.join(SETTINGS)}.")
        self.assertEqual(self.shown(), [])

    def test_rooms_of_earlier_versions_have_the_settings_of_a_new_room(self) -> None:
        """Their records end with the history."""
        body = msgspec.msgpack.encode((1, 2, "topic", False, 3, "Ann", {}, "all"))
        record = msgspec.msgpack.decode(body, type=RoomRecord)
        self.assertEqual(shown_settings(record), [])
        self.assertFalse(record.limits_sending)
