"""Creating accounts, changing what logs in to them, and deleting them; a part of
`chatd.realm.realm.Realm`.

Each change concerns several features: an account is deleted with its mailbox, its rooms and its
tokens, and its sessions end. What belongs together is one write.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import nullcontext

from chatd.core.addresses import network_of
from chatd.core.entries import LEAVE
from chatd.core.errors import (
    Busy,
    Conflict,
    Exists,
    LimitReached,
    NameTaken,
    UnknownAccount,
    WrongPassword,
)
from chatd.core.limits import Limits
from chatd.core.names import check_name, mailbox_log
from chatd.realm import changes, message_marks
from chatd.realm.access_token import ending_all_access_tokens
from chatd.realm.accounts import Account, Accounts
from chatd.realm.address_bans import AddressBans
from chatd.realm.documents import Documents
from chatd.realm.invite_tokens import redeeming
from chatd.realm.last_hour import LastHour
from chatd.realm.membership import CreatedRoomRecord
from chatd.realm.permissions import (
    INVITE_ONLY,
    Policy,
    check_created_count,
    check_open_accounts,
    check_registration,
    created_limit,
)
from chatd.realm.presence import Presence
from chatd.realm.proof import BY_NAME_OR_PASSWORD, UNKNOWN
from chatd.realm.read_state import Settings
from chatd.realm.requester import OPERATOR, Client
from chatd.realm.restrictions import BanRecord, SilenceRecord
from chatd.realm.resume_token import ending_all_resume_tokens
from chatd.realm.resume_tokens import ResumeTokens
from chatd.realm.rooms import Rooms
from chatd.realm.session import Session
from chatd.realm.sessions import Sessions
from chatd.stores import Append, Change, DropLog

_ATTEMPTS = 16


class AccountChanges:
    """What a realm does with accounts; its base class."""

    documents: Documents
    limits: Limits
    policy: Policy
    accounts: Accounts
    address_bans: AddressBans
    presence: Presence
    registrations: LastHour
    resume_tokens: ResumeTokens
    rooms: Rooms
    sessions: Sessions
    flush: Callable[[], None]
    now: Callable[[], int]
    creation_time: Callable[[], int]
    new_id: Callable[[], int]
    new_note: Callable[[str, str, int, str, str], Append]
    _hash_password: Callable[[str, Client], Awaitable[str]]

    async def register(
        self,
        name: str,
        password: str | None = None,
        invite: str | None = None,
        client: Client = OPERATOR,
    ) -> Account:
        """Create an account, open without a `password`; where registration takes an `invite`
        token, one use of it is redeemed.

        An account without a token counts for the address of the client, unless that is an operator;
        where no token is needed, one lifts the limit.

        Raises, in this order: `AddressBanned`, `NameTaken`, `IllegalName`, `RegistrationClosed` or
        `InviteRequired`, `OpenAccountsForbidden`, `LimitReached`, `InviteInvalid`,
        `PasswordTooLong`, `Busy`.
        """
        # Behind a proxy, the address may not have been known when the connection was accepted.
        self.address_bans.check(client.address)
        # Hashing is expensive, so everything else is checked before it.
        if await self.accounts.account(name) is not None:
            raise NameTaken()
        check_name(name)
        check_registration(self.policy, invite is not None)
        if password is None:
            check_open_accounts(self.policy)
        redeems = invite if self.policy.registration == INVITE_ONLY else None
        network = network_of(client.address)
        counts = (
            redeems is None
            and client is not OPERATOR
            and created_limit(network, self.limits) is not None
        )
        if counts:
            try:
                check_created_count(self.registrations.count(network), network, self.limits)
            except LimitReached:
                if invite is None:
                    raise
                redeems, counts = invite, False
        with self.registrations.making(network) if counts else nullcontext():
            return await self._register(name, password, redeems, client)

    async def _register(
        self, name: str, password: str | None, redeems: str | None, client: Client
    ) -> Account:
        """Create an account, and redeem one use of an invite token (None: of none). Raises
        `NameTaken`, `InviteInvalid`, `PasswordTooLong`, `Busy`."""
        if redeems is not None:
            await redeeming(self.documents, redeems, self.now())
        hashed = None if password is None else await self._hash_password(password, client)
        account = Account(self.creation_time(), hashed, id=self.new_id())
        for _ in range(_ATTEMPTS):
            steps: list[Change] = []
            if redeems is not None:
                # Again, since another registration may have used the token meanwhile.
                steps.append(await redeeming(self.documents, redeems, self.now()))
            try:
                await self.accounts.register(name, account, steps)
            except Conflict:
                # The token was used by another registration at the same moment.
                continue
            return account
        raise Busy()

    async def set_password(
        self,
        name: str,
        password: str | None,
        account: Account | None = None,
        requester: Session | None = None,
        client: Client = OPERATOR,
    ) -> None:
        """Change the password of an account (None: it becomes open), and end its resume tokens, and
        its sessions except that of the requester.

        `account` is the record that the right to do this was proven against, None for an operator.
        If the account was open, and if an operator sets the password, the certificates that log in
        to it are removed, and its access tokens end. Otherwise access tokens stay, and so do the
        sessions that they have opened.

        Raises `UnknownAccount` if the account has been deleted, `WrongPassword` if it has another
        password now, `OpenAccountsForbidden`, `PasswordTooLong`, `Busy`.
        """
        proven = account is not None
        if account is None:
            name, account = await self.accounts.existing(name)
        if password is None:
            check_open_accounts(self.policy)
        hashed = None if password is None else await self._hash_password(password, client)
        regained = await self.accounts.set_password(name, account, hashed, proven)
        if regained and requester is not None:
            # It does not end with a certificate or token that is no more.
            requester.proof = BY_NAME_OR_PASSWORD
        self.sessions.end(
            account.id,
            "password-changed",
            "The password has been changed: log in again.",
            requester,
            lambda session: regained or not session.proof.access_token,
        )

    async def set_certificates(
        self,
        name: str,
        certificates: tuple[str, ...],
        account: Account | None = None,
        requester: Session | None = None,
    ) -> bool:
        """Replace the certificates, given by their fingerprints, that log in to an account. The
        sessions that a removed one has opened end, except that of the requester. Returns whether
        the resume tokens of the account have ended, since one was removed.

        `account` is the record that the right to do this was proven against, None for an operator.
        Raises `UnknownAccount` if the account has been deleted, `WrongPassword` if it has another
        password now, `Busy`.
        """
        proven = account is not None
        if account is None:
            name, account = await self.accounts.existing(name)
        removed = await self.accounts.set_certificates(name, account, certificates, proven)
        if requester is not None and requester.proof.certificate:
            requester.proof = BY_NAME_OR_PASSWORD
        if removed:
            opened = removed | {UNKNOWN}
            self.sessions.end(
                account.id,
                "certificate-removed",
                "The certificate of this session was removed from the account: log in again.",
                requester,
                lambda session: session.proof.certificate in opened,
            )
        return bool(removed)

    async def end_sessions(self, account: int, code: str, sentence: str) -> int:
        """End all sessions of an account, given by its id, with this reason, and its resume tokens;
        return the number of sessions.

        Raises `StoreUnavailable` if its tokens could not be ended.
        """
        # First the sessions, so that none of them gets a new token.
        ended = self.sessions.end(account, code, sentence)
        await self.resume_tokens.revoke_all(account)
        return ended

    async def delete(self, session: Session, proven: Account | None = None) -> None:
        """Delete the account of a session with its mailbox, and end all its sessions.

        `proven` is the record that the right to do this was proven against, None if the session is
        proof enough. Raises `UnknownAccount` if the account has been deleted already,
        `WrongPassword` if it has another password now than `proven` has.
        """
        await self._delete(session.name, session.account, proven, session)

    async def delete_account(self, name: str, proven: Account | None = None) -> None:
        """Delete an account with its mailbox, by its name.

        `proven` is as for `delete`, None for an operator. Raises `UnknownAccount`, also if the name
        belongs to another account than `proven` by now, `WrongPassword`.
        """
        name, account = await self.accounts.existing(name)
        await self._delete(name, account.id if proven is None else proven.id, proven, None)

    async def _delete(
        self, name: str, account: int, proven: Account | None, requester: Session | None
    ) -> None:
        log = mailbox_log(account)
        for remaining in reversed(range(_ATTEMPTS)):
            stored = await self.documents.get(Account, name)
            if stored is None or stored.record.id != account:
                raise UnknownAccount(f"There is no account called {name}.")
            if proven is not None and stored.record.password != proven.password:
                raise WrongPassword()
            try:
                leaving, rooms = await self.rooms.leaving_all(account, name)
                steps: list[Change] = [
                    changes.delete(stored),
                    *leaving,
                    *await self.rooms.withdrawing_all(account, name),
                    changes.delete_key(BanRecord, name),
                    changes.delete_key(SilenceRecord, name),
                    changes.delete_any(Settings, log),
                    ending_all_resume_tokens(account),
                    ending_all_access_tokens(account),
                    DropLog(log),
                    *message_marks.removing(log),
                    changes.delete_scope(CreatedRoomRecord, str(account)),
                    # Made last, so that their times are not before those of what is queued.
                    *(
                        self.new_note(room.log, name, account, LEAVE, "")
                        for room, deleted in rooms
                        if not deleted
                    ),
                ]
                self.rooms.written(steps, await self.documents.write(steps))
                break
            except (Conflict, Exists):
                if not remaining:
                    raise Busy() from None
        self.accounts.deleted(name, log)
        self.sessions.account_deleted(account, requester)
        self.presence.account_deleted(account, name)
        for room, deleted in rooms:
            self.rooms.left(room, account, deleted, "left")
        self.flush()
