"""From options to a service, and the errors that an operator gets."""

from __future__ import annotations

import gc
import os
import runpy
import socket
import subprocess
import sys
from asyncio import CancelledError
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast
from unittest.mock import Mock

from twisted.application.service import IServiceMaker, MultiService
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs, formatEvent
from twisted.scripts import twistd
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from chatd.config.options import Options
from chatd.core.errors import StoreUnavailable
from chatd.daemon import service
from chatd.daemon.service import Daemon, makeService
from chatd.daemon.system import System
from chatd.realm.permissions import Policy
from chatd.stores.sqlite.store import SQLiteStore
from tests.doubles.folders import folder
from twisted import plugin, plugins


@implementer(IReactorFromThreads)
class QuietReactor(MemoryReactorClock):
    """A reactor that no thread calls."""

    def callFromThread(self, callable: Callable[..., Any], *args: object, **kwargs: object) -> None:
        """See `IReactorFromThreads`."""
        raise AssertionError("there are no threads yet")


@contextmanager
def busy_port() -> Iterator[int]:
    """A port of this machine on which a process listens."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(1)
        yield listening.getsockname()[1]


class MakeService(SynchronousTestCase):
    """`makeService` alone; no service is started."""

    def setUp(self) -> None:
        """A folder for whatever might be written, and a reactor that does nothing."""
        self.folder = folder(self)
        self.reactor = QuietReactor()

    def made(self, *words: str) -> MultiService:
        """The service for a command line; any free port unless it says otherwise."""
        options = Options({})
        options.parseOptions(["--port", "0", *words])
        return makeService(options, self.reactor)

    def refused(self, *words: str) -> str:
        """The sentence that refuses to make a service."""
        leaving = self.assertRaises(SystemExit, self.made, *words)
        sentence = leaving.code
        assert isinstance(sentence, str)
        self.assertTrue(sentence.startswith("chatd: "), sentence)
        self.assertNotIn("\n", sentence)
        return sentence

    def test_making_a_service_opens_nothing(self) -> None:
        """Files and ports are opened at the start."""
        for store in ("memory", "sqlite:" + os.path.join(self.folder, "chatd.db")):
            made = self.made("--store", store)
            self.assertIsInstance(made, Daemon)
            self.assertFalse(made.running)
        self.assertEqual(os.listdir(self.folder), [])
        self.assertEqual((self.reactor.tcpServers, self.reactor.getDelayedCalls()), ([], []))

    def test_the_parts_are_connected(self) -> None:
        """The port is part of the service, and the rate reaches the connections."""
        made = self.made("--store", "memory", "--rate", "7")
        assert isinstance(made, Daemon)
        self.assertEqual(list(made), [made.listener])
        self.assertEqual(made._factory.limits.rate, 7.0)
        self.assertIs(made._factory.realm, made._realm)

    def test_optional_parts_depend_on_the_options(self) -> None:
        """Without retention nothing is trimmed; a store in memory has no admin socket."""
        made = self.made("--store", "memory")
        assert isinstance(made, Daemon)
        self.assertEqual((made._trimming, made.admin), (None, None))
        path = os.path.join(self.folder, "socket")
        made = self.made("--store", "memory", "--retain", "9", "--admin", path)
        assert isinstance(made, Daemon) and made.admin is not None
        self.assertIsNotNone(made._trimming)
        self.assertEqual(made.admin.path, path)
        self.assertEqual(list(made), [made.listener, made.admin])
        self.assertEqual(os.listdir(self.folder), [])

    def test_an_unusable_admin_socket_is_refused(self) -> None:
        """It is refused before any file is made."""
        missing = os.path.join(self.folder, "none", "socket")
        self.assertIn("there is no folder", self.refused("--store", "memory", "--admin", missing))
        self.assertIn("too long", self.refused("--store", "memory", "--admin", "x" * 200))

    def test_the_policy_depends_on_options_and_host(self) -> None:
        """Who can create accounts, whether accounts can be open, and who can list them."""
        for words, policy in (
            ((), Policy("open", True, True)),
            (("--host", "0.0.0.0"), Policy("invite", False, False)),
            (("--host", "0.0.0.0", "--registration", "open"), Policy("open", False, False)),
            (("--host", "0.0.0.0", "--list-before-login"), Policy("invite", False, True)),
            (("--registration", "closed", "--forbid-open-accounts"), Policy("closed", False)),
            (("--no-list-before-login",), Policy("open", True, False)),
        ):
            made = self.made("--store", "memory", *words)
            assert isinstance(made, Daemon)
            self.assertEqual(made._realm.policy, policy)

    def test_relative_paths_are_made_absolute(self) -> None:
        """twistd may change the current folder before the start."""
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        os.chdir(self.folder)
        ports = ("--listen", "any=unix:chat", "--listen", "grpc=unix:grpc")
        made = self.made("--store", "sqlite:sub.db", *ports)
        os.chdir(before)
        assert isinstance(made, Daemon) and isinstance(made._store, SQLiteStore)
        self.assertEqual(
            os.path.realpath(made._store.path),
            os.path.realpath(os.path.join(self.folder, "sub.db")),
        )
        _, local, grpc = made.listeners
        for address, name in ((local.address, "chat"), (grpc.address, "grpc")):
            _, _, path = address.partition(":")
            self.assertEqual(
                os.path.realpath(path), os.path.realpath(os.path.join(self.folder, name))
            )

    def test_an_unusable_unix_socket_is_refused(self) -> None:
        """It is refused before any file is made; the sentence names the path."""
        file = os.path.join(self.folder, "file")
        with open(file, "x"):
            pass
        used = os.path.join(self.folder, "used")
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(used)
            listening.listen(1)
            for path, words in (
                (os.path.join(self.folder, "none", "chat"), "there is no folder"),
                (os.path.join(self.folder, "x" * 200), "too long"),
                (file, "there is a file with this name"),
                (used, "is in use by another daemon"),
            ):
                for name in ("any", "grpc"):
                    sentence = self.refused("--store", "memory", "--listen", f"{name}=unix:{path}")
                    self.assertIn(words, sentence)
                    self.assertIn(path, sentence)

    def test_a_port_in_use_is_refused(self) -> None:
        """The sentence names the port, and no file is made."""
        path = os.path.join(self.folder, "chatd.db")
        with busy_port() as port:
            sentence = self.refused("--port", str(port), "--store", "sqlite:" + path)
        self.assertEqual(
            sentence, f"chatd: cannot listen on 127.0.0.1:{port}: address already in use"
        )
        self.assertEqual(os.listdir(self.folder), [])

    def test_an_address_of_another_machine_is_refused(self) -> None:
        """The sentence names the address."""
        sentence = self.refused("--host", "192.0.2.1", "--store", "memory")
        self.assertTrue(sentence.startswith("chatd: cannot listen on 192.0.2.1:0: "), sentence)

    def test_an_unusable_store_is_refused(self) -> None:
        """A folder, a missing folder and a file of another program are left as they are."""
        other = os.path.join(self.folder, "letter.txt")
        with open(other, "w") as file:
            file.write("Dear Ann, " * 100)
        missing = os.path.join(self.folder, "no", "chatd.db")
        for path in (self.folder, missing, other):
            self.assertIn(
                path if path != missing else os.path.dirname(missing),
                self.refused("-s", "sqlite:" + path),
            )
        self.assertEqual(os.listdir(self.folder), ["letter.txt"])
        self.assertEqual(os.path.getsize(other), 1000)


class Stopping(SynchronousTestCase):
    """A daemon that stops."""

    def setUp(self) -> None:
        """A daemon that trims its logs, without threads, files and ports."""
        self.reactor = QuietReactor()
        options = Options({})
        options.parseOptions(["--port", "0", "--store", "memory", "--retain", "3"])
        self.daemon = cast("Daemon", makeService(options, self.reactor))
        self.daemon.running = 1

    def test_connections_that_do_not_close(self) -> None:
        """They are given up at the time limit, without an error."""
        stuck = Mock()
        self.daemon._factory.connections[stuck] = None
        stopped = self.daemon.stopService()
        self.reactor.pump([3.5, 0.5])
        self.assertTrue(stuck.transport.abortConnection.called)
        self.successResultOf(stopped)
        # A Deferred whose failure was not handled reports it when it is collected.
        del self.daemon, stopped
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_retention_ends_with_the_daemon(self) -> None:
        """It neither waits for its next round, nor asks the store that is closed."""
        self.successResultOf(Deferred.fromCoroutine(self.daemon._open()))
        self.assertNotEqual(self.reactor.getDelayedCalls(), [])
        self.successResultOf(self.daemon.stopService())
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        del self.daemon
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_log_does_not_promise_what_a_store_in_memory_cannot_keep(self) -> None:
        """Everything in it is lost with the daemon."""
        with capturedLogs() as events:
            self.successResultOf(self.daemon.stopService())
        last = formatEvent(events[-1])
        self.assertEqual(last, "Stopped; the store was in memory, and everything in it is lost")

    def test_a_start_that_is_not_complete(self) -> None:
        """A daemon that is stopped before it accepts connections does not accept them later."""
        for pending in ("count", "write"):
            self.setUp()
            answer: Deferred[int] = Deferred()
            self.patch(self.daemon._store, pending, lambda *_, answer=answer: answer)
            self.daemon._begin()
            opening, stop = self.daemon._opening, self.daemon._store.stop
            assert opening is not None
            self.assertNoResult(opening)

            def stop_store(
                opening: Deferred[None] = opening, stop: Callable[[], Any] = stop
            ) -> Any:
                self.assertTrue(opening.called, "it still uses the store")
                return stop()

            self.patch(self.daemon._store, "stop", stop_store)
            self.successResultOf(self.daemon.stopService())
            answer.callback(0)
            self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_a_start_whose_grpc_port_does_not_accept_yet(self) -> None:
        """It is stopped without an error, and the port afterwards."""
        port = Mock()
        port.accepting.return_value = Deferred(
            lambda accepting: accepting.errback(CancelledError())
        )
        port.finish.return_value = succeed(None)
        self.patch(Daemon, "_grpc", lambda _: [port])
        self.patch(System, "stop_failed", lambda *_: self.fail("it was stopped"))
        self.daemon._begin()
        self.assertTrue(port.accepting.called)
        self.successResultOf(self.daemon.stopService())
        self.assertTrue(port.finish.called)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_a_start_that_fails(self) -> None:
        """The process ends with a status that says so."""
        for error, logged in ((StoreUnavailable("the disk is full"), 0), (ValueError("x"), 1)):
            self.setUp()
            failed: list[Any] = []
            self.patch(
                System, "stop_failed", lambda _, reactor, failed=failed: failed.append(reactor)
            )
            self.patch(self.daemon._store, "count", lambda _, error=error: fail(error))
            self.daemon._begin()
            self.assertEqual(failed, [self.reactor])
            self.assertEqual(len(self.flushLoggedErrors(ValueError)), logged)
            self.successResultOf(self.daemon.stopService())


class Imports(SynchronousTestCase):
    """Modules that are loaded when the daemon has bound its ports."""

    def loaded(self, *words: str) -> set[str]:
        """The modules of gRPC, and those that use it, in a process that has bound its ports."""
        script = (
            "import sys\n"
            "from chatd.config.options import Options\n"
            "from chatd.daemon.service import makeService\n"
            "options = Options({})\n"
            f"options.parseOptions({['--port', '0', '--store', 'memory', *words]!r})\n"
            "makeService(options).privilegedStartService()\n"
            "print(*(name for name in sys.modules if name.startswith(("
            "'grpc', 'google.protobuf', 'chatd.codecs.chat_pb2', 'chatd.protocols.grpc'))))\n"
        )
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(
            [sys.executable, "-c", script],
            env=environment,
            cwd=folder(self),
            check=True,
            capture_output=True,
            text=True,
        )
        return set(done.stdout.split())

    def test_grpc_is_loaded_for_its_port_only(self) -> None:
        """A daemon without a gRPC port neither waits for gRPC's modules nor has their memory."""
        self.assertEqual(self.loaded(), set())
        loaded = self.loaded("--listen", "grpc=tcp:0")
        self.assertLessEqual({"grpc", "chatd.protocols.grpc.server"}, loaded)


