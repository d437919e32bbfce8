"""A real daemon as a process, and raw classic clients with plain blocking sockets."""

from __future__ import annotations

import os
import queue
import re
import select
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT
from typing import TYPE_CHECKING

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs.classic import (
    CREATE,
    DELIVER,
    LIST,
    LOGIN,
    SEND,
    ListResponse,
    Reply,
    Response,
    Send,
    client_decoder,
    encode,
)
from tests.doubles.folders import folder
from tests.doubles.program import Program, environment

PATIENCE = 10.0
"""seconds that one wait for a socket may take"""
START_PATIENCE = 30.0
"""seconds that a daemon may take to start on a busy machine"""
ALL_PATIENCE = 30.0
"""seconds that reading all there is may take, however steadily it comes"""
NOBODY = "no-such-name"


class Daemon:
    """A daemon, started and listening; killed when the test ends unless it has ended before."""

    def __init__(
        self,
        case: SynchronousTestCase,
        store: str,
        *,
        rate: str = "none",
        cwd: str | None = None,
        command: Sequence[str] | None = None,
        extra: Mapping[str, str] | None = None,
        more: Sequence[str] = (),
        executed: bool = False,
    ) -> None:
        """`command` replaces all options; it is forked (see `Program`) unless `executed`."""
        options = ["--port", "0", "--store", store, "--rate", rate, *more]
        command = command or ["twistd", "-n", "--pidfile=", "chatd", *options]
        cwd, env = cwd or folder(case), environment(extra)
        self.process: Program | subprocess.Popen[str]
        if executed:
            self.process = subprocess.Popen(
                command, cwd=cwd, env=env, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, text=True
            )
        else:
            self.process = Program(command, cwd=cwd, env=env, stderr=STDOUT)
        self.pid = self.process.pid
        self.told = ""
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._drain = threading.Thread(target=self._read, daemon=True)
        self._drain.start()
        case.addCleanup(self.kill)
        self.port = self._wait_for_port(case)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.told += line
            self._lines.put(line)
        self._lines.put("")

    def _wait_for_port(self, case: SynchronousTestCase) -> int:
        deadline = time.monotonic() + START_PATIENCE
        while line := self._lines.get(timeout=max(0.1, deadline - time.monotonic())):
            found = re.search(r"listening on \S+:(\d+)", line)
            if found:
                return int(found[1])
        raise case.failureException(f"the daemon did not start:\n{self.told}")

    def other(self, title: str) -> str:
        """Where it listens for this protocol, on a port of its own."""
        while line := self._lines.get(timeout=START_PATIENCE):
            found = re.search(rf"Also listening: {re.escape(title)} on (\S+)", line)
            if found:
                return found[1]
        raise AssertionError(f"no port for {title}:\n{self.told}")

    def kill(self) -> None:
        """As by `kill -9`, if it still runs."""
        if self.process.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
        self._ended()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it as an operator would, and give its exit status."""
        os.kill(self.pid, number)
        return self._ended()

    def _ended(self) -> int:
        status = self.process.wait(PATIENCE)
        self._drain.join(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status

    def memory(self) -> int:
        """Bytes of its memory that are resident."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) * 1024


