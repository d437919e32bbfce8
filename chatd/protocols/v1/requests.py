"""The table of requests of version 1: which function carries out each, and what it may use.

Each feature's requests are in the module named as the feature in `chatd.realm`; `handlers` imports
them all, which fills the table.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeAlias

from chatd.codecs import v1_messages as c
from chatd.realm.realm import Realm
from chatd.realm.session import Session
from chatd.server.factory import ConnectionFactory
from chatd.server.listings import ListingRequester

ITEMS_PER_COMMAND = 10
"""entries, rooms, receipts or people in an answer that count as one command"""


class V1Connection(ListingRequester, Protocol):
    """The connection by which a request was sent, as its handler sees it."""

    realm: Realm
    factory: ConnectionFactory
    session: Session | None
    features: frozenset[str]
    longest_frame: int
    pending: list[Any]
    """messages that are answered when the store has committed their entries, in order"""

    @property
    def address(self) -> str:
        """The address of the client, without its port."""

    async def log_in(self, name: str, password: str | None) -> Session:
        """Open a session, in place of the one of this connection. Raises as the portal does."""

    async def resume(self, name: str, token: str) -> Session:
        """Open a session by a resume token, in place of the one of this connection. Raises as the
        portal does."""

    def log_out(self) -> None:
        """End the session of this connection."""

    def log_session_end(self, session: Session) -> None:
        """Write to the log that a session has ended."""

    def apply_features(self, session: Session) -> None:
        """Have a session notify what the client has asked for."""

    def log_state(self, session: Session, log: str) -> c.LogState:
        """The state of a log of a session, as it is sent to the client."""

    def write(self, message: c.Message) -> None:
        """Send a message to the client."""


Answer: TypeAlias = Awaitable["c.Message | None"]
"""None: there is no answer, or it is sent after the commit (`V1Connection.pending`)"""

SESSION_REQUESTS: dict[type[c.Message], Callable[[Any, Any, Any], Answer]] = {}
"""by class of request: the handler, called with the connection, its session and the request"""
UNAUTHENTICATED_REQUESTS: dict[type[c.Message], Callable[[Any, Any], Answer]] = {}
"""the same for requests that need no session: called with the connection and the request"""


ONLY_READ: list[type[c.Message]] = []
"""the requests that have no effect but their answers"""


def handles(kind: type[c.Message], only_reads: bool = False) -> Callable[[Any], Any]:
    """Enter a function into the table as the handler of requests of this class."""

    def enter(handler: Any) -> Any:
        SESSION_REQUESTS[kind] = handler
        if only_reads:
            ONLY_READ.append(kind)
        return handler

    return enter


def handles_unauthenticated(kind: type[c.Message]) -> Callable[[Any], Any]:
    """Enter a function into the table as the handler of requests that need no session."""

    def enter(handler: Any) -> Any:
        UNAUTHENTICATED_REQUESTS[kind] = handler
        return handler

    return enter
