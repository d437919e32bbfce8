"""Version 1: registering, logging in and out, changing and finding accounts."""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import v1_messages as c
from chatd.codecs.classic import CREATE, LOGIN, encode
from chatd.protocols.v1.protocol import V1Protocol
from chatd.realm import invite_tokens
from chatd.realm.accounts import Account
from chatd.realm.permissions import Policy
from tests.doubles.v1_clients import MainPortServer, V1Client


class AccountsCase(SynchronousTestCase):
    """A server with the account Ann, whose password is "s3cret"."""

    def setUp(self) -> None:
        self.server = MainPortServer()
        self.ann = self.server.log_in("Ann", password="s3cret")


class Registering(AccountsCase):
    """Creating accounts."""

    def test_taken_and_illegal_names_are_refused(self) -> None:
        """A name is taken in every spelling."""
        client = self.server.connect()
        self.assertEqual(client.refusal_code(c.Register(0, "ANN", "x")), "name-taken")
        self.assertEqual(client.refusal_code(c.Register(0, "a b")), "illegal-name")
        self.assertEqual(client.refusal_code(c.Register(0, "server")), "illegal-name")
        client.request(c.Register(0, "bob"))
        self.assertEqual(client.request(c.LogIn(0, "BOB")).name, "bob")

    def test_invite_token_is_good_for_as_many_accounts_as_the_operator_said(self) -> None:
        """A refused registration does not use it up."""
        self.server.realm.policy = Policy("invite", open_accounts=False)
        tokens: list[str] = []

        async def make() -> None:
            tokens.append(await invite_tokens.make(self.server.realm.documents, 0, 1))

        self.server.run(make())
        (token,) = tokens
        client = self.server.connect()
        for request, code in (
            (c.Register(0, "bob", "pw"), "invite-required"),
            (c.Register(0, "bob", "pw", "nonsense"), "invite-invalid"),
            (c.Register(0, "bob", None, token), "password-needed"),
            (c.Register(0, "ann", "pw", token), "name-taken"),
        ):
            self.assertEqual(client.refusal_code(request), code)
        client.request(c.Register(0, "bob", "pw", token))
        self.assertEqual(client.refusal_code(c.Register(0, "cyd", "pw", token)), "invite-invalid")

    def test_closed_registration_is_refused_by_any_protocol(self) -> None:
        """Version 1 and classic refuse it."""
        self.server.realm.policy = Policy("closed")
        self.assertEqual(
            self.server.connect().refusal_code(c.Register(0, "bob")), "registration-closed"
        )
        classic = self.server.connect()
        classic.send_bytes(encode(CREATE, "bob"))
        self.assertIn(b"New accounts cannot be registered here", classic.transport.output)


