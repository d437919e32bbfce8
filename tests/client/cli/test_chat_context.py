"""The context of commands: the target, requests, keyed requests, and questions."""

from __future__ import annotations

from datetime import UTC
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.cli.chat_context import ChatContext
from chatd.client.cli.commands.arguments import UsageProblem
from chatd.client.cli.message_cache import MessageCache
from chatd.client.cli.outbox import WINDOW
from chatd.client.cli.output.plain import PlainOutput
from chatd.client.library.client import Client
from chatd.client.library.errors import RefusedByServer
from chatd.codecs import v1_messages as c
from tests.doubles.client import FakeClient, state
from tests.doubles.screen import FakeScreen

REFUSAL = RefusedByServer("unknown-room", "There is no room of that name.")


class ContextTestCase(SynchronousTestCase):
    """A context of the account alice, a member of the lobby."""

    interactive = True

    def setUp(self) -> None:
        self.client = FakeClient()
        self.screen = FakeScreen(self.interactive)
        self.cache = MessageCache()
        self.cache.account = "alice"
        clock = Clock()
        self.expected: list[tuple[str, int]] = []
        self.context = ChatContext(
            self.screen,
            PlainOutput(self.screen, self.cache, clock, lambda: 0, times=False, zone=UTC),
            self.cache,
            cast(Client, self.client),
            None,
            clock,
            "chat://localhost:65432",
            lambda log, seq: self.expected.append((log, seq)),
        )

    def start(self, coroutine: Any) -> Deferred[Any]:
        """Start a method of the context."""
        return Deferred.fromCoroutine(coroutine)


class TargetTests(ContextTestCase):
    """The room or account that messages are sent to."""

    def test_target_is_shown_as_it_was_first_written(self) -> None:
        """The name is known from messages, rooms or lists of accounts."""
        self.cache.add_names("Bob")
        self.context.set_target("bob")
        self.assertEqual(
            (self.context.target, self.screen.lines), ("Bob", ["(Now talking to Bob.)"])
        )

    def test_names_of_members_are_requested_for_completion(self) -> None:
        """The request is sent when a room becomes the target."""
        self.client.answers[c.FindMembers] = c.Members(0, [c.Member("Carl", "member")])
        self.context.set_target("#lobby")
        self.assertEqual(self.client.asked, [c.FindMembers(0, "#lobby")])
        self.assertIn("Carl", self.cache.names)

    def test_no_target_is_not_announced(self) -> None:
        """The room was left."""
        self.context.set_target("")
        self.assertEqual((self.context.target, self.screen.lines), ("", []))

    def test_message_without_target_is_refused(self) -> None:
        """The error names the commands that choose one."""
        failure = self.failureResultOf(self.start(self.context.send("", "hi")), UsageProblem)
        self.assertIn("/join #ROOM or /to NAME", str(failure.value))
        self.assertEqual(self.client.posted, [])


class RequestTests(ContextTestCase):
    """Requests without a key."""

    def test_answered_block_request_is_applied(self) -> None:
        """A refused one is not."""
        self.client.answers[c.Block] = [c.Done(0), REFUSAL]
        self.successResultOf(self.start(self.context.request(c.Block(0, "carl"))))
        self.failureResultOf(self.start(self.context.request(c.Block(0, "dora"))))
        self.assertIn("carl", self.context.blocking)
        self.assertNotIn("dora", self.context.blocking)

    def test_answer_is_printed_and_returned(self) -> None:
        """A sentence for people follows the answer."""
        self.client.answers[c.FindAccounts] = c.Names(0, ["bob"])
        request = self.context.request_and_show(c.FindAccounts(0, "*"), "That is all.")
        self.assertEqual(self.successResultOf(self.start(request)), c.Names(0, ["bob"]))
        self.assertEqual(self.screen.lines, ["bob", "(That is all.)"])

    def test_failure_of_a_background_request_is_ignored(self) -> None:
        """Its answer is passed on."""
        answers: list[Any] = []
        self.client.answers[c.GetBlocked] = [c.Names(0, ["carl"]), REFUSAL]
        for _ in range(2):
            self.context.request_in_background(c.GetBlocked(0), answers.append)
        self.assertEqual(answers, [c.Names(0, ["carl"])])
        self.assertEqual(self.screen.lines, [])
        self.assertFalse(self.context.any_refused)

    def test_background_request_is_dropped_without_a_connection(self) -> None:
        """It is not sent later."""
        self.client.connected = False
        self.context.request_in_background(c.GetBlocked(0))
        self.assertEqual(self.client.asked, [])

    def test_entry_of_a_new_member_is_expected(self) -> None:
        """A member that joins again writes no entry."""
        self.client.answers[c.Join] = c.RoomState(0, state("#Garden", 3))
        for _ in range(2):
            self.successResultOf(self.start(self.context.enter_room(c.Join(0, "#Garden"))))
        self.assertEqual(self.expected, [("#garden", 4)])

    def test_refusals_are_remembered(self) -> None:
        """The exit status of a script depends on them."""
        self.assertFalse(self.context.any_refused)
        self.context.show_refusal(REFUSAL)
        self.assertEqual(self.screen.lines, ["! There is no room of that name."])
        self.assertTrue(self.context.any_refused)


