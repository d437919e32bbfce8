"""The client on a connection in memory: state, requests, events, acknowledgements, close."""

from __future__ import annotations

import random
from collections.abc import Coroutine
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.client import (
    Client,
    ConnectionClosed,
    Overflow,
    Position,
    Pushed,
    Refused,
    TextTooLong,
    connect,
)
from chatd.client.library.acknowledging import ACK_DELAY
from chatd.client.library.backoff import FIRST_DELAY, LONGEST_DELAY
from chatd.client.library.client import CLOSE_TIMEOUT
from chatd.client.library.connection import IDLE_TIMEOUT
from chatd.client.library.events import MAX_WAITING
from chatd.codecs import v1_messages as c
from tests.doubles.v1_server import ScriptedServer


class ClientCase(SynchronousTestCase):
    """A client that is logged in as Ann, and what the test cases share."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.server = ScriptedServer()
        self.client = self.connect()
        self.events: list[Any] = []
        self.consumer: Deferred[None] | None = None

    def connect(self, **options: Any) -> Client:
        """Another client of this server."""
        endpoint: Any = self.server
        client: Client = self.successResultOf(
            self.start(
                connect(
                    "chat://test",
                    "ann",
                    reactor=self.clock,
                    endpoint=endpoint,
                    random=random.Random(1),
                    **options,
                )
            )
        )
        return client

    def consume(self) -> None:
        """Handle all events: append them to `events`."""

        async def consume() -> None:
            async for event in self.client.events():
                self.events.append(event)

        self.consumer = Deferred.fromCoroutine(consume())

    def ended(self) -> Deferred[None]:
        """The end of the events that `consume` handles."""
        assert self.consumer is not None
        return self.consumer

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> Deferred[Any]:
        """Run a coroutine."""
        return Deferred.fromCoroutine(coroutine)

    def bodies(self) -> list[str]:
        """The bodies of the entries among `events`."""
        return [event.body for event in self.events if isinstance(event, Pushed)]

    def reconnect(self) -> None:
        """Let the time pass after which the client connects again."""
        self.clock.advance(FIRST_DELAY)


class StateTests(ClientCase):
    """The state of a client: its name, logs and rooms."""

    def test_login_sets_the_name_and_follows_the_mailbox(self) -> None:
        """The name has the spelling with which it was registered."""
        self.assertEqual((self.client.name, self.client.connected), ("Ann", True))
        self.assertEqual(self.client.welcome.limits.text, 65_536)
        self.assertEqual(list(self.client.logs), ["@ann"])

    def test_idle_time_is_the_servers(self) -> None:
        """A silent server is sent a `Ping` after `Welcome.idle` seconds."""
        self.server.welcome = msgspec.structs.replace(self.server.welcome, idle=5.0)
        self.client = self.connect()
        self.clock.advance(IDLE_TIMEOUT)
        self.assertEqual(self.server.requests, [])
        self.clock.advance(5)
        self.assertEqual([type(message) for message in self.server.requests], [c.Ping])

    def test_rooms_are_kept_up_to_date(self) -> None:
        """A room is known after joining, changes with its entries, and is removed when left."""
        self.consume()
        room = c.RoomInfo("#Den", 5, "", False, "bob", 1, "member")
        joining = self.start(self.client.join("#den"))
        self.server.send(
            c.RoomState(self.server.requests[0].ref, c.LogState("#den", 5, 7, 7, 7, room))
        )
        self.assertEqual(self.successResultOf(joining), room)
        changes = [("topic", "bears"), ("role", "Ann owner"), ("join", ""), ("access", "private")]
        for seq, (kind, body) in enumerate(changes, 8):
            self.server.send(c.Pushed("#den", seq, seq, 0, "bob", kind, body))
        den = self.client.rooms["#den"]
        self.assertEqual((den.topic, den.role, den.owner), ("bears", "owner", "Ann"))
        self.assertEqual((den.members, den.private), (2, True))
        self.server.send(c.Left("#Den", "kicked"))
        self.assertEqual(self.client.rooms, {})

    def test_room_joined_by_another_session_is_followed(self) -> None:
        """Its entries are events, and are acknowledged."""
        self.consume()
        self.server.send(c.Joined(c.LogState("#den", 5, 7, 7, 7)), self.server.entry(8, log="#den"))
        self.assertEqual(self.bodies(), ["8"])
        self.assertEqual(self.server.acknowledged, [("#den", 8)])

    def test_entries_of_other_logs_are_ignored(self) -> None:
        """An entry of a log that is not followed is no event."""
        self.consume()
        self.server.send(self.server.entry(1, log="#other"))
        self.assertEqual(self.events, [])

    def test_leaving_or_deleting_a_room_unfollows_it(self) -> None:
        """The answer changes it, without an event of the server."""
        for leave in (self.client.leave, self.client.delete_room):
            self.server.send(c.Joined(c.LogState("#den", 5, 7, 7, 7)))
            self.assertIn("#den", self.client.logs)
            leaving = self.start(leave("#Den"))
            self.server.send(c.Done(self.server.requests[-1].ref))
            self.successResultOf(leaving)
            self.assertNotIn("#den", self.client.logs)

    def test_read_markers_follow_requests_and_receipts(self) -> None:
        """A marker advances by the client's own request and by a receipt of another session."""
        marking = self.start(self.client.mark_read("@ann", 3))
        self.assertEqual(self.client.logs["@ann"].read, 0)
        self.server.send(c.Done(self.server.requests[0].ref))
        self.successResultOf(marking)
        self.assertEqual(self.client.logs["@ann"].read, 3)
        self.server.send(c.Receipt("@ann", "delivered", [4]), c.Receipt("@bob", "read", [5]))
        self.assertEqual(self.client.logs["@ann"].read, 3)
        self.server.send(c.Receipt("@ann", "read", [2, 6]))
        self.assertEqual(self.client.logs["@ann"].read, 6)


