"""The dialogue, on a screen that only remembers, with a daemon in memory."""

from __future__ import annotations

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectingCancelledError, ConnectionDone, ConnectionRefusedError
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.classic.connection import Audience, Connection
from chatd.client.classic.conversation import WINDOW, Conversation
from chatd.client.cli.exit_status import INTERRUPT
from chatd.codecs import classic
from tests.doubles.classic_server import FakeDaemon
from tests.doubles.screen import FakeScreen, Listener

MENU_BEFORE = "(Commands: login, create_account, quit)"
MENU = "(Commands: help (h), compose (c), list users (l), get messages (g), delete account (d), logout (q))"


class Talk(SynchronousTestCase):
    """What the cases share: one person at a screen, and what can be done there."""

    interactive = True

    def setUp(self) -> None:
        self.daemon = FakeDaemon()

    def begin(self, name: str | None = None, password: str | None = None) -> None:
        """Start a conversation."""
        self.screen = FakeScreen(self.interactive)

        def connected(audience: Audience) -> Deferred[Connection]:
            self.connection = self.daemon.connect(audience)
            return succeed(self.connection)

        self.conversation = Conversation(self.screen, connected, name, password)
        self.ended = self.conversation.start()
        self.daemon.pump()

    def type(self, *lines: str) -> list[str]:
        """Type lines; what was shown since the last time."""
        for line in lines:
            self.screen.type(line)
            self.daemon.pump()
        return self.shown()

    def shown(self) -> list[str]:
        """What was shown since the last time."""
        lines, self.screen.lines = self.screen.lines, []
        return lines

    def account(self, name: str, password: str | None = None) -> Connection:
        """Someone else, online."""
        connection = self.daemon.connect(Listener())
        connection.create(name, password)
        self.daemon.pump()
        return connection

    def lose(self) -> None:
        """The server goes away."""
        self.connection.connectionLost(Failure(ConnectionDone()))


class MenuTests(Talk):
    """The menus at a terminal."""

    def test_create_and_log_in(self) -> None:
        """The old screen, line by line."""
        self.begin()
        self.assertEqual(self.shown(), [MENU_BEFORE])
        self.assertEqual(self.screen.prompt, "> ")
        self.type("login")
        self.assertEqual(self.screen.prompt, "Username: ")
        self.assertEqual(self.type("Alicia"), ["! username does not exist", MENU_BEFORE])
        self.assertEqual(self.type("create_account", "Alicia"), ["Logged in as: Alicia", MENU])
        self.assertEqual(self.type("q"), [])
        self.assertEqual(self.successResultOf(self.ended), 0)

    def test_taken(self) -> None:
        """Names are unique."""
        self.account("Alicia")
        self.begin()
        self.assertIn("! Username is taken.", self.type("create_account", "Alicia"))
        self.assertIn("! user is already logged in", self.type("login", "Alicia"))

    def test_compose(self) -> None:
        """Recipient, text, and a last chance to think better of it."""
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

    def test_list(self) -> None:
        """With a pattern, or all; by word, by letter and by slash command."""
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

    def test_get(self) -> None:
        """What came while away, or that nothing did."""
        self.account("Bobert").send("Bobert", "x")
        self.begin("Alicia")
        self.type("")
        self.shown()
        self.assertEqual(self.type("g"), ["(No new messages.)"])
        self.daemon.mail["Alicia"] = [classic.encode_send("Bobert", "Alicia", "hi")]
        self.assertEqual(self.type("get messages"), ["Bobert> hi"])

    def test_delete(self) -> None:
        """Asked twice; then the client ends."""
        self.begin("Alicia")
        self.type("")
        self.shown()
        self.type("/delete")
        self.assertEqual(self.screen.prompt, "Confirm account deletion? (y/n): ")
        self.assertEqual(self.type("n"), ["(Not deleted.)"])
        self.assertEqual(self.type("d", "y"), ["Account deleted: Alicia"])
        self.assertEqual(self.successResultOf(self.ended), 0)
        self.assertEqual(self.daemon.passwords, {})

    def test_other_lines(self) -> None:
        """What is no command gets a hint, what is nothing gets nothing."""
        self.begin("Alicia")
        self.type("")
        self.shown()
        hint = "(Type /msg USER TEXT to send a message, help to see all commands.)"
        self.assertEqual(self.type("hello there"), ["! (invalid command)", hint])
        self.assertEqual(self.type("   "), [])
        self.assertEqual(
            self.type("/msg Bobert"), ["! Nothing was sent. Type it like this: /msg USER TEXT"]
        )
        self.assertEqual(
            self.type("login"), ["! (invalid command)", "(You are logged in as Alicia already.)"]
        )

    def test_not_logged_in(self) -> None:
        """Commands that need an account say so; the help shows what there is."""
        self.begin()
        self.shown()
        self.assertEqual(
            self.type("/msg a b"),
            ["! (invalid command)", "(That needs an account: log in first.)", MENU_BEFORE],
        )
        self.assertIn("create_account", "\n".join(self.type("/help")))
        self.type("quit")
        self.assertEqual(self.successResultOf(self.ended), 0)

    def test_every_way_to_leave(self) -> None:
        """By word, by letter, by slash command, and the older word."""
        for word in ("q", "logout", "/quit", "quit", "tata", "/tata"):
            self.daemon = FakeDaemon()
            self.begin("Alicia")
            self.type("", word)
            self.assertEqual(self.successResultOf(self.ended), 0, word)

    def test_completion(self) -> None:
        """Tab knows the commands, and the names that were seen."""
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


