"""A history: the setup of a world and the steps that happen in it, all drawn from one seed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from tests.simulation.faults import CLOCK_FAULT, FAULTS
from tests.simulation.operations import OPERATIONS
from tests.simulation.sizes import Sizes, draw

NAMES = ("ann", "bob", "cat")
ROOMS = ("#lobby", "#r", "#s")
PORTS = ("any", "v1", "classic", "chat10", "ops")
"""the ports that some daemons have besides the main port"""


@dataclass(frozen=True)
class Step:
    """One step: `wait` seconds pass, then a device does an operation, or a fault occurs.

    `seed` decides everything else about it, so that a step stays the same when others are removed.
    """

    number: int
    device: int
    operation: str
    seed: int
    wait: float


@dataclass(frozen=True)
class Setup:
    """The world in which the steps happen: `devices` are pairs of a protocol and an account."""

    store: str
    devices: tuple[tuple[str, str], ...]
    options: tuple[str, ...] = ()
    """options of the daemon"""
    old_file: bool = False
    sizes: Sizes = ()
    """internal sizes of the daemon that are small"""

    @property
    def has(self) -> tuple[str, ...]:
        """What is special about it, for the coverage."""
        special = [option for option in self.options if option.startswith("--")]
        if self.store == "memory":
            special.append("memory")
        if self.old_file:
            special.append("old-file")
        special += (f"small-{name}" for name, _ in self.sizes)
        return tuple(dict.fromkeys(special))


@dataclass(frozen=True)
class History:
    """What happens."""

    seed: int
    setup: Setup
    steps: tuple[Step, ...]

    def only(self, numbers: set[int]) -> History:
        """The history with these steps only."""
        return replace(self, steps=tuple(step for step in self.steps if step.number in numbers))

    def without(self, *names: str) -> History:
        """The history without the steps of some operations or faults, or without options of the
        daemon (``--...``) and their values, or without small ``sizes``."""
        steps = {step.number for step in self.steps if step.operation not in names}
        options: list[str] = []
        removing = False
        for word in self.setup.options:
            removing = word in names if word.startswith("--") else removing
            if not removing:
                options.append(word)
        sizes = () if "sizes" in names else self.setup.sizes
        setup = replace(self.setup, options=tuple(options), sizes=sizes)
        return replace(self.only(steps), setup=setup)


def generate(seed: int) -> History:
    """The history of a seed."""
    random = Random(f"history {seed}")
    setup = _setup(random)
    steps: list[Step] = []
    count = random.choice((30, 60, 120, 240))
    faults = random.choice((0.0, 0.06, 0.12, 0.2))
    # A clock that is set back makes everything late, which would hide other faults.
    possible = [
        name
        for name, fault in FAULTS.items()
        if (setup.store == "sqlite" or not fault.needs_file)
        and (name != CLOCK_FAULT or seed % 4 == 0)
    ]
    device = 0
    for number in range(count):
        # Some steps follow each other at once, by the same device or by another.
        burst = random.random() < 0.25
        if not burst or random.random() < 0.6:
            device = random.randrange(len(setup.devices))
        if random.random() < faults:
            table = {name: FAULTS[name].weight for name in possible}
        else:
            table = {
                name: operation.weight
                for name, operation in OPERATIONS[setup.devices[device][0]].items()
            }
        name = random.choices(list(table), list(table.values()))[0]
        wait = random.choice((0.0, 0.0, 0.0, 0.001, 0.01, 0.1, 0.1, 1.0, 3.0))
        if burst:
            wait = 0.0
        elif random.random() < 0.02:
            wait = random.choice((15.0, 70.0, 400.0, 700.0))
        steps.append(Step(number, device, name, random.getrandbits(48), wait))
    return History(seed, replace(setup, sizes=draw(seed)), tuple(steps))


def _setup(random: Random) -> Setup:
    store = random.choice(("memory", "sqlite", "sqlite"))
    protocols = random.choice((("v1",), ("v1", "v1", "v1", *OPERATIONS), tuple(OPERATIONS)))
    count = random.choice((2, 3, 4, 5))
    devices = [(random.choice(protocols), random.choice(NAMES)) for _ in range(count)]
    options = _options(random)
    if random.random() < 0.3 or "--registration" in options:
        devices.append(("operator", NAMES[0]))
    # Some protocols can use only accounts that others have created.
    restricted = "--registration" in options
    old_file = store == "sqlite" and random.random() < (0.6 if restricted else 0.15)
    return Setup(store, tuple(devices), options, old_file)


def _options(random: Random) -> tuple[str, ...]:
    options: list[str] = []
    if random.random() < 0.12:
        options += ("--retain", random.choice(("3", "10m,5")))
    if random.random() < 0.25:
        options += ("--tls-cert", "certificate.pem")
        if random.random() < 0.25:
            options.append("--tls-only")
    if random.random() < 0.2:
        for number, name in enumerate(PORTS, 9000):
            options += ("--listen", f"{name}=tcp:{number}")
    if random.random() < 0.12:
        options += ("--registration", random.choice((*3 * ("invite",), "closed")))
    if random.random() < 0.08:
        options.append("--forbid-open-accounts")
    return tuple(options)
