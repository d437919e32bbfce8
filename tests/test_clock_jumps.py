"""Deadlines, rates, delays, polls and retries while the wall clock jumps.

The tests of other modules that advance a clock run once more, with timers of Twisted on a wall
clock that is set back or forward whenever time passes.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

from twisted.trial.unittest import SynchronousTestCase

from tests.auth import test_throttle
from tests.client.cli import test_receipts, test_typing
from tests.client.library import (
    test_acknowledging,
    test_client,
    test_connection,
    test_reconnecting,
)
from tests.doubles import realm
from tests.doubles.jumping_reactor import JumpingReactor
from tests.protocols import test_chat10, test_ops
from tests.protocols.grpc import test_account, test_held_accounts
from tests.realm import test_retention
from tests.server import test_closing, test_deadlines, test_sniffer, test_unframed
from tests.server import test_connection as test_server_connection

if TYPE_CHECKING:
    _Case = SynchronousTestCase
else:
    _Case = object


class _Jumps(_Case):
    """A mixin: the clocks that the tests make jump."""

    clocks: ModuleType = realm
    """the module that makes them"""

    def setUp(self) -> None:
        self.patch(self.clocks, "Clock", JumpingReactor)
        super().setUp()


# The daemon


class LoginThrottle(_Jumps, test_throttle.Throttling):
    """Delays after wrong passwords."""

    clocks = test_throttle


class ManyDeadlines(_Jumps, test_deadlines.ManyDeadlines):
    """The time limits of connections."""

    clocks = test_deadlines


class SlowReaders(_Jumps, test_server_connection.SlowReaders):
    """Pauses of connections."""


class Limits(_Jumps, test_server_connection.Limits):
    """Rates."""


class Endings(_Jumps, test_closing.Endings):
    """Waiting for the last bytes to arrive."""


class Sniffing(_Jumps, test_sniffer.Sniffing):
    """Silence at the beginning."""


class UnframedQueue(_Jumps, test_unframed.Queue):
    """Commands without framing."""


class Chat10Registering(_Jumps, test_chat10.Registering):
    """Silence between messages."""


class Chat10Closing(_Jumps, test_chat10.Closing):
    """The last reply stands alone."""


class OpsMessages(_Jumps, test_ops.Messages):
    """Polling for arrival."""


class GrpcStreams(_Jumps, test_account.Streams):
    """Acknowledging after a delay."""


class GrpcAccounts(_Jumps, test_held_accounts.Held):
    """Idle accounts."""


class Retention(_Jumps, test_retention.InTheBackground):
    """Trimming at intervals."""


# The client


class ClientConnection(_Jumps, test_connection.ConnectionTests):
    """Checks of an idle connection."""

    clocks = test_connection


class Reconnecting(_Jumps, test_reconnecting.ReconnectTests):
    """Delays before the next attempt."""

    clocks = test_client


class ClosingClient(_Jumps, test_client.CloseTests):
    """Time limits for closing."""

    clocks = test_client


class Acknowledging(_Jumps, test_acknowledging.AcknowledgerTests):
    """Acknowledging after a delay."""

    clocks = test_acknowledging


class ReadMarkers(_Jumps, test_receipts.ReadMarkersTests):
    """Marking as read after a delay."""

    clocks = test_receipts


class ReceiptSummary(_Jumps, test_receipts.ReceiptSummaryTests):
    """Receipts that are collected for a while."""

    clocks = test_receipts


class TypingNotifier(_Jumps, test_typing.TypingNotifierTests):
    """Notices that are repeated."""

    clocks = test_typing


class TypingAccounts(_Jumps, test_typing.TypingAccountsTests):
    """Notices that expire."""

    clocks = test_typing
