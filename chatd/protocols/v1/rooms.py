"""Version 1: rooms and their members."""

from __future__ import annotations

from chatd.codecs import v1_messages as c
from chatd.core.errors import UnknownRoom
from chatd.protocols.v1.requests import ITEMS_PER_COMMAND, V1Connection, handles
from chatd.realm.requester import NAMES_PER_COMMAND
from chatd.realm.room import Room
from chatd.realm.room_settings import shown_settings
from chatd.realm.session import Session

_ROOMS_PER_PAGE = 200


def room_info(room: Room, role: str) -> c.RoomInfo:
    """The description of a room that is sent to an account with this role in it."""
    record = room.record
    return c.RoomInfo(
        room.display_name,
        record.created,
        record.topic,
        record.private,
        record.owner_name,
        room.members,
        role,
        record.shown_history,
        [c.Setting(*setting) for setting in shown_settings(record)],
    )


def _room_state(
    connection: V1Connection, session: Session, ref: int, room: Room
) -> c.Message | None:
    """The answer to a request that has made the session's account a member of a room."""
    if session.ended:
        # The client has been sent the reason, and the connection ends without an answer.
        return None
    if room.name not in session.subscriptions:
        # The account has left the room meanwhile, by another session or by force.
        raise UnknownRoom()
    return c.RoomState(ref, connection.log_state(session, room.name))


@handles(c.CreateRoom)
async def create_room(
    connection: V1Connection, session: Session, request: c.CreateRoom
) -> c.Message | None:
    """Create a room, owned by the session's account."""
    room = await connection.realm.rooms.create(
        session, request.room, request.topic, request.private, request.history
    )
    return _room_state(connection, session, request.ref, room)


@handles(c.Join)
async def join(connection: V1Connection, session: Session, request: c.Join) -> c.Message | None:
    """Join a room."""
    room = await connection.realm.rooms.join(session, request.room)
    return _room_state(connection, session, request.ref, room)


@handles(c.Leave)
async def leave(connection: V1Connection, session: Session, request: c.Leave) -> c.Message:
    """Leave a room."""
    await connection.realm.rooms.leave(session, request.room)
    return c.Done(request.ref)


@handles(c.SetTopic)
async def set_topic(connection: V1Connection, session: Session, request: c.SetTopic) -> c.Message:
    """Set the topic of a room."""
    await connection.realm.rooms.set_topic(session, request.room, request.topic)
    return c.Done(request.ref)


@handles(c.SetPrivate)
async def set_private(
    connection: V1Connection, session: Session, request: c.SetPrivate
) -> c.Message:
    """Make a room private or public."""
    await connection.realm.rooms.set_private(session, request.room, request.private)
    return c.Done(request.ref)


@handles(c.SetHistory)
async def set_history(
    connection: V1Connection, session: Session, request: c.SetHistory
) -> c.Message:
    """Set what members of a room can read from before they joined."""
    await connection.realm.rooms.set_history(session, request.room, request.history)
    return c.Done(request.ref)


@handles(c.ConfigureRoom)
async def configure_room(
    connection: V1Connection, session: Session, request: c.ConfigureRoom
) -> c.Message:
    """Set one of the settings of a room."""
    await connection.realm.rooms.configure(session, request.room, request.setting, request.value)
    return c.Done(request.ref)


@handles(c.Invite)
async def invite(connection: V1Connection, session: Session, request: c.Invite) -> c.Message:
    """Invite an account to a room."""
    await connection.realm.rooms.invite(session, request.room, request.name)
    return c.Done(request.ref)


@handles(c.Kick)
async def kick(connection: V1Connection, session: Session, request: c.Kick) -> c.Message:
    """Remove a member from a room, or withdraw an invitation."""
    await connection.realm.rooms.kick(session, request.room, request.name)
    return c.Done(request.ref)


@handles(c.SetRole)
async def set_role(connection: V1Connection, session: Session, request: c.SetRole) -> c.Message:
    """Set the role of a member."""
    await connection.realm.rooms.set_role(session, request.room, request.name, request.role)
    return c.Done(request.ref)


@handles(c.FindRooms, only_reads=True)
async def find_rooms(connection: V1Connection, session: Session, request: c.FindRooms) -> c.Message:
    """List the rooms whose names match a pattern, a page at a time."""
    limit = max(1, min(request.limit, _ROOMS_PER_PAGE))
    # What is found depends on the account, so it is shared with no other client.
    rooms, more, last = await connection.factory.listings.get(
        connection,
        object(),
        lambda _: connection.realm.rooms.find(session, request.pattern, request.after, limit),
    )
    connection.charge(len(rooms) / ITEMS_PER_COMMAND)
    infos = [room_info(room, role) for room, role in rooms]
    return c.Rooms(request.ref, infos, more, last)


@handles(c.FindMembers, only_reads=True)
async def find_members(
    connection: V1Connection, session: Session, request: c.FindMembers
) -> c.Message:
    """List the members of a room, a page at a time."""
    members, more = await connection.realm.rooms.members(
        session, request.room, request.after, max(1, request.limit)
    )
    connection.charge(len(members) / NAMES_PER_COMMAND)
    return c.Members(request.ref, [c.Member(*member) for member in members], more)


@handles(c.DeleteRoom)
async def delete_room(
    connection: V1Connection, session: Session, request: c.DeleteRoom
) -> c.Message:
    """Delete a room with its history."""
    await connection.realm.rooms.delete(session, request.room)
    return c.Done(request.ref)
