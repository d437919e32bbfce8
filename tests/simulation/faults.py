"""The faults of a history: of the network, the disk, the clock and the daemon."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, TypeAlias

from tests.simulation.disk import FULL, IO_ERROR, NO_SYNC
from tests.simulation.grpc_device import GrpcDevice

if TYPE_CHECKING:
    from tests.simulation.device import Device
    from tests.simulation.world import World

Do: TypeAlias = "Callable[[World, Device, Random], bool | None]"


@dataclass(frozen=True)
class Fault:
    """How often a fault is chosen, what does it, and whether it needs a store in a file."""

    weight: int
    do: Do
    needs_file: bool


FAULTS: dict[str, Fault] = {}
"""by name"""
CLOCK_FAULT = "wall-clock-jumps"
"""the fault of the clock"""


def fault(weight: int, needs_file: bool = False) -> Callable[[Do], Do]:
    """Enter a function into the table of faults, under its name."""

    def enter(function: Do) -> Do:
        FAULTS[function.__name__.replace("_", "-")] = Fault(weight, function, needs_file)
        return function

    return enter


# The network


@fault(8)
def connection_breaks(world: World, device: Device, random: Random) -> bool:
    """A connection breaks; each end notices that sooner or later."""
    if isinstance(device, GrpcDevice):
        return device.break_off()
    if device.link is None:
        return False
    device.link.break_off(random.choice((0.0, 0.5, 60.0)), random.choice((0.0, 0.3, 30.0)))
    return True


@fault(5)
def connection_stalls(world: World, device: Device, random: Random) -> bool:
    """Nothing arrives on a connection for a while."""
    if device.link is None:
        return False
    device.link.stall(random.choice((0.05, 0.5, 5.0, 20.0)))
    return True


@fault(6)
def client_reads_slowly(world: World, device: Device, random: Random) -> bool:
    """A client does not read for a while."""
    link = device.link
    if link is None or not link.reading:
        return False
    link.conditions.window = random.choice((0, 100, 4096))
    link.set_reading(False)

    def read_again() -> None:
        link.conditions.window = 1 << 16
        link.set_reading(True)
        if link.transport is not None:
            link.transport.transmit()

    world.schedule.after(random.choice((0.2, 2.0, 12.0)), read_again)
    return True


# The clock


@fault(20)
def wall_clock_jumps(world: World, device: Device, random: Random) -> bool:
    """The wall clock is set forwards or backwards."""
    spans = (-0.5, 0.5, -30.0, 30.0, -3600.0, 3600.0, -86400.0, 86400.0, 33 * 86400.0)
    seconds = random.choice(spans)
    world.log(f"the wall clock jumps by {seconds} s")
    world.model.resume_tokens.jumps(world.model.now())
    world.schedule.set_wall_clock(seconds)
    return True


# The disk


@fault(7, needs_file=True)
def disk_fails(world: World, device: Device, random: Random) -> bool:
    """Transactions fail, once or for a while."""
    return _fail(world, random, random.choice((FULL, IO_ERROR)), random.random() < 0.2)


@fault(5, needs_file=True)
def disk_does_not_sync(world: World, device: Device, random: Random) -> bool:
    """Transactions are written and cannot be synced, once or for a while."""
    return _fail(world, random, NO_SYNC, False)


def _fail(world: World, random: Random, error: str, reads: bool) -> bool:
    disk = world.machine.disk
    disk.error = error
    disk.reads_fail = reads
    disk.failures = random.choice((1, 1, 2, 5, -1))
    world.disk_fails(True)
    if disk.failures < 0:
        world.schedule.after(random.choice((0.1, 2.0, 8.0)), lambda: world.disk_fails(False))
    else:
        world.schedule.after(10.0, lambda: world.disk_fails(False))
    return True


@fault(6, needs_file=True)
def disk_is_slow(world: World, device: Device, random: Random) -> bool:
    """Transactions take long."""
    threads = world.machine.threads
    if threads is None:
        return False
    threads.delay = random.choice((0.02, 0.3, 2.0))
    seconds = random.choice((0.5, 5.0))
    # The step of that moment may be a slow one, and others wait for it.
    world.slow_until = world.schedule.now + seconds + 2 * threads.delay
    world.schedule.after(seconds, lambda: setattr(threads, "delay", 0.002))
    return True


# The daemon


@fault(8)
def daemon_is_killed(world: World, device: Device, random: Random) -> bool:
    """The daemon is killed, and started again."""
    if not world.machine.running:
        return False
    world.kill(False)
    return True


@fault(7)
def machine_stops(world: World, device: Device, random: Random) -> bool:
    """The whole machine stops, and starts again."""
    if not world.machine.running:
        return False
    world.kill(True)
    return True


@fault(8, needs_file=True)
def daemon_dies_in_commit(world: World, device: Device, random: Random) -> bool:
    """The daemon dies before, during or after one of its next transactions."""
    return _die(world, random, False)


@fault(8, needs_file=True)
def machine_stops_in_commit(world: World, device: Device, random: Random) -> bool:
    """The machine stops before, during or after one of the next transactions."""
    return _die(world, random, True)


def _die(world: World, random: Random, machine: bool) -> bool:
    if not world.machine.running:
        return False
    world.machine.disk.die_in(random.choice((0, 1, 2, 3, 5, 8, 13, 21)), machine)
    return True


@fault(7)
def daemon_restarts(world: World, device: Device, random: Random) -> bool:
    """The daemon is stopped in order, and started again."""
    return world.restart()
