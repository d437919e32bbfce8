"""A daemon as a process, and classic clients with blocking sockets."""

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

PATIENCE = 30.0
"""seconds that one wait for a socket may take"""
START_PATIENCE = 60.0
"""seconds that a daemon may take to start on a busy machine"""
ALL_PATIENCE = 60.0
"""seconds that reading to the end may take, however steadily data arrives"""
TOGETHER = 10
"""texts that `SocketClient.send_texts` sends at once"""
UNUSED_NAME = "no-such-name"


class Daemon:
    """A daemon that listens. It is killed when the test ends, unless it has ended before."""

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
        self.output = ""
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._drain = threading.Thread(target=self._read, daemon=True)
        self._drain.start()
        case.addCleanup(self.kill)
        self.port = self._wait_for_port(case)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output += line
            self._lines.put(line)
        self._lines.put("")

    def _wait_for_port(self, case: SynchronousTestCase) -> int:
        deadline = time.monotonic() + START_PATIENCE
        while line := self._lines.get(timeout=max(0.1, deadline - time.monotonic())):
            match = re.search(r"listening on \S+:(\d+)", line)
            if match:
                return int(match[1])
        raise case.failureException(f"the daemon did not start:\n{self.output}")

    def address_of(self, title: str) -> str:
        """The address of the port that is for this protocol only."""
        return self.wait_for(rf"Also listening: {re.escape(title)} on (\S+)")[1]

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait for a line of the log after those that were waited for."""
        while line := self._lines.get(timeout=START_PATIENCE):
            match = re.search(pattern, line)
            if match:
                return match
        raise AssertionError(f"no line matches {pattern}:\n{self.output}")

    def kill(self) -> None:
        """Send SIGKILL, unless it has ended, and wait for the end."""
        if self.process.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
        self._wait()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal as an operator does, and return the exit status."""
        os.kill(self.pid, number)
        return self._wait()

    def _wait(self) -> int:
        status = self.process.wait(PATIENCE)
        self._drain.join(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status

    def memory_bytes(self) -> int:
        """The resident memory."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        match = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert match is not None
        return int(match[1]) * 1024


class SocketClient:
    """A connection. What it receives is decoded; a `Send` keeps the bytes that it had."""

    def __init__(self, case: SynchronousTestCase, daemon: Daemon, *, window: int = 0) -> None:
        """`window`: the size of the receive buffer in bytes, 0 for the default."""
        self.case = case
        self.socket = socket.socket()
        case.addCleanup(self.socket.close)
        self.socket.settimeout(PATIENCE)
        if window:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        self.socket.connect(("127.0.0.1", daemon.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._decoder = client_decoder(1 << 26)
        self._messages: list[Reply] = []
        self._at = 0

    def send(self, *frames: bytes) -> None:
        """Send bytes in one call."""
        self.socket.sendall(b"".join(frames))

    def receive(self) -> Reply:
        """The next message."""
        while self._at == len(self._messages):
            data = self.socket.recv(1 << 16)
            if not data:
                raise self.case.failureException("the daemon closed the connection")
            self._messages, self._at = list(self._decoder.feed(data)), 0  # type: ignore[arg-type]
        self._at += 1
        return self._messages[self._at - 1]

    def receive_many(self, count: int) -> list[Reply]:
        """The next messages."""
        return [self.receive() for _ in range(count)]

    def ask(self, command: int, *fields: str) -> Reply:
        """Send a command and return the next message."""
        self.send(encode(command, *fields))
        return self.receive()

    def refusal(self, command: int, *fields: str) -> str:
        """Send a command that is refused, and return the error."""
        answer = self.ask(command, *fields)
        if not isinstance(answer, Response) or not answer.error:
            raise self.case.failureException(f"not refused: {answer}")
        return answer.error

    def create(self, *fields: str) -> SocketClient:
        """Create an account, which logs in."""
        self.case.assertEqual(self.ask(CREATE, *fields), Response())
        return self

    def login(self, *fields: str) -> SocketClient:
        """Log in."""
        self.case.assertEqual(self.ask(LOGIN, *fields), Response())
        return self

    def send_text(self, sender: str, recipient: str, text: str) -> bytes:
        """Send a message, check that its echo has the same bytes, and return them."""
        frame = encode(SEND, sender, recipient, text)
        self.send(frame)
        self.case.assertEqual(self.receive(), Send(sender, recipient, text, frame))
        return frame

    def send_texts(self, sender: str, recipient: str, texts: Sequence[str]) -> None:
        """Send messages, some at once, and check their echoes. The daemon commits those together,
        which takes far less time than each by itself."""
        for start in range(0, len(texts), TOGETHER):
            some = [sent(sender, recipient, text) for text in texts[start : start + TOGETHER]]
            self.send(*[message.frame for message in some])
            self.case.assertEqual(self.receive_many(len(some)), some)

    def received_so_far(self) -> list[Reply]:
        """Everything that arrives before the answer to a command sent now."""
        self.send(encode(LIST, UNUSED_NAME))
        messages: list[Reply] = []
        deadline = time.monotonic() + ALL_PATIENCE
        while (message := self.receive()) != ListResponse(()):
            messages.append(message)
            self._check_end(deadline, messages)
        return messages

    def _check_end(self, deadline: float, messages: Sequence[Reply]) -> None:
        """Fail if the daemon sends without end."""
        if time.monotonic() > deadline:
            raise self.case.failureException(f"no end after {len(messages)} messages")

    def fetch_mail(self) -> list[Reply]:
        """Send DELIVER and return what it delivers."""
        self.send(encode(DELIVER))
        return self.received_so_far()

    def close_sending(self) -> None:
        """Close the sending side only."""
        self.socket.shutdown(socket.SHUT_WR)

    def read_to_end(self) -> list[Reply]:
        """Everything that arrives until the daemon closes the connection, without a reset."""
        messages: list[Reply] = self._messages[self._at :]
        self._messages, self._at = [], 0
        deadline = time.monotonic() + ALL_PATIENCE
        while data := self.socket.recv(1 << 16):
            messages += self._decoder.feed(data)  # type: ignore[arg-type]
            self._check_end(deadline, messages)
        return messages

    def read_remaining(self) -> list[Reply]:
        """Everything that can still be read, even if the connection is reset."""
        messages: list[Reply] = self._messages[self._at :]
        self._messages, self._at = [], 0
        deadline = time.monotonic() + ALL_PATIENCE
        try:
            while data := self.socket.recv(1 << 16):
                messages += self._decoder.feed(data)  # type: ignore[arg-type]
                self._check_end(deadline, messages)
        except ConnectionError:
            pass
        return messages

    def close(self) -> None:
        """Close the connection by FIN."""
        self.socket.close()

    def reset(self) -> None:
        """Close the connection by RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def readable(self) -> bool:
        """Whether there is something to read now."""
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        return self._at < len(self._messages) or bool(poll.poll(0))


def texts(messages: Iterable[Reply]) -> list[str]:
    """The texts of messages, all of which must be SENDs."""
    texts = []
    for message in messages:
        assert isinstance(message, Send), message
        texts.append(message.text)
    return texts


def sent(sender: str, recipient: str, text: str) -> Send:
    """The message with these fields as it must arrive, with its bytes."""
    return Send(sender, recipient, text, encode(SEND, sender, recipient, text))


if TYPE_CHECKING:
    _Case = SynchronousTestCase
else:
    _Case = object


class DaemonCase(_Case):
    """A mixin: a daemon for each test, with the kind of store that the test case names."""

    kind: str

    def setUp(self) -> None:
        store = self.kind if self.kind == "memory" else f"sqlite:{folder(self)}/chatd.db"
        self.daemon = Daemon(self, store)

    def client(self) -> SocketClient:
        """A new connection."""
        return SocketClient(self, self.daemon)
