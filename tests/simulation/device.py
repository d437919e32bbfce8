"""What all simulated clients have in common: a connection, and lines in the trace."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from tests.simulation.network import Conditions, Link
from tests.simulation.secure import ClientEnd

if TYPE_CHECKING:
    from tests.simulation.world import World


def certificate_of(number: int) -> str:
    """The fingerprint of the certificate of the device with a number."""
    return f"{number + 1:064x}"


class Device:
    """One client program of the user of an account. `name` is the account that it uses."""

    protocol = ""
    admin = False

    def __init__(self, world: World, number: int, name: str) -> None:
        self.world = world
        self.model = world.model
        self.number = number
        self.name = name
        self.link: Link | None = None
        self.connected_last = 0
        """when the client has connected last, or made a call"""
        self._tls: ClientEnd | None = None

    def __str__(self) -> str:
        return f"{self.protocol} {self.number} ({self.name})"

    @property
    def connected(self) -> bool:
        """Whether there is a connection, as far as the client knows."""
        return self.link is not None and not self.link.client_closed

    @property
    def certificate(self) -> str | None:
        """The fingerprint of the certificate that the connection shows."""
        return None if self._tls is None else self._tls.certificate

    def own_certificate(self, random: Random) -> str | None:
        """The certificate to show on a new connection; most clients have none."""
        return None

    def connect(self) -> None:
        """Make a connection, to the main port or to one of the protocol, with TLS or without."""
        self.hang_up()
        self.connected_last = self.model.now()
        world = self.world
        world.connections += 1
        random = Random(f"{world.history.seed} link {self.number} {world.connections}")
        port = world.choose_port(self, random)
        self._tls = None
        if world.chooses_tls(port, random):
            self._tls = ClientEnd(self.own_certificate(random))
        self.log("connects" + (f" to {port}" if port else "") + (" with TLS" if self._tls else ""))
        self.link = world.machine.connect(self, Conditions(random), self.number + 1, port)
        if self._tls is not None:
            self.link.write(self._tls.hello())

    def write(self, data: bytes) -> None:
        """Send bytes."""
        if self.link is not None:
            self.link.write(data if self._tls is None else self._tls.encrypt(data))

    def received(self, data: bytes) -> None:
        """See `Client`."""
        if self._tls is not None:
            data, reply = self._tls.decrypt(data)
            if self.link is not None and reply:
                self.link.write(reply)
        if data:
            self.read(data)

    def unread(self) -> bytes:
        """What has arrived, and this client has not read."""
        data = b"" if self.link is None else self.link.unread
        return data if self._tls is None else self._tls.decrypt(data)[0]

    def hang_up(self) -> None:
        """Close the connection."""
        if self.link is not None and not self.link.client_closed:
            self.log("hangs up")
            if self._tls is not None and self._tls.established:
                self.link.write(self._tls.end())
            self.link.close()
            self.lose()

    def lose(self) -> None:
        """The connection is closed."""
        self.link = None

    def read(self, data: bytes) -> None:
        """Bytes have been read, without TLS."""
        raise NotImplementedError

    def disconnected(self) -> None:
        """See `Client`."""
        raise NotImplementedError

    def may_have_session(self) -> bool:
        """Whether the device may have a session that needs no connection."""
        return False

    def prepare_rest(self) -> None:
        """Everything works again, and nothing new begins: ask what `check_rest` needs."""

    def check_rest(self) -> None:
        """Nothing is under way any more: check that nothing is missing."""

    def log(self, line: str) -> None:
        """A line of the history."""
        self.world.log(f"{self} {line}")