class LoggingIn(AccountsCase):
    """Opening and ending sessions."""

    def test_unknown_account_and_wrong_password_look_the_same(self) -> None:
        """Without a password, a client can find out whether a name is taken."""
        client = self.server.connect()
        wrong = client.answer_to(c.LogIn(0, "ann", "guess"))
        unknown = client.answer_to(c.LogIn(0, "nobody", "guess"))
        self.assertEqual((wrong.code, wrong.sentence), (unknown.code, unknown.sentence))
        self.assertEqual(wrong.code, "wrong-password")
        self.assertEqual(client.refusal_code(c.LogIn(0, "ann")), "password-required")
        self.assertEqual(client.refusal_code(c.LogIn(0, "nobody")), "unknown-account")
        self.assertEqual(client.request(c.LogIn(0, "ann", "s3cret")).name, "Ann")

    def test_open_accounts_cannot_log_in_where_they_are_forbidden(self) -> None:
        """Version 1 and classic refuse them."""
        self.server.log_in("bob").disconnect()
        self.server.realm.policy = Policy("open", open_accounts=False)
        self.assertEqual(self.server.connect().refusal_code(c.LogIn(0, "bob")), "password-needed")
        classic = self.server.connect()
        classic.send_bytes(encode(LOGIN, "bob"))
        self.assertIn(b"password", classic.transport.output)
        self.assertFalse(self.server.realm.sessions.online("bob"))

    def test_log_out_is_answered_when_acknowledgements_are_stored(self) -> None:
        """The connection can log in to another account then."""
        bob = self.server.log_in("bob")
        bob.request(c.Send(0, "ann", "1"))
        self.ann.send(c.Ack(0, "@ann", 1))
        self.ann.request(c.LogOut(0))
        self.assertEqual(self.ann.refusal_code(c.Send(0, "bob", "x")), "not-logged-in")
        self.ann.request(c.LogIn(0, "bob"))
        again = self.server.connect()
        (mailbox_log,) = again.request(c.LogIn(0, "ann", "s3cret")).logs
        self.assertEqual((mailbox_log.head, mailbox_log.upto), (1, 1))
        self.assertEqual(again.receive_entries(), [])

    def test_login_on_a_connection_that_is_logged_in_replaces_its_session(self) -> None:
        """A refused login does not."""
        self.server.log_in("bob").disconnect()
        self.assertEqual(self.ann.refusal_code(c.LogIn(0, "nobody")), "unknown-account")
        self.assertTrue(self.server.realm.sessions.online("ann"))
        self.ann.request(c.LogIn(0, "bob"))
        self.assertFalse(self.server.realm.sessions.online("ann"))
        self.assertTrue(self.server.realm.sessions.online("bob"))


class Waiting(AccountsCase):
    """Requests that wait until a password has been hashed."""

    def setUp(self) -> None:
        super().setUp()
        self.server.passwords.hold = Deferred()

    def release(self) -> None:
        """Finish all hashes."""
        hold, self.server.passwords.hold = self.server.passwords.hold, None
        assert hold is not None
        hold.callback(None)

    def test_ping_is_answered_while_a_request_waits_for_a_hash(self) -> None:
        """Other requests wait behind it, in order; so a client that checks its server goes on."""
        for request in (
            c.LogIn(1, "Ann", "s3cret"),
            c.ChangePassword(1, "s3cret", "new"),
            c.SetCertificates(1, [], "new"),
        ):
            client = self.ann if not isinstance(request, c.LogIn) else self.server.connect()
            self.server.passwords.hold = Deferred()
            client.send(request, c.Ping(2), c.FindAccounts(3, "x"))
            self.assertEqual(client.receive(), [c.Pong(2)], request)
            self.server.clock.advance(40)
            client.send(c.Ping(4))
            client.send(c.FindAccounts(5, "*"))
            self.assertEqual(client.receive(), [c.Pong(4)], request)
            self.release()
            self.server.clock.advance(0)
            answers = [getattr(each, "ref", 0) for each in client.receive()]
            self.assertEqual([ref for ref in answers if ref], [1, 3, 5], request)

    def test_client_that_is_silent_while_its_login_waits_is_asked_as_any_other(self) -> None:
        """Its Pong is read meanwhile."""
        client = self.server.connect()
        client.send(c.LogIn(1, "Ann", "s3cret"))
        for _ in range(4):
            self.server.clock.advance(60.0)
            client.send(*[c.Pong(0) for message in client.receive() if isinstance(message, c.Ping)])
        self.assertFalse(client.transport.disconnecting)
        self.release()
        self.server.clock.advance(0)
        self.assertIsInstance(client.receive()[0], c.LoggedIn)

    def test_only_some_requests_are_read_meanwhile(self) -> None:
        """The rest waits in the buffers of the client."""
        client = self.server.connect()
        client.send(c.LogIn(1, "Ann", "s3cret"))
        for ref in range(2, 102):
            client.send(c.FindAccounts(ref, "x"))
        self.assertEqual(client.transport.producerState, "producing")
        client.send(c.FindAccounts(102, "x"))
        self.assertEqual(client.transport.producerState, "paused")
        self.release()
        self.server.clock.advance(0)
        self.assertEqual(len(client.receive()), 102)
        self.assertEqual(client.transport.producerState, "producing")


