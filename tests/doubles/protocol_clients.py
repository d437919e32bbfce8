"""A user of each protocol, as a blocking client with the same methods."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Callable
from typing import Any

import grpc
from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import chat_pb2 as pb
from chatd.codecs import classic, v1
from chatd.codecs import v1_messages as c
from tests.doubles.daemon_process import PATIENCE, Daemon

ReceivedText = tuple[str, str]
"""(sender, text)"""


def open_socket(case: SynchronousTestCase, port: int) -> socket.socket:
    """A connection to this machine."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    case.addCleanup(connection.close)
    return connection


class ProtocolUser:
    """A user that logs in, sends and receives texts, logs out, and deletes its account."""

    protocol: str
    ascii = False
    """whether it receives other characters as question marks"""
    sends_ascii = False
    """whether it sends other characters as question marks"""
    mark = ""
    """what it receives before a text that is for this user only"""

    def __init__(self, case: SynchronousTestCase, daemon: Daemon, name: str) -> None:
        self.case = case
        self.daemon = daemon
        self.name = name
        self.log_in(new=True)

    def log_in(self, new: bool = False) -> None:
        """Connect and log in; register first if the account is new."""
        raise NotImplementedError

    def send_text(self, recipient: str, text: str) -> bool:
        """Send a text. Returns whether it was accepted."""
        raise NotImplementedError

    def receive_text(self) -> ReceivedText:
        """The next text."""
        raise NotImplementedError

    def fetch_texts(self, count: int) -> list[ReceivedText]:
        """So many texts that waited while the user was logged out."""
        return [self.receive_text() for _ in range(count)]

    def log_out(self) -> None:
        """Log out and disconnect."""
        raise NotImplementedError

    def delete_account(self) -> None:
        """Delete the account."""
        raise NotImplementedError

    def as_received(self, sender: ProtocolUser, text: str) -> str:
        """A text of `sender` as this user receives it."""
        received = (
            text.encode("ascii", "replace").decode() if self.ascii or sender.sends_ascii else text
        )
        return self.mark + received


class FramedUser(ProtocolUser):
    """A user of a protocol with frames."""

    def connect(self, decoder: Any) -> None:
        """Connect."""
        self.socket = open_socket(self.case, self.daemon.port)
        self._decoder = decoder
        self._received: list[Any] = []

    def receive(self, wanted: Callable[[Any], bool]) -> Any:
        """The next message that is wanted; others are kept for later."""
        while True:
            for at, message in enumerate(self._received):
                if wanted(message):
                    return self._received.pop(at)
            data = self.socket.recv(1 << 16)
            self.case.assertNotEqual(data, b"", f"{self.protocol}: closed")
            self._received += self._decoder.feed(data)

    def log_out(self) -> None:
        """Close the sending side, and wait until the daemon has closed the connection."""
        self.socket.shutdown(socket.SHUT_WR)
        while self.socket.recv(1 << 16):
            pass


class ClassicUser(FramedUser):
    """A user of the classic protocol."""

    protocol = "classic"
    ascii = sends_ascii = True

    def log_in(self, new: bool = False) -> None:
        """See `ProtocolUser`."""
        self.connect(classic.client_decoder(1 << 20))
        self.socket.sendall(classic.encode(classic.CREATE if new else classic.LOGIN, self.name))
        self.case.assertEqual(self.receive(lambda _: True), classic.Response())

    def send_text(self, recipient: str, text: str) -> bool:
        """See `ProtocolUser`."""
        self.socket.sendall(classic.encode_send(self.name, recipient, text))
        answer = self.receive(
            lambda message: (
                isinstance(message, classic.Response) or getattr(message, "sender", "") == self.name
            )
        )
        return isinstance(answer, classic.Send)

    def receive_text(self) -> ReceivedText:
        """See `ProtocolUser`."""
        message = self.receive(
            lambda message: isinstance(message, classic.Send) and message.sender != self.name
        )
        self.case.assertEqual(message.recipient, self.name)
        return message.sender, message.text

    def fetch_texts(self, count: int) -> list[ReceivedText]:
        """See `ProtocolUser`."""
        self.socket.sendall(classic.encode(classic.DELIVER))
        return super().fetch_texts(count)

    def delete_account(self) -> None:
        """See `ProtocolUser`."""
        self.socket.sendall(
            classic.encode(classic.DELETE) + classic.encode(classic.LIST, self.name)
        )
        self.case.assertEqual(self.receive(lambda _: True), classic.ListResponse(()))


