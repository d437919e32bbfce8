"""The dialogue, on a screen in memory with a daemon in memory."""

from __future__ import annotations

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectingCancelledError, ConnectionDone, ConnectionRefusedError
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.classic.chat import WINDOW, ClassicChat
from chatd.client.classic.connection import NO_TOKEN, Connection, ConnectionHandler
from chatd.client.cli.exit_status import INTERRUPT
from chatd.client.cli.screen import InvalidLine
from chatd.codecs import classic
from chatd.core import invite_tokens
from chatd.core.errors import InviteInvalid, InviteRequired
from tests.doubles.classic_server import FakeDaemon, RecordingHandler
from tests.doubles.screen import FakeScreen

MENU_BEFORE = "(Commands: login, create_account, quit)"
MENU = (
    "(Commands: help (h), compose (c), list users (l), get messages (g), delete account (d),"
    " logout (q))"
)


class ChatCase(SynchronousTestCase):
    """A user or a script, and a daemon."""

    interactive = True

    def setUp(self) -> None:
        self.daemon = FakeDaemon()

    def begin(
        self, name: str | None = None, password: str | None = None, invite: str | None = None
    ) -> None:
        """Start the client."""
        self.screen = FakeScreen(self.interactive)

        def connected(handler: ConnectionHandler) -> Deferred[Connection]:
            self.connection = self.daemon.connect(handler)
            return succeed(self.connection)

        self.chat = ClassicChat(self.screen, connected, name, password, invite)
        self.ended = self.chat.start()
        self.daemon.pump()

    def type(self, *lines: str) -> list[str]:
        """Type lines, and return the lines shown since the last call."""
        for line in lines:
            self.screen.type(line)
            self.daemon.pump()
        return self.shown()

    def shown(self) -> list[str]:
        """Return the lines shown since the last call."""
        lines, self.screen.lines = self.screen.lines, []
        return lines

    def account(self, name: str, password: str | None = None) -> Connection:
        """Create another account, which is logged in."""
        connection = self.daemon.connect(RecordingHandler())
        connection.create(name, password)
        self.daemon.pump()
        return connection

    def lose(self) -> None:
        """End the connection, as a daemon that stops."""
        self.connection.connectionLost(Failure(ConnectionDone()))


