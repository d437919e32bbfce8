"""A unix socket that nobody but its owner can open, and that replaces what a killed daemon left
behind."""

from __future__ import annotations

import fcntl
import os
import socket
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from twisted.internet import tcp, unix
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from chatd.core.errors import SocketUnusable

_LONGEST = 107 if sys.platform == "linux" else 103
"""bytes that the path of a unix socket may have; the system's structure is one byte longer"""


def check(path: str) -> None:
    """Look whether a socket can be made at `path`; nothing is changed. Raises `SocketUnusable`."""
    size = len(os.fsencode(path))
    if size > _LONGEST:
        raise SocketUnusable(
            f"the path of the admin socket is too long: {path} has {size} bytes, the system allows "
            f"{_LONGEST}; choose another with --admin PATH, or --admin none"
        )
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        raise SocketUnusable(f"the admin socket {path} cannot be made: there is no folder {folder}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise SocketUnusable(
            f"the admin socket {path} cannot be made: the folder {folder} is not writable"
        )
    _is_stale(path)


def _is_stale(path: str) -> bool:
    """Whether there is a socket on which nobody listens. Raises `SocketUnusable` if somebody does,
    or if it is something else."""
    try:
        kind = os.lstat(path).st_mode
    except FileNotFoundError:
        return False
    if not stat.S_ISSOCK(kind):
        raise SocketUnusable(
            f"the admin socket {path} cannot be made: there is a file of that name"
        )
    with socket.socket(socket.AF_UNIX) as probe:
        # Where connections wait in vain to be accepted there is somebody; this must not wait with
        # them.
        probe.setblocking(False)
        try:
            probe.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            return True
        except OSError:
            pass
    raise SocketUnusable(f"the admin socket {path} is in use by another daemon")


class PrivatePort(unix.Port):
    """The port of such a socket."""

    def __init__(self, path: str, factory: Factory, reactor: Any) -> None:
        super().__init__(os.fsencode(path), factory, mode=0o600, reactor=reactor)
        self._path = path
        self._identity: tuple[int, int] | None = None

    def startListening(self) -> None:
        """Make the socket. Raises `SocketUnusable`."""
        with _alone(self._path):
            if _is_stale(self._path):
                os.unlink(self._path)
            # Not for a moment is there a file that others may open, though nobody listens yet.
            former = os.umask(0o177)
            try:
                super().startListening()  # type: ignore[no-untyped-call]
            except CannotListenError as error:
                reason = (error.socketError.strerror or str(error.socketError)).lower()
                raise SocketUnusable(
                    f"the admin socket {self._path} cannot be made: {reason}"
                ) from None
            finally:
                os.umask(former)
            self._identity = _identity(self._path)

    def connectionLost(self, reason: Failure) -> None:
        """Remove the file, if it is still this socket's."""
        if self._identity is not None and _identity(self._path) == self._identity:
            os.unlink(self._path)
        # The parent's parent: the parent would remove whatever is there.
        tcp.Port.connectionLost(self, reason)


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


@contextmanager
def _alone(path: str) -> Iterator[None]:
    """No other daemon looks at the sockets of this folder, and takes one for stale, meanwhile."""
    folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
