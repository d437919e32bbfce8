"""Version 1: access tokens, and what a session may request that one has opened."""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import v1_messages as c
from chatd.core.errors import OutOfScope
from chatd.protocols.v1.requests import SESSION_REQUESTS
from chatd.protocols.v1.scopes import RIGHTS
from chatd.realm.access_token import READ, SEND
from chatd.realm.permissions import ANY_SCOPE, check_right
from chatd.realm.session import Session
from tests.docs.pages import spans, table
from tests.doubles.v1_clients import MainPortServer, V1Client

READER, SENDER, BOTH = ("read #ci",), ("send #ci", "send bob"), ("send #ci", "read #ci")


class AccessTokensCase(SynchronousTestCase):
    """Ann, whose password is "s3cret", and bob are in #ci and #other."""

    def setUp(self) -> None:
        self.server = MainPortServer()
        self.ann = self.server.log_in("Ann", password="s3cret")
        for room in ("#ci", "#other"):
            self.ann.request(c.CreateRoom(0, room))
        self.bob = self.server.log_in("bob", rooms=("#ci", "#other"))
        self.ann.receive_events()

    def make(self, *scopes: str, name: str = "bot", seconds: int = 0) -> str:
        """Make a token of Ann's."""
        request = c.CreateAccessToken(0, name, list(scopes), seconds, "s3cret")
        token: str = self.ann.request(request).token
        return token

    def resume(self, token: str, *positions: c.Position) -> tuple[V1Client, c.LoggedIn]:
        """A client that has logged in to Ann's account by a token, and the answer."""
        client = self.server.connect()
        client.request(c.Hello(0, features=["receipts", "presence", "typing", "tokens"]))
        return client, client.request(c.Resume(0, "ann", token, list(positions)))

    def bot(self, *scopes: str) -> V1Client:
        """A client that has logged in by a new token with these scopes."""
        return self.resume(self.make(*scopes, name=f"bot{len(self.names())}"))[0]

    def names(self) -> list[str]:
        """The names of Ann's tokens."""
        return [token.name for token in self.ann.request(c.GetAccessTokens(0)).tokens]

    def goodbyes(self, client: V1Client) -> list[str]:
        """The codes with which the server has ended a client's session."""
        return [event.code for event in client.receive_events(c.Goodbye)]


