"""What the server does with each request of version 1: one function each, in the order of the
catalogue."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from chatd import __version__
from chatd.codecs import v1_messages as c
from chatd.core.errors import NameTaken, NotLoggedIn, UnknownRoom
from chatd.core.names import check_name
from chatd.realm.accounts import Account, fingerprints
from chatd.realm.ack_session import AckSession
from chatd.realm.room import Room

if TYPE_CHECKING:
    from chatd.protocols.v1.protocol import V1Protocol

_NAMES_A_COMMAND = 100
"""how many names in an answer count as one command of the asker's allowance"""
_ROOMS_A_PAGE = 200
_REPORT = 50
"""as how many commands a report counts: people have to read it"""

Answer = Awaitable["c.Message | None"]
REQUESTS: dict[type[c.Message], tuple[bool, Callable[[Any, Any], Answer]]] = {}
"""for each request whether it takes a session, and what carries it out; its answer, None: that
comes later"""


def _carries_out(kind: type[c.Message], *, stranger: bool = False) -> Callable[[Any], Any]:
    def note(function: Callable[[Any, Any], Answer]) -> Callable[[Any, Any], Answer]:
        REQUESTS[kind] = (not stranger, function)
        return function

    return note


def _session(peer: V1Protocol) -> AckSession:
    if peer.session is None:
        raise NotLoggedIn()
    return peer.session


# Connection and accounts


@_carries_out(c.Hello, stranger=True)
async def _hello(peer: V1Protocol, message: c.Hello) -> c.Message:
    peer.features = c.FEATURES & frozenset(message.features)
    if peer.session is not None:
        peer.apply_features(peer.session)
    limits = peer.factory.limits
    policy = peer.realm.policy
    return c.Welcome(
        message.ref,
        "chatd",
        __version__,
        c.Limits(
            limits.text,
            limits.topic,
            limits.pattern,
            limits.page,
            limits.rate or 0.0,
            peer.longest_frame,
        ),
        policy.registration,
        policy.open_accounts,
        peer.realm.now(),
        limits.idle_time,
    )


@_carries_out(c.Ping, stranger=True)
async def _ping(peer: V1Protocol, message: c.Ping) -> c.Message:
    return c.Pong(message.ref)


@_carries_out(c.Pong, stranger=True)
async def _pong(peer: V1Protocol, message: c.Pong) -> None:
    return None


@_carries_out(c.Register, stranger=True)
async def _register(peer: V1Protocol, message: c.Register) -> c.Message:
    realm = peer.realm
    # Hashing is dear, so a taken name is found out before it.
    check_name(message.name)
    realm.check_register(message.password is None, message.invite)
    if await realm.accounts.account(message.name) is not None:
        raise NameTaken()
    hashed = (
        None if message.password is None else await peer.factory.passwords.hash(message.password)
    )
    await realm.register(message.name, Account(realm.now(), hashed), message.invite)
    return c.Done(message.ref)


@_carries_out(c.LogIn, stranger=True)
async def _log_in(peer: V1Protocol, message: c.LogIn) -> None:
    session = await peer.log_in(message.name, message.password)
    states = [peer.log_state(session, log) for log in session.subscriptions]
    peer.write(c.LoggedIn(message.ref, session.name, states))
    since = {state.log: state.since for state in states}
    session.begin(
        {
            position.log: position.seq
            for position in message.positions
            if since.get(position.log) == position.since
        }
    )


@_carries_out(c.LogOut)
async def _log_out(peer: V1Protocol, message: c.LogOut) -> c.Message:
    mailbox = _session(peer).mailbox
    peer.log_out()
    await mailbox.saved_state.saved()
    return c.Done(message.ref)


async def _check_password(peer: V1Protocol, name: str, password: str | None) -> Account:
    """The account as it is, if that is its password. Raises `WrongPassword`, `Busy`."""
    account: Account = await peer.factory.checker.prove(name, password, peer.address)
    return account


@_carries_out(c.ChangePassword)
async def _change_password(peer: V1Protocol, message: c.ChangePassword) -> c.Message:
    session = _session(peer)
    account = await _check_password(peer, session.name, message.old)
    hashed = None if message.new is None else await peer.factory.passwords.hash(message.new)
    await peer.realm.set_password(session.name, hashed, account, session)
    return c.Done(message.ref)


