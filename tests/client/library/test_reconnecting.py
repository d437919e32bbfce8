"""Lost connections: the client connects again, resumes, and sends again what is not answered."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from chatd.client import Connected, ConnectionClosed, Disconnected, Left, Position, Pushed, Refused
from chatd.client.library.backoff import FIRST_DELAY, LONGEST_DELAY
from chatd.client.library.client import STABLE_TIME
from chatd.client.library.opening import CONNECT_TIMEOUT
from chatd.codecs import v1_messages as c
from tests.client.library.test_client import ClientCase


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
        """They double up to `LONGEST_DELAY`, and begin again after a session of `STABLE_TIME`: a
        session that always ends at once must not be a connection after the other."""
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
        self.clock.advance(STABLE_TIME - 1)
        self.server.transport.disconnect()
        self.assertGreaterEqual(self.events[-1].retry_in, LONGEST_DELAY / 2)
        self.clock.advance(LONGEST_DELAY)
        self.clock.advance(STABLE_TIME)
        self.server.transport.disconnect()
        self.assertLessEqual(self.events[-1].retry_in, FIRST_DELAY)

    def test_temporary_refusal_is_retried_and_another_one_ends_the_client(self) -> None:
        """The events raise the refusal. Messages fail without one: the server has not refused them,
        and a program must not take them for handled."""
        self.consume()
        sending = self.start(self.client.send("bob", "x"))
        self.server.login_refusals = [("busy", "later"), ("wrong-password", "no")]
        self.server.transport.disconnect()
        for _ in range(3):
            self.clock.advance(2)
        self.assertEqual(self.failureResultOf(self.ended(), Refused).value.code, "wrong-password")
        late = self.start(self.client.send("bob", "y"))
        for failed in (sending, late, self.start(self.client.ping())):
            self.assertEqual(str(self.failureResultOf(failed, ConnectionClosed).value), "no")

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
        deleting = self.start(self.client.request(c.DeleteAccount(0)))
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

    def test_message_sent_on_an_event_of_the_login_follows_older_ones(self) -> None:
        """Those without an answer are sent again before the program gets the event."""
        room = c.RoomInfo("#Den", 5, "", False, "bob", 1, "member")
        self.server.send(c.Joined(c.LogState("#den", 5, 7, 7, 7, room)))

        async def say_goodbye() -> None:
            async for event in self.client.events():
                if isinstance(event, Left):
                    await self.client.send("bob", "last")

        self.start(say_goodbye())
        for text in ("first", "second"):
            self.start(self.client.send("bob", text))
        self.server.requests.clear()
        self.server.transport.disconnect()
        self.reconnect()
        texts = [message.text for message in self.server.requests]
        self.assertEqual(texts, ["first", "second", "last"])

    def test_given_positions_are_used_once(self) -> None:
        """A room that is joined again later begins where the server says."""
        self.server.state.append(c.LogState("#den", 5, 9, 9, 9))
        self.client = self.connect(positions=[Position("#den", 5, 4)])
        self.assertEqual(self.client.logs["#den"].received, 4)
        self.server.send(c.Left("#den", "left"))
        self.server.transport.disconnect()
        self.reconnect()
        self.assertEqual(self.client.logs["#den"].received, 9)

    def test_close_in_answer_to_disconnected_is_the_end(self) -> None:
        """There is no other connection, and no timer is left."""

        async def close_when_disconnected() -> None:
            async for event in self.client.events():
                if isinstance(event, Disconnected):
                    await self.client.close()

        ended = self.start(close_when_disconnected())
        self.server.transport.disconnect()
        self.successResultOf(ended)
        self.clock.advance(LONGEST_DELAY)
        self.assertEqual((self.server.connections, self.clock.getDelayedCalls()), (1, []))

    def test_close_ends_an_attempt(self) -> None:
        """Also if the server has accepted the connection and is silent."""
        self.consume()
        self.server.silent = True
        self.server.transport.disconnect()
        self.reconnect()
        self.assertEqual(self.server.connections, 2)
        self.successResultOf(self.start(self.client.close()))
        self.assertTrue(self.server.transport.disconnected)
        self.successResultOf(self.ended())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_events_of_a_plain_loss_say_why(self) -> None:
        """The loss itself, a refused connection, and one that is not made in time."""
        self.consume()
        self.server.down = True
        self.server.transport.disconnect()
        self.clock.advance(LONGEST_DELAY)
        never: Deferred[Any] = Deferred()
        self.patch(self.server, "connect", lambda factory: never)
        self.clock.advance(LONGEST_DELAY)
        self.clock.advance(CONNECT_TIMEOUT)
        self.assertEqual(
            [event.reason for event in self.events],
            [
                "The server closed the connection.",
                "Connection was refused by other side.",
                "The connection was not made within 10 seconds.",
            ],
        )

    def test_silent_server_is_tried_again(self) -> None:
        """After `CONNECT_TIMEOUT` seconds. The event says what happened."""
        self.consume()
        self.server.silent = True
        self.server.transport.disconnect()
        self.reconnect()
        self.clock.advance(CONNECT_TIMEOUT)
        self.assertIn("has not answered for 10 seconds", self.events[-1].reason)
        self.server.silent = False
        self.clock.advance(2 * FIRST_DELAY)
        self.assertTrue(self.client.connected)

    def test_entries_of_a_deleted_room_do_not_acknowledge_those_of_a_new_one(self) -> None:
        """It may have the same name, and entries with the same numbers."""
        self.server.send(c.Joined(c.LogState("#den", 5, 0, 0, 0)))
        self.server.send(*(self.server.entry(seq, log="#den") for seq in range(1, 51)))
        self.server.send(c.Left("#den", "deleted"), c.Joined(c.LogState("#den", 6, 0, 0, 0)))
        self.server.send(*(self.server.entry(seq, "new", log="#den") for seq in range(1, 51)))
        events = self.client.events()

        async def take_old() -> None:
            for _ in range(53):
                await anext(events)

        self.successResultOf(self.start(take_old()))
        self.clock.advance(1)
        self.assertEqual(self.server.acknowledged, [])
        self.assertEqual(self.client.logs["#den"].handled, 0)

    def test_message_that_cannot_be_sent_is_refused_and_not_stored(self) -> None:
        """It would be sent again over every connection, and nothing after it."""
        for text in ("half \ud83c", "x" * 100_000):
            self.failureResultOf(self.start(self.client.send("bob", text)), Refused)
        later = self.start(self.client.send("bob", "later"))
        self.server.transport.disconnect()
        self.server.requests.clear()
        self.reconnect()
        self.assertTrue(self.client.connected)
        (message,) = self.server.requests
        self.assertEqual(message.text, "later")
        self.server.send(c.Accepted(message.ref, "@bob", 1, 9, 0))
        self.successResultOf(later)

    def test_message_is_sent_again_after_a_temporary_refusal(self) -> None:
        """The program is notified, with the code and the sentence."""
        self.consume()
        sending = self.start(self.client.send("bob", "x"))
        for number, code in enumerate(("busy", "store-unavailable"), 1):
            request = self.server.requests[-1]
            self.server.send(c.Refusal(request.ref, code, "Later.", request.command))
            self.assertEqual((self.events[-1].code, self.events[-1].reason), (code, "Later."))
            self.clock.advance(FIRST_DELAY * number)
        first, _, third = self.server.requests
        self.assertEqual(third.key, first.key)
        self.server.send(c.Accepted(third.ref, "@bob", 1, 9, 0))
        self.successResultOf(sending)
