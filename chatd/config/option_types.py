"""What the texts of options mean: each function gives the value of one, or raises `ValueError` with
a sentence that says what it should have been."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address

from chatd.core.limits import Retention


def port(value: str) -> int:
    """A TCP port; 0 is any free one. Raises `ValueError`, as all of these do."""
    if not (value.isascii() and value.isdigit()) or int(value) > 65535:
        raise ValueError(f"a port is a number from 0 to 65535 (0: any free one), not {value!r}")
    return int(value)


def host(value: str) -> str:
    """A name or an address to listen on."""
    if not value or any(char.isspace() for char in value):
        raise ValueError(f"a host is a name or an address such as 127.0.0.1 or ::1, not {value!r}")
    return value


def store(value: str) -> str:
    """Where everything is kept."""
    sort, _, path = value.partition(":")
    if value != "memory" and (sort != "sqlite" or not path or "\0" in path):
        raise ValueError(f"a store is memory or sqlite:PATH, not {value!r}")
    return value


def rate(value: str) -> float | None:
    """Commands a second; None: no bound."""
    if value == "none":
        return None
    try:
        rate = float(value)
    except ValueError:
        rate = 0.0
    if not 0.01 <= rate <= 1e9:
        raise ValueError(
            f"a rate is a number of commands a second, from 0.01 on, or none; not {value!r}"
        )
    return rate


def registration(value: str) -> str:
    """Who may make accounts."""
    if value not in ("open", "invite", "closed"):
        raise ValueError(f"registration is open, invite or closed, not {value!r}")
    return value


def switch(value: str) -> bool:
    """yes or no."""
    if value not in ("yes", "no"):
        raise ValueError(f"that is yes or no, not {value!r}")
    return value == "yes"


_AGE = re.compile(r"([0-9]{1,9})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def seconds(value: str) -> int:
    """A time such as ``90s``, ``15m``, ``12h``, ``30d`` or ``4w``, more than 0, in seconds. Raises
    `ValueError`."""
    found = _AGE.fullmatch(value)
    if found is None or not int(found[1]):
        raise ValueError(f"a time is a number and one of s m h d w, such as 30d, not {value!r}")
    return int(found[1]) * _SECONDS[found[2]]


def retain(value: str) -> Retention:
    """What is kept of each log."""
    if value == "none":
        return Retention()
    parts = value.split(",")
    ages = [seconds(part) for part in parts if _AGE.fullmatch(part)]
    counts = [int(part) for part in parts if re.fullmatch(r"[0-9]{1,15}", part)]
    if len(ages) > 1 or len(counts) > 1 or len(ages) + len(counts) != len(parts) or 0 in counts:
        raise ValueError(
            "what is retained of a log is an age, a number of messages, or both "
            f"(30d  10000  90d,100000), or none: everything; not {value!r}"
        )
    return Retention(ages[0] if ages else None, counts[0] if counts else None)


def admin(value: str) -> str | None:
    """The path of the admin socket; None: there is none."""
    if not value or "\0" in value:
        raise ValueError(f"an admin socket is a path, or none, not {value!r}")
    return None if value == "none" else value


def on_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens on a host."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


LISTEN_NAMES = ("any", "classic", "v1", "chat10", "ops", "grpc")
"""the protocols that a port can have (`chatd.protocols.doors`); any: all of the main port"""
LEGACY_PORTS = {"classic": 9000, "ops": 2023, "grpc": 50051}
"""the ports on which the protocols' own servers used to listen"""
_GRPC_KINDS = ("tcp", "ssl", "unix")


@dataclass(frozen=True)
class Listen:
    """A port besides the main one: what it is for, and its endpoint, in Twisted's notation
    (`twisted.internet.endpoints.serverFromString`)."""

    name: str
    endpoint: str

    @property
    def parts(self) -> list[str]:
        """The endpoint's kind and its arguments."""
        return re.split(r"(?<!\\):", self.endpoint)

    @property
    def interface(self) -> str | None:
        """The address that the endpoint itself gives, if it is one that takes any."""
        kind, _, *further = self.parts
        if kind in ("tcp", "ssl"):
            for part in further:
                key, equals, value = part.partition("=")
                if key == "interface" and equals:
                    return value.replace("\\", "")
        return None

    def at(self, host: str) -> Listen:
        """The same, at this address unless the endpoint says otherwise."""
        if self.parts[0] not in ("tcp", "ssl") or self.interface is not None:
            return self
        quoted = host.replace("\\", r"\\").replace(":", r"\:")
        return Listen(self.name, f"{self.endpoint}:interface={quoted}")

    @property
    def local(self) -> bool:
        """Whether only this machine can reach it; what is not known is not local."""
        return self.parts[0] == "unix" or on_loopback(self.interface or "")


LEGACY = tuple(
    Listen(name, f"tcp:{number}:interface=127.0.0.1") for name, number in LEGACY_PORTS.items()
)
"""what ``--legacy-ports`` adds"""


def listen(value: str) -> Listen:
    """A port besides the main one."""
    name, equals, endpoint = value.partition("=")
    if not equals or name not in LISTEN_NAMES:
        raise ValueError(
            f"that is NAME=ENDPOINT with NAME one of {', '.join(LISTEN_NAMES)}, not {value!r}"
        )
    found = Listen(name, endpoint)
    kind, *arguments = found.parts
    if not kind.isidentifier() or not arguments or not arguments[0]:
        raise ValueError(
            f"an endpoint is one of Twisted's, such as tcp:2023 or unix:/run/chat, not {endpoint!r}"
        )
    if kind in ("tcp", "ssl"):
        port(arguments[0])
    if name == "grpc" and kind not in _GRPC_KINDS:
        raise ValueError(f"grpc listens on tcp:PORT, ssl:PORT or unix:PATH, not on {endpoint!r}")
    return found


def path(value: str) -> str:
    """A file."""
    if not value or "\0" in value:
        raise ValueError(f"that is the path of a file, not {value!r}")
    return value
