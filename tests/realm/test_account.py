"""The stored record of an account."""

from __future__ import annotations

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from chatd.realm.accounts import Account


class Accounts(SynchronousTestCase):
    """What is stored."""

    def test_survives_the_store(self) -> None:
        """An account is read as it was written, with a password or without."""
        for account in (Account(1_700_000_000_000), Account(0, "$argon2id$v=19$...")):
            stored = msgspec.msgpack.encode(account)
            self.assertEqual(msgspec.msgpack.decode(stored, type=Account), account)

    def test_fields_can_be_added(self) -> None:
        """An older daemon can read what a newer one has written with more fields at the end."""
        stored = msgspec.msgpack.encode([5, None, [], "later"])
        self.assertEqual(msgspec.msgpack.decode(stored, type=Account), Account(5))

    def test_open_unless_told(self) -> None:
        """An account has no password unless one was given."""
        self.assertIsNone(Account(0).password)
