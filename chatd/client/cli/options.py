"""The command line: who, where, and how the password comes in. Parsing only; nothing is opened but
FILE."""

from __future__ import annotations

import getopt
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from twisted.python import usage

import chatd
from chatd.client.library.tls import Security, validate

HOST, PORT = "127.0.0.1", 65432
"""where the daemon is unless told otherwise"""

VERSION_1, CLASSIC = "1", "classic"
"""the protocols there are"""

INVALID_SERVER = "Error:  Invalid server.  Enter a URL of the form:  chat://host:port"

_SYNOPSIS = "Usage: python -m chatd.client [USERNAME] [chat[s]://HOST[:PORT]] [options]\n"
_PAGE = f"""\
Chat by way of a chatd daemon, at a terminal or in a pipe.

  python -m chatd.client          asks who you are
  python -m chatd.client alice    log in as alice; a new name gets an account
  python -m chatd.client alice chat://chat.example.org:{PORT}
  python -m chatd.client alice chats://chat.example.org          by TLS
  printf '/msg bob hi\\n' | python -m chatd.client alice

What you type is said in the room #lobby, or where /join and /to have brought
you. /help shows all commands. Tab completes commands, names and rooms, the
arrows bring back earlier lines, Ctrl-C or Ctrl-D leave.

In a pipe, each line is a text or a command, or the answer to a question. What
happens goes to the output, a line for each thing, without times and colours.
What was refused goes to the error output. At the end of its input the client
waits for the answers it is owed, shows what waits, then leaves.

Options:
  --host HOST           the daemon's host name or address [{HOST}]
  --port PORT           its port [{PORT}]
  --password-file FILE  the first line of FILE is the password, if USERNAME
                        wants one; else the environment variable CHATD_PASSWORD
                        is. Without either, a person is asked
  --invite TOKEN        the operator's token for a new account, where that is
                        by invitation
  --tls-ca FILE         with chats://, the issuers to trust (PEM), instead of
                        those of this machine
  --tls-pin SHA256      with chats://, the fingerprint of the one certificate
                        that is trusted
  --tls-cert FILE       with chats://, the certificate to show (PEM), which logs
                        in to an account that knows it
  --tls-key FILE        its key, unless it is in the same file
  --times               lines begin with the time in a pipe, too
  --json                for programs: a JSON object a line, both ways
  --protocol PROTOCOL   1, or classic: the old menus, for old servers [1]
  -h, --help            show this page
  --version             show the version

Colours are for terminals only, and for nobody when the environment variable
NO_COLOR is set. More: docs/client.md.

Exit status: 0 all went well; 1 the connection failed or was lost, or, in a
pipe, something was refused; 2 the command line is wrong; 128 and its number
when a signal ended the client, as 130 for Ctrl-C in a pipe.
"""


