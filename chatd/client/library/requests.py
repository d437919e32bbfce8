"""The requests that a client can send: one coroutine for each request of the catalogue.

Every coroutine raises `Refused`, with the server's code and sentence or because the request cannot
be sent. Those with a `key` wait over any number of connections: the message is sent again until it
is accepted, or refused with another code than ``busy`` and ``store-unavailable``. The others raise
`ConnectionClosed` if the connection is lost before the answer; the server may then have carried out
the request or not. Details of each request: `chatd.codecs.v1_messages`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from twisted.internet.defer import Deferred

from chatd.codecs import v1_messages as c


class Requests:
    """The requests as methods. A subclass (`chatd.client.library.client.Client`) sends them."""

    async def request(self, message: Any) -> Any:
        """Send a request once and return its answer."""
        raise NotImplementedError

    def post(self, message: Any) -> Deferred[c.Accepted]:
        """Send a message that has a key, again until it is answered."""
        raise NotImplementedError

    def new_key(self) -> str:
        """Return a unique key."""
        raise NotImplementedError

    # Messages

    async def send(self, recipient: str, text: str, *, key: str | None = None) -> c.Accepted:
        """Send a text to an account or a room. Returns when the message is durable."""
        return await self.post(c.Send(0, recipient, text, key or self.new_key()))

    async def edit(self, log: str, seq: int, text: str, *, key: str | None = None) -> c.Accepted:
        """Replace the text of one of the account's own messages."""
        return await self.post(c.Edit(0, log, seq, text, key or self.new_key()))

    async def retract(self, log: str, seq: int, *, key: str | None = None) -> c.Accepted:
        """Delete one of the account's own messages or, as a moderator, any message of the room."""
        return await self.post(c.Retract(0, log, seq, key or self.new_key()))

    async def react(
        self, log: str, seq: int, reaction: str, *, key: str | None = None
    ) -> c.Accepted:
        """React to a message; an empty `reaction` removes the account's reaction."""
        return await self.post(c.React(0, log, seq, reaction, key or self.new_key()))

    async def mark_read(self, log: str, seq: int) -> None:
        """Set the account's read marker in a log: a person has read the entries up to `seq`."""
        await self.request(c.MarkRead(0, log, seq))

    async def receipts(self, log: str, seqs: Iterable[int]) -> list[c.ReceiptState]:
        """Return whether messages that the account sent, at most 100 of them, to the mailbox `log`
        are delivered and read."""
        answer: c.Receipts = await self.request(c.GetReceipts(0, log, list(seqs)))
        return answer.states

    async def history(self, log: str, after: int = 0, before: int = 0, limit: int = 100) -> c.Page:
        """Return entries of the account's mailbox or of a room, oldest first: the first ones after
        seq `after`, or the last ones before seq `before`."""
        page: c.Page = await self.request(c.History(0, log, after, before, limit))
        return page

    async def clear_mailbox(self, upto: int) -> None:
        """Remove the entries of the account's mailbox up to seq `upto` for ever, except for those
        that are not acknowledged."""
        await self.request(c.ClearMailbox(0, upto))

    async def typing(self, recipient: str, typing: bool = True) -> None:
        """Notify an account or a room that the account is typing, or has stopped."""
        await self.request(c.SayTyping(0, recipient, typing))

    # Rooms

    async def create_room(
        self, room: str, topic: str = "", private: bool = False, history: str = ""
    ) -> c.RoomInfo:
        """Create a room, of which the account becomes the owner."""
        return await self._room(c.CreateRoom(0, room, topic, private, history))

    async def join(self, room: str) -> c.RoomInfo:
        """Become a member of a room."""
        return await self._room(c.Join(0, room))

    async def _room(self, message: c.Message) -> c.RoomInfo:
        answer: c.RoomState = await self.request(message)
        assert answer.state.room is not None
        return answer.state.room

    async def leave(self, room: str) -> None:
        """Leave a room."""
        await self.request(c.Leave(0, room))

    async def set_topic(self, room: str, topic: str) -> None:
        """Change the topic of a room."""
        await self.request(c.SetTopic(0, room, topic))

    async def set_private(self, room: str, private: bool) -> None:
        """Make a room private, or public."""
        await self.request(c.SetPrivate(0, room, private))

    async def set_history(self, room: str, history: str) -> None:
        """Let the members of a room read ``all`` of its history, or what was sent after they
        ``joined``."""
        await self.request(c.SetHistory(0, room, history))

    async def configure_room(self, room: str, setting: str, value: str) -> None:
        """Set one of the settings of a room, given as a text."""
        await self.request(c.ConfigureRoom(0, room, setting, value))

    async def invite(self, room: str, name: str) -> None:
        """Invite an account to a room."""
        await self.request(c.Invite(0, room, name))

    async def kick(self, room: str, name: str) -> None:
        """Remove a member from a room, or withdraw an invitation."""
        await self.request(c.Kick(0, room, name))

    async def ban(self, room: str, name: str, seconds: int = 0, reason: str = "") -> None:
        """Ban an account from a room, or all that match a pattern with ``*`` and ``?``, for so many
        seconds (0: without end). Members are removed with that."""
        await self.request(c.Ban(0, room, name, seconds, reason))

    async def unban(self, room: str, name: str) -> None:
        """End the ban of an account or a pattern."""
        await self.request(c.Unban(0, room, name))

    async def find_bans(self, room: str, after: str = "", limit: int = 100) -> c.Restrictions:
        """Return the bans of a room in alphabetical order, from the first one after `after`."""
        bans: c.Restrictions = await self.request(c.FindBans(0, room, after, limit))
        return bans

    async def silence(self, room: str, name: str, seconds: int = 0, reason: str = "") -> None:
        """Have a room take nothing from an account for so many seconds (0: without end)."""
        await self.request(c.Silence(0, room, name, seconds, reason))

    async def unsilence(self, room: str, name: str) -> None:
        """Let a silenced account send again."""
        await self.request(c.Unsilence(0, room, name))

    async def find_silenced(self, room: str, after: str = "", limit: int = 100) -> c.Restrictions:
        """Return the silenced accounts of a room, as `find_bans` does."""
        silenced: c.Restrictions = await self.request(c.FindSilenced(0, room, after, limit))
        return silenced

    async def set_role(self, room: str, name: str, role: str) -> None:
        """Make a member ``owner``, ``deputy``, ``moderator`` or ``member`` of a room."""
        await self.request(c.SetRole(0, room, name, role))

    async def find_rooms(self, pattern: str = "*", after: str = "", limit: int = 100) -> c.Rooms:
        """Return the rooms whose names match a glob, in alphabetical order, from the first one
        after `after`."""
        rooms: c.Rooms = await self.request(c.FindRooms(0, pattern, after, limit))
        return rooms

    async def find_members(self, room: str, after: str = "", limit: int = 100) -> c.Members:
        """Return the members of a room in alphabetical order, from the first one after `after`."""
        members: c.Members = await self.request(c.FindMembers(0, room, after, limit))
        return members

    async def delete_room(self, room: str) -> None:
        """Delete a room with its history."""
        await self.request(c.DeleteRoom(0, room))

    # Presence and other accounts

    async def set_presence(
        self, *, away: bool = False, text: str = "", hidden: bool = False
    ) -> None:
        """Set whether the account is away (`text` says why), and whether its presence is hidden."""
        await self.request(c.SetPresence(0, away, text, hidden))

    async def who(self, names: Iterable[str], watch: bool = False) -> list[c.Person]:
        """Return the presence of at most 100 accounts; with `watch`, receive every later change as
        a `Presence` event."""
        answer: c.People = await self.request(c.Who(0, list(names), watch))
        return answer.people

    async def unwatch(self, names: Iterable[str]) -> None:
        """Stop watching the presence of accounts."""
        await self.request(c.Unwatch(0, list(names)))

    async def block(self, name: str, blocked: bool = True) -> None:
        """Block an account, so that it cannot send to this account's mailbox, or unblock it."""
        await self.request(c.Block(0, name, blocked))

    async def blocked(self) -> list[str]:
        """Return the names of the blocked accounts."""
        answer: c.Names = await self.request(c.GetBlocked(0))
        return answer.names

    async def report(self, name: str, reason: str, log: str = "", seq: int = 0) -> None:
        """Report an account to the operators, and perhaps an entry that it wrote."""
        await self.request(c.Report(0, name, reason, log, seq))

    async def find_accounts(self, pattern: str = "*", after: str = "", limit: int = 100) -> c.Names:
        """Return the names of accounts that match a glob, in alphabetical order, from the first one
        after `after`."""
        names: c.Names = await self.request(c.FindAccounts(0, pattern, after, limit))
        return names

    # The account itself

    async def change_password(self, old: str | None, new: str | None) -> None:
        """Change the account's password; None is no password."""
        await self.request(c.ChangePassword(0, old, new))

    async def set_certificates(
        self, fingerprints: Sequence[str], password: str | None = None
    ) -> None:
        """Replace the certificates that log in to the account over TLS without its password, given
        by their SHA-256 fingerprints in hexadecimal digits."""
        await self.request(c.SetCertificates(0, list(fingerprints), password))

    async def create_access_token(
        self,
        name: str,
        scopes: Iterable[str],
        seconds: int = 0,
        password: str | None = None,
    ) -> str:
        """Make an access token, with which a program logs in to the account (``access_token`` of
        `connect`), and return it. It ends after so many `seconds` (0: never)."""
        request = c.CreateAccessToken(0, name, list(scopes), seconds, password)
        answer: c.NewAccessToken = await self.request(request)
        return answer.token

    async def access_tokens(self) -> list[c.AccessTokenInfo]:
        """Return the account's access tokens."""
        answer: c.AccessTokens = await self.request(c.GetAccessTokens(0))
        return answer.tokens

    async def revoke_access_token(self, name: str) -> None:
        """End an access token, and the sessions that it has opened."""
        await self.request(c.RevokeAccessToken(0, name))

    async def delete_account(self, password: str | None = None) -> None:
        """Delete the account; the session has ended then."""
        await self.request(c.DeleteAccount(0, password))

    async def ping(self) -> None:
        """Return when the server has answered."""
        await self.request(c.Ping(0))
