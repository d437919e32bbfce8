"""The signals that the daemon handles."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from typing import Any

from chatd.server.tls import Certificate


def stop_on_signals(reactor: Any) -> None:
    """Stop the reactor on SIGTERM and SIGINT, and ignore further ones.

    With Twisted's own handlers twistd would end by the signal instead of with status 0.
    """
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        if not stopping:
            stopping = True
            reactor.callFromThread(reactor.stop)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)


def reload_on_signal(reactor: Any, certificates: Iterable[Certificate]) -> None:
    """Read these certificates again on SIGHUP."""

    def reload(*_: object) -> None:
        for certificate in certificates:
            reactor.callFromThread(certificate.reload)

    signal.signal(signal.SIGHUP, reload)
