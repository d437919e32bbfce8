"""What must not hurt the daemon, nor anyone else who is talking meanwhile."""

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
from tests.doubles.daemon_process import Daemon, SocketClient, sent, texts
from tests.doubles.folders import folder

STRANGERS = 2000
"""connections without a login that the daemon keeps"""
MEGABYTE = 1 << 20


def raw(command: int, data: bytes, *, version: int = 0, length: int | None = None) -> bytes:
    """A frame with anything in it."""
    size = len(data) if length is None else length
    return bytes([version, command]) + size.to_bytes(40, "big") + data


class Pair:
    """Two people who go on talking, on a thread of their own, and note what goes wrong."""

    def __init__(self, case: SynchronousTestCase, daemon: Daemon) -> None:
        self._ann = SocketClient(case, daemon).create("healthy-ann")
        self._bob = SocketClient(case, daemon).create("healthy-bob")
        self._stop = threading.Event()
        self._wrong: list[BaseException] = []
        self._said = 0
        self._thread = threading.Thread(target=self._talk, daemon=True)
        self._thread.start()
        case.addCleanup(self._stop.set)

    def _talk(self) -> None:
        try:
            while not self._said or not self._stop.wait(0.01):
                text = f"healthy {self._said}"
                self._ann.send_text("healthy-ann", "healthy-bob", text)
                assert self._bob.receive() == sent("healthy-ann", "healthy-bob", text)
                self._said += 1
        except BaseException as error:
            self._wrong.append(error)

    def check(self, case: SynchronousTestCase) -> None:
        """All was well till now."""
        self._stop.set()
        self._thread.join(30)
        case.assertEqual(self._wrong, [])
        case.assertGreater(self._said, 0)
        case.assertEqual(self._ann.received_so_far() + self._bob.received_so_far(), [])


class BadInput(SynchronousTestCase):
    """A daemon with a file, two people who talk, and someone who does everything wrong."""

    def setUp(self) -> None:
        self.daemon = Daemon(self, f"sqlite:{folder(self)}/chatd.db")
        self.pair = Pair(self, self.daemon)

    def client(self, window: int = 0) -> SocketClient:
        """A new connection."""
        return SocketClient(self, self.daemon, window=window)

    def well(self) -> None:
        """The pair never noticed anything, and the daemon reported no mistake of its own."""
        self.pair.check(self)
        self.assertNotIn("Traceback", self.daemon.output)

    def test_frames_without_meaning(self) -> None:
        """Each is answered with what is wrong with it, in turn, and the conversation goes on."""
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
        self.well()

    def test_streams_without_meaning(self) -> None:
        """Another version or too long a frame: what was owed comes, then what is wrong, then the
        end."""
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
        self.well()

    def test_the_last_words_are_heard(self) -> None:
        """The reason comes although the one who sends nonsense goes on sending more of it."""
        client = self.client().create("Ann")
        client.send(raw(SEND, b"", length=2**200) + b"x" * 300_000)
        answer = client.receive()
        assert isinstance(answer, Response), answer
        self.assertIn("the limit is", answer.error)
        self.assertEqual(client.read_to_end(), [])
        self.client().login("Ann")
        self.well()

    def test_broken_off(self) -> None:
        """RST in every state leaves nothing behind."""
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
        self.well()

    def test_slowed_down_and_gone(self) -> None:
        """A client that sent too much and broke off does not keep its name taken."""
        daemon = Daemon(self, "memory", rate="100")
        client = SocketClient(self, daemon).create("Ann")
        client.send(encode(DELIVER) * 3000, encode(LIST))
        client.reset()
        SocketClient(self, daemon).login("Ann")
        self.well()

    def test_tiny_frames(self) -> None:
        """200,000 commands in one go are all answered, while others go on talking."""
        client = self.client()
        count = 200_000
        sender = threading.Thread(target=client.send, args=(encode(DELIVER) * count,), daemon=True)
        sender.start()
        client.socket.settimeout(20)
        client.receive_many(count)
        sender.join(10)
        self.assertEqual(client.received_so_far(), [])
        self.well()

    def test_a_million_frames(self) -> None:
        """A million commands in one write cost the daemon no memory to speak of, and nobody else's
        time."""
        client = self.client().create("Ann")
        before = self.daemon.memory_bytes()
        sender = threading.Thread(
            target=client.send, args=(encode(DELIVER) * 1_000_000,), daemon=True
        )
        sender.start()
        sender.join(30)
        self.assertFalse(sender.is_alive())
        client.socket.settimeout(30)
        self.assertEqual(client.received_so_far(), [])
        self.assertLess(self.daemon.memory_bytes() - before, 16 * MEGABYTE)
        self.well()

    def test_half_a_frame(self) -> None:
        """Whoever falls silent in the middle of a frame keeps nobody waiting, and may still go
        on."""
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
        self.well()

    def test_a_frame_of_2_gib_is_not_read_to_its_end(self) -> None:
        """The error reply arrives, and the connection is closed while the client still sends."""
        client = self.client()
        sent = 0
        client.send(raw(LIST, b"", length=1 << 31))
        with contextlib.suppress(ConnectionError):
            while sent < 64 * MEGABYTE:
                sent += client.socket.send(b"x" * 65_536)
        self.assertLess(sent, 32 * MEGABYTE)
        (reply,) = client.remains()
        self.assertIsInstance(reply, Response)
        self.well()

    def test_connections_without_a_login(self) -> None:
        """However many come and say nothing, newcomers are served; the oldest of the silent ones
        go."""
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
        self.well()

    def test_reader_that_stops(self) -> None:
        """30 MB for someone who does not read cost the daemon little memory; later all of it comes,
        once."""
        reader = self.client(window=65_536).create("Bob")
        ann = self.client().create("Ann")
        self.client().create("Cid").close()
        text = "x" * 30_000
        count = 30 * MEGABYTE // len(text)
        # Fills the store's page cache (32 MB), which has nothing to do with the reader.
        for _ in range(3 * count // 2):
            ann.send_text("Ann", "Cid", text)
        before = most = self.daemon.memory_bytes()
        for number in range(count):
            ann.send_text("Ann", "Bob", f"{number} {text}")
            if number % 50 == 0:
                most = max(most, self.daemon.memory_bytes())
        self.assertLess(max(most, self.daemon.memory_bytes()) - before, 8 * MEGABYTE)
        for number in range(count):
            self.assertEqual(reader.receive(), sent("Ann", "Bob", f"{number} {text}"))
        ann.send_text("Ann", "Bob", "and on")
        self.assertEqual(reader.receive(), sent("Ann", "Bob", "and on"))
        self.assertEqual(reader.fetch_mail(), [])
        self.well()
