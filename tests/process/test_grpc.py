"""The gRPC service of a daemon process, and gRPC's own client."""

from __future__ import annotations

import socket
import threading
from base64 import b64encode
from contextlib import ExitStack
from typing import Any

import grpc
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import chat_pb2 as pb
from tests.doubles.daemon_process import PATIENCE, Daemon
from tests.doubles.folders import folder
from tests.doubles.http2 import grpc_request
from tests.doubles.startup import Start


class Service(SynchronousTestCase):
    """A daemon with a port for gRPC, and a channel to it."""

    def setUp(self) -> None:
        self.store = f"sqlite:{folder(self)}/chatd.db"
        self.start()

    def start(self) -> None:
        """Start a daemon on the store, and open a channel to it."""
        self.daemon = Daemon(self, self.store, more=("--listen", "grpc=tcp:0"))
        self.address = self.daemon.address_of("gRPC")
        self.channel = grpc.insecure_channel(self.address)
        self.addCleanup(self.channel.close)

    def call(self, method: str, *metadata: tuple[str, str], **fields: Any) -> None:
        """Make a unary call."""
        kind = pb.DESCRIPTOR.services_by_name["ChatService"].methods_by_name[method].input_type.name
        request = getattr(pb, kind)(**fields).SerializeToString()
        answer = self.channel.unary_unary(f"/ChatService/{method}")(
            request, timeout=PATIENCE, metadata=metadata
        )
        self.assertEqual(answer, b"")

    def status(self, method: str, *metadata: tuple[str, str], **fields: Any) -> grpc.StatusCode:
        """The status with which a call fails."""
        error = self.assertRaises(grpc.RpcError, self.call, method, *metadata, **fields)
        return error.code()

    def stream(self, name: str, *metadata: tuple[str, str]) -> Any:
        """Open a stream; its messages are bytes."""
        request = pb.ChatClient(recipient_id=name).SerializeToString()
        call = self.channel.unary_stream("/ChatService/ReceiveMessages")(
            request, timeout=PATIENCE, metadata=metadata
        )
        self.addCleanup(call.cancel)
        return call

    def receive(self, stream: Any) -> str:
        """The next text."""
        return str(pb.ChatMessage.FromString(next(stream)).message)

    def read_to_end(self, stream: Any) -> list[str]:
        """All texts up to the end, whose status must be OK."""
        texts = [pb.ChatMessage.FromString(data).message for data in stream]
        self.assertEqual(stream.code(), grpc.StatusCode.OK)
        return texts

    def test_conversations_of_the_old_server(self) -> None:
        """One client reads on a thread and calls on another."""
        self.call("CreateAccount", client_id="wayne")
        heard: list[str] = []
        stream = self.stream("wayne")
        reader = threading.Thread(target=lambda: heard.extend(self.read_to_end(stream)))
        reader.start()
        self.call("WildCard", client_id="wayne", pattern="w.yne")
        self.call("LogOut", client_id="wayne")
        reader.join(PATIENCE)
        self.assertEqual(
            heard,
            [
                "Account wayne has been created!",
                "Account matched: wayne",
                "You have been successfully logged out!",
            ],
        )
        self.call("CreateAccount", client_id="mason")
        self.call("WildCard", client_id="mason", pattern=".+?")
        self.call("SendMessage", thread_id=1, message="hi", sender_id="mason", recipient_id="wayne")
        self.call("DeleteAccount", client_id="mason")
        self.assertEqual(
            self.read_to_end(self.stream("mason")),
            [
                "Account mason has been created!",
                "Account matched: wayne,mason",
                "Your message has been sent!",
                "Your account has been deleted!",
            ],
        )
        self.call("LogIn", client_id="wayne")
        stream = self.stream("wayne")
        self.assertEqual(
            [self.receive(stream), self.receive(stream)],
            ["hi", "You have been successfully logged in!"],
        )

    def test_status_of_every_error(self) -> None:
        """No other status is used."""
        code = grpc.StatusCode
        self.call("CreateAccount", client_id="mason")
        basic = ("authorization", "Basic " + b64encode(b"eve:secret").decode())
        self.call("CreateAccount", basic, client_id="eve")
        for status, method, fields in (
            (code.NOT_FOUND, "LogIn", {"client_id": "x"}),
            (code.NOT_FOUND, "LogOut", {"client_id": "x"}),
            (code.NOT_FOUND, "DeleteAccount", {"client_id": "x"}),
            (code.NOT_FOUND, "SendMessage", {"sender_id": "x", "recipient_id": "mason"}),
            (code.ALREADY_EXISTS, "CreateAccount", {"client_id": "mason"}),
            (code.INVALID_ARGUMENT, "CreateAccount", {"client_id": "a b"}),
            (code.INVALID_ARGUMENT, "CreateAccount", {"client_id": "Server"}),
            (code.UNAUTHENTICATED, "LogIn", {"client_id": "eve"}),
            (code.UNAUTHENTICATED, "SendMessage", {"sender_id": "eve", "recipient_id": "mason"}),
        ):
            self.assertEqual(self.status(method, **fields), status, (method, fields))
        self.assertEqual(
            self.status("LogIn", ("authorization", "Basic !"), client_id="eve"),
            code.UNAUTHENTICATED,
        )
        self.call("LogIn", basic, client_id="eve")
        stream = self.stream("eve")
        self.assertRaises(grpc.RpcError, next, stream)
        self.assertEqual(stream.code(), code.UNAUTHENTICATED)
        self.assertEqual(self.receive(self.stream("eve", basic)), "Account eve has been created!")
        self.call("LogOut", basic, client_id="eve")
        wrong = ("authorization", "Basic " + b64encode(b"eve:guess").decode())
        for metadata in ((), (wrong,)):
            stream = self.stream("eve", *metadata)
            self.assertRaises(grpc.RpcError, next, stream)
            self.assertEqual(stream.code(), code.UNAUTHENTICATED)
        self.assertEqual(self.read_to_end(self.stream("nobody")), [])
        self.assertEqual(
            self.status(
                "SendMessage", message="x" * 80_000, sender_id="mason", recipient_id="mason"
            ),
            code.RESOURCE_EXHAUSTED,
        )
        self.call("WildCard", client_id="mason", pattern="(a+)+$")
        self.call("SendMessage", sender_id="mason", recipient_id="nobody", message="x")

    def test_message_after_a_cancelled_stream_waits_for_the_next(self) -> None:
        """Nothing is lost."""
        self.call("CreateAccount", client_id="mason")
        self.call("CreateAccount", client_id="wayne")
        for number in range(20):
            stream = self.stream("wayne")
            if not number:
                self.assertEqual(self.receive(stream), "Account wayne has been created!")
            stream.cancel()
            self.call("SendMessage", message=str(number), sender_id="mason", recipient_id="wayne")
        stream = self.stream("wayne")
        found: list[str] = []
        while "19" not in found:
            message = pb.ChatMessage.FromString(next(stream))
            if message.sender_id == "mason":
                found.append(message.message)
        self.assertEqual(list(dict.fromkeys(found)), [str(number) for number in range(20)])

    def test_accepted_messages_survive_a_kill(self) -> None:
        """The next daemon delivers them."""
        for name in ("mason", "wayne"):
            self.call("CreateAccount", client_id=name)
        for number in range(10):
            self.call("SendMessage", message=str(number), sender_id="mason", recipient_id="wayne")
        self.daemon.kill()
        self.start()
        self.call("LogIn", client_id="wayne")
        stream = self.stream("wayne")
        self.assertEqual(
            [self.receive(stream) for _ in range(10)], [str(number) for number in range(10)]
        )
        self.assertEqual(self.receive(stream), "You have been successfully logged in!")

    def test_path_that_is_not_utf_8_does_not_end_the_port(self) -> None:
        """A stream that is open gets what is sent within a second afterwards; a client that
        repeats it does nothing any more."""
        self.call("CreateAccount", client_id="mason")
        stream = self.stream("mason")
        self.receive(stream)
        host, _, port = self.address.rpartition(":")
        with socket.create_connection((host, int(port))) as client:
            client.sendall(grpc_request(b"/\xa0hatService/LogIn"))
            self.daemon.wait_for("A request has ended the gRPC server")
            self.daemon.wait_for("gRPC is listening on .* again")
        self.call("SendMessage", sender_id="mason", recipient_id="mason", message="hi")
        self.assertEqual(self.receive(stream), "hi")
        # The next ones do not end it.
        with ExitStack() as stack:
            for _ in range(5):
                client = stack.enter_context(socket.create_connection((host, int(port))))
                client.sendall(grpc_request(b"/\xa0hatService/LogIn"))
            health = health_pb2_grpc.HealthStub(self.channel)
            request = health_pb2.HealthCheckRequest(service="ChatService")
            status = health.Check(request, timeout=PATIENCE).status
            self.assertEqual(status, health_pb2.HealthCheckResponse.SERVING)
            self.call("SendMessage", sender_id="mason", recipient_id="mason", message="hello")
            self.assertEqual(self.receive(stream), "Your message has been sent!")
            self.assertEqual(self.receive(stream), "hello")
        self.daemon.stop()
        self.assertEqual(self.daemon.output.count("A request has ended the gRPC server"), 1)

    def test_stop_ends_streams_without_an_error(self) -> None:
        """The daemon ends with status 0."""
        self.call("CreateAccount", client_id="mason")
        stream = self.stream("mason")
        self.receive(stream)
        heard: list[list[str]] = []
        reader = threading.Thread(target=lambda: heard.append(self.read_to_end(stream)))
        reader.start()
        self.assertEqual(self.daemon.stop(), 0)
        reader.join(PATIENCE)
        self.assertEqual(heard, [[]])
        self.assertNotIn("Traceback", self.daemon.output)

    def test_health_and_reflection_services(self) -> None:
        """As gRPC's tools use them."""
        health = health_pb2_grpc.HealthStub(self.channel)
        for service in ("", "ChatService"):
            answer = health.Check(health_pb2.HealthCheckRequest(service=service), timeout=PATIENCE)
            self.assertEqual(answer.status, health_pb2.HealthCheckResponse.SERVING)
        reflection = reflection_pb2_grpc.ServerReflectionStub(self.channel)
        requests = (
            reflection_pb2.ServerReflectionRequest(list_services=""),
            reflection_pb2.ServerReflectionRequest(file_containing_symbol="ChatService"),
        )
        names, file = reflection.ServerReflectionInfo(iter(requests), timeout=PATIENCE)
        self.assertIn("ChatService", [each.name for each in names.list_services_response.service])
        found = descriptor_pb2.FileDescriptorProto.FromString(
            file.file_descriptor_response.file_descriptor_proto[0]
        )
        self.assertEqual(found.service[0].name, "ChatService")