class SocketClient:
    """A connection. What comes is cut into messages, of which a `Send` keeps its bytes as they
    came."""

    def __init__(self, case: SynchronousTestCase, daemon: Daemon, *, window: int = 0) -> None:
        """`window`: bytes that its receive buffer takes, if that matters."""
        self.case = case
        self.socket = socket.socket()
        case.addCleanup(self.socket.close)
        self.socket.settimeout(PATIENCE)
        if window:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        self.socket.connect(("127.0.0.1", daemon.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._decoder = client_decoder(1 << 26)
        self._come: list[Reply] = []
        self._at = 0

    def send(self, *frames: bytes) -> None:
        """Bytes, as they are, in one call."""
        self.socket.sendall(b"".join(frames))

    def next(self) -> Reply:
        """The next message that comes."""
        while self._at == len(self._come):
            data = self.socket.recv(1 << 16)
            if not data:
                raise self.case.failureException("the daemon closed the connection")
            self._come, self._at = list(self._decoder.feed(data)), 0  # type: ignore[arg-type]
        self._at += 1
        return self._come[self._at - 1]

    def take(self, count: int) -> list[Reply]:
        """So many messages."""
        return [self.next() for _ in range(count)]

    def ask(self, command: int, *fields: str) -> Reply:
        """Send one command; the next message that comes."""
        self.send(encode(command, *fields))
        return self.next()

    def error(self, command: int, *fields: str) -> str:
        """Send one command that is refused; with what words."""
        answer = self.ask(command, *fields)
        if not isinstance(answer, Response) or not answer.error:
            raise self.case.failureException(f"not refused: {answer}")
        return answer.error

    def create(self, *fields: str) -> SocketClient:
        """Make an account and be it."""
        self.case.assertEqual(self.ask(CREATE, *fields), Response())
        return self

    def login(self, *fields: str) -> SocketClient:
        """Be someone."""
        self.case.assertEqual(self.ask(LOGIN, *fields), Response())
        return self

    def say(self, sender: str, recipient: str, text: str) -> bytes:
        """Send a message, and wait for its echo, which must be the same bytes. Gives them."""
        frame = encode(SEND, sender, recipient, text)
        self.send(frame)
        self.case.assertEqual(self.next(), Send(sender, recipient, text, frame))
        return frame

    def so_far(self) -> list[Reply]:
        """All that comes before the answer to a command sent now."""
        self.send(encode(LIST, NOBODY))
        come: list[Reply] = []
        deadline = time.monotonic() + ALL_PATIENCE
        while (message := self.next()) != ListResponse(()):
            come.append(message)
            self._check_end(deadline, come)
        return come

    def _check_end(self, deadline: float, come: Sequence[Reply]) -> None:
        """A daemon that sends without end must not hold the tests up."""
        if time.monotonic() > deadline:
            raise self.case.failureException(f"no end of what comes, after {len(come)} messages")

    def mail(self) -> list[Reply]:
        """What DELIVER brings."""
        self.send(encode(DELIVER))
        return self.so_far()

    def finish(self) -> None:
        """Send no more, but go on reading."""
        self.socket.shutdown(socket.SHUT_WR)

    def rest(self) -> list[Reply]:
        """All that comes until the daemon closes the connection in an orderly way."""
        come: list[Reply] = self._come[self._at :]
        self._come, self._at = [], 0
        deadline = time.monotonic() + ALL_PATIENCE
        while data := self.socket.recv(1 << 16):
            come += self._decoder.feed(data)  # type: ignore[arg-type]
            self._check_end(deadline, come)
        return come

    def remains(self) -> list[Reply]:
        """All that can still be read, however the connection ended."""
        come: list[Reply] = self._come[self._at :]
        self._come, self._at = [], 0
        deadline = time.monotonic() + ALL_PATIENCE
        try:
            while data := self.socket.recv(1 << 16):
                come += self._decoder.feed(data)  # type: ignore[arg-type]
                self._check_end(deadline, come)
        except ConnectionError:
            pass
        return come

    def close(self) -> None:
        """Leave, by FIN."""
        self.socket.close()

    def reset(self) -> None:
        """Leave, by RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def readable(self) -> bool:
        """Whether there is something to read at this moment."""
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        return self._at < len(self._come) or bool(poll.poll(0))


def texts(messages: Iterable[Reply]) -> list[str]:
    """The texts of what must all be SENDs."""
    found = []
    for message in messages:
        assert isinstance(message, Send), message
        found.append(message.text)
    return found


def sent(sender: str, recipient: str, text: str) -> Send:
    """A message as it must arrive: its bytes are given by these fields."""
    return Send(sender, recipient, text, encode(SEND, sender, recipient, text))


if TYPE_CHECKING:
    _Case = SynchronousTestCase
else:
    _Case = object


class Talk(_Case):
    """A mixin: a daemon for each test, with the store that the test case names."""

    kind: str

    def setUp(self) -> None:
        store = self.kind if self.kind == "memory" else f"sqlite:{folder(self)}/chatd.db"
        self.daemon = Daemon(self, store)

    def client(self) -> SocketClient:
        """A new connection."""
        return SocketClient(self, self.daemon)
