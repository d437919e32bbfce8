"""A server in memory: connections without a network, in front of a realm whose store and clock the
test controls."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.testing import StringTransport

from chatd.auth.credentials import portal
from chatd.core.errors import PasswordTooLong, Refused
from chatd.core.limits import Limits
from chatd.realm import invite_tokens
from chatd.realm.realm import Realm
from chatd.realm.requester import OPERATOR, Client
from chatd.server.factory import AnyConnection, ConnectionFactory
from chatd.stores import Quota
from tests.doubles.realm import Runner
from tests.doubles.stores import HeldStore

ADDRESS = "192.0.2.7"
"""the address of clients, unless a test has others"""


class MemoryTransport(StringTransport):
    """A `TrackedTransport` without a network.

    `capacity` is how many bytes the kernel still takes, None: any number. What it does not take
    waits in `buffer` until `drain`, and what it took is in `output` until the client receives it.
    The last `in_flight` bytes that it took have not arrived. `input_waiting` is whether there is
    input that the server has not read.
    """

    def __init__(self, port: int, address: str = ADDRESS) -> None:
        super().__init__(peerAddress=IPv4Address("TCP", address, port))
        self.capacity: int | None = None
        self.in_flight = 0
        self.input_waiting = False
        self.buffer = b""
        self.output = b""
        self.half_closed = False
        self._sent = 0

    def write(self, data: bytes) -> None:
        """See `ITransport`."""
        if self.disconnected:
            return
        self.buffer += data
        self._flush()
        if self.buffer and self.producer is not None:
            self.producer.pauseProducing()

    def _flush(self) -> None:
        count = len(self.buffer) if self.capacity is None else min(self.capacity, len(self.buffer))
        if self.capacity is not None:
            self.capacity -= count
        self.output += self.buffer[:count]
        self._sent += count
        self.buffer = self.buffer[count:]

    def drain(self) -> None:
        """Send the buffer, and all later output, since the client reads again."""
        self.capacity = None
        self._flush()
        if self.producer is not None:
            self.producer.resumeProducing()

    def bytes_written(self) -> int:
        """See `TrackedTransport`."""
        return self._sent + len(self.buffer)

    def bytes_sent(self) -> int:
        """See `TrackedTransport`."""
        return self._sent

    def bytes_arrived(self) -> int:
        """See `TrackedTransport`."""
        return self._sent - self.in_flight

    def longest_read(self) -> int:
        """See `TrackedTransport`."""
        return 65_536

    def input_waits(self) -> bool:
        """See `TrackedTransport`."""
        return self.input_waiting

    def close_resets(self) -> bool:
        """See `TrackedTransport`."""
        return self.input_waiting

    def hung_up(self) -> bool:
        """See `TrackedTransport`."""
        return False

    def loseWriteConnection(self) -> None:
        """See `ITCPTransport`."""
        self.half_closed = True

    def abortConnection(self) -> None:
        """See `ITCPTransport`."""
        self.disconnecting = True


class FakePasswords:
    """Hashes that cost nothing; `verify` waits for the Deferred `hold`, if it is set."""

    def __init__(self) -> None:
        self.hold: Deferred[None] | None = None

    waiting = (0, 0)

    async def hash(self, password: str, client: Client = OPERATOR) -> str:
        """See `Passwords`."""
        if len(password) > Limits().password:
            raise PasswordTooLong()
        return "hash of " + password

    async def verify(
        self, hashed: str | None, password: str, client: Client, logging_in: bool = True
    ) -> bool:
        """See `Passwords`."""
        if self.hold is not None:
            await self.hold
        return hashed == "hash of " + password


class RefusingStore(HeldStore):
    """A store that refuses appends while `refusal` is set."""

    refusal: Refused | None = None

    def _commit(self, batch: Any) -> None:
        if self.refusal is None:
            super()._commit(batch)
            return
        for item in batch:
            if hasattr(item, "body"):
                item.refusal = self.refusal
            else:
                super()._commit([item])


class MemoryServer:
    """A realm and the factory of its connections, which are made by `protocol`."""

    def __init__(self, protocol: Callable[[ConnectionFactory], AnyConnection], **limits: Any):
        # Tests create any number of accounts.
        self.limits = Limits(**{"address_accounts": None, **limits})
        self.store = RefusingStore(
            Quota(mailbox=self.limits.mailbox_bytes, sender=self.limits.sender_bytes)
        )
        self.runner = Runner()
        self.clock = self.runner.clock
        self.now = 1_000_000
        """milliseconds since 1970 (UTC)"""
        self.passwords = FakePasswords()
        self.realm = Realm(
            self.store,
            self.runner.background,
            self.limits,
            self.passwords.hash,
            now=lambda: self.now,
            seconds=self.clock.seconds,
        )
        passwords: Any = self.passwords
        self.factory = ConnectionFactory(
            protocol,
            self.realm,
            portal(self.realm, passwords, self.clock),
            self.limits,
            self.clock,
        )
        self.client_address = ADDRESS
        """the address of the next clients"""
        self._last_port = 0

    def new_transport(self) -> MemoryTransport:
        """A transport of a new client, with a port of its own."""
        self._last_port += 1
        return MemoryTransport(self._last_port, self.client_address)

    def invite_token(self, uses: int = 1) -> str:
        """A new token, without an end, for so many accounts."""
        tokens: list[str] = []

        async def make() -> None:
            tokens.append(await invite_tokens.make(self.realm.documents, self.now, uses))

        self.run(make())
        return tokens[0]

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Run a coroutine that waits for nothing but the store."""
        self.runner.spawn(coroutine)
        assert not self.runner.failures, self.runner.failures
