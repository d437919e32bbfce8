"""Classic clients on transports in memory, in front of a realm whose store and clock the test
controls."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from chatd.auth.credentials import portal
from chatd.codecs.classic import CREATE, LOGIN, Reply, Response, client_decoder, encode, encode_send
from chatd.core.errors import Refused
from chatd.core.limits import Limits
from chatd.protocols.classic import ClassicProtocol
from chatd.realm.realm import Realm
from chatd.server.connection import Connection
from chatd.server.factory import ConnectionFactory
from tests.doubles.realm import HeldStore, Runner


class MemoryTransport(StringTransport):
    """A `TrackedTransport` without a network.

    `room` is how many bytes the kernel still takes, None: any number; what it does not take waits
    in `buffer` until `drain`. `on_the_way` bytes of what it took have not arrived. `waiting_input`
    is whether there is input that the server has not read.
    """

    def __init__(self, port: int) -> None:
        super().__init__(peerAddress=IPv4Address("TCP", "192.0.2.7", port))
        self.room: int | None = None
        self.waiting_input = False
        self._sent = 0
        self.on_the_way = 0
        self.buffer = b""
        self.out = b""
        self.half_closed = False

    def write(self, data: bytes) -> None:
        """See `ITransport`."""
        if self.disconnected:
            return
        self.buffer += data
        self._flush()
        if self.buffer and self.producer is not None:
            self.producer.pauseProducing()

    def _flush(self) -> None:
        count = len(self.buffer) if self.room is None else min(self.room, len(self.buffer))
        if self.room is not None:
            self.room -= count
        self.out += self.buffer[:count]
        self._sent += count
        self.buffer = self.buffer[count:]

    def drain(self) -> None:
        """The peer reads again."""
        self.room = None
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
        return self._sent - self.on_the_way

    def input_waits(self) -> bool:
        """See `TrackedTransport`."""
        return self.waiting_input

    def hung_up(self) -> bool:
        """See `TrackedTransport`."""
        return False

    def watch_window(self, watch: bool) -> None:
        """See `TrackedTransport`."""

    def loseWriteConnection(self) -> None:
        """See ITCPTransport."""
        self.half_closed = True

    def abortConnection(self) -> None:
        """See ITCPTransport."""
        self.disconnecting = True


class QuickPasswords:
    """Hashes at once, or when the test says so."""

    def __init__(self) -> None:
        self.waiting: Deferred[None] | None = None

    async def hash(self, password: str) -> str:
        """See `Passwords`."""
        return "hash of " + password

    async def decoy(self) -> str:
        """See `Passwords`."""
        return "decoy"

    async def verify(self, hashed: str, password: str) -> bool:
        """See `Passwords`."""
        if self.waiting is not None:
            await self.waiting
        return hashed == "hash of " + password


class ClassicClient:
    """One connection, seen from the other end."""

    def __init__(self, server: ClassicServer, port: int) -> None:
        self.transport = MemoryTransport(port)
        protocol = server.factory.buildProtocol(None)
        assert isinstance(protocol, Connection)
        self.protocol = protocol
        self._decoder = client_decoder(1 << 20)
        self.protocol.makeConnection(self.transport)

    def send(self, *frames: bytes) -> None:
        """All of it in one piece, if the server reads at all."""
        assert self.transport.producerState == "producing", "the server does not read"
        self.protocol.dataReceived(b"".join(frames))

    def got(self) -> list[Reply]:
        """What has come since the last time."""
        data, self.transport.out = self.transport.out, b""
        return self._decoder.feed(data)  # type: ignore[return-value]

    def texts(self) -> list[str]:
        """The same, as text: of a SEND its text, of a RESPONSE its error, of a list its names."""
        return [
            getattr(message, "text", None)
            or getattr(message, "error", None)
            or ",".join(getattr(message, "names", ()))
            or type(message).__name__
            for message in self.got()
        ]

    def become(self, name: str, command: int = CREATE, *password: str) -> ClassicClient:
        """CREATE or LOGIN, successfully."""
        self.send(encode(command, name, *password))
        answer = self.got()
        assert answer == [Response("")], answer
        return self

    def say(self, sender: str, recipient: str, *texts: str) -> None:
        """SENDs, in one piece."""
        self.send(*[encode_send(sender, recipient, text) for text in texts])

    def lose(self) -> None:
        """The connection is gone."""
        self.transport.disconnected = True
        self.protocol.connectionLost(Failure(ConnectionDone()))

    def close_sending(self) -> None:
        """FIN from this end."""
        self.protocol.readConnectionLost()


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


class ClassicServer:
    """A server in memory behind a port of the classic protocol; the test controls its store and
    clock."""

    def __init__(self, **limits: Any) -> None:
        self.store = RefusingStore()
        self.runner = Runner()
        self.clock = self.runner.clock
        self.limits = Limits(**limits)
        self.now = 1_000_000
        """milliseconds since 1970 (UTC)"""
        self.passwords = QuickPasswords()
        self.realm = Realm(
            self.store,
            self.runner.background,
            self.limits,
            self.passwords.hash,
            now=lambda: self.now,
        )
        passwords: Any = self.passwords
        self.factory = ConnectionFactory(
            ClassicProtocol,
            self.realm,
            portal(self.realm, passwords, self.clock),
            self.limits,
            self.clock,
        )
        self._ports = 0

    def client(self, name: str = "", command: int = CREATE) -> ClassicClient:
        """A new connection, logged in if it has a name."""
        self._ports += 1
        client = ClassicClient(self, self._ports)
        return client.become(name, command) if name else client

    def login(self, name: str) -> ClassicClient:
        """A new connection, of an account that exists."""
        return self.client(name, LOGIN)
