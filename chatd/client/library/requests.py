"""What a client can ask of a server: one coroutine for each request of the catalogue, which
explains them.

All of them raise `Refused` with the server's code and sentence. Those that take a `key` survive a
lost connection and are sent again until they are answered; the others raise `Fatal`
(``disconnected``) if the connection is lost before the answer, and may then have been carried out
or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from twisted.internet.defer import Deferred

from chatd.codecs import v1_messages as c


class Requests:
    """See above; `chatd.client.library.client.Client` carries them to the server."""

    async def request(self, message: Any) -> Any:
        """Ask once."""
        raise NotImplementedError

    def post(self, message: Any) -> Deferred[c.Accepted]:
        """Ask as often as it takes."""
        raise NotImplementedError

    def new_key(self) -> str:
        """A key that nobody else uses."""
        raise NotImplementedError

    # Messages

    async def send(self, recipient: str, text: str, *, key: str | None = None) -> c.Accepted:
        """Say something to an account or in a room; done when it is durable."""
        return await self.post(c.Send(0, recipient, text, key or self.new_key()))

    async def edit(self, log: str, seq: int, text: str, *, key: str | None = None) -> c.Accepted:
        """Replace the text of a message of one's own."""
        return await self.post(c.Edit(0, log, seq, text, key or self.new_key()))

    async def retract(self, log: str, seq: int, *, key: str | None = None) -> c.Accepted:
        """Delete a message of one's own, or, as a moderator, any in the room."""
        return await self.post(c.Retract(0, log, seq, key or self.new_key()))

    async def react(
        self, log: str, seq: int, reaction: str, *, key: str | None = None
    ) -> c.Accepted:
        """React to a message; empty: take it back."""
        return await self.post(c.React(0, log, seq, reaction, key or self.new_key()))

    async def mark_read(self, log: str, seq: int) -> None:
        """Tell that a person has seen the entries up to `seq`."""
        await self.request(c.MarkRead(0, log, seq))

    async def receipts(self, log: str, seqs: Iterable[int]) -> list[c.ReceiptState]:
        """What became of messages that one has sent to an inbox, at most 100 of them."""
        answer: c.Receipts = await self.request(c.GetReceipts(0, log, list(seqs)))
        return answer.states

    async def history(self, log: str, after: int = 0, before: int = 0, limit: int = 100) -> c.Page:
        """Entries of one's inbox or of a room, after or before a seq; oldest first."""
        page: c.Page = await self.request(c.History(0, log, after, before, limit))
        return page

    async def typing(self, recipient: str, typing: bool = True) -> None:
        """Tell that one is writing, or has stopped."""
        await self.request(c.SayTyping(0, recipient, typing))

    # Rooms

    async def create_room(self, room: str, topic: str = "", private: bool = False) -> c.RoomInfo:
        """Make a room and be its owner."""
        return await self._room(c.CreateRoom(0, room, topic, private))

    async def join(self, room: str) -> c.RoomInfo:
        """Become a member."""
        return await self._room(c.Join(0, room))

    async def _room(self, message: c.Message) -> c.RoomInfo:
        answer: c.RoomState = await self.request(message)
        assert answer.state.room is not None
        return answer.state.room

    async def leave(self, room: str) -> None:
        """Be no member any more."""
        await self.request(c.Leave(0, room))

    async def set_topic(self, room: str, topic: str) -> None:
        """Change the topic."""
        await self.request(c.SetTopic(0, room, topic))

    async def set_private(self, room: str, private: bool) -> None:
        """Make a room private, or public."""
        await self.request(c.SetPrivate(0, room, private))

    async def invite(self, room: str, name: str) -> None:
        """Let somebody join."""
        await self.request(c.Invite(0, room, name))

    async def kick(self, room: str, name: str) -> None:
        """Put a member out, or take an invitation back."""
        await self.request(c.Kick(0, room, name))

    async def set_role(self, room: str, name: str, role: str) -> None:
        """Make a member ``owner``, ``moderator`` or ``member``."""
        await self.request(c.SetRole(0, room, name, role))

    async def find_rooms(self, pattern: str = "*", after: str = "", limit: int = 100) -> c.Rooms:
        """Rooms whose names match a glob."""
        rooms: c.Rooms = await self.request(c.FindRooms(0, pattern, after, limit))
        return rooms

    async def find_members(self, room: str, after: str = "", limit: int = 100) -> c.Members:
        """The members of a room."""
        members: c.Members = await self.request(c.FindMembers(0, room, after, limit))
        return members

    async def delete_room(self, room: str) -> None:
        """Delete a room with its history."""
        await self.request(c.DeleteRoom(0, room))

    # People

    async def set_presence(
        self, *, away: bool = False, text: str = "", hidden: bool = False
    ) -> None:
        """Be away or back, and hidden or not."""
        await self.request(c.SetPresence(0, away, text, hidden))

    async def who(self, names: Iterable[str], watch: bool = False) -> list[c.Person]:
        """How some accounts are, at most 100; `watch`: and every change from now on."""
        answer: c.People = await self.request(c.Who(0, list(names), watch))
        return answer.people

    async def unwatch(self, names: Iterable[str]) -> None:
        """No longer be told about them."""
        await self.request(c.Unwatch(0, list(names)))

    async def block(self, name: str, blocked: bool = True) -> None:
        """Take nothing from an account any more, or again."""
        await self.request(c.Block(0, name, blocked))

    async def blocked(self) -> list[str]:
        """Whom one blocks."""
        answer: c.Names = await self.request(c.GetBlocked(0))
        return answer.names

    async def report(self, name: str, reason: str, log: str = "", seq: int = 0) -> None:
        """Tell the operators about an account, perhaps about an entry it wrote."""
        await self.request(c.Report(0, name, reason, log, seq))

    # Accounts

    async def find_accounts(self, pattern: str = "*", after: str = "", limit: int = 100) -> c.Names:
        """The names of accounts that match a glob."""
        names: c.Names = await self.request(c.FindAccounts(0, pattern, after, limit))
        return names

    async def change_password(self, old: str | None, new: str | None) -> None:
        """Give the account another password, or none."""
        await self.request(c.ChangePassword(0, old, new))

    async def set_certificates(
        self, fingerprints: Sequence[str], password: str | None = None
    ) -> None:
        """Let those with these certificates log in by TLS, without the password."""
        await self.request(c.SetCertificates(0, list(fingerprints), password))

    async def delete_account(self, password: str | None = None) -> None:
        """Delete the account."""
        await self.request(c.DeleteAccount(0, password))

    async def ping(self) -> None:
        """Done when the server has answered."""
        await self.request(c.Ping(0))
