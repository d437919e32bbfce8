"""What all simulated clients have in common: a connection, and lines in the trace."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from tests.simulation.network import Conditions, Link

if TYPE_CHECKING:
    from tests.simulation.world import World


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

    def __str__(self) -> str:
        return f"{self.protocol} {self.number} ({self.name})"

    @property
    def connected(self) -> bool:
        """Whether there is a connection, as far as the client knows."""
        return self.link is not None and not self.link.client_closed

    def connect(self) -> None:
        """Make a connection."""
        self.hang_up()
        self.world.connections += 1
        random = Random(f"{self.world.history.seed} link {self.number} {self.world.connections}")
        self.log("connects")
        self.link = self.world.machine.connect(
            self, Conditions(random), self.number + 1, self.admin
        )

    def write(self, data: bytes) -> None:
        """Send bytes."""
        if self.link is not None:
            self.link.write(data)

    def hang_up(self) -> None:
        """Close the connection."""
        if self.link is not None and not self.link.client_closed:
            self.log("hangs up")
            self.link.close()
            self.lose()

    def lose(self) -> None:
        """The connection is closed."""
        self.link = None

    def received(self, data: bytes) -> None:
        """See `Client`."""
        raise NotImplementedError

    def disconnected(self) -> None:
        """See `Client`."""
        raise NotImplementedError

    def operate(self, operation: str, random: Random) -> bool:
        """Do an operation of this protocol, with arguments that `random` chooses; whether it could
        be done."""
        raise NotImplementedError

    def check_rest(self) -> None:
        """Nothing is under way any more: check that nothing is missing."""

    def log(self, line: str) -> None:
        """A line of the history."""
        self.world.log(f"{self} {line}")
