"""Version 1: resume tokens. What ends them is tested in `tests.realm.test_resume_tokens`, too."""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import v1_messages as c
from chatd.codecs.v1 import client_decoder
from chatd.realm.operations import Operations
from chatd.realm.permissions import Policy
from chatd.realm.resume_token import ResumeToken
from tests.doubles.v1_clients import MainPortServer, V1Client

CERTIFICATE = "ab" * 32


class TokensCase(SynchronousTestCase):
    """Ann, who has a password, is logged in with the feature."""

    def setUp(self) -> None:
        self.server = MainPortServer()
        self.server.run(self.server.realm.register("Ann", "s3cret"))
        self.ann, self.token = self.log_in()

    def log_in(self, name: str = "ann", password: str | None = "s3cret") -> tuple[V1Client, str]:
        """Another client that is logged in with the feature, and its token."""
        client = self.server.connect()
        client.request(c.Hello(0, features=["tokens"]))
        client.request(c.LogIn(0, name, password))
        return client, self.new_token(client)

    def new_token(self, client: V1Client) -> str:
        """The token that a client was sent since the last call."""
        (event,) = client.receive_events(c.Token)
        return event.token

    def resume(self, token: str, *positions: c.Position) -> V1Client:
        """A new client, which is logged in by a token."""
        client = self.server.connect()
        client.request(c.Hello(0, features=["tokens"]))
        self.assertEqual(client.request(c.Resume(0, "ann", token, list(positions))).name, "Ann")
        return client

    def works(self, token: str, name: str = "ann") -> bool:
        """Whether a token opens a session, which is ended again without a log-out."""
        client = self.server.connect()
        answer = client.answer_to(c.Resume(0, name, token))
        client.disconnect()
        if isinstance(answer, c.Refusal):
            self.assertEqual((answer.code, answer.sentence), ("wrong-password", "wrong password"))
            return False
        return True


class Getting(TokensCase):
    """Who gets a token."""

    def test_client_without_the_feature_gets_the_bytes_of_before(self) -> None:
        """Its log-in is answered by `LoggedIn` and nothing else, and no token is stored."""
        client = self.server.connect()
        client.request(c.Hello(0, features=["receipts", "presence", "typing"]))
        client.request(c.LogIn(0, "ann", "s3cret"))
        self.assertEqual(client.receive_events(c.Message), [])
        self.assertEqual(self.stored(), 1)

    def stored(self) -> int:
        """The number of Ann's tokens."""
        session = self.server.realm.sessions.all()[0]
        counted = self.server.store.count(ResumeToken.document_kind, str(session.account))
        number: int = self.successResultOf(counted)
        return number

    def test_token_follows_the_log_in_before_entries(self) -> None:
        """It is sent once for a log-in, and a resumed session needs no other."""
        self.ann.disconnect()
        self.server.log_in("bob").request(c.Send(0, "ann", "hi"))
        client = self.server.connect()
        client.request(c.Hello(0, features=["tokens"]))
        client.send(c.LogIn(9, "ann", "s3cret"))
        kinds = [type(message) for message in client.receive()]
        self.assertEqual(kinds, [c.LoggedIn, c.Token, c.Pushed])
        self.assertEqual(self.resume(self.token).receive_events(c.Token), [])

    def test_open_account_gets_a_token(self) -> None:
        """It opens that account, for as long as open accounts may be used."""
        self.server.run(self.server.realm.register("Bob"))
        _, token = self.log_in("bob", None)
        self.assertTrue(self.works(token, "bob"))
        self.assertFalse(self.works(token, "ann"))
        self.server.realm.policy = Policy(open_accounts=False)
        client = self.server.connect()
        self.assertEqual(client.refusal_code(c.Resume(0, "bob", token)), "password-needed")

    def test_log_in_succeeds_if_no_token_can_be_stored(self) -> None:
        """The client gets none."""
        self.patch(self.server.realm.resume_tokens, "issue", self.no_token)
        client = self.server.connect()
        client.request(c.Hello(0, features=["tokens"]))
        client.request(c.LogIn(0, "ann", "s3cret"))
        self.assertEqual(client.receive_events(c.Token), [])

    async def no_token(self, session: object) -> str:
        """See `ResumeTokens.issue`."""
        return ""


