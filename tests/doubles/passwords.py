"""Password hashing that takes little time, or as long as the test wants."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from argon2 import PasswordHasher
from twisted.trial.unittest import TestCase

from chatd.auth.passwords import Passwords
from chatd.core.limits import Limits
from chatd.daemon.system import System


def cheap_hasher() -> PasswordHasher:
    """Argon2 with parameters that cost next to nothing."""
    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class CheapSystem(System):
    """A system on which hashing a password takes little time."""

    def password_hasher(self) -> PasswordHasher:
        """See `System`."""
        return cheap_hasher()


def started_passwords(case: TestCase, limits: Limits) -> Passwords:
    """`Passwords` with cheap hashes, on threads that run until the end of the test."""
    # Not above: the fork server imports this module, and must not install a reactor.
    from twisted.internet import reactor

    passwords = Passwords(reactor, limits, cheap_hasher())
    passwords.start()
    case.addCleanup(passwords.stop)
    return passwords


class _HeldThreads:
    """A thread pool whose work is done when the test says so."""

    def __init__(self) -> None:
        self.work: list[Callable[[], None]] = []

    def start(self) -> None:
        """See `ThreadPool`."""

    def stop(self) -> None:
        """See `ThreadPool`."""

    def callInThreadWithCallback(
        self, on_result: Callable[[bool, Any], None], function: Callable[..., Any], *args: Any
    ) -> None:
        """See `ThreadPool`."""
        self.work.append(lambda: on_result(True, function(*args)))


class _RecordingHasher:
    """Records what is hashed and verified, in order."""

    def __init__(self) -> None:
        self.passwords: list[str] = []

    def hash(self, password: str) -> str:
        """See `PasswordHasher`."""
        self.passwords.append(password)
        return "hash"

    def verify(self, hashed: str, password: str) -> bool:
        """See `PasswordHasher`."""
        self.passwords.append(password)
        return not password.startswith("wrong")


class HeldPasswords:
    """`Passwords` with two threads whose work the test does; every password is right unless it
    begins with "wrong"."""

    def __init__(self, limits: Limits) -> None:
        self._threads, self._hasher = _HeldThreads(), _RecordingHasher()
        reactor: Any = SimpleNamespace(callFromThread=lambda function, *args: function(*args))
        self.passwords = Passwords(reactor, limits, self._hasher, self._threads)

    @property
    def begun(self) -> int:
        """How many threads have work."""
        return len(self._threads.work)

    def finish(self, count: int = 1) -> list[str]:
        """Do the oldest work; the passwords, in order."""
        self._hasher.passwords.clear()
        for _ in range(count):
            self._threads.work.pop(0)()
        return list(self._hasher.passwords)
