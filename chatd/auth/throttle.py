"""Throttling of guesses: when an attempt to log in with a password may be checked."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from chatd.core.addresses import LOCAL, network_of
from chatd.core.errors import Busy
from chatd.core.limits import Limits
from chatd.core.names import NAME_LENGTH
from chatd.realm.requester import Client, Disconnected

STOPPING = "The server is stopping; try again later."
FREE_ANSWERS = 3
"""wrong answers after which attempts have to wait"""
FIRST_GAP = 2.5
"""seconds between the wrong answer after which attempts have to wait and the next attempt"""
LONGEST_ACCOUNT_GAP = 10.0
LONGEST_ADDRESS_GAP = 60.0
_FORGET_AFTER = 3600.0
"""seconds without a wrong answer after which the count starts again"""
_CAPACITY = 10_000
"""accounts, addresses, and pairs of these, of which wrong answers are remembered"""
_KNOWN_ACCOUNTS, _KNOWN_ADDRESSES = 20_000, 16
"""accounts whose addresses are remembered, and addresses of each"""


class _Answers:
    """The wrong answers to an account, an address or a pair: `wrong` is their number, `since_right`
    that of those after the last right one, `last` the time of the last one, `checking` the attempts
    under way, `slot` when the next may begin."""

    __slots__ = ("checking", "last", "since_right", "slot", "wrong")

    def __init__(self) -> None:
        self.wrong = self.since_right = self.checking = 0
        self.last = self.slot = 0.0

    def free(self, now: float) -> bool:
        """Whether an attempt may begin: as if all attempts under way were wrong."""
        return self.wrong + self.checking < FREE_ANSWERS or (not self.checking and now >= self.slot)


class _Table:
    """What is remembered of accounts, of addresses or of pairs. `longest_gap` is in seconds."""

    def __init__(self, longest_gap: float) -> None:
        self.longest_gap = longest_gap
        self.answers: OrderedDict[str, _Answers] = OrderedDict()

    def get(self, key: str, now: float) -> _Answers:
        """The answers to `key`, which need not be remembered."""
        answers = self.answers.get(key)
        if answers is None:
            return _Answers()
        if answers.wrong and now - answers.last > _FORGET_AFTER:
            answers.wrong = answers.since_right = 0
        return answers

    def remembered(self, key: str, now: float) -> _Answers:
        """The answers to `key`, which are remembered from now on."""
        answers = self.answers[key] = self.get(key, now)
        self.answers.move_to_end(key)
        while len(self.answers) > _CAPACITY:
            self.answers.popitem(last=False)
        return answers

    def release(self, key: str) -> None:
        """Forget the answers to `key` if none was wrong, so that attempts which are right, or are
        not checked, do not take the places of wrong answers."""
        answers = self.answers.get(key)
        if answers is not None and not answers.wrong and not answers.checking:
            del self.answers[key]

    def gap(self, wrong: int) -> float:
        """The seconds before the next attempt, after so many wrong answers."""
        if wrong < FREE_ANSWERS:
            return 0.0
        return min(self.longest_gap, FIRST_GAP * 2.0 ** min(wrong - FREE_ANSWERS, 16))


class Attempt:
    """An attempt to log in to an account: `account` is its id, None if there is no such account."""

    def __init__(self, name: str, account: int | None, client: Client, number: int) -> None:
        # No name is longer.
        self.name = name[:NAME_LENGTH].lower()
        self.account = account
        self.client = client
        self.address = _counted(client.address)
        self.number = number
        self.turn: Deferred[None] = Deferred()
        self.bounds: dict[tuple[_Table, str], _Answers] = {}
        """by what it is bound, while it is under way"""


class LoginThrottle:
    """When each attempt to log in may be checked.

    Wrong answers count, right ones do not; an attempt under way counts until it is answered. After
    `FREE_ANSWERS` wrong answers for an account, or from an address, its attempts are checked one at
    a time: the gap after each wrong answer doubles from `FIRST_GAP`, up to 10 s for an account and
    60 s for an address. The count starts again after an hour without a wrong answer; a right one
    takes from those of its account and its address what the same address had wrong for the same
    account.

    The owner is not locked out by others. From an address from which the account was logged in to
    before, neither what comes from other addresses counts nor what the address tries elsewhere,
    only the wrong answers for this account from there. Of attempts that wait for the same account
    or address, those go first that were wrong least often for that account from that address, then
    the newest. None is refused unless too many wait (`Limits.attempts`): then the oldest of the
    address with most of them.

    An IPv6 address counts as its /64. The clients of a unix socket have no address, and may be
    those of a proxy: for them the account alone counts. Nothing is stored: after a restart no
    address is known.
    """

    def __init__(self, clock: Any, limits: Limits) -> None:
        self._clock = IReactorTime(clock)
        self._limits = limits
        self._accounts = _Table(LONGEST_ACCOUNT_GAP)
        self._addresses = _Table(LONGEST_ADDRESS_GAP)
        self._pairs = _Table(LONGEST_ACCOUNT_GAP)
        self._known: OrderedDict[int, OrderedDict[str, None]] = OrderedDict()
        self._waiting: list[Attempt] = []
        self._timer: IDelayedCall | None = None
        self._number = 0
        self._stopping = False

    @property
    def waiting(self) -> int:
        """The number of attempts that wait."""
        return len(self._waiting)

    async def begin(self, name: str, account: int | None, client: Client) -> Attempt:
        """Wait until an attempt may be checked; the caller calls `end` when it was.

        Raises `Busy` if too many wait or the daemon stops, `Disconnected` if the client has
        disconnected.
        """
        self._number += 1
        attempt = Attempt(name, account, client, self._number)
        now = self._clock.seconds()
        # Those that wait have been looked at: none of them may begin in its place.
        if self._begin(attempt, now):
            return attempt
        if self._stopping:
            raise Busy(STOPPING)
        self._waiting.append(attempt)
        self._look_at(self._slot(attempt, now))
        if len(self._waiting) > self._limits.attempts:
            self._remove_disconnected()
        if len(self._waiting) > self._limits.attempts:
            self._displace()
        await attempt.turn
        return attempt

    def end(self, attempt: Attempt, right: bool | None) -> None:
        """An attempt was answered; None: it was not checked."""
        now = self._clock.seconds()
        for answers in attempt.bounds.values():
            answers.checking -= 1
        pair = self._pairs.get(_pair(attempt), now)
        if right:
            assert attempt.account is not None
            self.proven(attempt.account, attempt.client.address)
            for table, key in self._keys(attempt):
                answers = table.get(key, now)
                answers.wrong = max(0, answers.wrong - pair.since_right)
            # `pair.wrong` stays: the owner's password must not make a neighbour's guesses faster.
            pair.since_right = 0
        elif right is not None:
            for table, key in (*self._keys(attempt), (self._pairs, _pair(attempt))):
                answers = table.remembered(key, now)
                answers.wrong += 1
                answers.since_right += 1
                answers.last = now
                if (table, key) in attempt.bounds:
                    answers.slot = now + table.gap(answers.wrong)
        for table, key in attempt.bounds:
            table.release(key)
        # Others are bound by nothing that has changed.
        self._go_on(lambda each: attempt.name == each.name or attempt.address == each.address)

    def stop(self) -> None:
        """Refuse the attempts that wait, and those to come that would have to."""
        self._stopping = True
        waiting, self._waiting = self._waiting, []
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for attempt in waiting:
            attempt.turn.errback(Busy(STOPPING))

    def proven(self, account: int, address: str) -> None:
        """A client at this address has proven that it may use an account."""
        known = self._known.setdefault(account, OrderedDict())
        known[_counted(address)] = None
        known.move_to_end(_counted(address))
        if len(known) > _KNOWN_ADDRESSES:
            known.popitem(last=False)
        self._known.move_to_end(account)
        if len(self._known) > _KNOWN_ACCOUNTS:
            self._known.popitem(last=False)

    def _keys(self, attempt: Attempt) -> list[tuple[_Table, str]]:
        keys = [(self._accounts, attempt.name)]
        if attempt.address != LOCAL:
            keys.append((self._addresses, attempt.address))
        return keys

    def _bounds(self, attempt: Attempt) -> list[tuple[_Table, str]]:
        """What an attempt is bound by."""
        if attempt.account is not None and attempt.address in self._known.get(attempt.account, ()):
            return [(self._pairs, _pair(attempt))]
        return self._keys(attempt)

    # Attempts that wait

    def _begin(self, attempt: Attempt, now: float) -> bool:
        """Begin an attempt if it may; whether it has begun."""
        bounds = self._bounds(attempt)
        if not all(table.get(key, now).free(now) for table, key in bounds):
            return False
        attempt.bounds = {(table, key): table.remembered(key, now) for table, key in bounds}
        for answers in attempt.bounds.values():
            answers.checking += 1
        return True

    def _go_on(self, concerned: Callable[[Attempt], bool] | None = None) -> None:
        """Begin the attempts that may begin now, of those that are `concerned` (None: of all)."""
        self._remove_disconnected()
        now = self._clock.seconds()
        # In order, since each that begins counts for those after it.
        ranked = sorted(filter(concerned, self._waiting), key=lambda each: self._rank(each, now))
        begun = [attempt for attempt in ranked if self._begin(attempt, now)]
        if begun:
            self._waiting = [attempt for attempt in self._waiting if not attempt.bounds]
        for attempt in ranked:
            if not attempt.bounds:
                self._look_at(self._slot(attempt, now))
        for attempt in begun:
            attempt.turn.callback(None)

    def _slot(self, attempt: Attempt, now: float) -> float:
        """When an attempt that may not begin now may begin, unless it waits for an answer."""
        answers = [table.get(key, now) for table, key in self._bounds(attempt)]
        return max(each.slot for each in answers if not each.free(now))

    def _look_at(self, time: float) -> None:
        """Look at the attempts that wait at this time, if it is to come."""
        now = self._clock.seconds()
        if time <= now:
            return
        if self._timer is None:
            self._timer = self._clock.callLater(time - now, self._look_again)
        elif time < self._timer.getTime():
            self._timer.reset(time - now)

    def _look_again(self) -> None:
        self._timer = None
        self._go_on()

    def _rank(self, attempt: Attempt, now: float) -> tuple[int, int]:
        wrong = self._pairs.get(_pair(attempt), now).wrong
        guessed = any(
            table.get(key, now).wrong >= FREE_ANSWERS for table, key in self._bounds(attempt)
        )
        # Where there was no guessing, in the order in which they arrived.
        return wrong, -attempt.number if guessed else attempt.number

    def _remove_disconnected(self) -> None:
        ended = [attempt for attempt in self._waiting if attempt.client.disconnected]
        if ended:
            self._waiting = [attempt for attempt in self._waiting if attempt not in ended]
        for attempt in ended:
            attempt.turn.errback(Disconnected())

    def _displace(self) -> None:
        """Refuse the oldest attempt of the address with most of those that wait."""
        counts = Counter(attempt.address for attempt in self._waiting)
        most = max(counts.values())
        oldest = next(each for each in self._waiting if counts[each.address] == most)
        self._waiting.remove(oldest)
        oldest.turn.errback(
            Busy(
                f"too many attempts to log in wait for their turn ({self._limits.attempts}); "
                "try again later",
                "attempts",
            )
        )


def _counted(address: str) -> str:
    """As what an address is counted: addresses of this machine each by itself."""
    network = network_of(address)
    return address if network == LOCAL else network


def _pair(attempt: Attempt) -> str:
    # No name has a blank, and what is none is bounded.
    return f"{attempt.address} {attempt.name}"
