"""The ops protocol, every reply and rule of it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import ops
from chatd.core.errors import RegistrationClosed
from chatd.realm.permissions import Policy
from tests.doubles.text_clients import TextClient
from tests.doubles.v1_clients import MainPortServer


class Ops(SynchronousTestCase):
    """A server in memory, with a port of the protocol's own."""

    def setUp(self) -> None:
        self.server = MainPortServer()

    def client(self, name: str = "", port: str = "ops") -> TextClient:
        """One that has been greeted, and made an account, if it has a name."""
        client = TextClient(self.server, port)
        if name:
            self.assertEqual(
                client.request(f"1|{name}"),
                f"Success New Account Creation! Your new Account ID: {name}123\n",
            )
        return client


class Greeting(Ops):
    """What is said before anything."""

    def test_on_its_own_port(self) -> None:
        """At once."""
        client = TextClient(self.server, "ops")
        self.assertEqual(client.receive(), ops.GREETING)
        self.assertEqual(client.request("4|x123"), "User not Found ")

    def test_on_the_main_port(self) -> None:
        """With the first reply, in one piece."""
        client = TextClient(self.server)
        self.assertEqual(client.receive(), "")
        client.send("1|mason")
        self.assertEqual(len(client.transport.writes), 1)
        self.assertEqual(client.receive(), ops.GREETING + ops.created("mason"))
        self.assertEqual(client.request("2"), "Showing all accounts: mason\n")

    def test_a_digit_by_itself(self) -> None:
        """Is a command after a moment's silence."""
        client = TextClient(self.server)
        client.send("2")
        self.assertEqual(client.receive(), "")
        self.server.clock.advance(0.11)
        self.assertEqual(client.receive(), ops.GREETING + "Showing all accounts: \n")


