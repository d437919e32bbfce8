"""The chat: its start, lost connections, its end, and scripts."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from chatd.client.cli.chat import PERSON_TIMEOUT, SCRIPT_TIMEOUT
from chatd.client.cli.event_pump import DRAIN_TIMEOUT
from chatd.client.cli.outbox import WINDOW
from chatd.client.cli.output import wording
from chatd.client.library.errors import ConnectionClosed, RefusedByServer
from chatd.client.library.events import Connected, Disconnected
from chatd.codecs import v1_messages as c
from tests.doubles.chat import ChatTestCase
from tests.doubles.client import SINCE, pushed, state


class StartTests(ChatTestCase):
    """After the login."""

    def test_member_of_the_lobby_does_not_join_again(self) -> None:
        """The lobby becomes the target."""
        self.begin()
        self.assertEqual(
            self.greeting,
            ["(Logged in as alice. /help lists the commands.)", "(Now talking in #lobby.)"],
        )
        self.assertEqual(self.screen.prompt, "#lobby> ")

    def test_new_account_joins_the_lobby(self) -> None:
        """The lobby becomes the target."""
        self.client.logs.pop("#lobby")
        self.client.answers[c.Join] = c.RoomState(0, state("#lobby"))
        self.begin()
        self.assertIn("#lobby", self.client.logs)
        self.assertEqual(self.screen.prompt, "#lobby> ")

    def test_refused_lobby_leaves_no_target(self) -> None:
        """Private messages can still be sent."""
        self.client.logs.pop("#lobby")
        self.client.answers[c.Join] = RefusedByServer("busy", "Too much to do.")
        self.begin()
        self.assertEqual(self.greeting[-1], "! Too much to do.")
        self.assertEqual(
            self.type("hello"),
            ["! No room or account is selected: use /join #ROOM or /to NAME first."],
        )
        self.assertEqual(self.type("/msg bob hi"), ["-> bob: hi"])

    def test_access_token_with_a_scope_joins_no_room(self) -> None:
        """What it may send to is the target, if that is one. Nothing is requested that the token
        does not permit, which the log of the server would have."""
        self.client.scopes = ["send #CI", "read #ci"]
        del self.client.logs["#lobby"]
        asked: list[Any] = []
        request = self.client.request

        def recorded(message: Any) -> Any:
            asked.append(message)
            return request(message)

        self.patch(self.client, "request", recorded)
        self.begin()
        self.client.tell(Connected())
        self.assertEqual(asked, [])
        self.assertEqual(self.screen.prompt, "#CI> ")
        self.client.scopes.append("send bob")
        self.begin()
        self.assertEqual(self.screen.prompt, "> ")
        self.type("/to #ci", "hello", "/to bob", "hi")
        self.assertEqual(self.requests(), [c.Send(0, "#ci", "hello"), c.Send(0, "bob", "hi")])
        self.assertNotIn("#lobby", self.client.logs)

    def test_own_message_to_a_room_that_is_not_read_is_shown(self) -> None:
        """It is not pushed to a session whose access token only sends."""
        self.client.scopes = ["send #CI"]
        del self.client.logs["#lobby"]
        self.begin()
        self.assertEqual(self.type("hello"), ["#CI <alice> hello"])

    def test_changed_certificates_and_tokens_are_shown(self) -> None:
        """To a person who may not have changed them."""
        self.client.credentials_changed = SINCE
        self.begin()
        self.assertRegex(
            self.greeting[1],
            r"Certificates or access tokens of this account were changed on \d{4}-\d\d-\d\d",
        )

    def test_leaving_the_target_selects_the_lobby(self) -> None:
        """If the account is not in the lobby, there is no target."""
        self.begin()
        self.client.answers[c.Join] = c.RoomState(0, state("#Garden"))
        self.type("/join #garden")
        self.assertEqual(self.screen.prompt, "#Garden> ")
        self.client.tell(c.Left("#Garden", "kicked"))
        self.assertEqual(
            self.printed()[-2:], ["* you were kicked from #Garden", "(Now talking in #lobby.)"]
        )
        self.assertEqual(self.screen.prompt, "#lobby> ")
        self.client.tell(c.Left("#den", "banned", "too loud"))
        self.assertEqual(self.printed()[-1:], ["* you are banned from #den: too loud"])
        self.client.tell(c.Left("#den", "banned", "", SINCE - 1))
        ends = f"{wording.date(SINCE)} {wording.time_of_day(SINCE)}"
        self.assertEqual(self.printed()[-1:], [f"* you are banned from #den until {ends}"])
        self.client.logs.pop("#lobby")
        self.client.tell(c.Left("#lobby", "left"))
        self.assertEqual(self.screen.prompt, "> ")


class ConnectionLossTests(ChatTestCase):
    """Messages are outstanding, or the connection is lost."""

    def setUp(self) -> None:
        super().setUp()
        self.client.slow = True
        self.begin()

    def test_message_without_connection_is_sent_after_reconnecting(self) -> None:
        """Commands fail meanwhile."""
        self.client.connected = False
        self.client.tell(Disconnected("", 1.0))
        self.assertEqual(
            self.type("/msg bob hi"),
            [
                "* the connection is lost; reconnecting",
                "(Not connected: the message will be sent after reconnecting.)",
            ],
        )
        self.assertEqual(self.type("/who"), ["! The connection to the server is closed."])
        self.client.connected = True
        self.client.tell(Connected())
        self.client.accept()
        self.assertEqual(self.printed(), ["* reconnected", "-> bob: hi"])

    def test_quit_without_connection_reports_unsent_messages(self) -> None:
        """The exit status is 1."""
        self.client.connected = False
        shown = self.type("/msg bob hi", "/quit")
        self.assertEqual(self.successResultOf(self.ended), 1)
        self.assertEqual(
            shown[1:], ["! 1 message was not acknowledged and may not have been sent."]
        )

    def test_reason_of_an_ended_session_is_printed_once(self) -> None:
        """The server's message has it already when the client ends."""
        self.client.tell(c.Goodbye("kicked", "because"), ConnectionClosed("because"))
        self.assertEqual(
            self.printed(),
            ["* message from the server: because", "! The server has ended this session."],
        )
        self.assertEqual(self.successResultOf(self.ended), 1)

    def test_quit_waits_for_outstanding_answers(self) -> None:
        """The exit status is 0 when they have arrived."""
        self.type("/msg bob hi", "/quit")
        self.assertNoResult(self.ended)
        self.client.accept()
        self.assertEqual(self.successResultOf(self.ended), 0)
        self.assertEqual(self.printed(), ["-> bob: hi"])

    def test_quit_waits_only_until_its_timeout(self) -> None:
        """The exit status is 1."""
        self.type("/msg bob hi", "/quit")
        self.clock.advance(PERSON_TIMEOUT)
        self.assertEqual(self.successResultOf(self.ended), 1)

    def test_interrupt_ends_the_wait_of_quit(self) -> None:
        """The client is closed at once."""
        self.type("/msg bob hi", "/quit")
        self.chat.interrupt(0, "")
        self.assertEqual(self.successResultOf(self.ended), 0)
        self.assertTrue(self.client.closed)

    def test_refused_reconnection_ends_the_chat(self) -> None:
        """The sentence is printed, and the exit status is 1."""
        self.client.tell(RefusedByServer("wrong-password", "wrong password"))
        self.assertEqual(self.printed(), ["! wrong password"])
        self.assertEqual(self.successResultOf(self.ended), 1)

    def test_interrupt_ends_the_chat_at_once(self) -> None:
        """The exit status and the sentence are its arguments."""
        self.type("/msg bob hi")
        self.chat.interrupt(130, "Interrupted.")
        self.assertEqual(self.successResultOf(self.ended), 130)
        self.assertTrue(self.client.closed)
        self.assertEqual(self.printed()[-1], "! Interrupted.")

    def test_interrupt_ends_a_command_that_waits(self) -> None:
        """The command waits for the answer to a message."""
        self.type("/msg bob hi", "/who")
        self.chat.interrupt(0, "")
        self.assertEqual(self.successResultOf(self.ended), 0)


