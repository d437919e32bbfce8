"""The client on connections in memory: log in, reconnect, events, acknowledgements, close."""

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
    Connected,
    ConnectionClosed,
    Disconnected,
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

    def test_entries_over_the_queue_limit_are_fetched_when_it_is_half_empty(self) -> None:
        """The queue is bounded: other events are dropped, entries are pushed again after a second
        login on the same connection."""
        for seq in range(1, MAX_WAITING + 101):
            self.server.send(self.server.entry(seq))
        self.server.send(c.Typing("@ann", "bob", True))
        self.server.state = [c.LogState("@ann", 1, MAX_WAITING + 100, 0, 0)]
        self.consume()
        self.assertEqual(
            [position.seq for position in self.server.logins[-1].positions], [MAX_WAITING]
        )
        for seq in range(MAX_WAITING + 1, MAX_WAITING + 101):
            self.server.send(self.server.entry(seq))
        self.assertEqual(self.bodies(), [str(seq) for seq in range(1, MAX_WAITING + 101)])
        self.assertEqual(len(self.events), MAX_WAITING + 100)

    def test_joined_left_and_goodbye_are_never_dropped(self) -> None:
        """They are queued although the queue is full."""
        for seq in range(1, MAX_WAITING + 1):
            self.server.send(self.server.entry(seq))
        state = c.LogState("#den", 5, 7, 7, 7)
        kept = [c.Joined(state), c.Left("#den", "kicked"), c.Goodbye("stopping", "Stopping.")]
        self.server.send(*kept)
        self.consume()
        self.assertEqual(self.events[MAX_WAITING:], kept)

    def test_events_begin_at_given_positions(self) -> None:
        """A program continues where an earlier one stopped, if it is the same log."""
        self.server.state = [c.LogState("@ann", 1, 9, 9, 9)]
        client = self.connect(positions=[Position("@ann", 1, 4)])
        self.assertEqual(self.server.logins[-1].positions, [Position("@ann", 1, 4)])
        self.assertEqual(client.logs["@ann"].handled, 4)