class Resuming(TokensCase):
    """Logging in by a token."""

    def test_no_password_is_hashed(self) -> None:
        """Neither for a right token nor for a wrong one."""

        async def verify(*_: object) -> bool:
            raise AssertionError("a password is hashed")

        self.patch(self.server.passwords, "verify", verify)
        self.assertTrue(self.works(self.token))
        self.assertFalse(self.works("wrong"))
        self.assertFalse(self.works("wrong", "nobody"))

    def test_positions_are_as_in_a_log_in(self) -> None:
        """Entries after them are pushed."""
        bob = self.server.log_in("bob")
        for text in ("1", "2", "3"):
            bob.request(c.Send(0, "ann", text))
        self.ann.disconnect()
        client = self.server.connect()
        (state,) = client.request(c.Resume(0, "ann", self.token)).logs
        self.assertEqual(client.receive_bodies(), ["1", "2", "3"])
        position = c.Position("@ann", state.since, 2)
        self.assertEqual(self.resume(self.token, position).receive_bodies(), ["3"])

    def test_token_may_be_used_by_several_connections(self) -> None:
        """The server may not have noticed that an earlier one is lost."""
        self.resume(self.token)
        self.resume(self.token)
        self.assertEqual(len(self.server.realm.sessions.all()), 3)

    def test_many_that_reconnect_at_once_do_not_displace_each_other(self) -> None:
        """A connection whose account is being read is not idle, and is not closed for others; one
        that is refused counts again."""
        self.server.factory.limits = msgspec.structs.replace(self.server.limits, unauthenticated=2)
        self.server.store.eager = False
        clients = [self.server.connect() for _ in range(1)]
        for _ in range(4):
            clients[-1].send(c.Resume(1, "ann", self.token))
            clients.append(self.server.connect())
        clients[-1].send(c.Resume(1, "ann", "wrong"))
        self.assertEqual(len(self.server.factory.unauthenticated), 0)
        self.server.store.eager = True
        while self.server.store._open:
            self.server.store.release()
        answers = [type(client.receive()[0]) for client in clients]
        self.assertEqual(answers, [c.LoggedIn] * 4 + [c.Refusal])
        self.assertEqual(len(self.server.factory.unauthenticated), 1)

    def test_wrong_token_and_unknown_account_look_the_same(self) -> None:
        """The same refusal."""
        client = self.server.connect()
        wrong = client.answer_to(c.Resume(0, "ann", "guess"))
        unknown = client.answer_to(c.Resume(0, "nobody", "guess"))
        self.assertEqual((wrong.code, wrong.sentence), (unknown.code, unknown.sentence))
        self.assertEqual(wrong.code, "wrong-password")

    def test_refused_token_does_not_end_the_session_of_the_connection(self) -> None:
        """As a refused log-in does not; an accepted one takes its place."""
        self.assertEqual(self.ann.refusal_code(c.Resume(0, "ann", "guess")), "wrong-password")
        self.assertEqual(self.ann.request(c.FindAccounts(0)).names, ["Ann"])
        self.ann.request(c.Resume(0, "ann", self.token))
        self.assertEqual(len(self.server.realm.sessions.all()), 1)

    def test_resumed_session_has_the_features_of_its_connection(self) -> None:
        """Receipts, for example."""
        self.server.log_in("bob").disconnect()
        client = self.server.connect()
        client.request(c.Hello(0, features=["receipts"]))
        client.request(c.Resume(0, "ann", self.token))
        client.request(c.Send(0, "bob", "hi"))
        self.server.log_in("bob").send(c.Ack(0, "@bob", 1))
        self.assertEqual(len(client.receive_events(c.Receipt)), 1)


class Ending(TokensCase):
    """What ends a token."""

    def test_log_out_ends_the_token(self) -> None:
        """A closed connection does not, nor a log-out with `keep_token`."""
        self.ann.disconnect()
        self.assertTrue(self.works(self.token))
        self.resume(self.token).request(c.LogOut(0, keep_token=True))
        self.assertTrue(self.works(self.token))
        self.resume(self.token).request(c.LogOut(0))
        self.assertFalse(self.works(self.token))

    def test_changed_password_ends_all_tokens_and_the_session_gets_another(self) -> None:
        """Before the answer; only a client that has the feature."""
        _, other = self.log_in()
        self.ann.send(c.ChangePassword(9, "s3cret", "new"))
        messages = self.ann.receive()
        self.assertEqual([type(message) for message in messages], [c.Token, c.Done])
        self.assertEqual([self.works(token) for token in (self.token, other)], [False, False])
        assert isinstance(messages[0], c.Token)
        self.assertTrue(self.works(messages[0].token))

    def test_removed_certificate_ends_all_tokens_and_the_session_gets_another(self) -> None:
        """Adding one changes nothing."""
        self.ann.request(c.SetCertificates(0, [CERTIFICATE], "s3cret"))
        self.assertEqual(self.ann.receive_events(c.Token), [])
        self.ann.request(c.SetCertificates(0, [], "s3cret"))
        token = self.new_token(self.ann)
        self.assertEqual([self.works(self.token), self.works(token)], [False, True])

    def test_operator_ends_the_tokens(self) -> None:
        """The client is told, and cannot come back without its password."""
        self.server.run(Operations(self.server.realm).end_sessions("ann"))
        (goodbye,) = self.ann.receive_events(c.Goodbye)
        self.assertEqual(goodbye.code, "kicked")
        self.assertFalse(self.works(self.token))

    def test_deleted_account_has_no_token(self) -> None:
        """Nor has the next account of its name."""
        self.ann.request(c.DeleteAccount(0, "s3cret"))
        self.assertFalse(self.works(self.token))
        self.server.run(self.server.realm.register("ann", "other"))
        self.assertFalse(self.works(self.token))

    def test_session_whose_token_ends_meanwhile_is_ended(self) -> None:
        """It gets a `Goodbye` after `LoggedIn`, and is not carried on."""
        tokens: Any = self.server.realm.resume_tokens
        account = tokens.account

        async def account_then_revoke(name: str, token: str) -> object:
            found = await account(name, token)
            await tokens.revoke_all(found[1].id)
            return found

        self.patch(tokens, "account", account_then_revoke)
        client = self.server.connect()
        client.send(c.Resume(1, "ann", self.token))
        messages = client_decoder(1 << 20).feed(client.transport.output)
        self.assertEqual([type(message) for message in messages], [c.LoggedIn, c.Goodbye])
        self.assertTrue(client.transport.disconnecting)
        self.assertEqual(len(self.server.realm.sessions.all()), 1)
