"""Edits, deletions and reactions: entries that refer to another entry by its id (`Entry.about`)."""

from __future__ import annotations

from chatd.core.entries import DELETION, EDIT, REACTION, Entry
from chatd.core.errors import UnknownAccount, UnknownEntry
from chatd.core.names import is_mailbox, is_room, mailbox_log, mailbox_name, mailbox_owner
from chatd.realm.context import Context
from chatd.realm.message_marks import MessageMarks
from chatd.realm.permissions import (
    check_delete_message,
    check_edit,
    check_look_up,
    check_text,
    wrote,
)
from chatd.realm.session import Session
from chatd.stores import Append


class Edits:
    """Changes to messages. The session is answered when its change is durable.

    In every method `log` and `seq` name the message to change, `key` is the sender's own key for
    resending the change.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._marks = MessageMarks(context)

    async def edit(self, session: Session, log: str, seq: int, text: str, key: str | None) -> None:
        """Replace the text of a message.

        Raises `UnknownEntry`, `NotTheAuthor`, `AlreadyDeleted`, `TextTooLong`, `UnknownAccount`,
        `Blocked`, `ReadOnly`.
        """
        check_text(text, self._context.limits.text)
        target, entry = await self._context.history.found(session, log, seq)
        check_edit(session, entry)
        await self._context.rooms.check_speak(session, log)
        await self._check_reachable(session, log, target)
        # Last, so that a deletion that is noted meanwhile is appended after the edit.
        await self._marks.check_exists(target, seq, session.account, key)
        if is_room(log):
            self._check_followed(session, log, target)
        self._append(session, target, log, EDIT, text, entry.id, key)

    async def delete(self, session: Session, log: str, seq: int, key: str | None) -> None:
        """Delete a message, also one to an account that blocks its author: no text is sent. An
        account that deletes a message twice gets the answer of the first time.

        Raises `UnknownEntry`, `NotTheAuthor`, `AlreadyDeleted` if another account has deleted it.
        """
        target, entry = await self._context.history.found(session, log, seq)
        check_delete_message(session, entry, self._context.rooms.member_role(session, log))
        key = await self._marks.delete(target, seq, session.account, key)
        # The account may have lost its role, or left the room, meanwhile.
        check_look_up(session, log)
        check_delete_message(session, entry, self._context.rooms.member_role(session, log))
        self._append(session, target, log, DELETION, "", entry.id, key)

    async def react(
        self, session: Session, log: str, seq: int, reaction: str, key: str | None
    ) -> None:
        """React to a message; an empty `reaction` withdraws the former one.

        Raises `UnknownEntry`, `UnknownAccount` if the account that wrote the message has been
        deleted, `Blocked`, `ReadOnly`, `AlreadyDeleted`, `LimitReached`, `MailboxFull`, `RoomFull`.
        """
        target, entry = await self._context.history.found(session, log, seq)
        found_in, marked = log, target
        if log == session.mailbox.name:
            log = mailbox_name(entry.sender)
            target = await self._author_log(session, entry)
        else:
            await self._context.rooms.check_speak(session, log)
            await self._check_reachable(session, log, target)
        account = session.account
        if reaction:
            await self._marks.check_exists(marked, seq, account, key)
        await self._marks.react(marked, seq, account, not reaction, key, target)
        # The account may have left the room meanwhile.
        check_look_up(session, found_in)
        self._append(session, target, log, REACTION, reaction, entry.id, key)

    async def _author_log(self, session: Session, entry: Entry) -> str:
        """The mailbox of the account that wrote an entry, and not of a later one of its name.

        Raises `UnknownAccount`, `Blocked`.
        """
        accounts = self._context.accounts
        name, account = await accounts.existing(entry.sender)
        if not wrote(name, account.id, account.created, entry):
            raise UnknownAccount("The account that wrote this message has been deleted.")
        accounts.cached_log(name, session.account)
        return mailbox_log(account.id)

    async def _check_reachable(self, session: Session, name: str, log: str) -> None:
        """Check that the account can append to a log, which clients know by `name`, and that it is
        still the one of this name.

        Raises `UnknownAccount`, `Blocked`, `UnknownEntry`.
        """
        if is_mailbox(name) and name not in session.subscriptions:
            accounts = self._context.accounts
            if await accounts.reachable_log(mailbox_owner(name), session.account) != log:
                raise UnknownEntry()
        else:
            self._check_followed(session, name, log)

    def _check_followed(self, session: Session, name: str, log: str) -> None:
        """Check that the log which clients know by `name` is this one, and that the session follows
        it. Raises `UnknownEntry`."""
        subscription = session.subscriptions.get(name)
        if subscription is None or subscription.live_log.log != log:
            raise UnknownEntry()

    def _append(
        self,
        session: Session,
        log: str,
        log_name: str,
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
                context.entry_time(),
                session.name,
                body,
                session,
                kind,
                key,
                about,
                author=session.account,
                log_name=log_name,
            )
        )
