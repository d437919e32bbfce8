"""A port for gRPC: its address, its certificate, and the reactor that it requires."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path
from typing import ClassVar, cast

from twisted.trial.unittest import SynchronousTestCase

from chatd.admin import selfsigned
from chatd.config.option_types import Listen
from chatd.daemon.grpc_listener import GrpcListener, use_asyncio
from chatd.protocols.grpc import server as grpc_server
from chatd.server.factory import ConnectionFactory
from chatd.server.tls import Certificate
from tests.doubles.folders import folder
from twisted import internet

FACTORY = cast(ConnectionFactory, object())


class FakeServer:
    """A gRPC server that binds no port; `bound` is its address and certificate."""

    bound: tuple[str, Certificate | None] | None = None
    fails = False
    events: ClassVar[list[str]] = []

    def __init__(
        self, factory: ConnectionFactory, thread_ids: dict[int, int] | None = None
    ) -> None:
        pass

    def bind(self, address: str, certificate: Certificate | None) -> int:
        """Record the arguments."""
        if self.fails:
            raise RuntimeError(f"cannot listen on {address}")
        FakeServer.bound = address, certificate
        return 50051

    async def start(self) -> None:
        """Record the begin and the end."""
        self.events.append("starting")
        await asyncio.sleep(0)
        if self.fails:
            raise RuntimeError("cannot accept")
        self.events.append("started")

    async def stop(self, grace: float) -> None:
        """Record the call."""
        self.events.append("stopped")


class AddressTests(SynchronousTestCase):
    """The address that gRPC binds, and the one that is shown."""

    def setUp(self) -> None:
        self.patch(grpc_server, "GrpcServer", FakeServer)

    def bound(self, endpoint: str) -> tuple[str, str]:
        """The bound and the shown address of an endpoint."""
        listener = GrpcListener(Listen("grpc", endpoint), FACTORY)
        self.assertEqual(listener.address, endpoint)
        listener.privilegedStartService()
        assert FakeServer.bound is not None
        return FakeServer.bound[0], listener.address

    def test_address_is_host_and_port(self) -> None:
        """Port 0 is replaced by the port that was bound; IPv6 addresses are in brackets."""
        for endpoint, bound, shown in (
            ("tcp:0:interface=127.0.0.1", "127.0.0.1:0", "127.0.0.1:50051"),
            (r"tcp:50051:interface=\:\:1", "[::1]:50051", "[::1]:50051"),
            ("tcp:50051", "[::]:50051", "[::]:50051"),
        ):
            self.assertEqual(self.bound(endpoint), (bound, shown))

    def test_unix_socket_is_shown_as_its_path(self) -> None:
        """It has no port."""
        path = os.path.join(folder(self), "chat")
        self.assertEqual(self.bound(f"unix:{path}"), (f"unix:{path}", path))

    def test_port_that_cannot_be_bound_is_refused(self) -> None:
        """The error is one sentence, which names the address."""
        self.patch(FakeServer, "fails", True)
        listener = GrpcListener(Listen("grpc", "tcp:1:interface=192.0.2.1"), FACTORY)
        ended = self.assertRaises(SystemExit, listener.privilegedStartService)
        self.assertEqual(ended.code, "chatd: cannot listen on 192.0.2.1:1 for gRPC")

    def test_port_is_local_if_only_this_machine_can_connect(self) -> None:
        """The banner contains a warning if it is not."""
        for endpoint, local in (("tcp:1:interface=127.0.0.1", True), ("tcp:1", False)):
            self.assertIs(GrpcListener(Listen("grpc", endpoint), FACTORY).local, local)

    def test_listener_that_has_not_started_finishes_at_once(self) -> None:
        """The daemon may stop before its ports are bound."""
        listener = GrpcListener(Listen("grpc", "tcp:1"), FACTORY)
        listener.accept()
        self.successResultOf(listener.accepting())
        self.successResultOf(listener.finish(3.5))

    def test_socket_of_a_running_daemon_is_not_replaced(self) -> None:
        """One that a killed daemon has left is."""
        path = os.path.join(folder(self), "socket")
        FakeServer.bound = None
        with socket.socket(socket.AF_UNIX) as running:
            running.bind(path)
            running.listen()
            listener = GrpcListener(Listen("grpc", f"unix:{path}"), FACTORY)
            ended = self.assertRaises(SystemExit, listener.privilegedStartService)
        self.assertEqual(ended.code, f"chatd: the socket {path} is in use by another daemon")
        self.assertIsNone(FakeServer.bound)
        self.assertEqual(self.bound(f"unix:{path}")[1], path)
        self.assertFalse(os.path.exists(path))

    def started(self) -> GrpcListener:
        """A listener that has begun to accept; in the event loop of asyncio."""
        FakeServer.events.clear()
        listener = GrpcListener(Listen("grpc", "tcp:0:interface=127.0.0.1"), FACTORY)
        listener.privilegedStartService()
        listener.accept()
        return listener

    def test_listener_that_is_still_starting_is_stopped_afterwards(self) -> None:
        """A signal may come between the two."""

        async def stop() -> None:
            listener = self.started()
            await listener.finish(3.5).asFuture(asyncio.get_running_loop())

        asyncio.run(stop())
        self.assertEqual(FakeServer.events, ["starting", "started", "stopped"])

    def test_listener_that_fails_to_start_says_so(self) -> None:
        """The daemon then ends."""

        async def start() -> None:
            listener = self.started()
            self.patch(FakeServer, "fails", True)
            with self.assertRaises(RuntimeError):
                await listener.accepting().asFuture(asyncio.get_running_loop())
            await listener.finish(3.5).asFuture(asyncio.get_running_loop())

        asyncio.run(start())
        self.assertEqual(FakeServer.events, ["starting", "stopped"])


class CertificateTests(SynchronousTestCase):
    """The certificate of an endpoint with TLS."""

    def setUp(self) -> None:
        self.folder = folder(self)
        certificate, key, _ = selfsigned.make(self.folder, ["chat.example.org"])
        self.certificate, self.key = str(certificate), str(key)
        self.default = Certificate(self.certificate, self.key)

    def listener(self, endpoint: str, default: Certificate | None) -> GrpcListener:
        """A port whose daemon has this certificate."""
        return GrpcListener(Listen("grpc", endpoint), FACTORY, default)

    def refused(self, endpoint: str) -> str:
        """The sentence that refuses an endpoint of a daemon without a certificate."""
        return str(self.assertRaises(SystemExit, self.listener, endpoint, None).code)

    def test_certificate_of_the_daemon_is_the_default(self) -> None:
        """An endpoint without TLS has none."""
        self.assertIs(self.listener("ssl:1", self.default).certificate, self.default)
        self.assertIsNone(self.listener("tcp:1", self.default).certificate)

    def test_endpoint_can_name_its_own_certificate(self) -> None:
        """The key may be in the same file; the paths are made absolute."""
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.folder)
        both = Path("both.pem")
        both.write_bytes(Path(self.certificate).read_bytes() + Path(self.key).read_bytes())
        for options in (
            f"certKey={self.certificate}:privateKey={self.key}",
            "certKey=both.pem",
        ):
            certificate = self.listener(f"ssl:1:{options}", self.default).certificate
            assert certificate is not None
            self.assertIsNot(certificate, self.default)
            self.assertTrue(os.path.isabs(certificate.certificate))

    def test_tls_without_a_certificate_is_refused(self) -> None:
        """The sentence names both ways to give one."""
        self.assertEqual(
            self.refused("ssl:1"),
            "chatd: grpc=ssl:1 requires a certificate: --tls-cert, or certKey=FILE",
        )

    def test_unusable_certificate_is_refused(self) -> None:
        """The sentence contains the reason."""
        path = os.path.join(self.folder, "none.pem")
        sentence = self.refused(f"ssl:1:certKey={path}")
        self.assertEqual(
            sentence, f"chatd: the TLS certificate {path} cannot be read: no such file or directory"
        )


class ReactorTests(SynchronousTestCase):
    """The reactor of a daemon with a gRPC port."""

    def test_another_reactor_is_refused(self) -> None:
        """The sentence names it, and the option of twistd that chose it."""

        class PollReactor:
            pass

        self.assertIn("twisted.internet.reactor", sys.modules)
        self.patch(internet, "reactor", PollReactor())
        ended = self.assertRaises(SystemExit, use_asyncio)
        self.assertEqual(
            ended.code,
            "chatd: gRPC requires the asyncio reactor, not the PollReactor: "
            "leave out --reactor, or use --reactor=asyncio",
        )