class MenuTests(ChatCase):
    """The menus at a terminal."""

    def test_account_is_created_and_logged_in_by_menu(self) -> None:
        """The lines are those of the old client."""
        self.begin()
        self.assertEqual(self.shown(), [MENU_BEFORE])
        self.assertEqual(self.screen.prompt, "> ")
        self.type("login")
        self.assertEqual(self.screen.prompt, "Username: ")
        self.assertEqual(self.type("Alicia"), ["! username does not exist", MENU_BEFORE])
        self.assertEqual(self.type("create_account", "Alicia"), ["Logged in as: Alicia", MENU])
        self.assertEqual(self.type("q"), [])
        self.assertEqual(self.successResultOf(self.ended), 0)

    def test_name_that_is_taken_is_refused(self) -> None:
        """A second login to an account is refused too."""
        self.account("Alicia")
        self.begin()
        self.assertIn("! Username is taken.", self.type("create_account", "Alicia"))
        self.assertIn("! user is already logged in", self.type("login", "Alicia"))

    def test_compose_asks_before_it_sends(self) -> None:
        """The questions are for the recipient, the text, and a confirmation."""
        bob = self.account("Bobert")
        self.begin("Alicia")
        self.type("")
        self.type("c")
        self.assertEqual(self.screen.prompt, "Recipient: ")
        self.type("Bobert")
        self.assertEqual(self.screen.prompt, "Message: ")
        self.type("Salutations")
        self.assertEqual(self.screen.prompt, "Send? (y/n): ")
        self.shown()
        self.assertEqual(self.type("y"), [">Bobert Salutations"])
        self.assertEqual(self.type("compose", "Bobert", "never mind", "n"), ["(Not sent.)"])
        self.assertEqual(self.type("c", "nobody", "hi", "y")[0][:16], "! Server error: ")
        self.assertEqual(bob.outstanding, 0)

    def test_accounts_are_listed_by_menu_and_by_slash_command(self) -> None:
        """The menu has a name and a letter for it; a pattern is optional."""
        self.account("Bobert")
        self.begin("Alicia")
        self.type("")
        self.shown()
        both = ["Accounts:", "\tBobert", "\tAlicia"]
        self.assertEqual(self.type("l", "*"), both)
        self.assertEqual(self.type("list users", ""), both)
        self.assertEqual(self.type("list", "B*"), both[:2])
        self.assertEqual(self.type("/list"), both)
        self.assertEqual(self.type("/list A*"), ["Accounts:", "\tAlicia"])

    def test_get_shows_waiting_messages(self) -> None:
        """If no message waits, there is a note."""
        self.account("Bobert").send("Bobert", "x")
        self.begin("Alicia")
        self.type("")
        self.shown()
        self.assertEqual(self.type("g"), ["(No new messages.)"])
        self.daemon.mail["Alicia"] = [classic.encode_send("Bobert", "Alicia", "hi")]
        self.assertEqual(self.type("get messages"), ["Bobert> hi"])

    def test_delete_asks_and_exits(self) -> None:
        """The account is deleted only if that is confirmed."""
        self.begin("Alicia")
        self.type("")
        self.shown()
        self.type("/delete")
        self.assertEqual(self.screen.prompt, "Confirm account deletion? (y/n): ")
        self.assertEqual(self.type("n"), ["(Not deleted.)"])
        self.assertEqual(self.type("d", "y"), ["Account deleted: Alicia"])
        self.assertEqual(self.successResultOf(self.ended), 0)
        self.assertEqual(self.daemon.passwords, {})

    def test_invalid_lines_get_a_hint(self) -> None:
        """Text, missing arguments and commands of the other menu; empty lines are ignored."""
        self.begin("Alicia")
        self.type("")
        self.shown()
        hint = "(Type /msg USER TEXT to send a message, help to see all commands.)"
        self.assertEqual(self.type("hello there"), ["! (invalid command)", hint])
        self.assertEqual(self.type("   "), [])
        self.assertEqual(self.type("/msg Bobert"), ["! Usage: /msg USER TEXT"])
        self.assertEqual(
            self.type("login"), ["! (invalid command)", "(You are already logged in as Alicia.)"]
        )

    def test_commands_that_require_an_account_get_a_hint(self) -> None:
        """Before logging in, the help lists the commands that can be used."""
        self.begin()
        self.shown()
        self.assertEqual(
            self.type("/msg a b"),
            [
                "! (invalid command)",
                "(This command requires an account: log in first.)",
                MENU_BEFORE,
            ],
        )
        self.assertIn("create_account", "\n".join(self.type("/help")))
        self.type("quit")
        self.assertEqual(self.successResultOf(self.ended), 0)

    def test_every_form_of_the_command_to_exit_ends_the_client(self) -> None:
        """The forms are a name, a letter and a slash command."""
        for word in ("q", "logout", "/quit", "quit", "tata", "/tata"):
            self.daemon = FakeDaemon()
            self.begin("Alicia")
            self.type("", word)
            self.assertEqual(self.successResultOf(self.ended), 0, word)

    def test_commands_and_names_are_completed(self) -> None:
        """The names are those that were shown."""
        self.account("Bobert")
        self.begin("Alicia")
        self.type("", "/list")
        complete = self.screen.complete
        assert complete is not None
        self.assertEqual(complete("/m"), ["/msg "])
        self.assertEqual(complete("/msg b"), ["/msg Bobert "])
        self.assertEqual(complete("/msg Bobert x"), [])
        self.assertEqual(complete("comp"), ["compose"])
        self.assertEqual(complete("nothing"), [])


class InviteTests(ChatCase):
    """A server where an account requires an invite token and a password."""

    token = invite_tokens.encoded(bytes(16))
    wrong = invite_tokens.encoded(bytes(15) + b"x")

    def setUp(self) -> None:
        super().setUp()
        self.daemon.invite = self.token

    def test_token_and_password_are_asked_for(self) -> None:
        """By the menu, and for a name on the command line."""
        self.begin()
        self.type("create_account", "alice")
        self.assertEqual(self.screen.prompt, "Invite token: ")
        self.assertIn(f"! {NO_TOKEN}", self.type("token"))
        self.type(self.wrong)
        self.assertEqual(self.screen.prompt, "Password (empty: anyone can log in): ")
        self.assertIn(f"! {InviteInvalid()}", self.type("pw", "pw"))
        self.assertIn("Logged in as: alice", self.type(self.token.upper()))
        self.begin("bob")
        self.type("pw", "pw")
        self.assertEqual(self.screen.prompt, "Invite token: ")
        self.assertIn("(Logged in as: bob)", self.type(self.token))
        self.assertEqual(self.daemon.passwords, {"alice": "pw", "bob": "pw"})

    def test_token_of_the_command_line_is_used(self) -> None:
        """It is not asked for."""
        self.begin("alice", "pw", self.token)
        self.type("pw", "pw")
        self.assertEqual(self.daemon.passwords, {"alice": "pw"})

    def test_script_gives_both_on_the_command_line(self) -> None:
        """Its lines are commands."""
        self.interactive = False
        self.begin("alice", "pw", self.token)
        self.assertEqual(self.daemon.passwords, {"alice": "pw"})
        self.begin("bob", "pw")
        self.assertIn(f"! {InviteRequired()}", self.shown())