class Changing(AccountsCase):
    """Password, certificates and deletion."""

    def test_new_password_needs_the_old_one_and_ends_other_sessions(self) -> None:
        """The session that changes it goes on."""
        other = self.server.connect()
        other.request(c.LogIn(0, "ann", "s3cret"))
        self.assertEqual(
            self.ann.refusal_code(c.ChangePassword(0, "wrong", "new")), "wrong-password"
        )
        self.assertEqual(
            self.ann.refusal_code(c.ChangePassword(0, None, "new")), "password-required"
        )
        self.ann.request(c.ChangePassword(0, "s3cret", "new"))
        self.assertEqual(
            [event.code for event in other.receive_events(c.Goodbye)], ["password-changed"]
        )
        client = self.server.connect()
        self.assertEqual(client.refusal_code(c.LogIn(0, "ann", "s3cret")), "wrong-password")
        client.request(c.LogIn(0, "ann", "new"))
        self.ann.request(c.GetBlocked(0))

    def test_certificates_need_the_password_and_a_fingerprint(self) -> None:
        """A client with one of them logs in without the password."""
        fingerprint = "ab" * 32
        self.assertEqual(
            self.ann.refusal_code(c.SetCertificates(0, [fingerprint])), "password-required"
        )
        self.assertEqual(
            self.ann.refusal_code(c.SetCertificates(0, ["x"], "s3cret")), "fingerprint-invalid"
        )
        self.ann.request(c.SetCertificates(0, [fingerprint], "s3cret"))
        self.patch(V1Protocol, "certificate", fingerprint)
        self.assertEqual(self.server.connect().request(c.LogIn(0, "ann")).name, "Ann")

    def opened_by(self, fingerprint: str | None) -> tuple[V1Client, str]:
        """A client that was logged in to Ann's account by a certificate (None: by the password),
        and its resume token."""
        client = self.server.connect()
        client.request(c.Hello(0, features=["tokens"]))
        patch = self.patch(V1Protocol, "certificate", fingerprint)
        client.request(c.LogIn(0, "ann", None if fingerprint else "s3cret"))
        patch.restore()
        (event,) = client.receive_events(c.Token)
        return client, event.token

    def test_sessions_end_with_the_certificate_that_opened_them(self) -> None:
        """Those that were resumed by a token that it had obtained, too; others go on."""
        removed, left = "ab" * 32, "cd" * 32
        self.ann.request(c.SetCertificates(0, [removed, left], "s3cret"))
        by_removed, token = self.opened_by(removed)
        by_left, _ = self.opened_by(left)
        by_password, other_token = self.opened_by(None)
        resumed, also_resumed = self.server.connect(), self.server.connect()
        resumed.request(c.Resume(0, "ann", token))
        also_resumed.request(c.Resume(0, "ann", other_token))
        self.ann.request(c.SetCertificates(0, [left], "s3cret"))
        for client in (by_removed, resumed):
            self.assertEqual(
                [event.code for event in client.receive_events(c.Goodbye)], ["certificate-removed"]
            )
        for client in (by_left, by_password, also_resumed, self.ann):
            client.request(c.GetBlocked(0))

    def test_session_that_removes_its_own_certificate_goes_on(self) -> None:
        """It has shown the password for that."""
        fingerprint = "ab" * 32
        self.ann.request(c.SetCertificates(0, [fingerprint], "s3cret"))
        client, _ = self.opened_by(fingerprint)
        client.request(c.SetCertificates(0, [], "s3cret"))
        self.ann.request(c.SetCertificates(0, [fingerprint], "s3cret"))
        self.ann.request(c.SetCertificates(0, [], "s3cret"))
        client.request(c.GetBlocked(0))

    def test_certificate_added_to_an_open_account_is_removed_by_its_first_password(self) -> None:
        """It can open the account no more."""
        owner, other = self.server.log_in("bob"), self.server.connect()
        other.request(c.LogIn(0, "bob"))
        other.request(c.SetCertificates(0, ["ab" * 32]))
        owner.request(c.ChangePassword(0, None, "s3cret"))
        self.patch(V1Protocol, "certificate", "ab" * 32)
        self.assertEqual(self.server.connect().refusal_code(c.LogIn(0, "bob")), "password-required")

    def test_password_cannot_be_removed_where_open_accounts_are_forbidden(self) -> None:
        """The account could not be used any more."""
        self.server.realm.policy = Policy(open_accounts=False)
        self.assertEqual(
            self.ann.refusal_code(c.ChangePassword(0, "s3cret", None)), "password-needed"
        )
        self.server.connect().request(c.LogIn(0, "ann", "s3cret"))

    def test_deletion_needs_the_password_and_frees_the_name(self) -> None:
        """Its sessions end, its rooms are notified, and its mailbox is deleted."""
        other = self.server.connect()
        other.request(c.LogIn(0, "ann", "s3cret"))
        bob = self.server.log_in("bob", rooms=("#lobby",))
        self.ann.request(c.Join(0, "#lobby"))
        bob.request(c.Send(0, "ann", "for the first Ann"))
        self.assertEqual(self.ann.refusal_code(c.DeleteAccount(0)), "password-required")
        self.ann.request(c.DeleteAccount(0, "s3cret"))
        self.assertEqual(
            [event.code for event in other.receive_events(c.Goodbye)], ["account-deleted"]
        )
        self.assertEqual(self.ann.refusal_code(c.GetBlocked(0)), "not-logged-in")
        self.assertIn(("#lobby", "Ann", "leave"), bob.receive_entries())
        self.assertEqual(bob.refusal_code(c.Send(0, "ann", "x")), "unknown-account")
        again = self.server.connect()
        again.request(c.Register(0, "ann"))
        (mailbox_log,) = again.request(c.LogIn(0, "ann")).logs
        self.assertEqual((mailbox_log.head, again.receive_entries()), (0, []))
        members = bob.request(c.FindMembers(0, "#lobby")).members
        self.assertEqual([member.name for member in members], ["bob"])

    def test_proof_for_another_account_or_a_former_password_is_refused(self) -> None:
        """The name has another owner, or the account another password, when it is used."""
        factory = self.server.factory
        prove = factory.prove

        async def of_another(*credentials: Any) -> Account:
            account = await prove(*credentials)
            return msgspec.structs.replace(account, id=account.id + 1)

        passwords = ["newer", "new"]

        async def of_former_password(*credentials: Any) -> Account:
            account = await prove(*credentials)
            await self.server.realm.set_password(
                "Ann", passwords.pop(), None, self.ann.protocol.session
            )
            return account

        self.patch(factory, "prove", of_another)
        for request in (
            c.ChangePassword(0, "s3cret", "x"),
            c.SetCertificates(0, [], "s3cret"),
            c.DeleteAccount(0, "s3cret"),
        ):
            self.assertEqual(self.ann.refusal_code(request), "unknown-account")
        self.patch(factory, "prove", of_former_password)
        request = c.SetCertificates(0, ["ab" * 32], "s3cret")
        self.assertEqual(self.ann.refusal_code(request), "wrong-password")
        self.assertEqual(self.ann.refusal_code(c.DeleteAccount(0, "new")), "wrong-password")
        self.patch(factory, "prove", prove)
        self.ann.request(c.DeleteAccount(0, "newer"))


class Finding(AccountsCase):
    """The names of accounts."""

    def test_accounts_are_found_by_pattern_in_alphabetical_order(self) -> None:
        """The answers are pages."""
        for name in ("bob", "Carl", "abe", "dora"):
            self.server.log_in(name).disconnect()
        page = self.ann.request(c.FindAccounts(0, "*", "", 2))
        self.assertEqual((page.names, page.more), (["abe", "Ann"], True))
        page = self.ann.request(c.FindAccounts(0, "*", "Ann", 3))
        self.assertEqual((page.names, page.more), (["bob", "Carl", "dora"], False))
        self.assertEqual(self.ann.request(c.FindAccounts(0, "[ab]*")).names, ["abe", "bob"])
        self.assertEqual(self.ann.refusal_code(c.FindAccounts(0, "*" * 257)), "pattern-too-long")
