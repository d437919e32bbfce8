"""The settings of rooms: values that are set one by one, as texts, under a name.

To add a setting: a field at the end of `RoomRecord`, and a row of `SETTINGS`. Topic, access and
history have requests of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from chatd.core.errors import BadRequest
from chatd.realm.permissions import check_deputy, check_moderator
from chatd.realm.room import MEMBERS, MODERATORS, RoomFacts, RoomRecord

SLOWEST = 21_600
"""the greatest number of seconds between two texts of a member in slow mode: six hours"""
_ON, _OFF = "on", "off"


class RoomSetting(NamedTuple):
    """One setting of rooms.

    `check` decides whether the account with a role may set it (`chatd.realm.permissions`);
    `changed` returns a record with the setting as a text says, and raises `BadRequest` if no value
    is written like that; `shown` returns the setting of a record as a text, empty if it is as in a
    new room.
    """

    check: Callable[[RoomFacts, str], object]
    changed: Callable[[RoomRecord, str], RoomRecord]
    shown: Callable[[RoomRecord], str]


def _slow(record: RoomRecord, value: str) -> RoomRecord:
    seconds = int(value) if value.isascii() and value.isdecimal() and len(value) < 9 else -1
    if not 0 <= seconds <= SLOWEST:
        raise BadRequest(f"slow is a number of seconds from 0 to {SLOWEST}, not {value!r}")
    return msgspec.structs.replace(record, slow=seconds)


def switch(name: str, value: str) -> bool:
    """The value of a setting that is ``on`` or ``off``. Raises `BadRequest`."""
    if value not in (_ON, _OFF):
        raise BadRequest(f"{name} is {_ON} or {_OFF}, not {value!r}")
    return value == _ON


def _read_only(record: RoomRecord, value: str) -> RoomRecord:
    return msgspec.structs.replace(record, read_only=switch("read-only", value))


def _inviters(record: RoomRecord, value: str) -> RoomRecord:
    if value not in (MEMBERS, MODERATORS):
        raise BadRequest(f"invite is {MEMBERS} or {MODERATORS}, not {value!r}")
    return msgspec.structs.replace(record, inviters=value)


def _unlisted(record: RoomRecord, value: str) -> RoomRecord:
    return msgspec.structs.replace(record, unlisted=switch("unlisted", value))


SETTINGS: Mapping[str, RoomSetting] = {
    "slow": RoomSetting(
        check_moderator, _slow, lambda record: str(record.slow) if record.slow else ""
    ),
    "read-only": RoomSetting(
        check_deputy, _read_only, lambda record: _ON if record.read_only else ""
    ),
    "invite": RoomSetting(check_deputy, _inviters, lambda record: record.inviters),
    "unlisted": RoomSetting(check_deputy, _unlisted, lambda record: _ON if record.unlisted else ""),
}
"""the settings by name"""


def shown_settings(record: RoomRecord) -> list[tuple[str, str]]:
    """(name, value) of the settings of a room that are not as in a new room."""
    shown = [(name, setting.shown(record)) for name, setting in SETTINGS.items()]
    return [(name, value) for name, value in shown if value]