class ReconnectTests(ClientCase):
    """Lost connections."""

    def test_client_reconnects_resumes_and_resends(self) -> None:
        """It logs in with its positions and sends unanswered messages again, in order."""
        self.consume()
        self.server.send(self.server.entry(1), self.server.entry(2))
        sends = [self.start(self.client.send("bob", text)) for text in "ab"]
        request = self.start(self.client.history("@ann"))
        before = list(self.server.requests)
        self.server.send(c.Accepted(before[0].ref, "@bob", 1, 9, 0))
        self.server.transport.disconnect()
        self.failureResultOf(request, ConnectionClosed)
        self.assertFalse(self.client.connected)
        late = self.start(self.client.send("bob", "c"))
        self.server.requests.clear()
        self.server.state = [c.LogState("@ann", 1, 3, 0, 0)]
        self.reconnect()
        self.assertEqual([position.seq for position in self.server.logins[-1].positions], [2])
        self.assertEqual(
            [(message.text, message.key == before[1].key) for message in self.server.requests],
            [("b", True), ("c", False)],
        )
        self.assertIn(
            ("@ann", 2), self.server.acknowledged[1:], "the server may have lost the first one"
        )
        for message in self.server.requests:
            self.server.send(c.Accepted(message.ref, "@bob", 2, 9, 0))
        self.server.send(self.server.entry(2), self.server.entry(3))
        self.assertEqual(self.bodies(), ["1", "2", "3"])
        for answer in (*sends, late):
            self.successResultOf(answer)
        others = [type(event) for event in self.events if not isinstance(event, Pushed)]
        self.assertEqual(others, [Disconnected, Connected])

    def test_delays_between_attempts_grow(self) -> None:
        """They double up to `LONGEST_DELAY`, and begin again after a success."""
        self.consume()
        self.server.down = True
        self.server.transport.disconnect()
        for _ in range(12):
            self.clock.advance(LONGEST_DELAY)
        for number, event in enumerate(self.events):
            longest = min(LONGEST_DELAY, FIRST_DELAY * 2**number)
            self.assertTrue(longest / 2 <= event.retry_in <= longest, (number, event))
        self.server.down = False
        self.clock.advance(LONGEST_DELAY)
        self.assertEqual(type(self.events[-1]), Connected)
        self.server.transport.disconnect()
        self.assertLessEqual(self.events[-1].retry_in, FIRST_DELAY)

    def test_temporary_refusal_is_retried_and_another_one_ends_the_client(self) -> None:
        """After the end, waiting and new messages fail with the refusal."""
        self.consume()
        sending = self.start(self.client.send("bob", "x"))
        self.server.login_refusals = [("busy", "later"), ("wrong-password", "no")]
        self.server.transport.disconnect()
        for _ in range(3):
            self.clock.advance(2)
        for failed in (self.ended(), sending, self.start(self.client.send("bob", "y"))):
            self.assertEqual(self.failureResultOf(failed, Refused).value.code, "wrong-password")

    def test_entries_of_a_restored_server_are_received(self) -> None:
        """The server has fewer entries than the client: all positions are discarded, and new
        entries under known seqs are neither ignored nor acknowledged unseen."""
        self.consume()
        self.server.send(self.server.entry(1), self.server.entry(2), self.server.entry(3))
        self.server.transport.disconnect()
        self.server.acknowledged.clear()
        self.server.state = [c.LogState("@ann", 1, 2, 1, 1)]
        self.reconnect()
        self.assertEqual(
            [[position.seq for position in login.positions] for login in self.server.logins[-2:]],
            [[3], [1]],
        )
        self.assertEqual([pair for pair in self.server.acknowledged if pair[1] > 1], [])
        self.server.send(self.server.entry(2, "other"), self.server.entry(3, "new"))
        self.assertEqual(
            [event.body for event in self.events if isinstance(event, c.Pushed)][-2:],
            ["other", "new"],
        )

    def test_client_does_not_reconnect_after_a_final_goodbye(self) -> None:
        """It does after one that is not final."""
        self.consume()
        self.server.send(c.Goodbye("stopping", "The server is stopping."))
        self.server.transport.disconnect()
        self.assertIn(
            Disconnected("The server is stopping.", self.events[-1].retry_in), self.events
        )
        self.reconnect()
        self.assertTrue(self.client.connected)
        self.server.send(c.Goodbye("kicked", "Out."))
        self.server.transport.disconnect()
        failure = self.failureResultOf(self.ended(), ConnectionClosed)
        self.assertEqual(str(failure.value), "Out.")
        self.clock.advance(LONGEST_DELAY)
        self.assertEqual(self.server.connections, 2)

    def test_client_does_not_reconnect_after_deleting_its_account(self) -> None:
        """The server closes the connection; the events end with an error."""
        self.consume()
        deleting = self.start(self.client.delete_account())
        self.server.send(c.Done(self.server.requests[0].ref))
        self.successResultOf(deleting)
        self.server.transport.disconnect()
        self.failureResultOf(self.ended(), ConnectionClosed)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_client_without_reconnect_ends(self) -> None:
        """With `reconnect=False` a lost connection is the end."""
        self.client = self.connect(reconnect=False)
        self.consume()
        self.server.transport.disconnect()
        self.failureResultOf(self.ended(), ConnectionClosed)

    def test_presence_and_watch_list_are_set_again(self) -> None:
        """After each login; the presence of watched accounts is then an event."""
        watching = self.start(self.client.who(["bob"], watch=True))
        away = self.start(self.client.set_presence(away=True, text="lunch"))
        who, presence = self.server.requests
        self.server.send(c.People(who.ref, [c.Person("bob", "on")]), c.Done(presence.ref))
        self.successResultOf(watching)
        self.successResultOf(away)
        self.server.requests.clear()
        self.consume()
        self.server.transport.disconnect()
        self.reconnect()
        requests = {type(message): message for message in self.server.requests}
        self.assertEqual(requests[c.Who].names, ["bob"])
        self.assertEqual(
            (requests[c.SetPresence].away, requests[c.SetPresence].text), (True, "lunch")
        )
        self.server.send(c.People(requests[c.Who].ref, [c.Person("bob", "off")]))
        self.assertEqual(self.events[-1], c.Presence(c.Person("bob", "off")))

    def test_room_left_meanwhile_is_an_event(self) -> None:
        """A room that the next login does not name was left."""
        self.consume()
        room = c.RoomInfo("#Den", 5, "", False, "bob", 1, "member")
        self.server.send(c.Joined(c.LogState("#den", 5, 7, 7, 7, room)))
        self.server.transport.disconnect()
        self.reconnect()
        self.assertIn(c.Left("#Den", "left"), self.events)
        self.assertEqual(self.client.rooms, {})


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
