"""The options of `twistd chatd`: command line, environment, configuration file and defaults."""

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

# Every option but --config and --listen: its default and its type. None: the default depends on
# other options (`_dependent`).
_VALUES: Mapping[str, tuple[str | None, Callable[[str], Any]]] = {
    "port": ("65432", values.port),
    "host": ("127.0.0.1", values.host),
    "store": ("sqlite:chatd.db", values.store),
    "rate": (f"{Limits().rate:g}", values.rate),
    "registration": (None, values.registration),
    "allow-open-accounts": (None, values.switch),
    "list-before-login": (None, values.switch),
    "retain": ("none", values.retain),
    "admin": (None, values.admin),
    "legacy-ports": ("no", values.switch),
    "tls-cert": (None, values.path),
    "tls-key": (None, values.path),
    "tls-only": ("no", values.switch),
    "account-sessions": (str(Limits().account_sessions), values.count),
    "address-sessions": (str(Limits().address_sessions), values.count_or_none),
    "address-connections": (str(Limits().address_unauthenticated), values.count_or_none),
    "log-level": ("info", values.log_level),
    "address-accounts": (None, values.accounts_quota),
    "mailbox-size": ("256M", values.size),
    "sender-size": ("64M", values.size),
    "keep-deleted-rooms": ("1d", values.seconds_or_none),
    "account-rooms": (str(Limits().rooms_made), values.count_or_none),
}

DEFAULT_ADMIN = "chatd.db.admin"
"""the admin socket that `chatd.admin` finds without options, in the current folder"""

# The option that can be given several times.
_REPEATED = "listen"
# Flags of the command line: the option that each one sets, and its value.
_FLAGS = {
    "allow-open-accounts": ("allow-open-accounts", "yes"),
    "forbid-open-accounts": ("allow-open-accounts", "no"),
    "list-before-login": ("list-before-login", "yes"),
    "no-list-before-login": ("list-before-login", "no"),
    "legacy-ports": ("legacy-ports", "yes"),
    "tls-only": ("tls-only", "yes"),
}


def variable(name: str) -> str:
    """Return the name of the environment variable of an option."""
    return ENVIRONMENT_PREFIX + name.upper().replace("-", "_")