class LoginAtStartTests(ChatCase):
    """A name given on the command line."""

    def test_new_name_is_registered(self) -> None:
        """The account is open if no password is chosen."""
        self.begin("alice")
        self.assertEqual(self.shown(), ["CREATING NEW ID: alice"])
        self.assertTrue(self.screen.hidden)
        self.assertEqual(self.type(""), ["(Logged in as: alice)", MENU])
        self.assertEqual(self.daemon.passwords, {"alice": None})

    def test_new_password_is_asked_for_twice(self) -> None:
        """The questions are repeated until both answers are the same."""
        self.begin("alice")
        self.assertEqual(
            self.type("secret", "secrte")[-1], "(The passwords do not match. Try again.)"
        )
        self.type("secret", "secret")
        self.assertEqual(self.daemon.passwords, {"alice": "secret"})
        self.assertFalse(self.screen.hidden)

    def test_password_is_asked_for_up_to_three_times(self) -> None:
        """The typed characters are hidden; after that the menu is shown."""
        self.account("alice", "secret")
        self.daemon.online.clear()
        self.begin("alice")
        self.assertTrue(self.screen.hidden)
        self.assertEqual(self.screen.prompt, "Password: ")
        self.assertEqual(
            self.type("wrong", "secret"), ["! wrong password", "(Logged in as: alice)", MENU]
        )
        self.daemon.online.clear()
        self.begin("alice")
        self.assertEqual(self.type("a", "b", "c"), ["! wrong password"] * 3 + [MENU_BEFORE])

    def test_password_of_the_command_line_is_tried_once(self) -> None:
        """Then the user is asked for one: the next login may be to another account."""
        self.account("alice", "secret")
        self.daemon.online.clear()
        self.begin("alice", "stale")
        self.assertEqual(self.shown(), ["! wrong password", MENU_BEFORE])
        self.assertEqual(self.type("login", "alice", "secret"), ["Logged in as: alice", MENU])

    def test_account_that_is_already_logged_in_is_refused(self) -> None:
        """The server's error and the menu are shown."""
        self.account("alice")
        self.begin("alice")
        self.assertEqual(self.shown(), ["! user is already logged in", MENU_BEFORE])


class ScriptTests(ChatCase):
    """Lines of a script."""

    interactive = False

    def test_end_of_input_waits_for_acknowledgements(self) -> None:
        """Each acknowledged message is shown."""
        self.account("bob")
        self.begin("alice")
        self.assertEqual(self.shown(), ["CREATING NEW ID: alice", "(Logged in as: alice)", MENU])
        self.screen.type("/msg bob one")
        self.screen.type("/msg bob  two ")
        self.screen.end_input()
        self.assertNoResult(self.ended)
        self.daemon.pump()
        self.assertEqual(self.shown(), [">bob one", ">bob  two "])
        self.assertEqual(self.successResultOf(self.ended), 0)

    def test_exit_status_is_1_after_an_error(self) -> None:
        """Errors are a refused message, an unsendable one and an invalid line."""
        for line in (
            "/msg nobody hi",
            "/msg alice a|||b",
            "/msg alice caf\u00e9",
            "nonsense",
            "/msg",
            "/get x",
        ):
            self.daemon = FakeDaemon()
            self.begin("alice")
            self.shown()
            self.assertEqual(self.type(line)[0][0], "!", line)
            self.screen.end_input()
            self.daemon.pump()
            self.assertEqual(self.successResultOf(self.ended), 1, line)

    def test_input_is_paused_while_many_messages_are_unacknowledged(self) -> None:
        """At `WINDOW` of them the next line is not read."""
        self.account("bob")
        self.begin("alice")
        for number in range(WINDOW):
            self.assertEqual(self.screen.prompt, "> ")
            self.screen.type(f"/msg bob {number}")
        self.assertEqual(self.screen.prompt, "")
        self.daemon.pump()
        self.assertEqual(self.screen.prompt, "> ")

    def test_delete_by_slash_command_does_not_ask(self) -> None:
        """A script cannot be asked."""
        self.begin("alice")
        self.type("/delete")
        self.assertEqual(self.successResultOf(self.ended), 0)
        self.assertEqual(self.daemon.passwords, {})

    def test_menus_can_be_scripted(self) -> None:
        """The answers are lines of the script."""
        self.begin()
        lines = self.type("create_account", "alice", "c", "alice", "hi", "y", "d", "y")
        self.assertIn("Logged in as: alice", lines)
        self.assertIn(">alice hi", lines)
        self.assertEqual(self.successResultOf(self.ended), 0)

    def test_password_of_a_script_comes_from_the_command_line(self) -> None:
        """It is used if the account has one; without it, the error says how to set it."""
        self.account("alice", "secret")
        self.daemon.online.clear()
        self.begin("alice")
        self.assertIn("CHATD_PASSWORD", self.shown()[0])
        self.assertEqual(self.successResultOf(self.ended), 1)
        self.begin("alice", "secret")
        self.assertIn("(Logged in as: alice)", self.shown())
        self.daemon.online.clear()
        self.begin("alice", "stale")
        self.assertEqual(self.shown(), ["! wrong password"])
        self.assertEqual(self.successResultOf(self.ended), 1)

    def test_refused_password_ends_a_script(self) -> None:
        """The next line may be the password, which must not be taken for a command."""
        self.account("alice", "secret")
        self.daemon.online.clear()
        for password, error in ((None, "CHATD_PASSWORD"), ("stale", "wrong password")):
            self.begin(password=password)
            self.type("login")
            self.assertIn(error, self.type("alice")[0])
            self.assertEqual(self.screen.prompt, "")
            self.assertEqual(self.successResultOf(self.ended), 1)

    def test_line_that_is_not_utf_8_ends_a_script(self) -> None:
        """It may be an answer, and the lines after it those to other questions."""
        self.account("alice")
        self.daemon.online.clear()
        for lines in ([], ["c", "alice"]):
            self.begin("alice")
            self.type(*lines)
            self.screen.fail(InvalidLine(3, "is not valid UTF-8"))
            self.daemon.pump()
            self.assertEqual(self.shown()[-1], "! Line 3 of the input is not valid UTF-8.")
            self.assertEqual(self.successResultOf(self.ended), 1)
            self.daemon.online.clear()

    def test_new_account_of_a_script_gets_the_password(self) -> None:
        """The script is not asked for another one."""
        self.begin("alice", "secret")
        self.assertEqual(self.daemon.passwords, {"alice": "secret"})


