"""A realm with two accounts, and what operators may ask of it."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatd.realm.operations import Operations
from tests.doubles.realm import RealmHarness


class OperationsCase(SynchronousTestCase):
    """A realm with the accounts Ann and bob, both open, and its operations."""

    def setUp(self) -> None:
        self.harness = RealmHarness()
        self.harness.register("Ann", "bob")
        self.harness.run(self.harness.realm.start())
        self.harness.now = 0
        self.hashed: list[str] = []
        self.harness.hash_password = self.hash_password
        self.operations = Operations(self.harness.realm)

    async def hash_password(self, password: str) -> str:
        """Record the password, and return a hash that contains it."""
        self.hashed.append(password)
        return f"hash of {password}"

    def result(self, operation: Awaitable[Any]) -> Any:
        """The result of an operation."""
        return self.harness.run(operation)  # type: ignore[arg-type]

    def refused(self, error: type[Exception], operation: Awaitable[Any]) -> str:
        """The sentence with which an operation is refused."""
        return str(self.assertRaises(error, self.result, operation))
