"""The logs that a client follows: which entries it has received and handled, and room details."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from chatd.codecs import v1_messages as c


class FollowedLog:
    """A log that the client follows: its mailbox, or a room.

    `name` is the log's name and `since` the time when its account or room was made: a later log of
    the same name has another one. `head` is the last seq of the log that the client knows of,
    `received` that of the last entry received, `handled` that of the last entry that the program
    has handled, `acknowledged` that of the last entry acknowledged to the server; `read` is the
    account's read marker. `room` describes the room after the entry `described`; it is None for
    the mailbox. `queued` entries wait to be handled.
    """

    __slots__ = (
        "acknowledged",
        "described",
        "handled",
        "head",
        "name",
        "queued",
        "read",
        "received",
        "room",
        "since",
    )

    def __init__(self, state: c.LogState) -> None:
        self.name = state.log
        self.since = state.since
        self.head = state.head
        self.received = state.upto
        self.handled = state.upto
        self.acknowledged = state.upto
        self.read = state.read
        self.room = state.room
        self.described = state.head
        self.queued = 0

    def __repr__(self) -> str:
        shown = ("name", "since", "head", "received", "handled", "acknowledged", "read")
        fields = ", ".join(f"{field}={getattr(self, field)!r}" for field in shown)
        return f"FollowedLog({fields})"

    def resume(self, state: c.LogState) -> None:
        """Update from the server's state after another login. The entries after `position` are
        about to be pushed."""
        self.head = max(self.head, state.head)
        self.read = max(self.read, state.read)
        self.room = state.room
        self.described = state.head
        # Acknowledgements may have been lost with the connection.
        self.acknowledged = min(self.acknowledged, state.upto)

    @property
    def position(self) -> c.Position:
        """The position to log in with: after the last entry received."""
        return c.Position(self.name, self.since, self.received)

    def receive(self, entry: c.Pushed) -> bool:
        """Record a pushed entry; return False if it was received before."""
        if entry.seq <= self.received:
            return False
        self.received = entry.seq
        self.head = max(self.head, entry.seq)
        return True

    def update_room(self, entry: c.Pushed, own_name: str) -> None:
        """Apply to `room` what an entry changes: members, topic, access or roles. `own_name` is the
        client's account."""
        room = self.room
        if room is None or entry.seq <= self.described:
            return
        self.described = entry.seq
        replace = msgspec.structs.replace
        match entry.kind:
            case "join":
                if entry.sender.lower() != own_name.lower():
                    self.room = replace(room, members=room.members + 1)
            case "leave" | "kick":
                self.room = replace(room, members=max(0, room.members - 1))
            case "topic":
                self.room = replace(room, topic=entry.body)
            case "access":
                private = entry.body == "private"
                history = "joined" if private and not room.private else room.history
                self.room = replace(room, private=private, history=history)
            case "history":
                self.room = replace(room, history=entry.body)
            case "setting":
                name, _, value = entry.body.partition(" ")
                others = [setting for setting in room.settings if setting.name != name]
                self.room = replace(room, settings=[*others, c.Setting(name, value)])
            case "role":
                name, _, role = entry.body.partition(" ")
                if role == "owner":
                    room = replace(room, owner=name)
                    if room.role == "owner":
                        room = replace(room, role="moderator")
                if name.lower() == own_name.lower():
                    room = replace(room, role=role)
                self.room = room


class FollowedLogs:
    """All logs that a client follows. `positions` are where an earlier client stopped; they are for
    the first login."""

    def __init__(self, positions: Iterable[c.Position]) -> None:
        self.by_name: dict[str, FollowedLog] = {}
        self._start = {position.log: position for position in positions}

    def get(self, name: str) -> FollowedLog | None:
        """Return the log with this name, or None if it is not followed."""
        return self.by_name.get(name)

    @property
    def rooms(self) -> dict[str, c.RoomInfo]:
        """The rooms among the logs, by the log's name."""
        return {log.name: log.room for log in self.by_name.values() if log.room is not None}

    @property
    def received(self) -> list[c.Position]:
        """The positions to log in with: at first those of the earlier client."""
        return [log.position for log in self.by_name.values()] or list(self._start.values())

    @property
    def handled(self) -> list[c.Position]:
        """The position after the last handled entry of each log."""
        return [c.Position(log.name, log.since, log.handled) for log in self.by_name.values()]

    def restored(self, states: Iterable[c.LogState]) -> bool:
        """Whether the server was restored from a backup: one of its logs ends before an entry that
        was received from it."""
        positions = {position.log: position for position in self.received}
        return any(
            (position := positions.get(state.log)) is not None
            and position.since == state.since
            and position.seq > state.head
            for state in states
        )

    def logged_in(self, states: Sequence[c.LogState]) -> list[c.RoomInfo]:
        """Follow the logs that the server named at a login; return the rooms left meanwhile.

        If the server was restored, every log begins anew, after what is acknowledged there: the
        entries that were received may have others in their places.
        """
        restored = self.restored(states)
        previous, self.by_name = self.by_name, {}
        for state in states:
            log = previous.pop(state.log, None)
            if log is not None and log.since == state.since and not restored:
                log.resume(state)
            else:
                log = FollowedLog(state)
                start = self._start.get(state.log)
                if start is not None and start.since == state.since and not restored:
                    log.received = log.handled = start.seq
            self.by_name[state.log] = log
        self._start.clear()
        return [log.room for log in previous.values() if log.room is not None]

    def follow(self, state: c.LogState) -> None:
        """Begin to follow a log, unless it is followed already."""
        if state.log not in self.by_name:
            self.by_name[state.log] = FollowedLog(state)

    def unfollow(self, room: str) -> None:
        """Stop following a room, given in any case."""
        self.by_name.pop(room.lower(), None)

    def mark_read(self, name: str, seq: int) -> None:
        """Advance the read marker of a log, if it is followed."""
        log = self.by_name.get(name)
        if log is not None:
            log.read = max(log.read, seq)