@_carries_out(c.SetCertificates)
async def _set_certificates(peer: V1Protocol, message: c.SetCertificates) -> c.Message:
    session = _session(peer)
    await _check_password(peer, session.name, message.password)
    await peer.realm.accounts.set_certificates(session.name, fingerprints(message.fingerprints))
    return c.Done(message.ref)


@_carries_out(c.DeleteAccount)
async def _delete_account(peer: V1Protocol, message: c.DeleteAccount) -> c.Message:
    session = _session(peer)
    await _check_password(peer, session.name, message.password)
    await peer.realm.delete(session)
    peer.session = None
    peer.log_session_end(session)
    return c.Done(message.ref)


@_carries_out(c.FindAccounts)
async def _find_accounts(peer: V1Protocol, message: c.FindAccounts) -> c.Message:
    names, more = await peer.realm.accounts.find_accounts(
        message.pattern, message.after, max(1, message.limit)
    )
    peer.charge(len(names) / _NAMES_A_COMMAND)
    return c.Names(message.ref, names, more)


# Messages


@_carries_out(c.Ack)
async def _ack(peer: V1Protocol, message: c.Ack) -> c.Message:
    peer.acknowledge(message)
    if message.ref:
        await _session(peer).mailbox.saved_state.saved()
    return c.Done(message.ref)


@_carries_out(c.MarkRead)
async def _mark_read(peer: V1Protocol, message: c.MarkRead) -> c.Message:
    session = _session(peer)
    await peer.realm.receipts.mark_read(session, message.log, message.seq)
    if message.ref:
        await session.mailbox.saved_state.saved()
    return c.Done(message.ref)


@_carries_out(c.GetReceipts)
async def _get_receipts(peer: V1Protocol, message: c.GetReceipts) -> c.Message:
    found = await peer.realm.receipts.states(_session(peer), message.log, message.seqs)
    peer.charge(len(message.seqs) / 10)
    return c.Receipts(message.ref, message.log, [c.ReceiptState(*state) for state in found])


@_carries_out(c.Edit)
async def _edit(peer: V1Protocol, message: c.Edit) -> None:
    await peer.realm.edits.edit(
        _session(peer), message.log, message.seq, message.text, message.key, message
    )
    peer.unanswered += 1


@_carries_out(c.Retract)
async def _retract(peer: V1Protocol, message: c.Retract) -> None:
    await peer.realm.edits.delete(_session(peer), message.log, message.seq, message.key, message)
    peer.unanswered += 1


@_carries_out(c.React)
async def _react(peer: V1Protocol, message: c.React) -> None:
    await peer.realm.edits.react(
        _session(peer), message.log, message.seq, message.reaction, message.key, message
    )
    peer.unanswered += 1


@_carries_out(c.History)
async def _history(peer: V1Protocol, message: c.History) -> c.Message:
    entries, more = await peer.realm.history.page(
        _session(peer), message.log, message.after, message.before, message.limit
    )
    peer.charge(len(entries) / 10)
    return c.Page(
        message.ref,
        message.log,
        [
            c.Item(
                entry.seq, entry.id, entry.time, entry.sender, entry.kind, entry.body, entry.about
            )
            for entry in entries
        ],
        more,
    )


@_carries_out(c.SayTyping)
async def _say_typing(peer: V1Protocol, message: c.SayTyping) -> c.Message:
    await peer.realm.presence.notify_typing(_session(peer), message.recipient, message.typing)
    return c.Done(message.ref)


# Rooms


def room_info(room: Room, name: str) -> c.RoomInfo:
    """A room as `name` is told of it."""
    record = room.record
    return c.RoomInfo(
        room.name,
        record.created,
        record.topic,
        record.private,
        record.members.get(record.owner, ""),
        len(record.members),
        record.role(name),
    )


def _room_state(peer: V1Protocol, ref: int, room: Room) -> c.Message:
    session = _session(peer)
    if room.log not in session.subscriptions:
        raise UnknownRoom()  # It is gone already.
    return c.RoomState(ref, peer.log_state(session, room.log))


@_carries_out(c.CreateRoom)
async def _create_room(peer: V1Protocol, message: c.CreateRoom) -> c.Message:
    room = await peer.realm.rooms.create(
        _session(peer), message.room, message.topic, message.private
    )
    return _room_state(peer, message.ref, room)


