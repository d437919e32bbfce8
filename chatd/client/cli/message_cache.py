"""Messages and names that this client has shown: the messages by conversation and by id.

A conversation has a name like a log: ``#room``, or ``@bob`` for the private messages between this
account and Bob, which are in two logs, Bob's mailbox and one's own.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass

from chatd.codecs import v1_messages as c
from chatd.core.names import is_room, mailbox_name, mailbox_owner, room_name

_MAX_MESSAGES = 500
"""messages kept of each conversation"""


@dataclass
class CachedMessage:
    """A message with its latest text; the other fields are those of `v1_messages.Pushed`."""

    log: str
    seq: int
    id: int
    time: int
    sender: str
    text: str
    edit_seq: int = 0
    """the seq of the latest edit; 0: none"""
    deleted: bool = False

    @property
    def current_text(self) -> str:
        """The text to show: edited or deleted messages are marked."""
        return "(deleted)" if self.deleted else self.text + " (edited)" * bool(self.edit_seq)


class MessageCache:
    """The latest messages of each conversation, and the names of accounts and rooms."""

    def __init__(self) -> None:
        self.account = ""
        """the name of the account that is logged in"""
        self._names: dict[str, str] = {}
        self._conversations: dict[str, list[CachedMessage]] = {}
        self._by_id: dict[int, CachedMessage] = {}

    @property
    def mailbox(self) -> str:
        """The name of the account's own mailbox."""
        return conversation_of(self.account)

    @property
    def names(self) -> list[str]:
        """All known accounts and rooms, as they were first written."""
        return list(self._names.values())

    def add_names(self, *names: str) -> None:
        """Add accounts and rooms that exist."""
        for name in names:
            self._names[name.lower()] = name

    def has_name(self, name: str) -> bool:
        """Whether this account or room is known to exist."""
        return name.lower() in self._names

    def display_name(self, name: str) -> str:
        """An account, a room or the owner of a mailbox, as it was first written."""
        plain = mailbox_owner(name)
        return self._names.get(plain.lower(), plain)

    def add(self, entry: c.Pushed) -> None:
        """Add a message, or apply an edit or a deletion to the message it refers to."""
        if entry.sender:
            self.add_names(entry.sender)
        message = self._by_id.get(entry.about)
        if entry.kind == "text":
            self._add_message(entry)
        elif entry.kind == "edit" and message is not None and entry.seq > message.edit_seq:
            message.text, message.edit_seq = entry.body, entry.seq
        elif entry.kind == "delete" and message is not None:
            message.deleted = True

    def _add_message(self, entry: c.Pushed) -> None:
        if entry.id in self._by_id:
            return
        name = entry.log if entry.log != self.mailbox else conversation_of(entry.sender)
        conversation = self._conversations.setdefault(name, [])
        message = CachedMessage(
            entry.log, entry.seq, entry.id, entry.time, entry.sender, entry.body
        )
        insort(conversation, message, key=lambda cached: (cached.time, cached.id))
        self._by_id[entry.id] = message
        if len(conversation) > _MAX_MESSAGES:
            del self._by_id[conversation.pop(0).id]

    def get(self, id: int) -> CachedMessage | None:
        """The message whose entry has this id, or None."""
        return self._by_id.get(id)

    def messages(self, conversation: str, *, sender: str | None = None) -> list[CachedMessage]:
        """The messages of a conversation, of one sender or of all, oldest first, except deleted
        ones."""
        return [
            message
            for message in self._conversations.get(conversation, ())
            if not message.deleted and (sender is None or message.sender.lower() == sender.lower())
        ]


def conversation_of(target: str) -> str:
    """The name of the conversation with an account, or in a room."""
    return room_name(target) if is_room(target) else mailbox_name(target)
