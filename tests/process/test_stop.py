"""A daemon that is stopped: acknowledged messages are stored, connections are closed in order."""

from __future__ import annotations

import contextlib
import signal
import threading
import time

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs.classic import LIST, SEND, Reply, Send, encode
from tests.doubles.daemon_process import PATIENCE, Daemon, SocketClient, texts
from tests.doubles.folders import folder

AT_MOST = 5.0 + 5.0
"""seconds that stopping may take: 5, and what a busy machine takes to run the daemon"""
DEEP = 16


class Reader:
    """Reads on a thread until the connection is closed without a reset, then closes its side."""

    def __init__(self, client: SocketClient) -> None:
        self._client = client
        self._read: list[Reply] = []
        self._orderly = False
        self.busy = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)
        self._thread.start()

    def _go_on(self) -> None:
        self._read.append(self._client.receive())
        self.busy.set()
        self._read += self._client.read_to_end()
        self._orderly = True
        with contextlib.suppress(OSError):
            self._client.close_sending()

    def end(self, case: SynchronousTestCase) -> list[Reply]:
        """What it has read."""
        self._thread.join(PATIENCE)
        case.assertTrue(self._orderly, "the connection was broken off")
        return self._read


class Stop(SynchronousTestCase):
    """Stopping by SIGTERM and SIGINT."""

    def setUp(self) -> None:
        self.folder = folder(self)
        self.daemon = self.start()

    def start(self) -> Daemon:
        """Start a daemon on the file of this test."""
        return Daemon(self, f"sqlite:{self.folder}/chatd.db")

    def client(self) -> SocketClient:
        """Open a connection."""
        return SocketClient(self, self.daemon)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Stop the daemon, and check time, status and log."""
        began = time.monotonic()
        status = self.daemon.stop(number)
        self.assertLess(time.monotonic() - began, AT_MOST)
        self.assertEqual(status, 0, self.daemon.output)
        self.assertNotIn("Traceback", self.daemon.output)
        self.assertIn("every acknowledged message is stored", self.daemon.output)

    def test_connections_are_closed(self) -> None:
        """Idle ones, and one with half a frame."""
        for number in (signal.SIGTERM, signal.SIGINT):
            clients = [self.client(), self.client().create(f"name-{number}"), self.client()]
            clients[2].send(encode(LIST)[:10])
            clients[0].received_so_far()
            self.stop(number)
            for client in clients:
                self.assertEqual(client.read_to_end(), [])
            self.daemon = self.start()

    def test_second_signal_changes_nothing(self) -> None:
        """The daemon stops once."""
        self.client().create("Ann")
        self.daemon.process.send_signal(signal.SIGINT)
        self.daemon.process.send_signal(signal.SIGINT)
        self.stop()

    def test_stop_right_after_the_start(self) -> None:
        """Repeatedly on the same file, and with a store in memory."""
        for _ in range(3):
            self.stop()
            self.daemon = self.start()
        for _ in range(3):
            self.assertEqual(Daemon(self, "memory").stop(), 0)

    def test_echoes_of_committed_messages_are_sent_before_the_close(self) -> None:
        """Messages without an echo are not stored."""
        client = self.client().create("Ann")
        bob = Reader(self.client().create("Bob"))
        ann = Reader(client)
        sent_texts = [f"{number} " + "x" * 1000 for number in range(20_000)]
        sender = threading.Thread(target=self._send_all, args=(client, sent_texts), daemon=True)
        sender.start()
        self.assertTrue(ann.busy.wait(PATIENCE))
        self.stop()
        sender.join(PATIENCE)
        echoed = texts(ann.end(self))
        self.assertEqual(echoed, sent_texts[: len(echoed)])
        read = bob.end(self)
        self.daemon = self.start()
        mail = self.client().login("Bob").fetch_mail()
        self.assertEqual(texts(read) + texts(mail), echoed)

    def _send_all(self, client: SocketClient, sent_texts: list[str]) -> None:
        with contextlib.suppress(ConnectionError):
            for text in sent_texts:
                client.send(encode(SEND, "Ann", "Bob", text))

    def test_clients_that_do_not_read_do_not_delay_the_stop(self) -> None:
        """What they did not read is delivered later."""
        sent_texts = [f"{number} " + "x" * 30_000 for number in range(300)]
        names = ("Bob", "Cid", "Dan")
        ann = self.client().create("Ann")
        paused = [SocketClient(self, self.daemon, window=8192).create(name) for name in names]
        for name in names:
            ann.send_texts("Ann", name, sent_texts)
        self.stop()
        self.assertEqual(ann.read_to_end(), [])
        self.daemon = self.start()
        for name, client in zip(names, paused, strict=True):
            received = texts([*client.read_remaining(), *self.client().login(name).fetch_mail()])
            missing = [text.split(" ")[0] for text in sent_texts if text not in received]
            self.assertEqual(missing, [], name)

    def test_stop_under_full_load_loses_nothing(self) -> None:
        """Four writers with a window of sixteen: the reader gets every echoed message once."""
        names = ("ann", "cid", "dan", "eve")
        for name in (*names, "bob"):
            self.client().create(name).close()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
            bob = Reader(self.client().login("bob"))
            echoes: dict[str, list[Reply]] = {name: [] for name in names}
            flowing = [threading.Event() for _ in names]
            threads = [
                threading.Thread(
                    target=self._write,
                    args=(name, self.client().login(name), echoes[name], event),
                    daemon=True,
                )
                for name, event in zip(names, flowing, strict=True)
            ]
            for thread in threads:
                thread.start()
            for event in flowing:
                self.assertTrue(event.wait(PATIENCE))
            self.stop(number)
            for thread in threads:
                thread.join(PATIENCE)
            read = bob.end(self)
            self.daemon = self.start()
            late = self.client().login("bob")
            received = [*read, *late.fetch_mail()]
            late.close()
            for name in names:
                self.assertEqual(
                    [
                        message
                        for message in received
                        if isinstance(message, Send) and message.sender == name
                    ],
                    echoes[name],
                )
                self.assertGreater(len(echoes[name]), 200)

    def _write(
        self, name: str, client: SocketClient, echoes: list[Reply], flowing: threading.Event
    ) -> None:
        try:
            for number in range(100_000):
                client.send(encode(SEND, name, "bob", f"{name} {number}"))
                if number >= DEEP:
                    echoes.append(client.receive())
                if number == 200 + DEEP:
                    flowing.set()
        except (ConnectionError, self.failureException):
            echoes += client.read_remaining()
            client.close()
