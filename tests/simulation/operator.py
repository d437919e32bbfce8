"""The operator at the admin socket, and its operations."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any

from chatd.codecs import admin as c
from chatd.core.names import LOBBY
from tests.simulation.backup import problems_in_backup
from tests.simulation.device import Device
from tests.simulation.facts import Change
from tests.simulation.faults import CLOCK_FAULT

if TYPE_CHECKING:
    from tests.simulation.world import World


class Operator(Device):
    """One operator, whose requests are answered in order."""

    protocol = "operator"
    admin = True

    def __init__(self, world: World, number: int, name: str) -> None:
        super().__init__(world, number, name)
        self.pending: list[tuple[Any, int, Change | None]] = []
        self._line = b""

    def ask(self, request: Any, change: Change | None = None) -> None:
        """Send a request."""
        if not self.connected:
            self._line = b""
            self.connect()
        self.pending.append((request, self.model.now(), change))
        self.log(f"-> {request}")
        self.write(c.encode(request))

    def read(self, data: bytes) -> None:
        """See `Device`."""
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            self.log(f"<- {line!r}"[:200])
            if not self.pending:
                self.model.violated("operator:unasked-answer", f"{line!r}")
                continue
            self._answer(*self.pending.pop(0), c.decode_answer(line))

    def _answer(
        self, request: Any, sent: int, change: Change | None, answer: dict[str, Any]
    ) -> None:
        model = self.model
        tick = model.now()
        code = answer.get("code", "")
        if change is not None:
            change.end(tick, True if answer["ok"] else None if "store" in code else False)
        name = getattr(request, "name", "")
        room = getattr(request, "room", "")
        if code == "unknown-account" and model.exists["@" + name].surely(True, sent, tick):
            model.violated(f"operator:refused:{code}", f"{request}")
        if code == "unknown-room" and model.exists[room].surely(True, sent, tick):
            model.violated(f"operator:refused:{code}", f"{request}")
        if code == "error":
            model.violated("operator:failed", f"{request}")
        if not answer["ok"]:
            return
        if isinstance(request, c.DeleteRoom) and request.room == LOBBY:
            model.violated("operator:lobby-deleted", f"{answer}")
        if isinstance(request, c.ListAccounts):
            self.world.listings.accounts((item["name"] for item in answer["items"]), sent)
        elif isinstance(request, c.CreateInviteToken):
            expires = request.seconds is not None
            model.token_created(answer["token"], request.uses, expires, sent)
        elif isinstance(request, c.Backup):
            self.world.backups.append(request.path)
            for kind, sentence in problems_in_backup(request.path, model, sent):
                model.violated(kind, sentence)

    def disconnected(self) -> None:
        """See `Client`."""
        link = self.link
        if not (link is None or link.broken or link.daemon_start in self.world.ended_starts):
            self.model.violated("disconnected:operator", f"{self}")
        self.lose()

    def lose(self) -> None:
        """See `Device`."""
        pending, self.pending = self.pending, []
        for _, _, change in pending:
            if change is not None:
                self.world.settle_later(change, self.link)
        super().lose()

    def end_suspensions(self) -> None:
        """Let all accounts be used at the end of the history, whatever the clock shows."""
        for name in sorted(self.model.suspended):
            self.ask(c.Unsuspend(name), self.model.suspend(name))

    def check_rest(self) -> None:
        """See `Device`."""
        for request, _, _ in self.pending[:1]:
            self.model.violated("unanswered:operator", f"{request}")


def _look(operator: Operator, random: Random) -> bool:
    """List something."""
    request = random.choice(
        (
            c.ListAccounts(),
            c.ListSessions(),
            c.ListRooms(),
            c.ListDeletedRooms(),
            c.ListReports(),
            c.ListInviteTokens(),
            c.GetStatistics(),
            c.ListAudit(),
        )
    )
    operator.ask(request)
    return True


def _reset_password(operator: Operator, random: Random) -> bool:
    """Set the password of an account."""
    name = random.choice(operator.model.names)
    password = random.choice((None, "p1", "p2"))
    change = operator.model.set_password(name, password, by_operator=True)
    operator.ask(c.SetPassword(name, password), change)
    return True


def _end_sessions(operator: Operator, random: Random) -> bool:
    """End all sessions of an account."""
    name = random.choice(operator.model.names)
    request = c.EndSessions(name, "please log in again")
    operator.ask(request, operator.model.end_sessions(name))
    return True


def _ban(operator: Operator, random: Random) -> bool:
    """Ban the address of a device for a second, unless the clock may be set back meanwhile. The
    calls of gRPC are not refused here, since that is done at its port."""
    world = operator.world
    if any(step.operation == CLOCK_FAULT for step in world.history.steps):
        return False
    devices = [each for each in world.devices if each.protocol not in ("grpc", "operator")]
    if not devices:
        return False
    device = random.choice(devices)
    request = c.BanAddress(f"192.0.2.{(device.number + 1) % 250}", 1, "for a moment")
    operator.ask(request, operator.model.ban(device.name))
    return True


def _delete(operator: Operator, random: Random) -> bool:
    """Delete an account."""
    name = random.choice(operator.model.names)
    operator.ask(c.DeleteAccount(name), operator.model.delete_account(name))
    return True


def _delete_room(operator: Operator, random: Random) -> bool:
    """Delete a room; the lobby is refused."""
    room = random.choice(operator.model.rooms)
    change = None if room == LOBBY else operator.model.delete_room(room)
    operator.ask(c.DeleteRoom(room, random.random() < 0.3), change)
    return True


def _set_room_role(operator: Operator, random: Random) -> bool:
    """Set the role of a member of a room."""
    room, name = random.choice(operator.model.rooms), random.choice(operator.model.names)
    roles = ("moderator", "member", *(() if room == LOBBY else ("owner", "deputy")))
    role = random.choice(roles)
    operator.ask(c.SetRoomRole(room, name, role), operator.model.set_role(room, name, role))
    return True


def _set_room_topic(operator: Operator, random: Random) -> bool:
    """Set the topic of a room."""
    room, topic = random.choice(operator.model.rooms), operator.world.new_token("t")
    operator.ask(c.SetRoomTopic(room, topic), operator.model.set_topic(room, topic))
    return True


def _announce(operator: Operator, random: Random) -> bool:
    """Show a text to all sessions; it is no message of an account."""
    operator.ask(c.Announce("We restart at noon."))
    return True


def _suspend(operator: Operator, random: Random) -> bool:
    """Suspend an account for a time, or end that."""
    name = random.choice(operator.model.names)
    request: Any = c.Suspend(name, random.choice((2, 20)), "rest")
    if name in operator.model.suspended and random.random() < 0.5:
        request = c.Unsuspend(name)
    operator.ask(request, operator.model.suspend(name))
    return True


def _backup(operator: Operator, random: Random) -> bool:
    """Make a copy of the store."""
    operator.ask(c.Backup(operator.world.backup_path()))
    return True


def _set_certificates(operator: Operator, random: Random) -> bool:
    """Set the certificates that log in to an account."""
    name = random.choice(operator.model.names)
    certificates = operator.world.some_certificates(random)
    operator.ask(
        c.SetCertificates(name, certificates), operator.model.set_certificates(name, certificates)
    )
    return True


def _revoke(operator: Operator, random: Random) -> bool:
    """Revoke an invite token."""
    tokens = list(operator.model.invite_tokens)
    if not tokens:
        return False
    token = random.choice(tokens)
    operator.model.doubtful_tokens.add(token)
    operator.ask(c.RevokeInviteToken(token))
    return True


def _invite(operator: Operator, random: Random) -> bool:
    """Create an invite token."""
    operator.ask(c.CreateInviteToken(random.choice((1, 2)), random.choice((None, 60))))
    return True


def _hang_up(operator: Operator, random: Random) -> bool:
    """Close the connection."""
    operator.hang_up()
    return True


OPERATIONS: dict[str, tuple[int, Callable[[Operator, Random], bool]]] = {
    "look": (8, _look),
    "reset-password": (4, _reset_password),
    "end-sessions": (4, _end_sessions),
    "ban": (2, _ban),
    "delete": (4, _delete),
    "delete-room": (4, _delete_room),
    "room-role": (4, _set_room_role),
    "room-topic": (2, _set_room_topic),
    "announce": (3, _announce),
    "suspend": (3, _suspend),
    "backup": (3, _backup),
    "set-certificates": (3, _set_certificates),
    "invite": (4, _invite),
    "revoke": (2, _revoke),
    "hang-up": (3, _hang_up),
}
