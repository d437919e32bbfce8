"""What the drivers share: the load to produce, the result to report, and connections."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from math import inf

TEXT = "x" * 100
"""the text of each message"""
TIMEOUT = 30.0
"""seconds after which a silent server fails the run"""
SAMPLE_EVERY = 7
"""one message in so many has its latency measured"""


@dataclass
class Load:
    """Pairs of connections to the server at `port`, whose process is `pid`.

    Each of `pairs` pairs keeps `window` messages in flight, for `seconds` after `warm_up` seconds.
    With `echo` the sender also gets each message back, and it is complete when both ends have it.
    `prefix` begins the names of the accounts of this run; `idle` further accounts are logged in and
    send nothing. With `messages` the run ends after so many, however long that takes.
    """

    port: int
    pid: int
    pairs: int
    window: int
    seconds: float
    echo: bool
    prefix: str
    idle: int = 0
    warm_up: float = 0.5
    messages: int = 0

    def end(self, begin: float) -> float:
        """When the run ends that began at `begin`; never, if it ends after some messages."""
        return inf if self.messages else begin + self.warm_up + self.seconds

    @property
    def limit(self) -> float:
        """The number of messages after which the run ends."""
        return self.messages or inf


@dataclass
class Result:
    """The result of a run.

    `cpu` is the processor time of the server per message in microseconds, `rate` the messages per
    second; `p50` and `p99` are percentiles of the latency in milliseconds.
    """

    cpu: float
    rate: float
    p50: float
    p99: float
    messages: int = 0


def connect(port: int) -> socket.socket:
    """A connection to a port of this machine, with a timeout and without Nagle's algorithm."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection
