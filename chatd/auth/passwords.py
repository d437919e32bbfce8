"""Password hashing, off the reactor thread.

Passwords are hashed with argon2id (RFC 9106, the recommended parameters of the library for its
low-memory setting) and stored in PHC string format.
"""

from __future__ import annotations

from collections.abc import Callable
from secrets import token_bytes
from typing import Any, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from chatd.core.errors import Busy, PasswordTooLong
from chatd.core.limits import Limits

T = TypeVar("T")


class Passwords:
    """Hashes and verifies passwords on threads of its own, with a bounded queue.

    `hasher` is an `argon2.PasswordHasher`, `threads` a `ThreadPool` that has not been started;
    `random_bytes` gives so many bytes that cannot be guessed.
    """

    def __init__(
        self,
        reactor: Any,
        limits: Limits,
        hasher: Any = None,
        threads: Any = None,
        random_bytes: Callable[[int], bytes] = token_bytes,
    ) -> None:
        self._reactor = reactor
        self._limits = limits
        self._hasher = hasher or PasswordHasher()
        self._pool = threads or ThreadPool(0, 2, "chatd-passwords")
        self._random_bytes = random_bytes
        self._waiting = 0
        self._decoy = ""

    def start(self) -> None:
        """Start the threads."""
        self._pool.start()

    def stop(self) -> None:
        """Finish the work that has begun, and stop the threads."""
        self._pool.stop()

    async def hash(self, password: str) -> str:
        """The hash of a new password, in PHC string format. Raises `PasswordTooLong`, `Busy`."""
        if len(password) > self._limits.password:
            raise PasswordTooLong()
        return await self._run(self._hasher.hash, password)

    async def verify(self, hashed: str, password: str) -> bool:
        """Whether `password` has this hash; compared in constant time. Raises `Busy`."""
        if len(password) > self._limits.password:
            return False
        return await self._run(self._verify, hashed, password)

    async def decoy(self) -> str:
        """The hash of a random password, to verify against where there is no account.

        Raises `Busy`.
        """
        if not self._decoy:
            self._decoy = await self._run(self._hasher.hash, self._random_bytes(32).hex())
        return self._decoy

    def _verify(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, password)
        except (Argon2Error, InvalidHashError):
            return False

    async def _run(self, function: Callable[..., T], *args: object) -> T:
        if self._waiting >= self._limits.hashes:
            raise Busy("too many passwords are being checked at the moment; try again later")
        self._waiting += 1
        try:
            return await deferToThreadPool(self._reactor, self._pool, function, *args)
        finally:
            self._waiting -= 1
