"""Requests of version 1 that wait for their answers, and logs that a session follows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chatd.codecs import v1_messages as c
from tests.simulation.facts import Change
from tests.simulation.model import Message

APPENDS = (c.Send, c.Edit, c.Retract, c.React)
"""requests that are answered by `Accepted`, perhaps after later requests"""
LATE_ACK = ("unknown-log", "too-many-gaps", "not-logged-in", "nothing-to-acknowledge")
"""refusals of an acknowledgement that was sent while the account left a room, which another one
created anew, or while the session ended"""
ANSWERS: dict[Any, Any] = {
    c.Hello: c.Welcome,
    c.Ping: c.Pong,
    c.LogIn: c.LoggedIn,
    c.Resume: c.LoggedIn,
    c.CreateAccessToken: c.NewAccessToken,
    c.Send: c.Accepted,
    c.Edit: c.Accepted,
    c.Retract: c.Accepted,
    c.React: c.Accepted,
    c.GetReceipts: c.Receipts,
    c.History: c.Page,
    c.CreateRoom: c.RoomState,
    c.Join: c.RoomState,
    c.FindAccounts: c.Names,
    c.GetBlocked: c.Names,
    c.FindRooms: c.Rooms,
    c.FindMembers: c.Members,
    c.Who: c.People,
    c.FindBans: c.Restrictions,
    c.FindSilenced: c.Restrictions,
}
"""the answer to each request, if it is not `Done`"""


@dataclass(eq=False)
class Request:
    """A request without an answer so far."""

    message: Any
    sent: int
    change: Change | None
    then: Callable[[Any], None] | None
    text: Message | None = None


@dataclass(eq=False)
class Followed:
    """A log that the session follows: everything up to `last` has been pushed or is not due."""

    since: int
    start: int
    last: int
    contiguous: bool
    """whether the client gave a valid position, so that nothing may be passed over"""
    seen: set[int] = field(default_factory=set)
    acknowledged: set[int] = field(default_factory=set)


def shown(message: Any) -> str:
    """A message as the trace shows it."""
    fields = ", ".join(
        f"{field}={getattr(message, field)!r}" for field in message.__struct_fields__
    )
    return f"{type(message).__name__}({fields})"
