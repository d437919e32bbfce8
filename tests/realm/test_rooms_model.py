"""The realm compared with a model: devices that acknowledge and resume, rooms, keys, receipts."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.core.entries import Cursor
from chatd.core.errors import NotAMember, Refused, UnknownRoom
from chatd.realm.ack_session import AckSession
from chatd.realm.read_state import ReadState
from chatd.realm.saved_state import SOON_SECONDS
from chatd.realm.tasks import gather
from tests.doubles.realm import AckRecorder, RealmHarness, Text

NAMES = ("ann", "Bob")
ROOMS = ("#one",)
DEVICES = 2


@dataclass
class Device:
    """A client of an account: the seq after which it began in each log, and what it need not be
    sent."""

    session: AckSession
    peer: AckRecorder
    begins: dict[str, int]
    skips: dict[str, Cursor]


@dataclass
class World:
    """The expected state. `logs` have (sender, kind, body) in order of seq."""

    logs: dict[str, list[tuple[str, str, str]]] = field(default_factory=dict)
    members: dict[str, list[str]] = field(default_factory=lambda: {room: [] for room in ROOMS})
    acked: dict[tuple[str, str], Cursor] = field(default_factory=dict)
    taken: dict[tuple[str, int], dict[str, int]] = field(default_factory=dict)
    keys: dict[tuple[str, str, str], tuple[str, int]] = field(default_factory=dict)


class Play:
    """The realm and the model side by side."""

    def __init__(self) -> None:
        self.harness = RealmHarness(page=3)
        self.harness.run(self.harness.realm.start())
        for name in NAMES:
            self.harness.register(name)
            self.harness.run(self.harness.realm.accounts.account(name))
        self.world = World()
        self.devices: dict[tuple[str, int], Device] = {}
        self.number = 0

    def log(self, name: str) -> list[tuple[str, str, str]]:
        """The model's log of that name."""
        return self.world.logs.setdefault(name, [])

    def login(self, name: str, device: int, resume: bool) -> None:
        """Log a device in, which resumes where it was or not."""
        if (name, device) in self.devices:
            return
        self.rest()
        taken = dict(self.world.taken.get((name, device), {})) if resume else {}
        session, peer = self.harness.login_ack(name, taken)
        expected = {
            "@" + name.lower(),
            *(room for room in ROOMS if name in self.world.members[room]),
        }
        assert set(session.subscriptions) == expected, (set(session.subscriptions), expected)
        begins, skips = {}, {}
        for log in session.subscriptions:
            acked = self.world.acked.get((name, log), Cursor())
            begins[log] = taken.get(log, acked.upto)
            skips[log] = Cursor() if log in taken else acked
        self.devices[name, device] = Device(session, peer, begins, skips)

    def end(self, name: str, device: int) -> None:
        """End the session of a device, which remembers its positions."""
        if (name, device) in self.devices:
            self.rest()
            gone = self.devices.pop((name, device))
            self.remember(name, device, gone)
            gone.session.end()

    def remember(self, name: str, device: int, gone: Device) -> None:
        """Remember the positions of a device."""
        taken = {}
        for log in gone.session.subscriptions or gone.begins:
            seqs = [seq for seq, *_ in gone.peer.logs.get(log, ())]
            taken[log] = max([gone.begins.get(log, 0), *seqs])
        self.world.taken[name, device] = taken

    def send(self, name: str, device: int, recipient: str, key: str | None) -> None:
        """Send a text, or resend one with the same key."""
        found = self.devices.get((name, device))
        if found is None:
            return
        session, peer = found.session, found.peer
        log = recipient if recipient.startswith("#") else "@" + recipient.lower()
        former = self.world.keys.get((log, name, key)) if key is not None else None
        text = former[0] if former is not None and self.number % 2 else str(self.number)
        self.number += 1
        before = len(peer.answers)
        appends, refusal = self.harness.realm.send(session, [Text(name, recipient, text, key)])
        if refusal is not None:
            assert isinstance(refusal, NotAMember) and not appends
            assert name not in self.world.members.get(recipient, ())
            return
        assert not recipient.startswith("#") or name in self.world.members[recipient]
        self.harness.realm.flush()
        self.harness.settle()
        (answer,) = peer.answers[before:]
        if former is not None and former[0] != text:
            assert answer.refusal is not None and answer.refusal.code == "key-reused"
        elif former is not None:
            assert (answer.refusal, answer.seq, answer.resent) == (None, former[1], True)
        else:
            self.log(log).append((name, "text", text))
            assert answer.seq == len(self.log(log))
            if key is not None:
                self.world.keys[log, name, key] = (text, answer.seq)

    def join(self, name: str, device: int, room: str) -> None:
        """Create a room, or join it."""
        found = self.devices.get((name, device))
        if found is None:
            return
        members = self.world.members[room]
        self.rest()
        rooms = self.harness.realm.rooms
        if not members:
            self.world.logs[room] = []
            self.world.keys = {
                key: value for key, value in self.world.keys.items() if key[0] != room
            }
            self.world.acked = {
                key: value for key, value in self.world.acked.items() if key[1] != room
            }
            for taken in self.world.taken.values():
                taken.pop(room, None)
            self.harness.run(rooms.create(found.session, room, "", False))
        else:
            self.harness.run(rooms.join(found.session, room))
        if name not in members:
            self.world.acked[name, room] = Cursor(len(self.log(room)))
            members.append(name)
            for (owner, _), device_ in self.devices.items():
                if owner == name:
                    device_.begins[room] = len(self.log(room))
                    device_.skips[room] = Cursor()
                    device_.peer.logs.pop(room, None)
            for (owner, number), taken in self.world.taken.items():
                if owner == name and (owner, number) not in self.devices:
                    taken.pop(room, None)
            self.log(room).append((name, "join", ""))
        self.harness.realm.flush()
        self.harness.settle()

    def leave(self, name: str, room: str) -> None:
        """Leave a room."""
        self.rest()
        try:
            self.harness.run(self.harness.realm.rooms.leave(name, room))
        except (UnknownRoom, NotAMember):
            assert name not in self.world.members[room]
            return
        self.harness.realm.flush()
        self.harness.settle()
        self.world.members[room].remove(name)
        if self.world.members[room]:
            self.log(room).append((name, "leave", ""))
        for (owner, _), device in self.devices.items():
            if owner == name:
                assert room in device.peer.rooms_left
                device.begins.pop(room, None)
                device.peer.logs.pop(room, None)

    def acknowledge(self, name: str, device: int, which: int, first: int, last: int) -> None:
        """Acknowledge entries of a log, perhaps with gaps."""
        found = self.devices.get((name, device))
        if found is None:
            return
        logs = sorted(found.session.subscriptions)
        log = logs[which % len(logs)]
        try:
            found.session.acknowledge(log, first, last)
        except Refused:
            assert last > len(self.log(log)) or last < first
            return
        cursor = self.world.acked.get((name, log), Cursor())
        if last >= max(first, 1):
            self.world.acked[name, log] = cursor.acknowledge(first or 1, last)
        for (owner, _), other in self.devices.items():
            for receipt_log, _, seq in other.peer.receipts:
                if receipt_log == log:
                    assert self.log(log)[seq - 1][0] == owner

    def stored(self, name: str, log: str) -> Cursor:
        """The saved cursor of an account in a log."""
        mailbox_log = "@" + name.lower()
        cursor, read_state = self.harness.run(
            gather(
                self.harness.store.get(Cursor.document_kind, mailbox_log),
                self.harness.store.get(ReadState.document_kind, mailbox_log),
            )
        )
        if log == mailbox_log:
            return Cursor() if cursor is None else msgspec.msgpack.decode(cursor.body, type=Cursor)
        places = msgspec.msgpack.decode(read_state.body, type=ReadState).positions
        return places[log].cursor

    def compare_stored(self) -> None:
        """Check that all acknowledgements have been saved."""
        for (name, log), acked in self.world.acked.items():
            if log.startswith("@") or name in self.world.members[log]:
                assert self.stored(name, log) == acked, (name, log, self.stored(name, log), acked)

    def kill(self) -> None:
        """Kill the daemon and start another; acknowledgements of the last second may be lost."""
        for (name, number), device in self.devices.items():
            self.remember(name, number, device)
        self.devices.clear()
        self.harness = self.harness.restart()
        for name in NAMES:
            self.harness.run(self.harness.realm.accounts.account(name))
            for log in ("@" + name.lower(), *ROOMS):
                if log.startswith("@") or name in self.world.members[log]:
                    self.adopt(name, log, self.stored(name, log))

    def adopt(self, name: str, log: str, stored: Cursor) -> None:
        """Check that no more was saved than was acknowledged, and continue with that."""
        acked = self.world.acked.get((name, log), Cursor())
        assert acked.union(stored) == acked, (acked, stored)
        self.world.acked[name, log] = stored

    def rest(self) -> None:
        """Let everything arrive, and compare."""
        self.harness.settle()
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
                got = device.peer.logs.get(log, [])
                assert got == expected, f"{name} {number} {log}: {got} instead of {expected}"
            assert set(device.peer.logs) <= set(device.begins), (
                "it follows a room without being a member"
            )
        for room, members in self.world.members.items():
            (found,) = self.harness.run(self.harness.realm.rooms.load((room,)))
            if members:
                assert found is not None and list(found.record.members.values()) == members
        assert not self.harness.runner.failures, self.harness.runner.failures