class Accounts(Ops):
    """Ops 0, 1, 2 and 5."""

    def test_create(self) -> None:
        """Makes it, and logs in; a taken name stays whose it is."""
        mason = self.client("mason")
        for name in ("mason", "Mason"):
            self.assertEqual(
                self.client().request(f"1|{name}"),
                f"Username {name} already exists. Please try a different username.\n",
            )
        self.assertEqual(self.client("wayne").request("3|mason|hi")[:12], "Sender wayne")
        self.assertEqual(mason.receive(), "wayne: hi")

    def test_names_that_are_none(self) -> None:
        """Are refused, with the rule."""
        client = self.client()
        for name, sentence in (
            ("", "Empty string"),
            ("a b", "Illegal username character: ' '"),
            ("a,b", "','"),
            ("Server", "reserved"),
            ("x" * 33, "33 characters"),
            ("é", "'?'"),
        ):
            self.assertIn(sentence, client.request(f"1|{name}"), name)
        self.assertEqual(client.request("2"), "Showing all accounts: \n")

    def test_login(self) -> None:
        """By ID; messages come here from then on."""
        self.client("mason").disconnect()
        client = self.client()
        for id in ("wayne123", "mason", "123", "", "mason1234", "Server123"):
            self.assertEqual(
                client.request(f"0|{id}"),
                f"user with ID : {id} is not recognized in the system, "
                "please try a different name or create a new one\n",
            )
        self.assertEqual(client.request("0|mason123"), "user : mason is now logged in\n")
        self.client("wayne").request("3|mason|hi")
        self.assertEqual(client.receive(), "wayne: hi")

    def test_login_elsewhere(self) -> None:
        """Takes the account over: the older connection is nobody, may be somebody again, and its
        end changes nothing."""
        older, wayne = self.client("mason"), self.client("wayne")
        newer = self.client()
        self.assertEqual(newer.request("0|mason123"), "user : mason is now logged in\n")
        self.assertFalse(older.transport.disconnecting)
        self.assertEqual(older.request("3|wayne|hi"), ops.INVALID)
        older.disconnect()
        self.assertIn("sends a new message", wayne.request("3|mason|one"))
        self.assertEqual(newer.receive(), "wayne: one")
        third = self.client()
        third.request("0|mason123")
        self.assertEqual(newer.request("0|mason123"), "user : mason is now logged in\n")
        wayne.request("3|mason|two")
        self.assertEqual((newer.receive(), third.receive()), ("wayne: two", ""))

    def test_login_as_another(self) -> None:
        """Changes the account: the first one is off."""
        client, other = self.client("mason"), self.client("other")
        self.assertEqual(client.request("1|wayne"), ops.created("wayne"))
        self.assertEqual(
            other.request("3|mason|hi"),
            "message from other has been delivered to mason's mailbox\n",
        )
        self.assertIn("Sender other", other.request("3|wayne|hi"))
        self.assertEqual(client.receive(), "other: hi")

    def test_list(self) -> None:
        """All names, or those that match as a whole, in order of creation, without logging in."""
        self.client("wayne")
        self.client("mason")
        client = self.client()
        for command, reply in (
            ("2", "Showing all accounts: wayne,mason\n"),
            ("2|", "Showing all accounts: wayne,mason\n"),
            ("2|m.son", "Account matched: mason\n"),
            ("2|.+?", "Account matched: wayne,mason\n"),
            ("2|w", "Account matched to: w doesn't exist \n"),
            ("2|M.*", "Account matched to: M.* doesn't exist \n"),
        ):
            self.assertEqual(client.request(command), reply)

    def test_patterns_that_hung_the_old_server(self) -> None:
        """Are refused, and the connection lives."""
        self.client("a" * 30)
        client = self.client()
        for pattern in ("(a+)+$", "([", "(.+)+x", "x" * 300):
            self.assertEqual(client.request(f"2|{pattern}"), ops.INVALID, pattern)
        self.assertEqual(client.request("2|a+"), f"Account matched: {'a' * 30}\n")

    def test_delete(self) -> None:
        """By ID, one's own or another, unless mail waits."""
        mason, wayne = self.client("mason"), self.client("wayne")
        self.assertEqual(mason.request("5|nobody123"), "User Not Found! ")
        wayne.half_close()
        mason.request("3|wayne|hi")
        self.assertEqual(
            mason.request("5|wayne123"),
            "Please check your mailbox before deleting your account! \n",
        )
        mason.request("4|wayne123")
        self.assertEqual(mason.request("5|wayne123"), "Your account has been deleted\n")
        self.assertEqual(mason.request("5|mason123"), "Your account has been deleted\n")
        self.assertEqual(mason.request("2"), "Showing all accounts: \n")
        self.assertEqual(mason.request("3|mason|x"), "Receiver: mason doesn't exist \n")
        self.assertEqual(
            mason.request("1|mason", "4|mason123"), ops.created("mason") + "No new messages\n"
        )

    def test_an_account_with_a_password(self) -> None:
        """Is nobody's here."""
        self.server.log_in("ann", password="secret")
        client = self.client("mason")
        self.assertEqual(client.request("0|ann123"), ops.unknown_id("ann123"))
        self.assertEqual(client.request("4|ann123", "5|ann123"), "User not Found User Not Found! ")
        self.assertEqual(client.request("1|ann"), ops.taken("ann"))
        self.assertIn("Sender mason", client.request("3|ann|hi"))

    def test_where_open_accounts_are_not_allowed(self) -> None:
        """Nobody gets in, and everybody is told why."""
        self.client("mason").disconnect()
        self.server.realm.policy = Policy(open_accounts=False)
        client = self.client()
        for command in ("1|wayne", "0|mason123", "4|mason123", "5|mason123"):
            self.assertIn("password", client.request(command), command)
        self.server.realm.policy = Policy("closed")
        self.assertEqual(client.request("1|wayne"), f"{RegistrationClosed()}\n")
        self.assertEqual(client.request("2|wayne"), "Account matched to: wayne doesn't exist \n")


