"""One history, run: the machine with its daemon, the devices, and the model that judges them."""

from __future__ import annotations

import gc
import hashlib
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, cast

from twisted.logger import ILogObserver, LogLevel, globalLogPublisher

from chatd.realm.permissions import Policy
from tests.simulation.audit import audit, compare_sessions
from tests.simulation.device import Device, certificate_of
from tests.simulation.devices import DEVICES
from tests.simulation.disk import Disk
from tests.simulation.facts import Change
from tests.simulation.faults import FAULTS
from tests.simulation.history import NAMES, PORTS, ROOMS, History, Step
from tests.simulation.leftovers import problems_in_file, tables_in_memory
from tests.simulation.listings import Listings
from tests.simulation.machine import ADMIN, Machine
from tests.simulation.model import Model
from tests.simulation.network import Link
from tests.simulation.old_file import write_old_file
from tests.simulation.operations import OPERATIONS
from tests.simulation.operator import Operator
from tests.simulation.reactor import Schedule
from tests.simulation.sizes import sizes
from tests.simulation.v1 import V1Device

_COUNTED = 4
"""in one of so many histories, the calls of functions in each turn of the reactor are counted"""
_MOST_STARTS = 500
"""starts of the daemon after which a history is given up"""
_PATH = 40
"""the length of a name that makes all paths equally long"""


@dataclass
class Outcome:
    """What came of a history: the kinds of violations with a sentence each, and its trace."""

    violations: list[tuple[str, str]] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)
    met: set[tuple[str, str]] = field(default_factory=set)
    """the pairs of an operation and a fault that was in effect"""

    @property
    def kinds(self) -> list[str]:
        """The kinds of violations, in order, each once."""
        return list(dict.fromkeys(kind for kind, _ in self.violations))

    @property
    def digest(self) -> str:
        """What identifies the trace."""
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()


