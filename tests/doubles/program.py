"""chatd's programs as processes, forked by `tests.doubles.fork_server`."""

from __future__ import annotations

import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT, CompletedProcess, TimeoutExpired
from typing import IO, Any

import chatd
from tests.doubles.fork_server import NUMBER

CHECKOUT = Path(chatd.__file__).parents[1]


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a program: this checkout, and of chatd's options only `extra`."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CHATD_")}
    return {**inherited, "PYTHONPATH": str(CHECKOUT), **(extra or {})}


class Program:
    """A running program. The interface is the part of `subprocess.Popen` that tests use."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        cwd: str | Path,
        env: Mapping[str, str],
        stdin: int = DEVNULL,
        stdout: int = PIPE,
        stderr: int = PIPE,
    ) -> None:
        """`command` is a program and its arguments: "twistd", a module or the path of a script. A
        terminal given as `stdin` becomes the controlling terminal."""
        self.args = command
        self.returncode: int | None = None
        self._passed: list[int] = []
        self.stdin: IO[str] | None = self._stream(stdin, "w")
        self.stdout: IO[str] | None = self._stream(stdout, "r")
        self.stderr: IO[str] | None = self._stream(stderr, "r")
        self._report: IO[bytes] = self._stream(PIPE, "rb")
        request = json.dumps({"arguments": list(command), "cwd": str(cwd), "env": dict(env)})
        channel = _fork_server()
        socket.send_fds(channel, [b"!"], self._passed)
        channel.sendall(NUMBER.pack(len(request)) + request.encode())
        for descriptor in self._passed:
            os.close(descriptor)
        self.pid = self._reported()

    def _stream(self, descriptor: int, mode: str) -> Any:
        """Note what is passed to the program. Returns this end of it, for a pipe."""
        if descriptor == PIPE:
            read, write = os.pipe()
            ours, passed = (write, read) if mode == "w" else (read, write)
            self._passed.append(passed)
            return open(ours, mode, buffering=0 if "b" in mode else -1)
        if descriptor == DEVNULL:
            self._passed.append(os.open(os.devnull, os.O_RDWR))
        else:
            self._passed.append(os.dup(self._passed[1] if descriptor == STDOUT else descriptor))
        return None

    def _reported(self) -> int:
        number: int = NUMBER.unpack(self._report.read(NUMBER.size))[0]
        return number

    def poll(self) -> int | None:
        """The exit status, or None while the program runs."""
        with suppress(TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float) -> int:
        """Wait for the end, for so many seconds. Returns the exit status."""
        if self.returncode is None:
            if not select.select([self._report], [], [], timeout)[0]:
                raise TimeoutExpired(self.args, timeout)
            self.returncode = self._reported()
            self._report.close()
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, unless the program has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream is not None:
                stream.close()


def run(
    command: Sequence[str],
    *,
    cwd: str | Path,
    env: Mapping[str, str],
    timeout: float,
    input: str = "",
) -> CompletedProcess[str]:
    """Run a program to its end, like `subprocess.run` with `text` and `capture_output`."""
    program = Program(command, cwd=cwd, env=env, stdin=PIPE)
    assert program.stdin and program.stdout and program.stderr
    with program.stdout as stdout, program.stderr as stderr, ThreadPoolExecutor() as pool:
        output, errors = pool.submit(stdout.read), pool.submit(stderr.read)
        with suppress(BrokenPipeError), program.stdin as stdin:
            stdin.write(input)
        try:
            status = program.wait(timeout)
        finally:
            program.kill()
        return CompletedProcess(command, status, output.result(), errors.result())


@functools.cache
def _fork_server() -> socket.socket:
    """The channel to the fork server. The server ends with this process."""
    channel, other_end = socket.socketpair()
    with other_end:
        subprocess.Popen(
            [sys.executable, "-m", "tests.doubles.fork_server", str(other_end.fileno())],
            pass_fds=[other_end.fileno()],
            cwd=CHECKOUT,
            env=environment(),
            stdin=DEVNULL,
            stdout=DEVNULL,
        )
    return channel
