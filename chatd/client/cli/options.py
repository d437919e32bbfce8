"""The command line of the client. Parsing opens no file but that of ``--password-file``."""

from __future__ import annotations

import getopt
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from twisted.python import usage

import chatd
from chatd.client.library.tls import Security, validate
from chatd.core import invite_tokens
from chatd.core.names import check_word

HOST, PORT = "127.0.0.1", 65432
"""the default address of the daemon"""

VERSION_1, CLASSIC = "1", "classic"
"""the values of ``--protocol``"""

INVALID_SERVER = "Error:  Invalid server.  Enter a URL of the form:  chat://host:port"

_SYNOPSIS = "Usage: python -m chatd.client [USERNAME] [URL] [options]\n"
_PAGE = f"""\
Chat with other users of a chatd server, at a terminal or in a pipe.

  python -m chatd.client          ask for a name and log in
  python -m chatd.client alice    log in as alice, or create this account
  python -m chatd.client alice chat://chat.example.org:{PORT}
  python -m chatd.client alice chats://chat.example.org          with TLS
  python -m chatd.client chats://alice@chat.example.org/TOKEN    by invitation
  printf '/msg bob hi\\n' | python -m chatd.client alice

What you type is sent to the room #lobby, or to the room or account that you
choose with /join and /to. /help lists the commands. Tab completes commands,
names and rooms, the arrow keys bring back earlier lines, Ctrl-C and Ctrl-D
quit.

In a pipe, each line of the input is a message or a command, never a password.
Without a USERNAME, the first line is the name. With --protocol classic, a line
can also be the answer to a question. Each event is printed as one line,
without times and colours. Errors go to the error output. At the end of the
input, the client waits for outstanding answers, prints the messages that have
waited for you, and ends.

Options:
  --host HOST           the server's host name or address [{HOST}]
  --port PORT           the server's port [{PORT}]
  --password-file FILE  take the password from the first line of FILE. Without
                        this option it is taken from the environment variable
                        CHATD_PASSWORD or, at a terminal, asked for
  --token-file FILE     log in with the access token in the first line of FILE.
                        Without this option it is taken from the environment
                        variable CHATD_TOKEN. See /help token
  --new-password-file FILE
                        in a pipe, the first line of FILE is the password that
                        the command /passwd sets
  --invite TOKEN        the invite token from the operator, if creating an
                        account requires one
  --tls-ca FILE         with chats://, trust the issuers in FILE (PEM) instead
                        of those that this machine trusts
  --tls-pin SHA256      with chats://, trust only the certificate with this
                        fingerprint
  --tls-cert FILE       with chats://, send this certificate (PEM); it logs in
                        to an account that has its fingerprint
  --tls-key FILE        the key of that certificate, if it is not in the same
                        file
  --times               print times in a pipe, too
  --json                for programs: read and write one JSON object a line
  --protocol PROTOCOL   1, or classic for old servers, with the old menus [1]
  -h, --help            show this help
  --version             show the version

Colours are used at a terminal only, and not if the environment variable
NO_COLOR is set. More: docs/client.md.

Exit status: 0 if everything succeeded; 1 if the connection failed or was lost
or, in a pipe, a request was refused; 2 if the command line is invalid or the
standard output is closed; 128 + N if signal N ended the client, such as 130
for Ctrl-C in a pipe.
"""


