"""What a backup of the store must have: everything that was accepted before it was requested."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import msgspec

from chatd.core.names import mailbox_log, mailbox_name, room_log
from chatd.realm.accounts import Account
from chatd.realm.room import RoomRecord
from tests.simulation.model import Model


def problems_in_backup(path: str, model: Model, sent: int) -> Iterator[tuple[str, str]]:
    """What is wrong in the copy that an operator has requested at a tick: (kind, sentence)."""
    with closing(sqlite3.connect(path)) as connection:
        (check,) = connection.execute("PRAGMA integrity_check").fetchone()
        if check != "ok":
            yield "backup:damaged", check
        accounts = {
            key.lower(): mailbox_log(msgspec.msgpack.decode(body, type=Account).id)
            for key, body in connection.execute(
                "SELECT key, body FROM documents WHERE kind = 'account'"
            )
        }
        rooms = {
            key.lower(): room_log(msgspec.msgpack.decode(body, type=RoomRecord).id)
            for key, body in connection.execute(
                "SELECT key, body FROM documents WHERE kind = 'room'"
            )
        }
        logs = {mailbox_name(name): log for name, log in accounts.items()} | rooms
        entries = set(
            connection.execute(
                "SELECT logs.name, entries.seq, entries.id FROM entries"
                " JOIN logs ON logs.id = entries.log"
            )
        )
    for name in model.names:
        if name not in accounts and model.exists["@" + name].surely(True, sent, model.tick):
            yield "backup:account-missing", name
        if name in accounts and model.exists["@" + name].surely(False, sent, model.tick):
            yield "backup:deleted-account", name
    for message in model.messages.values():
        if message.accepted is None or message.accepted > sent or message.place is None:
            continue
        present = (logs.get(message.log), message.place[0], message.place[1]) in entries
        if not present and not model.may_have_been_deleted(message.log, message):
            yield "backup:message-missing", f"{message.token} in {message.log}"
