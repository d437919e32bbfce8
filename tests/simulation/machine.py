"""The simulated machine: starts, stops and kills the daemon, as `makeService` assembles it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from random import Random
from types import SimpleNamespace
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.logger import LogPublisher

from chatd.config.options import Options
from chatd.daemon.log_level import LogFilter
from chatd.daemon.service import makeService
from chatd.daemon.system import System
from chatd.protocols.grpc.held_accounts import IDLE
from chatd.protocols.grpc.server import GrpcServer
from tests.simulation.disk import Disk
from tests.simulation.event_loop import SimulatedLoop
from tests.simulation.network import Client, Conditions, Link, Port
from tests.simulation.reactor import Schedule, SimulatedReactor
from tests.simulation.secure import SimulatedCertificate
from tests.simulation.threads import Killed, PasswordThreads, PlainHasher, Threads

ADMIN = "admin"
"""the name of the admin socket, among the ports"""


class SimulatedSystem(System):
    """The machine, as the daemon sees it."""

    def __init__(self, machine: Machine, threads: Threads) -> None:
        self._machine = machine
        self._threads = threads
        self._random = Random(f"{machine.seed} entropy {machine.starts}")
        self.admin_port: Port | None = None

    def boot_id(self) -> str:
        """See `System`."""
        return f"boot {self._machine.boots}"

    def log_filter(self) -> LogFilter:
        """See `System`; the log of the simulation is not that of a daemon."""
        return LogFilter(LogPublisher())

    def stop_failed(self, reactor: Any) -> None:
        """See `System`."""
        reactor.stop()

    def now(self) -> int:
        """See `System`."""
        return int(self._machine.schedule.wall * 1000)

    def random_bytes(self, count: int) -> bytes:
        """See `System`."""
        return self._random.randbytes(count)

    def raise_open_files(self) -> int:
        """See `System`; connections are no files."""
        return sys.maxsize

    def count_open_files(self) -> int:
        """See `System`."""
        return 0

    def exposed_files(self, paths: Iterable[str]) -> list[tuple[str, int]]:
        """See `System`; the files have no modes."""
        return []

    def handle_signals(self, reactor: Any, certificates: Collection[Any]) -> None:
        """See `System`; there are no signals."""

    def certificate(self, certificate: str, key: str) -> Any:
        """See `System`."""
        return SimulatedCertificate(certificate, key)

    def check_port(self, host: str, port: int) -> None:
        """See `System`; every port is free."""

    def owner_port(self, path: str, factory: Factory, reactor: Any) -> Port:
        """See `System`."""
        self.admin_port = Port(factory, UNIXAddress(path.encode()))
        return self.admin_port

    def password_threads(self) -> PasswordThreads:
        """See `System`."""
        return PasswordThreads(self._threads)

    def password_hasher(self) -> PlainHasher:
        """See `System`."""
        return PlainHasher()

    def connect(self, path: str, *, writing: bool) -> Any:
        """See `System`."""
        return self._machine.disk.connect(path, writing=writing)

    def start_worker(self, worker: Any, name: str) -> Any:
        """See `System`."""
        return self._threads.start_worker(worker, name)


class Machine:
    """One machine with its network: at most one daemon runs on it at a time.

    `options` are those of the daemon without its store; `on_died` is called when the daemon has
    been killed, with whether the whole machine failed.
    """

    def __init__(
        self,
        seed: int,
        schedule: Schedule,
        disk: Disk | None,
        options: list[str],
        on_died: Callable[[bool], None],
    ) -> None:
        self.seed = seed
        self.schedule = schedule
        self._disk = disk
        self._options = options
        self._on_died = on_died
        self.on_stop_requested: Callable[[], None] = lambda: None
        """called when the daemon stops itself, because it cannot start"""
        self.on_damage: Callable[[str], None] = lambda sentence: None
        """called when a crash has left a file that SQLite cannot repair"""
        self.boots = 1
        self.starts = 0
        self.links: list[Link] = []
        self._link_count = 0
        self.threads: Threads | None = None
        self.stopping = False
        self._daemon: Any = None
        self._listens: Sequence[Any] = ()
        self._system: SimulatedSystem | None = None
        self.loop: SimulatedLoop | None = None
        """the event loop of gRPC"""
        self._loops: list[SimulatedLoop] = []
        self._grpc: GrpcServer | None = None
        # Killed daemons: their coroutines must not be closed, since their clean-up would run.
        self._killed: list[object] = []

    @property
    def disk(self) -> Disk:
        """The disk; the store must be a file."""
        assert self._disk is not None
        return self._disk

    @property
    def running(self) -> bool:
        """Whether there is a daemon."""
        return self._daemon is not None

    @property
    def factory(self) -> Any:
        """The factory of the daemon's connections."""
        return self._daemon.listener.port.factory

    def start(self) -> str:
        """Start the daemon; the reason why it does not start, empty if it does."""
        self.starts += 1
        schedule = self.schedule
        reactor = schedule.reactor = SimulatedReactor(schedule)
        self.threads = threads = Threads(
            schedule, Random(f"{self.seed} threads {self.starts}"), self._killed_by_disk
        )
        system = self._system = SimulatedSystem(self, threads)
        store = "memory" if self._disk is None else f"sqlite:{self._disk.path}"
        options = Options({})
        options.parseOptions(["--port", "65432", "--store", store, *self._options])
        try:
            daemon: Any = makeService(options, reactor, system)
            daemon.privilegedStartService()
            self._daemon = daemon
            daemon.startService()
        except SystemExit as refused:
            schedule.reactor = None
            self._daemon = None
            if self._disk is not None:
                # The process ends, and closes nothing.
                self._disk.crash(machine=False)
            return str(refused)
        except Killed:
            self._killed_by_disk()
            return ""
        self._listens = options["listen"]
        self.stopping = False
        # What grpcio does, which has sockets and threads of its own, is not simulated.
        self.loop = SimulatedLoop(schedule)
        self._loops.append(self.loop)
        self._grpc = GrpcServer(self.factory)
        self._grpc._idle_check.start(IDLE / 10, now=False)
        self.poll()
        return ""

    def poll(self) -> None:
        """Look for work of the threads, which the reactor may have given them."""
        if self._disk is not None and self._disk.dead:
            self._killed_by_disk()
        threads, reactor = self.threads, self.schedule.reactor
        if threads is not None:
            threads.poll()
        if reactor is not None and reactor.stopped and not self.stopping:
            self.on_stop_requested()

    def grpc_handler(self, method: str) -> Any:
        """What carries out a method of the gRPC service, and converts its messages."""
        assert self._grpc is not None
        details: Any = SimpleNamespace(method=f"/ChatService/{method}", invocation_metadata=())
        return self._grpc._handlers().service(details)

    def log_out_all(self) -> None:
        """Log all accounts out that the gRPC service has."""
        if self._grpc is not None:
            self._grpc._service.stop()

    def stop(self, on_stopped: Callable[[], None]) -> None:
        """Stop the daemon in order."""
        if self._daemon is None or self.stopping:
            return
        self.stopping = True
        daemon = self._daemon
        assert self._grpc is not None
        self._grpc._idle_check.stop()
        self._grpc._service.stop()

        def stopped(result: Any) -> Any:
            if self._daemon is daemon:
                self._daemon = None
                if self._disk is not None:
                    self._disk.stopped()
                on_stopped()
            return result

        stopping: Deferred[Any] = daemon.stopService()
        stopping.addBoth(stopped)

    def kill(self, machine: bool) -> None:
        """Kill the daemon; with `machine`, the whole machine fails and starts again."""
        if self._daemon is not None:
            self._die(machine)

    def _killed_by_disk(self) -> None:
        self._die(self.disk.machine_stops)

    def _die(self, machine: bool) -> None:
        assert self.threads is not None and self.schedule.reactor is not None
        self.threads.dead = True
        reactor = self.schedule.reactor
        reactor.thread_calls.clear()
        daemon = self._daemon
        if self.loop is not None:
            self.loop.dead = True
        self._killed += (daemon, self._grpc, reactor.calls)
        self._unlock(daemon)
        reactor.calls = []
        self.schedule.reactor = None
        self._daemon = None
        self.stopping = False
        if machine:
            self.boots += 1
        assert self._system is not None
        ports = [listener.port for listener in daemon.listeners]
        for port in (*ports, self._system.admin_port):
            if port is not None:
                port.stopListening()
        for link in self.links:
            link.daemon_died(machine)
        self.links.clear()
        if self._disk is not None:
            self._disk.crash(machine)
            for damage in self._disk.damage:
                self.on_damage(damage)
            self._disk.damage.clear()
        self._on_died(machine)

    def connect(self, client: Client, conditions: Conditions, host: int, port: str) -> Link:
        """A connection from a host to a port by its name in ``--listen``: the main port without
        one, or the admin socket (`ADMIN`)."""
        self._link_count += 1
        link = Link(self.schedule, conditions, client, self._link_count, port == ADMIN)
        link.host = host
        listening = None
        if self._daemon is not None and self._system is not None:
            listening = self._system.admin_port if port == ADMIN else self._port(port)
            self.links.append(link)
        link.daemon_start = self.starts
        link.connect(listening)
        return link

    def _port(self, name: str) -> Any:
        names = [listen.name for listen in self._listens]
        return self._daemon.listeners[1 + names.index(name) if name else 0].port

    def _unlock(self, daemon: Any) -> None:
        """Release the lock of the store's file, as the system does when a process ends."""
        lock = getattr(daemon._store, "_lock", -1)
        if lock >= 0:
            os.close(lock)

    def close(self) -> None:
        """Release everything that daemons have left."""
        if self._daemon is not None:
            self._die(False)
        if self._disk is not None:
            self._disk.close()
        for loop in self._loops:
            loop.dispose()
        self._killed.clear()
