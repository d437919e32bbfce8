"""The outbox: which requests are outstanding, and how each of them ends."""

from __future__ import annotations

from typing import Any, cast

from twisted.trial.unittest import SynchronousTestCase

from chatd.client.cli.message_cache import CachedMessage
from chatd.client.cli.outbox import WINDOW, KeyedRequest, Outbox
from chatd.client.library.client import Client
from chatd.client.library.errors import ConnectionClosed, RefusedByServer
from chatd.codecs import v1_messages as c
from tests.doubles.client import FakeClient

MESSAGE = CachedMessage("#lobby", 3, 30, 300, "alice", "hi")
REFUSAL = RefusedByServer("unknown-account", "There is no account of that name.")


class OutboxTests(SynchronousTestCase):
    """`Outbox`, with a server that answers when the test says so."""

    def setUp(self) -> None:
        self.client = FakeClient()
        self.client.slow = True
        self.accepted: list[tuple[Any, ...]] = []
        self.refused: list[tuple[Any, ...]] = []
        self.outbox = Outbox(
            lambda *answer: self.accepted.append(answer),
            lambda *refusal: self.refused.append(refusal),
        )

    def post(
        self,
        request: KeyedRequest | None = None,
        about: CachedMessage | None = None,
        ref: int = 0,
    ) -> KeyedRequest:
        """Post a request, by default a message to Bob; returns the request."""
        posted = request if request is not None else c.Send(0, "bob", "hi")
        self.outbox.post(cast(Client, self.client), posted, about, ref)
        return posted

    def test_answer_is_passed_on_with_its_request(self) -> None:
        """The message that it refers to and the number of the program are passed on too."""
        request = self.post(c.Edit(0, "#lobby", 3, "ho"), MESSAGE, 5)
        self.assertEqual(self.accepted, [])
        self.client.accept()
        ((answered, answer, about, ref),) = self.accepted
        self.assertIs(answered, request)
        self.assertEqual((answer.log, answer.seq), ("#lobby", 1))
        self.assertEqual((about, ref), (MESSAGE, 5))

    def test_refusal_is_passed_on_with_its_request(self) -> None:
        """A refused request is not lost."""
        request = self.post(ref=5)
        self.client.accept(REFUSAL)
        self.assertEqual(self.refused, [(REFUSAL, request, 5)])
        self.assertEqual((self.accepted, self.outbox.lost), ([], 0))

    def test_request_without_answer_is_counted_as_lost(self) -> None:
        """This happens if the client will not connect again."""
        self.post()
        self.post()
        self.client.accept()
        self.client.accept(ConnectionClosed())
        self.assertEqual((self.outbox.lost, self.outbox.outstanding), (1, 0))
        self.assertEqual(self.refused, [])

    def test_key_is_added_to_a_request_without_one(self) -> None:
        """A program may have chosen a key."""
        self.assertEqual(self.post().key, "key")
        self.assertEqual(self.post(c.Send(0, "bob", "hi", "own")).key, "own")

    def test_full_outbox_waits_for_one_answer(self) -> None:
        """Below the window there is nothing to wait for."""
        for _ in range(WINDOW - 1):
            self.post()
        self.successResultOf(self.outbox.when_not_full())
        self.post()
        waiting = [self.outbox.when_not_full(), self.outbox.when_not_full()]
        self.assertNoResult(waiting[0])
        self.client.accept()
        for waiter in waiting:
            self.successResultOf(waiter)

    def test_empty_outbox_is_awaited(self) -> None:
        """Every request has ended then: accepted, refused or lost."""
        self.successResultOf(self.outbox.when_empty())
        for _ in range(3):
            self.post()
        empty = self.outbox.when_empty()
        self.client.accept()
        self.client.accept(REFUSAL)
        self.assertNoResult(empty)
        self.assertEqual(self.outbox.outstanding, 1)
        self.client.accept(ConnectionClosed())
        self.successResultOf(empty)

    def test_outbox_is_empty_after_the_answer_is_passed_on(self) -> None:
        """The answer is printed before a command that waits prints anything."""
        self.post()
        accepted: list[int] = []
        self.outbox.when_empty().addCallback(lambda _: accepted.append(len(self.accepted)))
        self.client.accept()
        self.assertEqual(accepted, [1])
