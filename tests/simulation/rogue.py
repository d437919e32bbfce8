"""A client that does not obey any protocol: random bytes, messages in a wrong order, floods."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from chatd.codecs import classic
from chatd.codecs import v1_messages as c
from chatd.codecs.v1 import encode
from tests.simulation.device import Device

_BEGINNINGS = (b"\x01", b"\x00\x02", b"REGISTER ", b"1|", b"\x16\x03\x01", b"", b"\xff", b"3|ann|")
_NUMBERS = ("ref", "seq", "last", "first", "limit", "after", "before")


class Rogue(Device):
    """One such client. What it receives is ignored."""

    protocol = "rogue"

    def read(self, data: bytes) -> None:
        """See `Device`."""

    def disconnected(self) -> None:
        """See `Client`."""
        self.lose()


def _connected(rogue: Rogue) -> None:
    if not rogue.connected:
        rogue.connect()


def _random_bytes(rogue: Rogue, random: Random) -> bool:
    """Send bytes that mean nothing, perhaps after a beginning that does."""
    _connected(rogue)
    rogue.write(random.choice(_BEGINNINGS) + random.randbytes(random.choice((1, 10, 300, 5000))))
    return True


def _broken_frames(rogue: Rogue, random: Random) -> bool:
    """Send frames of version 1 with a byte changed, or the beginning of one."""
    _connected(rogue)
    frame = bytearray(encode(_message(random)))
    frame[random.randrange(len(frame))] = random.randrange(256)
    rogue.write(bytes(frame[: random.choice((len(frame), 3, 7))]))
    return True


def _wrong_order(rogue: Rogue, random: Random) -> bool:
    """Send requests without being logged in."""
    _connected(rogue)
    for _ in range(random.choice((1, 3, 10))):
        rogue.write(encode(_message(random)))
    return True


def _message(random: Random) -> c.Message:
    kinds = [kind for number, kind in c.REQUESTS.items() if number < 64]
    kind = random.choice(kinds)
    texts = ["ann", "#lobby", "@bob", ""]
    values: list[object] = [
        random.choice((1, 0, 7) if field in _NUMBERS else texts) for field in kind.__struct_fields__
    ]
    if kind in (c.Register, c.LogIn, c.ChangePassword, c.DeleteAccount):
        return c.Ping(1)
    return kind(*values)


def _flood(rogue: Rogue, random: Random) -> bool:
    """Send very many requests at once, and read no answers."""
    _connected(rogue)
    if rogue.link is not None:
        rogue.link.conditions.piece = 1 << 16
        rogue.link.set_reading(False)
    data = random.choice(
        (
            encode(c.Ping(1)) * 8000,
            classic.encode(classic.LIST, "*") * 400,
            b"2\n" * 1500,
            encode(c.Hello(1, "x" * 400)) * 500,
        )
    )
    rogue.log(f"-> {len(data)} bytes, beginning with {data[:12]!r}")
    rogue.write(data)
    return True


def _hang_up(rogue: Rogue, random: Random) -> bool:
    """Close the connection, or only one direction of it."""
    if rogue.link is None:
        return False
    if random.random() < 0.4:
        rogue.link.half_close()
    else:
        rogue.hang_up()
    return True


OPERATIONS: dict[str, tuple[int, Callable[[Rogue, Random], bool]]] = {
    "random-bytes": (8, _random_bytes),
    "broken-frames": (8, _broken_frames),
    "wrong-order": (8, _wrong_order),
    "flood": (4, _flood),
    "hang-up": (8, _hang_up),
}
