"""The lines of the log about clients: who has connected, who is offline, and who was refused, why,
and for which account.

Programs such as fail2ban read the refusals (``docs/recipes/fail2ban.md``), so their form is the
same for every protocol. A client that connects again and again must not fill the disk: the lines
about an address are bounded.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from chatd.core.addresses import LOCAL, network_of
from chatd.core.errors import WrongPassword
from chatd.core.log_text import tried_name
from chatd.server.deadlines import Deadlines

logger = Logger(namespace="chatd")

LOGGED = 10
"""refusals of a connection that are logged"""
PERIOD = 60.0
"""seconds in which the lines about an address are bounded, and for which it then has none"""
LINES = 100
"""lines of one kind about an address of another machine in a `PERIOD`"""
LOCAL_LINES = 40_000
"""those about all clients on this machine: 15,000 that connect and disconnect are logged"""
MAX_ADDRESSES = 20_000
"""addresses whose lines are counted, for each kind; over it, the one that was first is counted from
the start"""

_SESSIONS = "log-ins and log-outs"
_REFUSALS = "refusals"
_GUESSES = "wrong passwords"


@dataclass(eq=False)
class _Count:
    """The lines of one kind about one network: since when, how many, and how many were left out."""

    kind: str
    network: str
    since: float
    lines: int = 0
    left_out: int = 0


class ClientLog:
    """Logs what clients do, with a bound for each address and kind of line.

    Wrong passwords are a kind of their own: what other connections of the address do does not hide
    guesses from a program that counts them.
    """

    def __init__(self, clock: Any) -> None:
        self._clock = IReactorTime(clock)
        self._counts: dict[str, OrderedDict[str, _Count]] = {
            kind: OrderedDict() for kind in (_SESSIONS, _REFUSALS, _GUESSES)
        }
        self._silent: Deadlines[_Count] = Deadlines(clock, PERIOD, self._forget)

    def connected(self, address: str, client: str, account: str) -> None:
        """Log that a client has logged in to an account. `address` is what it is counted as, in the
        form that `chatd.core.addresses.network_of` reads; `client` has the port as well."""
        if self._may_log(_SESSIONS, address):
            logger.info("Client {client} connected  [ {account} ]", client=client, account=account)

    def offline(self, address: str, client: str, account: str) -> None:
        """Log that the session of a client has ended."""
        if self._may_log(_SESSIONS, address):
            logger.info("Client {client} is offline  [ {account} ]", client=client, account=account)

    def refused(self, address: str, client: str, reason: str, account: str, number: int) -> None:
        """Log the refusal with this number of a connection, if it is one of the first.

        `account` is the name that the client gave, or that of its session, or empty.
        """
        kind = _GUESSES if reason == WrongPassword.code else _REFUSALS
        if number > LOGGED or not self._may_log(kind, address):
            return
        last = " (further refusals of this client are not logged)" if number == LOGGED else ""
        logger.info(
            "Client {client} refused: {reason}  [ {account} ]{last}",
            client=client,
            reason=reason,
            account=tried_name(account),
            last=last,
        )

    def stop(self) -> None:
        """Log how many lines have been left out, and cancel the timer."""
        for counts in self._counts.values():
            for count in list(counts.values()):
                self._forget(count)
        self._silent.stop()

    def _may_log(self, kind: str, address: str) -> bool:
        """Count one more line of a kind; whether it is logged."""
        network = network_of(address)
        counts = self._counts[kind]
        now = self._clock.seconds()
        count = counts.get(network)
        if count is not None and not count.left_out and now - count.since >= PERIOD:
            del counts[network]
            count = None
        if count is None:
            while len(counts) >= MAX_ADDRESSES:
                self._forget(next(iter(counts.values())))
            count = counts[network] = _Count(kind, network, now)
        if count.lines < (LOCAL_LINES if network == LOCAL else LINES):
            count.lines += 1
            return True
        if not count.left_out:
            self._silent.touch(count)
            logger.info(
                "Clients at {network}: further {kind} are not logged for a minute",
                network=network,
                kind=kind,
            )
        count.left_out += 1
        return False

    def _forget(self, count: _Count) -> None:
        """Count the lines of a network from the start, and log how many were left out."""
        del self._counts[count.kind][count.network]
        self._silent.discard(count)
        if count.left_out:
            logger.info(
                "Clients at {network}: {left_out} {kind} were not logged",
                network=count.network,
                left_out=count.left_out,
                kind=count.kind,
            )