class Starting(Start):
    """Starting a daemon with gRPC."""

    def test_other_reactors_are_refused(self) -> None:
        """The daemon does not start, and one sentence names the reason."""
        for name in ("epoll", "poll", "select"):
            ended = self.run_to_end_with(
                ("--reactor", name), "--store", "memory", "--listen", "grpc=tcp:0"
            )
            self.assertNotEqual(ended.returncode, 0)
            self.assertEqual(len(ended.stderr.splitlines()), 1, ended.stderr)
            self.assertIn("gRPC requires the asyncio reactor", ended.stderr)

    def test_asyncio_reactor_can_be_chosen(self) -> None:
        """By the operator."""
        command = ("--reactor=asyncio", "-n", "--pidfile=", "chatd", "--port=0", "--store=memory")
        daemon = self.daemon_with(*command, "--listen", "grpc=tcp:0")
        self.assertTrue(daemon.address_of("gRPC").startswith("127.0.0.1:"))
        self.assertEqual(daemon.stop(), 0)
        self.assertIn("AsyncioSelectorReactor", daemon.output)

    def test_grpc_is_not_imported_without_a_grpc_port(self) -> None:
        """The daemon starts without it."""
        daemon = self.daemon_with("-n", "--pidfile=", "chatd", "--port=0", "--store=memory")
        self.assertEqual(daemon.stop(), 0)
        self.assertNotIn("AsyncioSelectorReactor", daemon.output)
        self.assertNotIn("Also listening", daemon.output)

    def test_a_port_that_is_taken_when_it_is_bound(self) -> None:
        """The daemon ends with a sentence and a status, although the check before had passed."""
        port = self.free_port()
        ended = self.run_to_end(
            *("--port=0", "--store=memory"),
            *("--listen", f"classic=tcp:{port}", "--listen", f"grpc=tcp:{port}"),
        )
        self.assertNotEqual(ended.returncode, 0)
        self.assertIn(f"chatd: cannot listen on 127.0.0.1:{port} for gRPC\n", ended.stdout)

    def test_port_in_use_is_an_error(self) -> None:
        """The daemon does not start."""
        daemon = self.daemon_with(
            *("-n", "--pidfile=", "chatd", "--port=0", "--store=memory", "--listen", "grpc=tcp:0")
        )
        taken = daemon.address_of("gRPC").rpartition(":")[2]
        ended = self.run_to_end("--port=0", "--store=memory", "--listen", f"grpc=tcp:{taken}")
        self.assertNotEqual(ended.returncode, 0)
        self.assertIn(f"cannot listen on 127.0.0.1:{taken}", ended.stderr + ended.stdout)