class ScriptTests(ChatTestCase):
    """The input is a pipe."""

    interactive = False

    def test_end_of_input_waits_for_answers_and_entries(self) -> None:
        """Nothing is marked as read."""
        self.client.slow = True
        self.client.logs["@alice"].head = 2
        self.begin()
        self.type("/msg bob hi")
        self.screen.end_input()
        self.assertNoResult(self.ended)
        self.client.accept()
        self.client.tell(pushed("@alice", "bob", "one", seq=1))
        self.clock.advance(0)
        self.assertNoResult(self.ended)
        self.client.tell(pushed("@alice", "bob", "two", seq=2))
        self.clock.advance(0)
        self.assertEqual(self.successResultOf(self.ended), 0)
        self.assertEqual(self.printed(), ["-> bob: hi", "bob: one", "bob: two"])
        self.clock.advance(10)
        self.assertEqual([each for each in self.requests() if isinstance(each, c.MarkRead)], [])

    def test_end_of_input_waits_for_entries_only_until_a_timeout(self) -> None:
        """Entries may have been deleted and never arrive."""
        self.client.logs["@alice"].head = 2
        self.begin()
        self.screen.end_input()
        self.assertNoResult(self.ended)
        self.clock.advance(DRAIN_TIMEOUT)
        self.assertEqual(self.successResultOf(self.ended), 0)

    def test_end_of_input_waits_for_the_output(self) -> None:
        """There is no time limit while the reader of the output is behind."""
        self.client.logs["@alice"].head = 1
        self.begin()
        writing = self.screen.writing = Deferred()
        self.client.tell(pushed("@alice", "bob", "one", seq=1))
        self.screen.end_input()
        self.clock.advance(DRAIN_TIMEOUT)
        self.assertNoResult(self.ended)
        writing.callback(None)
        self.clock.advance(0)
        self.assertEqual(self.successResultOf(self.ended), 0)
        self.assertEqual(self.printed(), ["bob: one"])

    def test_end_of_input_waits_for_answers_only_until_a_timeout(self) -> None:
        """The exit status is 1."""
        self.client.slow = True
        self.begin()
        self.type("/msg bob hi")
        self.screen.end_input()
        self.clock.advance(SCRIPT_TIMEOUT)
        self.assertEqual(self.successResultOf(self.ended), 1)

    def test_full_window_pauses_the_input(self) -> None:
        """The next line is read when a message is answered."""
        self.client.slow = True
        self.begin()
        for _ in range(WINDOW):
            self.assertEqual(self.screen.prompt, "#lobby> ")
            self.type("/msg bob x")
        self.assertEqual(self.screen.prompt, "")
        self.client.accept()
        self.assertEqual(self.screen.prompt, "#lobby> ")

    def test_command_waits_for_answers_to_earlier_messages(self) -> None:
        """It is carried out when they have arrived."""
        self.client.slow = True
        self.begin()
        self.type("/msg bob x", "/blocked")
        self.assertEqual(len(self.requests()), 1)
        self.client.accept()
        self.assertEqual(self.requests(), [c.GetBlocked(0)])

    def test_refusal_changes_the_exit_status_only(self) -> None:
        """The lines after it are handled."""
        self.begin()
        self.client.slow = True
        self.type("/msg nobody hi", "/msg bob hi")
        self.client.accept(RefusedByServer("unknown-account", "There is no account of that name."))
        self.client.accept()
        self.screen.end_input()
        self.assertEqual(self.printed(), ["! There is no account of that name.", "-> bob: hi"])
        self.assertEqual(self.successResultOf(self.ended), 1)