class Version1User(FramedUser):
    """A user of version 1, who joins the lobby."""

    protocol = "version 1"

    def log_in(self, new: bool = False) -> None:
        """See `ProtocolUser`."""
        self.connect(v1.client_decoder(1 << 24))
        self._ref = 0
        if new:
            self.ask(c.Register(0, self.name))
        self.ask(c.LogIn(0, self.name))
        if new:
            self.ask(c.Join(0, "#lobby"))

    def ask(self, message: Any) -> Any:
        """A request and its answer."""
        self._ref += 1
        message.ref = self._ref
        self.socket.sendall(v1.encode(message))
        return self.receive(lambda message: getattr(message, "ref", 0) == self._ref)

    def send_text(self, recipient: str, text: str) -> bool:
        """See `ProtocolUser`."""
        return isinstance(self.ask(c.Send(0, recipient, text)), c.Accepted)

    def receive_text(self) -> ReceivedText:
        """See `ProtocolUser`."""
        message = self.receive(
            lambda message: (
                isinstance(message, c.Pushed)
                and message.kind == "text"
                and message.sender != self.name
            )
        )
        self.ask(c.Ack(0, message.log, message.seq, message.seq))
        return message.sender, message.body

    def delete_account(self) -> None:
        """See `ProtocolUser`."""
        self.ask(c.DeleteAccount(0))


class TextUser(ProtocolUser):
    """A user of a text protocol without frames: what is expected tells where a message ends."""

    ascii = True

    def connect(self) -> None:
        """Connect."""
        self.socket = open_socket(self.case, self.daemon.port)
        self._rest = ""

    def expect(self, text: str) -> None:
        """Receive exactly this text, in any number of pieces."""
        while len(self._rest) < len(text):
            data = self.socket.recv(1 << 16)
            self.case.assertNotEqual(data, b"", f"{self.protocol}: closed, not {text!r}")
            self._rest += data.decode()
        self.case.assertEqual(self._rest[: len(text)], text)
        self._rest = self._rest[len(text) :]

    def until(self, end: str) -> str:
        """Receive up to `end`, which is removed."""
        while end not in self._rest:
            data = self.socket.recv(1 << 16)
            self.case.assertNotEqual(data, b"", f"{self.protocol}: closed after {self._rest!r}")
            self._rest += data.decode()
        text, _, self._rest = self._rest.partition(end)
        return text

    def log_out(self) -> None:
        """Close the sending side, and wait until the daemon has closed the connection."""
        self.socket.shutdown(socket.SHUT_WR)
        while self.socket.recv(1 << 16):
            pass


class OpsUser(TextUser):
    """A user of the ops protocol. Texts must end with a full stop: nothing else ends them."""

    protocol = "ops"

    def log_in(self, new: bool = False) -> None:
        """See `ProtocolUser`."""
        self.connect()
        self.socket.sendall((f"1|{self.name}" if new else f"0|{self.name}123").encode())
        self.until("in the documentation \n")
        self.until("\n")

    def send_text(self, recipient: str, text: str) -> bool:
        """See `ProtocolUser`."""
        self.socket.sendall(f"3|{recipient}|{text}".encode())
        return "doesn't exist" not in self.until("\n")

    def receive_text(self) -> ReceivedText:
        """See `ProtocolUser`."""
        sender, _, text = self.until(".").partition(": ")
        return sender, text + "."

    def fetch_texts(self, count: int) -> list[ReceivedText]:
        """See `ProtocolUser`."""
        self.socket.sendall(f"4|{self.name}123".encode())
        self.expect(f"undelivered message for user ID {self.name}123: \n")
        texts = []
        for _ in range(count):
            sender, _, text = self.until("\n\n").partition(" sends: ")
            texts.append((sender, text))
        return texts

    def delete_account(self) -> None:
        """See `ProtocolUser`."""
        self.socket.sendall(f"5|{self.name}123".encode())
        self.expect("Your account has been deleted\n")


