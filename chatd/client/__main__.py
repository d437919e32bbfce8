"""``python -m chatd.client``: the parts put together, and the process around them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.error import ReactorNotRunning
from twisted.internet.stdio import StandardIO
from twisted.python import usage
from twisted.python.failure import Failure

from chatd.client.classic.chat import ClassicChat
from chatd.client.classic.connection import connect as connect_classic
from chatd.client.cli.chat import Chat
from chatd.client.cli.exit_status import FAILED, INTERRUPT, SUCCESS
from chatd.client.cli.login import Arrival
from chatd.client.cli.message_cache import Seen
from chatd.client.cli.options import INVALID_SERVER, Options
from chatd.client.cli.output import style as styling
from chatd.client.cli.output.jsonlines import JsonLines
from chatd.client.cli.output.output import Output
from chatd.client.cli.output.plain import Showing
from chatd.client.cli.pipe import PipeScreen
from chatd.client.cli.terminal import stdio
from chatd.client.cli.terminal.screen import PASTE_OFF, Terminal, TerminalScreen
from chatd.client.library.client import Client
from chatd.client.library.connect import connect as connect_version_1
from chatd.codecs.v1_messages import FEATURES

WRONG_USAGE = 2
"""the exit status for a command line that means nothing"""


class Dialogue(Protocol):
    """What `ClassicChat` of the classic protocol and `Chat` are here."""

    def start(self) -> Deferred[int]:
        """Begin; fires with the exit status."""

    def interrupt(self, status: int, sentence: str) -> None:
        """Leave now."""


class Process:
    """The dialogue on the screen that fits, for as long as the process lives."""

    def __init__(self, reactor: Any, options: Options, terminal: bool) -> None:
        self.status = FAILED
        """the exit status"""
        self.traceback = ""
        """what a programmer wants to know if the client failed, which it should not"""
        self._reactor = reactor
        self._leaving = False
        self._screen: TerminalScreen | PipeScreen
        if terminal:
            colours = styling.colours_wanted(os.environ)
            screen = self._screen = TerminalScreen(
                stdio.size, lambda: self.interrupt(SUCCESS), colours
            )
            StandardIO(Terminal(lambda: screen), reactor=reactor)  # type: ignore[no-untyped-call]
        else:
            complain = None if stdio.errors_go_to_output() else stdio.write_error
            self._screen = PipeScreen(complain, lambda: self.interrupt(FAILED, ""))
            StandardIO(self._screen, reactor=reactor)
        self._dialogue: Dialogue = (
            _classic(reactor, options, self._screen)
            if options.classic
            else _version_1(reactor, options, self._screen)
        )

    def start(self) -> None:
        """Begin the dialogue; at its end the reactor stops."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) != signal.SIG_IGN:
                self._heed(number, self.interrupt, 128 + number)
        if isinstance(self._screen, TerminalScreen):
            self._heed(signal.SIGWINCH, self._screen.resized)
        self._dialogue.start().addCallbacks(self._left, self._broken).addCallback(self._close)

    def interrupt(self, status: int, sentence: str = INTERRUPT) -> None:
        """Leave with this exit status; when called again, without waiting for anything."""
        if self._leaving:
            self._stop()
        else:
            self._leaving = True
            self._dialogue.interrupt(status, sentence)

    def _heed(self, number: signal.Signals, call: Callable[..., None], *arguments: object) -> None:
        signal.signal(number, lambda *_: self._reactor.callFromThread(call, *arguments))

    def _left(self, status: int) -> None:
        self.status = status

    def _broken(self, failure: Failure) -> None:
        self.traceback = failure.getTraceback()

    def _close(self, _: None) -> Deferred[None]:
        self._leaving = True
        return self._screen.close().addCallback(lambda _: self._stop())

    def _stop(self) -> None:
        with suppress(ReactorNotRunning):
            self._reactor.stop()


def _classic(reactor: Any, options: Options, screen: TerminalScreen | PipeScreen) -> ClassicChat:
    return ClassicChat(
        screen,
        lambda handler: connect_classic(reactor, *options.address, handler, options.security),
        options.name,
        options.password,
    )


def _version_1(reactor: Any, options: Options, screen: TerminalScreen | PipeScreen) -> Chat:
    seen = Seen()
    output: Output = JsonLines(screen)
    # A script is told what it asked for, whenever it comes; receipts and typing come when they
    # like.
    features = frozenset({"presence"})
    if options.json or screen.interactive:
        features = FEATURES
    if not options.json:
        output = Showing(screen, seen, reactor, times=options.times or screen.interactive)
    host, port = options.address
    scheme = "chat" if options.security is None else "chats"
    address = f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    async def enter(name: str, password: str | None, register: bool, invite: str | None) -> Client:
        return await connect_version_1(
            address,
            name,
            password,
            register=register,
            invite=invite,
            features=features,
            security=options.security,
            reactor=reactor,
        )

    arrival = Arrival(screen, output, enter, options.name, options.password, options.invite)
    return Chat(screen, output, seen, arrival, reactor, address)


def main(arguments: Sequence[str]) -> int:
    """Run the client; the exit status."""
    options = Options()  # type: ignore[no-untyped-call]
    try:
        options.parseOptions(arguments)
    except usage.UsageError as error:
        print(error, file=sys.stderr)
        if str(error) != INVALID_SERVER:
            print("python -m chatd.client --help shows how it is used.", file=sys.stderr)
        return WRONG_USAGE
    from twisted.internet import reactor

    running: Any = reactor
    terminal = stdio.at_terminal() and not options.json
    with stdio.restored_blocking(), stdio.raw(PASTE_OFF) if terminal else nullcontext():
        process = Process(running, options, terminal)
        running.callWhenRunning(process.start)
        running.run()
    if process.traceback:
        print(process.traceback, file=sys.stderr)
    return process.status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
