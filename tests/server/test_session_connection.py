"""The session of a connection, by the classic protocol: acknowledging for clients that cannot."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs.classic import CREATE, DELIVER, Response, encode, encode_send
from chatd.protocols.classic import ClassicProtocol
from chatd.realm.positions import VERY_SOON
from chatd.server.arrivals import INTERVAL
from tests.doubles.classic_clients import ClassicClient, ClassicServer

_MOMENT = 0.0001


class Acknowledging(SynchronousTestCase):
    """Connections of the classic protocol: what is acknowledged, and when it is saved."""

    def setUp(self) -> None:
        self.server = ClassicServer()
        self.ann = self.server.register("ann")
        self.bob = self.server.register("Bob")

    def acknowledged(self, client: ClassicClient) -> int:
        """The seq up to which a client's mailbox has been acknowledged."""
        assert isinstance(client.protocol, ClassicProtocol)
        assert client.protocol.session is not None
        return client.protocol.session.mailbox.state.cursor.upto

    def saved(self) -> int:
        """The seq up to which the store knows Bob's mailbox to be acknowledged."""
        assert self.bob.protocol.session is not None
        results: list[int] = []
        self.server.store.positions(self.bob.protocol.session.account).addCallback(
            lambda positions: results.extend(position.cursor.upto for position in positions)
        )
        return max(results, default=0)

    def test_what_has_arrived_is_acknowledged_and_saved(self) -> None:
        """Within 50 ms of its arrival it is in the store, as of a client that acknowledges by
        itself; not in the moment of the write."""
        self.ann.send_texts("ann", "Bob", "1", "2", "3")
        self.assertEqual((self.acknowledged(self.bob), self.saved()), (0, 0))
        self.server.clock.advance(INTERVAL + _MOMENT)
        self.assertEqual(self.acknowledged(self.bob), 3)
        self.server.clock.advance(VERY_SOON + _MOMENT)
        self.assertEqual(self.saved(), 3)

    def test_what_has_not_arrived_is_not_acknowledged(self) -> None:
        """Only whole entries count; the rest is acknowledged when it has arrived."""
        frame = len(encode_send("ann", "Bob", "1"))
        self.bob.transport.in_flight = frame + 1
        self.ann.send_texts("ann", "Bob", "1", "2", "3")
        self.server.clock.advance(INTERVAL + _MOMENT)
        self.assertEqual(self.acknowledged(self.bob), 1)
        self.bob.transport.in_flight = 0
        self.server.clock.advance(2 * INTERVAL + _MOMENT)
        self.assertEqual(self.acknowledged(self.bob), 3)

    def test_an_entry_that_waits_in_the_daemon_is_not_acknowledged(self) -> None:
        """It is acknowledged after the client has read again."""
        self.bob.transport.capacity = 0
        self.ann.send_texts("ann", "Bob", "1")
        self.server.clock.pump([0.1] * 20)
        self.assertEqual(self.acknowledged(self.bob), 0)
        self.bob.transport.drain()
        self.server.clock.pump([0.1] * 25)
        self.assertEqual(self.acknowledged(self.bob), 1)

    def test_a_new_session_on_the_connection_acknowledges_nothing_of_the_former(self) -> None:
        """What was on its way waits for the next session of the former account. It is nothing that
        the next account has read."""
        self.ann.send_texts("ann", "Bob", "1")
        self.bob.transport.in_flight = 5
        self.ann.send_texts("ann", "Bob", "2")
        self.assertEqual(self.bob.receive_texts(), ["1", "2"])
        self.bob.send(encode(CREATE, "cid"))
        # They have a moment to arrive.
        self.assertEqual(self.bob.receive(), [])
        self.server.clock.pump([INTERVAL] * 200)
        self.assertEqual(self.bob.receive(), [Response("")])
        self.bob.transport.in_flight = 0
        self.server.clock.pump([INTERVAL] * 3)
        self.assertEqual(self.acknowledged(self.bob), 0)
        bob = self.server.log_in("Bob")
        self.assertEqual(self.acknowledged(bob), 1)
        bob.send(encode(DELIVER))
        self.assertEqual(bob.receive_texts(), ["2"])
        self.ann.send_texts("ann", "cid", "3")
        self.assertEqual(self.bob.receive_texts(), ["3"])
        self.server.clock.advance(INTERVAL + _MOMENT)
        self.assertEqual((self.acknowledged(self.bob), self.acknowledged(bob)), (1, 2))

    def test_a_session_ended_by_the_operator_acknowledges_what_has_arrived(self) -> None:
        """What is on its way then waits for the next session."""
        self.ann.send_texts("ann", "Bob", "1")
        self.bob.transport.in_flight = 5
        self.ann.send_texts("ann", "Bob", "2")
        session = self.bob.protocol.session
        assert session is not None
        self.server.realm.sessions.end(session.account, "kicked", "You are out.")
        self.assertEqual(session.mailbox.state.cursor.upto, 1)
        bob = self.server.log_in("Bob")
        bob.send(encode(DELIVER))
        self.assertEqual(bob.receive_texts(), ["2"])

    def test_a_session_that_makes_way_acknowledges_what_has_arrived(self) -> None:
        """The client has closed its connection, which the daemon has not noticed."""
        self.ann.send_texts("ann", "Bob", "1")
        self.patch(self.bob.transport, "hung_up", lambda: True)
        bob = self.server.log_in("Bob")
        self.assertEqual(self.acknowledged(bob), 1)

    def test_a_connection_that_is_lost_acknowledges_what_had_arrived(self) -> None:
        """At once: there is no later moment to ask."""
        self.ann.send_texts("ann", "Bob", "1", "2")
        self.bob.receive_texts()
        self.bob.disconnect()
        bob = self.server.log_in("Bob")
        self.assertEqual(self.acknowledged(bob), 2)
        bob.send(encode(DELIVER))
        self.assertEqual(bob.receive_texts(), [])