class ArrivalTests(Talk):
    """A name given at the start."""

    def test_new_name(self) -> None:
        """It gets an account, open if no password is chosen."""
        self.begin("alice")
        self.assertEqual(self.shown(), ["CREATING NEW ID: alice"])
        self.assertTrue(self.screen.hidden)
        self.assertEqual(self.type(""), ["(Logged in as: alice)", MENU])
        self.assertEqual(self.daemon.passwords, {"alice": None})

    def test_new_name_with_password(self) -> None:
        """Typed twice, the same."""
        self.begin("alice")
        self.assertEqual(
            self.type("secret", "secrte")[-1], "(These were two different passwords. Try again.)"
        )
        self.type("secret", "secret")
        self.assertEqual(self.daemon.passwords, {"alice": "secret"})
        self.assertFalse(self.screen.hidden)

    def test_password_wanted(self) -> None:
        """It is asked for, hidden, a few times; then there is the menu."""
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

    def test_password_given_is_tried_once(self) -> None:
        """After that the person is asked: it may be another account's."""
        self.account("alice", "secret")
        self.daemon.online.clear()
        self.begin("alice", "stale")
        self.assertEqual(self.shown(), ["! wrong password", MENU_BEFORE])
        self.assertEqual(self.type("login", "alice", "secret"), ["Logged in as: alice", MENU])

    def test_already_logged_in(self) -> None:
        """The server says why not, and there is the menu."""
        self.account("alice")
        self.begin("alice")
        self.assertEqual(self.shown(), ["! user is already logged in", MENU_BEFORE])


class ScriptTests(Talk):
    """Without a person."""

    interactive = False

    def test_messages(self) -> None:
        """Each gets its line; the end of the input waits for all of them."""
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

    def test_refused(self) -> None:
        """Something refused shows in the exit status."""
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

    def test_window(self) -> None:
        """A script is not read faster than the server answers."""
        self.account("bob")
        self.begin("alice")
        for number in range(WINDOW):
            self.assertEqual(self.screen.prompt, "> ")
            self.screen.type(f"/msg bob {number}")
        self.assertEqual(self.screen.prompt, "")
        self.daemon.pump()
        self.assertEqual(self.screen.prompt, "> ")

    def test_delete_without_question(self) -> None:
        """A slash command is complete in itself."""
        self.begin("alice")
        self.type("/delete")
        self.assertEqual(self.successResultOf(self.ended), 0)
        self.assertEqual(self.daemon.passwords, {})

    def test_old_screen(self) -> None:
        """The menus can be scripted as well."""
        self.begin()
        lines = self.type("create_account", "alice", "c", "alice", "hi", "y", "d", "y")
        self.assertIn("Logged in as: alice", lines)
        self.assertIn(">alice hi", lines)
        self.assertEqual(self.successResultOf(self.ended), 0)

    def test_password(self) -> None:
        """Used if the account wants one; without one, the script learns where to put it."""
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

    def test_new_account_with_password(self) -> None:
        """The given password becomes the new account's."""
        self.begin("alice", "secret")
        self.assertEqual(self.daemon.passwords, {"alice": "secret"})


class EndTests(Talk):
    """Connections that fail, servers that go, people who interrupt."""

    def test_refused_connection(self) -> None:
        """The sentence, and the exit status."""
        page = FakeScreen(True)
        refused: Deferred[Connection] = fail(ConnectionRefusedError())
        ended = Conversation(page, lambda _: refused).start()
        self.assertEqual(page.lines, ["! Error:  That host or port is not accepting connections."])
        self.assertEqual(self.successResultOf(ended), 1)

    def test_server_goes(self) -> None:
        """In the middle of a question."""
        self.begin("alice")
        self.type("", "c")
        self.shown()
        self.lose()
        self.assertEqual(self.shown(), ["! Disconnected from server ... exiting!"])
        self.assertEqual(self.successResultOf(self.ended), 1)

    def test_server_goes_with_messages_under_way(self) -> None:
        """The person learns that nobody knows what became of them."""
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
                "! 2 messages were not acknowledged: perhaps not sent.",
                "! Disconnected from server ... exiting!",
            ],
        )

    def test_server_goes_while_answering(self) -> None:
        """Nothing is left waiting."""
        self.begin("alice")
        self.screen.type("")
        self.lose()
        self.assertEqual(self.successResultOf(self.ended), 1)

    def test_interrupt(self) -> None:
        """While asked, while waiting for a reply, and while connecting."""
        self.begin("alice")
        self.shown()
        self.conversation.interrupt(0, INTERRUPT)
        self.assertEqual(self.shown(), ["! Interrupt received, shutting down ..."])
        self.assertEqual(self.successResultOf(self.ended), 0)
        self.assertTrue(self.connection.transport.disconnecting)

        self.begin("bob")
        self.screen.type("")
        self.conversation.interrupt(130, "")
        self.assertEqual(self.successResultOf(self.ended), 130)

        page = FakeScreen(True)
        connecting: Deferred[Connection] = Deferred(
            lambda attempt: attempt.errback(
                ConnectingCancelledError(IPv4Address("TCP", "192.0.2.1", 1))
            )
        )
        conversation = Conversation(page, lambda _: connecting)
        ended = conversation.start()
        conversation.interrupt(0, INTERRUPT)
        self.assertEqual(page.lines, ["! Interrupt received, shutting down ..."])
        self.assertEqual(self.successResultOf(ended), 0)

    def test_unasked_error(self) -> None:
        """What the server says by itself is shown."""
        self.begin("alice")
        self.type("")
        self.shown()
        self.connection.dataReceived(classic.encode(classic.RESPONSE, "too slow"))
        self.assertEqual(self.shown(), ["! Server error: too slow"])

    def test_full_screen_slows_the_server(self) -> None:
        """The connection is what the screen pauses."""
        self.begin("alice")
        self.assertIs(self.screen.source, self.connection)
