"""Version 1, as a client sees it: accounts and sessions."""

from __future__ import annotations

import msgspec
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import v1_messages as c
from chatd.codecs.classic import CREATE, LOGIN, encode
from chatd.realm import registration as invites
from chatd.realm.permissions import Policy
from chatd.realm.saved_state import SOON_SECONDS
from tests.doubles.v1_clients import MainPortServer


class Accounts(SynchronousTestCase):
    """Registering, logging in and out, passwords, deletion."""

    def setUp(self) -> None:
        """A daemon with an account that has a password."""
        self.server = MainPortServer()
        self.ann = self.server.log_in("Ann", password="s3cret")

    def test_hello(self) -> None:
        """The server says who it is and what it takes."""
        welcome = self.server.connect().request(c.Hello(0, "test", "1"))
        self.assertEqual(welcome.server, "chatd")
        self.assertEqual((welcome.registration, welcome.open_accounts), ("open", True))
        self.assertEqual((welcome.limits.text, welcome.limits.topic), (65_536, 256))

    def test_registering(self) -> None:
        """A name is taken once, whatever its spelling, and has to be one."""
        stranger = self.server.connect()
        self.assertEqual(stranger.refusal_code(c.Register(0, "ANN", "x")), "name-taken")
        self.assertEqual(stranger.refusal_code(c.Register(0, "a b")), "illegal-name")
        self.assertEqual(stranger.refusal_code(c.Register(0, "server")), "illegal-name")
        stranger.request(c.Register(0, "bob"))
        self.assertEqual(stranger.request(c.LogIn(0, "BOB")).name, "bob")

    def test_by_invitation(self) -> None:
        """A token is good for as many accounts as the operator said, and none is lost on a taken
        name."""
        self.server.realm.policy = Policy("invite", open_accounts=False)
        tokens: list[str] = []
        Deferred.fromCoroutine(invites.make(self.server.realm.documents, 0, 1)).addCallback(
            tokens.append
        )
        stranger = self.server.connect()
        self.assertEqual(stranger.refusal_code(c.Register(0, "bob", "pw")), "invite-required")
        self.assertEqual(
            stranger.refusal_code(c.Register(0, "bob", "pw", "nonsense")), "invite-invalid"
        )
        self.assertEqual(
            stranger.refusal_code(c.Register(0, "bob", None, tokens[0])), "password-needed"
        )
        self.assertEqual(stranger.refusal_code(c.Register(0, "ann", "pw", tokens[0])), "name-taken")
        stranger.request(c.Register(0, "bob", "pw", tokens[0]))
        self.assertEqual(
            stranger.refusal_code(c.Register(0, "cyd", "pw", tokens[0])), "invite-invalid"
        )

    def test_closed(self) -> None:
        """Nobody can make an account, by any protocol."""
        self.server.realm.policy = Policy("closed")
        self.assertEqual(
            self.server.connect().refusal_code(c.Register(0, "bob")), "registration-closed"
        )
        classic = self.server.connect()
        classic.send_bytes(encode(CREATE, "bob"))
        self.assertIn(b"New accounts cannot be registered here", classic.transport.output)

    def test_logging_in(self) -> None:
        """An unknown name and a wrong password look the same; without a password one has to know
        the name."""
        stranger = self.server.connect()
        wrong = stranger.answer_to(c.LogIn(0, "ann", "guess"))
        unknown = stranger.answer_to(c.LogIn(0, "nobody", "guess"))
        self.assertEqual((wrong.code, wrong.sentence), (unknown.code, unknown.sentence))
        self.assertEqual(stranger.refusal_code(c.LogIn(0, "ann")), "password-required")
        self.assertEqual(stranger.refusal_code(c.LogIn(0, "nobody")), "unknown-account")
        self.assertEqual(stranger.request(c.LogIn(0, "ann", "s3cret")).name, "Ann")

    def test_open_accounts_are_allowed_or_not(self) -> None:
        """Where they are not, those there are cannot be used either, by any protocol."""
        self.server.log_in("bob").disconnect()
        self.server.realm.policy = Policy("open", open_accounts=False)
        self.assertEqual(self.server.connect().refusal_code(c.LogIn(0, "bob")), "password-needed")
        classic = self.server.connect()
        classic.send_bytes(encode(LOGIN, "bob"))
        self.assertIn(b"password", classic.transport.output)
        self.assertFalse(self.server.realm.sessions.online("bob"))

    def test_nothing_without_logging_in(self) -> None:
        """What takes an account is refused to strangers, each request on its own."""
        stranger = self.server.connect()
        for number, kind in c.REQUESTS.items():
            if kind in (c.Hello, c.Ping, c.Pong, c.Register, c.LogIn):
                continue
            values = {
                "log": "@ann",
                "room": "#x",
                "private": True,
                "names": [],
                "seqs": [],
                "fingerprints": [],
                "seq": 1,
                "last": 1,
            }
            required = [field.name for field in msgspec.structs.fields(kind)[1:] if field.required]
            message = kind(0, *(values.get(name, "x") for name in required))
            self.assertEqual(stranger.refusal_code(message), "not-logged-in", number)

    def test_many_sessions(self) -> None:
        """One account on two devices: both get what comes, and each hears what the other sends."""
        other = self.server.connect()
        other.request(c.LogIn(0, "ann", "s3cret"))
        bob = self.server.log_in("bob")
        bob.request(c.Send(0, "ann", "hi"))
        for device in (self.ann, other):
            self.assertEqual(device.receive_entries(), [("@ann", "bob", "hi")])
        self.ann.request(c.Send(0, "bob", "hello"))
        (sent,) = other.receive_events(c.Sent)
        self.assertEqual((sent.log, sent.seq, sent.kind, sent.body), ("@bob", 1, "text", "hello"))
        self.assertEqual(self.ann.receive_events(c.Sent), [])
        self.ann.request(c.Join(0, "#lobby"))
        self.assertEqual([event.state.log for event in other.receive_events(c.Joined)], ["#lobby"])
        self.ann.request(c.Send(0, "#lobby", "here"))
        self.assertEqual(other.receive_entries()[-1], ("#lobby", "Ann", "here"))
        other.request(c.Leave(0, "#lobby"))
        self.assertEqual(
            [(event.room, event.reason) for event in self.ann.receive_events(c.Left)],
            [("#lobby", "left")],
        )

    def test_logging_out(self) -> None:
        """What was acknowledged is stored when the answer comes; the connection can be somebody
        else then."""
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

    def test_acknowledgements_are_stored_soon(self) -> None:
        """Without being asked for it, within a second."""
        bob = self.server.log_in("bob")
        bob.request(c.Send(0, "ann", "1"))
        self.ann.send(c.Ack(0, "@ann", 1))
        self.server.clock.advance(SOON_SECONDS)
        stored: list[object] = []
        self.server.store.get("cursor", "@ann").addCallback(stored.append)
        self.assertNotEqual(stored, [None])

    def test_changing_a_password(self) -> None:
        """It takes the old one, and ends the account's other sessions."""
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
        stranger = self.server.connect()
        self.assertEqual(stranger.refusal_code(c.LogIn(0, "ann", "s3cret")), "wrong-password")
        stranger.request(c.LogIn(0, "ann", "new"))

    def test_deleting(self) -> None:
        """It takes the password; mailbox and places in rooms are gone, others are told, the name is
        free."""
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
        again = self.server.log_in("ann")
        self.assertEqual(again.receive_entries(), [])
        members = [member.name for member in bob.request(c.FindMembers(0, "#lobby")).members]
        self.assertEqual(members, ["bob"])

    def test_a_name_is_not_its_former_owner(self) -> None:
        """Whoever has the name now cannot change, or ask about, what the one before said."""
        bob = self.server.log_in("bob")
        seq = self.ann.request(c.Send(0, "bob", "by the first Ann")).seq
        self.ann.request(c.DeleteAccount(0, "s3cret"))
        self.server.clock.advance(1)
        self.server.now += 1000
        ann = self.server.log_in("Ann")
        self.assertEqual(ann.refusal_code(c.Edit(0, "@bob", seq, "never said")), "unknown-entry")
        self.assertEqual(ann.request(c.GetReceipts(0, "@bob", [seq])).states, [])
        self.assertEqual(bob.receive_entries(), [("@bob", "Ann", "by the first Ann")])

    def test_finding(self) -> None:
        """Page by page, in alphabetical order, by pattern."""
        for name in ("bob", "Carl", "abe", "dora"):
            self.server.log_in(name).disconnect()
        page = self.ann.request(c.FindAccounts(0, "*", "", 2))
        self.assertEqual((page.names, page.more), (["abe", "Ann"], True))
        page = self.ann.request(c.FindAccounts(0, "*", "Ann", 3))
        self.assertEqual((page.names, page.more), (["bob", "Carl", "dora"], False))
        self.assertEqual(self.ann.request(c.FindAccounts(0, "[ab]*")).names, ["abe", "bob"])
        self.assertEqual(self.ann.refusal_code(c.FindAccounts(0, "*" * 257)), "pattern-too-long")
