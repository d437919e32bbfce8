"""The handling of events: print them, and update the message cache and what depends on it."""

from __future__ import annotations

from collections.abc import Callable

from chatd.client.cli.blocking import Blocking
from chatd.client.cli.message_cache import MessageCache, conversation_of
from chatd.client.cli.output.output import Output
from chatd.client.cli.own_entries import sent_elsewhere
from chatd.client.cli.typing import TypingAccounts
from chatd.client.library.events import Event
from chatd.codecs import v1_messages as c
from chatd.core.names import is_room


class EventHandler:
    """Prints events, hides what blocked accounts write, and calls `mark_read` for each entry."""

    def __init__(
        self,
        output: Output,
        cache: MessageCache,
        blocking: Blocking,
        typing: TypingAccounts,
        mark_read: Callable[[str, int], None],
    ) -> None:
        self._output = output
        self._cache = cache
        self._blocking = blocking
        self._typing = typing
        self._mark_read = mark_read

    def handle(self, event: Event) -> None:
        """Handle one event."""
        match event:
            case c.Pushed():
                self._handle_entry(event)
            case c.Sent():
                self._output.entry(event)
                self._cache.add(sent_elsewhere(event, self._cache.account))
            case c.Typing(log, name, typing):
                if name not in self._blocking:
                    conversation = log if is_room(log) else conversation_of(name)
                    self._typing.update(conversation, name, typing)
                    self._output.event(event)
            case c.Joined(state) if state.room is not None:
                self._cache.add_names(state.room.room)
                self._output.event(event)
            case _:
                self._output.event(event)

    def _handle_entry(self, entry: c.Pushed) -> None:
        if not self._blocking.hides(entry):
            self._output.entry(entry)
            self._cache.add(entry)
        if entry.kind == "text":
            sender = conversation_of(entry.sender)
            conversation = entry.log if is_room(entry.log) else sender
            self._typing.update(conversation, entry.sender, False)
        self._mark_read(entry.log, entry.seq)
