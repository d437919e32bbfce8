"""Password hashing, off the reactor thread.

Passwords are hashed with argon2id (RFC 9106, the recommended parameters of the library for its
low-memory setting) and stored in PHC string format.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from secrets import token_bytes
from typing import Any, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from chatd.auth.throttle import STOPPING
from chatd.core.addresses import LOCAL, network_of
from chatd.core.errors import Busy, PasswordTooLong
from chatd.core.limits import Limits
from chatd.realm.requester import OPERATOR, Client, Disconnected

T = TypeVar("T")

THREADS = 2
"""threads that hash; one of them is left to log-ins"""


class _Job:
    """A hash to be computed for a client."""

    __slots__ = ("client", "done", "work")

    def __init__(self, client: Client, work: Callable[[], Any]) -> None:
        self.client = client
        self.work = work
        self.done: Deferred[Any] = Deferred()


class _Queue:
    """Jobs that wait for a thread: the addresses take turns, and no address has more than its share
    of the places. Clients on this machine together are one address without a share; operators are
    another one, without any bound."""

    def __init__(self, what: str, limits: Limits) -> None:
        self._what = what
        self._places, self._share = limits.hashes, limits.address_hashes
        self._jobs: OrderedDict[str, deque[_Job]] = OrderedDict()
        self.running = 0

    def __len__(self) -> int:
        return sum(map(len, self._jobs.values()))

    def add(self, job: _Job) -> None:
        """Add a job. Raises `Busy`, with the bound that is met."""
        address = "operator" if job.client is OPERATOR else network_of(job.client.address)
        if job.client is not OPERATOR:
            self._check(address)
        self._jobs.setdefault(address, deque()).append(job)

    def _check(self, address: str) -> None:
        if address != LOCAL and len(self._jobs.get(address, ())) >= self._share:
            self._remove_disconnected()
            if len(self._jobs.get(address, ())) >= self._share:
                raise Busy(
                    f"too many passwords wait to be {self._what}: {self._share} from your address; "
                    "try again later",
                    "address_hashes",
                )
        if len(self) >= self._places:
            self._remove_disconnected()
            if len(self) >= self._places:
                raise Busy(
                    f"too many passwords wait to be {self._what}: {self._places} of all clients; "
                    "try again later",
                    "hashes",
                )

    def next(self) -> _Job | None:
        """Take the next job, of the address whose turn it is; None if none waits."""
        while self._jobs:
            address, jobs = self._jobs.popitem(last=False)
            job = jobs.popleft()
            if jobs:
                self._jobs[address] = jobs
            if not job.client.disconnected:
                return job
            job.done.errback(Disconnected())
        return None

    def remove_all(self) -> list[_Job]:
        """Take all jobs."""
        jobs = [job for queued in self._jobs.values() for job in queued]
        self._jobs.clear()
        return jobs

    def _remove_disconnected(self) -> None:
        """Drop the jobs of clients that have disconnected."""
        ended = []
        for address, jobs in list(self._jobs.items()):
            ended += [job for job in jobs if job.client.disconnected]
            remaining = deque(job for job in jobs if not job.client.disconnected)
            if remaining:
                self._jobs[address] = remaining
            else:
                del self._jobs[address]
        for job in ended:
            job.done.errback(Disconnected())


class Passwords:
    """Hashes and verifies passwords on threads of its own.

    Log-ins have a queue of their own, so that nothing else (registering, changing passwords, what
    operators ask for) takes their places or more than one of the threads. In both queues the
    addresses take turns. What a client has asked for that has disconnected is not computed.

    `hasher` is an `argon2.PasswordHasher`, `threads` a `ThreadPool` that has not been started;
    `random_bytes` gives so many bytes that cannot be guessed.
    """

    def __init__(
        self,
        reactor: Any,
        limits: Limits,
        hasher: Any = None,
        threads: Any = None,
        random_bytes: Callable[[int], bytes] = token_bytes,
    ) -> None:
        self._reactor = reactor
        self._limits = limits
        self._hasher = hasher or PasswordHasher()
        self._pool = threads or ThreadPool(0, THREADS, "chatd-passwords")
        self._random_bytes = random_bytes
        self._log_ins = _Queue("checked", limits)
        self._others = _Queue("hashed", limits)
        self._starting = False
        self._decoy = ""

    @property
    def waiting(self) -> tuple[int, int]:
        """How many log-ins, and how many others, wait for a thread."""
        return len(self._log_ins), len(self._others)

    def start(self) -> None:
        """Start the threads."""
        self._pool.start()

    def stop(self) -> None:
        """Finish the work that has begun, refuse what waits, and stop the threads."""
        for job in (*self._log_ins.remove_all(), *self._others.remove_all()):
            job.done.errback(Busy(STOPPING))
        self._pool.stop()

    async def hash(self, password: str, client: Client = OPERATOR) -> str:
        """The hash of a new password, in PHC string format. Raises `PasswordTooLong`, `Busy`,
        `Disconnected`."""
        if len(password) > self._limits.password:
            raise PasswordTooLong()
        return await self._run(self._others, client, lambda: self._hasher.hash(password))

    async def verify(
        self, hashed: str | None, password: str, client: Client, logging_in: bool = True
    ) -> bool:
        """Whether `password` has this hash; compared in constant time.

        None is in place of the hash of an account that does not exist: no password has it, and that
        takes as long to find out. `logging_in`: it is for a log-in. Raises `Busy`, `Disconnected`.
        """
        if len(password) > self._limits.password:
            return False
        queue = self._log_ins if logging_in else self._others
        return await self._run(queue, client, lambda: self._verify(hashed, password))

    def _verify(self, hashed: str | None, password: str) -> bool:
        if hashed is None:
            if not self._decoy:
                self._decoy = self._hasher.hash(self._random_bytes(32).hex())
            hashed = self._decoy
        try:
            return self._hasher.verify(hashed, password)
        except (Argon2Error, InvalidHashError):
            return False

    async def _run(self, queue: _Queue, client: Client, work: Callable[[], T]) -> T:
        job = _Job(client, work)
        queue.add(job)
        self._start_jobs()
        result: T = await job.done
        return result

    def _start_jobs(self) -> None:
        """Have each free thread do a job, at most one of them other work than log-ins."""
        if self._starting:
            # A client of an abandoned job has asked for another one; the loop below starts it.
            return
        self._starting = True
        try:
            while self._log_ins.running + self._others.running < THREADS:
                queue, job = self._others, None
                if not queue.running:
                    job = queue.next()
                if job is None:
                    queue = self._log_ins
                    job = queue.next()
                if job is None:
                    return
                queue.running += 1
                deferToThreadPool(self._reactor, self._pool, job.work).addBoth(
                    self._finished, queue, job
                )
        finally:
            self._starting = False

    def _finished(self, result: Any, queue: _Queue, job: _Job) -> None:
        queue.running -= 1
        if isinstance(result, Failure):
            job.done.errback(result)
        else:
            job.done.callback(result)
        self._start_jobs()
