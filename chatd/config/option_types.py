"""The types of options: each function converts the text of an option to its value.

All of them raise `ValueError` with a sentence that says which values are valid.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from ipaddress import ip_address

from chatd.core.limits import Retention


def port(value: str) -> int:
    """Return a TCP port; 0 is any free port."""
    if not re.fullmatch(r"[0-9]{1,5}", value) or int(value) > 65535:
        raise ValueError(f"a port is a number from 0 to 65535 (0: any free one), not {value!r}")
    return int(value)


def host(value: str) -> str:
    """Return a host name or an address to listen on."""
    if not value or any(char.isspace() for char in value):
        raise ValueError(f"a host is a name or an address such as 127.0.0.1 or ::1, not {value!r}")
    return value


def store(value: str) -> str:
    """Return where the data is stored: ``memory`` or ``sqlite:PATH``."""
    kind, _, path = value.partition(":")
    if value != "memory" and (kind != "sqlite" or not path or "\0" in path):
        raise ValueError(f"a store is memory or sqlite:PATH, not {value!r}")
    return value


def rate(value: str) -> float | None:
    """Return commands per second; None for no limit."""
    if value == "none":
        return None
    try:
        rate = float(value)
    except ValueError:
        rate = 0.0
    if not 0.01 <= rate <= 1e9:
        raise ValueError(
            f"a rate is a number of commands per second, at least 0.01, or none, not {value!r}"
        )
    return rate


def registration(value: str) -> str:
    """Return who can create accounts: ``open``, ``invite`` or ``closed``."""
    if value not in ("open", "invite", "closed"):
        raise ValueError(f"registration is open, invite or closed, not {value!r}")
    return value


def switch(value: str) -> bool:
    """Return True for ``yes``, False for ``no``."""
    if value not in ("yes", "no"):
        raise ValueError(f"the value is yes or no, not {value!r}")
    return value == "yes"


def accounts_quota(value: str) -> tuple[int | None, int | None]:
    """Return how many accounts an address can create: of another machine, and on this machine."""
    quota = count_or_none(value)
    return quota, quota


LOG_LEVELS = ("debug", "info", "warn", "error", "critical")
"""how important a line of the log is, the least important first"""


def log_level(value: str) -> str:
    """Return the level from which on lines are logged, one of `LOG_LEVELS`."""
    if value not in LOG_LEVELS:
        raise ValueError(f"a log level is one of {', '.join(LOG_LEVELS)}, not {value!r}")
    return value


_AGE = re.compile(r"([0-9]{1,9})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def seconds(value: str) -> int:
    """Return the seconds of a time such as ``90s``, ``15m``, ``12h``, ``30d`` or ``4w``."""
    match = _AGE.fullmatch(value)
    if match is None or not int(match[1]):
        raise ValueError(
            "a time is a number from 1 to 999999999 and one of s m h d w, such as 30d, not "
            f"{value!r}"
        )
    return int(match[1]) * _SECONDS[match[2]]


def seconds_or_none(value: str) -> int:
    """Return the seconds of a time as `seconds` does; 0 for ``none``."""
    return 0 if value == "none" else seconds(value)


def retain(value: str) -> Retention:
    """Return how long, and how many, messages of each log are kept."""
    if value == "none":
        return Retention()
    parts = value.split(",")
    ages = [seconds(part) for part in parts if _AGE.fullmatch(part)]
    counts = [int(part) for part in parts if re.fullmatch(r"[0-9]{1,15}", part)]
    if len(ages) > 1 or len(counts) > 1 or len(ages) + len(counts) != len(parts) or 0 in counts:
        raise ValueError(
            "retention is an age, a number of messages, or both (30d, 10000 or 90d,100000), or "
            f"none to keep everything, not {value!r}"
        )
    return Retention(ages[0] if ages else None, counts[0] if counts else None)


_SIZE = re.compile(r"([0-9]{1,15})([KMG]?)")
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def size(value: str) -> int | None:
    """Return bytes, from a number with or without a unit, such as ``64M``; None for no limit."""
    if value == "none":
        return None
    match = _SIZE.fullmatch(value)
    if match is None or not int(match[1]):
        raise ValueError(
            "a size is a number of bytes, perhaps with one of K M G, such as 64M, or none, not "
            f"{value!r}"
        )
    return int(match[1]) * _UNITS[match[2]]


def admin(value: str) -> str | None:
    """Return the path of the admin socket; None for no socket."""
    if not value or "\0" in value:
        raise ValueError(f"an admin socket is a path or none, not {value!r}")
    return None if value == "none" else value


def on_loopback(host: str) -> bool:
    """Whether only this machine can connect to a port on this host."""
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
    """A port besides the main one: its protocol, one of `LISTEN_NAMES`, and its Twisted endpoint.

    The endpoint is a description for `twisted.internet.endpoints.serverFromString`.
    """

    name: str
    endpoint: str

    @property
    def parts(self) -> list[str]:
        """The kind of the endpoint and its arguments."""
        return re.split(r"(?<!\\):", self.endpoint)

    @property
    def interface(self) -> str | None:
        """The address that the endpoint names; None if it names none."""
        kind, _, *further = self.parts
        if kind in ("tcp", "ssl"):
            for part in further:
                key, equals, value = part.partition("=")
                if key == "interface" and equals:
                    return value.replace("\\", "")
        return None

    def at(self, host: str) -> Listen:
        """Return this port at an address, unless the endpoint names one or needs none."""
        if self.parts[0] not in ("tcp", "ssl") or self.interface is not None:
            return self
        quoted = host.replace("\\", r"\\").replace(":", r"\:")
        return Listen(self.name, f"{self.endpoint}:interface={quoted}")

    @property
    def path(self) -> str | None:
        """The path of a unix socket; None if the endpoint is none."""
        if self.parts[0] != "unix":
            return None
        return re.sub(r"\\(.)", r"\1", self.parts[1].removeprefix("address="))

    def absolute(self) -> Listen:
        """Return this port with the absolute path of its unix socket, if it is one."""
        if self.path is None:
            return self
        quoted = re.sub(r"([\\:=])", r"\\\1", os.path.abspath(self.path))
        return Listen(self.name, ":".join(["unix", quoted, *self.parts[2:]]))

    @property
    def local(self) -> bool:
        """Whether only this machine can connect; False if that is not known."""
        return self.parts[0] == "unix" or on_loopback(self.interface or "")


LEGACY = tuple(
    Listen(name, f"tcp:{number}:interface=127.0.0.1") for name, number in LEGACY_PORTS.items()
)
"""what ``--legacy-ports`` adds"""


def listen(value: str) -> Listen:
    """Return a port besides the main one, from NAME=ENDPOINT."""
    name, equals, endpoint = value.partition("=")
    if not equals or name not in LISTEN_NAMES:
        raise ValueError(
            f"a port is NAME=ENDPOINT with NAME one of {', '.join(LISTEN_NAMES)}, not {value!r}"
        )
    result = Listen(name, endpoint)
    kind, *arguments = result.parts
    if not kind.isidentifier() or not arguments or not arguments[0]:
        raise ValueError(
            f"an endpoint is one of Twisted, such as tcp:2023 or unix:/run/chat, not {endpoint!r}"
        )
    if kind in ("tcp", "ssl"):
        port(arguments[0])
    if name == "grpc" and kind not in _GRPC_KINDS:
        raise ValueError(f"gRPC listens on tcp:PORT, ssl:PORT or unix:PATH, not on {endpoint!r}")
    return result


def count(value: str) -> int:
    """Return how many there may be of something, one at least."""
    if not re.fullmatch(r"[0-9]{1,9}", value) or not int(value):
        raise ValueError(f"a number from 1 to 999999999 is expected, not {value!r}")
    return int(value)


def count_or_none(value: str) -> int | None:
    """Return how many there may be of something; None for no limit."""
    if value == "none":
        return None
    try:
        return count(value)
    except ValueError as error:
        raise ValueError(f"none, or {error}") from None


def path(value: str) -> str:
    """Return the path of a file."""
    if not value or "\0" in value:
        raise ValueError(f"the value is the path of a file, not {value!r}")
    return value