class SendTests(ClientCase):
    """Messages and other requests."""

    def test_send_is_accepted_or_refused(self) -> None:
        """Each message has a key, greater than the one before; a refusal has the server's code."""
        first = self.start(self.client.send("bob", "1"))
        second = self.start(self.client.send("bob", "2"))
        one, two = self.server.requests
        self.assertLess(one.key, two.key)
        self.server.send(
            c.Refusal(two.ref, "blocked", "He takes nothing.", 10),
            c.Accepted(one.ref, "@bob", 1, 9, 0),
        )
        self.assertEqual(self.successResultOf(first).seq, 1)
        refused = self.failureResultOf(second, Refused).value
        self.assertEqual((refused.code, str(refused)), ("blocked", "He takes nothing."))

    def test_text_over_the_limit_is_not_sent(self) -> None:
        """The client refuses it: the server would reject the frame. The limit counts bytes."""
        refused = self.failureResultOf(
            self.start(self.client.send("bob", "é" * 32_769)), TextTooLong
        ).value
        self.assertEqual((refused.code, self.server.requests), ("text-too-long", []))
        self.start(self.client.send("bob", "é" * 32_768))
        self.assertEqual(len(self.server.requests), 1)

    def test_cancelled_send_is_sent_all_the_same(self) -> None:
        """A caller that stops waiting does not take the message back."""
        sending = self.start(self.client.send("bob", "x"))
        sending.cancel()
        self.failureResultOf(sending)
        self.server.send(c.Accepted(self.server.requests[0].ref, "@bob", 1, 9, 0))
        self.successResultOf(self.start(self.client.close()))

    def test_request_without_connection_fails(self) -> None:
        """Only messages with a key wait for the next connection."""
        self.server.transport.disconnect()
        failed = self.failureResultOf(self.start(self.client.history("@ann")), ConnectionClosed)
        self.assertEqual(failed.value.code, "disconnected")

    def test_new_password_is_used_for_the_next_login(self) -> None:
        """After `change_password` the client logs in with the new one."""
        changing = self.start(self.client.change_password(None, "pw"))
        self.server.send(c.Done(self.server.requests[0].ref))
        self.successResultOf(changing)
        self.server.transport.disconnect()
        self.reconnect()
        self.assertEqual([login.password for login in self.server.logins], [None, "pw"])


