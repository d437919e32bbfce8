"""The options of `twistd chatd`: command line over environment over configuration file over
defaults."""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from twisted.python import usage

from chatd import __version__
from chatd.config import option_types as values
from chatd.config.option_types import LEGACY, on_loopback
from chatd.core.limits import Limits

T = TypeVar("T")

ENVIRONMENT_PREFIX = "CHATD_"

# Every option but the name of the file they can stand in: its default, and what makes a value of
# its text. Where there is no default, it depends on other options.
_VALUES: Mapping[str, tuple[str | None, Callable[[str], Any]]] = {
    "port": ("65432", values.port),
    "host": ("127.0.0.1", values.host),
    "store": ("sqlite:chatd.db", values.store),
    "rate": (f"{Limits().rate:g}", values.rate),
    "registration": (None, values.registration),
    "allow-open-accounts": (None, values.switch),
    "retain": ("none", values.retain),
    "admin": (None, values.admin),
    "legacy-ports": ("no", values.switch),
    "tls-cert": (None, values.path),
    "tls-key": (None, values.path),
    "tls-only": ("no", values.switch),
}


# The one that can be given several times.
_REPEATED = "listen"
# Switches that the command line has as flags: which option each is, and what it makes of it.
_FLAGS = {
    "allow-open-accounts": ("allow-open-accounts", "yes"),
    "forbid-open-accounts": ("allow-open-accounts", "no"),
    "legacy-ports": ("legacy-ports", "yes"),
    "tls-only": ("tls-only", "yes"),
}


def variable(name: str) -> str:
    """The environment variable of an option."""
    return ENVIRONMENT_PREFIX + name.upper().replace("-", "_")


