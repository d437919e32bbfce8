"""A file of the first schema, from which the daemon of a history is upgraded."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from random import Random

import msgspec

from chatd.stores.sqlite.file import migrations
from tests.simulation.facts import Change
from tests.simulation.model import Message, Model

_SINCE = 1_700_000_000_000
"""when everything in the file was created, in milliseconds since 1970"""


def write_old_file(path: str, model: Model, random: Random) -> None:
    """Write a file with some accounts that have sent messages to each other, and tell the model."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"BEGIN; {migrations()[0]}; PRAGMA user_version = 1; COMMIT")
        names = random.sample(model.names, random.choice((1, 2)))
        _document(connection, "room", "#lobby", (_SINCE, "", "", False, {}, (), {}))
        for name in names:
            _document(connection, "account", name, (_SINCE, None, ()))
            model.exists["@" + name].initial = True
        place = 0
        for log_number, name in enumerate(names, 1):
            connection.execute("INSERT INTO logs (name) VALUES (?)", ("@" + name,))
            for seq in range(1, random.randrange(1, 6) + 1):
                place += 1
                sender = random.choice(names)
                message = _message(model, f"m{9000 + place}", sender, "@" + name, seq, place)
                connection.execute(
                    "INSERT INTO entries (place, log, seq, id, time, sender, body, key)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (place, log_number, seq, place, _SINCE, sender, message.body, message.key),
                )
        indexed = random.randrange(place + 1)
        connection.execute(
            "INSERT INTO places (log, seq, place) SELECT log, seq, place FROM entries"
            " WHERE place <= ?",
            (indexed,),
        )
        connection.execute("UPDATE progress SET placed = ?", (indexed,))
        connection.commit()


def _document(
    connection: sqlite3.Connection, kind: str, key: str, record: tuple[object, ...]
) -> None:
    connection.execute(
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