class Messages(Ops):
    """Ops 3 and 4."""

    def test_online(self) -> None:
        """The recipient has it at once, without a line break; a write for each."""
        mason, wayne = self.client("mason"), self.client("wayne")
        wayne.receive()
        self.assertEqual(
            mason.request("3|wayne|hi"), "Sender mason sends a new message hi to wayne\n"
        )
        self.assertEqual(wayne.receive(), "mason: hi")
        mason.send("3|wayne|a\n3|wayne|b|c|\n")
        self.server.clock.advance(0)
        self.assertEqual(wayne.transport.writes, [b"mason: a", b"mason: b|c|"])

    def test_to_oneself(self) -> None:
        """One is on."""
        mason = self.client("mason")
        self.assertEqual(
            mason.request("3|mason|x"), "mason: xSender mason sends a new message x to mason\n"
        )

    def test_the_mailbox(self) -> None:
        """Mail waits until it is asked for, and once."""
        mason, wayne = self.client("mason"), self.client("wayne")
        wayne.disconnect()
        for text in ("one", "two"):
            self.assertEqual(
                mason.request(f"3|wayne|{text}"),
                "message from mason has been delivered to wayne's mailbox\n",
            )
        wayne = self.client()
        self.assertEqual(wayne.request("0|wayne123"), "user : wayne is now logged in\n")
        mason.request("3|wayne|three")
        self.assertEqual(wayne.receive(), "mason: three")
        self.assertEqual(
            wayne.request("4|wayne123"),
            "undelivered message for user ID wayne123: \nmason sends: one\n\nmason sends: two\n\n",
        )
        self.assertEqual(wayne.request("4|wayne123"), "No new messages\n")
        self.assertEqual(wayne.request("4|nobody123", "4|wayne"), "User not Found " * 2)

    def test_a_mailbox_of_many_pages(self) -> None:
        """All of it, in order, under one heading."""
        mason, wayne = self.client("mason"), self.client("wayne")
        wayne.disconnect()
        for number in range(700):
            mason.send(f"3|wayne|{number}")
        texts = self.client().request("4|wayne123").split("\n", 1)
        self.assertEqual(texts[0], "undelivered message for user ID wayne123: ")
        self.assertEqual(texts[1], "".join(f"mason sends: {number}\n\n" for number in range(700)))
        self.assertEqual(self.client().request("4|wayne123"), "No new messages\n")

    def test_a_mailbox_that_does_not_arrive(self) -> None:
        """Waits again."""
        mason = self.client("mason")
        self.client("wayne").disconnect()
        mason.request("3|wayne|hi")
        subscription = self.client()
        subscription.transport.in_flight = 10
        self.assertIn("mason sends: hi", subscription.request("4|wayne123"))
        subscription.disconnect()
        self.server.clock.advance(0.1)
        again = self.client()
        self.assertIn("mason sends: hi", again.request("4|wayne123"))
        self.assertEqual(again.request("4|wayne123"), "No new messages\n")

    def test_what_was_pushed_and_did_not_arrive(self) -> None:
        """Waits, too."""
        mason, wayne = self.client("mason"), self.client("wayne")
        wayne.transport.in_flight = 1000
        mason.request("3|wayne|hi")
        wayne.disconnect()
        self.server.clock.advance(2)
        self.assertIn("mason sends: hi", self.client().request("4|wayne123"))

    def test_unknown(self) -> None:
        """The recipient is looked at first, then the sender."""
        client = self.client()
        self.assertEqual(client.request("3|wayne|hi"), "Receiver: wayne doesn't exist \n")
        self.client("wayne")
        self.assertEqual(client.request("3|wayne|hi"), ops.INVALID)

    def test_too_long(self) -> None:
        """Is refused; the longest passes."""
        server = self.server = MainPortServer(text=2000)
        mason, wayne = self.client("mason"), self.client("wayne")
        self.assertIn("text too long", mason.request("3|wayne|" + "x" * 2001))
        wayne.receive()
        mason.request("3|wayne|" + "x" * 2000)
        self.assertEqual(wayne.receive(), "mason: " + "x" * 2000)
        self.assertEqual(len(server.factory.connections), 2)

    def test_characters(self) -> None:
        """What is not ASCII goes out as question marks, and is kept as it was said."""
        mason, wayne, ann = self.client("mason"), self.client("wayne"), self.server.log_in("ann")
        wayne.receive()
        self.assertEqual(
            mason.request("3|wayne|é\nx"), "Sender mason sends a new message ? x to wayne\n"
        )
        self.assertEqual(wayne.receive(), "mason: ? x")
        mason.request("3|ann|é\nx")
        self.assertEqual(ann.receive_entries(), [("@ann", "mason", "é\nx")])

    def test_invalid(self) -> None:
        """Whatever else, and the connection lives."""
        client = self.client("mason")
        for chunk in ("", "9|x", "3|wayne", "hello", b"\xff\xfe", "quit"):
            if chunk:
                self.assertEqual(client.request(chunk), ops.INVALID)
        self.assertEqual(client.request("4|mason123"), "No new messages\n")


