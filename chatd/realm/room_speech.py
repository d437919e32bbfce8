"""Rooms that limit sending: slow mode, silenced members, rooms where only moderators send.

For other rooms `LiveLog.limits_sending` is false, and nothing here is called.
"""

from __future__ import annotations

from chatd.core.names import is_room
from chatd.realm.loaded_rooms import LoadedRooms
from chatd.realm.permissions import check_slow_mode, check_speak
from chatd.realm.restrictions import SilenceRecord
from chatd.realm.room import Room
from chatd.realm.session import Session


class RoomSpeech(LoadedRooms):
    """Who may send to a room that limits sending."""

    async def check_speak(self, session: Session, log: str) -> None:
        """Check that the account may send texts, edits, reactions and typing notices to the log
        that clients know by the name `log`, if that is a room that the session follows.

        Raises `ReadOnly`, `Silenced`.
        """
        room = self._limiting(session, log)
        if room is None:
            return
        silence, now = None, self._context.now()
        if room.record.silenced_until > now:
            row = await self._documents.get(SilenceRecord, session.name, room.scope)
            if row is not None and row.record.until > now:
                silence = row.record if row.record.account == session.account else None
        elif not room.record.slow and not room.record.read_only:
            # The last silence has ended: nothing is looked at until there is another one.
            room.limits_sending = False
        check_speak(room, self._own_role(session, room), silence)

    def take_turn(self, session: Session, log: str, key: str | None) -> None:
        """Count a text, with the sender's own key, that an account is about to send to a room in
        slow mode. Raises `SlowMode` if the account has to wait."""
        room = self._limiting(session, log)
        if room is None or not room.record.slow:
            return
        interval, now = room.record.slow, self._context.seconds()
        wait = room.slow_mode.wait(session.account, key, interval, now)
        check_slow_mode(room, self._own_role(session, room), wait)
        room.slow_mode.sent(session.account, key, interval, now)

    def _limiting(self, session: Session, log: str) -> Room | None:
        """The room of this name if the session follows it, and it limits sending."""
        subscription = session.sendable.get(log) if is_room(log) else None
        if subscription is None or not subscription.live_log.limits_sending:
            return None
        room = subscription.live_log
        assert isinstance(room, Room)
        return room
