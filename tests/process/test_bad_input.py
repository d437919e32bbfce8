"""Bad input hurts neither the daemon nor the other connections."""

from __future__ import annotations

import contextlib
import resource
import threading
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs.classic import (
    DELETE,
    DELIVER,
    LIST,
    LISTRESPONSE,
    RESPONSE,
    SEND,
    ListResponse,
    Response,
    encode,
)
from tests.doubles.daemon_process import ALL_PATIENCE, Daemon, SocketClient, sent, texts
from tests.doubles.folders import folder

STRANGERS = 2000
"""connections without a login that the daemon keeps open"""
MEGABYTE = 1 << 20


def raw(command: int, data: bytes, *, version: int = 0, length: int | None = None) -> bytes:
    """A frame with any command, data, version and length."""
    size = len(data) if length is None else length
    return bytes([version, command]) + size.to_bytes(40, "big") + data


class Pair:
    """Two users who send to each other on a thread, and record every error."""

    def __init__(self, case: SynchronousTestCase, daemon: Daemon) -> None:
        self._ann = SocketClient(case, daemon).create("healthy-ann")
        self._bob = SocketClient(case, daemon).create("healthy-bob")
        self._stop = threading.Event()
        self._wrong: list[BaseException] = []
        self._sent = 0
        self._thread = threading.Thread(target=self._talk, daemon=True)
        self._thread.start()
        case.addCleanup(self._stop.set)

    def _talk(self) -> None:
        try:
            while not self._sent or not self._stop.wait(0.01):
                text = f"healthy {self._sent}"
                self._ann.send_text("healthy-ann", "healthy-bob", text)
                assert self._bob.receive() == sent("healthy-ann", "healthy-bob", text)
                self._sent += 1
        except BaseException as error:
            self._wrong.append(error)

    def check(self, case: SynchronousTestCase) -> None:
        """Stop, and check that there was no error."""
        self._stop.set()
        self._thread.join(ALL_PATIENCE)
        case.assertEqual(self._wrong, [])
        case.assertGreater(self._sent, 0)
        case.assertEqual(self._ann.received_so_far() + self._bob.received_so_far(), [])


