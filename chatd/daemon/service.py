"""From options to a running daemon: the one place that knows every part.

`makeService` only assembles the parts. Files and ports are opened when the service starts, and
closed, in an order that loses nothing, when it stops.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Coroutine
from contextlib import suppress
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.endpoints import quoteStringArgument
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.auth.credentials import portal
from chatd.auth.passwords import Passwords
from chatd.config.option_types import Listen
from chatd.config.options import Options
from chatd.config.python_command import python_command
from chatd.core.clocks import use_monotonic_clock
from chatd.core.errors import (
    CertificateUnusable,
    Refused,
    SocketUnusable,
    StoreUnavailable,
    StoreUnusable,
)
from chatd.core.limits import Limits, Retention
from chatd.daemon.banner import Banner
from chatd.daemon.file_modes import store_files, warning
from chatd.daemon.grpc_listener import GrpcListener, use_asyncio
from chatd.daemon.listeners import AdminListener, Listener
from chatd.daemon.system import System
from chatd.protocols.admin.connection import AdminFactory
from chatd.protocols.doors import ANY, GRPC, connection_maker, main_port
from chatd.realm.accounts import Account
from chatd.realm.operations import Operations
from chatd.realm.permissions import Policy
from chatd.realm.realm import Realm
from chatd.realm.retention import Trimming
from chatd.realm.tasks import Tasks
from chatd.server.factory import ConnectionFactory, PortFactory
from chatd.server.owner_socket import check_socket_path
from chatd.server.tls import Certificate
from chatd.stores import Quota
from chatd.stores.memory import MemoryStore
from chatd.stores.sqlite.file import check
from chatd.stores.sqlite.store import SQLiteStore

logger = Logger(namespace="chatd")

__all__ = ["Options", "makeService"]

_GRACE = 3.5
"""seconds that connections have, when the daemon stops, to receive what is due to them"""
_RESERVED_FILES = 48
"""open files that are left to the store, to a backup, to the log and to operators
(`chatd.protocols.admin.connection.MAX_CONNECTIONS`)"""
_GRPC_SHARE = 8
"""one of so many open files may be a connection to a gRPC port, of which gRPC accepts no more"""
_FEW_CONNECTIONS = 100
"""connections that a daemon should be able to have; with fewer, it warns at the start"""


def makeService(
    options: Options, reactor: Any = None, system: System | None = None
) -> MultiService:
    """Return the daemon that these options describe, for a reactor and a system of its own.

    The clock of `reactor` must be monotonic. None is Twisted's reactor, which is given such a clock
    here, before anything of the daemon is scheduled.

    Raises SystemExit with a sentence if the store, a port, the admin socket or the certificate
    cannot be used, as far as that can be known before the start.
    """
    if any(listen.name == GRPC.name for listen in options["listen"]) and reactor is None:
        use_asyncio()
    if reactor is None:
        from twisted.internet import reactor

        use_monotonic_clock(reactor)
    if system is None:
        system = System()
    limits = Limits(
        rate=options["rate"],
        account_sessions=options["account-sessions"],
        address_sessions=options["address-sessions"],
        address_unauthenticated=options["address-connections"],
        mailbox_bytes=options["mailbox-size"],
        sender_bytes=options["sender-size"],
        deleted_room_time=options["keep-deleted-rooms"],
        address_accounts=options["address-accounts"][0],
        local_accounts=options["address-accounts"][1],
        rooms_made=options["account-rooms"],
    )
    quota = Quota(mailbox=limits.mailbox_bytes, sender=limits.sender_bytes)
    kind, _, path = options["store"].partition(":")
    store: MemoryStore | SQLiteStore
    if kind == "memory":
        store = MemoryStore(quota)
    else:
        # twistd may change the current folder (--rundir, or in the background) before the start.
        path = os.path.abspath(path)
        try:
            check(path)
        except StoreUnusable as unusable:
            raise SystemExit(f"chatd: {unusable}") from None
        store = SQLiteStore(reactor, path, system.start_worker, system.connect, quota)
    system.check_port(options["host"], options["port"])
    options["listen"] = [listen.absolute() for listen in options["listen"]]
    for listen in options["listen"]:
        if listen.interface is not None:
            system.check_port(listen.interface, int(listen.parts[1]))
        elif listen.path is not None:
            try:
                check_socket_path(listen.path, "socket", "choose another")
            except SocketUnusable as unusable:
                raise SystemExit(f"chatd: {unusable}") from None
    if options["admin"] is not None:
        options["admin"] = os.path.abspath(options["admin"])
        try:
            check_socket_path(options["admin"])
        except SocketUnusable as unusable:
            raise SystemExit(f"chatd: {unusable}") from None
    certificate = None
    if options["tls-cert"] is not None:
        try:
            # Absolute, because the files are read again later.
            certificate = system.certificate(
                os.path.abspath(options["tls-cert"]), os.path.abspath(options["tls-key"])
            )
        except CertificateUnusable as unusable:
            raise SystemExit(f"chatd: {unusable}") from None
    return Daemon(reactor, system, store, limits, options, certificate)


def _log_failure(failure: Failure) -> None:
    if not failure.check(CancelledError):
        logger.failure("A background task failed", failure)


class Daemon(MultiService):
    """The whole daemon: store, realm, ports and admin socket."""

    def __init__(
        self,
        reactor: Any,
        system: System,
        store: MemoryStore | SQLiteStore,
        limits: Limits,
        options: Options,
        certificate: Certificate | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._reactor = reactor
        self._system = system
        self._options = options
        # Now: twistd may change the current folder before the start.
        self._python = python_command()
        self._folder = os.getcwd()
        self._store = store
        self._log_filter = system.log_filter()
        self._passwords = Passwords(
            reactor,
            limits,
            system.password_hasher(),
            system.password_threads(),
            system.random_bytes,
        )
        tasks = Tasks(self._spawn, self._sleep)
        self._realm = Realm(
            store,
            tasks,
            limits,
            self._passwords.hash,
            now=system.now,
            seconds=reactor.seconds,
            policy=Policy(
                options["registration"],
                options["allow-open-accounts"],
                options["list-before-login"],
            ),
            random_bytes=system.random_bytes,
        )
        retention = options["retain"]
        self._trimming = (
            Trimming(store, retention, tasks, self._realm.now, self._consumed)
            if retention != Retention()
            else None
        )
        self._open_files = sys.maxsize
        self._opening: Deferred[None] | None = None
        self._periodic: list[Deferred[None]] = []
        self._certificate = certificate
        protocol = main_port(certificate, options["tls-only"])
        self._factory = ConnectionFactory(
            protocol,
            self._realm,
            portal(self._realm, self._passwords, reactor),
            limits,
            reactor,
        )
        host = quoteStringArgument(options["host"])
        main = Listen(ANY, f"tcp:{options['port']}:interface={host}")
        admission = self._factory.admission
        self.listener = Listener(reactor, main, self._factory, admission)
        grpc_thread_ids: dict[int, int] = {}
        others = [
            GrpcListener(listen, self._factory, certificate, grpc_thread_ids)
            if listen.name == GRPC.name
            else Listener(
                reactor,
                listen,
                PortFactory(
                    self._factory,
                    connection_maker(listen.name, protocol, secure=listen.parts[0] == "ssl"),
                ),
                admission,
            )
            for listen in options["listen"]
        ]
        self.listeners: list[Listener | GrpcListener] = [self.listener, *others]
        for listener in self.listeners:
            listener.setServiceParent(self)  # type: ignore[no-untyped-call]
        self.admin: AdminListener | None = None
        if options["admin"] is not None:
            path = options["admin"]
            admin_factory = AdminFactory(
                Operations(self._realm, system.random_bytes, self._log_filter)
            )
            port = system.owner_port(path, admin_factory, reactor)
            self.admin = AdminListener(path, admin_factory, port)
            self.admin.setServiceParent(self)  # type: ignore[no-untyped-call]

    def privilegedStartService(self) -> None:
        """Bind the ports. Raises SystemExit with a sentence if that fails."""
        self._open_files = self._system.raise_open_files()
        for port in self._grpc():
            port.most = max(1, self._open_files // _GRPC_SHARE)
        super().privilegedStartService()  # type: ignore[no-untyped-call]

    def startService(self) -> None:
        """Open the store and the admin socket; connections are accepted once the reactor runs."""
        self._log_filter.start(self._options["log-level"])
        try:
            self._store.start()
        except StoreUnusable as unusable:
            raise SystemExit(f"chatd: {unusable}") from None
        self._passwords.start()
        super().startService()  # type: ignore[no-untyped-call]
        # After Twisted has set its own handlers, and before the banner says how to stop.
        of_ports = [listener.certificate for listener in self._grpc()]
        certificates = {each for each in (self._certificate, *of_ports) if each is not None}
        self._reactor.callWhenRunning(self._system.handle_signals, self._reactor, certificates)
        self._reactor.callWhenRunning(self._begin)

    def _begin(self) -> None:
        """Open the daemon, or end the process with a status other than 0."""
        self._opening = Deferred.fromCoroutine(self._open()).addErrback(self._cannot_start)

    def _cannot_start(self, failure: Failure) -> None:
        if not self.running:
            # The daemon was stopped meanwhile; what it waited for was cancelled (asyncio has an
            # exception of its own for that).
            return
        if failure.check(Refused):
            logger.critical("chatd cannot start: {sentence}", sentence=str(failure.value))
        else:
            logger.failure("chatd cannot start", failure)
        self._system.stop_failed(self._reactor)

    async def _open(self) -> None:
        await self._realm.start()
        accounts = await self._store.count(Account.document_kind)
        self._reserve_open_files()
        self._log_banner(accounts)
        self._warn_of_exposed_files()
        for listener in self.listeners:
            listener.accept()
        if self.admin is not None:
            self.admin.accept()
        periodic = [
            self._realm.resume_tokens.run(),
            self._realm.access_tokens.run(),
            self._realm.rooms.remove_expired(),
        ]
        if self._trimming is not None:
            periodic.append(self._trimming.run())
        self._periodic = list(map(self._spawn, periodic))
        for port in self._grpc():
            await port.accepting()

    def _reserve_open_files(self) -> None:
        """Accept as many connections as leave a reserve of open files."""
        used = self._system.count_open_files() + _RESERVED_FILES
        of_port = min(self._factory.limits.grpc_connections, self._open_files // _GRPC_SHARE)
        used += of_port * len(self._grpc())
        most = max(1, self._open_files - used)
        self._factory.set_capacity(most)
        if most < _FEW_CONNECTIONS:
            logger.warn(
                "Only {most} connections can be open: the system allows {files} open files "
                "(ulimit -Hn)",
                most=most,
                files=self._open_files,
            )

    def _grpc(self) -> list[GrpcListener]:
        return [listener for listener in self.listeners if isinstance(listener, GrpcListener)]

    def _consumed(self, account: int) -> int | None:
        """The seq up to which the sessions of an account need no entries of its mailbox; None if it
        has no sessions."""
        mailbox = self._realm.sessions.mailbox(account)
        return None if mailbox is None or not mailbox.loaded else mailbox.consumed

    def _log_banner(self, accounts: int) -> None:
        certificate = self._certificate
        Banner(
            self.listeners,
            self._store.path if isinstance(self._store, SQLiteStore) else None,
            accounts,
            self._realm.policy,
            None if self.admin is None else self.admin.path,
            certificate is not None,
            self._options["tls-only"],
            self._python,
            self._folder,
            certificate.certificate if certificate and certificate.self_signed else None,
            certificate.names if certificate else (),
        ).log(logger)

    def _warn_of_exposed_files(self) -> None:
        """Log the files whose modes let other users read them, or connect to the admin socket."""
        paths = store_files(self._store.path) if isinstance(self._store, SQLiteStore) else []
        if self.admin is not None:
            paths.append(self.admin.path)
        files = self._system.exposed_files(paths)
        if files:
            logger.warn("{warning}", warning=warning(files))

    async def _close(self) -> None:
        """Close connections, commit and answer what they have sent, then close the store."""
        logger.info("Stopping: {count} connections to close", count=len(self._factory.connections))
        if self._opening is not None:
            self._opening.cancel()
        grace = self._reactor.callLater(_GRACE, self._abort)
        closing = [self._factory.close_all()]
        if self.admin is not None:
            closing.append(self.admin.factory.finish())
        closing += [listener.finish(_GRACE) for listener in self._grpc()]
        # A connection that is still open after it has been aborted waits for a failing store.
        closed = DeferredList(closing, consumeErrors=True)
        for _, result in await closed.addTimeout(_GRACE + 0.5, self._reactor):
            if isinstance(result, Failure):
                _log_failure(result)
        if self._factory.connections:
            logger.warn("{count} connections did not close", count=len(self._factory.connections))
        if grace.active():
            grace.cancel()
        self._factory.cancel_timers()
        for work in self._periodic:
            work.cancel()
        with suppress(StoreUnavailable):
            await self._realm.stop()
        await self._store.stop()
        self._passwords.stop()
        if isinstance(self._store, MemoryStore):
            logger.info("Stopped; the store was in memory, and everything in it is lost")
        else:
            logger.info("Stopped; every acknowledged message is stored")
        self._log_filter.stop()

    def _abort(self) -> None:
        self._factory.abort_all()
        if self.admin is not None:
            self.admin.factory.abort()

    def stopService(self) -> Deferred[Any]:
        """Stop within 5 seconds; fires when everything is stored and closed."""
        stopped = super().stopService()  # type: ignore[no-untyped-call]
        return DeferredList([stopped, Deferred.fromCoroutine(self._close())], fireOnOneErrback=True)

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> Deferred[None]:
        """Run a coroutine in the background, until it returns or is cancelled."""
        return Deferred.fromCoroutine(coroutine).addErrback(_log_failure)

    def _sleep(self, seconds: float) -> Awaitable[object]:
        return deferLater(self._reactor, seconds)