class World:
    """Everything that takes part in one history."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.outcome = Outcome()
        self.schedule = Schedule(history.seed % _COUNTED == 1)
        self.model = Model(NAMES, ROOMS)
        self.model.violations = self.outcome.violations
        self.model.log = self.log
        self.model.resume_tokens.wall = lambda: self.schedule.wall
        self.listings = Listings(self.model)
        self.connections = 0
        self.ended_starts: set[int] = {0}
        """the starts of the daemon that were followed by a stop or a kill"""
        self.faults_happened = False
        self._tokens = 0
        self._lost: list[Change] = []
        self.slow_until = 0.0
        """until when the disk takes long"""
        self.calls_under_way: list[Change] = []
        """calls of gRPC, which end with the daemon"""
        self.first_matching: dict[tuple[int, str], int] = {}
        """for each start of the daemon and each account, when gRPC clients have first asked for
        names"""
        self._recent_faults: list[tuple[float, str]] = []
        memory = Path("/dev/shm")
        base = str(memory) if memory.is_dir() else tempfile.gettempdir()
        # A path that is sent in a message has the same length everywhere.
        self._folder = tempfile.mkdtemp("-" * (_PATH - len(base)), dir=base)
        disk = None
        if history.setup.store == "sqlite":
            disk = Disk(self._folder, Random(f"{history.seed} disk"))
            disk.prepare()
        self._given = history.setup.options
        self.model.trimmed = "--retain" in self._given
        registration = "open"
        if "--registration" in self._given:
            registration = self._given[self._given.index("--registration") + 1]
        self.model.policy = Policy(registration, "--forbid-open-accounts" not in self._given)
        self.backups: list[str] = []
        """the paths of backups that the operator has made"""
        self._ended_at: dict[int, int] = {}
        """for each start of the daemon that has ended, the tick of its end"""
        options = ["--admin", self._folder + "/a", *history.setup.options]
        self.machine = Machine(history.seed, self.schedule, disk, options, self._died)
        self.machine.on_stop_requested = self._stop_requested
        self.machine.on_damage = lambda damage: self.model.violated("disk:damaged", damage)
        self.schedule.on_turn = self.machine.poll
        self.schedule.on_long_turn = lambda work: self.model.violated(
            "work:too-long", f"{work:.3f} s in one turn"
        )
        self.devices = [
            DEVICES[protocol](self, number, name)
            for number, (protocol, name) in enumerate(history.setup.devices)
        ]
        if disk is not None and history.setup.old_file:
            random = Random(f"{history.seed} old file")
            version = write_old_file(disk.path, self.model, random)
            self.log(f"the file has the schema {version}")
            disk.adopt()
            if random.random() < 0.5:
                disk.die_in(random.randrange(200), random.random() < 0.5)
            self._give_back_texts()

    def _give_back_texts(self) -> None:
        """Devices remember what they have sent before the history begins."""
        for device in self.devices:
            if isinstance(device, V1Device):
                device.texts += [
                    text for text in self.model.messages.values() if text.sender == device.name
                ]

    def log(self, line: str) -> None:
        """A line of the trace."""
        line = line.replace(self._folder, "")
        self.outcome.trace.append(f"{self.schedule.now:10.4f} {line}")

    def new_token(self, sort: str = "m") -> str:
        """A mark for a text (``m``), or for something else."""
        self._tokens += 1
        return f"{sort}{self._tokens}"

    def choose_port(self, device: Device, random: Random) -> str:
        """The port for a new connection: the admin socket, the main port, or one of those that the
        protocol has besides."""
        if device.admin:
            return ADMIN
        if "--listen" not in self._given or random.random() < 0.4:
            return ""
        own = device.protocol if device.protocol in PORTS else random.choice(PORTS)
        return random.choice(("any", own))

    def chooses_tls(self, port: str, random: Random) -> bool:
        """Whether a new connection uses TLS."""
        if "--tls-cert" not in self._given or port not in ("", "any"):
            return False
        return "--tls-only" in self._given or random.random() < 0.5

    def some_certificates(self, random: Random) -> list[str]:
        """Fingerprints of some of the certificates that devices show."""
        return [
            certificate_of(number) for number in range(len(self.devices)) if random.random() < 0.4
        ]

    def backup_path(self) -> str:
        """A path for the next backup."""
        self._tokens += 1
        return f"{self._folder}/backup{self._tokens}"

    # Running

    def run(self) -> Outcome:
        """Run the history, then let everything recover, and check what is left."""
        observer = cast("ILogObserver", self._observe_log)
        globalLogPublisher.addObserver(observer)
        try:
            self.machine.start()
            self.schedule.run_for(0.1)
            for step in self.history.steps:
                self.schedule.run_for(step.wait)
                self._do(step)
            self._end()
        except RuntimeError as error:
            self.model.violated("no-rest", str(error))
            # Deferreds whose failures were never handled report them when they are collected.
            gc.collect()
        finally:
            globalLogPublisher.removeObserver(observer)
            self._close()
            shutil.rmtree(self._folder)
        return self.outcome

    def _do(self, step: Step) -> None:
        random = Random(step.seed)
        device = self.devices[step.device]
        fault = FAULTS.get(step.operation)
        self.log(f"[{step.number}] {step.operation} ({device})")
        if fault is not None:
            if fault.do(self, device, random):
                self.faults_happened = True
                self._recent_faults.append((self.schedule.now, step.operation))
            return
        table = OPERATIONS[device.protocol]
        name = step.operation
        if not device.connected and "come" in table:
            name = "come"
        if table[name].do(device, random) is not False:
            name = f"{device.protocol} {name}"
            self.outcome.met.update(
                (name, fault) for at, fault in self._recent_faults if self.schedule.now - at < 15.0
            )
            self.outcome.met.update((name, special) for special in self.history.setup.has)

    def _end(self) -> None:
        """Let the machine and the network recover; then everything must be in order."""
        self.log("everything works again")
        disk = self.machine.disk if self.history.setup.store == "sqlite" else None
        if disk is not None:
            self.disk_fails(False)
            disk.recover()
        for link in self.machine.links:
            link.recover()
        self.schedule.run_for(30.0)
        if not self.machine.running:
            self._start()
        for device in self.devices:
            if isinstance(device, Operator):
                device.end_suspensions()
        self.schedule.run_for(130.0)
        for device in self.devices:
            device.prepare_rest()
        self.schedule.run_for(10.0)
        for device in self.devices:
            device.check_rest()
        compare_sessions(self.model, [d for d in self.devices if isinstance(d, V1Device)])
        for device in self.devices:
            device.hang_up()
        self.schedule.run_for(70.0)
        audit(self)
        self.model.check_end()
        self.machine.log_out_all()
        self.schedule.run_for(200.0)
        self._check_memory()
        self._stop_at_end()
        if self.history.setup.store == "sqlite" and not self.machine.running:
            for kind, sentence in problems_in_file(self.machine.disk.path):
                self.model.violated(kind, sentence)
            if self.backups:
                self._start_from_backup(self.backups[-1])

    def _start_from_backup(self, path: str) -> None:
        """A daemon starts with the last backup, and stops."""
        self.log("a daemon starts with the backup")
        self.machine.disk.restore(path)
        refused = self.machine.start()
        self.schedule.run_for(10.0)
        if refused or not self.machine.running:
            self.model.violated("backup:start", refused)
            return
        self._stop_at_end()
        for kind, sentence in problems_in_file(self.machine.disk.path):
            self.model.violated(f"backup:{kind}", sentence)

    def _check_memory(self) -> None:
        """All clients have gone: the daemon keeps nothing of them."""
        if not self.machine.running:
            return
        factory = self.machine.factory
        if factory.connections:
            peers = [connection.peer for connection in factory.connections]
            self.model.violated("left:connections", f"{peers}")
        for path, size in tables_in_memory(factory.realm):
            self.model.violated(f"left:{path}", f"{size} items")

    def _stop_at_end(self) -> None:
        stopped: list[bool] = []
        self.ended_starts.add(self.machine.starts)
        self.machine.stop(lambda: stopped.append(True))
        self.schedule.run_for(6.0)
        if not stopped:
            self.model.violated("stop:late", "the daemon has not stopped within 6 s")
        elif self.schedule.reactor is not None and self.schedule.reactor.calls:
            calls = [getattr(call.func, "__qualname__", "") for call in self.schedule.reactor.calls]
            self.model.violated(f"stop:timers:{calls[0]}", f"{calls}")

    def _close(self) -> None:
        """Release the parts of the daemons, whose unfinished work is of no interest."""
        self.machine.close()

    def _observe_log(self, event: Any) -> None:
        """Report an error that the daemon has logged."""
        if event["log_level"] < LogLevel.critical or "log_failure" not in event:
            return
        failure = event["log_failure"]
        frames = failure.frames[-1:] if failure.frames else []
        place = "".join(f" in {frame[0]} ({frame[1].rpartition('/')[2]})" for frame in frames)
        self.model.violated(
            f"traceback:{failure.type.__name__}{place}", failure.getErrorMessage()[:200]
        )

    # The daemon

    def _start(self) -> None:
        if not self.machine.running:
            if self.machine.starts > _MOST_STARTS:
                raise RuntimeError("the daemon does not stay up")
            self.log("the daemon starts")
            began = self.model.now()
            refused = self.machine.start()
            if refused:
                refused = refused.replace(self._folder, "")
                self.log(refused)
                if not self.model.store_may_fail(began):
                    self.model.violated("start:refused", refused)
                self.schedule.after(1.0, self._start)

    def _stop_requested(self) -> None:
        if not self.model.store_may_fail(self.model.tick):
            self.model.violated("start:stopped", "the daemon has stopped by itself")
        self.restart()

    def kill(self, machine: bool) -> None:
        """Kill the daemon; it is started again soon."""
        self.machine.kill(machine)

    def _died(self, machine: bool) -> None:
        self.log("the machine stops" if machine else "the daemon is killed")
        tick = self.model.now()
        self.ended_starts.add(self.machine.starts)
        self.model.kills.append((tick, machine))
        self._ended(tick)
        self.schedule.after(0.5, self._start)

    def _ended(self, tick: int) -> None:
        """The daemon has ended at a tick: what it has not done by then, it never does."""
        self._ended_at[self.machine.starts] = tick
        if self.history.setup.store == "sqlite" and self.machine.disk.unsynced:
            self.model.doubt_refusals()
        for change in (*self._lost, *self.calls_under_way):
            change.end(tick, None)
        self._lost.clear()
        self.calls_under_way.clear()
        if self.history.setup.store == "memory":
            self.model.lose_everything()

    def restart(self) -> bool:
        """Stop the daemon in order, and start it again."""
        if not self.machine.running or self.machine.stopping:
            return False
        self.ended_starts.add(self.machine.starts)
        self.log("the daemon stops")

        def stopped() -> None:
            self._ended(self.model.now())
            self.schedule.after(0.1, self._start)

        self.machine.stop(stopped)
        return True

    def saves_at_once(self) -> bool:
        """Whether the daemon runs, on a disk that is not slow."""
        machine = self.machine
        return machine.running and not machine.stopping and self.schedule.now > self.slow_until

    def disk_fails(self, fails: bool) -> None:
        """The disk fails, or works again."""
        if not fails:
            self.machine.disk.error = ""
            self.machine.disk.failures = 0
            # What has failed is tried again a second later.
            self.schedule.after(2.0, self._disk_recovered)
        else:
            self.model.store_fails(True)

    def _disk_recovered(self) -> None:
        if not self.machine.disk.error:
            self.model.store_fails(False)

    def settle_later(self, change: Change, link: Link | None) -> None:
        """The answer to a request is lost: some time later, it has taken effect or never does."""
        self.settle_call_later(change, 0 if link is None else link.daemon_start)

    def settle_call_later(self, change: Change, start: int) -> None:
        """The answer to a request to a daemon, given by its start, is lost: see `settle_later`."""
        if start in self._ended_at:
            change.end(self._ended_at[start], None)
        elif start == 0:
            change.end(self.model.now(), None)
        else:
            self._lost.append(change)
            self.schedule.after(150.0, lambda: change.end(self.model.now(), None))


def run(history: History) -> Outcome:
    """Run a history."""
    # The collection at the end looks at the objects of this history only.
    gc.freeze()
    with sizes(history.setup.sizes):
        outcome = World(history).run()
    gc.collect()
    return outcome