class PostTests(ContextTestCase):
    """Keyed requests."""

    def post(self, request: Any) -> Deferred[Any]:
        """Post a request that refers to no message."""
        return self.start(self.context.post(request))

    def test_stored_private_message_is_printed_and_cached(self) -> None:
        """The server does not push it; its recipient is a known name from now on."""
        self.successResultOf(self.post(c.Send(0, "Bob", "hi")))
        self.assertEqual(self.screen.lines, ["-> Bob: hi"])
        (message,) = self.cache.messages("@bob")
        self.assertEqual((message.sender, message.text), ("alice", "hi"))
        self.assertTrue(self.cache.has_name("bob"))
        self.assertEqual(self.expected, [])

    def test_stored_message_of_a_followed_log_is_expected(self) -> None:
        """The server pushes it: in a room, or to oneself."""
        self.successResultOf(self.post(c.Send(0, "#lobby", "hi")))
        self.successResultOf(self.post(c.Send(0, "Alice", "note")))
        self.assertEqual(self.expected, [("#lobby", 1), ("@alice", 1)])
        self.assertEqual(self.screen.lines, [])

    def test_text_over_the_limit_is_not_sent(self) -> None:
        """The refusal of the library is shown; the limit counts bytes of UTF-8."""
        text = "\u00e9" * 32769
        for request in (c.Send(0, "bob", text), c.Edit(0, "@bob", 1, text)):
            self.successResultOf(self.post(request))
            self.assertIn("at most 65536 bytes", self.screen.lines[-1])
        self.assertEqual(self.client.posted, [])
        self.assertTrue(self.context.any_refused)

    def test_message_is_posted_without_a_connection(self) -> None:
        """The library sends it after reconnecting; the user is notified of that."""
        self.client.connected = False
        self.client.slow = True
        self.successResultOf(self.post(c.Send(0, "bob", "hi")))
        self.assertEqual(
            self.screen.lines, ["(Not connected: the message will be sent after reconnecting.)"]
        )
        self.assertEqual(len(self.client.posted), 1)

    def test_post_waits_while_too_many_are_unanswered(self) -> None:
        """One answer is enough to continue."""
        self.client.slow = True
        for _ in range(WINDOW - 1):
            self.successResultOf(self.post(c.Send(0, "bob", "hi")))
        last = self.post(c.Send(0, "bob", "hi"))
        self.assertNoResult(last)
        self.client.accept()
        self.successResultOf(last)

    def test_refused_message_is_printed(self) -> None:
        """The caller has continued meanwhile."""
        self.client.slow = True
        self.successResultOf(self.post(c.Send(0, "bob", "hi")))
        self.client.accept(REFUSAL)
        self.assertEqual(self.screen.lines, ["! There is no room of that name."])
        self.assertTrue(self.context.any_refused)


class ConfirmTests(ContextTestCase):
    """Questions to a person."""

    def test_only_yes_confirms(self) -> None:
        """Case and spaces do not count; control characters of the question are replaced."""
        for answer, confirmed in (
            ("y", True),
            (" YES ", True),
            ("n", False),
            ("", False),
            ("yess", False),
        ):
            reply = self.start(self.context.confirm("Delete #a\x1b? "))
            self.assertEqual(self.screen.prompt, "Delete #a^[? ")
            self.screen.type(answer)
            self.assertIs(self.successResultOf(reply), confirmed, answer)


class ScriptTests(ContextTestCase):
    """The input is a pipe."""

    interactive = False

    def test_script_confirms_everything(self) -> None:
        """It is asked no question."""
        self.assertTrue(self.successResultOf(self.start(self.context.confirm("Delete? "))))
        self.assertEqual(self.screen.prompt, "")

    def test_names_for_completion_are_not_requested(self) -> None:
        """A script completes nothing."""
        self.context.set_target("#lobby")
        self.assertEqual(self.client.asked, [])


del ContextTestCase
