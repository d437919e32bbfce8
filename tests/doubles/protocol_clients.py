"""Somebody in each of the protocols, as plain blocking clients, to talk with each other."""

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

Heard = tuple[str, str]
"""(sender, text)"""


def open_socket(case: SynchronousTestCase, port: int) -> socket.socket:
    """A connection to this machine."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    case.addCleanup(connection.close)
    return connection


class Speaker:
    """Somebody: comes, speaks to others, hears what they say, leaves, comes again, is deleted."""

    protocol: str
    ascii = False
    """whether other characters come here as question marks"""
    sends_ascii = False
    """whether they go out as such"""
    mark = ""
    """what stands before a text for this one alone"""

    def __init__(self, case: SynchronousTestCase, daemon: Daemon, name: str) -> None:
        self.case = case
        self.daemon = daemon
        self.name = name
        self.come(new=True)

    def come(self, new: bool = False) -> None:
        """Be there, for the first time or again."""
        raise NotImplementedError

    def say(self, recipient: str, text: str) -> bool:
        """Whether it was taken."""
        raise NotImplementedError

    def hear(self) -> Heard:
        """The next that somebody says."""
        raise NotImplementedError

    def waiting(self, count: int) -> list[Heard]:
        """What has waited, when so much is expected, after `come`."""
        return [self.hear() for _ in range(count)]

    def leave(self) -> None:
        """Be there no more."""
        raise NotImplementedError

    def delete(self) -> None:
        """Be gone."""
        raise NotImplementedError

    def shown(self, sender: Speaker, text: str) -> str:
        """A text of somebody's as it is heard here."""
        shown = (
            text.encode("ascii", "replace").decode() if self.ascii or sender.sends_ascii else text
        )
        return self.mark + shown


class Framed(Speaker):
    """With a decoder for what comes."""

    def connect(self, decoder: Any) -> None:
        """Anew."""
        self.socket = open_socket(self.case, self.daemon.port)
        self._decoder = decoder
        self._come: list[Any] = []

    def next(self, wanted: Callable[[Any], bool]) -> Any:
        """The next that is wanted; the rest is kept."""
        while True:
            for at, message in enumerate(self._come):
                if wanted(message):
                    return self._come.pop(at)
            data = self.socket.recv(1 << 16)
            self.case.assertNotEqual(data, b"", f"{self.protocol}: closed")
            self._come += self._decoder.feed(data)

    def leave(self) -> None:
        """Close; gone when the daemon has closed as well."""
        self.socket.shutdown(socket.SHUT_WR)
        while self.socket.recv(1 << 16):
            pass


class Classic(Framed):
    """The binary protocol."""

    protocol = "classic"
    ascii = sends_ascii = True

    def come(self, new: bool = False) -> None:
        """See `Speaker`."""
        self.connect(classic.client_decoder(1 << 20))
        self.socket.sendall(classic.encode(classic.CREATE if new else classic.LOGIN, self.name))
        self.case.assertEqual(self.next(lambda _: True), classic.Response())

    def say(self, recipient: str, text: str) -> bool:
        """See `Speaker`."""
        self.socket.sendall(classic.encode_send(self.name, recipient, text))
        answer = self.next(
            lambda each: (
                isinstance(each, classic.Response) or getattr(each, "sender", "") == self.name
            )
        )
        return isinstance(answer, classic.Send)

    def hear(self) -> Heard:
        """See `Speaker`."""
        found = self.next(lambda each: isinstance(each, classic.Send) and each.sender != self.name)
        self.case.assertEqual(found.recipient, self.name)
        return found.sender, found.text

    def waiting(self, count: int) -> list[Heard]:
        """See `Speaker`."""
        self.socket.sendall(classic.encode(classic.DELIVER))
        return super().waiting(count)

    def delete(self) -> None:
        """See `Speaker`."""
        self.socket.sendall(
            classic.encode(classic.DELETE) + classic.encode(classic.LIST, self.name)
        )
        self.case.assertEqual(self.next(lambda _: True), classic.ListResponse(()))


class Version1(Framed):
    """Version 1, which is in the lobby as well."""

    protocol = "version 1"

    def come(self, new: bool = False) -> None:
        """See `Speaker`."""
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
        return self.next(lambda each: getattr(each, "ref", 0) == self._ref)

    def say(self, recipient: str, text: str) -> bool:
        """See `Speaker`."""
        return isinstance(self.ask(c.Send(0, recipient, text)), c.Accepted)

    def hear(self) -> Heard:
        """See `Speaker`."""
        found = self.next(
            lambda each: (
                isinstance(each, c.Pushed) and each.kind == "text" and each.sender != self.name
            )
        )
        self.ask(c.Ack(0, found.log, found.seq, found.seq))
        return found.sender, found.body

    def delete(self) -> None:
        """See `Speaker`."""
        self.ask(c.DeleteAccount(0))


