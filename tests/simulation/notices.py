"""What a session of version 1 is notified of: presence, typing, and read markers set elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chatd.codecs import v1_messages as c
from chatd.core.names import is_room

if TYPE_CHECKING:
    from tests.simulation.v1 import V1Device

_ABSENT = ("off", "unknown")


class Notices:
    """The notices of one device, compared with what others have asked for.

    A notice that arrives was written after the answer that arrived last, so what was certain ever
    since that request was sent must hold.
    """

    def __init__(self, device: V1Device) -> None:
        self._device = device
        # Watched accounts, and when the device has last asked to watch each.
        self._watched: dict[str, int] = {}
        self._known: dict[str, tuple[str, str]] = {}
        """status and away message of watched accounts"""
        self.read_markers: dict[tuple[str, int], int] = {}
        """the read markers that the session knows, by log and `since`"""
        self.doubtful: set[str] = set()
        """logs whose read markers may have been set by a request that was refused"""

    def session_ended(self) -> None:
        """The session has ended, and its watches with it."""
        self._watched.clear()
        self.session_began()

    def session_began(self) -> None:
        """Another session has taken the place of the former one, of which nothing is known any
        more; accounts may be watched by requests that follow the log-in."""
        self._known.clear()
        self.read_markers.clear()
        self.doubtful.clear()

    # Presence

    def watch(self, names: list[str]) -> None:
        """Ask for the presence of accounts, and for notices of its changes."""
        device = self._device
        sent = device.model.tick + 1
        self._watched.update(dict.fromkeys(names, sent))

        def answered(answer: c.People) -> None:
            device.world.listings.people(answer, sent)
            if device.reader is not None:
                for person in answer.people:
                    self._note(person)

        device.ask(c.Who(0, names, True), then=answered)

    def unwatch(self, names: list[str]) -> None:
        """Ask for no more notices."""
        sent = self._device.model.tick + 1

        def answered(_: Any) -> None:
            for name in names:
                self._known.pop(name, None)
                # Another request may have followed, to watch it again.
                if self._watched.get(name, sent) < sent:
                    del self._watched[name]

        self._device.ask(c.Unwatch(0, names), then=answered)

    def presence(self, person: c.Person) -> None:
        """The presence of an account has changed."""
        device = self._device
        model = device.model
        name = person.name.lower()
        if "presence" not in device.features or name not in self._watched:
            model.violated("presence:not-watched", f"{device}: {person}")
            return
        hidden = model.hidden[name].surely(True, device.answered_sent, model.tick)
        if hidden and (person.status != "off" or person.seen):
            model.violated("presence:hidden", f"{device}: {person}")
        self._note(person)

    def _note(self, person: c.Person) -> None:
        """Note what is known of an account. One that does not exist is not watched any more."""
        name = person.name.lower()
        if person.status == "unknown":
            self._known.pop(name, None)
        else:
            self._known[name] = (person.status, person.text)

    def check_presence(self) -> None:
        """Nothing is under way any more: what the device was notified of must be up to date."""
        device = self._device
        if "presence" not in device.features or not self._known:
            return

        def answered(answer: c.People) -> None:
            for person in answer.people:
                known = self._known.get(person.name.lower())
                now = (person.status, person.text)
                if known is None or known == now or {known[0], now[0]} <= set(_ABSENT):
                    continue
                device.model.violated("presence:stale", f"{device} knows {known}: {person}")

        device.ask(c.Who(0, sorted(self._known)), then=answered)

    # Typing

    def typing(self, notice: c.Typing) -> None:
        """Another user is typing, or has stopped."""
        device = self._device
        model = device.model
        sender = notice.name.lower()
        if sender not in model.names:
            return
        if "typing" not in device.features or device.reader is None:
            model.violated("typing:unasked", f"{device}: {notice}")
            return
        if (sender, notice.log) not in model.typing:
            model.violated("typing:never-sent", f"{device}: {notice}")
        if not is_room(notice.log):
            if notice.log != "@" + device.name:
                model.violated("typing:not-for-them", f"{device}: {notice}")
            if model.blocks[device.name, sender].surely(True, device.answered_sent, model.tick):
                model.violated("typing:blocked", f"{device}: {notice}")
        elif notice.log not in device.followed:
            model.violated("typing:not-followed", f"{device}: {notice}")

    # Read markers

    def follow(self, state: c.LogState) -> None:
        """The session follows a log."""
        self.note_marker(state.log, state.since, state.read)

    def note_marker(self, log: str, since: int, seq: int) -> None:
        """The account has read a log up to a seq."""
        place = (log, since)
        self.read_markers[place] = max(self.read_markers.get(place, 0), seq)

    def receipt(self, notice: c.Receipt) -> None:
        """Messages were delivered or read, or a log of this account was marked as read."""
        device = self._device
        if "receipts" not in device.features:
            device.model.violated("receipt:unasked", f"{device}: {notice}")
        followed = device.followed.get(notice.log)
        if notice.what == "read" and followed is not None and is_own(device, notice.log):
            self.note_marker(notice.log, followed.since, notice.seqs[-1])


def is_own(device: V1Device, log: str) -> bool:
    """Whether a log is one that the account of a device reads."""
    return is_room(log) or log == "@" + device.name
