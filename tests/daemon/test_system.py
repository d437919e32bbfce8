"""What the daemon takes from the machine and from the process."""

from __future__ import annotations

import resource
import signal
import socket
import sys
from typing import Any, cast

from twisted.trial.unittest import SynchronousTestCase

from chatd.daemon.system import System
from chatd.server.tls import Certificate


class SystemTests(SynchronousTestCase):
    """`System`, on this machine."""

    def setUp(self) -> None:
        self.system = System()

    def test_random_bytes_differ_each_time(self) -> None:
        """Their number is the one that was requested."""
        samples = {self.system.random_bytes(16) for _ in range(10)}
        self.assertEqual({len(sample) for sample in samples}, {16})
        self.assertEqual(len(samples), 10)

    def test_open_files_are_raised_to_the_hard_limit(self) -> None:
        """Each connection takes one."""
        limits: list[Any] = []
        self.patch(resource, "getrlimit", lambda _: (1024, 4096))
        self.patch(resource, "setrlimit", lambda *arguments: limits.append(arguments))
        self.assertEqual(self.system.raise_open_files(), 4096)
        self.assertEqual(limits, [(resource.RLIMIT_NOFILE, (4096, 4096))])
        self.patch(resource, "getrlimit", lambda _: (4096, 4096))
        self.assertEqual(self.system.raise_open_files(), 4096)
        self.assertEqual(len(limits), 1)
        self.patch(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY,) * 2)
        self.assertEqual(self.system.raise_open_files(), sys.maxsize)

    def test_open_files_are_counted(self) -> None:
        """Each socket is one."""
        before = self.system.count_open_files()
        with socket.socket(), socket.socket():
            self.assertEqual(self.system.count_open_files(), before + 2)

    def test_sighup_is_handled_only_with_a_certificate(self) -> None:
        """Without a certificate the signal ends the process, as usual."""
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        before = {number: signal.getsignal(number) for number in numbers}
        for number, handler in before.items():
            self.addCleanup(signal.signal, number, handler)
        self.system.handle_signals(object(), [])
        self.assertEqual(
            [signal.getsignal(number) is before[number] for number in numbers],
            [False, False, True],
        )
        self.system.handle_signals(object(), [cast(Certificate, object())])
        self.assertIsNot(signal.getsignal(signal.SIGHUP), before[signal.SIGHUP])

    def test_port_in_use_is_refused(self) -> None:
        """See `chatd.daemon.listeners.check_port`."""
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen(1)
            number = listening.getsockname()[1]
            self.assertRaises(SystemExit, self.system.check_port, "127.0.0.1", number)

    def test_password_hasher_verifies_its_own_hashes(self) -> None:
        """Two hashes of one password differ; each costs what RFC 9106 recommends."""
        hasher = self.system.password_hasher()
        first, second = hasher.hash("secret"), hasher.hash("secret")
        self.assertNotEqual(first, second)
        self.assertTrue(hasher.verify(first, "secret"))
        self.assertTrue(first.startswith("$argon2id$v=19$m=65536,t=3,p=4$"), first)
