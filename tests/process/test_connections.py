"""How connections end and how bytes come, over real sockets, with each kind of store."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs.classic import (
    CREATE,
    DELETE,
    DELIVER,
    LIST,
    LOGIN,
    SEND,
    ListResponse,
    Response,
    encode,
)
from tests.doubles.daemon_process import PATIENCE, DaemonCase, SocketClient, sent, texts


class Connections(DaemonCase):
    """Leaving in every way there is, and frames in every size of piece."""

    def pair(self) -> tuple[SocketClient, SocketClient]:
        """Ann and Bob, both there."""
        return self.client().create("Ann"), self.client().create("Bob")

    def test_fin_frees_the_name(self) -> None:
        """As soon as I have left, I can come back; fifty times in a row."""
        client = self.client().create("Ann")
        for _ in range(50):
            client.close()
            client = self.client().login("Ann")

    def test_rst_frees_the_name(self) -> None:
        """The same when the connection is broken off, even with something on the way to me."""
        ann, bob = self.pair()
        for number in range(50):
            bob.reset()
            ann.send_text("Ann", "Bob", str(number))
            bob = self.client().login("Bob")
        self.assertEqual(
            bob.fetch_mail(), [sent("Ann", "Bob", str(number)) for number in range(50)]
        )

    def test_rst_under_way(self) -> None:
        """Whoever breaks off while being written to misses at most what it could have read; others
        go on."""
        ann, bob = self.pair()
        said = [f"{number} " + "x" * 500 for number in range(2000)]
        ann.send(*(encode(SEND, "Ann", "Bob", text) for text in said[:1000]))
        bob.receive_many(10)
        bob.reset()
        ann.send(*(encode(SEND, "Ann", "Bob", text) for text in said[1000:]))
        self.assertEqual(texts(ann.receive_many(2000)), said)
        later = texts(self.client().login("Bob").fetch_mail())
        self.assertEqual(later, said[2000 - len(later) :])
        self.assertEqual(ann.received_so_far(), [])

    def test_half_close(self) -> None:
        """Who only stops sending gets every answer owed before the daemon closes."""
        ann, bob = self.pair()
        said = [str(number) for number in range(300)]
        ann.send(
            *(encode(SEND, "Ann", "Bob", text) for text in said), encode(LIST), encode(LOGIN, "Zed")
        )
        ann.close_sending()
        *echoes, names, refused = ann.read_to_end()
        self.assertEqual(echoes, [sent("Ann", "Bob", text) for text in said])
        self.assertEqual(names, ListResponse(("Ann", "Bob")))
        self.assertEqual(refused, Response("username does not exist"))
        self.assertEqual(texts(bob.receive_many(300)), said)
        self.client().login("Ann")

    def test_half_close_at_once(self) -> None:
        """All of a visit in one piece, its end included, is served."""
        hasty = self.client()
        hasty.send(encode(CREATE, "Ann"), encode(SEND, "Ann", "Ann", "hi"), encode(LIST))
        hasty.close_sending()
        self.assertEqual(
            hasty.read_to_end(),
            [Response(), *[sent("Ann", "Ann", "hi")] * 2, ListResponse(("Ann",))],
        )
        silent = self.client()
        silent.close_sending()
        self.assertEqual(silent.read_to_end(), [])

    def test_mail_fetched_on_leaving(self) -> None:
        """Mail fetched by someone who has stopped sending comes whole, and not again."""
        ann, bob = self.pair()
        bob.close()
        said = [f"{number} " + "x" * 2000 for number in range(1500)]
        ann.send(*(encode(SEND, "Ann", "Bob", text) for text in said))
        self.assertEqual(texts(ann.receive_many(1500)), said)
        bob = self.client().login("Bob")
        bob.send(encode(DELIVER))
        bob.close_sending()
        self.assertEqual(texts(bob.read_to_end()), said)
        self.assertEqual(self.client().login("Bob").fetch_mail(), [])

    def test_delete_and_leave(self) -> None:
        """DELETE is carried out though the client closes without waiting."""
        watcher = self.client().create("watcher")
        for number in range(20):
            client = self.client().create(f"name-{number}")
            client.send(encode(DELETE))
            client.close()
            self.assertEqual(
                self.client().create(f"name-{number}").ask(LIST, "w*"), ListResponse(("watcher",))
            )
        self.assertEqual(len(self._names(watcher)), 21)

    def _names(self, client: SocketClient) -> tuple[str, ...]:
        answer = client.ask(LIST)
        assert isinstance(answer, ListResponse)
        return answer.names

    def test_delete_and_break_off(self) -> None:
        """Also if it breaks off, as long as the daemon had what it sent."""
        watcher = self.client().create("watcher")
        client = self.client().create("Ann")
        # The answer to the LIST has been seen, so the DELETE before it has been read.
        client.send(encode(DELETE), encode(LIST, "w*"))
        self.assertEqual(client.receive(), ListResponse(("watcher",)))
        client.reset()
        self.assertEqual(self._names(watcher), ("watcher",))

    def test_delete_with_answers_unread(self) -> None:
        """A client that deletes its account with answers still unread ends by RST; the account
        goes."""
        watcher = self.client().create("watcher")
        client = self.client().create("Ann")
        client.send(encode(LIST))
        client.socket.settimeout(PATIENCE)
        client.send(encode(DELETE))
        # Until the daemon has answered the LIST there is nothing unread.
        client.socket.recv(1, 2)
        client.close()
        self.client().create("Bob")
        self.assertEqual(self._names(watcher), ("watcher", "Bob"))

    def test_byte_by_byte(self) -> None:
        """Frames that trickle are frames."""
        ann, bob = self.pair()
        for byte in encode(SEND, "Ann", "Bob", "slow") + encode(LIST, "A*"):
            ann.send(bytes([byte]))
        self.assertEqual(ann.receive_many(2), [sent("Ann", "Bob", "slow"), ListResponse(("Ann",))])
        self.assertEqual(bob.receive(), sent("Ann", "Bob", "slow"))

    def test_frames_cut_anywhere(self) -> None:
        """Two frames cut in three at any two places are two frames."""
        ann, bob = self.pair()
        frames = encode(SEND, "Ann", "Bob", "one") + encode(SEND, "Ann", "Bob", "two")
        for cut in range(1, len(frames)):
            for piece in (frames[: cut // 2], frames[cut // 2 : cut], frames[cut:]):
                ann.send(piece)
            self.assertEqual(texts(ann.receive_many(2)), ["one", "two"])
            self.assertEqual(texts(bob.receive_many(2)), ["one", "two"])

    def test_many_frames_at_once(self) -> None:
        """Five thousand messages in one go are echoed and delivered in order."""
        ann, bob = self.pair()
        said = [str(number) for number in range(5000)]
        ann.send(*(encode(SEND, "Ann", "Bob", text) for text in said))
        self.assertEqual(texts(ann.receive_many(5000)), said)
        self.assertEqual(texts(bob.receive_many(5000)), said)


class ConnectionsInMemory(Connections, SynchronousTestCase):
    """With --store memory."""

    kind = "memory"


class ConnectionsInAFile(Connections, SynchronousTestCase):
    """With --store sqlite:FILE."""

    kind = "sqlite"
