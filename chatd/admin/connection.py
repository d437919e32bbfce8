"""The operator's side of the admin socket. It blocks: a command does one thing at a time."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any

import msgspec

from chatd.codecs.admin import MAX_LINE, Listing, Request, decode_answer, encode
from chatd.core.errors import ChatdError

_CONNECT_SECONDS = 10.0
_READ_SIZE = 1 << 16


class NoDaemon(Exception):
    """No daemon answers; the text says at which path."""


class RequestRefused(Exception):
    """A request was refused; the text is the reason."""


def connect(path: str) -> Daemon:
    """Connect to the daemon whose admin socket is at `path`.

    Raises `NoDaemon`, and `RequestRefused` if this user may not open the socket; both show the path
    as an absolute one.
    """
    absolute_path = os.path.abspath(path)
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(_CONNECT_SECONDS)
        connection.connect(path)
    except PermissionError:
        connection.close()
        raise RequestRefused(
            f"only the user that runs the daemon, or root, may open {absolute_path}"
        ) from None
    except OSError as error:
        connection.close()
        reason = (os.strerror(error.errno) if error.errno else str(error)).lower()
        raise NoDaemon(
            f"no daemon listens at {absolute_path} ({reason}); is it running? "
            "If its socket is elsewhere, give --admin PATH"
        ) from None
    # Requests have no time limit: a backup may take long.
    connection.settimeout(None)
    return Daemon(connection, path)


class Daemon:
    """A running daemon: requests and answers over a connected admin socket."""

    def __init__(self, connection: socket.socket, path: str) -> None:
        """`path` names the socket in errors."""
        self._connection = connection
        self._path = path
        self._received = bytearray()

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()

    def ask(self, request: Request) -> dict[str, Any]:
        """The answer to a request. Raises `RequestRefused`, also if the request is longer than a
        line may be, and `NoDaemon` if the connection is lost."""
        data = encode(request)
        length = len(data) - 1
        if length > MAX_LINE:
            raise RequestRefused(
                f"the request has {length} bytes; the daemon takes at most {MAX_LINE}"
            )
        try:
            self._connection.sendall(data)
            while b"\n" not in self._received:
                data = self._connection.recv(_READ_SIZE)
                if not data:
                    raise NoDaemon(
                        f"the daemon at {self._path} closed the connection without an answer"
                    )
                self._received += data
        except OSError as error:
            raise NoDaemon(
                f"the connection to the daemon at {self._path} failed: {error}"
            ) from None
        line, _, rest = bytes(self._received).partition(b"\n")
        self._received = bytearray(rest)
        try:
            answer = decode_answer(line)
        except ChatdError as error:
            raise RequestRefused(
                f"the program that listens at {self._path} is not chatd: {error}"
            ) from None
        if not answer.pop("ok", False):
            raise RequestRefused(str(answer.get("sentence", "the daemon refused the request")))
        return answer

    def items(self, request: Listing) -> Iterator[dict[str, Any]]:
        """All items of a listing, page by page. Raises what `ask` raises."""
        more = True
        while more:
            answer = self.ask(request)
            yield from answer["items"]
            more = answer["more"]
            request = msgspec.structs.replace(request, after=answer["last"])
