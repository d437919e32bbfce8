"""Sessions of clients that acknowledge, compared with a model: positions, rooms, keys, receipts,
accounts that are deleted and registered again."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from typing import NamedTuple, TypeAlias

from hypothesis import given, settings
from twisted.trial.unittest import SynchronousTestCase

from chatd.core.entries import Cursor
from chatd.core.errors import NotAMember, Refused, UnknownRoom
from chatd.realm.positions import SOON
from chatd.realm.session import Session
from chatd.stores import Document
from tests.doubles.drawn import scripts_of
from tests.doubles.realm import AckRecorder, RealmHarness, Text
from tests.doubles.rows import check_rows

NAMES = ("ann", "Bob")
ROOMS = ("#one",)
DEVICES = 2


@dataclass
class Device:
    """A device of an account with its session: in each log the seq after which it began, and the
    entries after it that it does not need."""

    session: Session
    peer: AckRecorder
    begins: dict[str, int]
    skips: dict[str, Cursor]


@dataclass
class Model:
    """The expected state.

    `logs` have (sender, kind, body) in order of seq, `members` the names of the members of each
    room. `acked` has the cursors by account and log, `received` the positions of the devices that
    are not connected, `keys` the text and the seq of the entry sent to a log with a key.
    """

    logs: dict[str, list[tuple[str, str, str]]] = field(default_factory=dict)
    members: dict[str, list[str]] = field(default_factory=lambda: {room: [] for room in ROOMS})
    acked: dict[tuple[str, str], Cursor] = field(default_factory=dict)
    received: dict[tuple[str, int], dict[str, int]] = field(default_factory=dict)
    keys: dict[tuple[str, str, str], tuple[str, int]] = field(default_factory=dict)


class Comparison:
    """The realm and the model, which perform the same steps."""

    def __init__(self, later: bool) -> None:
        """`later`: entries are pushed, and senders answered, when other work has gone on."""
        self.later = later
        self.use(RealmHarness(page=3))
        self.harness.run(self.harness.realm.start())
        for name in NAMES:
            self.harness.register(name)
            self.harness.run(self.harness.realm.accounts.account(name))
        self.model = Model()
        self.devices: dict[tuple[str, int], Device] = {}
        self.sent = 0

    def use(self, harness: RealmHarness) -> None:
        """Work with a daemon that has just started."""
        self.harness = harness
        if self.later:
            harness.realm.delivery.fan_out.at_once = 0

    def settle(self) -> None:
        """Commit everything, and push it to all sessions."""
        self.harness.settle()
        while self.harness.realm.delivery.fan_out.busy:
            self.harness.runner.clock.advance(0)
            self.harness.settle()

    def log(self, name: str) -> list[tuple[str, str, str]]:
        """The model's log of that name."""
        return self.model.logs.setdefault(name, [])

    def login(self, name: str, device: int, resume: bool) -> None:
        """Log in with a device, which resumes from its positions if `resume`."""
        if (name, device) in self.devices:
            return
        self.compare()
        positions = dict(self.model.received.get((name, device), {})) if resume else {}
        session, peer = self.harness.login_ack(name, positions)
        expected = {
            "@" + name.lower(),
            *(room for room in ROOMS if name in self.model.members[room]),
        }
        assert set(session.subscriptions) == expected, (set(session.subscriptions), expected)
        begins, skips = {}, {}
        for log in session.subscriptions:
            acked = self.model.acked.get((name, log), Cursor())
            begins[log] = positions.get(log, acked.upto)
            skips[log] = Cursor() if log in positions else acked
        self.devices[name, device] = Device(session, peer, begins, skips)

    def end(self, name: str, device: int) -> None:
        """End the session of a device, which saves its positions."""
        if (name, device) in self.devices:
            self.compare()
            ended = self.devices.pop((name, device))
            self.save_positions(name, device, ended)
            ended.session.end()

    def save_positions(self, name: str, number: int, device: Device) -> None:
        """Save the positions of a device that is about to be disconnected."""
        positions = {}
        for log in device.session.subscriptions or device.begins:
            seqs = [seq for seq, *_ in device.peer.logs.get(log, ())]
            positions[log] = max([device.begins.get(log, 0), *seqs])
        self.model.received[name, number] = positions

    def send(self, name: str, number: int, recipient: str, key: str | None) -> None:
        """Send a text, or resend one with the same key."""
        device = self.devices.get((name, number))
        if device is None:
            return
        session, peer = device.session, device.peer
        log = recipient if recipient.startswith("#") else "@" + recipient.lower()
        former = self.model.keys.get((log, name, key)) if key is not None else None
        text = former[0] if former is not None and self.sent % 2 else str(self.sent)
        self.sent += 1
        before = len(peer.answers)
        appends, refusal = self.harness.realm.send(session, [Text(name, recipient, text, key)])
        if refusal is not None:
            assert isinstance(refusal, NotAMember) and not appends
            assert name not in self.model.members.get(recipient, ())
            return
        assert not recipient.startswith("#") or name in self.model.members[recipient]
        self.harness.realm.flush()
        self.settle()
        (answer,) = peer.answers[before:]
        if former is not None and former[0] != text:
            assert answer.refusal is not None and answer.refusal.code == "key-reused"
        elif former is not None:
            assert (answer.refusal, answer.seq, answer.resent) == (None, former[1], True)
        else:
            self.log(log).append((name, "text", text))
            assert answer.seq == len(self.log(log))
            if key is not None:
                self.model.keys[log, name, key] = (text, answer.seq)

    def join(self, name: str, number: int, room: str) -> None:
        """Join a room, which is created if it has no members."""
        device = self.devices.get((name, number))
        if device is None:
            return
        members = self.model.members[room]
        self.compare()
        rooms = self.harness.realm.rooms
        if not members:
            self.model.logs[room] = []
            self.model.keys = {
                key: value for key, value in self.model.keys.items() if key[0] != room
            }
            self.model.acked = {
                key: value for key, value in self.model.acked.items() if key[1] != room
            }
            for positions in self.model.received.values():
                positions.pop(room, None)
            self.harness.run(rooms.create(device.session, room, "", False))
        else:
            self.harness.run(rooms.join(device.session, room))
        if name not in members:
            self.model.acked[name, room] = Cursor(len(self.log(room)))
            members.append(name)
            for (member, _), other in self.devices.items():
                if member == name:
                    other.begins[room] = len(self.log(room))
                    other.skips[room] = Cursor()
                    other.peer.logs.pop(room, None)
            for key, positions in self.model.received.items():
                if key[0] == name and key not in self.devices:
                    positions.pop(room, None)
            self.log(room).append((name, "join", ""))
        self.harness.realm.flush()
        self.settle()

    def leave(self, name: str, number: int, room: str) -> None:
        """Leave a room."""
        requester = self.devices.get((name, number))
        if requester is None:
            return
        self.compare()
        try:
            self.harness.run(self.harness.realm.rooms.leave(requester.session, room))
        except (UnknownRoom, NotAMember):
            assert name not in self.model.members[room]
            return
        self.harness.realm.flush()
        self.settle()
        self.left(name, room)
        for (member, _), device in self.devices.items():
            if member == name:
                assert (room, "left") in device.peer.rooms_left
                device.begins.pop(room, None)
                device.peer.logs.pop(room, None)

    def left(self, name: str, room: str) -> None:
        """Have the model's members see that one of them has left."""
        self.model.members[room].remove(name)
        if self.model.members[room]:
            self.log(room).append((name, "leave", ""))

    def delete(self, name: str, number: int) -> None:
        """Delete an account, and register its name again."""
        requester = self.devices.get((name, number))
        if requester is None:
            return
        self.compare()
        self.harness.run(self.harness.realm.delete(requester.session))
        self.harness.realm.flush()
        self.settle()
        for key in [key for key in self.devices if key[0] == name]:
            assert self.devices.pop(key).session.ended
        for room in ROOMS:
            if name in self.model.members[room]:
                self.left(name, room)
        own_log = "@" + name.lower()
        model = self.model
        model.logs.pop(own_log, None)
        model.acked = {key: value for key, value in model.acked.items() if key[0] != name}
        model.received = {key: value for key, value in model.received.items() if key[0] != name}
        model.keys = {
            key: value for key, value in model.keys.items() if own_log != key[0] and key[1] != name
        }
        self.harness.register(name)

    def acknowledge(self, name: str, number: int, recipient: str, first: int, last: int) -> None:
        """Acknowledge entries of a subscribed log, perhaps with gaps."""
        device = self.devices.get((name, number))
        if device is None:
            return
        own_log = "@" + name.lower()
        log = recipient if recipient in device.session.subscriptions else own_log
        try:
            device.session.acknowledge(log, first, last)
        except Refused:
            assert last > len(self.log(log)) or last < first
            return
        cursor = self.model.acked.get((name, log), Cursor())
        if last >= max(first, 1):
            self.model.acked[name, log] = cursor.acknowledge(first or 1, last)
        for (author, _), other in self.devices.items():
            for receipt_log, _, seq in other.peer.receipts:
                if receipt_log == log:
                    assert self.log(log)[seq - 1][0] == author

    def stored(self, name: str, log: str) -> Cursor:
        """The saved cursor of an account in a log."""
        internal_log = self.harness.log(log)

        async def read() -> Cursor:
            account = self.harness.account(name).id
            for position in await self.harness.store.positions(account):
                if position.log == internal_log:
                    return position.cursor
            return Cursor()

        cursor: Cursor = self.harness.run(read())
        return cursor

    def compare_stored(self) -> None:
        """Check that all acknowledgements have been saved."""
        for (name, log), acked in self.model.acked.items():
            if log.startswith("@") or name in self.model.members[log]:
                assert self.stored(name, log) == acked, (name, log, self.stored(name, log), acked)

    def kill(self) -> None:
        """Kill the daemon and start another; acknowledgements of the last second may be lost."""
        for (name, number), device in self.devices.items():
            self.save_positions(name, number, device)
        self.devices.clear()
        self.use(self.harness.restart())
        for name in NAMES:
            self.harness.run(self.harness.realm.accounts.account(name))
            for log in ("@" + name.lower(), *ROOMS):
                if log.startswith("@") or name in self.model.members[log]:
                    self.continue_from(name, log, self.stored(name, log))

    def continue_from(self, name: str, log: str, stored: Cursor) -> None:
        """Check that no more was saved than was acknowledged, and continue with what was saved."""
        acked = self.model.acked.get((name, log), Cursor())
        assert acked.union(stored) == acked, (acked, stored)
        self.model.acked[name, log] = stored

    async def member_rows(self, scope: str) -> list[Document]:
        """The rows of the members of a room."""
        return list(await self.harness.store.scan("member", scope))

    def compare(self) -> None:
        """Let everything arrive, and compare."""
        self.settle()
        for device in self.devices.values():
            device.peer.drain()
            self.harness.run(device.session.catch_up())
        for (name, number), device in self.devices.items():
            for log, begin in device.begins.items():
                expected = [
                    (seq, *entry)
                    for seq, entry in enumerate(self.log(log), 1)
                    if seq > begin and not device.skips[log].has(seq)
                ]
                shown = device.peer.logs.get(log, [])
                assert shown == expected, f"{name} {number} {log}: {shown} instead of {expected}"
            assert set(device.peer.logs) <= set(device.begins), (
                "it was shown entries of a room without being a member"
            )
        for name, members in self.model.members.items():
            (room,) = self.harness.run(self.harness.realm.rooms.load((name,)))
            rows = [] if room is None else self.harness.run(self.member_rows(room.scope))
            assert sorted(row.key for row in rows) == sorted(members), (rows, members)
            assert room is None or room.members == len(members)
        check_rows(self.harness.store)
        assert not self.harness.runner.failures, self.harness.runner.failures


