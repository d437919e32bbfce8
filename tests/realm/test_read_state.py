"""Merging the changes of two writers of an account's read state and settings."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.core.entries import Cursor
from chatd.realm.read_state import ReadState, RoomPosition, Settings


def position(upto: int, read: int = 0, since: int = 1) -> RoomPosition:
    """A position in a room created at `since`."""
    return RoomPosition(since, Cursor(upto), read)


class MergedReadState(SynchronousTestCase):
    """Read markers, positions and times."""

    def test_later_markers_win(self) -> None:
        """The merged markers and times are the later ones."""
        self.assertEqual(
            ReadState(3, {}, 9).merged(ReadState(), ReadState(5, {}, 8)), ReadState(5, {}, 9)
        )

    def test_positions_in_a_room_are_united(self) -> None:
        """The merged position has both cursors and the later read marker."""
        own, other = ReadState(0, {"#a": position(4, 9)}), ReadState(0, {"#a": position(6, 2)})
        self.assertEqual(own.merged(ReadState(), other).positions, {"#a": position(6, 9)})

    def test_position_in_the_later_room_wins(self) -> None:
        """A room that was deleted and created again is another room."""
        own, other = ReadState(0, {"#a": position(4, since=2)}), ReadState(0, {"#a": position(9)})
        for merged in (own.merged(other, other), other.merged(other, own)):
            self.assertEqual(merged.positions, {"#a": position(4, since=2)})

    def test_rooms_joined_by_either_writer_stay(self) -> None:
        """A position that only one writer has, and that is not in the base, stays."""
        own, other = ReadState(0, {"#a": position(1)}), ReadState(0, {"#b": position(2)})
        self.assertEqual(set(own.merged(ReadState(), other).positions), {"#a", "#b"})

    def test_rooms_left_by_either_writer_are_removed(self) -> None:
        """A position that is in the base, and that only one writer still has, is removed."""
        base = ReadState(0, {"#a": position(1), "#b": position(2), "#c": position(3)})
        own = ReadState(0, {"#a": position(1), "#c": position(3)})
        other = ReadState(0, {"#b": position(2), "#c": position(4)})
        self.assertEqual(own.merged(base, other).positions, {"#c": position(4)})


class MergedSettings(SynchronousTestCase):
    """Blocked accounts, and being hidden."""

    def test_blocking_and_unblocking_by_either_writer(self) -> None:
        """The changes of both writers are in the merged settings."""
        base, own, other = (
            Settings(("a", "b", "c")),
            Settings(("b", "c", "x")),
            Settings(("a", "b", "y")),
        )
        self.assertEqual(own.merged(base, other), Settings(("b", "x", "y")))

    def test_own_change_of_hidden_wins(self) -> None:
        """The other writer's value is taken if this writer has not changed it."""
        for base, own, other, merged in (
            (False, True, False, True),
            (False, False, True, True),
            (True, False, True, False),
            (True, True, False, False),
        ):
            settings = Settings((), own).merged(Settings((), base), Settings((), other))
            self.assertEqual(settings.hidden, merged)
