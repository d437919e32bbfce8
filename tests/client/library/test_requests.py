"""The methods for requests: each sends its message of the catalogue and returns the answer."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.library.requests import Requests
from chatd.codecs import v1_messages as c

ROOM = c.RoomInfo("#den", 5, "", False, "ann", 1, "owner")
PERSON = c.Person("bob", "on")
RECEIPT = c.ReceiptState(7, True, False)


class RecordingRequests(Requests):
    """Requests that are recorded and answered with `answer`."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.answer: Any = c.Done(0)

    async def request(self, message: Any) -> Any:
        """Record a request."""
        self.sent.append(message)
        return self.answer

    def post(self, message: Any) -> Deferred[c.Accepted]:
        """Record a message with a key."""
        self.sent.append(message)
        return succeed(self.answer)

    def new_key(self) -> str:
        """Return the same key each time."""
        return "new"


class RequestTests(SynchronousTestCase):
    """One method after another."""

    def setUp(self) -> None:
        self.client = RecordingRequests()

    def check(
        self,
        coroutine: Coroutine[Any, Any, Any],
        request: c.Message,
        answer: Any = None,
        result: Any = None,
    ) -> None:
        """A method sends `request`, and returns `result` if the answer is `answer`."""
        if answer is not None:
            self.client.answer = answer
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(coroutine)), result)
        self.assertEqual(self.client.sent.pop(), request)
        self.client.answer = c.Done(0)

    def test_messages_have_a_key(self) -> None:
        """The caller's, or a new one."""
        client = self.client
        accepted = c.Accepted(0, "@bob", 7, 9, 0)
        for coroutine, request in (
            (client.send("bob", "hi"), c.Send(0, "bob", "hi", "new")),
            (client.send("bob", "hi", key="own"), c.Send(0, "bob", "hi", "own")),
            (client.edit("#den", 7, "x"), c.Edit(0, "#den", 7, "x", "new")),
            (client.edit("#den", 7, "x", key="own"), c.Edit(0, "#den", 7, "x", "own")),
            (client.retract("#den", 7), c.Retract(0, "#den", 7, "new")),
            (client.retract("#den", 7, key="own"), c.Retract(0, "#den", 7, "own")),
            (client.react("#den", 7, "+1"), c.React(0, "#den", 7, "+1", "new")),
            (client.react("#den", 7, "+1", key="own"), c.React(0, "#den", 7, "+1", "own")),
        ):
            self.check(coroutine, request, accepted, accepted)

    def test_methods_for_messages_send_their_requests(self) -> None:
        """Read markers, receipts, history, typing."""
        client = self.client
        page = c.Page(0, "@ann", [])
        self.check(client.mark_read("#den", 7), c.MarkRead(0, "#den", 7))
        self.check(
            client.receipts("@bob", iter([7])),
            c.GetReceipts(0, "@bob", [7]),
            c.Receipts(0, "@bob", [RECEIPT]),
            [RECEIPT],
        )
        self.check(client.history("@ann"), c.History(0, "@ann", 0, 0, 100), page, page)
        self.check(client.history("@ann", 1, 2, 3), c.History(0, "@ann", 1, 2, 3), page, page)
        self.check(client.typing("bob"), c.SayTyping(0, "bob", True))
        self.check(client.typing("bob", False), c.SayTyping(0, "bob", False))

    def test_methods_for_rooms_send_their_requests(self) -> None:
        """Creating, joining, leaving, changing, finding, deleting."""
        client = self.client
        state = c.RoomState(0, c.LogState("#den", 5, 1, 1, 1, ROOM))
        rooms, members = c.Rooms(0, [ROOM]), c.Members(0, [])
        self.check(client.create_room("#den"), c.CreateRoom(0, "#den", "", False), state, ROOM)
        self.check(
            client.create_room("#den", "x", True), c.CreateRoom(0, "#den", "x", True), state, ROOM
        )
        self.check(client.join("#den"), c.Join(0, "#den"), state, ROOM)
        self.check(client.leave("#den"), c.Leave(0, "#den"))
        self.check(client.set_topic("#den", "x"), c.SetTopic(0, "#den", "x"))
        self.check(client.set_private("#den", True), c.SetPrivate(0, "#den", True))
        self.check(client.clear_mailbox(7), c.ClearMailbox(0, 7))
        self.check(client.set_history("#den", "all"), c.SetHistory(0, "#den", "all"))
        self.check(
            client.configure_room("#den", "slow", "30"), c.ConfigureRoom(0, "#den", "slow", "30")
        )
        self.check(client.invite("#den", "bob"), c.Invite(0, "#den", "bob"))
        self.check(client.kick("#den", "bob"), c.Kick(0, "#den", "bob"))
        self.check(client.ban("#den", "bob*", 60, "why"), c.Ban(0, "#den", "bob*", 60, "why"))
        self.check(client.unban("#den", "bob*"), c.Unban(0, "#den", "bob*"))
        self.check(client.silence("#den", "bob"), c.Silence(0, "#den", "bob"))
        self.check(client.unsilence("#den", "bob"), c.Unsilence(0, "#den", "bob"))
        listed = c.Restrictions(0, [c.Restriction("bob", "ann", 1, 0, "")])
        bans, silenced = c.FindBans(0, "#den", "b", 7), c.FindSilenced(0, "#den", "b", 7)
        self.check(client.find_bans("#den", "b", 7), bans, listed, listed)
        self.check(client.find_silenced("#den", "b", 7), silenced, listed, listed)
        self.check(client.set_role("#den", "bob", "owner"), c.SetRole(0, "#den", "bob", "owner"))
        self.check(client.find_rooms("d*", "#a", 7), c.FindRooms(0, "d*", "#a", 7), rooms, rooms)
        self.check(
            client.find_members("#den", "bob", 7),
            c.FindMembers(0, "#den", "bob", 7),
            members,
            members,
        )
        self.check(client.delete_room("#den"), c.DeleteRoom(0, "#den"))

    def test_requests_about_presence_and_other_accounts(self) -> None:
        """Presence, watching, blocking, reporting, finding."""
        client = self.client
        people, names = c.People(0, [PERSON]), c.Names(0, ["bob"])
        self.check(client.set_presence(), c.SetPresence(0, False, "", False))
        self.check(
            client.set_presence(away=True, text="x", hidden=True), c.SetPresence(0, True, "x", True)
        )
        self.check(client.who(iter(["bob"])), c.Who(0, ["bob"], False), people, [PERSON])
        self.check(client.who(["bob"], True), c.Who(0, ["bob"], True), people, [PERSON])
        self.check(client.unwatch(iter(["bob"])), c.Unwatch(0, ["bob"]))
        self.check(client.block("bob"), c.Block(0, "bob", True))
        self.check(client.block("bob", False), c.Block(0, "bob", False))
        self.check(client.blocked(), c.GetBlocked(0), names, ["bob"])
        self.check(client.report("bob", "x"), c.Report(0, "bob", "x", "", 0))
        self.check(client.report("bob", "x", "#den", 7), c.Report(0, "bob", "x", "#den", 7))
        self.check(
            client.find_accounts("b*", "ann", 7), c.FindAccounts(0, "b*", "ann", 7), names, names
        )

    def test_requests_about_the_account(self) -> None:
        """Password, certificates, deletion, ping."""
        client = self.client
        self.check(client.change_password("a", None), c.ChangePassword(0, "a", None))
        self.check(client.set_certificates(("00",), "pw"), c.SetCertificates(0, ["00"], "pw"))
        made = c.NewAccessToken(0, "chatd_x")
        self.check(
            client.create_access_token("bot", iter(["all"]), 60, "pw"),
            c.CreateAccessToken(0, "bot", ["all"], 60, "pw"),
            made,
            "chatd_x",
        )
        token = c.AccessTokenInfo("bot", ["all"], 1, 0, 0, 0, False)
        listed = c.AccessTokens(0, [token])
        self.check(client.access_tokens(), c.GetAccessTokens(0), listed, [token])
        self.check(client.revoke_access_token("bot"), c.RevokeAccessToken(0, "bot"))
        self.check(client.delete_account("pw"), c.DeleteAccount(0, "pw"))
        self.check(client.ping(), c.Ping(0))

    def test_every_request_of_the_catalogue_has_a_method(self) -> None:
        """Except those that the client sends by itself."""
        by_itself = {c.Hello, c.Register, c.LogIn, c.Resume, c.LogOut, c.Ack, c.Pong}
        source = Requests.__dict__.values()
        names = {name for method in source if callable(method) for name in method.__code__.co_names}
        missing = {
            request.__name__
            for request in c.REQUESTS.values()
            if request not in by_itself and request.__name__ not in names
        }
        self.assertEqual(missing, set())
