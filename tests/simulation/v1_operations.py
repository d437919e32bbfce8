"""What a device of version 1 does with arguments chosen at random: sessions and messages.

Rooms and accounts are in `v1_room_operations` and `v1_account_operations`.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, TypeAlias

from chatd.codecs import v1_messages as c
from chatd.core.entries import ranges
from chatd.core.names import is_mailbox, is_room
from tests.simulation.facts import Change
from tests.simulation.model import Entry
from tests.simulation.v1 import V1Device

_GIVE_TOKENS = (c.LogIn, c.Resume, c.ChangePassword, c.SetCertificates)
_FEATURES = ["receipts", "presence", "typing", "tokens"]

Operation: TypeAlias = Callable[[V1Device, Random], "bool | None"]

OPERATIONS: dict[str, tuple[int, Operation]] = {}
"""by name: how often an operation is chosen, and the function; it returns False if it could not be
done"""


def operation(weight: int) -> Callable[[Operation], Operation]:
    """Enter a function into the table of operations, under its name."""

    def enter(function: Operation) -> Operation:
        OPERATIONS[function.__name__.replace("_", "-")] = (weight, function)
        return function

    return enter


def in_session(device: V1Device) -> bool:
    """Whether the device is logged in, as far as it knows, and not about to log out."""
    leaving = any(
        isinstance(request.message, c.LogOut | c.DeleteAccount)
        for request in device.pending.values()
    )
    return device.connected and device.reader is not None and not leaving


def log_in_now(device: V1Device, positions: bool, password: str | None) -> None:
    """Log in, with the positions that the device remembers or without any."""
    given = dict(device.positions) if positions else {}
    sent = device.model.tick + 1
    message = c.LogIn(
        0, device.name, password, [c.Position(log, *place) for log, place in given.items()]
    )
    device.ask(message, None, lambda answer: device.logged_in(answer, sent, password, given))


def resume_now(device: V1Device, token: str) -> None:
    """Log in by a resume token, with the positions that the device remembers."""
    given = dict(device.positions)
    sent = device.model.tick + 1
    positions = [c.Position(log, *place) for log, place in given.items()]
    device.ask(
        c.Resume(0, device.name, token, positions),
        None,
        lambda answer: device.resumed(answer, sent, token, given),
    )


# Coming and going


@operation(30)
def come(device: V1Device, random: Random) -> bool:
    """Connect, register if need be, and log in."""
    if device.connected and device.reader is not None:
        return False
    if not device.connected:
        device.open([feature for feature in _FEATURES if random.random() < 0.7])
    model, name = device.model, device.name
    tick = model.tick
    if model.made_tokens[name] and random.random() < 0.5:
        resume_now(device, random.choice(model.made_tokens[name])[1])
        return True
    if device.token and random.random() < 0.6:
        resume_now(device, device.token)
        if random.random() < 0.7:
            return True
    if not model.exists["@" + name].surely(True, tick, tick) or random.random() < 0.1:
        _register(device, random)
    _log_in(device, random)
    return True


def _register(device: V1Device, random: Random) -> None:
    password = random.choice((None, None, "p1", "p2"))
    token = None
    if device.model.policy.registration != "open" and random.random() < 0.9:
        token = random.choice([*device.model.invite_tokens, "aaaaaaa"])
    change = device.model.register(device.name, password, token)

    def registered(_: Any) -> None:
        # A new account numbers its messages from 1, and has none to send again.
        device.keys = 0
        device.texts.clear()

    device.ask(c.Register(0, device.name, password, token), change, registered)


def _log_in(device: V1Device, random: Random) -> None:
    model, name = device.model, device.name
    possible = model.password[name].possible(model.tick, model.tick)
    password = random.choice(possible)
    if random.random() < 0.04:
        password = random.choice((None, "p1", "p2", "p3"))
    if random.random() < 0.5 and model.certificate_may_log_in(name, device.certificate, model.tick):
        password = None
    log_in_now(device, random.random() < 0.7, password)


@operation(4)
def log_in(device: V1Device, random: Random) -> bool:
    """Log in on a connection that may be logged in already."""
    if not device.connected:
        return False
    _log_in(device, random)
    return True


@operation(3)
def log_out(device: V1Device, random: Random) -> bool:
    """Log out; the connection stays open."""
    if not in_session(device):
        return False
    keeps = random.random() < 0.3
    change = None
    tokens = device.model.resume_tokens
    if any(isinstance(each.message, _GIVE_TOKENS) for each in device.pending.values()):
        # Which token the session has by then is not known.
        tokens.doubt(device.session_token)
        for each in device.pending.values():
            if isinstance(each.message, c.Resume):
                tokens.doubt(each.message.token)
    elif not keeps:
        change = Change(device.model.now())
        tokens.end(device.session_token, change)

    def logged_out(_: Any) -> None:
        device.end_session()
        if not keeps and device.token:
            device.old_tokens.append(device.token)
            device.token = ""

    device.ask(c.LogOut(0, keeps), change, logged_out)
    return True


@operation(4)
def resume(device: V1Device, random: Random) -> bool:
    """Log in by a resume token, which may be an old one, or one of another account."""
    if not device.connected:
        return False
    others = [
        other.token for other in device.world.devices if isinstance(other, V1Device) and other.token
    ]
    tokens = [device.token, *device.old_tokens[-3:], *others]
    if not any(tokens):
        return False
    resume_now(device, random.choice(tokens))
    return True


@operation(6)
def leave_network(device: V1Device, random: Random) -> bool:
    """Close the connection, at once or in one direction first."""
    if not device.connected or device.link is None:
        return False
    if random.random() < 0.3:
        device.log("sends no more")
        device.link.half_close()
        device.half_closed = True
    else:
        device.hang_up()
    return True


@operation(2)
def register(device: V1Device, random: Random) -> bool:
    """Create an account, which may exist."""
    if not device.connected:
        return False
    _register(device, random)
    return True


# Messages


def _recipient(device: V1Device, random: Random) -> str:
    rooms = [log for log in device.followed if is_room(log)]
    if rooms and random.random() < 0.4:
        return random.choice(rooms)
    if random.random() < 0.05:
        return random.choice(device.model.rooms)
    return random.choice(device.model.names)


@operation(40)
def send(device: V1Device, random: Random) -> bool:
    """Send some messages, perhaps in one piece."""
    if not in_session(device):
        return False
    recipient = _recipient(device, random)
    for _ in range(random.choice((1, 1, 1, 2, 5))):
        _send_one(device, random, recipient)
    return True


def _send_one(device: V1Device, random: Random, recipient: str) -> None:
    token = device.world.new_token()
    body = token + " " + "x" * random.choice((0, 0, 0, 20, 3000))
    log = recipient if is_room(recipient) else "@" + recipient
    key = device.random_key(random)
    text = device.model.send(token, body, device.name, log, key)
    if key is not None:
        device.texts.append(text)
    device.ask(c.Send(0, recipient, body, key), text=text)


@operation(8)
def resend(device: V1Device, random: Random) -> bool:
    """Send a message again, with its key."""
    own = [text for text in device.texts if text.sender == device.name]
    if not in_session(device) or not own:
        return False
    unanswered = [text for text in own if text.accepted is None]
    text = random.choice(unanswered or own)
    recipient = text.log if is_room(text.log) else text.log[1:]
    device.ask(c.Send(0, recipient, text.body, text.key), text=text)
    return True


@operation(20)
def acknowledge(device: V1Device, random: Random) -> bool:
    """Acknowledge some of what the device has, or all of it."""
    if not in_session(device):
        return False
    due = {
        log: sorted(followed.seen - followed.acknowledged)
        for log, followed in device.followed.items()
        if followed.seen - followed.acknowledged
    }
    if not due:
        return False
    log = random.choice(list(due))
    parts = list(ranges(due[log]))
    if random.random() < 0.3:
        seq = random.choice(due[log])
        device.acknowledge(log, seq, seq, random.random() < 0.3)
    else:
        for first, last in parts:
            device.acknowledge(log, first, last, random.random() < 0.3)
    return True


def _known_entry(device: V1Device, random: Random) -> Entry | None:
    """An entry that this account can refer to."""
    entries = [
        entry
        for entry in device.model.entries.values()
        if entry.kind == "text"
        and (
            device.followed[entry.log].since == entry.since
            if entry.log in device.followed
            else is_mailbox(entry.log) and entry.sender == device.name
        )
    ]
    return random.choice(entries[-12:]) if entries else None


@operation(4)
def edit(device: V1Device, random: Random) -> bool:
    """Change a message of this account."""
    return _change_entry(device, random, "edit")


@operation(3)
def retract(device: V1Device, random: Random) -> bool:
    """Delete a message."""
    return _change_entry(device, random, "delete")


@operation(3)
def react(device: V1Device, random: Random) -> bool:
    """React to a message."""
    return _change_entry(device, random, "reaction")


def _change_entry(device: V1Device, random: Random, kind: str) -> bool:
    entry = _known_entry(device, random) if in_session(device) else None
    if entry is None or (kind != "reaction" and entry.sender.lower() != device.name):
        return False
    token = device.world.new_token()
    key = device.random_key(random)
    log = entry.log
    if kind == "reaction" and log == "@" + device.name:
        log = "@" + entry.sender.lower()
    body = token + " x"
    text = device.model.send(token, body, device.name, log, key, kind)
    message: Any
    if kind == "edit":
        message = c.Edit(0, entry.log, entry.seq, body, key)
    elif kind == "delete":
        device.model.retracted.add((entry.log, entry.seq))
        message = c.Retract(0, entry.log, entry.seq, key)
    else:
        message = c.React(0, entry.log, entry.seq, body, key)
    device.ask(message, text=text)
    return True


@operation(4)
def mark_read(device: V1Device, random: Random) -> bool:
    """Set a read marker."""
    logs = [log for log, followed in device.followed.items() if followed.seen]
    if not in_session(device) or not logs:
        return False
    log = random.choice(logs)
    device.mark_read(log, random.choice(sorted(device.followed[log].seen)))
    return True


@operation(4)
def history(device: V1Device, random: Random) -> bool:
    """Read a page of a log."""
    if not in_session(device) or not device.followed:
        return False
    log = random.choice(list(device.followed))
    before = random.choice((0, 0, 5, 20))
    message = c.History(0, log, random.choice((0, 0, 3)), before, random.choice((1, 3, 100)))
    device.ask(message, then=lambda answer: device.page(answer, message))
    return True


@operation(3)
def receipts(device: V1Device, random: Random) -> bool:
    """Ask whether messages were delivered and read."""
    own = [text for text in device.texts if text.place is not None and is_mailbox(text.log)]
    if not in_session(device) or not own:
        return False
    text = random.choice(own)
    assert text.place is not None
    sent = device.model.tick + 1
    device.ask(
        c.GetReceipts(0, text.log, [text.place[0]]),
        then=lambda answer: device.world.listings.receipts(text.log, answer, sent),
    )
    return True


@operation(4)
def typing(device: V1Device, random: Random) -> bool:
    """Tell that the user is typing."""
    if not in_session(device):
        return False
    recipient = _recipient(device, random)
    log = recipient if is_room(recipient) else "@" + recipient
    device.model.typing.add((device.name, log))
    device.ask(c.SayTyping(0, recipient, random.random() < 0.7))
    return True
