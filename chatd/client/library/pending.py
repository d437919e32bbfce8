"""Messages that carry a key, on their way: sent again over every new connection until they are
answered."""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.internet.defer import Deferred

from chatd.client.library.connection import Link
from chatd.codecs import v1_messages as c


class _Letter:
    """A message, whoever waits for its answer, and the connection it went out by."""

    __slots__ = ("answer", "message", "on")

    def __init__(self, message: Any) -> None:
        self.message = message
        # A canceller that does nothing: nobody may wait any more, the message goes its way all the
        # same.
        self.answer: Deferred[c.Accepted] = Deferred(lambda _: None)
        self.on: Link | None = None


class Letters:
    """All that have not been answered, in order."""

    def __init__(self) -> None:
        self._letters: list[_Letter] = []

    def post(self, message: Any, link: Link | None) -> Deferred[c.Accepted]:
        """Send a message, now or when there is a connection; fires with its answer."""
        letter = _Letter(message)
        self._letters.append(letter)
        if link is not None:
            self._send(letter, link)
        return letter.answer

    def send_all(self, link: Link) -> None:
        """By this connection, unless they went out by it before."""
        for letter in list(self._letters):
            if letter.on is not link:
                self._send(letter, link)

    def _send(self, letter: _Letter, link: Link) -> None:
        letter.on = link

        def settled(result: Any) -> None:
            # What was lost with its connection is sent again.
            if letter.on is link and letter in self._letters:
                self._letters.remove(letter)
                if not letter.answer.called:
                    letter.answer.callback(result)

        link.request(msgspec.structs.replace(letter.message)).addBoth(settled)

    def lost(self, link: Link) -> None:
        """This connection is gone; its answers mean nothing any more."""
        for letter in self._letters:
            if letter.on is link:
                letter.on = None

    def fail(self, reason: BaseException) -> None:
        """None of them will be answered."""
        letters, self._letters = self._letters, []
        for letter in letters:
            if not letter.answer.called:
                letter.answer.errback(reason)