class Making(AccessTokensCase):
    """Making, listing and revoking."""

    def test_token_is_made_with_the_password_and_listed_without_itself(self) -> None:
        """Its use is listed, too."""
        request = c.CreateAccessToken(0, "bot", ["all"])
        self.assertEqual(self.ann.refusal_code(request), "password-required")
        token = self.make(*BOTH, seconds=60)
        self.assertRegex(token, r"^chatd_[\w-]{32}$")
        (info,) = self.ann.request(c.GetAccessTokens(0)).tokens
        self.assertEqual((info.name, info.scopes, info.used, info.sessions), ("bot", [*BOTH], 0, 0))
        self.assertEqual(info.expires, info.created + 60_000)
        client, _ = self.resume(token)
        (info,) = self.ann.request(c.GetAccessTokens(0)).tokens
        self.assertEqual(info.sessions, 1)
        client.disconnect()
        (info,) = self.ann.request(c.GetAccessTokens(0)).tokens
        self.assertEqual(info.sessions, 0)

    def test_revocation_ends_the_sessions_of_that_token_only(self) -> None:
        """At once; and it logs in no more."""
        token, other = self.make("all", name="one"), self.make(*READER, name="two")
        clients = [self.resume(token)[0], self.resume(other)[0]]
        self.ann.request(c.RevokeAccessToken(0, "ONE"))
        self.assertEqual([self.goodbyes(client) for client in clients], [["token-ended"], []])
        self.assertEqual(
            self.server.connect().refusal_code(c.Resume(0, "ann", token)), "wrong-password"
        )
        self.assertEqual(self.ann.refusal_code(c.RevokeAccessToken(0, "one")), "unknown-token")
        self.ann.request(c.RevokeAccessToken(0, "two"))
        self.assertEqual(self.goodbyes(clients[1]), ["token-ended"])

    def test_session_that_revokes_its_own_token_is_answered_and_ends(self) -> None:
        """As after a log-out."""
        client, _ = self.resume(self.make("all"))
        client.request(c.RevokeAccessToken(0, "bot"))
        self.assertEqual(self.goodbyes(client), ["token-ended"])
        self.assertEqual(self.names(), [])

    def test_sessions_end_when_their_token_expires(self) -> None:
        """At that moment."""
        client, _ = self.resume(self.make("all", seconds=60))
        self.server.now += 59_999
        self.server.runner.clock.advance(59.999)
        self.assertEqual(self.goodbyes(client), [])
        self.server.now += 1
        self.server.runner.clock.advance(0.001)
        self.assertEqual(self.goodbyes(client), ["token-ended"])

    def test_new_password_leaves_access_tokens_and_their_sessions(self) -> None:
        """Bots go on; the account can revoke them."""
        token = self.make(*READER)
        client, _ = self.resume(token)
        everything, _ = self.resume(self.make("all", name="other"))
        self.ann.request(c.ChangePassword(0, "s3cret", "new"))
        self.assertEqual(self.goodbyes(client) + self.goodbyes(everything), [])
        self.resume(token)

    def test_first_password_of_an_open_account_ends_its_access_tokens(self) -> None:
        """Any client could have made one."""
        other = self.server.log_in_again("bob")
        token = other.request(c.CreateAccessToken(0, "planted", ["all"])).token
        planted = self.server.connect()
        planted.request(c.Resume(0, "bob", token))
        self.bob.request(c.ChangePassword(0, None, "s3cret"))
        self.assertEqual(self.goodbyes(planted), ["password-changed"])
        self.assertEqual(
            self.server.connect().refusal_code(c.Resume(0, "bob", token)), "wrong-password"
        )

    def test_session_that_sets_the_first_password_goes_on(self) -> None:
        """As one by the password, which it knows: also when its token would have expired."""
        token = self.bob.request(c.CreateAccessToken(0, "bot", ["all"], 60)).token
        client = self.server.connect()
        client.request(c.Hello(0, features=["tokens"]))
        client.request(c.Resume(0, "bob", token))
        client.request(c.ChangePassword(0, None, "s3cret"))
        (event,) = client.receive_events(c.Token)
        self.server.now += 60_000
        self.server.realm.access_tokens.end_expired()
        self.server.run(self.server.realm.access_tokens.save_uses())
        client.request(c.GetBlocked(0))
        self.server.connect().request(c.Resume(0, "bob", event.token))

    def test_session_of_an_access_token_gets_no_resume_token(self) -> None:
        """It would outlast the access token."""
        client, _ = self.resume(self.make("all"))
        self.assertEqual(client.receive_events(c.Token), [])

    def test_log_in_tells_that_tokens_or_certificates_have_changed(self) -> None:
        """For a week, and if the account was not online since."""
        answer = self.server.connect().request(c.LogIn(0, "ann", "s3cret"))
        self.assertEqual((answer.changed, answer.scopes), (0, []))
        self.make("all")
        made = self.server.now
        answer = self.server.connect().request(c.LogIn(0, "ann", "s3cret"))
        self.assertEqual(answer.changed, made)