@_carries_out(c.Join)
async def _join(peer: V1Protocol, message: c.Join) -> c.Message:
    room = await peer.realm.rooms.join(_session(peer), message.room)
    return _room_state(peer, message.ref, room)


@_carries_out(c.Leave)
async def _leave(peer: V1Protocol, message: c.Leave) -> c.Message:
    await peer.realm.rooms.leave(_session(peer).name, message.room)
    return c.Done(message.ref)


@_carries_out(c.SetTopic)
async def _set_topic(peer: V1Protocol, message: c.SetTopic) -> c.Message:
    await peer.realm.rooms.set_topic(_session(peer).name, message.room, message.topic)
    return c.Done(message.ref)


@_carries_out(c.SetPrivate)
async def _set_private(peer: V1Protocol, message: c.SetPrivate) -> c.Message:
    await peer.realm.rooms.set_private(_session(peer).name, message.room, message.private)
    return c.Done(message.ref)


@_carries_out(c.Invite)
async def _invite(peer: V1Protocol, message: c.Invite) -> c.Message:
    await peer.realm.rooms.invite(_session(peer), message.room, message.name)
    return c.Done(message.ref)


@_carries_out(c.Kick)
async def _kick(peer: V1Protocol, message: c.Kick) -> c.Message:
    await peer.realm.rooms.kick(_session(peer).name, message.room, message.name)
    return c.Done(message.ref)


@_carries_out(c.SetRole)
async def _set_role(peer: V1Protocol, message: c.SetRole) -> c.Message:
    await peer.realm.rooms.set_role(_session(peer).name, message.room, message.name, message.role)
    return c.Done(message.ref)


@_carries_out(c.FindRooms)
async def _find_rooms(peer: V1Protocol, message: c.FindRooms) -> c.Message:
    name = _session(peer).name
    limit = max(1, min(message.limit, _ROOMS_A_PAGE))
    rooms, more, last = await peer.realm.rooms.find(name, message.pattern, message.after, limit)
    peer.charge(len(rooms) / 10)
    return c.Rooms(message.ref, [room_info(room, name) for room in rooms], more, last)


@_carries_out(c.FindMembers)
async def _find_members(peer: V1Protocol, message: c.FindMembers) -> c.Message:
    members, more = await peer.realm.rooms.members(
        _session(peer).name, message.room, message.after, max(1, message.limit)
    )
    peer.charge(len(members) / _NAMES_A_COMMAND)
    return c.Members(message.ref, [c.Member(*member) for member in members], more)


@_carries_out(c.DeleteRoom)
async def _delete_room(peer: V1Protocol, message: c.DeleteRoom) -> c.Message:
    await peer.realm.rooms.delete(_session(peer).name, message.room)
    return c.Done(message.ref)


# People


@_carries_out(c.SetPresence)
async def _set_presence(peer: V1Protocol, message: c.SetPresence) -> c.Message:
    await peer.realm.presence.set_presence(
        _session(peer), message.away, message.text, message.hidden
    )
    return c.Done(message.ref)


@_carries_out(c.Who)
async def _who(peer: V1Protocol, message: c.Who) -> c.Message:
    states = await peer.realm.presence.find(_session(peer), message.names, message.watch)
    peer.charge(len(states) / 10)
    return c.People(
        message.ref,
        [c.Person(state.name, state.status, state.text, state.seen) for state in states],
    )


@_carries_out(c.Unwatch)
async def _unwatch(peer: V1Protocol, message: c.Unwatch) -> c.Message:
    peer.realm.presence.unwatch(_session(peer), message.names)
    return c.Done(message.ref)


@_carries_out(c.Block)
async def _block(peer: V1Protocol, message: c.Block) -> c.Message:
    await peer.realm.blocking.set_blocked(_session(peer), message.name, message.blocked)
    return c.Done(message.ref)


@_carries_out(c.GetBlocked)
async def _get_blocked(peer: V1Protocol, message: c.GetBlocked) -> c.Message:
    return c.Names(message.ref, list(_session(peer).mailbox.settings.blocked))


@_carries_out(c.Report)
async def _report(peer: V1Protocol, message: c.Report) -> c.Message:
    peer.charge(_REPORT)
    await peer.realm.reports.report(
        _session(peer), message.name, message.reason, message.log, message.seq
    )
    return c.Done(message.ref)
