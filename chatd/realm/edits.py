"""Edits, deletions and reactions: entries that refer to another entry by its id (`Entry.about`)."""

from __future__ import annotations

from chatd.core.entries import DELETION, EDIT, REACTION
from chatd.core.names import is_mailbox, mailbox_owner
from chatd.realm.ack_session import AckSession
from chatd.realm.context import Context
from chatd.realm.permissions import check_delete_message, check_edit, check_text
from chatd.stores import Append


class Edits:
    """Changes to messages. The session is answered when its change is durable.

    In every method `log` and `seq` name the message to change, `key` is the sender's own key for
    resending the change.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    async def edit(
        self, session: AckSession, log: str, seq: int, text: str, key: str | None
    ) -> None:
        """Replace the text of a message.

        Raises `UnknownEntry`, `NotTheAuthor`, `TextTooLong`, `UnknownAccount`, `Blocked`.
        """
        check_text(text, self._context.limits.text)
        entry = await self._context.history.entry(session, log, seq)
        check_edit(session, entry)
        await self._check_reachable(session, log)
        self._append(session, log, EDIT, text, entry.id, key)

    async def delete(self, session: AckSession, log: str, seq: int, key: str | None) -> None:
        """Delete a message. Raises `UnknownEntry`, `NotTheAuthor`."""
        entry = await self._context.history.entry(session, log, seq)
        check_delete_message(session, entry, self._context.rooms.loaded(log))
        self._append(session, log, DELETION, "", entry.id, key)

    async def react(
        self, session: AckSession, log: str, seq: int, reaction: str, key: str | None
    ) -> None:
        """React to a message; an empty `reaction` withdraws the former one.

        Raises `UnknownEntry`, `UnknownAccount`, `Blocked`.
        """
        entry = await self._context.history.entry(session, log, seq)
        if log == session.mailbox.log:
            log = await self._context.accounts.reachable_log(entry.sender, session.name)
        else:
            await self._check_reachable(session, log)
        self._append(session, log, REACTION, reaction, entry.id, key)

    async def _check_reachable(self, session: AckSession, log: str) -> None:
        if is_mailbox(log) and log != session.mailbox.log:
            await self._context.accounts.reachable_log(mailbox_owner(log), session.name)

    def _append(
        self,
        session: AckSession,
        log: str,
        kind: str,
        body: str,
        about: int,
        key: str | None,
    ) -> None:
        context = self._context
        context.append(
            Append(
                log,
                context.new_id(),
                context.now(),
                session.name,
                body,
                session,
                kind,
                key,
                about,
            )
        )