_STEPS = [
    "login",
    "login",
    "login",
    "send",
    "send",
    "send",
    "send",
    "join",
    "join",
    "leave",
    "ack",
    "ack",
    "ack",
]
_STEPS += ["end", "block", "drain", "soon", "kill"]
steps = st.lists(
    st.tuples(
        st.sampled_from(_STEPS),
        st.integers(0, len(NAMES) - 1),
        st.integers(0, DEVICES - 1),
        st.integers(0, len(NAMES) + len(ROOMS) - 1),
        st.integers(0, 7),
        st.integers(0, 9),
    ),
    min_size=20,
    max_size=80,
)


class OnceForEachDevice(SynchronousTestCase):
    """Random logins, messages, rooms, acknowledgements, slow readers, ends and kills."""

    @settings(derandomize=True, deadline=None, max_examples=500)
    @given(steps)
    def test_every_entry_once_in_order(
        self, script: list[tuple[str, int, int, int, int, int]]
    ) -> None:
        """Each device is sent the entries after its position in each of its logs, and no others."""
        play = Play()
        for name in NAMES:
            for device in range(DEVICES):
                play.login(name, device, False)
        for step, who, device, whom, first, last in script:
            name, target = NAMES[who], (*NAMES, *ROOMS)[whom]
            room = ROOMS[whom % len(ROOMS)]
            found = play.devices.get((name, device))
            match step:
                case "login":
                    play.login(name, device, bool(last % 2))
                case "send":
                    for number in range(1 + last // 3):
                        play.send(
                            name, device, target, None if first > 2 else f"key{first}{number}"
                        )
                case "join":
                    play.join(name, device, room)
                case "leave":
                    play.leave(name, room)
                case "ack":
                    play.acknowledge(name, device, whom, first, last)
                case "end":
                    play.end(name, device)
                case "block" if found is not None and found.peer.writable:
                    found.peer.capacity = first
                case "drain" if found is not None:
                    found.peer.drain()
                    play.harness.run(found.session.catch_up())
                case "soon":
                    play.harness.runner.clock.advance(SOON_SECONDS)
                    play.harness.settle()
                    play.compare_stored()
                case "kill":
                    play.rest()
                    play.kill()
                    for each in NAMES:
                        play.login(each, device, bool(last % 2))
        play.rest()
