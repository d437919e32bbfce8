"""A file of an earlier schema, from which the daemon of a history is upgraded.

It is written in the first schema, and brought to another by the scripts that did it.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from random import Random

import msgspec

from chatd.stores.sqlite.file import migrate, migrations
from tests.simulation.facts import Change
from tests.simulation.model import Message, Model
from tests.simulation.threads import PlainHasher

_SINCE = 1_700_000_000_000
"""when everything in the file was created, in milliseconds since 1970"""


def write_old_file(path: str, model: Model, random: Random) -> int:
    """Write a file with some accounts that have sent messages to each other and perhaps to a room,
    and tell the model; returns the version of its schema."""
    version = random.choice((1, 2, 3))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(f"BEGIN; {migrations()[0]}; PRAGMA user_version = 1")
        _OldFile(connection, model, random).write()
        connection.execute("COMMIT")
        migrate(connection, path, migrations()[:version])
    return version


class _OldFile:
    """A file of the first schema."""

    def __init__(self, connection: sqlite3.Connection, model: Model, random: Random) -> None:
        self._connection = connection
        self._model = model
        self._random = random
        self._place = 0

    def write(self) -> None:
        """Write everything."""
        random, model = self._random, self._model
        names = random.sample(model.names, random.choice((1, 2, 3)))
        self._document("room", "#lobby", (_SINCE, "", "", False, {}, (), {}))
        for name in names:
            password = random.choice((None, None, "p1"))
            hashed = None if password is None else PlainHasher().hash(password)
            self._document("account", name, (_SINCE, hashed, ()))
            model.exists["@" + name].initial = True
            model.sinces["@" + name] = {_SINCE: 1}
            model.password[name].initial = password
        heads = {"@" + name: self._entries("@" + name, names) for name in names}
        if random.random() < 0.6:
            members = random.sample(names, random.randrange(len(names)) + 1)
            self._room("#r", members)
            heads["#r"] = self._entries("#r", members)
        for name in names:
            self._positions(name, heads)
            others = [other for other in names if other != name]
            if others and random.random() < 0.4:
                blocked = random.choice(others)
                self._document("settings", "@" + name, ((blocked,), False))
                model.blocks[name, blocked].initial = True
        indexed = random.randrange(self._place + 1)
        self._connection.execute(
            "INSERT INTO places (log, seq, place) SELECT log, seq, place FROM entries"
            " WHERE place <= ?",
            (indexed,),
        )
        self._connection.execute("UPDATE progress SET placed = ?", (indexed,))

    def _room(self, room: str, members: list[str]) -> None:
        model, owner = self._model, members[0]
        record: tuple[object, ...] = (
            _SINCE,
            owner,
            "t9000",
            False,
            {name: name for name in members},
            (),
            {},
        )
        self._document("room", room, record)
        model.exists[room].initial = True
        model.owner[room].initial = owner
        model.topic[room].initial = "t9000"
        for name in members:
            model.member[room, name].initial = True

    def _entries(self, log: str, senders: list[str]) -> int:
        """Write the entries of a log; returns the last seq."""
        random, model = self._random, self._model
        number = self._connection.execute("INSERT INTO logs (name) VALUES (?)", (log,)).lastrowid
        head = random.randrange(1, 6)
        for seq in range(1, head + 1):
            place = self._place = self._place + 1
            message = _message(model, f"m{9000 + place}", random.choice(senders), log, seq, place)
            self._connection.execute(
                "INSERT INTO entries (place, log, seq, id, time, sender, body, key)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (place, number, seq, place, _SINCE, message.sender, message.body, message.key),
            )
        return head

    def _positions(self, name: str, heads: dict[str, int]) -> None:
        """What an account has read of its mailbox and of the room."""
        random, model = self._random, self._model
        if random.random() < 0.5:
            upto = random.randrange(heads["@" + name] + 1)
            self._document("cursor", "@" + name, (upto, ()))
            model.acknowledged["@" + name, _SINCE] = set(range(1, upto + 1))
            model.seen[name].update(
                message.token
                for message in model.messages.values()
                if message.log == "@" + name and message.place and message.place[0] <= upto
            )
        if "#r" in heads and model.member["#r", name].initial and random.random() < 0.5:
            upto = random.randrange(heads["#r"] + 1)
            positions = {"#r": (_SINCE, (upto, ()), upto)}
            self._document("reading", "@" + name, (0, positions, 0))
            model.acknowledged[f"#r {name}", _SINCE] = set(range(1, upto + 1))

    def _document(self, kind: str, key: str, record: tuple[object, ...]) -> None:
        self._connection.execute(
            "INSERT INTO documents (kind, key, version, body) VALUES (?, ?, 1, ?)",
            (kind, key, msgspec.msgpack.encode(record)),
        )


def _message(model: Model, token: str, sender: str, log: str, seq: int, id: int) -> Message:
    """A message in the file, which has been accepted before the history begins."""
    message = Message(token, token + " old", sender, log, f"old-{id}", Change(1).sent)
    message.accepted = 1
    message.attempts = 1
    message.place = (seq, id, _SINCE)
    model.messages[token] = message
    return message