class EndTests(ChatCase):
    """Refused and lost connections, and interrupts."""

    def test_refused_connection_is_an_error(self) -> None:
        """The error is shown, and the exit status is 1."""
        page = FakeScreen(True)
        refused: Deferred[Connection] = fail(ConnectionRefusedError())
        ended = ClassicChat(page, lambda _: refused).start()
        self.assertEqual(page.lines, ["! Error:  That host or port is not accepting connections."])
        self.assertEqual(self.successResultOf(ended), 1)

    def test_lost_connection_ends_a_question(self) -> None:
        """The client exits with an error."""
        self.begin("alice")
        self.type("", "c")
        self.shown()
        self.lose()
        self.assertEqual(self.shown(), ["! Disconnected from server ... exiting!"])
        self.assertEqual(self.successResultOf(self.ended), 1)

    def test_lost_connection_reports_unacknowledged_messages(self) -> None:
        """Their number is printed: the server may have stored them or not."""
        self.begin("alice")
        self.screen.type("")
        self.daemon.pump()
        self.screen.type("/msg alice one")
        self.screen.type("/msg alice two")
        self.shown()
        self.lose()
        self.assertEqual(
            self.shown(),
            [
                "! 2 messages were not acknowledged and may not have been sent.",
                "! Disconnected from server ... exiting!",
            ],
        )

    def test_lost_connection_ends_a_command(self) -> None:
        """The dialogue ends although a reply is pending."""
        self.begin("alice")
        self.screen.type("")
        self.lose()
        self.assertEqual(self.successResultOf(self.ended), 1)

    def test_interrupt_ends_the_dialogue(self) -> None:
        """It may come during a question, while a reply is pending, and while connecting."""
        self.begin("alice")
        self.shown()
        self.chat.interrupt(0, INTERRUPT)
        self.assertEqual(self.shown(), ["! Interrupt received, shutting down ..."])
        self.assertEqual(self.successResultOf(self.ended), 0)
        self.assertTrue(self.connection.transport.disconnecting)

        self.begin("bob")
        self.screen.type("")
        self.chat.interrupt(130, "")
        self.assertEqual(self.successResultOf(self.ended), 130)

        page = FakeScreen(True)
        connecting: Deferred[Connection] = Deferred(
            lambda attempt: attempt.errback(
                ConnectingCancelledError(IPv4Address("TCP", "192.0.2.1", 1))
            )
        )
        chat = ClassicChat(page, lambda _: connecting)
        ended = chat.start()
        chat.interrupt(0, INTERRUPT)
        self.assertEqual(page.lines, ["! Interrupt received, shutting down ..."])
        self.assertEqual(self.successResultOf(ended), 0)

    def test_error_without_command_is_shown(self) -> None:
        """It is marked as an error of the server."""
        self.begin("alice")
        self.type("")
        self.shown()
        self.connection.dataReceived(classic.encode(classic.RESPONSE, "too slow"))
        self.assertEqual(self.shown(), ["! Server error: too slow"])

    def test_screen_pauses_the_connection(self) -> None:
        """While the screen is behind, nothing is read from the server."""
        self.begin("alice")
        self.assertIs(self.screen.source, self.connection)
