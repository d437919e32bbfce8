"""From options to a running daemon: the one place that knows every part.

`makeService` only puts the parts together. Files and ports are opened when the service starts, and
closed in an order that loses nothing when it stops.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
from collections.abc import Awaitable, Coroutine, Iterable
from pathlib import Path
from typing import Any

from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred, DeferredList, TimeoutError
from twisted.internet.endpoints import quoteStringArgument
from twisted.internet.error import CannotListenError
from twisted.internet.task import deferLater
from twisted.logger import Logger

from chatd import __version__
from chatd.auth.credentials import portal
from chatd.auth.passwords import Passwords
from chatd.config.option_types import Listen
from chatd.config.options import Options
from chatd.core.errors import CertificateUnusable, Refused, SocketUnusable, StoreUnusable
from chatd.core.limits import Limits, Retention
from chatd.daemon.grpc_listener import GrpcListener, use_asyncio
from chatd.daemon.listeners import Listener, why_not_listening
from chatd.protocols.admin import AdminFactory
from chatd.protocols.doors import PORT_PROTOCOLS, SPOKEN, MainPort
from chatd.realm.accounts import Account
from chatd.realm.operations import Operations
from chatd.realm.permissions import CLOSED, INVITE_ONLY, Policy
from chatd.realm.realm import Realm
from chatd.realm.retention import Trimming
from chatd.realm.tasks import Tasks
from chatd.server.factory import ConnectionFactory, PortFactory
from chatd.server.owner_socket import OwnerPort, check_socket_path
from chatd.server.tls import Certificate
from chatd.stores.memory import MemoryStore
from chatd.stores.sqlite.file import check
from chatd.stores.sqlite.store import SQLiteStore

__all__ = ["Options", "makeService"]

_GRACE = 3.5
"""seconds that clients get, when the daemon stops, to take what they are owed"""


def makeService(options: Options, reactor: Any = None) -> MultiService:
    """The daemon that these options describe.

    Ends the process with a sentence (SystemExit) if the store, the port or the admin socket can be
    seen not to be usable.
    """
    if any(port.name == "grpc" for port in options["listen"]) and reactor is None:
        use_asyncio()
    if reactor is None:
        from twisted.internet import reactor
    limits = Limits(rate=options["rate"])
    sort, _, path = options["store"].partition(":")
    store: MemoryStore | SQLiteStore
    if sort == "memory":
        store = MemoryStore()
    else:
        # twistd may change its folder (--rundir, or as a daemon) before the service starts.
        path = os.path.abspath(path)
        try:
            check(path)
        except StoreUnusable as unusable:
            raise SystemExit(f"chatd: {unusable}") from None
        store = SQLiteStore(reactor, path)
    _check_port(options["host"], options["port"])
    for port in options["listen"]:
        if port.interface is not None:
            _check_port(port.interface, int(port.parts[1]))
        elif port.parts[0] == "unix" and not Path(port.parts[1]).absolute().parent.is_dir():
            raise SystemExit(f"chatd: there is no folder for the socket {port.parts[1]}")
    if options["admin"] is not None:
        options["admin"] = os.path.abspath(options["admin"])
        try:
            check_socket_path(options["admin"])
        except SocketUnusable as unusable:
            raise SystemExit(f"chatd: {unusable}") from None
    certificate = None
    if options["tls-cert"] is not None:
        try:
            # twistd may change its folder, and they are read again later.
            certificate = Certificate(
                os.path.abspath(options["tls-cert"]), os.path.abspath(options["tls-key"])
            )
        except CertificateUnusable as unusable:
            raise SystemExit(f"chatd: {unusable}") from None
    return Daemon(reactor, store, limits, options, certificate)


class AdminListener(Service):
    """The admin socket. It is made when the store is this daemon's, and operators wait until
    `accept`."""

    def __init__(self, reactor: Any, path: str, factory: AdminFactory) -> None:
        self.path = path
        self.factory = factory
        self._port: Any = OwnerPort(path, factory, reactor)

    def startService(self) -> None:
        """Make the socket; failing that, end the process with a sentence."""
        super().startService()  # type: ignore[no-untyped-call]
        try:
            self._port.startListening()
        except SocketUnusable as unusable:
            raise SystemExit(f"chatd: {unusable}") from None
        self._port.stopReading()

    def accept(self) -> None:
        """Let them in."""
        self._port.startReading()

    def stopService(self) -> Any:
        """Let nobody in any more, and remove the socket."""
        super().stopService()  # type: ignore[no-untyped-call]
        return self._port.stopListening()


class Daemon(MultiService):
    """The whole daemon."""

    logger = Logger(namespace="chatd")

    def __init__(
        self,
        reactor: Any,
        store: MemoryStore | SQLiteStore,
        limits: Limits,
        options: Options,
        certificate: Certificate | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._reactor = reactor
        self._store = store
        self._passwords = Passwords(reactor, limits)
        background = Tasks(self._spawn, self._sleep)
        self._realm = Realm(
            store,
            background,
            limits,
            boot=_boot(),
            now=lambda: int(reactor.seconds() * 1000),
            policy=Policy(options["registration"], options["allow-open-accounts"]),
        )
        retention = options["retain"]
        self._trimming = (
            Trimming(store, retention, background, self._realm.now, self._read)
            if retention != Retention()
            else None
        )
        self._certificate = certificate
        self._tls_only: bool = options["tls-only"]
        main_port = MainPort(certificate, self._tls_only)
        self._factory = ConnectionFactory(
            main_port,
            self._realm,
            portal(self._realm, self._passwords, reactor),
            self._passwords,
            limits,
            reactor,
        )
        main = Listen(
            "any", f"tcp:{options['port']}:interface={quoteStringArgument(options['host'])}"
        )
        self.listener = Listener(reactor, main, self._factory)
        entrances: dict[str, Any] = {**PORT_PROTOCOLS, "any": main_port}
        others = [
            GrpcListener(port, self._factory, certificate)
            if port.name == "grpc"
            else Listener(reactor, port, PortFactory(self._factory, entrances[port.name]))
            for port in options["listen"]
        ]
        self.listeners: list[Listener | GrpcListener] = [self.listener, *others]
        for listener in self.listeners:
            listener.setServiceParent(self)  # type: ignore[no-untyped-call]
        self.admin: AdminListener | None = None
        if options["admin"] is not None:
            operations = Operations(self._realm, self._passwords.hash)
            self.admin = AdminListener(reactor, options["admin"], AdminFactory(operations))
            self.admin.setServiceParent(self)  # type: ignore[no-untyped-call]

    def startService(self) -> None:
        """Open the store, then the door."""
        _raise_open_files()
        try:
            self._store.start()
        except StoreUnusable as unusable:
            raise SystemExit(f"chatd: {unusable}") from None
        self._passwords.start()
        super().startService()  # type: ignore[no-untyped-call]
        # Twisted's own handlers would have twistd end by the signal instead of with status 0.
        self._reactor.callWhenRunning(_stop_on_signals, self._reactor)
        certificates = {self._certificate, *(listener.certificate for listener in self._grpc())} - {
            None
        }
        if certificates:
            self._reactor.callWhenRunning(_reload_on_signal, self._reactor, certificates)
        # Listening is announced when signals are answered, not before.
        self._reactor.callWhenRunning(lambda: self._spawn(self._open()))

    async def _open(self) -> None:
        try:
            await self._realm.start()
            accounts = len(await self._store.list(Account.document_kind))
            for port in self._grpc():
                port.bind()
        except (Refused, RuntimeError) as error:
            self.logger.critical("chatd cannot start: {sentence}", sentence=str(error))
            self._reactor.stop()
            return
        self._greet(accounts)
        for listener in self.listeners:
            listener.accept()
        if self.admin is not None:
            self.admin.accept()
        if self._trimming is not None:
            self._spawn(self._trimming.go_on())

    def _spoken(self) -> str:
        """What the main port knows, for people."""
        if self._tls_only:
            return f"TLS only, and inside it {', '.join(SPOKEN)}"
        return ", ".join((*SPOKEN, *(["TLS"] if self._certificate is not None else [])))

    def _grpc(self) -> list[GrpcListener]:
        return [listener for listener in self.listeners if isinstance(listener, GrpcListener)]

    def _read(self, log: str) -> int | None:
        """Up to which seq the sessions of an inbox have read it; None if there are none."""
        mailbox = self._realm.mailbox(log.removeprefix("@"))
        return None if mailbox is None or not mailbox.loaded else mailbox.consumed

    def _greet(self, accounts: int) -> None:
        self.logger.info(
            "chatd {version} is listening on {address}  ({spoken})",
            version=__version__,
            address=self.listener.address,
            spoken=self._spoken(),
        )
        for listener in self.listeners[1:]:
            self.logger.info(
                "Listening as well: {title} on {address}",
                title=listener.title,
                address=listener.address,
            )
        if isinstance(self._store, SQLiteStore):
            size = sum(
                file.stat().st_size
                for end in ("", "-wal")
                if (file := Path(self._store.path + end)).exists()
            )
            self.logger.info(
                "Data: {path}  ({accounts} accounts, {size:.1f} MB)",
                path=self._store.path,
                accounts=accounts,
                size=size / 1e6,
            )
        else:
            self.logger.info("Data: in memory only; all of it is gone when the daemon stops")
        who = _who(self._realm.policy, self.admin is not None)
        reached = [listener.address for listener in self.listeners if not listener.local]
        if not reached:
            self.logger.info("Reach: this machine only (--host 0.0.0.0 for others). {who}", who=who)
        else:
            self.logger.warn(
                "Reach: anyone who can reach {host}. {who}; {tls}",
                host=", ".join(reached),
                who=who,
                tls="nothing is encrypted"
                if self._certificate is None
                else "TLS is there for those who use it",
            )
        host, _, number = self.listener.address.rpartition(":")
        self.logger.info(
            "Connect: python -m chatd.client YOUR_NAME {scheme}://{host}:{port}",
            scheme="chats" if self._tls_only else "chat",
            host="localhost" if host in ("127.0.0.1", "0.0.0.0", "[::]", "[::1]") else host,
            port=number,
        )
        if self.admin is not None:
            self.logger.info(
                "Administer: python -m chatd.admin --admin {path} --help", path=self.admin.path
            )
        self.logger.info("Stop: Ctrl-C, or kill {pid}", pid=os.getpid())

    async def _close(self) -> None:
        """Who is in is told, what was begun is committed and answered; then the file closes."""
        self.logger.info(
            "Stopping: {count} connections to close", count=len(self._factory.connections)
        )
        grace = self._reactor.callLater(_GRACE, self._abort)
        closing = [self._factory.close_all()]
        if self.admin is not None:
            closing.append(self.admin.factory.finish())
        closing += [listener.finish(_GRACE) for listener in self._grpc()]
        try:
            # Whatever still hangs after having been aborted waits for the store, which has its own
            # troubles.
            await DeferredList(closing).addTimeout(_GRACE + 0.5, self._reactor)
        except TimeoutError:
            self.logger.warn(
                "{count} connections did not close", count=len(self._factory.connections)
            )
        if grace.active():
            grace.cancel()
        self._factory.cancel_timers()
        await self._store.stop()
        self._passwords.stop()
        self.logger.info("Stopped; everything that was acknowledged is kept")

    def _abort(self) -> None:
        self._factory.abort_all()
        if self.admin is not None:
            self.admin.factory.abort()

    def stopService(self) -> Deferred[Any]:
        """Stop within 5 seconds; fires when all is written and closed."""
        stopped = super().stopService()  # type: ignore[no-untyped-call]
        return DeferredList([stopped, Deferred.fromCoroutine(self._close())], fireOnOneErrback=True)

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        Deferred.fromCoroutine(coroutine).addErrback(
            lambda failure: self.logger.failure("Something in the background failed", failure)
        )

    def _sleep(self, seconds: float) -> Awaitable[object]:
        return deferLater(self._reactor, seconds)


def _who(policy: Policy, admin: bool) -> str:
    """Who may become somebody here, in words; `admin`: whether there is a socket for making
    tokens."""
    if policy.registration == CLOSED:
        making = "Nobody may create an account"
    elif policy.registration == INVITE_ONLY and admin:
        making = "Creating an account takes an invite token (python -m chatd.admin invite)"
    elif policy.registration == INVITE_ONLY:
        making = "Creating an account takes an invite token; --admin PATH is needed to make one"
    else:
        making = "Anyone may create an account"
    return making + (", and use any account that has no password" if policy.open_accounts else "")


def _check_port(host: str, port: int) -> None:
    """Try the port before anything else is done, while there is a terminal to complain to."""
    try:
        family, sort, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, sort, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
            trial.listen(1)
    except (OSError, UnicodeError) as error:
        problem = CannotListenError(host, port, error)
        raise SystemExit(f"chatd: {why_not_listening(problem)}") from None


def _raise_open_files() -> None:
    """A connection is an open file, and most systems allow few of them unless asked."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _stop_on_signals(reactor: Any) -> None:
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        if not stopping:
            stopping = True
            reactor.callFromThread(reactor.stop)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)


def _reload_on_signal(reactor: Any, certificates: Iterable[Certificate]) -> None:
    def reload(*_: object) -> None:
        for certificate in certificates:
            reactor.callFromThread(certificate.reload)

    signal.signal(signal.SIGHUP, reload)


def _boot() -> str:
    """What tells one run of this machine from another: Linux's boot id, elsewhere nothing."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
