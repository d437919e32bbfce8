"""The end of a history: every account is read by new devices, which must agree with each other."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Any

from chatd.codecs import v1_messages as c
from chatd.core.names import is_room
from tests.simulation.model import Model
from tests.simulation.v1 import V1Device

if TYPE_CHECKING:
    from tests.simulation.world import World

_FIRST_NUMBER = 100


class Auditor(V1Device):
    """A device that logs in to an account when everything is quiet, and reads all there is."""

    def __init__(self, world: World, number: int, name: str) -> None:
        super().__init__(world, number, name)
        self.states: list[c.LogState] = []
        self.pages: dict[str, list[c.Item]] = {}
        self.blocked: list[str] = []

    def begin(self) -> None:
        """Connect, and log in with every password that the account may have."""
        self.open([])
        if self.link is not None:
            self.link.recover()
        tick = self.model.tick
        for password in self.model.password[self.name].possible(tick, tick):
            self._log_in(password)

    def _log_in(self, password: str | None) -> None:
        sent = self.model.tick + 1

        def logged_in(answer: c.LoggedIn) -> None:
            self.logged_in(answer, sent, password, {})
            self.states = list(answer.logs)

        self.ask(c.LogIn(0, self.name, password), then=logged_in)

    def read_all(self) -> None:
        """Read the history of every log, and the listings."""
        if self.reader is None:
            return
        listings = self.world.listings
        sent = self.model.tick + 1
        for state in self.states:
            self._read(c.History(0, state.log, 0, 0, 1000))
            if is_room(state.log):
                members = partial(listings.members, state.log, sent)
                self.ask(c.FindMembers(0, state.log, "", 1000), then=members)
        self.ask(c.FindRooms(0), then=lambda answer: listings.rooms(self, answer, sent))
        self.ask(c.FindAccounts(0), then=lambda answer: listings.accounts(answer.names, sent))
        self.ask(c.Who(0, self.model.names), then=lambda answer: listings.people(answer, sent))
        self.ask(c.GetBlocked(0), then=lambda answer: self._blocked(answer, sent))

    def _read(self, request: c.History) -> None:
        def read(answer: c.Page) -> None:
            self.page(answer, request)
            self.pages[request.log] = list(answer.entries)

        self.ask(request, then=read)

    def _blocked(self, answer: Any, sent: int) -> None:
        self.blocked = sorted(answer.names)
        self.world.listings.blocked(self.name, answer, sent)

    def check(self, other: Auditor) -> None:
        """Two devices that are up to date agree, and every log is complete."""
        model = self.model
        if (self.reader is None) != (other.reader is None):
            model.violated("agree:login", f"{self} and {other}")
        if self.reader is None or other.reader is None:
            exists = model.exists["@" + self.name].surely(True, model.tick, model.tick)
            if exists and not model.may_be_unusable(self.name):
                model.violated("end:no-login", f"{self}")
            return
        if self.states != other.states:
            model.violated("agree:logs", f"{self.states} and {other.states}")
        if self.pages != other.pages:
            model.violated("agree:history", f"{self} and {other}")
        if self.blocked != other.blocked:
            model.violated("agree:blocked", f"{self.blocked} and {other.blocked}")
        for state in self.states:
            seqs = [item.seq for item in self.pages.get(state.log, [])]
            first = 1
            if state.room is not None and state.room.history == "joined" and seqs:
                # What was sent before the account joined is not read (`Model.observe`).
                first = seqs[0]
            if not model.trimmed and seqs != list(range(first, state.head + 1)):
                model.violated("history:gap", f"{state.log} has {seqs}, and {state}")

    def acknowledge_all(self) -> None:
        """Acknowledge everything that was pushed."""
        if self.reader is None:
            return
        for log, followed in list(self.followed.items()):
            if followed.last > followed.start:
                self.acknowledge(log, followed.start + 1, followed.last, True)


def audit(world: World) -> None:
    """Read everything, and check it."""
    pairs = [
        (
            Auditor(world, _FIRST_NUMBER + 2 * number, name),
            Auditor(world, _FIRST_NUMBER + 2 * number + 1, name),
        )
        for number, name in enumerate(world.model.names)
    ]
    devices = [device for pair in pairs for device in pair]
    for device in devices:
        device.begin()
    # A log-in may have to wait for as long as a minute after wrong passwords.
    world.schedule.run_for(75.0)
    for device in devices:
        device.read_all()
    world.schedule.run_for(20.0)
    for first, second in pairs:
        first.check(second)
        first.acknowledge_all()
    world.schedule.run_for(10.0)
    for device in devices:
        device.check_rest()
        device.hang_up()


def compare_sessions(model: Model, devices: Sequence[V1Device]) -> None:
    """Devices of one account whose sessions have been notified of everything agree."""
    quiet = [
        device
        for device in devices
        if device.connected and device.reader is not None and not device.log_out_refused
    ]
    for first, second in combinations(quiet, 2):
        if first.name != second.name:
            continue
        logs, others = (
            {log: followed.since for log, followed in device.followed.items()}
            for device in (first, second)
        )
        if logs != others:
            model.violated("agree:followed", f"{first}: {logs}, {second}: {others}")
        if "receipts" not in first.features or "receipts" not in second.features:
            continue
        for place in sorted(first.notices.read_markers.keys() & second.notices.read_markers):
            read = [device.notices.read_markers[place] for device in (first, second)]
            doubtful = first.notices.doubtful | second.notices.doubtful
            if read[0] != read[1] and place[0] not in doubtful:
                model.violated("agree:read-marker", f"{first} and {second}: {place} {read}")