class Text(Speaker):
    """A protocol that is text, cut into messages by what is expected."""

    ascii = True

    def connect(self) -> None:
        """Anew."""
        self.socket = open_socket(self.case, self.daemon.port)
        self._rest = ""

    def expect(self, text: str) -> None:
        """Exactly this comes next, in whatever pieces."""
        while len(self._rest) < len(text):
            data = self.socket.recv(1 << 16)
            self.case.assertNotEqual(data, b"", f"{self.protocol}: closed, not {text!r}")
            self._rest += data.decode()
        self.case.assertEqual(self._rest[: len(text)], text)
        self._rest = self._rest[len(text) :]

    def until(self, end: str) -> str:
        """All that comes up to this."""
        while end not in self._rest:
            data = self.socket.recv(1 << 16)
            self.case.assertNotEqual(data, b"", f"{self.protocol}: closed after {self._rest!r}")
            self._rest += data.decode()
        found, _, self._rest = self._rest.partition(end)
        return found

    def leave(self) -> None:
        """Close; gone when the daemon has closed as well."""
        self.socket.shutdown(socket.SHUT_WR)
        while self.socket.recv(1 << 16):
            pass


class Ops(Text):
    """Op codes. A text that is heard ends with a full stop here, since nothing else ends it."""

    protocol = "ops"

    def come(self, new: bool = False) -> None:
        """See `Speaker`."""
        self.connect()
        self.socket.sendall((f"1|{self.name}" if new else f"0|{self.name}123").encode())
        self.until("in the documentation \n")
        self.until("\n")

    def say(self, recipient: str, text: str) -> bool:
        """See `Speaker`."""
        self.socket.sendall(f"3|{recipient}|{text}".encode())
        return "doesn't exist" not in self.until("\n")

    def hear(self) -> Heard:
        """See `Speaker`."""
        sender, _, text = self.until(".").partition(": ")
        return sender, text + "."

    def waiting(self, count: int) -> list[Heard]:
        """See `Speaker`."""
        self.socket.sendall(f"4|{self.name}123".encode())
        self.expect(f"undelivered message for user ID {self.name}123: \n")
        found = []
        for _ in range(count):
            sender, _, text = self.until("\n\n").partition(" sends: ")
            found.append((sender, text))
        return found

    def delete(self) -> None:
        """See `Speaker`."""
        self.socket.sendall(f"5|{self.name}123".encode())
        self.expect("Your account has been deleted\n")


class Chat(Text):
    """CHAT/1.0 in lines: in the lobby, and it has no words for anywhere else."""

    protocol = "CHAT/1.0"
    mark = "(private) "

    def come(self, new: bool = False) -> None:
        """See `Speaker`."""
        self.connect()
        self.socket.sendall(f"REGISTER {self.name} CHAT/1.0\n".encode())
        self.expect("200 Registration successful\n")

    def say(self, recipient: str, text: str) -> bool:
        """See `Speaker`; only to `#lobby`."""
        self.case.assertEqual(recipient, "#lobby")
        self.socket.sendall(f"@{self.name}: {text}\n".encode())
        return True

    def hear(self) -> Heard:
        """See `Speaker`."""
        sender, _, text = self.until("\n").removeprefix("@").partition(": ")
        return sender, text

    def delete(self) -> None:
        """See `Speaker`; by ops, since there is no word for it."""
        self.leave()
        other = open_socket(self.case, self.daemon.port)
        other.sendall(f"5|{self.name}123\n".encode())
        found = ""
        while "deleted" not in found:
            found += other.recv(1 << 16).decode()


class Grpc(Speaker):
    """gRPC, by a channel of its own."""

    protocol = "gRPC"

    def __init__(self, case: SynchronousTestCase, daemon: Daemon, name: str, address: str) -> None:
        self.channel = grpc.insecure_channel(address)
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

    def come(self, new: bool = False) -> None:
        """See `Speaker`."""
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

    def next(self, from_server: bool) -> pb.ChatMessage:
        """The next message of a person, or of the server."""
        while True:
            found = self._messages.get(timeout=PATIENCE)
            assert found is not None, "the stream has ended"
            if (found.sender_id == "Server") == from_server:
                return found

    def say(self, recipient: str, text: str) -> bool:
        """See `Speaker`."""
        self.call(
            "SendMessage", thread_id=1, message=text, sender_id=self.name, recipient_id=recipient
        )
        while True:
            notice = self.next(True).message
            if notice in ("Your message has been sent!", "Recipient is not found!"):
                return bool(notice == "Your message has been sent!")

    def hear(self) -> Heard:
        """See `Speaker`."""
        found = self.next(False)
        self.case.assertEqual((found.recipient_id, found.thread_id), (self.name, 1))
        return found.sender_id, found.message

    def leave(self) -> None:
        """See `Speaker`."""
        self.call("LogOut", client_id=self.name)
        self._reading.join(PATIENCE)

    def delete(self) -> None:
        """See `Speaker`."""
        self.call("DeleteAccount", client_id=self.name)
        self._reading.join(PATIENCE)
