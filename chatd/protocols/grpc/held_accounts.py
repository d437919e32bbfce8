"""The accounts that the gRPC service holds: those that are logged in, and those with something
waiting for them. A call names its account, and proves with each call that it may use it."""

from __future__ import annotations

from chatd.auth.credentials import NameOnly, NamePassword
from chatd.core.addresses import network_of
from chatd.core.errors import Busy, StoreUnavailable, UnknownAccount
from chatd.protocols.grpc.account import GrpcAccount
from chatd.protocols.grpc.caller import Caller
from chatd.protocols.grpc.rates import Rates
from chatd.protocols.grpc.refusals import Refusals
from chatd.realm.accounts import Account
from chatd.realm.session import Session
from chatd.server.factory import ConnectionFactory

IDLE = 600.0
"""seconds without a call or a stream after which an account is logged out"""
_MAX_ACCOUNTS = 20_000
"""accounts that the service holds at a time"""
ATTEMPTS = 3
"""attempts to log in to an account that is logged out each time before the call goes on"""


class HeldAccounts:
    """Accounts by name; base class of the service.

    `factory` is the `chatd.server.factory.ConnectionFactory` that all other connections share.
    `thread_ids` holds the thread ids of the messages that wait to be durable, by the entry's id;
    all services of a daemon share it.
    """

    def __init__(
        self, factory: ConnectionFactory, thread_ids: dict[int, int] | None = None
    ) -> None:
        self._realm = factory.realm
        self._factory = factory
        self._clock = factory.clock
        self._accounts: dict[str, GrpcAccount] = {}
        self.rates = Rates(factory.limits, factory.clock)
        self.refusals = Refusals(factory.clock, self._realm.counters, factory.client_log)
        self._thread_ids = {} if thread_ids is None else thread_ids
        self._stopping = False

    async def _prove(self, name: str, caller: Caller) -> Account:
        """The record of an account, if the caller may use the account.

        Raises `UnknownAccount`, `PasswordRequired`, `OpenAccountsForbidden`, `WrongPassword`.
        """
        password = caller.password(name)
        await self._realm.accounts.existing(name)
        return await self._factory.prove(name, password, caller)

    async def _proven(self, name: str, caller: Caller) -> tuple[GrpcAccount, Account]:
        """The account and its record, if the caller may use the account, after a wait if the
        account is over its rate. Raises as `_prove`, and `Busy`."""
        record = await self._prove(name, caller)
        account = self._account(name, record)
        if await self.rates.wait_for_account(account):
            # Meanwhile the account may have changed, and the server may stop.
            self._check_running()
            record = await self._prove(name, caller)
            account = self._account(name, record)
        return account, record

    async def _logged_in(self, name: str, caller: Caller) -> tuple[GrpcAccount, Session]:
        """The account, and its session, opened if it has none, after a wait if the account is over
        its rate. Raises as `_prove`, and `Busy`."""
        account, session = await self._with_session(name, caller)
        if await self.rates.wait_for_account(account):
            # Meanwhile the account may have changed.
            account, session = await self._with_session(name, caller)
        return account, session

    async def _with_session(self, name: str, caller: Caller) -> tuple[GrpcAccount, Session]:
        """The account, and its session, opened if it has none. Raises as `_prove`."""
        for _ in range(ATTEMPTS):
            self._check_running()
            account = self._accounts.get(name.lower())
            session = None if account is None else account.session
            if account is None or session is None or session.ended:
                _, record = await self._realm.accounts.existing(name)
                account = self._account(name, record)
                account.address = caller.address
                account.network = network_of(caller.address)
                with account.used():
                    session = await self._factory.log_in(credentials_of(name, caller), account)
                current = self._holds(account) and account.id == session.account
                if not self._stopping and current and account.session is None:
                    account.name = name
                    account.log_in(session)
                    self._factory.client_log.connected(
                        caller.address, caller.address_and_port, name
                    )
                else:
                    session.end()
            else:
                await self._prove(name, caller)
                if account.session is not session:
                    # It was ended meanwhile, perhaps since the proof is no longer valid.
                    continue
            # The daemon, another call or an operator may have ended the session meanwhile.
            if account.session is not None and self._holds(account):
                account.last_call = self._clock.seconds()
                return account, account.session
        raise Busy()

    def _holds(self, account: GrpcAccount) -> bool:
        """Whether an account is the one of its name, and none that was deleted."""
        return self._accounts.get(account.name.lower()) is account

    def _check_running(self) -> None:
        if self._stopping:
            raise _stops()

    def _account(self, name: str, record: Account) -> GrpcAccount:
        """The account as the service holds it, from now on. Raises `UnknownAccount` if its name is
        known to belong to another one by now, `Busy`."""
        account = self._accounts.get(name.lower())
        if account is not None and account.id > record.id:
            raise UnknownAccount()
        if account is not None and account.id < record.id:
            # The notices of a former account of that name are not for this one.
            del self._accounts[name.lower()]
            account.log_out()
            account = None
        if account is None:
            if len(self._accounts) >= _MAX_ACCOUNTS:
                self.remove_idle()
            if len(self._accounts) >= _MAX_ACCOUNTS:
                raise Busy("too many accounts have something waiting for them")
            account = GrpcAccount(name, record.id, self._clock, self._thread_ids)
            self._accounts[name.lower()] = account
        account.last_call = self._clock.seconds()
        return account

    def remove_idle(self) -> None:
        """Log out and drop the accounts without a stream that made no call for `IDLE` seconds."""
        until = self._clock.seconds() - IDLE
        for key, account in list(self._accounts.items()):
            if account.idle or (not account.in_use and account.last_call < until):
                account.log_out()
                del self._accounts[key]

    def stop(self) -> None:
        """Log all accounts out; streams end after what is waiting for them. Later calls are
        refused."""
        self._stopping = True
        for account in self._accounts.values():
            account.log_out()


def credentials_of(name: str, caller: Caller) -> NameOnly | NamePassword:
    """What a call logs in to an account with. Raises `WrongPassword` if it is malformed."""
    password = caller.password(name)
    if password is None:
        return NameOnly(name, caller.address)
    return NamePassword(name, password, caller)


def _stops() -> StoreUnavailable:
    return StoreUnavailable("The server is stopping, so nothing was done; try again later.")
