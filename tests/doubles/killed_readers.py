"""Clients that read until their daemon is killed, and note when each message arrived."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs.classic import Reply, Send
from tests.doubles.daemon_process import PATIENCE, SocketClient

UNSAVED_SECONDS = 0.05 + 0.5
"""A message that arrived so many seconds before a kill, or later, may come again: 50 ms, and what a
busy machine takes to run the daemon and the client."""


class TimedReader:
    """Reads on a thread until the connection is closed; `arrivals` has each message with the moment
    (`time.monotonic`) at which it was read."""

    def __init__(self, client: SocketClient) -> None:
        self.arrivals: list[tuple[float, Reply]] = []
        self._client = client
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            while True:
                self._add(self._client.receive())
        except (ConnectionError, self._client.case.failureException):
            for message in self._client.read_remaining():
                self._add(message)

    def _add(self, message: Reply) -> None:
        self.arrivals.append((time.monotonic(), message))

    def end(self, case: SynchronousTestCase) -> list[tuple[float, Reply]]:
        """Everything it has read, when the connection is closed."""
        self._thread.join(PATIENCE)
        case.assertFalse(self._thread.is_alive())
        return self.arrivals


def numbers_of(sender: str, messages: Sequence[Reply], number: Callable[[str], int]) -> list[int]:
    """The numbers of the messages of a sender, in order."""
    return [
        number(message.text)
        for message in messages
        if isinstance(message, Send) and message.sender == sender
    ]


def check_after_kill(
    case: SynchronousTestCase,
    sender: str,
    accepted: int,
    arrivals: Sequence[tuple[float, Reply]],
    killed_at: float,
    mail: Sequence[Reply],
    number: Callable[[str], int] = int,
) -> None:
    """Check the messages of `sender`, numbered from 0, which a client read before its daemon was
    killed and as mail after that.

    None of the first `accepted` is missing, both parts are in order and without gaps, and what came
    twice arrived first in the last moment before the kill.
    """
    before = numbers_of(sender, [message for _, message in arrivals], number)
    after = numbers_of(sender, mail, number)
    case.assertEqual(before, list(range(len(before))), f"from {sender} before the kill")
    first = after[0] if after else len(before)
    case.assertEqual(after, list(range(first, first + len(after))), f"from {sender} as mail")
    case.assertLessEqual(first, len(before), f"a gap in what came from {sender}")
    case.assertGreaterEqual(first + len(after), accepted, f"some of {accepted} from {sender} lost")
    arrived = {
        number(message.text): moment
        for moment, message in arrivals
        if isinstance(message, Send) and message.sender == sender
    }
    if first in arrived:
        early = killed_at - arrived[first]
        case.assertLess(early, UNSAVED_SECONDS, f"{sender} {first} came twice")
