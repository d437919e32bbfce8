"""The ops protocol: op codes to realm calls, sentences back. Specification: docs/protocols/ops.md.

    client                server
                      <-    the greeting
      1|mason         ->
                      <-    Success New Account Creation! ...
      3|wayne|hi      ->
                      <-    message from mason has been delivered to wayne's mailbox
                      <-    wayne: hello      when a message to the client is committed
      4|mason123      ->
                      <-    No new messages

There is no framing: what one read of the socket returns is a command, or several, a line each. So
the transport is never paused, since two commands would become one; commands wait in a bounded
queue.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.task import deferLater

from chatd.auth.credentials import NameOnly
from chatd.codecs import ops
from chatd.core.entries import described
from chatd.core.errors import (
    NameTaken,
    PatternInvalid,
    PatternTooLong,
    Refused,
    StoreUnavailable,
    TextTooLong,
    UnknownAccount,
    WrongPassword,
)
from chatd.core.names import NOTICE_SENDER
from chatd.core.simple_regex import matcher
from chatd.realm.accounts import Account
from chatd.realm.delivery import refusal_of
from chatd.realm.live_log import Run
from chatd.realm.mail_fetch import MailFetch
from chatd.realm.peer import SessionOptions
from chatd.realm.permissions import check_list_accounts, check_open_accounts
from chatd.realm.positions import VERY_SOON
from chatd.realm.requester import Requester
from chatd.realm.session import Session
from chatd.server.factory import ConnectionFactory
from chatd.server.unframed import Unframed
from chatd.stores import Append

_ARRIVAL_POLL, _ARRIVAL_TIMEOUT = 0.01, 1.0
"""seconds between two looks whether mail has arrived, and in all"""


class OpsProtocol(Unframed):
    """The connection of one ops client. `spelling` is the name as the client spelled it.

    With `greets` the greeting is sent when the client connects; without it, with the first reply,
    since on a port of several protocols the client's protocol is not known before.
    """

    session_options = SessionOptions(
        exclusive=True, takes_over=True, fetches=True, rooms=False, save_within=VERY_SOON
    )
    longest = ops.LONGEST
    only_read = (ops.List,)
    spelling = ""

    def __init__(self, factory: ConnectionFactory, greets: bool = False) -> None:
        super().__init__(factory, ops.Decoder())
        self._greets = greets
        self._greeting = ops.GREETING

    def connectionMade(self) -> None:
        """See `Connection`."""
        super().connectionMade()
        if self._greets:
            self._reply("")

    # From the client

    def flooded(self) -> None:
        """See `Unframed`."""
        self._reply("too many commands wait for their turn\n")

    def burst(self, messages: Sequence[ops.Command]) -> int:
        """None: every command has to wait for something."""
        return 0

    async def perform(self, message: ops.Command) -> None:
        """Carry out one command, when all before it have been carried out."""
        if self.pending:
            self.requeue(message)
            return
        try:
            match message:
                case ops.Create():
                    await self._create(message)
                case ops.Login():
                    await self._login(message.id)
                case ops.List():
                    await self._list(message.pattern)
                case ops.Send():
                    await self._send(message)
                case ops.Fetch():
                    await self._fetch(message.id)
                case ops.Delete():
                    await self._delete(message.id)
                case ops.TooLong():
                    raise TextTooLong(f"text too long: more than {ops.LONGEST} bytes at once")
                case ops.TooMany():
                    self.disconnect_flooding()
                case _:
                    self._reply(ops.INVALID)
        except Refused as refused:
            # The log gets the code: a sentence may quote a message.
            self.log_refusal(refused.code, refused.quota, _account(message))
            self._reply(f"{refused}\n")

    async def _create(self, message: ops.Create) -> None:
        name = message.name
        try:
            account = await self.factory.register(name, None, message.invite, self)
        except NameTaken:
            self._reply(ops.taken(name))
            return
        await self.entries_arrive()
        session = await self.realm.sessions.open(name, account, self)
        self._change_session(session, name)
        self._reply(ops.created(name))

    async def _login(self, id: str) -> None:
        name = ops.name_of(id)
        if await self._open_account(name) is None:
            self._reply(ops.unknown_id(id))
            return
        credentials = NameOnly(name, self.address)
        await self.entries_arrive()
        session = await self.factory.log_in(credentials, self)
        self._change_session(session, name)
        self._reply(ops.logged_in(name))

    def _change_session(self, session: Session, spelling: str) -> None:
        self.end_former_session()
        self.spelling = spelling
        self.logged_in(session)
        session.begin({})

    async def _open_account(self, name: str) -> tuple[str, Account] | None:
        """The name as first written and the record of an open account, None if there is no open
        account of that name. Raises `OpenAccountsForbidden`, `AddressBanned`."""
        # Behind a proxy, the address may not have been known when the connection was accepted.
        self.realm.address_bans.check(self.address)
        account: tuple[str, Account] | None = await self.realm.accounts.account(name)
        if account is None or account[1].password is not None:
            return None
        check_open_accounts(self.realm.policy)
        return account

    async def _list(self, pattern: str) -> None:
        check_list_accounts(
            self.session, self.realm.policy, "create or login your account before you list others"
        )
        accounts = self.realm.accounts
        try:
            accounts.check_pattern(pattern)
            matches = matcher(pattern) if pattern else None
        except (PatternInvalid, PatternTooLong):
            self._reply(ops.INVALID)
            return

        async def make(requester: Requester) -> bytes:
            names = await accounts.names_like(matches, requester)
            return ops.encode(ops.matched(pattern, names) if pattern else ops.all_names(names))

        answer = await self.factory.listings.get(self, ("ops", pattern), make)
        self._write(answer)
        self.wrote_listing(len(answer))

    async def _send(self, message: ops.Send) -> None:
        if await self.realm.accounts.account(message.recipient) is None:
            self._reply(ops.unknown_recipient(message.recipient))
        elif self.session is None:
            self._reply(ops.INVALID)
        else:
            try:
                await self.realm.deliver(self.session, message)
            except UnknownAccount:
                # The account was deleted meanwhile.
                self._reply(ops.unknown_recipient(message.recipient))
            else:
                self.pending.append(message)
                self.realm.flush()

    async def _fetch(self, id: str) -> None:
        account = await self._open_account(ops.name_of(id))
        if account is None:
            self._reply(ops.UNKNOWN_MAILBOX)
            return
        mail: MailFetch = await self.realm.sessions.open_mail_fetch(*account)
        head = ops.mail(id)
        try:
            if not mail.waits:
                self._reply(ops.NO_MESSAGES)
                return
            while entries := await mail.page():
                if self.disconnected:
                    break
                texts = [
                    ops.mail_item(entry.sender, described(entry.kind, entry.body))
                    for entry in entries
                ]
                self._reply(head + "".join(texts))
                head = ""
                if not await self._arrived():
                    break
                try:
                    await mail.acknowledge(entries)
                except StoreUnavailable as refused:
                    # It is saved later. A reply would be taken for that to the next command.
                    self.log_refusal(refused.code)
        except UnknownAccount:
            # The account has been deleted meanwhile.
            if not head:
                raise
            self._reply(ops.UNKNOWN_MAILBOX)
        finally:
            mail.close()

    async def _arrived(self) -> bool:
        """Wait until all output has reached the client, as far as can be known; whether it has."""
        until = self.clock.seconds() + _ARRIVAL_TIMEOUT
        while self.tracked_transport.bytes_arrived() < self.writes.written:
            if self.disconnected or self.clock.seconds() >= until:
                return False
            await deferLater(self.clock, _ARRIVAL_POLL)
        return True

    async def _delete(self, id: str) -> None:
        account = await self._open_account(ops.name_of(id))
        if account is None:
            self._reply(ops.UNKNOWN_ACCOUNT)
            return
        mail: MailFetch = await self.realm.sessions.open_mail_fetch(*account)
        waits = mail.waits
        mail.close()
        if waits:
            self._reply(ops.MAIL_WAITS)
            return
        name, record = account
        session = self.session
        try:
            if session is not None and session.account == record.id:
                await self.realm.delete(session, record)
                self.session = None
                self.writes.reset()
                self.log_session_end(session)
            else:
                await self.realm.delete_account(name, record)
        except (UnknownAccount, WrongPassword):
            # The account has been deleted meanwhile, or is not open any more.
            self._reply(ops.UNKNOWN_ACCOUNT)
            return
        self._reply(ops.DELETED)

    # To the client

    @property
    def separate_writes(self) -> bool:
        """See `chatd.realm.peer.Peer`."""
        return True

    def show(self, runs: Sequence[Run]) -> None:
        """See `chatd.realm.peer.Peer`. Each entry is a write of its own, since nothing else
        separates it from the next."""
        for run in runs:
            for entry in run.entries:
                data = ops.encode(ops.message(entry.sender, described(entry.kind, entry.body)))
                self.wrote_entries(run.log, entry.seq, (len(data),), len(data))
                self.transport.write(data)

    def write_answers(self, messages: Sequence[ops.Send], appends: Sequence[Append]) -> None:
        """See `Connection`."""
        for message, append in zip(messages, appends, strict=True):
            refusal = refusal_of(append)
            if refusal is not None:
                self.log_refusal(refusal.code, refusal.quota)
            if isinstance(refusal, UnknownAccount):
                self._reply(ops.unknown_recipient(message.recipient))
            elif refusal is not None:
                self._reply(f"{refusal}\n")
            elif self.realm.sessions.appears_online(message.recipient):
                self._reply(ops.sent(self.spelling, message.text, message.recipient))
            else:
                self._reply(ops.left_in_mailbox(self.spelling, message.recipient))

    def announcement(self, time: int, text: str) -> None:
        """See `chatd.realm.peer.Peer`. It is a message from the server; a client that does not read
        gets none."""
        if self.writable:
            self._reply(ops.message(NOTICE_SENDER, text))

    @property
    def about(self) -> str:
        """See `chatd.realm.peer.Peer`."""
        return f"ops, from {self.address_and_port}"

    def session_ended(self, code: str, sentence: str) -> None:
        """See `chatd.realm.peer.Peer`. After a log-in elsewhere, this connection stays open and
        may log in again."""
        if code != "logged-in-elsewhere":
            super().session_ended(code, sentence)
            return
        session, self.session = self.session, None
        self.writes.reset()
        if session is not None:
            self.log_session_end(session)

    def _reply(self, text: str) -> None:
        self._write(ops.encode(text))

    def _write(self, data: bytes) -> None:
        if self._greeting:
            data = ops.encode(self._greeting) + data
            self._greeting = ""
        self.writes.record(len(data))
        self.transport.write(data)


def _account(command: ops.Command) -> str:
    """The name of the account that a command concerns, empty if it is that of the session."""
    match command:
        case ops.Create():
            return command.name
        case ops.Login() | ops.Fetch() | ops.Delete():
            return ops.name_of(command.id)
    return ""