class Scoped(AccessTokensCase):
    """Sessions with a scope."""

    def test_every_request_has_a_right(self) -> None:
        """A new request needs a row in `RIGHTS`, which says what it needs."""
        self.assertEqual(set(RIGHTS), {*SESSION_REQUESTS, c.Send})

    def test_sessions_of_a_token_do_not_keep_the_owner_out(self) -> None:
        """Of too many sessions, one with every right displaces the oldest of those with a scope."""
        limits = self.server.realm.limits
        self.server.realm.limits = msgspec.structs.replace(limits, account_sessions=3)
        token = self.make(*SENDER)
        bots = [self.resume(token)[0] for _ in range(2)]
        refused = self.server.connect().refusal_code(c.Resume(0, "ann", token))
        self.assertEqual(refused, "limit-reached")
        expected: list[tuple[list[str], list[str]]]
        expected = [(["limit-reached"], []), ([], ["limit-reached"])]
        for displaced in expected:
            client = self.server.connect()
            client.request(c.LogIn(0, "ann", "s3cret"))
            self.assertEqual(tuple(self.goodbyes(bot) for bot in bots), displaced)
        login = c.LogIn(0, "ann", "s3cret")
        self.assertEqual(self.server.connect().refusal_code(login), "limit-reached")

    def test_requests_outside_the_scope_are_refused(self) -> None:
        """Every request, with every kind of scope."""
        rights = {READER: READ, SENDER: SEND}
        for scopes, right in rights.items():
            client = self.bot(*scopes)
            client.receive_events()
            for kind, needed in RIGHTS.items():
                if needed in (right, ANY_SCOPE):
                    continue
                required = [
                    field.name for field in msgspec.structs.fields(kind)[1:] if field.required
                ]
                request: Any = kind(0, *(_VALUES.get(name, "x") for name in required))
                self.assertEqual(client.refusal_code(request), "out-of-scope", (scopes, kind))
            self.assertEqual(client.receive_events(), [])

    def test_every_scope_permits_what_the_document_says(self) -> None:
        """The table in docs/operations.md."""
        permitted = {
            "all": {*RIGHTS},
            "send #ci": {c.Send, c.LogOut},
            "send bob": {c.Send, c.LogOut},
            "read #ci": {c.Ack, c.History, c.LogOut},
        }
        rows = [spans(row[0])[0] for row in table("docs/operations.md", "Access tokens")]
        self.assertEqual(
            [row.replace("#ROOM", "#ci").replace("NAME", "bob") for row in rows], [*permitted]
        )
        for scope, requests in permitted.items():
            client = self.bot(scope)
            session = client.protocol.session
            allowed = {kind for kind, right in RIGHTS.items() if _has_right(session, right)}
            self.assertEqual(allowed, requests, scope)

    def test_everything_is_allowed_by_the_scope_all(self) -> None:
        """Except to make tokens without the password."""
        client, answer = self.resume(self.make("all"))
        self.assertEqual([state.log for state in answer.logs], ["@ann", "#ci", "#other"])
        client.request(c.Send(0, "bob", "hi"))
        client.request(c.FindAccounts(0))
        request = c.CreateAccessToken(0, "more", ["all"])
        self.assertEqual(client.refusal_code(request), "password-required")

    def test_reader_is_pushed_its_room_and_nothing_else(self) -> None:
        """Neither private messages nor notices about the account."""
        client, answer = self.resume(self.make(*READER))
        self.assertEqual([state.log for state in answer.logs], ["#ci"])
        self.assertEqual(answer.scopes, ["read #ci"])
        for recipient in ("ann", "#other", "#ci"):
            self.bob.request(c.Send(0, recipient, f"to {recipient}"))
        self.ann.request(c.Send(0, "bob", "from ann"))
        self.bob.request(c.SayTyping(0, "#ci"))
        self.ann.request(c.CreateRoom(0, "#more"))
        self.assertEqual(
            [(event.log, event.body) for event in client.receive_events(c.Pushed)],
            [("#ci", "to #ci")],
        )
        self.assertEqual(client.receive_events(), [])
        page = client.request(c.History(0, "#ci"))
        self.assertEqual(page.entries[-1].body, "to #ci")
        for log in ("@ann", "#other"):
            self.assertEqual(client.refusal_code(c.History(0, log)), "unknown-log")

    def test_reader_leaves_what_it_has_read_unread(self) -> None:
        """Its acknowledgements are accepted, and change nothing."""
        before = self.ann_state("#ci")
        client = self.bot(*READER)
        self.bob.request(c.Send(0, "#ci", "news"))
        (event,) = client.receive_events(c.Pushed)
        client.request(c.Ack(0, "#ci", event.seq))
        client.send(c.Ack(0, "#ci", event.seq))
        self.assertEqual(client.receive_events(), [])
        self.assertEqual(self.ann_state("#ci").upto, before.upto)
        self.assertEqual(client.refusal_code(c.Ack(0, "#other", 1)), "unknown-log")

    def ann_state(self, log: str) -> c.LogState:
        """The state of one of Ann's logs, as a new session sees it."""
        client = self.server.connect()
        answer = client.request(c.LogIn(0, "ann", "s3cret"))
        client.disconnect()
        (state,) = (state for state in answer.logs if state.log == log)
        assert isinstance(state, c.LogState)
        return state

    def test_reader_resumes_from_its_own_position(self) -> None:
        """Without one, it is pushed what is sent from then on."""
        token = self.make(*READER)
        client, answer = self.resume(token)
        (state,) = answer.logs
        self.assertEqual(state.upto, state.head)
        client.disconnect()
        self.bob.request(c.Send(0, "#ci", "meanwhile"))
        resumed, _ = self.resume(token, c.Position("#ci", state.since, state.head))
        self.assertEqual([each.body for each in resumed.receive_events(c.Pushed)], ["meanwhile"])
        begun, _ = self.resume(token)
        self.assertEqual(begun.receive_events(c.Pushed), [])
        self.bob.request(c.Send(0, "#ci", "now"))
        self.assertEqual([each.body for each in begun.receive_events(c.Pushed)], ["now"])

    def test_sender_sends_to_its_room_and_account_and_receives_nothing(self) -> None:
        """The people who use the account see what it has sent."""
        client, answer = self.resume(self.make(*SENDER))
        self.assertEqual(answer.logs, [])
        self.bob.receive_events()
        self.assertEqual(client.request(c.Send(0, "#CI", "built")).log, "#ci")
        self.assertEqual(client.request(c.Send(0, "Bob", "psst")).log, "@bob")
        self.assertEqual(self.bob.receive_bodies(), ["built", "psst"])
        self.bob.request(c.Send(0, "#ci", "thanks"))
        self.bob.request(c.Send(0, "ann", "thanks"))
        self.assertEqual(client.receive_events(), [])
        self.assertEqual([event.body for event in self.ann.receive_events(c.Sent)], ["psst"])

    def test_sender_sends_to_nothing_else(self) -> None:
        """Not to a room or account that it could send to without a scope."""
        cyd = self.server.log_in("cyd")
        self.ann.request(c.Send(0, "cyd", "so that the account is in the cache"))
        cyd.receive_events()
        client = self.bot(*SENDER)
        for recipient in ("#other", "cyd", "ann", "#none"):
            self.assertEqual(client.refusal_code(c.Send(0, recipient, "x")), "out-of-scope")
        self.assertEqual(cyd.receive_events(), [])
        reader = self.bot(*READER)
        for recipient in ("#ci", "bob"):
            self.assertEqual(reader.refusal_code(c.Send(0, recipient, "x")), "out-of-scope")

    def test_restrictions_of_a_room_hold_for_its_bots(self) -> None:
        """A token that only sends is no way around a silence, and a ban ends its scope."""
        self.bob.request(c.CreateRoom(0, "#quiet"))
        self.ann.request(c.Join(0, "#quiet"))
        bot = self.bot("send #quiet")
        bot.request(c.Send(0, "#quiet", "x"))
        self.bob.request(c.Silence(0, "#quiet", "Ann"))
        self.assertEqual(bot.refusal_code(c.Send(0, "#quiet", "x")), "silenced")
        self.bob.request(c.Unsilence(0, "#quiet", "Ann"))
        self.bob.request(c.ConfigureRoom(0, "#quiet", "slow", "30"))
        bot.request(c.Send(0, "#quiet", "x"))
        self.assertEqual(bot.refusal_code(c.Send(0, "#quiet", "x")), "slow-mode")
        self.bob.request(c.Ban(0, "#quiet", "a*"))
        self.assertEqual(bot.refusal_code(c.Send(0, "#quiet", "x")), "out-of-scope")

    def test_scope_ends_with_the_membership_and_begins_again_with_it(self) -> None:
        """A token permits no more than its account may do."""
        client = self.bot(*BOTH)
        self.ann.request(c.Leave(0, "#ci"))
        self.assertEqual([event.room for event in client.receive_events(c.Left)], ["#ci"])
        self.assertEqual(client.refusal_code(c.Send(0, "#ci", "x")), "out-of-scope")
        self.assertEqual(client.refusal_code(c.History(0, "#ci")), "unknown-log")
        self.bob.request(c.Send(0, "#ci", "unseen"))
        self.ann.request(c.Join(0, "#ci"))
        (joined,) = client.receive_events(c.Joined)
        self.assertEqual((joined.state.log, joined.state.upto), ("#ci", joined.state.head))
        client.request(c.Send(0, "#ci", "back"))
        self.assertEqual(
            [event.body for event in client.receive_events(c.Pushed) if event.kind == "text"],
            ["back"],
        )

    def test_later_room_of_the_same_name_is_not_in_the_scope(self) -> None:
        """A scope names a room by its id."""
        client = self.bot(*BOTH)
        self.ann.request(c.DeleteRoom(0, "#ci"))
        self.ann.request(c.CreateRoom(0, "#ci"))
        client.receive_events()
        self.ann.request(c.Send(0, "#ci", "secret"))
        self.assertEqual(client.receive_events(), [])
        self.assertEqual(client.refusal_code(c.Send(0, "#ci", "x")), "out-of-scope")

    def test_restored_room_is_in_the_scope_again(self) -> None:
        """It is the same room."""
        client = self.bot(*BOTH)
        self.ann.request(c.DeleteRoom(0, "#ci"))
        self.server.run(self.server.realm.rooms.restore("#ci", 0, "", ""))
        client.receive_events(c.Left)
        self.bob.request(c.Send(0, "#ci", "again"))
        self.assertIn("again", [event.body for event in client.receive_events(c.Pushed)])
        client.request(c.Send(0, "#ci", "still here"))

    def test_scoped_session_is_not_the_presence_of_the_account(self) -> None:
        """A bot does not make its account appear online."""
        client = self.bot(*BOTH)
        self.ann.disconnect()
        (person,) = self.bob.request(c.Who(0, ["ann"])).people
        self.assertEqual(person.status, "off")
        client.request(c.Send(0, "#ci", "still here"))

    def test_new_message_to_the_account_waits_for_its_people(self) -> None:
        """A scoped session does not count as one that has received it."""
        client = self.bot(*BOTH)
        self.ann.disconnect()
        self.bob.request(c.Send(0, "ann", "are you there?"))
        self.assertEqual(client.receive_events(c.Pushed), [])
        again = self.server.connect()
        again.request(c.LogIn(0, "ann", "s3cret"))
        self.assertIn("are you there?", again.receive_bodies())

    def test_scoped_session_ends_with_the_account(self) -> None:
        """Its token does, too."""
        client, _ = self.resume(token := self.make(*BOTH))
        self.ann.request(c.DeleteAccount(0, "s3cret"))
        self.assertEqual(self.goodbyes(client), ["account-deleted"])
        self.server.log_in("ann")
        self.assertEqual(
            self.server.connect().refusal_code(c.Resume(0, "ann", token)), "wrong-password"
        )


def _has_right(session: Session, right: str) -> bool:
    try:
        check_right(session, right)
    except OutOfScope:
        return False
    return True


_VALUES: dict[str, Any] = {
    "upto": 1,
    "log": "#ci",
    "room": "#ci",
    "recipient": "#ci",
    "private": True,
    "seq": 1,
    "last": 1,
    "names": [],
    "seqs": [1],
    "fingerprints": [],
    "scopes": [],
    "old": None,
    "new": None,
}