class Options(usage.Options):
    """The options; the attributes below are set by `parseOptions`."""

    optParameters = [
        ["host", None, None, ""],
        ["port", None, None, ""],
        ["password-file", None, None, ""],
        ["new-password-file", None, None, ""],
        ["token-file", None, None, ""],
        ["invite", None, None, ""],
        ["protocol", None, VERSION_1, ""],
        ["tls-ca", None, None, ""],
        ["tls-pin", None, None, ""],
        ["tls-cert", None, None, ""],
        ["tls-key", None, None, ""],
    ]
    optFlags = [["times", None, ""], ["json", None, ""]]

    name: str | None = None
    """the account to log in to; None: ask for it"""
    password: str | None = None
    """the password; None: none was given"""
    new_password: str | None = None
    """what /passwd sets in a pipe; None: none was given"""
    token: str | None = None
    """the access token; None: none was given"""
    invite: str | None = None
    """the invite token; None: none was given"""
    classic = False
    """whether to use the classic protocol"""
    json = False
    """whether input and output are JSON lines"""
    times = False
    """whether each line begins with the time in a pipe, too"""
    address: tuple[str, int] = (HOST, PORT)
    """host and port of the server"""
    security: Security | None = None
    """the TLS settings; None: no TLS"""

    def getUsage(self, width: int | None = None) -> str:
        """Return the help page except its first line."""
        return _PAGE

    def getSynopsis(self) -> str:
        """Return the first line of the help page."""
        return _SYNOPSIS

    def opt_h(self) -> None:
        """Show the help page."""
        self.opt_help()  # type: ignore[no-untyped-call]

    def opt_version(self) -> None:
        """Show the version."""
        print(f"chatd {chatd.__version__}")
        sys.exit(0)

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse the command line; options may also follow USERNAME and the URL.

        Raises `usage.UsageError`.
        """
        words = sys.argv[1:] if options is None else options
        for word in words:
            if not _is_text(word):
                raise usage.UsageError(f"The argument {word!r} is not valid UTF-8.")
        try:
            pairs, arguments = getopt.gnu_getopt(words, self.shortOpt, self.longOpt)
        except getopt.error as error:
            raise usage.UsageError(f"{error}.") from None
        takes_value = {f"--{name[:-1]}" for name in self.longOpt if name.endswith("=")}
        first = [
            f"{option}={value}" if option in takes_value else option for option, value in pairs
        ]
        super().parseOptions([*first, "--", *arguments])  # type: ignore[no-untyped-call]

    def parseArgs(self, *args: str) -> None:
        """Take USERNAME, then the URL; either may be missing."""
        rest = list(args)
        if rest and "://" not in rest[0]:
            self.name = rest.pop(0)
        self._url = rest.pop(0) if rest else None
        if rest:
            raise usage.UsageError(
                f"Unexpected argument {rest[0]!r}: only a USERNAME and a URL can be given."
            )

    def postOptions(self) -> None:
        """Check the options and set the attributes."""
        url = _Url() if self._url is None else _parse_url(self._url)
        tls, host, port = url.tls, url.host, url.port
        if url.name is not None and self.name is not None and self.name != url.name:
            raise usage.UsageError("The USERNAME is given twice: give it alone or in the URL.")
        if url.invite is not None and self["invite"] is not None:
            raise usage.UsageError("The invite token is given twice: use the URL or --invite.")
        self.name = self.name or url.name
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
                raise usage.UsageError(f"--tls-{name} requires a URL that begins with chats://.")
        self.password = os.environ.get("CHATD_PASSWORD") or None
        if self["password-file"] is not None:
            self.password = _first_line(self["password-file"])
        elif self.password is not None and not _is_text(self.password):
            raise usage.UsageError("The environment variable CHATD_PASSWORD is not valid UTF-8.")
        if self["new-password-file"] is not None:
            self.new_password = _first_line(self["new-password-file"])
            if self.new_password is None:
                raise usage.UsageError("The first line of the new password's file is empty.")
        self.token = os.environ.get("CHATD_TOKEN") or None
        if self["token-file"] is not None:
            self.token = _first_line(self["token-file"])
            if self.token is None:
                raise usage.UsageError("The first line of the token's file is empty.")
        elif self.token is not None and not _is_text(self.token):
            raise usage.UsageError("The environment variable CHATD_TOKEN is not valid UTF-8.")
        if self["protocol"] not in (VERSION_1, CLASSIC):
            raise usage.UsageError(f"--protocol must be 1 or classic, not {self['protocol']!r}.")
        self.classic = self["protocol"] == CLASSIC
        self.invite = self["invite"] or url.invite
        self.json, self.times = bool(self["json"]), bool(self["times"])
        for name in ("json", "times", "new-password-file", "token-file"):
            if self.classic and self[name]:
                raise usage.UsageError(f"--{name} cannot be used with the classic protocol.")

    def _security(self) -> Security:
        if self["tls-key"] is not None and self["tls-cert"] is None:
            raise usage.UsageError("--tls-key requires --tls-cert.")
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


@dataclass(frozen=True)
class _Url:
    """The parts of a URL: whether it is TLS, host, port, account and invite token (None: there is
    none)."""

    tls: bool = False
    host: str | None = None
    port: int | None = None
    name: str | None = None
    invite: str | None = None


def _parse_url(url: str) -> _Url:
    """Split ``chat[s]://[NAME@]HOST[:PORT][/INVITE]``. Raises `usage.UsageError`."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise usage.UsageError(INVALID_SERVER) from None
    name, invite = parts.username, parts.path.strip("/") or None
    extra = (
        (name is not None and not check_word(name))
        or parts.password is not None
        or (invite is not None and not invite_tokens.has_form(invite))
        or parts.query
        or parts.fragment
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
    return _Url(parts.scheme == "chats", host, port, name, invite)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 65536):
        raise usage.UsageError(f"--port must be a number from 1 to 65535, not {text!r}.")
    return int(text)


def _is_text(word: str) -> bool:
    """Whether a word of the command line is text: other bytes than UTF-8 become surrogates."""
    return word.isascii() or not any("\ud800" <= char <= "\udfff" for char in word)


def _first_line(name: str) -> str | None:
    try:
        with Path(name).open(encoding="utf-8") as file:
            return file.readline().rstrip("\r\n") or None
    except OSError as error:
        raise usage.UsageError(
            f"The password file {name!r} cannot be read: {error.strerror}."
        ) from None
    except UnicodeDecodeError:
        raise usage.UsageError(f"The password file {name!r} is not valid UTF-8.") from None
