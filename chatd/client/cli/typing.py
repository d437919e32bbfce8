"""Typing notifications: notify the server that the user is typing, and show which accounts are."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from chatd.codecs import v1_messages as c

REPEAT_INTERVAL = 4.0
"""seconds after which the server is notified again that the user is still typing"""
TIMEOUT = 8.0
"""seconds without a notification after which an account no longer counts as typing"""


class TypingNotifier:
    """Notifies the server when the user of this client starts and stops typing."""

    def __init__(self, request: Callable[[c.Message], None], clock: IReactorTime) -> None:
        self._request = request
        self._clock = clock
        self._notified_at = -REPEAT_INTERVAL
        self._target = ""

    def text_changed(self, text: str, target: str) -> None:
        """The line that is being typed for `target` is now `text`; commands do not count."""
        typing = bool(text) and not text.startswith("/") and bool(target)
        if not typing:
            if self._target:
                self._request(c.SayTyping(0, self._target, False))
            self._target = ""
        elif self._target != target or self._clock.seconds() - self._notified_at >= REPEAT_INTERVAL:
            self._target = target
            self._notified_at = self._clock.seconds()
            self._request(c.SayTyping(0, target, True))

    def line_entered(self) -> None:
        """The line is complete: the message itself shows its recipients that typing has ended."""
        self._target = ""


class TypingAccounts:
    """The accounts that are typing, by conversation; `on_change` is called when they change."""

    def __init__(self, on_change: Callable[[], None], clock: IReactorTime) -> None:
        self._on_change = on_change
        self._clock = clock
        self._timers: dict[tuple[str, str], IDelayedCall] = {}
        self._names: dict[tuple[str, str], str] = {}

    def update(self, conversation: str, name: str, typing: bool) -> None:
        """An account is typing in a conversation, or has stopped."""
        key = conversation, name.lower()
        timer = self._timers.pop(key, None)
        if timer is not None and timer.active():
            timer.cancel()
        if typing:
            self._names[key] = name
            self._timers[key] = self._clock.callLater(
                TIMEOUT, self.update, conversation, name, False
            )
        if typing != (timer is not None):
            self._on_change()

    def names(self, conversation: str) -> list[str]:
        """The accounts that are typing in a conversation."""
        return [self._names[key] for key in self._timers if key[0] == conversation]

    def stop(self) -> None:
        """Cancel all timers."""
        for timer in self._timers.values():
            if timer.active():
                timer.cancel()
        self._timers.clear()
