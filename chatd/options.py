"""The options of `twistd chatd`: command line over environment over configuration file over defaults."""

from __future__ import annotations

import os
import re
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address
from typing import Any

from twisted.python import usage

from chatd import __version__
from chatd.limits import Limits, Retention

ENVIRONMENT_PREFIX = "CHATD_"


def _port(value: str) -> int:
    if not (value.isascii() and value.isdigit()) or int(value) > 65535:
        raise ValueError(f"a port is a number from 0 to 65535 (0: any free one), not {value!r}")
    return int(value)


def _host(value: str) -> str:
    if not value or any(char.isspace() for char in value):
        raise ValueError(f"a host is a name or an address such as 127.0.0.1 or ::1, not {value!r}")
    return value


def _store(value: str) -> str:
    sort, _, path = value.partition(":")
    if value != "memory" and (sort != "sqlite" or not path or "\0" in path):
        raise ValueError(f"a store is memory or sqlite:PATH, not {value!r}")
    return value


def _rate(value: str) -> float | None:
    if value == "none":
        return None
    try:
        rate = float(value)
    except ValueError:
        rate = 0.0
    if not 0.01 <= rate <= 1e9:
        raise ValueError(f"a rate is a number of commands a second, from 0.01 on, or none; not {value!r}")
    return rate


def _registration(value: str) -> str:
    if value not in ("open", "invite", "closed"):
        raise ValueError(f"registration is open, invite or closed, not {value!r}")
    return value


def _switch(value: str) -> bool:
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


def _retain(value: str) -> Retention:
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


def _admin(value: str) -> str | None:
    if not value or "\0" in value:
        raise ValueError(f"an admin socket is a path, or none, not {value!r}")
    return None if value == "none" else value


# Every option but the name of the file they can stand in: its default, and what makes a value of its text.
# Where there is no default, it depends on other options.
_VALUES: Mapping[str, tuple[str | None, Callable[[str], Any]]] = {
    "port": ("65432", _port),
    "host": ("127.0.0.1", _host),
    "store": ("sqlite:chatd.db", _store),
    "rate": (f"{Limits().rate:g}", _rate),
    "registration": (None, _registration),
    "allow-open-accounts": (None, _switch),
    "retain": ("none", _retain),
    "admin": (None, _admin),
}


def variable(name: str) -> str:
    """The environment variable of an option."""
    return ENVIRONMENT_PREFIX + name.upper().replace("-", "_")


def on_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens on a host."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _dependent(options: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults that depend on other options."""
    local = on_loopback(options["host"])
    sort, _, path = options["store"].partition(":")
    return {
        "registration": "open" if local else "invite",
        "allow-open-accounts": local,
        "admin": f"{path}.admin" if sort == "sqlite" else None,
    }


