"""Attacks on log-in, as an attacker's script does them: what others notice, over version 1."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import v1_messages as c
from tests.doubles.passwords import HeldPasswords
from tests.doubles.v1_clients import MainPortServer, V1Client

HOME, ELSEWHERE = "192.0.2.7", "198.51.100.1"


class AttackCase(SynchronousTestCase):
    """A server whose accounts have passwords."""

    def setUp(self) -> None:
        self.server = MainPortServer()

    def register(self, *names: str, address: str = HOME) -> None:
        """Create accounts; the password of each is its name."""
        self.server.client_address = address
        for name in names:
            self.server.connect().request(c.Register(0, name, name))

    def log_in(self, name: str, password: str, address: str = HOME) -> V1Client:
        """Try to log in on a new connection, which stays open."""
        self.server.client_address = address
        client = self.server.connect()
        client.send(c.LogIn(1, name, password))
        return client

    def answers(self, *clients: V1Client) -> list[str]:
        """The code of each refusal, and "in" for each client that got in."""
        answers = []
        for client in clients:
            for message in client.receive():
                if isinstance(message, c.LoggedIn):
                    answers.append("in")
                elif isinstance(message, c.Refusal):
                    answers.append(message.code)
        return answers


class Guesses(AttackCase):
    """14 guesses, and 20 right passwords."""

    def test_twenty_users_behind_one_address_get_in(self) -> None:
        """Neither at once nor after a neighbour has guessed 14 times do they wait."""
        names = [f"user{number}" for number in range(20)]
        self.register(*names)
        self.assertEqual(self.answers(*[self.log_in(name, name) for name in names]), ["in"] * 20)
        for _ in range(14):
            self.log_in("victim", "guess")
        self.assertEqual(self.answers(*[self.log_in(name, name) for name in names]), ["in"] * 20)
        self.assertEqual(self.server.clock.seconds(), 0)

    def test_guesses_from_fourteen_addresses_do_not_lock_the_owner_out(self) -> None:
        """At home the owner does not wait; elsewhere, for ten seconds at most. The guesses are
        slow."""
        self.register("ann")
        guesses = [self.log_in("ann", "guess", f"203.0.113.{number}") for number in range(14)]
        self.assertEqual(self.answers(*guesses), ["wrong-password"] * 3)
        self.assertEqual(self.answers(self.log_in("ann", "ann")), ["in"])
        elsewhere = self.log_in("ann", "ann", ELSEWHERE)
        self.assertEqual(self.answers(elsewhere), [])
        self.server.clock.pump([0.5] * 20)
        self.assertEqual(self.answers(elsewhere), ["in"])
        self.server.clock.pump([0.5] * 10)
        self.assertEqual(self.answers(*guesses), ["wrong-password"] * 2)

    def test_resume_token_passes_while_a_neighbour_guesses(self) -> None:
        """The devices of the owner reconnect at once."""
        self.register("ann")
        ann = self.server.connect()
        ann.request(c.Hello(0, "test", "1", ["tokens"]))
        ann.request(c.LogIn(0, "ann", "ann"))
        (token,) = ann.receive_events(c.Token)
        for _ in range(14):
            self.log_in("ann", "guess")
        self.server.connect().request(c.Resume(0, "ann", token.token))

    def test_guesses_of_connections_that_are_closed_take_no_turns(self) -> None:
        """An attacker cannot keep others waiting by connecting and leaving."""
        self.register("ann")
        guesses = [self.log_in("ann", "guess", ELSEWHERE) for _ in range(14)]
        for guess in guesses:
            guess.transport.disconnected = True
            guess.protocol.connectionLost(Failure(ConnectionDone()))
        newcomer = self.log_in("bob", "bob", ELSEWHERE)
        self.server.clock.advance(2.5)
        self.assertEqual(self.answers(newcomer), ["wrong-password"])
        self.assertEqual(self.server.realm.counters.queues["attempts to log in"], 0)

    def test_daemon_stops_at_once_while_guesses_wait(self) -> None:
        """Each is refused, and its connection is closed."""
        self.register("ann")
        guesses = [self.log_in("ann", "guess", ELSEWHERE) for _ in range(14)]
        self.answers(*guesses)
        self.server.factory.close_all()
        self.assertEqual(self.answers(*guesses), ["busy"] * 11)
        self.assertTrue(all(guess.transport.disconnecting for guess in guesses))


class Registrations(AttackCase):
    """80 connections that register without end."""

    def setUp(self) -> None:
        super().setUp()
        self.held = HeldPasswords(self.server.limits)
        checker: Any = self.server.factory._checker
        checker._passwords = self.held.passwords
        self.server.realm._hash_password = self.held.passwords.hash

    def test_eighty_connections_that_register_do_not_keep_log_ins_out(self) -> None:
        """Nine users log in, each within two hashes of the one before; and what was asked for by
        connections that are closed is not hashed."""
        names = [f"user{number}" for number in range(9)]
        for name in names:
            registering = self.server.connect()
            registering.send(c.Register(1, name, name))
            self.held.finish()
        attackers = []
        for number in range(80):
            attacker = self.server.connect()
            attacker.send(c.Register(1, f"attacker{number}", "x"))
            attackers.append(attacker)
        users = [self.log_in(name, name) for name in names]
        self.held.finish(2 * len(names))
        self.assertEqual(self.answers(*users), ["in"] * 9)
        # The attackers have the share of one address; nine of theirs were hashed meanwhile.
        waiting = self.server.realm.counters.queues["passwords to be hashed"]
        self.assertEqual(waiting, self.server.limits.address_hashes - 9)
        for attacker in attackers:
            attacker.disconnect()
        while self.held.begun:
            self.held.finish()
        ann = self.server.log_in("ann")
        names = ann.request(c.FindAccounts(0, "attacker*", "", 100)).names
        self.assertEqual(len(names), 10)
