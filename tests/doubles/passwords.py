"""Password hashing that takes little time."""

from __future__ import annotations

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