class Options(usage.Options):
    """What an operator may choose. After `parseOptions` each is checked: port, host, store, rate,
    registration, allow-open-accounts (bool), retain (`Retention`), admin (None: there is none)."""

    synopsis = (
        "Usage: twistd [twistd's options] chatd [options]      (python -m chatd: the same as twistd -n chatd)"
    )

    longdesc = """
A chat daemon: accounts, mailboxes that survive a crash, one port.

Examples:
  twistd -n chatd                            in the foreground, on 127.0.0.1:65432, data in ./chatd.db
  twistd -n chatd --store sqlite:/var/lib/chatd/chatd.db --host 0.0.0.0
  twistd --logfile chatd.log chatd           as a daemon; stop it with: kill `cat twistd.pid`
  twistd -n chatd --store memory             for a try: everything is gone when it stops
  twistd -n chatd --host 0.0.0.0 --registration open --retain 90d,100000

Each option can also be set by an environment variable (CHATD_PORT, CHATD_HOST, CHATD_STORE, CHATD_RATE,
CHATD_REGISTRATION, CHATD_ALLOW_OPEN_ACCOUNTS, CHATD_RETAIN, CHATD_ADMIN, CHATD_CONFIG) or in the
configuration file (port = 65432, store = "memory", ...). The command line wins over the environment, the
environment over the file.
Talk to it: python -m chatd.client; administer it: python -m chatd.admin""".rstrip()

    optParameters = [
        ["port", "p", None, "Listen on this TCP port, 65432 unless told otherwise; 0: any free one."],
        [
            "host",
            "H",
            None,
            "Listen on this address, 127.0.0.1 unless told otherwise; 0.0.0.0 or ::, on all.",
        ],
        [
            "store",
            "s",
            None,
            "Keep everything in memory, or in a file: sqlite:PATH. Default: sqlite:chatd.db",
        ],
        [
            "rate",
            "r",
            None,
            f"Commands a second that a connection may send on average, {Limits().rate:g} unless told "
            "otherwise. "
            "More may come at once; what is too much is slowed, never refused. none: no bound.",
        ],
        [
            "registration",
            None,
            None,
            "Who may make accounts: open (everyone), invite (who has a token from python -m chatd.admin "
            "invite) or closed (nobody). Default: open where only this machine can reach it, else invite.",
        ],
        [
            "allow-open-accounts",
            None,
            None,
            "yes or no: whether there may be accounts without a password, which anyone can use. Default: yes "
            "where only this machine can reach it, else no.",
        ],
        [
            "retain",
            None,
            None,
            "What to keep of each inbox and room: an age (s m h d w), a number of messages, or both: 30d  "
            "10000  90d,100000. Mail that waits is always kept. Default: none, that is everything.",
        ],
        [
            "admin",
            None,
            None,
            "The socket for python -m chatd.admin, or none. Default: the store's path and .admin; with "
            "--store memory there is none unless told otherwise.",
        ],
        ["config", "c", None, "Read options from this TOML file."],
    ]

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = os.environ if environment is None else environment
        super().__init__()  # type: ignore[no-untyped-call]

    def opt_version(self) -> None:
        """Show the version of chatd and leave."""
        print(f"chatd {__version__}")
        sys.exit(0)

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """As inherited. Below twistd a mistake is told in one sentence, without pages of help around it."""
        try:
            super().parseOptions(options)  # type: ignore[no-untyped-call]
        except usage.UsageError as error:
            if self.parent is None:
                raise
            raise SystemExit(f"chatd: {error} (see: twistd chatd --help)") from None

    def parseArgs(self, *arguments: str) -> None:
        """There are only options."""
        if arguments:
            raise usage.UsageError(f"only options are expected, not {arguments[0]!r}")

    def postOptions(self) -> None:
        """Bring the four sources together and check every value, whichever it came from."""
        # For each option where its value comes from, as an operator would name that, and the value.
        sources = {name: ("--" + name, self[name]) for name in self.defaults if self[name] is not None}
        for name in self.defaults:
            if variable(name) in self._environment:
                sources.setdefault(name, (variable(name), self._environment[variable(name)]))
        self["config"] = sources.get("config", ("", ""))[1]
        for name, value in self._read_file(self["config"]).items():
            sources.setdefault(name, (f"{name} in {self['config']}", value))
        for name, (default, coerce) in _VALUES.items():
            source, value = sources.get(name, (name, default))
            if value is None:
                continue
            try:
                self[name] = coerce(value)
            except ValueError as error:
                raise usage.UsageError(f"{source}: {error}") from None
        for name, value in _dependent(self).items():
            if name not in sources:
                self[name] = value

    def _read_file(self, path: str) -> dict[str, str]:
        """The values in a configuration file, as text."""
        if not path:
            return {}
        try:
            with open(path, "rb") as file:
                found = tomllib.load(file)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise usage.UsageError(f"the configuration file {path} cannot be read: {reason}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise usage.UsageError(f"the configuration file {path} is not TOML: {error}") from None
        for name, value in found.items():
            if name not in _VALUES:
                known = ", ".join(_VALUES)
                raise usage.UsageError(f"{path}: there is no option {name!r}; there are {known}")
            if isinstance(value, bool) and _VALUES[name][1] is _switch:
                found[name] = "yes" if value else "no"
            elif isinstance(value, bool) or not isinstance(value, str | int | float):
                raise usage.UsageError(f"{path}: {name} takes text or a number")
        return {name: str(value) for name, value in found.items()}
