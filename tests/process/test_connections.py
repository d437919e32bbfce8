"""Ends of connections and sizes of segments, over real sockets, with each kind of store."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import v1_messages as c
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
from tests.doubles.protocol_clients import Version1User


class Connections(DaemonCase):
    """Every way to disconnect, and frames in segments of every size."""

    def pair(self) -> tuple[SocketClient, SocketClient]:
        """Connections of Ann and Bob, both logged in."""
        return self.client().create("Ann"), self.client().create("Bob")

    def test_fin_frees_the_name(self) -> None:
        """The account can log in again at once, fifty times in a row."""
        client = self.client().create("Ann")
        for _ in range(50):
            client.close()
            client = self.client().login("Ann")

    def test_rst_frees_the_name(self) -> None:
        """Even while data is being sent to the connection."""
        ann, bob = self.pair()
        for number in range(50):
            bob.reset()
            ann.send_text("Ann", "Bob", str(number))
            bob = self.client().login("Bob")
        self.assertEqual(
            bob.fetch_mail(), [sent("Ann", "Bob", str(number)) for number in range(50)]
        )

    def test_reset_loses_only_what_was_readable(self) -> None:
        """The recipient misses at most what it could have read; other connections miss nothing."""
        ann, bob = self.pair()
        sent_texts = [f"{number} " + "x" * 500 for number in range(2000)]
        ann.send(*(encode(SEND, "Ann", "Bob", text) for text in sent_texts[:1000]))
        bob.receive_many(10)
        bob.reset()
        ann.send(*(encode(SEND, "Ann", "Bob", text) for text in sent_texts[1000:]))
        self.assertEqual(texts(ann.receive_many(2000)), sent_texts)
        later = texts(self.client().login("Bob").fetch_mail())
        self.assertEqual(later, sent_texts[2000 - len(later) :])
        self.assertEqual(ann.received_so_far(), [])

    def test_half_closed_connection_gets_every_answer(self) -> None:
        """The daemon closes after the last answer."""
        ann, bob = self.pair()
        sent_texts = [str(number) for number in range(300)]
        ann.send(
            *(encode(SEND, "Ann", "Bob", text) for text in sent_texts),
            encode(LIST),
            encode(LOGIN, "Zed"),
        )
        ann.close_sending()
        *echoes, names, refused = ann.read_to_end()
        self.assertEqual(echoes, [sent("Ann", "Bob", text) for text in sent_texts])
        self.assertEqual(names, ListResponse(("Ann", "Bob")))
        self.assertEqual(refused, Response("username does not exist"))
        self.assertEqual(texts(bob.receive_many(300)), sent_texts)
        self.client().login("Ann")

    def test_whole_session_in_one_segment_is_served(self) -> None:
        """With its end."""
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

    def test_mail_fetched_before_half_close_arrives_once(self) -> None:
        """It arrives completely, and is not delivered again."""
        ann, bob = self.pair()
        bob.close()
        sent_texts = [f"{number} " + "x" * 2000 for number in range(1500)]
        ann.send(*(encode(SEND, "Ann", "Bob", text) for text in sent_texts))
        self.assertEqual(texts(ann.receive_many(1500)), sent_texts)
        bob = self.client().login("Bob")
        bob.send(encode(DELIVER))
        bob.close_sending()
        self.assertEqual(texts(bob.read_to_end()), sent_texts)
        self.assertEqual(self.client().login("Bob").fetch_mail(), [])

    def test_delete_is_carried_out_when_the_client_closes(self) -> None:
        """Without waiting for an answer; the name is free when the daemon has closed, too."""
        watcher = self.client().create("watcher")
        for number in range(20):
            client = self.client().create(f"name-{number}")
            client.send(encode(DELETE))
            client.close_sending()
            self.assertEqual(client.read_to_end(), [])
            self.assertEqual(
                self.client().create(f"name-{number}").ask(LIST, "w*"), ListResponse(("watcher",))
            )
        self.assertEqual(len(self._names(watcher)), 21)

    def _names(self, client: SocketClient) -> tuple[str, ...]:
        answer = client.ask(LIST)
        assert isinstance(answer, ListResponse)
        return answer.names

    def test_delete_is_carried_out_when_the_client_resets(self) -> None:
        """If the daemon had received it."""
        watcher = self.client().create("watcher")
        client = self.client().create("Ann")
        # The answer to the LIST has been seen, so the DELETE before it has been read.
        client.send(encode(DELETE), encode(LIST, "w*"))
        self.assertEqual(client.receive(), ListResponse(("watcher",)))
        client.reset()
        self.assertEqual(self._names(watcher), ("watcher",))

    def test_delete_with_unread_answers_is_carried_out(self) -> None:
        """Closing a socket with unread data sends RST; the account is deleted nevertheless."""
        watcher = Version1User(self, self.daemon, "watcher")
        watcher.ask(c.Hello(0, "test", "1", ["presence"]))
        client = self.client().create("Ann")
        watcher.ask(c.Who(0, ["Ann"], True))
        client.send(encode(LIST))
        client.socket.settimeout(PATIENCE)
        client.send(encode(DELETE))
        # Until the daemon has answered the LIST there is nothing unread.
        client.socket.recv(1, 2)
        client.close()
        watcher.receive(
            lambda message: isinstance(message, c.Presence) and message.person.status == "unknown"
        )
        bob = self.client().create("Bob")
        self.assertEqual(self._names(bob), ("watcher", "Bob"))

    def test_frames_sent_byte_by_byte(self) -> None:
        """Each is decoded as one frame."""
        ann, bob = self.pair()
        for byte in encode(SEND, "Ann", "Bob", "slow") + encode(LIST, "A*"):
            ann.send(bytes([byte]))
        self.assertEqual(ann.receive_many(2), [sent("Ann", "Bob", "slow"), ListResponse(("Ann",))])
        self.assertEqual(bob.receive(), sent("Ann", "Bob", "slow"))

    def test_frames_split_at_any_two_places(self) -> None:
        """Each is decoded as one frame."""
        ann, bob = self.pair()
        frames = encode(SEND, "Ann", "Bob", "one") + encode(SEND, "Ann", "Bob", "two")
        for cut in range(1, len(frames)):
            for piece in (frames[: cut // 2], frames[cut // 2 : cut], frames[cut:]):
                ann.send(piece)
            self.assertEqual(texts(ann.receive_many(2)), ["one", "two"])
            self.assertEqual(texts(bob.receive_many(2)), ["one", "two"])

    def test_thousands_of_frames_at_once_keep_their_order(self) -> None:
        """Echoes and deliveries have the order of the sends."""
        ann, bob = self.pair()
        sent_texts = [str(number) for number in range(5000)]
        ann.send(*(encode(SEND, "Ann", "Bob", text) for text in sent_texts))
        self.assertEqual(texts(ann.receive_many(5000)), sent_texts)
        self.assertEqual(texts(bob.receive_many(5000)), sent_texts)


class ConnectionsInMemory(Connections, SynchronousTestCase):
    """With --store memory."""

    kind = "memory"


class ConnectionsInAFile(Connections, SynchronousTestCase):
    """With --store sqlite:FILE."""

    kind = "sqlite"
