"""The library with the protocol and the realm of the daemon, without a network."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.client import Client, ConnectionClosed, Joined, Left, Pushed, Refused, Retrying, connect
from chatd.client.library.backoff import FIRST_DELAY
from chatd.client.library.events import MAX_OF_ONE_LOG
from chatd.codecs import v1_messages as c
from chatd.codecs.v1 import client_decoder
from chatd.core.errors import StoreUnavailable
from tests.doubles.library_endpoint import LibraryEndpoint
from tests.doubles.v1_clients import MainPortServer


class ServerTests(SynchronousTestCase):
    """Ann uses the library, and Bob a client in memory."""

    def setUp(self) -> None:
        self.server = MainPortServer()
        self.endpoint = LibraryEndpoint(self.server)
        self.bob = self.server.log_in("bob")
        self.events: list[Any] = []

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> Deferred[Any]:
        """Run a coroutine."""
        return Deferred.fromCoroutine(coroutine)

    def wait(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine of the client to its end, and return its result."""
        running = self.start(coroutine)
        self.endpoint.pump()
        return self.successResultOf(running)

    def connect(self, password: str | None = None, **options: Any) -> Client:
        """Log in as Ann, who is registered if necessary."""
        endpoint: Any = self.endpoint
        options |= {"reactor": self.server.clock, "random": random.Random(1)}
        client: Client = self.wait(
            connect("chat://test", "ann", password, register=True, endpoint=endpoint, **options)
        )
        return client

    async def until_the_end(self, client: Client) -> None:
        """Handle all events."""
        async for event in client.events():
            self.events.append(event)

    def consume(self, client: Client) -> None:
        """Handle all events from now on."""
        self.start(self.until_the_end(client))

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.server.clock.advance(seconds)
        self.endpoint.pump()

    def test_slow_program_gets_every_entry_of_every_log_once(self) -> None:
        """Each is pushed once. Those for which there was no room are fetched once. All are
        acknowledged in the end."""
        ann = self.connect()
        self.wait(ann.join("#lobby"))
        self.bob.request(c.Join(0, "#lobby"))
        for number in range(1200):
            self.bob.send(c.Send(0, "ann", str(number)))
            self.bob.send(c.Send(0, "#lobby", str(number)))
        self.endpoint.pump()
        self.consume(ann)
        for _ in range(20):
            self.advance(1)
        for log in ("@ann", "#lobby"):
            texts = [
                each.body
                for each in self.events
                if isinstance(each, Pushed) and each.log == log and each.kind == "text"
            ]
            self.assertEqual(texts, list(map(str, range(1200))), log)
        kinds: Counter[type] = Counter()
        for message in client_decoder(1 << 24).feed(b"".join(self.endpoint.received)):
            kinds[type(message)] += len(message.entries) if isinstance(message, c.Page) else 1
        self.assertEqual(kinds[c.Pushed], 2402, "each text once, and two entries of joining")
        self.assertEqual(kinds[c.Page], 2402 - 2 * MAX_OF_ONE_LOG)
        self.assertEqual(self.endpoint.connections, 1)
        self.wait(ann.close())
        self.assertEqual(self.server.log_in_again("ann").receive_bodies(), [])

    def test_message_is_stored_once_when_the_store_is_available_again(self) -> None:
        """The library sends it again with the same key."""
        ann = self.connect()
        self.consume(ann)
        self.server.store.refusal = StoreUnavailable()
        sending = [self.start(ann.send("bob", text)) for text in "xy"]
        self.endpoint.pump()
        self.assertEqual([type(event) for event in self.events], [Retrying])
        self.server.store.refusal = None
        self.advance(FIRST_DELAY)
        for answer in sending:
            self.successResultOf(answer)
        self.assertEqual(self.bob.receive_bodies(), ["x", "y"])

    def test_new_password_is_used_although_its_answer_is_lost(self) -> None:
        """The resume token has ended with the former one."""
        ann = self.connect("old")
        changing = self.start(ann.change_password("old", "new"))
        while self.endpoint.to_server():
            pass
        self.endpoint.lose()
        self.failureResultOf(changing)
        self.advance(FIRST_DELAY)
        self.assertTrue(ann.connected)
        self.wait(ann.send("bob", "back"))

    def test_deleted_account_ends_the_client_and_the_token(self) -> None:
        """The server would leave the connection open."""
        saved: list[str | None] = []
        ann = self.connect(save_token=saved.append)
        ending = self.start(self.until_the_end(ann))
        self.wait(ann.delete_account())
        self.assertIsNone(self.successResultOf(ending))
        self.assertFalse(ann.connected)
        self.assertEqual([token is None for token in saved], [False, True])

    def test_bot_with_an_access_token_reads_each_entry_once_over_connections(self) -> None:
        """It logs in by its token again, and goes on from its own position."""
        ann = self.server.log_in("ann", rooms=("#lobby",))
        made = ann.request(c.CreateAccessToken(0, "bot", ["send #lobby", "read #lobby"]))
        bot = self.connect(access_token=made.token)
        self.assertEqual(bot.scopes, ["send #lobby", "read #lobby"])
        ending = self.start(self.until_the_end(bot))
        ann.request(c.Send(0, "#lobby", "one"))
        self.endpoint.pump()
        self.endpoint.lose()
        ann.request(c.Send(0, "#lobby", "two"))
        self.advance(FIRST_DELAY)
        self.wait(bot.send("#lobby", "three"))
        bodies = [event.body for event in self.events if isinstance(event, c.Pushed)]
        self.assertEqual(bodies, ["one", "two", "three"])
        ann.request(c.RevokeAccessToken(0, "bot"))
        while self.endpoint.to_client():
            pass
        self.endpoint.lose()
        self.failureResultOf(ending, ConnectionClosed)

    def test_token_ends_with_the_password_that_another_session_changes(self) -> None:
        """The program does not keep it for its next run."""
        saved: list[str | None] = []
        ann = self.connect(save_token=saved.append)
        ending = self.start(self.until_the_end(ann))
        self.server.log_in_again("ann").request(c.ChangePassword(0, None, "new"))
        while self.endpoint.to_client():
            pass
        self.endpoint.lose()
        self.failureResultOf(ending, ConnectionClosed)
        self.assertEqual([token is None for token in saved], [False, True])

    def test_what_cannot_be_sent_does_not_reach_the_server(self) -> None:
        """The connection goes on, and so do the messages after it."""
        ann = self.connect()
        for text in ("half \ud83c", "x" * 65_537):
            failed = self.start(ann.send("bob", text))
            self.failureResultOf(failed, Refused)
        failed = self.start(ann.set_topic("#lobby", "x" * 100_000))
        self.failureResultOf(failed, Refused)
        self.wait(ann.send("bob", "x" * 65_536))
        self.assertEqual(self.endpoint.connections, 1)

    def test_room_that_is_created_anew_has_its_own_entries(self) -> None:
        """Those of the deleted one that are handled late acknowledge nothing in it."""
        ann = self.connect()
        for first in (True, False):
            self.server.now += 1000
            self.bob.request(c.CreateRoom(0, "#den"))
            device = self.server.log_in("ann", rooms=("#den",))
            for number in range(3):
                self.bob.request(c.Send(0, "#den", str(number)))
            device.disconnect()
            if first:
                self.bob.request(c.DeleteRoom(0, "#den"))
        self.endpoint.pump()
        iterator = ann.events()

        async def handle_the_first_room() -> None:
            while not isinstance(await anext(iterator), Left):
                pass
            self.assertIsInstance(await anext(iterator), Joined)

        self.successResultOf(self.start(handle_the_first_room()))
        self.advance(1)
        ann.drop()
        self.endpoint.pump()
        waiting = self.server.log_in_again("ann").receive_bodies()
        self.assertEqual(waiting[-3:], ["0", "1", "2"])
