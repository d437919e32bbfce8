"""What an account has acknowledged and read, united with what the store has."""

from __future__ import annotations

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from chatd.core.entries import Cursor
from chatd.realm.read_state import ReadState, Settings
from chatd.stores import Position
from chatd.stores.memory import MemoryStore
from tests.doubles.realm import new_mailbox


class MergedReadState(SynchronousTestCase):
    """A read state of account 7 and a stored position."""

    def merged(self, state: Position, stored: Position) -> Position:
        """A state, when it has taken over what is stored."""
        mailbox = new_mailbox(MemoryStore(), 7, "ann", lambda mailbox: None)
        own = ReadState(mailbox, state.log, state.cursor, state.read)
        own.seen = state.seen
        own.merge(stored)
        return own.position()

    def position(
        self, upto: int, read: int = 0, seen: int = 0, ahead: tuple[int, int] | None = None
    ) -> Position:
        """A position in one log."""
        return Position(7, "#9", Cursor(upto, () if ahead is None else (ahead,)), read, seen)

    def test_later_markers_win(self) -> None:
        """The markers and times are the later ones, wherever they come from."""
        first, second = self.position(0, 3, 9), self.position(0, 5, 8)
        for merged in (self.merged(first, second), self.merged(second, first)):
            self.assertEqual(merged, self.position(0, 5, 9))

    def test_cursors_are_united(self) -> None:
        """Whatever was acknowledged on either side is acknowledged."""
        first, second = self.position(4, ahead=(9, 9)), self.position(2, ahead=(5, 7))
        for merged in (self.merged(first, second), self.merged(second, first)):
            self.assertEqual(merged, self.position(7, ahead=(9, 9)))


class SettingsRecord(SynchronousTestCase):
    """The encoding of settings, which must stay readable."""

    def test_settings_are_decoded_as_they_were_encoded(self) -> None:
        """The ids of blocked accounts are integers."""
        settings = Settings({1 << 60: "Bob", 5: "cyd"}, True)
        body = msgspec.msgpack.encode(settings)
        self.assertEqual(msgspec.msgpack.decode(body, type=Settings), settings)
        self.assertEqual(
            msgspec.msgpack.decode(msgspec.msgpack.encode([]), type=Settings), Settings()
        )
