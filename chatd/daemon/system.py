"""What the daemon takes from the machine and from the process, besides its reactor."""

from __future__ import annotations

import atexit
import os
import resource
import secrets
import sqlite3
import sys
from collections.abc import Collection, Iterable
from typing import Any

from argon2 import PasswordHasher
from twisted.internet.protocol import Factory
from twisted.logger import globalLogPublisher
from twisted.python.threadpool import ThreadPool

from chatd.auth.passwords import THREADS
from chatd.core.clocks import now
from chatd.daemon.file_modes import exposed
from chatd.daemon.listeners import check_port
from chatd.daemon.log_level import LogFilter
from chatd.daemon.signals import reload_on_signal, stop_on_signals
from chatd.server.owner_socket import OwnerPort
from chatd.server.tls import Certificate
from chatd.stores.sqlite.file import connect
from chatd.stores.sqlite.workers import Worker, WorkerThread, start_thread


class System:
    """The machine and the process that the daemon runs in.

    Everything in the daemon that is not a function of its options, its input and its reactor comes
    from here: a program that gives `makeService` another system controls all of it, as the
    simulation in `tests/simulation/` does.
    """

    def now(self) -> int:
        """The time by the wall clock. See `chatd.core.clocks.now`."""
        return now()

    def random_bytes(self, count: int) -> bytes:
        """Bytes that cannot be guessed."""
        return secrets.token_bytes(count)

    def raise_open_files(self) -> int:
        """Allow as many open files as the system permits: each connection is one. Returns their
        number."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != hard:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        return sys.maxsize if hard == resource.RLIM_INFINITY else hard

    def count_open_files(self) -> int:
        """The number of files that this process has open."""
        return len(os.listdir("/dev/fd"))

    def exposed_files(self, paths: Iterable[str]) -> list[tuple[str, int]]:
        """Those of the files that other users may read or write. See `file_modes.exposed`."""
        return exposed(paths)

    def handle_signals(self, reactor: Any, certificates: Collection[Certificate]) -> None:
        """Stop the reactor on SIGTERM and SIGINT; read the certificates again on SIGHUP."""
        stop_on_signals(reactor)
        if certificates:
            reload_on_signal(reactor, certificates)

    def log_filter(self) -> LogFilter:
        """What decides how much of the log of this process is written."""
        return LogFilter(globalLogPublisher)

    def stop_failed(self, reactor: Any) -> None:
        """Stop the reactor, and have the process end with status 1."""
        # twistd has no other way: it ends with 0 when the reactor has stopped.
        atexit.register(_exit_failed)
        reactor.stop()

    def certificate(self, certificate: str, key: str) -> Certificate:
        """The daemon's TLS certificate, from two files. See `chatd.server.tls.Certificate`."""
        return Certificate(certificate, key)

    def check_port(self, host: str, port: int) -> None:
        """See `chatd.daemon.listeners.check_port`."""
        check_port(host, port)

    def owner_port(self, path: str, factory: Factory, reactor: Any) -> Any:
        """A port for the admin socket, not listening yet. See `OwnerPort`."""
        return OwnerPort(path, factory, reactor)

    def password_threads(self) -> Any:
        """A thread pool for hashing passwords, not started yet."""
        return ThreadPool(0, THREADS, "chatd-passwords")

    def password_hasher(self) -> Any:
        """What hashes and verifies passwords: an `argon2.PasswordHasher`."""
        return PasswordHasher()

    def connect(self, path: str, *, writing: bool) -> sqlite3.Connection:
        """A connection to the SQLite store. See `chatd.stores.sqlite.file.connect`."""
        return connect(path, writing=writing)

    def start_worker(self, worker: Worker, name: str) -> WorkerThread:
        """Run a worker of the SQLite store on a thread of its own, from now on."""
        return start_thread(worker, name)


def _exit_failed() -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(1)
