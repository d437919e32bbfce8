"""``python -m chatd.client``: assemble the client, run it, and handle signals."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ReactorNotRunning
from twisted.internet.stdio import StandardIO
from twisted.python import usage
from twisted.python.failure import Failure

from chatd.client.classic.chat import ClassicChat
from chatd.client.classic.connection import connect as connect_classic
from chatd.client.cli.chat import Chat
from chatd.client.cli.dialogue import Dialogue
from chatd.client.cli.exit_status import FAILED, INTERRUPT, SUCCESS, WRONG_USAGE
from chatd.client.cli.login import Login
from chatd.client.cli.message_cache import MessageCache
from chatd.client.cli.options import INVALID_SERVER, Options
from chatd.client.cli.output.jsonlines import JsonLines
from chatd.client.cli.output.output import Output
from chatd.client.cli.output.plain import PlainOutput
from chatd.client.cli.output.style import colours_wanted
from chatd.client.cli.pipe import PipeScreen
from chatd.client.cli.terminal import stdio
from chatd.client.cli.terminal.screen import PASTE_OFF, Terminal, TerminalScreen
from chatd.client.library.client import Client
from chatd.client.library.connect import connect as connect_version_1
from chatd.codecs.v1_messages import FEATURES
from chatd.core.clocks import now, use_monotonic_clock


class Process:
    """Runs a dialogue on a screen until the process ends."""

    def __init__(self, reactor: Any, options: Options, terminal: bool) -> None:
        self.status = FAILED
        """the exit status"""
        self.traceback = ""
        """the traceback if the dialogue failed because of a bug, else empty"""
        self._reactor = reactor
        self._ending = False
        self._screen: TerminalScreen | PipeScreen
        if terminal:
            colours = colours_wanted(os.environ)
            screen = self._screen = TerminalScreen(
                stdio.size, lambda: self.interrupt(SUCCESS), colours
            )
            StandardIO(Terminal(lambda: screen), reactor=reactor)  # type: ignore[no-untyped-call]
        else:
            write_error = None if stdio.errors_go_to_output() else stdio.write_error
            # That the reader of a pipe has closed it is no error of the client.
            sentence = "" if stdio.output_has_reader() else "The output cannot be written."
            self._screen = PipeScreen(write_error, lambda: self.interrupt(FAILED, sentence))
            StandardIO(self._screen, reactor=reactor)
        self._dialogue: Dialogue = (
            _classic(reactor, options, self._screen)
            if options.classic
            else _version_1(reactor, options, self._screen)
        )

    def start(self) -> None:
        """Start the dialogue; the reactor stops when it ends."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) != signal.SIG_IGN:
                self._on_signal(number, self.interrupt, 128 + number)
        if isinstance(self._screen, TerminalScreen):
            self._on_signal(signal.SIGWINCH, self._screen.resized)
            self._on_signal(signal.SIGCONT, self._continued, self._screen)
        self._dialogue.start().addCallbacks(self._ended, self._failed).addCallback(self._close)

    def interrupt(self, status: int, sentence: str = INTERRUPT) -> None:
        """End with this exit status; the second call ends without waiting for anything."""
        if self._ending:
            self._stop()
        else:
            self._ending = True
            self._dialogue.interrupt(status, sentence)

    def _on_signal(
        self, number: signal.Signals, call: Callable[..., None], *arguments: object
    ) -> None:
        signal.signal(number, lambda *_: self._reactor.callFromThread(call, *arguments))

    def _continued(self, screen: TerminalScreen) -> None:
        stdio.set_raw()
        screen.continued()

    def _ended(self, status: int) -> None:
        self.status = status

    def _failed(self, failure: Failure) -> None:
        self.traceback = failure.getTraceback()

    def _close(self, _: None) -> Deferred[None]:
        self._ending = True
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
        options.invite,
    )


def _version_1(reactor: Any, options: Options, screen: TerminalScreen | PipeScreen) -> Chat:
    cache = MessageCache()
    output: Output = JsonLines(screen)
    # A script gets only the events it has asked for: receipts and typing come at any time.
    features = frozenset({"presence", "tokens"})
    if options.json or screen.interactive:
        features = FEATURES
    if not options.json:
        times = options.times or screen.interactive
        output = PlainOutput(screen, cache, reactor, now, times=times)
    host, port = options.address
    scheme = "chat" if options.security is None else "chats"
    address = f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    async def connect(
        name: str, password: str | None, register: bool, invite: str | None
    ) -> Client:
        return await connect_version_1(
            address,
            name,
            password,
            register=register,
            invite=invite,
            features=features,
            security=options.security,
            access_token=options.token,
            reactor=reactor,
        )

    login = Login(
        screen,
        output,
        connect,
        options.name,
        options.password,
        options.invite,
        token=options.token is not None,
    )
    secrets = {options.token} - {None}
    return Chat(screen, output, cache, login, reactor, address, options.new_password, secrets)


def main(arguments: Sequence[str]) -> int:
    """Run the client and return its exit status."""
    if not stdio.open_closed_streams():
        print("The standard output is closed.", file=sys.stderr)
        return WRONG_USAGE
    options = Options()  # type: ignore[no-untyped-call]
    try:
        with stdio.printing():
            options.parseOptions(arguments)
    except usage.UsageError as error:
        print(error, file=sys.stderr)
        if str(error) != INVALID_SERVER:
            print("For help: python -m chatd.client --help", file=sys.stderr)
        return WRONG_USAGE
    from twisted.internet import reactor

    the_reactor: Any = reactor
    use_monotonic_clock(the_reactor)
    terminal = stdio.at_terminal() and not options.json
    with stdio.restored_blocking(), stdio.raw(PASTE_OFF) if terminal else nullcontext():
        process = Process(the_reactor, options, terminal)
        the_reactor.callWhenRunning(process.start)
        the_reactor.run()
    if process.traceback:
        print(process.traceback, file=sys.stderr)
    return process.status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
