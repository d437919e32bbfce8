"""What a client knows of the logs it follows: what has come, what has been handled, what the room
is like."""

from __future__ import annotations

import msgspec

from chatd.codecs import v1_messages as c


class Log:
    """A log that the client follows. `name` is the log's; `since` tells it from another one of that
    name.

    `received` is the seq of the last entry that has come, `handled` of the last one that whoever
    reads the events is done with, `head` of the last one known of; `room` is there unless it is the
    inbox.
    """

    __slots__ = ("handled", "head", "name", "read", "received", "room", "since", "told")

    def __init__(self, state: c.LogState) -> None:
        self.name = state.log
        self.since = state.since
        self.head = state.head
        self.received = state.upto
        self.handled = state.upto
        self.told = state.upto
        """up to where the server has been told that they are handled"""
        self.read = state.read
        self.room = state.room

    def again(self, state: c.LogState) -> None:
        """The same log, after another login: what has come since the last one is about to be
        pushed."""
        self.head = max(self.head, state.head)
        self.read = max(self.read, state.read)
        self.room = state.room
        # Acknowledgements may have been lost with the connection.
        self.told = min(self.told, state.upto)

    @property
    def position(self) -> c.Position:
        """From where the server should go on pushing."""
        return c.Position(self.name, self.since, self.received)

    def take(self, entry: c.Pushed) -> bool:
        """Whether this entry is new."""
        if entry.seq <= self.received:
            return False
        self.received = entry.seq
        self.head = max(self.head, entry.seq)
        return True

    def follow(self, entry: c.Pushed, own_name: str) -> None:
        """Keep what is known of the room up to date."""
        room = self.room
        if room is None:
            return
        change = msgspec.structs.replace
        match entry.kind:
            case "join":
                if entry.sender.lower() != own_name.lower():
                    self.room = change(room, members=room.members + 1)
            case "leave" | "kick":
                self.room = change(room, members=max(0, room.members - 1))
            case "topic":
                self.room = change(room, topic=entry.body)
            case "access":
                self.room = change(room, private=entry.body == "private")
            case "role":
                name, _, role = entry.body.partition(" ")
                if role == "owner":
                    room = change(room, owner=name)
                    if room.role == "owner":
                        room = change(room, role="moderator")
                if name.lower() == own_name.lower():
                    room = change(room, role=role)
                self.room = room