def _dependent(options: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults that depend on other options."""
    local = on_loopback(options["host"]) and all(port.local for port in options["listen"])
    sort, _, path = options["store"].partition(":")
    return {
        "registration": "open" if local else "invite",
        "allow-open-accounts": local,
        "list-before-login": local,
        "admin": f"{path}.admin" if sort == "sqlite" else None,
        "tls-key": options["tls-cert"],
        "address-accounts": (Limits().address_accounts, Limits().local_accounts),
    }


class Options(usage.Options):
    """The options of the daemon, checked and converted by `parseOptions`.

    Keys: port (int), host, store, rate (None: no limit), registration, allow-open-accounts (bool),
    list-before-login (bool),
    retain (`Retention`), admin (None: no socket), listen (a tuple of `option_types.Listen`),
    tls-cert and tls-key (None: no TLS), tls-only (bool), account-sessions (int), address-sessions
    and address-connections (None: no limit), log-level, mailbox-size and sender-size (bytes; None:
    no limit), keep-deleted-rooms (seconds; 0: none), address-accounts (of other machines, and of
    this one; None: no limit), account-rooms (None: no limit).
    """

    synopsis = (
        "Usage: twistd [options of twistd] chatd [options]\n"
        "       python -m chatd [options]        (in the foreground, like twistd -n chatd)"
    )

    longdesc = (
        "A chat daemon: accounts, mailboxes that survive a crash, one port for every protocol."
    )

    _EXAMPLES = """
Examples:
  twistd -n chatd                      in the foreground, on 127.0.0.1:65432, data in ./chatd.db
  twistd -n chatd --store sqlite:/var/lib/chatd/chatd.db --host 0.0.0.0
  twistd --logfile chatd.log chatd     in the background; stop it with: kill `cat twistd.pid`
  twistd -n chatd --store memory       to try it out: all data is lost when the daemon stops
  twistd -n chatd --host 0.0.0.0 --registration open --retain 90d,100000
  twistd -n chatd --legacy-ports       also on the ports that older clients use
  twistd -n chatd --host 0.0.0.0 --tls-cert chatd.pem --tls-key chatd.key --tls-only

Each option can also be set by an environment variable: CHATD_PORT, CHATD_HOST, CHATD_STORE,
CHATD_RATE, CHATD_REGISTRATION, CHATD_ALLOW_OPEN_ACCOUNTS=yes|no, CHATD_LIST_BEFORE_LOGIN=yes|no,
CHATD_RETAIN, CHATD_ADMIN, CHATD_LISTEN (several separated by blanks), CHATD_LEGACY_PORTS=yes|no,
CHATD_TLS_CERT, CHATD_TLS_KEY, CHATD_TLS_ONLY=yes|no, CHATD_ACCOUNT_SESSIONS,
CHATD_ADDRESS_SESSIONS, CHATD_ADDRESS_CONNECTIONS, CHATD_LOG_LEVEL, CHATD_MAILBOX_SIZE,
CHATD_SENDER_SIZE, CHATD_KEEP_DELETED_ROOMS, CHATD_ADDRESS_ACCOUNTS, CHATD_ACCOUNT_ROOMS,
CHATD_CONFIG. Or in the configuration file: port = 65432, listen = ["ops=tcp:2023"],
tls-only = true, ... The command line takes precedence over the environment, and the environment
over the file.
Clients: python -m chatd.client --help. Operators: python -m chatd.admin --help.
"""

    optParameters = [
        ["port", "p", None, "TCP port of the main port; 0 for any free port. Default: 65432."],
        [
            "host",
            "H",
            None,
            "Address to listen on; 0.0.0.0 or :: for all addresses. Default: 127.0.0.1.",
        ],
        [
            "store",
            "s",
            None,
            "Where data is stored: memory, or sqlite:PATH for a file. Default: sqlite:chatd.db.",
        ],
        [
            "rate",
            "r",
            None,
            "Commands per second that a connection may send on average, or none for no limit. A "
            "connection over its rate is slowed down, and nothing is refused. Default: "
            f"{Limits().rate:g}.",
        ],
        [
            "registration",
            None,
            None,
            "Who can create accounts: open (anyone), invite (clients with a token from python -m "
            "chatd.admin invite) or closed (no account can be created). Default: open if only "
            "this machine can connect, else invite.",
        ],
        [
            "retain",
            None,
            None,
            "How much of each mailbox and room to keep: an age (s m h d w), a number of messages, "
            "or both: 30d, 10000 or 90d,100000. Mail that has not been delivered is always kept. "
            "Default: none, which keeps everything.",
        ],
        [
            "admin",
            None,
            None,
            "Path of the socket for python -m chatd.admin, or none. Default: the path of the store "
            "with .admin appended; none with --store memory.",
        ],
        [
            "tls-cert",
            None,
            None,
            "Certificate for TLS (PEM, followed by its chain). SIGHUP reads it again.",
        ],
        ["tls-key", None, None, "Private key of the certificate (PEM). Default: in the same file."],
        [
            "account-sessions",
            None,
            None,
            f"Sessions that an account can have. Default: {Limits().account_sessions}.",
        ],
        [
            "address-sessions",
            None,
            None,
            "Sessions from one address of another machine (IPv6: a /64), or none for no limit. "
            f"Default: {Limits().address_sessions}.",
        ],
        [
            "address-connections",
            None,
            None,
            "Connections from one address of another machine that have not logged in, or none for "
            f"no limit. Default: {Limits().address_unauthenticated}.",
        ],
        [
            "log-level",
            None,
            None,
            "The least important lines that are logged: debug, info, warn, error or critical. "
            "Default: info.",
        ],
        [
            "mailbox-size",
            None,
            None,
            "Bytes that a mailbox stores, also with K, M or G, or none for no limit. Messages to a "
            "full mailbox are refused. Default: 256M.",
        ],
        [
            "sender-size",
            None,
            None,
            "Bytes that a mailbox stores from one sender, and a room from one member, or none. "
            "Default: 64M.",
        ],
        [
            "keep-deleted-rooms",
            None,
            None,
            "How long python -m chatd.admin restore-room can restore a deleted room (s m h d w), "
            "or none to remove it at once. Default: 1d.",
        ],
        [
            "address-accounts",
            None,
            None,
            "Accounts that one address can create in an hour without an invite token (IPv6: a /64; "
            "this machine is one address), or none for no limit. Default: "
            f"{Limits().address_accounts}, and none on this machine.",
        ],
        [
            "account-rooms",
            None,
            None,
            "Rooms that an account can create, of those that exist or can be restored, or none. "
            f"Default: {Limits().rooms_made}.",
        ],
        ["config", "c", None, "Read options from this TOML file."],
    ]

    optFlags = [
        [
            "allow-open-accounts",
            None,
            "Allow accounts without a password, which anyone can use. Default: only if no other "
            "machine can connect.",
        ],
        ["forbid-open-accounts", None, "Forbid accounts without a password."],
        [
            "list-before-login",
            None,
            "Let classic and ops clients list all accounts before they log in. Default: only if no "
            "other machine can connect.",
        ],
        ["no-list-before-login", None, "List accounts only to clients that are logged in."],
        [
            "legacy-ports",
            None,
            "Also listen where the protocols' own servers did, on 127.0.0.1: classic on 9000, ops "
            "on 2023, gRPC on 50051.",
        ],
        ["tls-only", None, "Require TLS on the main port."],
    ]

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = os.environ if environment is None else environment
        self._listen: list[str] = []
        super().__init__()  # type: ignore[no-untyped-call]

    def opt_listen(self, endpoint: str) -> None:
        """Open another port: NAME=tcp:PORT, NAME one of any, classic, v1, chat10, ops, grpc."""
        self._listen.append(endpoint)

    def getSynopsis(self) -> str:
        """Return how the command is used; without this, twistd puts its own words before it."""
        return self.synopsis + "\n"

    def getUsage(self, width: int | None = None) -> str:
        """Return the help text; the examples are not wrapped."""
        return str(super().getUsage(width)) + self._EXAMPLES

    def opt_version(self) -> None:
        """Show the version of chatd and exit."""
        print(f"chatd {__version__}")
        sys.exit(0)

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse and check the options.

        Below twistd a mistake is one sentence (SystemExit), without the whole help text around it;
        elsewhere it is a `usage.UsageError`.
        """
        try:
            super().parseOptions(options)  # type: ignore[no-untyped-call]
        except usage.UsageError as error:
            if self.parent is None:
                raise
            raise SystemExit(f"chatd: {error} (see: twistd chatd --help)") from None

    def parseArgs(self, *arguments: str) -> None:
        """Refuse arguments that are not options."""
        if arguments:
            raise usage.UsageError(f"only options are expected, not {arguments[0]!r}")

    def postOptions(self) -> None:
        """Merge the four sources, then check and convert every value."""
        sources = self._given()
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

    def _given(self) -> dict[str, tuple[str, str]]:
        """Return (name of the source, text) of each option of command line and environment."""
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
                    raise usage.UsageError(
                        f"{sources[name][0]} and --{flag} cannot be used together"
                    )
                sources[name] = ("--" + flag, value)
        for name in (*_VALUES, _REPEATED, "config"):
            if variable(name) in self._environment:
                sources.setdefault(name, (variable(name), self._environment[variable(name)]))
        return sources

    def _read_file(self, path: str) -> dict[str, str]:
        """Return the texts of the options in a configuration file."""
        if not path:
            return {}
        try:
            with open(path, "rb") as file:
                document = tomllib.load(file)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise usage.UsageError(
                f"the configuration file {path} cannot be read: {reason}"
            ) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise usage.UsageError(f"the configuration file {path} is not TOML: {error}") from None
        for name, value in document.items():
            if name not in _VALUES and name != _REPEATED:
                names = ", ".join((*_VALUES, _REPEATED))
                raise usage.UsageError(f"{path}: there is no option {name!r}; options are {names}")
            if (
                name == _REPEATED
                and isinstance(value, list)
                and all(isinstance(item, str) for item in value)
            ):
                document[name] = " ".join(value)
            elif (
                isinstance(value, bool) and name != _REPEATED and _VALUES[name][1] is values.switch
            ):
                document[name] = "yes" if value else "no"
            elif isinstance(value, bool) or not isinstance(value, str | int | float):
                raise usage.UsageError(f"{path}: the value of {name} must be a string or a number")
        return {name: str(value) for name, value in document.items()}


def _coerced(source: str, coerce: Callable[[str], T], value: str) -> T:
    try:
        return coerce(value)
    except ValueError as error:
        raise usage.UsageError(f"{source}: {error}") from None
