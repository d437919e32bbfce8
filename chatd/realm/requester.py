"""The client that a request is carried out for: it is charged for the work, and the work ends when
it has disconnected.

Work that takes many steps calls `examine` before each of them. A request that changes something is
finished all the same; one that only reads is of no use to anyone without its client.
"""

from __future__ import annotations

from typing import Protocol

from chatd.core.addresses import LOCAL

NAMES_PER_COMMAND = 100
"""names that are listed, or compared with a pattern, and count as one command against a rate"""


class Disconnected(Exception):
    """The client of a request has disconnected, so the rest of the work was left undone."""


class Requester(Protocol):
    """A client with a request that only reads."""

    @property
    def disconnected(self) -> bool:
        """Whether its connection is closed, or its call was cancelled."""

    def charge(self, commands: float) -> None:
        """Count commands against its rates."""


class Client(Protocol):
    """A client whose requests take turns with those from other addresses."""

    @property
    def address(self) -> str:
        """Its address without the port, `chatd.core.addresses.LOCAL` at a unix socket."""

    @property
    def disconnected(self) -> bool:
        """Whether its connection is closed, or its call was cancelled."""


class _Operator:
    """The operator, who has neither a rate nor a share."""

    address = LOCAL
    disconnected = False

    def charge(self, commands: float) -> None:
        """Count nothing."""


OPERATOR = _Operator()


def check_connected(requester: Requester) -> None:
    """Raise `Disconnected` if the requester has disconnected."""
    if requester.disconnected:
        raise Disconnected()


def examine(requester: Requester, names: int) -> None:
    """Charge a requester for a step of its request, in which so many names are examined. Raises
    `Disconnected`."""
    check_connected(requester)
    requester.charge(names / NAMES_PER_COMMAND)
