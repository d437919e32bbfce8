"""The admin socket from the operator's side. Blocking, since there is nothing else to do
meanwhile."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any

import msgspec

from chatd.codecs.admin import (
    ListAccounts,
    ListReports,
    ListRooms,
    ListSessions,
    Request,
    decode_answer,
    encode,
)
from chatd.core.errors import ChatdError

_CONNECT_SECONDS = 10.0
_READ = 1 << 16


class NoDaemon(Exception):
    """There is no daemon; the text says where it was looked for."""


class RequestRefused(Exception):
    """The daemon has refused a request; the text is its sentence."""


class Daemon:
    """A running daemon, by its admin socket."""

    def __init__(self, path: str) -> None:
        """Connect. Raises `NoDaemon`; `RequestRefused` if the socket is not this user's."""
        self._path = path
        self._data = bytearray()
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(_CONNECT_SECONDS)
        try:
            self._socket.connect(path)
        except PermissionError:
            self._socket.close()
            raise RequestRefused(
                f"only the user that runs the daemon, or root, may open {path}"
            ) from None
        except OSError as error:
            self._socket.close()
            reason = (os.strerror(error.errno) if error.errno else str(error)).lower()
            raise NoDaemon(
                f"no daemon listens at {path} ({reason}); is it running? --admin PATH says where else"
            ) from None
        # From here on it takes as long as it takes: a backup may be long.
        self._socket.settimeout(None)

    def close(self) -> None:
        """Disconnect."""
        self._socket.close()

    def ask(self, request: Request) -> dict[str, Any]:
        """The answer to a request. Raises `RequestRefused`, `NoDaemon` if the connection is
        lost."""
        try:
            self._socket.sendall(encode(request))
            while b"\n" not in self._data:
                data = self._socket.recv(_READ)
                if not data:
                    raise NoDaemon(
                        f"the daemon at {self._path} closed the connection without an answer"
                    )
                self._data += data
        except OSError as error:
            raise NoDaemon(
                f"the connection to the daemon at {self._path} failed: {error}"
            ) from None
        line, _, rest = bytes(self._data).partition(b"\n")
        self._data = bytearray(rest)
        try:
            answer = decode_answer(line)
        except ChatdError as error:
            raise RequestRefused(f"what listens at {self._path} is no chatd: {error}") from None
        if not answer.pop("ok", False):
            raise RequestRefused(str(answer.get("sentence", "the daemon refused it")))
        return answer

    def items(
        self, request: ListAccounts | ListSessions | ListRooms | ListReports
    ) -> Iterator[dict[str, Any]]:
        """All items of a listing, page by page. Raises as `ask`."""
        more = True
        while more:
            answer = self.ask(request)
            yield from answer["items"]
            more = answer["more"]
            request = msgspec.structs.replace(request, after=answer["last"])
