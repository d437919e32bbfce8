"""Which answer each request has: another one is not from a server of version 1."""

from __future__ import annotations

from math import inf

from chatd.codecs import v1_messages as c

ANSWERS: dict[type[c.Message], type[c.Message]] = {
    c.Hello: c.Welcome,
    c.Ping: c.Pong,
    c.LogIn: c.LoggedIn,
    c.Resume: c.LoggedIn,
    c.FindAccounts: c.Names,
    c.Send: c.Accepted,
    c.Edit: c.Accepted,
    c.Retract: c.Accepted,
    c.React: c.Accepted,
    c.GetReceipts: c.Receipts,
    c.History: c.Page,
    c.CreateRoom: c.RoomState,
    c.Join: c.RoomState,
    c.FindRooms: c.Rooms,
    c.FindMembers: c.Members,
    c.Who: c.People,
    c.GetBlocked: c.Names,
    c.FindBans: c.Restrictions,
    c.FindSilenced: c.Restrictions,
    c.CreateAccessToken: c.NewAccessToken,
    c.GetAccessTokens: c.AccessTokens,
}
"""the answers by the request; all others are answered by `Done`"""

WITHOUT_ORDER = frozenset(
    request.command for request, answer in ANSWERS.items() if answer is c.Accepted
)
"""the numbers of the requests whose answers may follow those to later requests"""


def answers(request: type[c.Message], answer: c.Message) -> bool:
    """Whether a server of version 1 can give this answer."""
    if not isinstance(answer, ANSWERS.get(request, c.Done)):
        return False
    match answer:
        case c.Welcome():
            return 0 < answer.idle < inf
        case c.RoomState():
            return answer.state.room is not None
    return True