class Chat10User(TextUser):
    """A user of CHAT/1.0 in lines, who can send to the lobby only."""

    protocol = "CHAT/1.0"
    mark = "(private) "

    def log_in(self, new: bool = False) -> None:
        """See `ProtocolUser`."""
        self.connect()
        self.socket.sendall(f"REGISTER {self.name} CHAT/1.0\n".encode())
        self.expect("200 Registration successful\n")

    def send_text(self, recipient: str, text: str) -> bool:
        """See `ProtocolUser`; only to `#lobby`."""
        self.case.assertEqual(recipient, "#lobby")
        self.socket.sendall(f"@{self.name}: {text}\n".encode())
        return True

    def receive_text(self) -> ReceivedText:
        """See `ProtocolUser`."""
        sender, _, text = self.until("\n").removeprefix("@").partition(": ")
        return sender, text

    def delete_account(self) -> None:
        """See `ProtocolUser`. CHAT/1.0 has no command for it, so it is done by ops."""
        self.log_out()
        other = open_socket(self.case, self.daemon.port)
        other.sendall(f"5|{self.name}123\n".encode())
        answer = ""
        while "deleted" not in answer:
            answer += other.recv(1 << 16).decode()


class GrpcUser(ProtocolUser):
    """A user of gRPC with a channel of its own."""

    protocol = "gRPC"

    def __init__(self, case: SynchronousTestCase, daemon: Daemon, name: str, address: str) -> None:
        self.channel = grpc.insecure_channel(address)
        self._received: set[int] = set()
        case.addCleanup(self.channel.close)
        super().__init__(case, daemon, name)

    def call(self, method: str, **fields: Any) -> None:
        """A unary call."""
        service = pb.DESCRIPTOR.services_by_name["ChatService"]
        kind = service.methods_by_name[method].input_type.name
        request = getattr(pb, kind)(**fields)
        self.channel.unary_unary(f"/ChatService/{method}")(
            request.SerializeToString(), timeout=PATIENCE
        )

    def log_in(self, new: bool = False) -> None:
        """See `ProtocolUser`."""
        self._messages: queue.Queue[pb.ChatMessage | None] = queue.Queue()
        self.call("CreateAccount" if new else "LogIn", client_id=self.name)
        request = pb.ChatClient(recipient_id=self.name).SerializeToString()
        stream = self.channel.unary_stream("/ChatService/ReceiveMessages")(request)
        self._reading = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._reading.start()

    def _read(self, stream: Any) -> None:
        try:
            for data in stream:
                self._messages.put(pb.ChatMessage.FromString(data))
        except grpc.RpcError:
            pass
        self._messages.put(None)

    def receive(self, from_server: bool) -> pb.ChatMessage:
        """The next message, either of the server or of a user. A message of a user that comes again
        is dropped."""
        while True:
            message = self._messages.get(timeout=PATIENCE)
            assert message is not None, "the stream has ended"
            if message.id not in self._received and (message.sender_id == "Server") == from_server:
                if not from_server:
                    self._received.add(message.id)
                return message

    def send_text(self, recipient: str, text: str) -> bool:
        """See `ProtocolUser`."""
        self.call(
            "SendMessage", thread_id=1, message=text, sender_id=self.name, recipient_id=recipient
        )
        while True:
            notice = self.receive(True).message
            if notice in ("Your message has been sent!", "Recipient is not found!"):
                return bool(notice == "Your message has been sent!")

    def receive_text(self) -> ReceivedText:
        """See `ProtocolUser`."""
        message = self.receive(False)
        self.case.assertEqual((message.recipient_id, message.thread_id), (self.name, 1))
        return message.sender_id, message.message

    def log_out(self) -> None:
        """See `ProtocolUser`."""
        self.call("LogOut", client_id=self.name)
        self._reading.join(PATIENCE)

    def delete_account(self) -> None:
        """See `ProtocolUser`."""
        self.call("DeleteAccount", client_id=self.name)
        self._reading.join(PATIENCE)
