"""A unix socket that only its owner can open, and that replaces one left by a killed daemon."""

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

_LONGEST_PATH = 107 if sys.platform == "linux" else 103
"""bytes that the path of a unix socket may have; the system's structure is one byte longer"""
ADMIN_ADVICE = "choose another with --admin PATH, or --admin none"


def check_socket_path(path: str, title: str = "admin socket", advice: str = ADMIN_ADVICE) -> None:
    """Raise `SocketUnusable` if no socket can be made at the absolute `path`; changes nothing."""
    size = len(os.fsencode(path))
    if size > _LONGEST_PATH:
        raise SocketUnusable(
            f"the path of the {title} is too long: {path} has {size} bytes, the system allows "
            f"{_LONGEST_PATH}; {advice}"
        )
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        raise SocketUnusable(f"cannot make the {title} {path}: there is no folder {folder}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise SocketUnusable(f"cannot make the {title} {path}: the folder {folder} is not writable")
    _is_stale(path, title)


def _is_stale(path: str, title: str = "admin socket") -> bool:
    """Whether there is a socket at `path` that no process listens on.

    Raises `SocketUnusable` if a process listens on it, or if it is not a socket.
    """
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return False
    if not stat.S_ISSOCK(mode):
        raise SocketUnusable(f"cannot make the {title} {path}: there is a file with this name")
    with socket.socket(socket.AF_UNIX) as probe:
        # A daemon whose backlog is full listens, too: do not wait for it to accept.
        probe.setblocking(False)
        try:
            probe.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            return True
        except OSError:
            pass
    raise SocketUnusable(f"the {title} {path} is in use by another daemon")


@contextmanager
def making_socket(path: str, title: str = "admin socket") -> Iterator[None]:
    """Make a socket at `path` in this context: one left by a killed daemon has been removed, and no
    other daemon replaces a socket in its folder meanwhile. Raises `SocketUnusable`."""
    with _folder_locked(path):
        if _is_stale(path, title):
            os.unlink(path)
        yield


class OwnerPort(unix.Port):
    """A listening unix socket with mode 0600."""

    def __init__(self, path: str, factory: Factory, reactor: Any) -> None:
        super().__init__(os.fsencode(path), factory, mode=0o600, reactor=reactor)
        self._path = path
        self._identity: tuple[int, int] | None = None

    def startListening(self) -> None:
        """Make the socket and listen on it. Raises `SocketUnusable`."""
        with making_socket(self._path):
            # The file must not be open to others even between being made and chmod.
            umask = os.umask(0o177)
            try:
                super().startListening()  # type: ignore[no-untyped-call]
            except CannotListenError as error:
                reason = (error.socketError.strerror or str(error.socketError)).lower()
                raise SocketUnusable(
                    f"cannot make the admin socket {self._path}: {reason}"
                ) from None
            finally:
                os.umask(umask)
            self._identity = _identity(self._path)

    def connectionLost(self, reason: Failure) -> None:
        """Remove the file, if it is still this socket."""
        if self._identity is not None and _identity(self._path) == self._identity:
            os.unlink(self._path)
        # Not `unix.Port.connectionLost`, which would remove any file with this name.
        tcp.Port.connectionLost(self, reason)


def _identity(path: str) -> tuple[int, int] | None:
    """Device and inode of a file, None if there is no file."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


@contextmanager
def _folder_locked(path: str) -> Iterator[None]:
    """Hold a lock on the folder of `path`: one daemon at a time replaces a socket in it."""
    folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
