"""A process that has imported chatd's programs, and forks one for each request.

Most of the time in which a program starts goes into imports. A forked program is a process with
its own files, signals and exit status, as if it had been executed, but starts much faster. Forked
daemons hash passwords at little cost; executed ones (see `Daemon`) as installed.
`tests.doubles.program` sends the requests.

A request is one byte with four file descriptors (standard input, output and error, and a pipe for
the report), the length of a JSON object in four bytes, and the object: `arguments` (the first is
the program: "twistd", a module, or the path of a script), `cwd` and `env`. The report has four
bytes for the process id and, at the end, four for the exit status as in `subprocess.Popen`.
"""

from __future__ import annotations

import fcntl
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import struct
import sys
import termios
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins
from twisted.scripts import twistd

from tests.doubles.passwords import CheapSystem

NUMBER = struct.Struct("=i")
PROGRAMS = ("chatd.admin", "chatd.client")
"""modules with a `__main__`"""


def load() -> None:
    """Import what the programs import, except a reactor: a fork must not share one."""
    vars(importlib.import_module("chatd.daemon.service"))["System"] = CheapSystem
    for name in PROGRAMS:
        importlib.import_module(f"{name}.__main__")
        # It is executed again by runpy, which warns about a module that is imported already.
        del sys.modules[f"{name}.__main__"]
    for maker in getPlugins(IServiceMaker):
        assert maker.tapname
    assert "twisted.internet.reactor" not in sys.modules
    gc.freeze()


def serve(channel: socket.socket) -> Sequence[str]:
    """Fork for each request. Returns the program's arguments in the forked process, () at the end
    of the requests."""
    while True:
        go, descriptors, _, _ = socket.recv_fds(channel, 1, 4)
        if not go:
            return ()
        (length,) = NUMBER.unpack(channel.recv(NUMBER.size, socket.MSG_WAITALL))
        request = json.loads(channel.recv(length, socket.MSG_WAITALL))
        if os.fork() == 0:
            channel.close()
            return fork(request, descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def fork(request: dict[str, Any], descriptors: Sequence[int]) -> Sequence[str]:
    """Fork the program, wait for its end and report it. Returns only in the forked process."""
    *streams, report = descriptors
    pid = os.fork()
    if pid == 0:
        os.close(report)
        prepare(request, streams)
        arguments: list[str] = request["arguments"]
        return arguments
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for stream in (0, 1, 2, *streams):
        os.close(stream)
    os.write(report, NUMBER.pack(pid))
    _, status = os.waitpid(pid, 0)
    os.write(report, NUMBER.pack(os.waitstatus_to_exitcode(status)))
    os._exit(0)


def prepare(request: dict[str, Any], streams: Sequence[int]) -> None:
    """Give the process its standard streams, folder and environment. A terminal as standard input
    becomes its controlling terminal."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    if os.isatty(0):
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    sys.stdout.reconfigure(line_buffering=os.isatty(1))  # type: ignore[union-attr]
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])


def run(name: str) -> None:
    """Run the program to its end; `sys.argv` has its arguments."""
    if name == "twistd":
        twistd.run()
    elif name.endswith(".py"):
        runpy.run_path(name, run_name="__main__")
    else:
        runpy.run_module(name, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    load()
    if arguments := serve(socket.socket(fileno=int(sys.argv[1]))):
        sys.argv = list(arguments)
        run(arguments[0])
