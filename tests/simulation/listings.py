"""What listings must have: accounts, rooms, members, blocked accounts and presence."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from chatd.core.names import LOBBY
from tests.simulation.model import Model

if TYPE_CHECKING:
    from tests.simulation.v1 import V1Device


class Listings:
    """Compares listings that were requested at a tick with what is certain."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def accounts(self, names: Iterable[str], sent: int) -> None:
        """All accounts."""
        model = self._model
        listed = {name.lower() for name in names}
        for name in model.names:
            exists = model.exists["@" + name]
            if name in listed and exists.surely(False, sent, model.tick):
                model.violated("listing:deleted-account", name)
            if name not in listed and exists.surely(True, sent, model.tick):
                model.violated("listing:account-missing", name)

    def rooms(self, device: V1Device, answer: Any, sent: int) -> None:
        """The rooms that an account may see."""
        model = self._model
        listed = {room.room.lower(): room for room in answer.rooms}
        for room in model.rooms:
            member = model.member[room, device.name]
            if (
                room in listed
                and model.private[room].surely(True, sent, model.tick)
                and member.surely(False, sent, model.tick)
                and model.invited[room, device.name].surely(False, sent, model.tick)
            ):
                model.violated("listing:private-room", f"{room} to {device.name}")
            if room in listed:
                self.info(device, listed[room], sent)
            if room in listed and model.exists[room].surely(False, sent, model.tick):
                model.violated("listing:deleted-room", room)
            if room not in listed and member.surely(True, sent, model.tick):
                model.violated("listing:room-missing", f"{room} to {device.name}")

    def info(self, device: V1Device, info: Any, sent: int) -> None:
        """What is said of a room must be what was set, by those who may."""
        model, room = self._model, info.room.lower()
        shown = f"{info} to {device.name}"
        if model.topic[room].surely_not(info.topic, sent, model.tick):
            model.violated("listing:topic", shown)
        if model.private[room].surely_not(info.private, sent, model.tick):
            model.violated("listing:private", shown)
        for setting in ("slow", "read-only"):
            fact = model.settings[room, setting]
            values = {found.name: found.value for found in info.settings}
            if fact.surely_not(values.get(setting, fact.initial), sent, model.tick):
                model.violated("listing:setting", shown)
        self._check_role(room, device.name, info.role, sent)
        members = [model.member[room, name] for name in model.names]
        least = sum(member.surely(True, sent, model.tick) for member in members)
        most = sum(not member.surely(False, sent, model.tick) for member in members)
        # Rogues may be in the lobby.
        if room != LOBBY and not least <= info.members <= most:
            model.violated("listing:member-count", f"{shown}: {least} to {most}")

    def _check_role(self, room: str, name: str, role: str, sent: int) -> None:
        model = self._model
        if role == "owner" and not model.may_be_owner(room, name, sent):
            model.violated("listing:owner", f"{name} of {room}")
        if role == "moderator" and not model.may_be_moderator(room, name, sent):
            model.violated("listing:moderator", f"{name} of {room}")
        if role == "deputy" and not model.may_be_deputy(room, name, sent):
            model.violated("listing:deputy", f"{name} of {room}")
        if role != "owner" and model.is_owner(room, name, sent):
            model.violated("listing:not-the-owner", f"{name} of {room}: {role}")

    def members(self, room: str, sent: int, answer: Any) -> None:
        """The members of a room."""
        model = self._model
        listed = {member.name.lower() for member in answer.members if member.role != "invited"}
        for name in model.names:
            if name in listed and model.member[room, name].surely(False, sent, model.tick):
                model.violated("listing:not-a-member", f"{name} of {room}")
            if name not in listed and model.member[room, name].surely(True, sent, model.tick):
                model.violated("listing:member-missing", f"{name} of {room}")
        for member in answer.members:
            if member.name.lower() in model.names and member.role != "invited":
                self._check_role(room, member.name.lower(), member.role, sent)

    def bans(self, room: str, sent: int, answer: Any) -> None:
        """The accounts that are banned from a room."""
        model = self._model
        listed = {ban.name.lower() for ban in answer.restrictions}
        for name in model.names:
            banned = model.banned[room, name]
            if name in listed and banned.surely(False, sent, model.tick):
                model.violated("listing:not-banned", f"{name} in {room}")
            if name not in listed and banned.surely(True, sent, model.tick):
                model.violated("listing:ban-missing", f"{name} in {room}")

    def blocked(self, name: str, answer: Any, sent: int) -> None:
        """The accounts that an account blocks."""
        model = self._model
        listed = {other.lower() for other in answer.names}
        for other in model.names:
            blocks = model.blocks[name, other]
            if other in listed and blocks.surely(False, sent, model.tick):
                model.violated("listing:not-blocked", f"{other} by {name}")
            if other not in listed and blocks.surely(True, sent, model.tick):
                model.violated("listing:blocked-missing", f"{other} by {name}")

    def people(self, answer: Any, sent: int) -> None:
        """The presence of accounts."""
        model = self._model
        for person in answer.people:
            exists = model.exists["@" + person.name.lower()]
            if person.status == "unknown" and exists.surely(True, sent, model.tick):
                model.violated("presence:unknown", f"{person}")
            if person.status != "unknown" and exists.surely(False, sent, model.tick):
                model.violated("presence:deleted", f"{person}")
            hidden = model.hidden[person.name.lower()].surely(True, sent, model.tick)
            if hidden and (person.status not in ("off", "unknown") or person.seen):
                model.violated("presence:hidden", f"{person}")

    def receipts(self, log: str, answer: Any, sent: int) -> None:
        """What a sender is told of messages in a mailbox whose account acknowledges by itself."""
        model = self._model
        if log[1:] in model.auto_acknowledged or any(
            change.done is not False for change in model.deletions[log]
        ):
            return
        acknowledged: set[int] = set()
        confirmed: set[int] = set()
        marked = 0
        for since in model.sinces.get(log, {}):
            acknowledged |= model.acknowledged.get((log, since), set())
            marked = max(marked, model.marked.get((log, since), 0))
            seqs = model.confirmed.get((log, since), {})
            confirmed |= {seq for seq, tick in seqs.items() if tick < sent}
        for state in answer.states:
            if state.read and not state.delivered:
                model.violated("receipts:read-not-delivered", f"{log} {state}")
            if state.delivered and state.seq not in acknowledged and state.seq > marked:
                model.violated("receipts:not-acknowledged", f"{log} {state}")
            if not state.delivered and state.seq in confirmed:
                model.violated("receipts:acknowledged", f"{log} {state}")
            if state.read and state.seq > marked:
                model.violated("receipts:not-marked", f"{log} {state}")
