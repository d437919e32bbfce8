"""What people let each other notice: who is writing, what has been read; told seldom enough to be
cheap."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from chatd.codecs import v1_messages as c

SAY_AGAIN = 4.0
"""seconds after which it is said again that we are still writing"""
STOPPED = 8.0
"""seconds without a word after which somebody is no longer writing"""
GATHER_READ = 1.0
"""seconds in which it is gathered what has been read"""
GATHER_RECEIPTS = 2.5
"""seconds in which receipts are gathered: long enough for what is read at once not to be shown
twice"""

Tell = Callable[[c.Message], None]
"""Send a request whose answer does not matter."""


class Typist:
    """Us, while we write."""

    def __init__(self, tell: Tell, clock: IReactorTime) -> None:
        self._tell = tell
        self._clock = clock
        self._said = -SAY_AGAIN
        self._to = ""

    def typed(self, text: str, target: str) -> None:
        """This stands in the line for `target` now."""
        writing = bool(text) and not text.startswith("/") and bool(target)
        if not writing:
            if self._to:
                self._tell(c.SayTyping(0, self._to, False))
            self._to = ""
        elif self._to != target or self._clock.seconds() - self._said >= SAY_AGAIN:
            self._to = target
            self._said = self._clock.seconds()
            self._tell(c.SayTyping(0, target, True))

    def sent(self) -> None:
        """The line has been sent: whoever gets it knows that we stopped."""
        self._to = ""


class Typists:
    """Others, while they write; `changed` is called when that changes."""

    def __init__(self, changed: Callable[[], None], clock: IReactorTime) -> None:
        self._changed = changed
        self._clock = clock
        self._writing: dict[tuple[str, str], IDelayedCall] = {}
        self._names: dict[tuple[str, str], str] = {}

    def told(self, place: str, name: str, typing: bool) -> None:
        """Somebody writes in this conversation, or has stopped."""
        key = place, name.lower()
        timer = self._writing.pop(key, None)
        if timer is not None and timer.active():
            timer.cancel()
        if typing:
            self._names[key] = name
            self._writing[key] = self._clock.callLater(STOPPED, self.told, place, name, False)
        if typing != (timer is not None):
            self._changed()

    def names(self, place: str) -> list[str]:
        """Who writes there."""
        return [self._names[key] for key in self._writing if key[0] == place]

    def stop(self) -> None:
        """Forget all."""
        for timer in self._writing.values():
            if timer.active():
                timer.cancel()
        self._writing.clear()


class Gathering:
    """Collects, and after a moment hands over what was collected."""

    def __init__(self, flush: Callable[[], None], clock: IReactorTime, delay: float) -> None:
        self._flush = flush
        self._clock = clock
        self._delay = delay
        self._timer: IDelayedCall | None = None

    def more(self) -> None:
        """There is something to hand over."""
        if self._timer is None:
            self._timer = self._clock.callLater(self._delay, self.now)

    def now(self) -> None:
        """Hand over at once."""
        timer, self._timer = self._timer, None
        if timer is None:
            return
        if timer.active():
            timer.cancel()
        self._flush()


class Reading:
    """What we have read, told to the server."""

    def __init__(self, tell: Tell, clock: IReactorTime) -> None:
        self._tell = tell
        self._seqs: dict[str, int] = {}
        self._gathering = Gathering(self._flush, clock, GATHER_READ)

    def read(self, log: str, seq: int) -> None:
        """A person has seen this."""
        self._seqs[log] = max(seq, self._seqs.get(log, 0))
        self._gathering.more()

    def now(self) -> None:
        """Tell what has not been told."""
        self._gathering.now()

    def _flush(self) -> None:
        seqs, self._seqs = self._seqs, {}
        for log, seq in seqs.items():
            self._tell(c.MarkRead(0, log, seq))


class Receipts:
    """What became of our messages: of each log, what is the most and for how many, after a
    moment."""

    def __init__(self, show: Callable[[str, str, int], None], clock: IReactorTime) -> None:
        self._show = show
        self._logs: dict[str, dict[int, str]] = {}
        self._gathering = Gathering(self._flush, clock, GATHER_RECEIPTS)

    def came(self, log: str, what: str, seqs: Iterable[int]) -> None:
        """These have been ``delivered`` or ``read``."""
        known = self._logs.setdefault(log, {})
        for seq in seqs:
            if known.get(seq) != "read":
                known[seq] = what
        self._gathering.more()

    def _flush(self) -> None:
        logs, self._logs = self._logs, {}
        for log, seqs in logs.items():
            for what in ("read", "delivered"):
                count = sum(each == what for each in seqs.values())
                if count:
                    self._show(log, what, count)
