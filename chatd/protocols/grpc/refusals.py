"""The log of refused calls: of each connection the first few, as with other protocols."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from twisted.internet.interfaces import IReactorTime

from chatd.core.errors import Refused, WrongPassword
from chatd.core.names import NAME_LENGTH
from chatd.protocols.grpc.caller import Caller
from chatd.realm.counters import Counters
from chatd.server.client_log import ClientLog

_PERIOD = 600.0
"""seconds after which a connection is taken for another one: the end of one is not known here"""
_MAX_CONNECTIONS = 20_000
"""connections whose refusals are counted"""


class Refusals:
    """Logs refused calls in `client_log`, and counts them in `counters`."""

    def __init__(self, clock: Any, counters: Counters, client_log: ClientLog) -> None:
        self._clock = IReactorTime(clock)
        self._counters = counters
        self._client_log = client_log
        # By connection: when its first refusal was, and how many there have been.
        self._counts: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def log(self, caller: Caller, refused: Refused, account: str) -> None:
        """Log that a call for an account was refused, and count it. Connections to a unix socket
        cannot be told apart: the lines about each account are bounded."""
        self._counters.refused(refused.code, refused.quota)
        key = f"account {account[:NAME_LENGTH].lower()}" if caller.local else caller.peer
        if refused.code == WrongPassword.code:
            # Other refusals do not hide guesses.
            key += " wrong"
        now = self._clock.seconds()
        since, count = self._counts.get(key, (now, 0))
        if now - since > _PERIOD:
            del self._counts[key]
            since, count = now, 0
        self._counts[key] = (since, count + 1)
        while len(self._counts) > _MAX_CONNECTIONS:
            self._counts.popitem(last=False)
        self._client_log.refused(
            caller.address, caller.address_and_port, refused.code, account, count + 1
        )
