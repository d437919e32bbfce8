"""Which refusals a client of version 1 has to expect, and which requests must be refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chatd.codecs import v1_messages as c
from chatd.core.names import is_room

if TYPE_CHECKING:
    from tests.simulation.device import Device
    from tests.simulation.model import Message
    from tests.simulation.v1_connection import V1Connection

_FOR_OWNERS = (c.DeleteRoom,)
"""requests that only the owner of a room may make"""
_FOR_DEPUTIES = (c.SetPrivate, c.SetHistory, c.SetRole)
"""requests that only deputies of a room, and its owner, may make"""
_FOR_MODERATORS = (
    c.SetTopic,
    c.Kick,
    c.Ban,
    c.Unban,
    c.FindBans,
    c.Silence,
    c.Unsilence,
    c.FindSilenced,
    c.ConfigureRoom,
)
"""requests that only moderators of a room, and its owner, may make"""


def is_justified(
    device: V1Connection, request: Any, sent: int, code: str, text: Message | None
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
            name = device.name if isinstance(request, c.LogIn | c.Resume) else recipient.lstrip("@")
            if name not in model.names or isinstance(request, c.React):
                return True
            return not model.exists["@" + name].surely(True, sent, now)
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
        case "wrong-password" if isinstance(request, c.Resume):
            access = request.token in model.access_tokens
            tokens = model.access_tokens if access else model.resume_tokens
            return not tokens.is_valid(request.token, device.name, sent, now)
        case "unknown-token":
            made = dict(model.made_tokens[device.name])
            return not model.access_tokens.is_valid(made[request.name], device.name, sent, now)
        case "wrong-password" | "password-required":
            if isinstance(request, c.LogIn) and request.password is None:
                certificate = device.certificate
                if model.certificate_logs_in(device.name, certificate, sent):
                    return False
            given = getattr(request, "password", getattr(request, "old", None))
            return not model.password[device.name].surely(given, sent, now)
        case "password-needed":
            return not model.policy.open_accounts
        case "registration-closed":
            return model.policy.registration == "closed"
        case "invite-required":
            return model.policy.registration == "invite" and request.invite is None
        case "invite-invalid":
            return not model.is_valid_token(request.invite, sent)
        case "busy":
            if isinstance(request, c.LogIn | c.Resume):
                link = device.link
                stops = link is not None and link.daemon_start in device.world.ended_starts
                return stops or account_may_be_changing(device, sent)
            return isinstance(request, c.ChangePassword | c.DeleteAccount)
        case "not-the-author" | "unknown-entry":
            return _entry_may_be_unknown(device, request, sent)
        case "suspended":
            return device.name in model.suspended
        case "already-deleted":
            return (request.log, request.seq) in model.retracted
        case "nothing-to-acknowledge":
            return not model.exists[request.log].surely(True, sent, now)
        case "too-many-gaps":
            return True
        case "banned":
            name = request.name if isinstance(request, c.Invite) else device.name
            return not model.banned[room, name].surely(False, sent, now)
        case "silenced":
            return not model.silenced[room, device.name].surely(False, sent, now)
        case "read-only":
            return not model.settings[room, code].surely("off", sent, now)
        case "slow-mode":
            return not model.settings[room, "slow"].surely("0", sent, now)
        case "unknown-restriction":
            facts = model.banned if isinstance(request, c.Unban) else model.silenced
            return not facts[room, request.name].surely(True, sent, now)
        case "not-allowed":
            return not _is_surely_allowed(device, request, room, sent)
        case "unknown-member":
            other = request.name
            return not (other in model.names and model.member[room, other].surely(True, sent, now))
        case "unknown-role":
            return model.may_be_owner(room, request.name, sent)
    return False


def _is_surely_allowed(device: V1Connection, request: Any, room: str, sent: int) -> bool:
    """Whether the account certainly had the role that a request needs."""
    model, name = device.model, device.name
    if model.is_owner(room, name, sent):
        return not (isinstance(request, c.Kick | c.Ban | c.Silence) and request.name == name)
    if isinstance(request, c.SetTopic | c.Unban | c.Unsilence | c.FindBans | c.FindSilenced):
        return model.is_moderator(room, name, sent)
    if isinstance(request, c.SetPrivate | c.SetHistory | c.ConfigureRoom):
        return model.is_deputy(room, name, sent)
    if isinstance(request, c.Invite):
        public = model.private[room].surely(False, sent, model.tick)
        return public and model.member[room, name].surely(True, sent, model.tick)
    return False


def must_be_refused(device: V1Connection, request: Any, sent: int) -> bool:
    """Whether a request that was carried out certainly lacked the role that it needs."""
    model, name = device.model, device.name
    if isinstance(request, c.Join):
        return model.banned[request.room, name].surely(True, sent, model.tick)
    if not isinstance(request, (*_FOR_OWNERS, *_FOR_DEPUTIES, *_FOR_MODERATORS, c.Invite)):
        return False
    room = request.room
    if model.member[room, name].surely(False, sent, model.tick):
        return True
    if isinstance(request, _FOR_OWNERS) or (
        isinstance(request, c.SetRole) and request.role in ("owner", "deputy")
    ):
        return not model.may_be_owner(room, name, sent)
    if isinstance(request, _FOR_DEPUTIES):
        return not model.may_be_deputy(room, name, sent)
    if isinstance(request, c.Invite) and not model.private[room].surely(True, sent, model.tick):
        return False
    return not model.may_be_moderator(room, name, sent)


def _recipient(request: Any) -> str:
    for field in ("recipient", "room", "log", "name"):
        value = getattr(request, field, None)
        if isinstance(value, str):
            return value.lower()
    return ""


def account_may_be_changing(device: Device, sent: int) -> bool:
    """Whether the password or the certificates of an account may have been changed since a tick, or
    its sessions ended."""
    model, name = device.model, device.name
    changes = (
        *model.credential_changes[name],
        *model.ended_sessions[name],
        *model.bans[name],
    )
    return model.under_way(changes, sent)


def _room_may_be_unknown(device: V1Connection, request: Any, room: str, sent: int) -> bool:
    model = device.model
    now = model.tick
    if not model.exists[room].surely(True, sent, now):
        return True
    if model.member[room, device.name].surely(True, sent, now):
        return False
    return not model.private[room].surely(False, sent, now) and not model.private[room].surely(
        None, sent, now
    )


def _entry_may_be_unknown(device: V1Connection, request: Any, sent: int) -> bool:
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
