"""The line being composed: its prompt, its completion, and typing notifications."""

from __future__ import annotations

from chatd.client.cli.chat_context import ChatContext
from chatd.client.cli.commands import table
from chatd.client.cli.message_cache import conversation_of
from chatd.client.cli.screen import Composer
from chatd.client.cli.terminal.sanitize import one_line
from chatd.client.cli.typing import TypingAccounts, TypingNotifier
from chatd.core.names import is_room


class ChatComposer(Composer):
    """The composer of a chat's lines."""

    def __init__(self, context: ChatContext) -> None:
        self._context = context
        self.typing_notifier = TypingNotifier(context.request_in_background, context.clock)
        self.typing_accounts = TypingAccounts(self.update_prompt, context.clock)

    def prompt(self) -> str:
        """The target, and who is typing there; in a private conversation without the name."""
        target = self._context.target
        typing = self.typing_accounts.names(conversation_of(target))
        names = ", ".join(map(one_line, typing)) + " " if is_room(target) else ""
        return one_line(target) + (f" ({names}typing)" if typing else "") + "> "

    def update_prompt(self) -> None:
        """Show the prompt as it is now."""
        self._context.screen.set_prompt(self.prompt())

    def complete(self, text: str) -> list[str]:
        """Complete commands, names and rooms."""
        return table.complete(text, self._context.cache.names)

    def text_changed(self, text: str) -> None:
        """Notify the server that the user is typing, or has stopped."""
        self.typing_notifier.text_changed(text, self._context.target)

    def stays_on_screen(self, line: str) -> bool:
        """Commands stay; messages do not, because they are printed again when they are stored."""
        return line.startswith("/") and not line.startswith(("//", "/msg ", "/m ", "/w "))
