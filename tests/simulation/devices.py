"""The classes of devices, by protocol."""

from __future__ import annotations

from typing import Any

from tests.simulation.classic import ClassicDevice
from tests.simulation.grpc_device import GrpcDevice
from tests.simulation.operator import Operator
from tests.simulation.rogue import Rogue
from tests.simulation.unframed import Chat10Device, OpsDevice
from tests.simulation.v1 import V1Device

DEVICES: dict[str, Any] = {
    device.protocol: device
    for device in (V1Device, ClassicDevice, OpsDevice, Chat10Device, GrpcDevice, Rogue, Operator)
}