class EventTests(ClientCase):
    """Events and acknowledgements."""

    def test_entry_is_yielded_once_and_acknowledged_when_handled(self) -> None:
        """An entry pushed twice is one event; the one being handled is not acknowledged yet."""
        self.server.send(self.server.entry(1), self.server.entry(1), self.server.entry(2))
        events = self.client.events()

        async def take() -> Any:
            return await anext(events)

        self.assertEqual(self.successResultOf(self.start(take())).seq, 1)
        self.assertEqual(self.server.acknowledged, [])
        self.assertEqual(self.successResultOf(self.start(take())).seq, 2)
        self.clock.advance(ACK_DELAY)
        self.assertEqual(self.server.acknowledged, [("@ann", 1)])
        self.start(take())
        self.assertEqual(self.server.acknowledged, [("@ann", 1), ("@ann", 2)])
        self.assertEqual([position.seq for position in self.client.positions], [2])

    def test_entry_whose_handler_raised_is_yielded_again(self) -> None:
        """It is not acknowledged with the next one."""
        self.server.send(self.server.entry(1), self.server.entry(2))

        async def fail() -> None:
            async for _ in self.client.events():
                raise ValueError

        self.failureResultOf(self.start(fail()), ValueError)
        self.assertEqual(self.server.acknowledged, [])
        self.consume()
        self.assertEqual(self.bodies(), ["1", "2"])
        self.assertEqual(self.server.acknowledged, [("@ann", 2)])

    def test_program_can_mark_the_entry_handled_with_which_it_ends(self) -> None:
        """A bot that is told to quit is not told again at its next start."""
        self.server.send(self.server.entry(1, "quit"), self.server.entry(2))

        async def run() -> None:
            async for event in self.client.events():
                assert isinstance(event, Pushed)
                if event.body == "quit":
                    self.client.mark_handled()
                    break
            await self.client.close()

        self.successResultOf(self.start(run()))
        self.assertEqual(self.server.acknowledged, [("@ann", 1)])

    def test_rare_events_are_yielded_although_many_others_wait(self) -> None:
        """What is dropped is counted in its place."""
        for _ in range(MAX_WAITING + 2):
            self.server.send(c.Typing("@ann", "bob", True))
        state = c.LogState("#den", 5, 7, 7, 7)
        rare = [c.Joined(state), c.Left("#den", "kicked"), c.Goodbye("stopping", "Stopping.")]
        self.server.send(*rare)
        self.consume()
        self.assertEqual(self.events[MAX_WAITING:], [Overflow(typing=2), *rare])

    def test_events_begin_at_given_positions(self) -> None:
        """A program continues where an earlier one stopped, if it is the same log."""
        self.server.state = [c.LogState("@ann", 1, 9, 9, 9)]
        client = self.connect(positions=[Position("@ann", 1, 4)])
        self.assertEqual(self.server.logins[-1].positions, [Position("@ann", 1, 4)])
        self.assertEqual(client.logs["@ann"].handled, 4)

    def test_positions_of_a_restored_server_mean_nothing(self) -> None:
        """The client logs in again without them, on the same connection."""
        self.server.state = [c.LogState("@ann", 1, 3, 2, 2), c.LogState("#den", 5, 9, 8, 8)]
        self.connect(positions=[Position("@ann", 1, 4), Position("#den", 5, 6)])
        self.assertEqual(
            [[each.seq for each in login.positions] for login in self.server.logins[-2:]],
            [[4, 6], [2, 8]],
        )
        self.assertEqual(self.server.connections, 2)


class CloseTests(ClientCase):
    """`close` and `drop`."""

    def test_close_acknowledges_logs_out_and_ends_the_events(self) -> None:
        """A second call does nothing; later requests fail."""
        self.consume()
        self.server.send(self.server.entry(1))
        self.successResultOf(self.start(self.client.close()))
        self.assertEqual(self.server.acknowledged, [("@ann", 1)])
        self.assertEqual(type(self.server.requests[-1]), c.LogOut)
        self.successResultOf(self.ended())
        self.successResultOf(self.start(self.client.close()))
        self.failureResultOf(self.start(self.client.send("bob", "x")), ConnectionClosed)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_events_end_at_close(self) -> None:
        """What waits is not handled any more, because it could not be acknowledged."""
        self.server.send(*(self.server.entry(seq) for seq in range(1, 4)))

        async def close_at_the_second() -> None:
            async for event in self.client.events():
                self.events.append(event)
                if len(self.events) == 2:
                    await self.client.close()

        self.successResultOf(self.start(close_at_the_second()))
        self.assertEqual(self.bodies(), ["1", "2"])
        self.assertEqual(self.server.acknowledged, [("@ann", 1)])

    def test_close_does_not_wait_long_for_a_silent_server(self) -> None:
        """The answer to the request to log out has `CLOSE_TIMEOUT` seconds."""
        self.server.silent = True
        closing = self.start(self.client.close())
        self.assertNoResult(closing)
        self.clock.advance(CLOSE_TIMEOUT)
        self.successResultOf(closing)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_close_waits_for_answers_to_messages(self) -> None:
        """The server answers `LogOut` after them; what is unanswered then fails."""
        self.server.silent = True
        first, second = (self.start(self.client.send("bob", text)) for text in "ab")
        closing = self.start(self.client.close())
        self.assertNoResult(first)
        # The refs: Hello 1, LogIn 2, the messages 3 and 4, LogOut 5.
        self.server.send(c.Accepted(3, "@bob", 1, 9, 0), c.Done(5))
        self.successResultOf(closing)
        self.assertEqual(self.successResultOf(first).seq, 1)
        self.failureResultOf(second, ConnectionClosed)

    def test_close_fails_a_message_that_waits_for_a_busy_server(self) -> None:
        """It is not sent again, and the refusal was not its answer."""
        sending = self.start(self.client.send("bob", "x"))
        self.server.send(c.Refusal(self.server.requests[0].ref, "busy", "Later.", 7))
        self.successResultOf(self.start(self.client.close()))
        self.failureResultOf(sending, ConnectionClosed)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_close_without_connection_stops_reconnecting(self) -> None:
        """The timer of the next attempt is cancelled."""
        self.consume()
        self.server.transport.disconnect()
        self.successResultOf(self.start(self.client.close()))
        self.clock.advance(LONGEST_DELAY)
        self.assertEqual(self.server.connections, 1)

    def test_drop_closes_at_once_without_acknowledging(self) -> None:
        """Nothing is sent; the events end."""
        self.consume()
        self.server.requests.clear()
        self.client.drop()
        self.assertEqual(self.server.requests, [])
        self.assertTrue(self.server.transport.disconnected)
        self.successResultOf(self.ended())
