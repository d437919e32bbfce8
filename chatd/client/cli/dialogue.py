"""The dialogue of the client with a person or a script: one run of the program, which a signal can
interrupt."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from chatd.client.cli.screen import Screen


class Dialogue:
    """A dialogue on a screen, whose result is an exit status. A subclass has it in `_run`, which is
    cancelled by an interruption."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._running: Deferred[int]
        self._interrupted: tuple[int, str] | None = None

    async def _run(self) -> int:
        """From the beginning to the exit status."""
        raise NotImplementedError

    def start(self) -> Deferred[int]:
        """Begin the dialogue; fires at its end with the exit status."""
        self._running = Deferred.fromCoroutine(self._run())
        return self._running.addBoth(self._finished)

    def interrupt(self, status: int, sentence: str) -> None:
        """End the dialogue at once with this exit status, whatever it waits for, and show
        `sentence` unless it is empty."""
        self._interrupted = status, sentence
        self._running.cancel()

    def _finished(self, result: int | Failure) -> int | Failure:
        if self._interrupted is None:
            return result
        status, sentence = self._interrupted
        if sentence:
            self._screen.show_error(sentence)
        return status
