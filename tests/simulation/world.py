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

from tests.simulation.audit import audit
from tests.simulation.devices import DEVICES
from tests.simulation.disk import Disk
from tests.simulation.facts import Change
from tests.simulation.faults import FAULTS
from tests.simulation.history import NAMES, ROOMS, History, Step
from tests.simulation.leftovers import problems_in_file, tables_in_memory
from tests.simulation.listings import Listings
from tests.simulation.machine import Machine
from tests.simulation.model import Model
from tests.simulation.network import Link
from tests.simulation.old_file import write_old_file
from tests.simulation.operations import OPERATIONS
from tests.simulation.reactor import Schedule
from tests.simulation.v1 import V1Device


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
        self.schedule = Schedule()
        self.model = Model(NAMES, ROOMS)
        self.model.violations = self.outcome.violations
        self.model.log = self.log
        self.listings = Listings(self.model)
        self.connections = 0
        self.ended_starts: set[int] = {0}
        """the starts of the daemon that were followed by a stop or a kill"""
        self.faults_happened = False
        self._tokens = 0
        self._lost: list[Change] = []
        self.calls_under_way: list[Change] = []
        """calls of gRPC, which end with the daemon"""
        self._recent_faults: list[tuple[float, str]] = []
        memory = Path("/dev/shm")
        self._folder = tempfile.mkdtemp(dir=memory if memory.is_dir() else None)
        disk = None
        if history.setup.store == "sqlite":
            disk = Disk(self._folder, Random(f"{history.seed} disk"))
            disk.prepare()
        self.model.trimmed = "--retain" in history.setup.options
        options = ["--admin", self._folder + "/a", *history.setup.options]
        self.machine = Machine(history.seed, self.schedule, disk, options, self._died)
        self.machine.on_stop_requested = self._stop_requested
        self.schedule.on_turn = self.machine.poll
        self.schedule.on_long_turn = lambda work: self.model.violated(
            "work:too-long", f"{work:.3f} s in one turn"
        )
        self.devices = [
            DEVICES[protocol](self, number, name)
            for number, (protocol, name) in enumerate(history.setup.devices)
        ]
        if disk is not None and history.setup.old_file:
            write_old_file(disk.path, self.model, Random(f"{history.seed} old file"))
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
        self.outcome.trace.append(f"{self.schedule.now:10.4f} {line}")

    def new_token(self, sort: str = "m") -> str:
        """A mark for a text (``m``), or for something else."""
        self._tokens += 1
        return f"{sort}{self._tokens}"

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
                (name, fault) for at, fault in self._recent_faults if self.schedule.now - at < 10.0
            )

    def _end(self) -> None:
        """Let the machine and the network recover; then everything must be in order."""
        self.log("everything works again")
        disk = self.machine.disk if self.history.setup.store == "sqlite" else None
        if disk is not None:
            self.disk_fails(False)
            disk.kill = None
        for link in self.machine.links:
            link.recover()
        self.schedule.run_for(30.0)
        if not self.machine.running:
            self._start()
        self.schedule.run_for(130.0)
        for device in self.devices:
            device.check_rest()
        for device in self.devices:
            device.hang_up()
        self.schedule.run_for(70.0)
        audit(self)
        self.model.check_end()
        if self.machine.chat_service is not None:
            self.machine.chat_service.stop()
        self.schedule.run_for(200.0)
        self._check_memory()
        self._stop_at_end()
        if self.history.setup.store == "sqlite" and not self.machine.running:
            for kind, sentence in problems_in_file(self.machine.disk.path):
                self.model.violated(kind, sentence)

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
        for change in (*self._lost, *self.calls_under_way):
            change.end(tick, None)
        self._lost.clear()
        self.calls_under_way.clear()
        self.schedule.after(0.5, self._start)

    def restart(self) -> bool:
        """Stop the daemon in order, and start it again."""
        if not self.machine.running or self.machine.stopping:
            return False
        self.ended_starts.add(self.machine.starts)
        self.log("the daemon stops")
        self.machine.stop(lambda: self.schedule.after(0.1, self._start))
        return True

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
        if link is None or link.daemon_start != self.machine.starts or not self.machine.running:
            change.end(self.model.now(), None)
            return
        self._lost.append(change)
        self.schedule.after(150.0, lambda: change.end(self.model.now(), None))


def run(history: History) -> Outcome:
    """Run a history."""
    outcome = World(history).run()
    gc.collect()
    return outcome
