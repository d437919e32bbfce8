"""Every command of the classic protocol and every answer, over real sockets, with each kind of
store."""

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
from tests.doubles.daemon_process import DaemonCase, SocketClient, sent, texts

STRANGER = (
    "attempting to send a message before logging in, for message: from: Ann | to: Bob | body: hi"
)
IMPOSTOR = (
    "specified from name is not the sender. Got username Bob, current username is Ann, "
    "for message: from: Bob | to: Ann | body: hi"
)
NO_SUCH = "specific recipient Zed does not exist, for message: from: Ann | to: Zed | body: hi"


class Commands(DaemonCase):
    """Who may say what, and what comes back."""

    def pair(self) -> tuple[SocketClient, SocketClient]:
        """Ann and Bob, both there."""
        return self.client().create("Ann"), self.client().create("Bob")

    def test_create(self) -> None:
        """A new name is mine at once; a taken one is refused, whether its owner is there or not."""
        ann = self.client().create("Ann")
        other = self.client()
        self.assertEqual(other.refusal(CREATE, "Ann"), "username already exists")
        self.assertEqual(ann.refusal(CREATE, "Ann"), "username already exists")
        ann.close()
        self.assertEqual(other.refusal(CREATE, "Ann"), "username already exists")
        other.create("Bob")
        self.assertEqual(other.received_so_far(), [])

    def test_illegal_names(self) -> None:
        """A name that no client could spell is refused with the rule it breaks, and nothing is made
        of it."""
        client = self.client()
        self.assertEqual(client.refusal(CREATE, ""), "Empty string is not a valid username.")
        self.assertIn("' '", client.refusal(CREATE, "An na"))
        self.assertIn("the limit is 32", client.refusal(CREATE, "a" * 33))
        self.assertIn("reserved", client.refusal(CREATE, "Server"))
        self.assertEqual(
            client.refusal(CREATE, "Ann", "pass", "word"),
            "illegal character sequence ||| in username",
        )
        self.assertEqual(client.refusal(LOGIN, "no one"), "username does not exist")
        self.assertEqual(client.refusal(LOGIN, ""), "username does not exist")
        self.assertEqual(client.ask(LIST), ListResponse(()))
        client.create("a" * 32)

    def test_login(self) -> None:
        """One connection has a name at a time."""
        ann = self.client().create("Ann")
        other = self.client()
        self.assertEqual(other.refusal(LOGIN, "Zed"), "username does not exist")
        self.assertEqual(other.refusal(LOGIN, "Ann"), "user is already logged in")
        self.assertEqual(ann.refusal(LOGIN, "Ann"), "user is already logged in")
        ann.close()
        other.login("Ann")

    def test_list(self) -> None:
        """Names come in order of creation, there or not, before logging in too; patterns are the
        shell's."""
        names = ("Alicia", "Bobert", "alice", "a.b", "A-1", "A_2", "z9")
        for name in names:
            self.client().create(name).close()
        client = self.client()
        self.assertEqual(client.ask(LIST), ListResponse(names))
        for pattern, found in {
            "*": names,
            "": names,
            "A*": ("Alicia", "A-1", "A_2"),
            "*li*": ("Alicia", "alice"),
            "?????e": (),
            "????e": ("alice",),
            "[ab]*": ("alice", "a.b"),
            "[!A-Z]*": ("alice", "a.b", "z9"),
            "*[0-9]": ("A-1", "A_2", "z9"),
            "a.b": ("a.b",),
            "a?b": ("a.b",),
            ".*": (),
            "^A*": (),
            "z9$": (),
            "[z": (),
            "Alici": (),
            "alicia": (),
            "Alicia|||Bobert": (),
        }.items():
            self.assertEqual(client.ask(LIST, pattern), ListResponse(found), pattern)
        client.send(encode(LIST))
        self.assertEqual(client.receive(), ListResponse(names))

    def test_many_stars(self) -> None:
        """A pattern of 60 stars is answered like any other, and holds nobody up."""
        name = "a" * 32
        client = self.client().create(name)
        stars = "*a" * 59 + "*b"
        self.assertEqual(client.ask(LIST, "*" * 60), ListResponse((name,)))
        self.assertEqual(client.ask(LIST, stars), ListResponse(()))
        self.assertEqual(client.ask(LIST, "*[a-b]" * 30 + "*b"), ListResponse(()))
        self.assertIn("the limit is 256", client.refusal(LIST, "*" * 257))

    def test_send(self) -> None:
        """The same bytes go to the recipient and back to the sender."""
        ann, bob = self.pair()
        for text in ("hi", "", "|", "||", "a||b", "~" * 60_000, "".join(map(chr, range(128)))):
            ann.send_text("Ann", "Bob", text)
            self.assertEqual(bob.receive(), sent("Ann", "Bob", text))
        bob.send_text("Bob", "Ann", "and back")
        self.assertEqual(ann.receive(), sent("Bob", "Ann", "and back"))

    def test_send_refused(self) -> None:
        """Each reason in its words, the first that applies, and the recipient hears nothing."""
        ann, bob = self.pair()
        self.assertEqual(self.client().refusal(SEND, "Ann", "Bob", "hi"), STRANGER)
        self.assertEqual(ann.refusal(SEND, "Bob", "Ann", "hi"), IMPOSTOR)
        self.assertEqual(
            ann.refusal(SEND, "Bob", "Zed", "hi"), IMPOSTOR.replace("to: Ann", "to: Zed")
        )
        self.assertEqual(ann.refusal(SEND, "Ann", "Zed", "hi"), NO_SUCH)
        self.assertIn("|||", ann.refusal(SEND, "Ann", "Bob", "one|||two"))
        self.assertIn("the limit is 65536", ann.refusal(SEND, "Ann", "Bob", "x" * 65_537))
        self.assertEqual(ann.received_so_far() + bob.received_so_far(), [])

    def test_to_oneself(self) -> None:
        """What I send to myself comes twice: as recipient and as the echo; and not again as
        mail."""
        ann, _ = self.pair()
        ann.send(encode(SEND, "Ann", "Ann", "note"))
        self.assertEqual(ann.receive_many(2), [sent("Ann", "Ann", "note")] * 2)
        self.assertEqual(ann.fetch_mail(), [])

    def test_mail(self) -> None:
        """What came while I was away waits until I ask, comes oldest first, and once."""
        ann, bob = self.pair()
        bob.close()
        said = [f"{number} " + "x" * (number % 7 * 50) for number in range(700)]
        ann.send(*(encode(SEND, "Ann", "Bob", text) for text in said))
        self.assertEqual(texts(ann.receive_many(700)), said)
        bob = self.client().login("Bob")
        self.assertEqual(bob.received_so_far(), [])
        self.assertEqual(bob.fetch_mail(), [sent("Ann", "Bob", text) for text in said])
        self.assertEqual(bob.fetch_mail(), [])
        bob.close()
        self.assertEqual(self.client().login("Bob").fetch_mail(), [])

    def test_mail_and_pushes(self) -> None:
        """What comes while I am there comes at once, though older mail waits; DELIVER brings only
        that."""
        ann, bob = self.pair()
        bob.close()
        ann.send_text("Ann", "Bob", "old")
        bob = self.client().login("Bob")
        ann.send_text("Ann", "Bob", "new")
        self.assertEqual(bob.receive(), sent("Ann", "Bob", "new"))
        self.assertEqual(bob.fetch_mail(), [sent("Ann", "Bob", "old")])
        self.assertEqual(bob.fetch_mail(), [])

    def test_deliver_refused(self) -> None:
        """Nobody has mail before logging in."""
        self.assertEqual(
            self.client().refusal(DELIVER),
            "attempting to deliver undelivered messages before logging in",
        )

    def test_delete(self) -> None:
        """It is not answered; the name is free, the mailbox is gone, the connection can be someone
        else."""
        ann, bob = self.pair()
        bob.close()
        ann.send_text("Ann", "Bob", "lost")
        bob = self.client().login("Bob")
        bob.send(encode(DELETE))
        self.assertEqual(bob.received_so_far(), [])
        self.assertEqual(bob.ask(LIST), ListResponse(("Ann",)))
        self.assertIn("before logging in", bob.refusal(SEND, "Bob", "Ann", "hi"))
        self.assertIn("before logging in", bob.refusal(DELETE))
        self.assertEqual(bob.refusal(LOGIN, "Bob"), "username does not exist")
        self.assertEqual(
            ann.refusal(SEND, "Ann", "Bob", "hi").split(",")[0],
            "specific recipient Bob does not exist",
        )
        bob.create("Bob")
        self.assertEqual(bob.fetch_mail(), [])

    def test_mail_outlives_its_sender(self) -> None:
        """A letter comes though whoever wrote it has deleted the account since."""
        ann, bob = self.pair()
        bob.close()
        ann.send_text("Ann", "Bob", "goodbye")
        ann.send(encode(DELETE))
        self.assertEqual(ann.received_so_far(), [])
        self.assertEqual(self.client().login("Bob").fetch_mail(), [sent("Ann", "Bob", "goodbye")])

    def test_change_of_account(self) -> None:
        """CREATE or LOGIN while someone else changes who I am; the first one is offline and gets
        mail."""
        ann, bob = self.pair()
        ann.create("Cid")
        bob.send_text("Bob", "Ann", "for Ann")
        bob.send_text("Bob", "Cid", "for Cid")
        self.assertEqual(ann.receive(), sent("Bob", "Cid", "for Cid"))
        self.assertIn("current username is Cid", ann.refusal(SEND, "Ann", "Bob", "hi"))
        self.assertEqual(ann.refusal(LOGIN, "Zed"), "username does not exist")
        ann.send_text("Cid", "Bob", "still Cid")
        self.assertEqual(bob.receive(), sent("Cid", "Bob", "still Cid"))
        other = self.client().login("Ann")
        self.assertEqual(other.fetch_mail(), [sent("Bob", "Ann", "for Ann")])
        other.close()
        ann.login("Ann")
        self.client().login("Cid")

    def test_password(self) -> None:
        """An account made with a password opens to that password only."""
        client = self.client().create("Ann", "secret")
        client.close()
        other = self.client()
        self.assertIn("password required", other.refusal(LOGIN, "Ann"))
        self.assertIn("wrong password", other.refusal(LOGIN, "Ann", "Secret"))
        other.login("Ann", "secret")
        self.assertEqual(self.client().refusal(LOGIN, "Ann", "secret"), "user is already logged in")
        self.client().create("Bob")
        other.send_text("Ann", "Bob", "hi")

    def test_spelling(self) -> None:
        """Names ignore case, yet every frame has my name as I typed it, and others' as they were
        made."""
        ann, bob = self.pair()
        self.assertEqual(self.client().refusal(CREATE, "ANN"), "username already exists")
        bob.close()
        ann.send_text("Ann", "bOB", "old")
        bob = self.client().login("BOB")
        self.assertEqual(bob.fetch_mail(), [sent("Ann", "BOB", "old")])
        ann.send_text("Ann", "bob", "new")
        self.assertEqual(bob.receive(), sent("Ann", "BOB", "new"))
        bob.send_text("BOB", "ann", "back")
        self.assertEqual(ann.receive(), sent("Bob", "Ann", "back"))
        self.assertEqual(bob.ask(LIST), ListResponse(("Ann", "Bob")))

    def test_order(self) -> None:
        """Answers come in the order of the commands, whatever they are."""
        ann, bob = self.pair()
        frame = encode(SEND, "Ann", "Bob", "hi")
        ann.send(
            *(encode(LIST, "A*"), frame),
            *(encode(LOGIN, "Zed"), encode(SEND, "Ann", "Zed", "hi"), frame),
            *(encode(LIST, "B*"), encode(DELIVER), frame),
            *(encode(CREATE, "Bob"), encode(DELETE), encode(LIST), frame),
        )
        echo = sent("Ann", "Bob", "hi")
        self.assertEqual(
            ann.receive_many(9),
            [
                *(ListResponse(("Ann",)), echo),
                *(Response("username does not exist"), Response(NO_SUCH), echo),
                *(ListResponse(("Bob",)), echo),
                *(Response("username already exists"), ListResponse(("Bob",))),
            ],
        )
        self.assertEqual(ann.receive(), Response(STRANGER))
        self.assertEqual(bob.receive_many(3), [echo] * 3)


class CommandsInMemory(Commands, SynchronousTestCase):
    """With --store memory."""

    kind = "memory"


class CommandsInAFile(Commands, SynchronousTestCase):
    """With --store sqlite:FILE."""

    kind = "sqlite"