class Order(Ops):
    """What waits, and the end."""

    def test_in_order(self) -> None:
        """Commands that come while another waits for the store are answered in turn."""
        mason = self.client("mason")
        self.server.store.eager = False
        mason.receive()
        mason.send("1|wayne", "2", "3|wayne|hi", "4|mason123")
        self.assertEqual(mason.receive(), "")
        self.server.store.eager = True
        self.server.store.release()
        self.server.clock.advance(0)
        self.assertEqual(
            mason.receive(),
            ops.created("wayne")
            + "Showing all accounts: mason,wayne\n"
            + "wayne: hiSender wayne sends a new message hi to wayne\n"
            + "No new messages\n",
        )

    def test_never_paused(self) -> None:
        """Or two commands would be read as one."""
        mason = self.client("mason")
        self.server.store.eager = False
        for _ in range(50):
            mason.send("3|mason|x")
        self.assertEqual(mason.transport.producerState, "producing")

    def test_too_many(self) -> None:
        """Who never waits for a reply is cut off at some time."""
        mason = self.client("mason")
        self.server.store.eager = False
        mason.receive()
        for _ in range(1_100):
            mason.send("3|mason|x")
        self.server.store.eager = True
        self.server.store.release()
        self.server.clock.advance(5)
        self.assertIn("too many commands", mason.receive())
        self.assertTrue(mason.transport.disconnecting or mason.transport.half_closed)

    def test_bye(self) -> None:
        """The client closes its sending side: it is logged out, gets what it is owed, and then the
        end."""
        mason = self.client("mason")
        self.server.store.eager = False
        mason.receive()
        mason.send("3|mason|x", "4|mason123")
        mason.half_close()
        self.assertFalse(mason.transport.disconnecting)
        self.server.store.eager = True
        self.server.store.release()
        self.server.clock.advance(0.1)
        self.assertTrue(mason.transport.disconnecting)
        self.assertIn("Sender mason sends a new message x to mason\n", mason.receive())
        self.assertFalse(self.server.realm.sessions.online("mason"))

    def test_the_conversations_of_the_old_tests(self) -> None:
        """Each on a connection of its own, a command every tenth of a second."""
        for talk, replies in (
            (
                ("1|mason", "2|m.son", "4|mason123"),
                (ops.created("mason"), "Account matched: mason\n", "No new messages\n"),
            ),
            (
                ("1|wayne", "2", "3|mason|hi", "5|wayne123", "2|w.yne"),
                (
                    ops.created("wayne"),
                    "Showing all accounts: mason,wayne\n",
                    "message from wayne has been delivered to mason's mailbox\n",
                    "Your account has been deleted\n",
                    "Account matched to: w.yne doesn't exist \n",
                ),
            ),
            (
                ("0|mason123", "4|mason123", "3|wayne|hi", "5|mason123"),
                (
                    "user : mason is now logged in\n",
                    "undelivered message for user ID mason123: \nwayne sends: hi\n\n",
                    "Receiver: wayne doesn't exist \n",
                    "Your account has been deleted\n",
                ),
            ),
        ):
            client = self.client()
            self.assertEqual(client.receive(), ops.GREETING)
            for command, reply in zip(talk, replies, strict=True):
                self.assertEqual(client.request(command), reply)
                self.server.clock.advance(0.1)
            client.half_close()
            self.server.clock.advance(0.1)
            self.assertTrue(client.transport.disconnecting)
            client.disconnect()
