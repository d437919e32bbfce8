"""Which refusals a client of version 1 has to expect, from what clients can know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chatd.codecs import v1_messages as c
from chatd.core.names import is_room

if TYPE_CHECKING:
    from tests.simulation.model import Message
    from tests.simulation.v1 import V1Device

_ROLES = (c.SetTopic, c.SetPrivate, c.Invite, c.Kick, c.SetRole, c.DeleteRoom)
"""requests that may need a role, which the model does not know"""


def is_justified(
    device: V1Device, request: Any, sent: int, code: str, text: Message | None
) -> bool:
    """Whether the refusal of a request that was sent at a tick may be right."""
    model = device.model
    now = model.tick
    if code == "store-unavailable":
        return model.store_may_fail(sent)
    if code == "not-logged-in":
        return device.session_may_have_ended()
    if code in ("unknown-entry", "unknown-log", "not-a-member") and device.session_may_have_ended():
        return True
    recipient = _recipient(request)
    room = recipient if is_room(recipient) else ""
    match code:
        case "unknown-account":
            name = device.name if isinstance(request, c.LogIn) else recipient.lstrip("@")
            if name not in model.names or isinstance(request, c.React):
                return True
            if not model.exists["@" + name].surely(True, sent, now):
                return True
            # Its password or certificates may be changing, which is reported in this way.
            return isinstance(request, c.LogIn | c.ChangePassword) and not _password_kept(
                device, sent
            )
        case "name-taken":
            return not model.exists["@" + device.name].surely(False, sent, now)
        case "blocked":
            other = recipient.lstrip("@")
            if isinstance(request, c.React) or other not in model.names:
                return True
            return not model.blocks[other, device.name].surely(False, sent, now)
        case "not-a-member" | "unknown-log":
            return bool(room) and not model.member[room, device.name].surely(True, sent, now)
        case "unknown-room":
            return _room_may_be_unknown(device, request, room, sent)
        case "room-taken":
            return not model.exists[room].surely(False, sent, now)
        case "wrong-password" | "password-required":
            given = getattr(request, "password", getattr(request, "old", None))
            return not model.password[device.name].surely(given, sent, now)
        case "busy":
            return isinstance(request, c.LogIn | c.ChangePassword | c.DeleteAccount)
        case "not-the-author" | "unknown-entry":
            return _entry_may_be_unknown(device, request, sent)
        case "nothing-to-acknowledge":
            return not model.exists[request.log].surely(True, sent, now)
        case "too-many-gaps":
            return True
        case "not-allowed" | "unknown-member" | "unknown-role" | "limit-reached":
            return isinstance(request, _ROLES)
    return False


def _recipient(request: Any) -> str:
    for field in ("recipient", "room", "log", "name"):
        value = getattr(request, field, None)
        if isinstance(value, str):
            return value.lower()
    return ""


def _password_kept(device: V1Device, sent: int) -> bool:
    """Whether no change of the password or of the certificates was under way."""
    return all(
        change.settled is not None and change.settled < sent
        for change in device.model.credential_changes[device.name]
    )


def _room_may_be_unknown(device: V1Device, request: Any, room: str, sent: int) -> bool:
    model = device.model
    now = model.tick
    if not model.exists[room].surely(True, sent, now):
        return True
    if model.member[room, device.name].surely(True, sent, now):
        return False
    return not model.private[room].surely(False, sent, now) and not model.private[room].surely(
        None, sent, now
    )


def _entry_may_be_unknown(device: V1Device, request: Any, sent: int) -> bool:
    """Whether the entry that a request refers to may be deleted, or may not be of this account."""
    model = device.model
    log = request.log
    deletions = [*model.deletions[log], *model.deletions["@" + device.name]]
    if model.trimmed or any(change.done is not False for change in deletions):
        return True
    if is_room(log):
        return not (
            model.exists[log].surely(True, sent, model.tick)
            and model.member[log, device.name].surely(True, sent, model.tick)
        )
    return False
