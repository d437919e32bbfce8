"""The tables of operations of all protocols."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.simulation import (
    classic,
    grpc_device,
    operator,
    rogue,
    unframed,
    v1_account_operations,
    v1_operations,
    v1_room_operations,
)


@dataclass(frozen=True)
class Operation:
    """How often an operation is chosen, and what does it (False: it could not be done)."""

    weight: int
    do: Callable[[Any, Random], bool | None]


V1_MODULES = (v1_operations, v1_room_operations, v1_account_operations)
"""importing them has filled the table of version 1"""

TABLES: dict[str, Any] = {
    "v1": v1_operations.OPERATIONS,
    "classic": classic.OPERATIONS,
    "ops": unframed.OPS_OPERATIONS,
    "chat10": unframed.CHAT10_OPERATIONS,
    "grpc": grpc_device.OPERATIONS,
    "rogue": rogue.OPERATIONS,
    "operator": operator.OPERATIONS,
}

OPERATIONS: dict[str, dict[str, Operation]] = {
    protocol: {name: Operation(*row) for name, row in table.items()}
    for protocol, table in TABLES.items()
}
"""by protocol and name"""
