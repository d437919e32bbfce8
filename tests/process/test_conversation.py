"""Every command and answer of the classic protocol, with each kind of store."""

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
    """The commands, their answers and their errors."""

    def pair(self) -> tuple[SocketClient, SocketClient]:
        """Connections of Ann and Bob, both logged in."""
        return self.client().create("Ann"), self.client().create("Bob")

    def test_create_logs_in_and_refuses_taken_names(self) -> None:
        """A name is taken whether its account is online or not."""
        ann = self.client().create("Ann")
        other = self.client()
        self.assertEqual(other.refusal(CREATE, "Ann"), "username already exists")
        self.assertEqual(ann.refusal(CREATE, "Ann"), "username already exists")
        ann.close()
        self.assertEqual(other.refusal(CREATE, "Ann"), "username already exists")
        other.create("Bob")
        self.assertEqual(other.received_so_far(), [])

    def test_illegal_names_are_refused(self) -> None:
        """The error states the rule, and no account is created."""
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

    def test_account_has_one_connection_at_a_time(self) -> None:
        """A second connection can log in when the first is closed."""
        ann = self.client().create("Ann")
        other = self.client()
        self.assertEqual(other.refusal(LOGIN, "Zed"), "username does not exist")
        self.assertEqual(other.refusal(LOGIN, "Ann"), "user is already logged in")
        self.assertEqual(ann.refusal(LOGIN, "Ann"), "user is already logged in")
        ann.close()
        other.login("Ann")

    def test_list_is_in_order_of_creation(self) -> None:
        """Before a login too; patterns are those of the old server."""
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

    def test_pattern_of_many_stars_is_answered_quickly(self) -> None:
        """Other connections are not delayed."""
        name = "a" * 32
        client = self.client().create(name)
        stars = "*a" * 59 + "*b"
        self.assertEqual(client.ask(LIST, "*" * 60), ListResponse((name,)))
        self.assertEqual(client.ask(LIST, stars), ListResponse(()))
        self.assertEqual(client.ask(LIST, "*[a-b]" * 30 + "*b"), ListResponse(()))
        self.assertIn("the limit is 256", client.refusal(LIST, "*" * 257))

    def test_sent_bytes_are_delivered_and_echoed(self) -> None:
        """Recipient and sender receive the bytes that were sent; but for the recipient, control
        characters that are no line breaks or tabs become question marks."""
        ann, bob = self.pair()
        ascii_text = "".join(map(chr, range(128)))
        kept = "\t\n\r" + ascii_text[32:127]
        for text in ("hi", "", "|", "||", "a||b", "~" * 60_000, kept):
            ann.send_text("Ann", "Bob", text)
            self.assertEqual(bob.receive(), sent("Ann", "Bob", text))
        ann.send_text("Ann", "Bob", ascii_text)
        shown = "".join(char if char in kept else "?" for char in ascii_text)
        self.assertEqual(bob.receive(), sent("Ann", "Bob", shown))
        bob.send_text("Bob", "Ann", "and back")
        self.assertEqual(ann.receive(), sent("Bob", "Ann", "and back"))

    def test_refused_send_names_the_first_reason(self) -> None:
        """The recipient receives nothing."""
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

    def test_message_to_oneself_arrives_twice(self) -> None:
        """As delivery and as echo; it is not delivered again as mail."""
        ann, _ = self.pair()
        ann.send(encode(SEND, "Ann", "Ann", "note"))
        self.assertEqual(ann.receive_many(2), [sent("Ann", "Ann", "note")] * 2)
        self.assertEqual(ann.fetch_mail(), [])

    def test_mail_waits_for_deliver(self) -> None:
        """Oldest first, and once."""
        ann, bob = self.pair()
        bob.close()
        sent_texts = [f"{number} " + "x" * (number % 7 * 50) for number in range(700)]
        ann.send(*(encode(SEND, "Ann", "Bob", text) for text in sent_texts))
        self.assertEqual(texts(ann.receive_many(700)), sent_texts)
        bob = self.client().login("Bob")
        self.assertEqual(bob.received_so_far(), [])
        self.assertEqual(bob.fetch_mail(), [sent("Ann", "Bob", text) for text in sent_texts])
        self.assertEqual(bob.fetch_mail(), [])
        bob.close()
        self.assertEqual(self.client().login("Bob").fetch_mail(), [])

    def test_new_messages_are_pushed_before_older_mail(self) -> None:
        """DELIVER delivers only the mail."""
        ann, bob = self.pair()
        bob.close()
        ann.send_text("Ann", "Bob", "old")
        bob = self.client().login("Bob")
        ann.send_text("Ann", "Bob", "new")
        self.assertEqual(bob.receive(), sent("Ann", "Bob", "new"))
        self.assertEqual(bob.fetch_mail(), [sent("Ann", "Bob", "old")])
        self.assertEqual(bob.fetch_mail(), [])

    def test_deliver_before_login_is_refused(self) -> None:
        """There is no mailbox then."""
        self.assertEqual(
            self.client().refusal(DELIVER),
            "attempting to deliver undelivered messages before logging in",
        )

    def test_deleted_account_leaves_nothing(self) -> None:
        """No answer; the name is free, the mail is deleted, and the connection can log in again."""
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

    def test_mail_of_a_deleted_sender_is_delivered(self) -> None:
        """Only its name is left."""
        ann, bob = self.pair()
        bob.close()
        ann.send_text("Ann", "Bob", "goodbye")
        ann.send(encode(DELETE))
        self.assertEqual(ann.received_so_far(), [])
        self.assertEqual(self.client().login("Bob").fetch_mail(), [sent("Ann", "Bob", "goodbye")])

    def test_second_login_on_a_connection_changes_the_account(self) -> None:
        """The first account is offline then, and gets mail."""
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

    def test_password_is_required_if_the_account_has_one(self) -> None:
        """No other password is accepted."""
        client = self.client().create("Ann", "secret")
        client.close()
        other = self.client()
        self.assertIn("password required", other.refusal(LOGIN, "Ann"))
        self.assertIn("wrong password", other.refusal(LOGIN, "Ann", "Secret"))
        other.login("Ann", "secret")
        self.assertEqual(self.client().refusal(LOGIN, "Ann", "secret"), "user is already logged in")
        self.client().create("Bob")
        other.send_text("Ann", "Bob", "hi")

    def test_names_ignore_case_but_keep_their_spelling(self) -> None:
        """Each name is shown as it was registered."""
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

    def test_answers_have_the_order_of_the_commands(self) -> None:
        """Whatever the commands are."""
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
