"""What the daemon prints when it has started: where it listens, who can log in, what to type."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from twisted.logger import Logger, LogLevel

from chatd import __version__
from chatd.config.options import DEFAULT_ADMIN
from chatd.daemon.grpc_listener import GrpcListener
from chatd.daemon.listeners import Listener
from chatd.protocols.doors import shown_titles
from chatd.realm.permissions import CLOSED, INVITE_ONLY, Policy

_ANY_ADDRESS = ("127.0.0.1", "0.0.0.0", "[::]", "[::1]")
"""addresses that include this machine's own, which clients here reach as ``localhost``"""


@dataclass(frozen=True)
class Banner:
    """A daemon that has started. The first of `listeners` has the main port.

    `store_path` is None if the store is in memory, `admin_path` if there is no admin socket.
    `python` is the command that runs this Python (`chatd.config.python_command`) in `folder`.
    `trusted` is the file of the certificate if clients do not trust it by themselves, and
    `certified` are the names and addresses that it is for.
    """

    listeners: Sequence[Listener | GrpcListener]
    store_path: str | None
    accounts: int
    policy: Policy
    admin_path: str | None
    has_certificate: bool
    tls_only: bool
    python: str
    folder: str
    trusted: str | None = None
    certified: Sequence[str] = ()

    def log(self, logger: Logger) -> None:
        """Log every line."""
        for level, line in self.lines():
            logger.emit(level, "{line}", line=line)

    def lines(self) -> Iterator[tuple[LogLevel, str]]:
        """Each line and its level."""
        main, *others = self.listeners
        yield LogLevel.info, f"chatd {__version__} is listening on {main.address}"
        yield LogLevel.info, f"Protocols: {self._protocols()}"
        for listener in others:
            yield LogLevel.info, f"Also listening: {listener.title} on {listener.address}"
        yield LogLevel.info, f"Data: {self._data()}"
        yield self._reach()
        yield LogLevel.info, f"Connect: {self.python} -m chatd.client NAME {self._server()}"
        if self.admin_path is not None:
            command = f"{self.python} -m chatd.admin --admin {shlex.quote(self.admin_path)} --help"
            yield LogLevel.info, f"Administer: {command}"
        yield LogLevel.info, f"Stop: Ctrl-C, or kill {os.getpid()}"

    def _protocols(self) -> str:
        if self.tls_only:
            return f"TLS only, and inside it {shown_titles()}"
        if self.has_certificate:
            return f"{shown_titles()}; each of them also inside TLS"
        return shown_titles()

    def _data(self) -> str:
        if self.store_path is None:
            return "in memory only; everything is lost when the daemon stops"
        files = [Path(self.store_path + suffix) for suffix in ("", "-wal")]
        size = sum(file.stat().st_size for file in files if file.exists())
        return f"{self.store_path}  ({self.accounts} accounts, {size / 1e6:.1f} MB)"

    def _reach(self) -> tuple[LogLevel, str]:
        reachable = [listener.address for listener in self.listeners if not listener.local]
        if not reachable:
            only = "this machine only (--host 0.0.0.0 for others)"
            return LogLevel.info, f"Reach: {only}. {self._registration()}"
        encryption = "TLS is optional" if self.has_certificate else "nothing is encrypted"
        if self.tls_only:
            encryption = "the main port requires TLS"
        everyone = f"anyone who can reach {', '.join(reachable)}"
        return LogLevel.warn, f"Reach: {everyone}. {self._registration()}; {encryption}"

    def _registration(self) -> str:
        """Who can create accounts, and who can use them."""
        invite = f"{self.python} -m chatd.admin invite"
        if self.admin_path not in (None, os.path.join(self.folder, DEFAULT_ADMIN)):
            invite = f"{self.python} -m chatd.admin --admin {shlex.quote(self.admin_path)} invite"
        if self.policy.registration == CLOSED:
            sentence = "No account can be created"
        elif self.policy.registration == INVITE_ONLY and self.admin_path is not None:
            sentence = f"Creating an account requires an invite token ({invite})"
        elif self.policy.registration == INVITE_ONLY:
            sentence = (
                "Creating an account requires an invite token; making one requires --admin PATH"
            )
        else:
            sentence = "Anyone can create an account"
        anyone = ", and anyone can use an account that has no password"
        return sentence + (anyone if self.policy.open_accounts else "")

    def _server(self) -> str:
        """The client's arguments for this server."""
        host, _, port = self.listeners[0].address.rpartition(":")
        host = "localhost" if host in _ANY_ADDRESS else host
        if not self.tls_only:
            return f"chat://{host}:{port}"
        if host.strip("[]") not in self.certified:
            names = (name for name in self.certified if _is_host_name(name))
            host = next(names, host)
        trust = "" if self.trusted is None else f" --tls-ca {shlex.quote(self.trusted)}"
        return f"chats://{host}:{port}{trust}"


def _is_host_name(text: str) -> bool:
    """Whether this is a name, neither an address nor a pattern."""
    return not re.search(r"[:*]|\.\d+$", text)
