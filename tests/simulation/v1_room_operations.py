"""What a device of version 1 does with rooms, and its listings."""

from __future__ import annotations

from random import Random

from chatd.codecs import v1_messages as c
from chatd.core.names import is_room
from tests.simulation.v1 import V1Device
from tests.simulation.v1_operations import in_session, operation


def _room(device: V1Device, random: Random) -> str:
    followed = [log for log in device.followed if is_room(log)]
    if followed and random.random() < 0.5:
        return random.choice(followed)
    return random.choice(device.model.rooms)


@operation(6)
def create_room(device: V1Device, random: Random) -> bool:
    """Create a room."""
    room = _room(device, random)
    if not in_session(device) or room == "#lobby":
        return False
    private = random.random() < 0.3
    history = random.choice(("", "", "all", "joined"))
    topic = device.world.new_token("t")
    change = device.model.create_room(device.name, room, private, topic, history)
    sent = device.model.tick
    device.ask(
        c.CreateRoom(0, room, topic, private, history),
        change,
        lambda answer: device.room_state(answer, sent),
    )
    return True


@operation(12)
def join(device: V1Device, random: Random) -> bool:
    """Join a room."""
    if not in_session(device):
        return False
    room = _room(device, random)
    change = device.model.set_member(room, device.name, True)
    sent = device.model.tick
    device.ask(c.Join(0, room), change, lambda answer: device.room_state(answer, sent))
    return True


@operation(5)
def leave(device: V1Device, random: Random) -> bool:
    """Leave a room."""
    if not in_session(device):
        return False
    room = _room(device, random)
    device.ask(c.Leave(0, room), device.model.set_member(room, device.name, False))
    return True


@operation(4)
def kick(device: V1Device, random: Random) -> bool:
    """Remove a member from a room."""
    if not in_session(device):
        return False
    room, name = _room(device, random), random.choice(device.model.names)
    device.ask(c.Kick(0, room, name), device.model.set_member(room, name, False))
    return True


@operation(4)
def invite(device: V1Device, random: Random) -> bool:
    """Invite an account to a room."""
    if not in_session(device):
        return False
    room, name = _room(device, random), random.choice(device.model.names)
    device.ask(c.Invite(0, room, name), device.model.invite(room, name))
    return True


@operation(8)
def change_room(device: V1Device, random: Random) -> bool:
    """Change the topic of a room, its access, its history or a role in it."""
    if not in_session(device):
        return False
    room = _room(device, random)
    choice = random.randrange(4)
    if choice == 0:
        topic = device.world.new_token("t")
        device.ask(c.SetTopic(0, room, topic), device.model.set_topic(room, topic))
    elif choice == 1:
        private = random.random() < 0.5
        change = device.model.set_private(room, private)
        device.ask(c.SetPrivate(0, room, private), change)
    elif choice == 2:
        history = random.choice(("all", "joined"))
        change = device.model.set_history(room, history)
        device.ask(c.SetHistory(0, room, history), change)
    else:
        role = random.choice(("owner", "deputy", "moderator", "member"))
        name = random.choice(device.model.names)
        device.ask(c.SetRole(0, room, name, role), device.model.set_role(room, name, role))
    return True


@operation(8)
def moderate(device: V1Device, random: Random) -> bool:
    """Ban or silence an account in a room, or end that; restrict the room; list the bans."""
    if not in_session(device):
        return False
    model = device.model
    # Most rooms are of others: one that this account moderates is taken, if there is one.
    rooms = [room for room in model.rooms if model.is_moderator(room, device.name, model.tick)]
    room = random.choice(rooms) if rooms and random.random() < 0.9 else _room(device, random)
    others = [name for name in model.names if name != device.name]
    name = random.choice(others if random.random() < 0.9 else model.names)
    choice = random.randrange(7)
    if choice == 0:
        device.ask(c.Ban(0, room, name), model.set_banned(room, name, True))
    elif choice == 1:
        device.ask(c.Unban(0, room, name), model.set_banned(room, name, False))
    elif choice == 2:
        device.ask(c.Silence(0, room, name), model.set_silenced(room, name, True))
    elif choice == 3:
        device.ask(c.Unsilence(0, room, name), model.set_silenced(room, name, False))
    elif choice == 4:
        value = random.choice(("0", "0", "5"))
        change = model.configure_room(room, "slow", value)
        device.ask(c.ConfigureRoom(0, room, "slow", value), change)
    elif choice == 5:
        value = random.choice(("off", "off", "on"))
        change = model.configure_room(room, "read-only", value)
        device.ask(c.ConfigureRoom(0, room, "read-only", value), change)
    else:
        sent = model.tick + 1
        checks = device.world.listings
        device.ask(c.FindBans(0, room), then=lambda answer: checks.bans(room, sent, answer))
    return True


@operation(3)
def delete_room(device: V1Device, random: Random) -> bool:
    """Delete a room."""
    if not in_session(device):
        return False
    room = _room(device, random)
    if room == "#lobby":
        return False
    device.ask(c.DeleteRoom(0, room), device.model.delete_room(room))
    return True


@operation(4)
def look(device: V1Device, random: Random) -> bool:
    """List rooms, members, accounts or blocked accounts."""
    if not in_session(device):
        return False
    sent = device.model.tick + 1
    checks = device.world.listings
    choice = random.randrange(4)
    if choice == 0:
        device.ask(c.FindRooms(0), then=lambda answer: checks.rooms(device, answer, sent))
    elif choice == 1:
        room = _room(device, random)
        device.ask(c.FindMembers(0, room), then=lambda answer: checks.members(room, sent, answer))
    elif choice == 2:
        device.ask(c.FindAccounts(0), then=lambda answer: checks.accounts(answer.names, sent))
    else:
        device.ask(c.GetBlocked(0), then=lambda answer: checks.blocked(device.name, answer, sent))
    return True
