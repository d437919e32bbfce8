"""The requests of operators: each as a call of `chatd.realm.operations`, and its answer."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import asdict

from chatd import __version__
from chatd.codecs import admin as c
from chatd.realm.operations import Operations, Statistics

_READ_ONLY = (
    c.ListAccounts,
    c.ListSessions,
    c.ListRooms,
    c.ListDeletedRooms,
    c.ListReports,
    c.ListInviteTokens,
    c.GetStatistics,
    c.ListAudit,
    c.ListAddressBans,
    c.ListAccessTokens,
)
"""requests that change nothing"""


def is_read_only(request: c.AnyRequest) -> bool:
    """Whether a request changes nothing, so that it is neither logged nor in the audit log. Of an
    export and an erasure the beginning is in it, and not each page."""
    if isinstance(request, c.DeleteAccounts):
        return request.dry
    if isinstance(request, c.ExportAccount):
        return request.after != ""
    if isinstance(request, c.EraseAccount):
        return request.resume
    if isinstance(request, c.SetLogLevel):
        return not request.level
    return isinstance(request, _READ_ONLY)


async def perform(operations: Operations, request: c.AnyRequest) -> Mapping[str, object]:
    """Carry out a request and return the fields of its answer. Raises `ChatdError`."""
    match request:
        case c.ListAccounts():
            return asdict(
                await operations.accounts(
                    request.pattern, request.after, request.limit, request.suspended
                )
            )
        case c.ListSessions():
            return asdict(await operations.sessions(request.name, request.after, request.limit))
        case c.EndSessions():
            return {"sessions": await operations.end_sessions(request.name, request.sentence)}
        case c.SetPassword():
            return {"name": await operations.set_password(request.name, request.password)}
        case c.SetCertificates():
            return {"name": await operations.set_certificates(request.name, request.fingerprints)}
        case c.DeleteAccount():
            return {"name": await operations.delete_account(request.name)}
        case c.ListRooms():
            return asdict(await operations.rooms(request.pattern, request.after, request.limit))
        case c.DeleteRoom():
            return {"room": await operations.delete_room(request.room, request.now)}
        case c.ListDeletedRooms():
            return asdict(await operations.deleted_rooms(request.after, request.limit))
        case c.RestoreRoom():
            room, members = await operations.restore_room(
                request.room, int(request.id or 0), request.name, request.owner
            )
            return {"room": room, "members": members}
        case c.SetRoomRole():
            room, name = await operations.set_room_role(request.room, request.name, request.role)
            return {"room": room, "name": name, "role": request.role}
        case c.SetRoomTopic():
            return {"room": await operations.set_room_topic(request.room, request.topic)}
        case c.ListReports():
            return asdict(await operations.reports.page(request.after, request.limit, request.open))
        case c.CreateInviteToken():
            return asdict(
                await operations.create_invite_token(request.uses, request.seconds, request.note)
            )
        case c.ListInviteTokens():
            return {"items": await operations.invite_tokens()}
        case c.RevokeInviteToken():
            return {"key": await operations.revoke_invite_token(request.invite)}
        case c.GetStatistics():
            return _statistics(await operations.statistics())
        case c.Backup():
            await operations.backup(request.path)
            return {"path": request.path}
        case c.SetLogLevel():
            return {"level": operations.log_level(request.level)}
        case c.Suspend():
            name, suspension, ended = await operations.suspensions.suspend(
                request.name, request.seconds, request.reason
            )
            return {"name": name, "until": suspension.until, "sessions": ended}
        case c.Unsuspend():
            return {"name": await operations.suspensions.unsuspend(request.name)}
        case c.Announce():
            return {"sessions": await operations.announcements.announce(request.text)}
        case c.ListAudit():
            return asdict(await operations.audit.page(request.after, request.limit))
        case c.CloseReport():
            await operations.reports.close(request.seq, request.note)
            return {"seq": request.seq}
        case c.BanAddress():
            ban, sessions, connections = await operations.address_bans.ban(
                request.network, request.seconds, request.reason, request.force
            )
            return {**asdict(ban), "sessions": sessions, "connections": connections}
        case c.UnbanAddress():
            return {"network": await operations.address_bans.unban(request.network)}
        case c.ListAddressBans():
            return {"items": operations.address_bans.listing()}
        case c.DeleteAccounts():
            page = await operations.mass_deletion.page(
                request.pattern,
                request.older,
                request.idle,
                request.dry,
                request.after,
                request.limit,
            )
            names = " ".join(item.name for item in page.items if not item.refused)
            return {**asdict(page), "names": names}
        case c.CreateAccessToken():
            return asdict(
                await operations.create_access_token(
                    request.name, request.label, request.scopes, request.seconds
                )
            )
        case c.ListAccessTokens():
            return {"items": await operations.access_tokens(request.name)}
        case c.RevokeAccessToken():
            return {"name": await operations.revoke_access_token(request.name, request.label)}
        case c.ExportAccount():
            return asdict(
                await operations.personal_data.page(request.name, request.after, request.limit)
            )
        case c.CreateInviteTokens():
            items = await operations.create_invite_tokens(
                request.names, request.seconds, request.note
            )
            names = " ".join(str(item["name"]) for item in items if "token" in item)
            return {"items": items, "names": names}
        case c.EraseAccount():
            return asdict(await operations.erasure.step(request.name, request.resume))


def _statistics(statistics: Statistics) -> Mapping[str, object]:
    return {
        "version": __version__,
        "started": statistics.started,
        "accounts": statistics.accounts,
        "rooms": statistics.rooms,
        "counts": {
            "sessions": statistics.sessions,
            "accounts online": statistics.accounts_online,
            "rooms in memory": statistics.rooms_in_memory,
            "characters waiting for the store": statistics.store_backlog,
        },
        "queues": statistics.queues,
        "refusals": statistics.refusals,
        "quotas_met": statistics.quotas_met,
        "store": statistics.store,
    }