class Options(usage.Options):
    """What was asked for: `name`, `address` and `password`, once `parseOptions` has returned."""

    optParameters = [
        ["host", None, None, ""],
        ["port", None, None, ""],
        ["password-file", None, None, ""],
        ["invite", None, None, ""],
        ["protocol", None, VERSION_1, ""],
        ["tls-ca", None, None, ""],
        ["tls-pin", None, None, ""],
        ["tls-cert", None, None, ""],
        ["tls-key", None, None, ""],
    ]
    optFlags = [["times", None, ""], ["json", None, ""]]

    name: str | None = None
    """who to log in as; None: ask"""
    password: str | None = None
    """the password that was given; None: none was"""
    invite: str | None = None
    """the token for a new account; None: none"""
    classic = False
    """whether to speak the classic protocol"""
    json = False
    """whether a program reads and writes"""
    times = False
    """whether each line has the time even in a pipe"""
    address: tuple[str, int] = (HOST, PORT)
    """host and port of the daemon"""
    security: Security | None = None
    """how TLS is to be; None: there is none"""

    def getUsage(self, width: int | None = None) -> str:
        """The rest of the page that --help shows."""
        return _PAGE

    def getSynopsis(self) -> str:
        """The first line of the page."""
        return _SYNOPSIS

    def opt_h(self) -> None:
        """Show the page."""
        self.opt_help()  # type: ignore[no-untyped-call]

    def opt_version(self) -> None:
        """Show the version."""
        print(f"chatd {chatd.__version__}")
        sys.exit(0)

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse; unlike the parent's, options may also follow USERNAME and the URL."""
        given = sys.argv[1:] if options is None else options
        try:
            found, rest = getopt.gnu_getopt(given, self.shortOpt, self.longOpt)
        except getopt.error as error:
            raise usage.UsageError(f"{error}.") from None
        takes_value = {f"--{name[:-1]}" for name in self.longOpt if name.endswith("=")}
        first = [
            f"{option}={value}" if option in takes_value else option for option, value in found
        ]
        super().parseOptions([*first, "--", *rest])  # type: ignore[no-untyped-call]

    def parseArgs(self, *args: str) -> None:
        """USERNAME, then the URL; either may be missing."""
        rest = list(args)
        if rest and "://" not in rest[0]:
            self.name = rest.pop(0)
        self._url = rest.pop(0) if rest else None
        if rest:
            raise usage.UsageError(
                f"{rest[0]!r} is too much: give a USERNAME and a URL, or one of them."
            )

    def postOptions(self) -> None:
        """Put together what was given apart."""
        tls, host, port = _parse_url(self._url) if self._url is not None else (False, None, None)
        if host and self["host"] is not None:
            raise usage.UsageError("The host is given twice: use the URL or --host.")
        if port and self["port"] is not None:
            raise usage.UsageError("The port is given twice: use the URL or --port.")
        if self["port"] is not None:
            port = _port(self["port"])
        self.address = (host or self["host"] or HOST, port or PORT)
        self.security = self._security() if tls else None
        for name in ("ca", "pin", "cert", "key"):
            if not tls and self[f"tls-{name}"] is not None:
                raise usage.UsageError(f"--tls-{name} goes with a URL that begins with chats://.")
        self.password = os.environ.get("CHATD_PASSWORD") or None
        if self["password-file"] is not None:
            self.password = _first_line(self["password-file"])
        if self["protocol"] not in (VERSION_1, CLASSIC):
            raise usage.UsageError(f"--protocol takes 1 or classic, not {self['protocol']!r}.")
        self.classic = self["protocol"] == CLASSIC
        self.invite = self["invite"]
        self.json, self.times = bool(self["json"]), bool(self["times"])
        for name in ("invite", "json", "times"):
            if self.classic and self[name]:
                raise usage.UsageError(f"--{name} is not for the classic protocol.")

    def _security(self) -> Security:
        if self["tls-key"] is not None and self["tls-cert"] is None:
            raise usage.UsageError("--tls-key goes with --tls-cert.")
        for name in ("ca", "cert", "key"):
            path = self[f"tls-{name}"]
            if path is not None and not os.access(path, os.R_OK):
                raise usage.UsageError(f"The file {path!r} of --tls-{name} cannot be read.")
        security = Security(self["tls-ca"], self["tls-pin"], self["tls-cert"], self["tls-key"])
        try:
            validate(security)
        except ValueError as error:
            raise usage.UsageError(f"{error}.") from None
        return security


def _parse_url(url: str) -> tuple[bool, str, int | None]:
    """Of a chat:// or chats:// URL whether it is by TLS, host and port; `usage.UsageError` says
    what a URL looks like."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise usage.UsageError(INVALID_SERVER) from None
    extra = (
        parts.username is not None or parts.path not in ("", "/") or parts.query or parts.fragment
    )
    if (
        parts.scheme not in ("chat", "chats")
        or not host
        or port == 0
        or extra
        or not host.isprintable()
        or " " in host
    ):
        raise usage.UsageError(INVALID_SERVER)
    return parts.scheme == "chats", host, port


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 65536):
        raise usage.UsageError(f"--port takes a number from 1 to 65535, not {text!r}.")
    return int(text)


def _first_line(name: str) -> str | None:
    try:
        with Path(name).open(encoding="utf-8", errors="replace") as file:
            return file.readline().rstrip("\r\n") or None
    except OSError as error:
        raise usage.UsageError(
            f"The password file {name!r} cannot be read: {error.strerror}."
        ) from None