class Command(SynchronousTestCase):
    """How twistd finds the command."""

    def test_twistd_lists_the_command(self) -> None:
        """It has a description."""
        makers: list[Any] = [
            maker for maker in plugin.getPlugins(IServiceMaker, plugins) if maker.tapname == "chatd"
        ]
        self.assertEqual([maker.module for maker in makers], ["chatd.daemon.service"])
        (maker,) = makers
        self.assertIs(maker.makeService, makeService)
        self.assertIs(maker.options, Options)
        self.assertTrue(maker.description)

    def test_python_m_chatd_is_twistd_n_chatd(self) -> None:
        """The options are the same."""
        ran: list[list[str]] = []
        self.patch(twistd, "run", lambda: ran.append(sys.argv))
        self.patch(sys, "argv", ["chatd/__main__.py", "--port", "1"])
        runpy.run_module("chatd", run_name="__main__")
        self.assertEqual(ran, [["twistd", "-n", "chatd", "--port", "1"]])

    def test_importing_main_runs_nothing(self) -> None:
        """Only `python -m` starts it; documentation tools and tests may import it."""
        self.patch(twistd, "run", self.fail)
        runpy.run_module("chatd.__main__", run_name="chatd.__main__")

    def test_the_module_has_what_twistd_needs(self) -> None:
        """`Options` and `makeService`."""
        self.assertEqual(set(service.__all__), {"Options", "makeService"})
