"""The ops protocol: every reply, the mailbox, and the order of commands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import ops
from chatd.codecs import v1_messages as c
from chatd.core.entries import Entry
from chatd.core.errors import RegistrationClosed, StoreUnavailable, UnknownAccount
from chatd.realm.accounts import Account
from chatd.realm.mail_fetch import MailFetch
from chatd.realm.permissions import Policy
from tests.doubles.text_clients import TextClient
from tests.doubles.v1_clients import MainPortServer


class OpsCase(SynchronousTestCase):
    """A server in memory, with clients of the port of ops."""

    def setUp(self) -> None:
        self.server = MainPortServer()

    def client(self, name: str = "", port: str = "ops") -> TextClient:
        """A new client, which has created an account if it has a name."""
        client = TextClient(self.server, port)
        if name:
            self.assertEqual(
                client.request(f"1|{name}"),
                f"Success New Account Creation! Your new Account ID: {name}123\n",
            )
        return client


class Greeting(OpsCase):
    """The text that precedes the first reply."""

    def test_greeting_is_sent_at_once_on_the_port_of_ops(self) -> None:
        """The client need not send anything."""
        client = TextClient(self.server, "ops")
        self.assertEqual(client.receive(), ops.GREETING)
        self.assertEqual(client.request("4|x123"), "User not Found ")

    def test_greeting_precedes_the_first_reply_on_the_main_port(self) -> None:
        """Both are sent in one write."""
        client = TextClient(self.server)
        self.assertEqual(client.receive(), "")
        client.send("1|mason")
        self.assertEqual(len(client.transport.writes), 1)
        self.assertEqual(client.receive(), ops.GREETING + ops.created("mason"))
        self.assertEqual(client.request("2"), "Showing all accounts: mason\n")

    def test_digit_by_itself_is_a_command_after_a_pause(self) -> None:
        """On the main port more bytes could follow it."""
        client = TextClient(self.server)
        client.send("2")
        self.assertEqual(client.receive(), "")
        self.server.clock.advance(0.11)
        self.assertEqual(client.receive(), ops.GREETING + "Showing all accounts: \n")


class Accounts(OpsCase):
    """Commands 0, 1, 2 and 5."""

    def test_created_account_is_logged_in_and_its_name_is_taken(self) -> None:
        """The name is taken in every spelling; messages still go to the first client."""
        mason = self.client("mason")
        for name in ("mason", "Mason"):
            self.assertEqual(
                self.client().request(f"1|{name}"),
                f"Username {name} already exists. Please try a different username.\n",
            )
        self.assertEqual(self.client("wayne").request("3|mason|hi")[:12], "Sender wayne")
        self.assertEqual(mason.receive(), "wayne: hi")

    def test_account_is_created_with_an_invite_token(self) -> None:
        """The token is good for one account."""
        self.server.realm.policy = Policy("invite")
        token = self.server.invite_token()
        client = self.client()
        client.receive()
        self.assertIn("requires an invite token", client.request("1|mason"))
        self.assertIn("token is unknown", client.request(f"1|mason|{token[::-1]}"))
        self.assertEqual(client.request(f"1|mason|{token}"), ops.created("mason"))
        self.assertEqual(client.request(f"1|mason|{token}"), ops.taken("mason"))
        self.assertIn("token is unknown", client.request(f"1|wayne|{token}"))

    def test_illegal_names_are_refused_with_the_rule(self) -> None:
        """The connection goes on after a refusal."""
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

    def test_login_by_id_receives_the_messages(self) -> None:
        """A login with an unknown ID is refused."""
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

    def test_login_takes_an_account_over_from_another_connection(self) -> None:
        """The older connection goes on, logged out; its end changes nothing."""
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

    def test_creating_an_account_logs_the_former_one_out(self) -> None:
        """Its messages wait from then on."""
        client, other = self.client("mason"), self.client("other")
        self.assertEqual(client.request("1|wayne"), ops.created("wayne"))
        self.assertEqual(
            other.request("3|mason|hi"),
            "message from other has been delivered to mason's mailbox\n",
        )
        self.assertIn("Sender other", other.request("3|wayne|hi"))
        self.assertEqual(client.receive(), "other: hi")

    def test_accounts_are_listed_in_order_of_creation(self) -> None:
        """A pattern must match the whole name. No login is needed."""
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

    def test_patterns_that_take_exponential_time_are_refused(self) -> None:
        """The connection goes on after the refusal."""
        self.client("a" * 30)
        client = self.client()
        for pattern in ("(a+)+$", "([", "(.+)+x", "x" * 300):
            self.assertEqual(client.request(f"2|{pattern}"), ops.INVALID, pattern)
        self.assertEqual(client.request("2|a+"), f"Account matched: {'a' * 30}\n")

    def test_account_is_deleted_by_its_id_unless_mail_waits(self) -> None:
        """A client may delete its own account or another one."""
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

    def test_account_that_is_not_open_any_more_is_not_deleted(self) -> None:
        """It gets a password, or a new owner, while its mailbox is looked at."""
        realm = self.server.realm
        client = self.client("mason")
        open_mail_fetch = realm.sessions.open_mail_fetch

        async def with_password(name: str, account: Account) -> MailFetch:
            mail = await open_mail_fetch(name, account)
            await realm.set_password(name, "secret")
            return mail

        async def with_new_owner(name: str, account: Account) -> MailFetch:
            mail = await open_mail_fetch(name, account)
            await realm.delete_account(name)
            await realm.register(name)
            return mail

        for meanwhile in (with_password, with_new_owner):
            self.client("wayne").half_close()
            self.patch(realm.sessions, "open_mail_fetch", meanwhile)
            self.assertEqual(client.request("5|wayne123"), ops.UNKNOWN_ACCOUNT)
            self.assertEqual(client.request("2"), "Showing all accounts: mason,wayne\n")
            self.server.run(realm.delete_account("wayne"))

    def test_account_with_a_password_cannot_be_used(self) -> None:
        """Messages can be sent to it."""
        self.server.log_in("ann", password="secret")
        client = self.client("mason")
        self.assertEqual(client.request("0|ann123"), ops.unknown_id("ann123"))
        self.assertEqual(client.request("4|ann123", "5|ann123"), "User not Found User Not Found! ")
        self.assertEqual(client.request("1|ann"), ops.taken("ann"))
        self.assertIn("Sender mason", client.request("3|ann|hi"))

    def test_commands_are_refused_where_open_accounts_are_forbidden(self) -> None:
        """The reply has the reason. Closed registration is refused, too."""
        self.client("mason").disconnect()
        self.server.realm.policy = Policy(open_accounts=False)
        client = self.client()
        for command in ("1|wayne", "0|mason123", "4|mason123", "5|mason123"):
            self.assertIn("password", client.request(command), command)
        self.server.realm.policy = Policy("closed")
        self.assertEqual(client.request("1|wayne"), f"{RegistrationClosed()}\n")
        self.assertEqual(client.request("2|wayne"), "Account matched to: wayne doesn't exist \n")


class Messages(OpsCase):
    """Commands 3 and 4."""

    def test_message_to_an_online_recipient_is_sent_at_once(self) -> None:
        """Each message is a write of its own, without a line break."""
        mason, wayne = self.client("mason"), self.client("wayne")
        wayne.receive()
        self.assertEqual(
            mason.request("3|wayne|hi"), "Sender mason sends a new message hi to wayne\n"
        )
        self.assertEqual(wayne.receive(), "mason: hi")
        mason.send("3|wayne|a\n3|wayne|b|c|\n")
        self.server.clock.advance(0)
        self.assertEqual(wayne.transport.writes, [b"mason: a", b"mason: b|c|"])

    def test_message_to_a_hidden_account_is_answered_as_if_it_were_offline(self) -> None:
        """It is sent at once all the same."""
        mason, wayne = self.client("mason"), self.server.log_in("wayne")
        wayne.request(c.SetPresence(0, hidden=True))
        self.assertEqual(mason.request("3|wayne|hi"), ops.left_in_mailbox("mason", "wayne"))
        self.assertEqual(wayne.receive_bodies(), ["hi"])

    def test_messages_on_their_way_arrive_before_the_account_changes(self) -> None:
        """They are not sent again; those that do not arrive within a second are."""
        mason, client = self.client("mason"), self.client("wayne")
        for create, arrives in (("1|eve", True), ("1|bob", False)):
            client.request("0|wayne123")
            client.transport.in_flight = 5
            mason.send("3|wayne|hi")
            client.receive()
            client.send(create)
            self.server.clock.advance(0.2)
            self.assertEqual(client.receive(), "")
            client.transport.in_flight = 0 if arrives else 5
            self.server.clock.pump([0.01] * (2 if arrives else 100))
            self.assertEqual(client.receive(), ops.created(create[2:]))
            client.transport.in_flight = 0
            waiting = client.request("4|wayne123")
            self.assertEqual(waiting == ops.NO_MESSAGES, arrives)

    def test_message_to_oneself_is_delivered_and_answered(self) -> None:
        """The client receives its message before the reply."""
        mason = self.client("mason")
        self.assertEqual(
            mason.request("3|mason|x"), "mason: xSender mason sends a new message x to mason\n"
        )

    def test_mailbox_is_fetched_once(self) -> None:
        """Messages that arrive while the recipient is online are not in it."""
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

    def test_mailbox_of_many_pages_is_sent_in_order(self) -> None:
        """All pages are under one heading and are sent once."""
        mason, wayne = self.client("mason"), self.client("wayne")
        wayne.disconnect()
        for number in range(700):
            mason.send(f"3|wayne|{number}")
        texts = self.client().request("4|wayne123").split("\n", 1)
        self.assertEqual(texts[0], "undelivered message for user ID wayne123: ")
        self.assertEqual(texts[1], "".join(f"mason sends: {number}\n\n" for number in range(700)))
        self.assertEqual(self.client().request("4|wayne123"), "No new messages\n")

    def test_mailbox_that_has_not_arrived_waits_again(self) -> None:
        """It can be fetched again after the connection is lost."""
        mason = self.client("mason")
        self.client("wayne").disconnect()
        mason.request("3|wayne|hi")
        client = self.client()
        client.transport.in_flight = 10
        self.assertIn("mason sends: hi", client.request("4|wayne123"))
        client.disconnect()
        self.server.clock.advance(0.1)
        again = self.client()
        self.assertIn("mason sends: hi", again.request("4|wayne123"))
        self.assertEqual(again.request("4|wayne123"), "No new messages\n")

    def test_mailbox_that_is_saved_later_gets_one_reply(self) -> None:
        """The store cannot write when the messages have been shown."""
        mason = self.client("mason")
        self.client("wayne").disconnect()
        mason.request("3|wayne|hi")
        client = self.client()
        acknowledge = MailFetch.acknowledge

        async def save_later(mail: MailFetch, entries: Sequence[Entry]) -> None:
            await acknowledge(mail, entries)
            raise StoreUnavailable()

        self.patch(MailFetch, "acknowledge", save_later)
        self.assertEqual(
            client.request("4|wayne123"), ops.mail("wayne123") + ops.mail_item("mason", "hi")
        )

    def test_mailbox_of_an_account_that_changes_is_shown_no_further(self) -> None:
        """Before the first page the reply is that of an unknown mailbox, or the reason; later the
        reason follows the messages."""
        realm = self.server.realm
        mason = self.client("mason")
        ended, deleted = "have just been ended: log in again.\n", f"{UnknownAccount()}\n"
        read_page = MailFetch.page
        for change, pages, end in (
            (realm.delete_account, 0, ops.UNKNOWN_MAILBOX),
            (realm.delete_account, 1, f"mason sends: 255\n\n{deleted}"),
            (lambda name: realm.set_password(name, "secret"), 0, ended),
            (lambda name: realm.set_password(name, "secret"), 1, ended),
        ):
            with self.subTest(end=end, pages=pages):
                self.client("wayne").disconnect()
                for number in range(300):
                    mason.send(f"3|wayne|{number}")
                left = [pages]

                async def page(mail: MailFetch, change: Any = change, left: Any = left) -> Any:
                    if not left[0]:
                        await change("wayne")
                    left[0] -= 1
                    return await read_page(mail)

                self.patch(MailFetch, "page", page)
                reply = self.client().request("4|wayne123")
                self.assertTrue(reply.endswith(end), reply[-200:])
                self.assertEqual(reply.count("mason sends"), 256 * pages)
                self.patch(MailFetch, "page", read_page)
                if end == ended:
                    self.server.run(realm.delete_account("wayne"))

    def test_message_that_has_not_arrived_waits_in_the_mailbox(self) -> None:
        """It can be fetched after the connection is lost."""
        mason, wayne = self.client("mason"), self.client("wayne")
        wayne.transport.in_flight = 1000
        mason.request("3|wayne|hi")
        wayne.disconnect()
        self.server.clock.advance(2)
        self.assertIn("mason sends: hi", self.client().request("4|wayne123"))

    def test_send_to_unknown_recipient_is_refused(self) -> None:
        """The recipient is checked before the sender."""
        client = self.client()
        self.assertEqual(client.request("3|wayne|hi"), "Receiver: wayne doesn't exist \n")
        self.client("wayne")
        self.assertEqual(client.request("3|wayne|hi"), ops.INVALID)

    def test_text_over_the_limit_is_refused(self) -> None:
        """A text of the greatest length is sent."""
        server = self.server = MainPortServer(text=2000)
        mason, wayne = self.client("mason"), self.client("wayne")
        self.assertIn("text too long", mason.request("3|wayne|" + "x" * 2001))
        wayne.receive()
        mason.request("3|wayne|" + "x" * 2000)
        self.assertEqual(wayne.receive(), "mason: " + "x" * 2000)
        self.assertEqual(len(server.factory.connections), 2)

    def test_long_text_is_one_command_and_its_end_is_none(self) -> None:
        """A read has at most 65,536 bytes; the rest of a text may look like a command."""
        mason = self.client("mason")
        head = "3|mason|".ljust(65_536, "x")
        self.assertIn("text too long", mason.request(head, "5|mason123"))
        self.assertIn("text too long", mason.request(head, head, "5|mason123\n"))
        self.assertEqual(mason.request("4|mason123"), ops.NO_MESSAGES)

    def test_characters_beyond_ascii_are_sent_as_question_marks(self) -> None:
        """They are stored unchanged, for other protocols."""
        mason, wayne, ann = self.client("mason"), self.client("wayne"), self.server.log_in("ann")
        wayne.receive()
        self.assertEqual(
            mason.request("3|wayne|é\nx"), "Sender mason sends a new message ? x to wayne\n"
        )
        self.assertEqual(wayne.receive(), "mason: ? x")
        mason.request("3|ann|é\nx")
        self.assertEqual(ann.receive_entries(), [("@ann", "mason", "é\nx")])

    def test_invalid_commands_are_refused(self) -> None:
        """The connection goes on."""
        client = self.client("mason")
        for chunk in ("", "9|x", "3|wayne", "hello", b"\xff\xfe", "quit"):
            if chunk:
                self.assertEqual(client.request(chunk), ops.INVALID)
        self.assertEqual(client.request("4|mason123"), "No new messages\n")


class Order(OpsCase):
    """Commands that wait for others, and the end of a connection."""

    def test_commands_are_answered_in_order(self) -> None:
        """Commands that arrive while another waits for the store are queued."""
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

    def test_connection_is_read_while_commands_wait(self) -> None:
        """Two commands in one read would be taken for one."""
        mason = self.client("mason")
        self.server.store.eager = False
        for _ in range(50):
            mason.send("3|mason|x")
        self.assertEqual(mason.transport.producerState, "producing")

    def test_client_that_does_not_wait_for_replies_is_disconnected(self) -> None:
        """It gets a reply when too many commands wait."""
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

    def test_client_that_sends_too_many_commands_at_once_is_disconnected(self) -> None:
        """None of them is carried out, however little each one takes."""
        mason = self.client("mason")
        mason.receive()
        mason.send("x\n" * 1_001)
        self.assertEqual(mason.receive(), "too many commands wait for their turn\n")
        self.server.clock.advance(5)
        self.assertTrue(mason.transport.disconnecting or mason.transport.half_closed)

    def test_half_closed_client_gets_its_replies(self) -> None:
        """Then it is logged out, and the connection is closed."""
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

    def test_conversations_of_the_former_tests(self) -> None:
        """Each is on a connection of its own, with a command every tenth of a second."""
        for commands, replies in (
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
            for command, reply in zip(commands, replies, strict=True):
                self.assertEqual(client.request(command), reply)
                self.server.clock.advance(0.1)
            client.half_close()
            self.server.clock.advance(0.1)
            self.assertTrue(client.transport.disconnecting)
            client.disconnect()