class BadInput(SynchronousTestCase):
    """A daemon with a file, two users who talk, and a client that does everything wrong."""

    def setUp(self) -> None:
        self.daemon = Daemon(self, f"sqlite:{folder(self)}/chatd.db")
        self.pair = Pair(self, self.daemon)

    def client(self, window: int = 0) -> SocketClient:
        """Open a connection."""
        return SocketClient(self, self.daemon, window=window)

    def check_unharmed(self) -> None:
        """Check that the pair had no error, and that the daemon logged no traceback."""
        self.pair.check(self)
        self.assertNotIn("Traceback", self.daemon.output)

    def test_invalid_frames_are_answered_with_their_error(self) -> None:
        """The answers are in order, and the connection remains usable."""
        client = self.client().create("Ann")
        for frame, words in (
            (raw(8, b""), "unknown command 8"),
            (raw(255, b"x"), "unknown command 255"),
            (raw(RESPONSE, b""), "RESPONSE is for the server"),
            (raw(LISTRESPONSE, b"a|||b"), "LISTRESPONSE is for the server"),
            (raw(SEND, b""), "SEND takes sender, recipient and text"),
            (raw(SEND, b"Ann|||Ann"), "SEND takes sender, recipient and text"),
            (raw(DELIVER, b"now"), "DELIVER takes no data"),
            (raw(DELETE, b"Ann"), "DELETE takes no data"),
            (raw(SEND, b"Ann|||Ann|||caf\xe9"), "non-ASCII"),
            (raw(LIST, b"\xff\xfe"), "non-ASCII"),
        ):
            client.send(frame)
            answer = client.receive()
            assert isinstance(answer, Response), answer
            self.assertIn(words, answer.error)
            client.send_text("Ann", "Ann", "fine")
            self.assertEqual(client.receive(), sent("Ann", "Ann", "fine"))
        self.check_unharmed()

    def test_unparsable_stream_is_closed_with_its_error(self) -> None:
        """A wrong version or too long a frame: earlier answers, the error, then the end."""
        limit = "the limit is 65"
        for number, (data, words) in enumerate(
            (
                (raw(LIST, b"", version=1), "version 1"),
                (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "version 71"),
                (raw(SEND, b"", length=2**320 - 1), limit),
                (raw(SEND, b"", length=2**319), limit),
                (raw(SEND, b"", length=2**64), limit),
                (raw(LIST, b"", length=2**32 - 1), limit),
                (raw(SEND, b"", length=100_000), limit),
            )
        ):
            client = self.client().create(f"name-{number}")
            client.send(
                encode(SEND, f"name-{number}", "healthy-zed", "x"), encode(LIST, "none"), data
            )
            client.close_sending()
            refused, names, last = client.read_to_end()
            assert isinstance(refused, Response) and isinstance(last, Response)
            self.assertIn("healthy-zed does not exist", refused.error)
            self.assertEqual(names, ListResponse(()))
            self.assertIn(words, last.error)
            self.client().login(f"name-{number}")
        self.check_unharmed()

    def test_error_is_delivered_while_the_client_goes_on_sending(self) -> None:
        """The close does not become a reset that discards the error."""
        client = self.client().create("Ann")
        client.send(raw(SEND, b"", length=2**200) + b"x" * 300_000)
        answer = client.receive()
        assert isinstance(answer, Response), answer
        self.assertIn("the limit is", answer.error)
        self.assertEqual(client.read_to_end(), [])
        self.client().login("Ann")
        self.check_unharmed()

    def test_reset_in_any_state_leaves_nothing_behind(self) -> None:
        """The name is free again after each RST."""
        half = encode(SEND, "Ann", "Ann", "x" * 1000)[:500]
        acts: list[Callable[[SocketClient], None]] = [
            lambda client: None,
            lambda client: client.send(b"\0"),
            lambda client: client.send(encode(LIST)),
            lambda client: client.create("Ann").send(half),
            lambda client: client.create("Bob").send(
                *[encode(SEND, "Bob", "Bob", "x" * 1000)] * 200
            ),
            lambda client: client.create("Cid").send(encode(DELIVER)),
            lambda client: client.create("Dan").send(raw(9, b""), raw(0, b"", version=9)),
        ]
        for act in acts:
            client = self.client()
            act(client)
            client.reset()
        self.client().login("Ann")
        self.check_unharmed()

    def test_throttled_client_that_resets_frees_its_name(self) -> None:
        """Input that was not read yet does not keep the session open."""
        daemon = Daemon(self, "memory", rate="100")
        client = SocketClient(self, daemon).create("Ann")
        client.send(encode(DELIVER) * 3000, encode(LIST))
        client.reset()
        SocketClient(self, daemon).login("Ann")
        self.check_unharmed()

    def test_50000_commands_at_once_are_all_answered(self) -> None:
        """The other connections are served meanwhile."""
        client = self.client()
        count = 50_000
        sender = threading.Thread(target=client.send, args=(encode(DELIVER) * count,), daemon=True)
        sender.start()
        client.receive_many(count)
        sender.join(ALL_PATIENCE)
        self.assertEqual(client.received_so_far(), [])
        self.check_unharmed()

    def test_half_a_million_frames_at_once_cost_little_memory(self) -> None:
        """The other connections are served meanwhile."""
        client = self.client().create("Ann")
        # For all of the frames together.
        client.socket.settimeout(ALL_PATIENCE)
        before = self.daemon.memory_bytes()
        sender = threading.Thread(
            target=client.send, args=(encode(DELIVER) * 500_000,), daemon=True
        )
        sender.start()
        sender.join(ALL_PATIENCE)
        self.assertFalse(sender.is_alive())
        self.assertEqual(client.received_so_far(), [])
        self.assertLess(self.daemon.memory_bytes() - before, 16 * MEGABYTE)
        self.check_unharmed()

    def test_half_a_frame_delays_no_other_connection(self) -> None:
        """The client may still complete its frame."""
        frame = encode(SEND, "Ann", "Ann", "hello")
        slow = [self.client() for _ in range(100)]
        for client in slow:
            client.send(frame[:41])
        ann = self.client().create("Ann")
        ann.send(frame[:-1])
        other = self.client().create("Bob")
        for number in range(100):
            other.send_text("Bob", "Ann", str(number))
        ann.send(frame[-1:])
        self.assertEqual(texts(ann.receive_many(102)), [*map(str, range(100)), "hello", "hello"])
        self.check_unharmed()

    def test_a_frame_of_2_gib_is_not_read_to_its_end(self) -> None:
        """The error reply arrives, and the connection is closed while the client still sends."""
        client = self.client()
        sent = 0
        client.send(raw(LIST, b"", length=1 << 31))
        with contextlib.suppress(ConnectionError):
            while sent < 64 * MEGABYTE:
                sent += client.socket.send(b"x" * 65_536)
        self.assertLess(sent, 32 * MEGABYTE)
        (reply,) = client.read_remaining()
        self.assertIsInstance(reply, Response)
        self.check_unharmed()

    def test_connections_without_login_are_bounded(self) -> None:
        """The oldest are closed; new ones are served."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        count = min(10_000, hard - 2000)
        self.assertGreater(count, STRANGERS)
        named = self.client().create("Ann")
        silent = [self.client() for _ in range(count)]
        late = self.client().create("Bob")
        late.send_text("Bob", "Ann", "room for one more")
        self.assertEqual(named.receive(), sent("Bob", "Ann", "room for one more"))
        kept = silent[-STRANGERS + 1 :]
        for client in (kept[0], kept[-1]):
            self.assertEqual(client.ask(LIST, "A*"), ListResponse(("Ann",)))
        for client in (silent[0], silent[-STRANGERS - 1]):
            self.assertRaises(ConnectionResetError, client.receive)
        self.assertEqual(sum(client.readable() for client in silent), count - STRANGERS + 1)
        self.check_unharmed()

    def test_recipient_that_does_not_read_costs_little_memory(self) -> None:
        """30 MB wait for it in the store, and arrive in order when it reads again."""
        reader = self.client(window=65_536).create("Bob")
        ann = self.client().create("Ann")
        self.client().create("Cid").close()
        text = "x" * 30_000
        count = 30 * MEGABYTE // len(text)
        # Fills the store's page cache (32 MB), which has nothing to do with the reader.
        ann.send_texts("Ann", "Cid", [text] * (3 * count // 2))
        before = most = self.daemon.memory_bytes()
        for first in range(0, count, 50):
            numbers = range(first, min(first + 50, count))
            ann.send_texts("Ann", "Bob", [f"{number} {text}" for number in numbers])
            most = max(most, self.daemon.memory_bytes())
        self.assertLess(max(most, self.daemon.memory_bytes()) - before, 8 * MEGABYTE)
        for number in range(count):
            self.assertEqual(reader.receive(), sent("Ann", "Bob", f"{number} {text}"))
        ann.send_text("Ann", "Bob", "and on")
        self.assertEqual(reader.receive(), sent("Ann", "Bob", "and on"))
        self.assertEqual(reader.fetch_mail(), [])
        self.check_unharmed()