def _dependent(options: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults that depend on other options."""
    local = on_loopback(options["host"]) and all(port.local for port in options["listen"])
    sort, _, path = options["store"].partition(":")
    return {
        "registration": "open" if local else "invite",
        "allow-open-accounts": local,
        "admin": f"{path}.admin" if sort == "sqlite" else None,
        "tls-key": options["tls-cert"],
    }


class Options(usage.Options):
    """What an operator may choose. After `parseOptions` each is checked: port, host, store, rate,
    registration, allow-open-accounts (bool), retain (`Retention`), admin (None: there is none),
    listen (`option_values.Listen`s), tls-cert and tls-key (None: no TLS), tls-only (bool)."""

    synopsis = "Usage: twistd [twistd's options] chatd [options]      (python -m chatd: the same as twistd -n chatd)"

    longdesc = (
        "A chat daemon: accounts, mailboxes that survive a crash, one port for every protocol."
    )

    _EXAMPLES = """
Examples:
  twistd -n chatd                            in the foreground, on 127.0.0.1:65432, data in ./chatd.db
  twistd -n chatd --store sqlite:/var/lib/chatd/chatd.db --host 0.0.0.0
  twistd --logfile chatd.log chatd           as a daemon; stop it with: kill `cat twistd.pid`
  twistd -n chatd --store memory             for a try: everything is gone when it stops
  twistd -n chatd --host 0.0.0.0 --registration open --retain 90d,100000
  twistd -n chatd --legacy-ports             for the clients of old, where their servers were
  twistd -n chatd --host 0.0.0.0 --tls-cert chatd.pem --tls-key chatd.key --tls-only

Each option can also be set by an environment variable (CHATD_PORT, CHATD_HOST, CHATD_STORE, CHATD_RATE,
CHATD_REGISTRATION, CHATD_ALLOW_OPEN_ACCOUNTS=yes|no, CHATD_RETAIN, CHATD_ADMIN, CHATD_LISTEN with blanks
between several, CHATD_LEGACY_PORTS=yes|no, CHATD_TLS_CERT, CHATD_TLS_KEY, CHATD_TLS_ONLY=yes|no,
CHATD_CONFIG) or in the configuration file (port = 65432, listen = ["ops=tcp:2023"], tls-only = true, ...).
The command line wins over the environment, the environment over the file.
Talk to it: python -m chatd.client; administer it: python -m chatd.admin
"""

    optParameters = [
        [
            "port",
            "p",
            None,
            "Listen on this TCP port, 65432 unless told otherwise; 0: any free one.",
        ],
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
        [
            "tls-cert",
            None,
            None,
            "Speak TLS as well, with this certificate (PEM, its chain after it). SIGHUP has it read again.",
        ],
        ["tls-key", None, None, "Its private key (PEM). Default: it is in the same file."],
        ["config", "c", None, "Read options from this TOML file."],
    ]

    optFlags = [
        [
            "allow-open-accounts",
            None,
            "There may be accounts without a password, which anyone can use. Without it they are allowed "
            "where only this machine can reach it, and nowhere else.",
        ],
        ["forbid-open-accounts", None, "There may be none in any case."],
        [
            "legacy-ports",
            None,
            "Listen, on 127.0.0.1, where the servers of old did: classic on 9000, ops on 2023, gRPC on "
            "50051.",
        ],
        ["tls-only", None, "Have nothing but TLS on the main port."],
    ]

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = os.environ if environment is None else environment
        self._listen: list[str] = []
        super().__init__()  # type: ignore[no-untyped-call]

    def opt_listen(self, endpoint: str) -> None:
        """Open one more port: any, classic, v1, chat10, ops or grpc = an endpoint, e.g.
        ops=tcp:2023."""
        self._listen.append(endpoint)

    def getUsage(self, width: int | None = None) -> str:
        """As inherited; examples are not wrapped."""
        return str(super().getUsage(width)) + self._EXAMPLES

    def opt_version(self) -> None:
        """Show the version of chatd and leave."""
        print(f"chatd {__version__}")
        sys.exit(0)

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """As inherited. Below twistd a mistake is told in one sentence, without pages of help
        around it."""
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
        sources = self._said()
        self["config"] = sources.get("config", ("", ""))[1]
        for name, value in self._read_file(self["config"]).items():
            sources.setdefault(name, (f"{name} in {self['config']}", value))
        for name, (default, coerce) in _VALUES.items():
            if name in sources or default is not None:
                source, value = sources.get(name, (name, default or ""))
                self[name] = _coerced(source, coerce, value)
        source, value = sources.get(_REPEATED, ("", ""))
        ports = [_coerced(source, values.listen, word).at(self["host"]) for word in value.split()]
        self[_REPEATED] = (*ports, *(LEGACY if self["legacy-ports"] else ()))
        for name, value in _dependent(self).items():
            if name not in sources:
                self[name] = value
        if self["tls-cert"] is None and (self["tls-only"] or self["tls-key"] is not None):
            raise usage.UsageError("TLS requires a certificate: --tls-cert")

    def _said(self) -> dict[str, tuple[str, str]]:
        """For each option that the command line or the environment has: where its value comes from,
        as an operator would name that, and the value."""
        sources = {
            name: ("--" + name, self[name])
            for name in self.defaults
            if name not in _FLAGS and self[name] is not None
        }
        if self._listen:
            sources[_REPEATED] = ("--" + _REPEATED, " ".join(self._listen))
        for flag, (name, value) in _FLAGS.items():
            if self[flag]:
                if name in sources:
                    raise usage.UsageError(f"{sources[name][0]} and --{flag} exclude each other")
                sources[name] = ("--" + flag, value)
        for name in (*_VALUES, _REPEATED, "config"):
            if variable(name) in self._environment:
                sources.setdefault(name, (variable(name), self._environment[variable(name)]))
        return sources

    def _read_file(self, path: str) -> dict[str, str]:
        """The values in a configuration file, as text."""
        if not path:
            return {}
        try:
            with open(path, "rb") as file:
                found = tomllib.load(file)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise usage.UsageError(
                f"the configuration file {path} cannot be read: {reason}"
            ) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise usage.UsageError(f"the configuration file {path} is not TOML: {error}") from None
        for name, value in found.items():
            if name not in _VALUES and name != _REPEATED:
                known = ", ".join((*_VALUES, _REPEATED))
                raise usage.UsageError(f"{path}: there is no option {name!r}; there are {known}")
            if (
                name == _REPEATED
                and isinstance(value, list)
                and all(isinstance(each, str) for each in value)
            ):
                found[name] = " ".join(value)
            elif (
                isinstance(value, bool) and name != _REPEATED and _VALUES[name][1] is values.switch
            ):
                found[name] = "yes" if value else "no"
            elif isinstance(value, bool) or not isinstance(value, str | int | float):
                raise usage.UsageError(f"{path}: {name} takes text or a number")
        return {name: str(value) for name, value in found.items()}


def _coerced(source: str, coerce: Callable[[str], T], value: str) -> T:
    try:
        return coerce(value)
    except ValueError as error:
        raise usage.UsageError(f"{source}: {error}") from None