_WEIGHTS = {
    "login": 3,
    "send": 4,
    "join": 2,
    "leave": 1,
    "acknowledge": 3,
    "end": 1,
    "block": 1,
    "drain": 1,
    "delete": 1,
    "save": 1,
    "kill": 1,
}


class Action(NamedTuple):
    """What a device does in one step of a script; each action uses the fields that it needs."""

    action: str
    name: str
    device: int
    recipient: str


ACTIONS = [
    Action(*fields)
    for fields in product(
        [action for action, weight in _WEIGHTS.items() for _ in range(weight)],
        NAMES,
        range(DEVICES),
        (*NAMES, *ROOMS),
    )
]
SEQS = list(product(range(8), range(10)))
"""(first, last)"""
Step: TypeAlias = tuple[Action, tuple[int, int]]
scripts = scripts_of(ACTIONS, SEQS, min_size=20, max_size=80)


class OnceForEachDevice(SynchronousTestCase):
    """Random logins, messages, rooms, acknowledgements, slow peers, ends, deletions and kills."""

    @settings(derandomize=True, deadline=None, max_examples=500)
    @given(scripts)
    def test_every_entry_once_in_order(self, script: list[Step]) -> None:
        """Each device is sent the entries after its position in each of its logs, and no others."""
        comparison = Comparison(later=len(script) % 2 == 1)
        for name in NAMES:
            for device in range(DEVICES):
                comparison.login(name, device, False)
        for step in script:
            self.perform(comparison, step)
        comparison.compare()

    def perform(self, comparison: Comparison, step: Step) -> None:
        """Perform one step of a script."""
        (action, name, number, recipient), (first, last) = step
        room = recipient if recipient in ROOMS else ROOMS[0]
        device = comparison.devices.get((name, number))
        match action:
            case "login":
                comparison.login(name, number, bool(last % 2))
            case "send":
                for count in range(1 + last // 3):
                    key = None if first > 2 else f"key{first}{count}"
                    comparison.send(name, number, recipient, key)
            case "delete":
                comparison.delete(name, number)
            case "join":
                comparison.join(name, number, room)
            case "leave":
                comparison.leave(name, number, room)
            case "acknowledge":
                comparison.acknowledge(name, number, recipient, first, last)
            case "end":
                comparison.end(name, number)
            case "block" if device is not None and device.peer.writable:
                device.peer.capacity = first
            case "drain" if device is not None:
                device.peer.drain()
                comparison.harness.run(device.session.catch_up())
            case "save":
                comparison.harness.runner.clock.advance(SOON)
                comparison.settle()
                comparison.compare_stored()
            case "kill":
                comparison.compare()
                comparison.kill()
                for account in NAMES:
                    comparison.login(account, number, bool(last % 2))
