"""Standard input and output: what they are, and their state afterwards."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import signal
import struct
import sys
import termios

from twisted.trial.unittest import SynchronousTestCase

from chatd.client.__main__ import main
from chatd.client.cli.terminal import stdio


class StdioTestCase(SynchronousTestCase):
    """File descriptors that stand for the three streams."""

    def streams(self, input: int, output: int, errors: int) -> None:
        """Use these file descriptors."""
        for name, descriptor in (("INPUT", input), ("OUTPUT", output), ("ERRORS", errors)):
            self.patch(stdio, name, descriptor)

    def use_terminal(self, term: str = "xterm") -> int:
        """Use a pseudo-terminal for all streams; returns the other end of it."""
        ours, terminal = pty.openpty()
        self.addCleanup(os.close, ours)
        self.addCleanup(os.close, terminal)
        self.streams(terminal, terminal, terminal)
        self.patch(os, "environ", {"TERM": term})
        return ours

    def use_pipe(self) -> int:
        """Use a pipe as output and error output; returns its other end."""
        read, write = os.pipe()
        self.addCleanup(os.close, read)
        self.addCleanup(os.close, write)
        self.streams(read, write, write)
        return read


class TerminalTests(StdioTestCase):
    """The streams are a terminal, or not."""

    def test_terminal_must_move_its_cursor(self) -> None:
        """A dumb terminal is used like a pipe."""
        self.use_terminal()
        self.assertTrue(stdio.at_terminal())
        self.patch(os, "environ", {"TERM": "dumb"})
        self.assertFalse(stdio.at_terminal())

    def test_input_and_output_must_both_be_a_terminal(self) -> None:
        """The output of a script may be a terminal, and its input a pipe."""
        self.use_terminal()
        terminal = stdio.INPUT
        self.use_pipe()
        self.assertFalse(stdio.at_terminal())
        self.patch(stdio, "INPUT", terminal)
        self.assertFalse(stdio.at_terminal())

    def test_size_is_that_of_the_terminal(self) -> None:
        """It has columns and lines."""
        self.use_terminal()
        fcntl.ioctl(stdio.OUTPUT, termios.TIOCSWINSZ, struct.pack("4H", 30, 100, 0, 0))
        self.assertEqual(stdio.size(), (100, 30))

    def test_unknown_size_is_80_by_24(self) -> None:
        """A terminal may report nothing; a pipe has no size."""
        self.use_terminal()
        fcntl.ioctl(stdio.OUTPUT, termios.TIOCSWINSZ, struct.pack("4H", 0, 0, 0, 0))
        self.assertEqual(stdio.size(), (80, 24))
        self.use_pipe()
        self.assertEqual(stdio.size(), (80, 24))

    def test_raw_mode_ends_however_the_client_ends(self) -> None:
        """The settings are restored, and the reset sequence is written."""
        ours = self.use_terminal()
        before = termios.tcgetattr(stdio.INPUT)

        def fail_in_raw_mode() -> None:
            with stdio.raw("\x1b[?2004l"):
                flags = termios.tcgetattr(stdio.INPUT)[3]
                self.assertFalse(flags & (termios.ECHO | termios.ICANON))
                raise KeyboardInterrupt

        self.assertRaises(KeyboardInterrupt, fail_in_raw_mode)
        self.assertEqual(termios.tcgetattr(stdio.INPUT), before)
        self.assertEqual(os.read(ours, 100), b"\x1b[?2004l")

    def test_raw_mode_ends_before_a_signal_ends_or_stops_the_client(self) -> None:
        """The status of the process tells the signal. Ignored signals stay ignored."""
        ours = self.use_terminal()
        before = termios.tcgetattr(stdio.INPUT)
        for number in (signal.SIGQUIT, signal.SIGABRT, signal.SIGUSR1, signal.SIGALRM):
            process = os.fork()
            if process == 0:
                with stdio.raw("\x1b[?2004l"):
                    os.kill(os.getpid(), number)
                    os._exit(0)
            self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), -number)
            self.assertEqual(termios.tcgetattr(stdio.INPUT), before, number)
            self.assertEqual(os.read(ours, 100), b"\x1b[?2004l")
        process = os.fork()
        if process == 0:
            with stdio.raw("\x1b[?2004l"):
                os.kill(os.getpid(), signal.SIGTSTP)
                os._exit(0)
        self.assertTrue(os.WIFSTOPPED(os.waitpid(process, os.WUNTRACED)[1]))
        self.assertEqual(termios.tcgetattr(stdio.INPUT), before)
        os.kill(process, signal.SIGCONT)
        self.assertEqual(os.waitpid(process, 0)[1], 0)
        earlier = signal.signal(signal.SIGUSR2, signal.SIG_IGN)
        self.addCleanup(signal.signal, signal.SIGUSR2, earlier)
        with stdio.raw(""):
            os.kill(os.getpid(), signal.SIGUSR2)
        self.assertEqual(signal.getsignal(signal.SIGQUIT), signal.SIG_DFL)


class StreamTests(StdioTestCase):
    """What other processes may share with the client."""

    def test_pipe_has_a_reader(self) -> None:
        """A file has none."""
        self.use_pipe()
        self.assertTrue(stdio.output_has_reader())
        null = os.open(os.devnull, os.O_WRONLY)
        self.addCleanup(os.close, null)
        self.patch(stdio, "OUTPUT", null)
        self.assertFalse(stdio.output_has_reader())

    def test_help_page_that_cannot_be_written(self) -> None:
        """The reason is printed, unless the reader of the output has closed it."""
        errors = io.StringIO()
        self.patch(sys, "stderr", errors)
        read, pipe = os.pipe()
        os.close(read)
        full = os.open("/dev/full", os.O_WRONLY)
        for output, status in ((pipe, 0), (full, 1)):
            self.patch(stdio, "OUTPUT", output)
            with open(output, "w") as stdout:
                self.patch(sys, "stdout", stdout)
                ended = self.assertRaises(SystemExit, main, ["--help"])
                self.assertEqual(ended.code, status)
        self.assertEqual(
            errors.getvalue(), "The output cannot be written: No space left on device.\n"
        )

    def test_closed_streams_are_opened(self) -> None:
        """Nothing is read from such an input, and errors are dropped."""
        self.use_pipe()
        self.assertTrue(stdio.open_closed_streams())
        closed = os.dup(0)
        os.close(closed)
        open_one = stdio.OUTPUT
        for name, mode in (("INPUT", os.O_RDONLY), ("ERRORS", os.O_WRONLY)):
            self.streams(open_one, open_one, open_one)
            self.patch(stdio, name, closed)
            self.patch(sys, "stderr", None)
            self.assertTrue(stdio.open_closed_streams())
            self.assertEqual(os.readlink(f"/proc/self/fd/{closed}"), os.devnull)
            self.assertEqual(fcntl.fcntl(closed, fcntl.F_GETFL) & os.O_ACCMODE, mode)
            stdio.write_error("no such account")
            os.close(closed)
        self.streams(open_one, closed, open_one)
        self.assertFalse(stdio.open_closed_streams())

    def test_blocking_mode_is_restored(self) -> None:
        """This holds for each stream, even after an error."""
        self.use_pipe()
        os.set_blocking(stdio.INPUT, False)

        def fail_with_changed_modes() -> None:
            with stdio.restored_blocking():
                os.set_blocking(stdio.INPUT, True)
                os.set_blocking(stdio.OUTPUT, False)
                raise KeyboardInterrupt

        self.assertRaises(KeyboardInterrupt, fail_with_changed_modes)
        self.assertFalse(os.get_blocking(stdio.INPUT))
        self.assertTrue(os.get_blocking(stdio.OUTPUT))

    def test_errors_go_to_an_output_that_is_the_same_file(self) -> None:
        """The order of lines shows there."""
        self.use_pipe()
        self.assertTrue(stdio.errors_go_to_output())
        other, end = os.pipe()
        self.addCleanup(os.close, other)
        self.addCleanup(os.close, end)
        self.patch(stdio, "ERRORS", end)
        self.assertFalse(stdio.errors_go_to_output())

    def test_error_is_one_line_of_the_error_output(self) -> None:
        """A closed error output is ignored."""
        errors = io.StringIO()
        self.patch(sys, "stderr", errors)
        stdio.write_error("no such account")
        self.assertEqual(errors.getvalue(), "no such account\n")

        class Closed(io.StringIO):
            def write(self, text: str) -> int:
                raise BrokenPipeError

        self.patch(sys, "stderr", Closed())
        stdio.write_error("no such account")


del StdioTestCase
