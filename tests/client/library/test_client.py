"""The library on connections in memory, to a server that does as the test says."""

from __future__ import annotations

import random
from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatd.client import Client, Connected, Disconnected, Pushed, connect
from chatd.client.library.acknowledging import ACK_DELAY
from chatd.client.library.backoff import FIRST_DELAY, LONGEST_DELAY
from chatd.client.library.client import CLOSE_TIMEOUT
from chatd.client.library.connect import parse_address
from chatd.client.library.events import MAX_WAITING
from chatd.codecs import v1_messages as c
from chatd.codecs.v1 import encode, server_decoder
from chatd.core.errors import Fatal, Refused

WELCOME = c.Welcome(
    0, "chatd", "1", c.Limits(65_536, 256, 256, 256, 1000.0, 98_304), "open", True, 0, 60.0
)


class Wire(StringTransport):
    """A connection, seen from the server."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self.server = server
        self.lost = False
        self._decoder = server_decoder(1 << 20)

    def write(self, data: bytes) -> None:
        """What the client says."""
        for message in self._decoder.feed(data):
            self.server.heard(self, message)

    def abortConnection(self) -> None:
        """See ITCPTransport."""
        self.lose()

    def loseConnection(self) -> None:
        """See ITransport."""
        self.lose()

    def lose(self) -> None:
        """It is gone."""
        if not self.lost:
            self.lost = True
            self.server.client_end.connectionLost(Failure(ConnectionDone()))


class Server:
    """Accepts connections and answers greetings; all else is kept in `asked`, for the test to
    answer."""

    def __init__(self) -> None:
        self.wire: Wire
        self.client_end: Any
        self.asked: list[Any] = []
        self.logins: list[c.LogIn] = []
        self.acks: list[tuple[str, int]] = []
        self.refuse_login: list[tuple[str, str]] = []
        self.down = False
        self.state = [c.LogState("@ann", 1, 0, 0, 0)]
        self.connections = 0

    def connect(self, factory: Any) -> Deferred[Any]:
        """See IStreamClientEndpoint."""
        if self.down:
            return fail(ConnectionRefusedError())
        self.connections += 1
        self.client_end = factory.buildProtocol(None)
        self.wire = Wire(self)
        self.client_end.makeConnection(self.wire)
        return succeed(self.client_end)

    def say(self, *messages: c.Message) -> None:
        """Send something."""
        self.client_end.dataReceived(b"".join(map(encode, messages)))

    def heard(self, wire: Wire, message: Any) -> None:
        """Answer at once what is not up to the test."""
        match message:
            case c.Hello():
                WELCOME.ref = message.ref
                self.say(WELCOME)
            case c.LogIn():
                self.logins.append(message)
                if self.refuse_login:
                    self.say(c.Refusal(message.ref, *self.refuse_login.pop(0), message.command))
                else:
                    self.say(c.LoggedIn(message.ref, "Ann", self.state))
            case c.Ack():
                self.acks.append((message.log, message.last))
            case c.Register() | c.LogOut():
                self.asked.append(message)
                self.say(c.Done(message.ref))
            case _:
                self.asked.append(message)

    def entry(self, seq: int, body: str = "", log: str = "@ann") -> c.Pushed:
        """An entry of the inbox."""
        return c.Pushed(log, seq, 1000 + seq, 0, "bob", "text", body or str(seq))


class Library(SynchronousTestCase):
    """One client."""

    def setUp(self) -> None:
        """It is connected."""
        self.clock = Clock()
        self.server = Server()
        self.client = self.connect()
        self.events: list[Any] = []
        self.listening: Deferred[None] | None = None

    def connect(self, *arguments: Any, **options: Any) -> Client:
        """A client for this server."""
        endpoint: Any = self.server
        made = connect(
            "chat://test",
            "ann",
            *arguments,
            reactor=self.clock,
            endpoint=endpoint,
            random=random.Random(1),
            **options,
        )
        client: Client = self.successResultOf(Deferred.fromCoroutine(made))
        return client

    def listen(self) -> None:
        """Take events as they come."""

        async def listen() -> None:
            async for event in self.client.events():
                self.events.append(event)

        self.listening = Deferred.fromCoroutine(listen())

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> Deferred[Any]:
        """Something that the server has to answer first."""
        return Deferred.fromCoroutine(coroutine)

    def bodies(self) -> list[str]:
        """What was said, of the events so far."""
        return [event.body for event in self.events if isinstance(event, Pushed)]

    def come_back(self) -> None:
        """Let the client connect again."""
        self.clock.advance(FIRST_DELAY)

    def test_connecting(self) -> None:
        """It says who it is and logs in; what the server said of itself is there."""
        self.assertEqual((self.client.name, self.client.connected), ("Ann", True))
        self.assertEqual(self.client.welcome.limits.text, 65_536)
        self.assertEqual(list(self.client.logs), ["@ann"])

    def test_registering(self) -> None:
        """Only when it is wanted, and there is no such account, as far as one can see."""
        endpoint: Any = self.server
        for code in ("unknown-account", "wrong-password"):
            self.server.refuse_login = [(code, "no")]
            failed = self.start(
                connect("chat://test", "ann", reactor=self.clock, endpoint=endpoint)
            )
            self.assertEqual(self.failureResultOf(failed, Refused).value.code, code)
            self.server.refuse_login = [(code, "no")]
            self.connect("pw", register=True, invite="token")
            registered = self.server.asked[-1]
            self.assertEqual(
                (registered.name, registered.password, registered.invite), ("ann", "pw", "token")
            )

    def test_addresses(self) -> None:
        """chat://HOST, and perhaps a port."""
        self.assertEqual(parse_address("chat://example.org"), (False, "example.org", 65432))
        self.assertEqual(parse_address("chats://[::1]:7"), (True, "::1", 7))
        for wrong in ("example.org", "http://example.org", "chat://", "chat://a/b", "chat://a:x"):
            self.assertRaises(ValueError, parse_address, wrong)

    def test_not_a_server_of_version_1(self) -> None:
        """It is told what is wrong, not left waiting."""

        class Old(Server):
            def heard(self, wire: Wire, message: Any) -> None:
                self.client_end.dataReceived(b"\x00\x06" + bytes(40))

        endpoint: Any = Old()
        failed = self.start(connect("chat://test", "ann", reactor=self.clock, endpoint=endpoint))
        self.assertIn("version 1", str(self.failureResultOf(failed, Fatal).value))

    def test_sending(self) -> None:
        """Accepted, or refused with the server's code; each has a key, greater than the one
        before."""
        first, second = (
            self.start(self.client.send("bob", "1")),
            self.start(self.client.send("bob", "2")),
        )
        one, two = self.server.asked
        self.assertLess(one.key, two.key)
        self.server.say(
            c.Refusal(two.ref, "blocked", "He takes nothing.", 10),
            c.Accepted(one.ref, "@bob", 1, 9, 0),
        )
        self.assertEqual(self.successResultOf(first).seq, 1)
        refused = self.failureResultOf(second, Refused).value
        self.assertEqual((refused.code, str(refused)), ("blocked", "He takes nothing."))

    def test_too_long(self) -> None:
        """What the server would not even read is refused here."""
        refused = self.failureResultOf(
            self.start(self.client.send("bob", "é" * 32_769)), Refused
        ).value
        self.assertEqual((refused.code, self.server.asked), ("text-too-long", []))

    def test_events_once_and_acknowledged_when_handled(self) -> None:
        """An entry that comes again is not told again; one that is being handled is not
        acknowledged yet."""
        self.server.say(self.server.entry(1), self.server.entry(1), self.server.entry(2))
        taking = self.client.events()

        async def take() -> Any:
            return await anext(taking)

        self.assertEqual(self.successResultOf(self.start(take())).seq, 1)
        self.assertEqual(self.server.acks, [])
        self.assertEqual(self.successResultOf(self.start(take())).seq, 2)
        self.clock.advance(ACK_DELAY)
        self.assertEqual(self.server.acks, [("@ann", 1)])
        self.start(take())
        self.assertEqual(self.server.acks, [("@ann", 1), ("@ann", 2)])
        self.assertEqual([position.seq for position in self.client.positions], [2])

    def test_a_lost_connection(self) -> None:
        """It comes back by itself, says where it was, and sends again what was not answered, in
        order."""
        self.listen()
        self.server.say(self.server.entry(1), self.server.entry(2))
        sending = [self.start(self.client.send("bob", text)) for text in "ab"]
        asking = self.start(self.client.history("@ann"))
        before = list(self.server.asked)
        self.server.say(c.Accepted(before[0].ref, "@bob", 1, 9, 0))
        self.server.wire.lose()
        self.failureResultOf(asking, Fatal)
        self.assertFalse(self.client.connected)
        late = self.start(self.client.send("bob", "c"))
        self.server.asked.clear()
        self.server.state = [c.LogState("@ann", 1, 3, 0, 0)]
        self.come_back()
        self.assertEqual([position.seq for position in self.server.logins[-1].positions], [2])
        self.assertEqual(
            [(message.text, message.key == before[1].key) for message in self.server.asked],
            [("b", True), ("c", False)],
        )
        self.assertIn(("@ann", 2), self.server.acks[1:], "the server may have forgotten it")
        for message in self.server.asked:
            self.server.say(c.Accepted(message.ref, "@bob", 2, 9, 0))
        self.server.say(self.server.entry(2), self.server.entry(3))
        self.assertEqual(self.bodies(), ["1", "2", "3"])
        for answer in (*sending, late):
            self.successResultOf(answer)
        kinds = [type(event) for event in self.events if not isinstance(event, Pushed)]
        self.assertEqual(kinds, [Disconnected, Connected])

    def test_back_off(self) -> None:
        """Each attempt waits longer, up to a minute, and never as long as the one of somebody
        else."""
        self.listen()
        self.server.down = True
        self.server.wire.lose()
        for _ in range(12):
            self.clock.advance(LONGEST_DELAY)
        delays = [event.retry_in for event in self.events]
        for number, delay in enumerate(delays):
            longest = min(LONGEST_DELAY, FIRST_DELAY * 2**number)
            self.assertTrue(longest / 2 <= delay <= longest, (number, delay))
        self.server.down = False
        self.clock.advance(LONGEST_DELAY)
        self.assertEqual(type(self.events[-1]), Connected)

    def test_refused_when_it_comes_back(self) -> None:
        """What passes is tried again; what does not ends everything with its reason."""
        self.listen()
        waiting = self.start(self.client.send("bob", "x"))
        self.server.refuse_login = [("busy", "later"), ("wrong-password", "no")]
        self.server.wire.lose()
        for _ in range(3):
            self.clock.advance(2)
        assert self.listening is not None
        self.assertEqual(self.failureResultOf(self.listening, Refused).value.code, "wrong-password")
        self.assertEqual(self.failureResultOf(waiting, Refused).value.code, "wrong-password")
        self.failureResultOf(self.start(self.client.send("bob", "y")), Refused)

    def test_a_goodbye_for_good(self) -> None:
        """After it nobody connects again; after one that passes, as always."""
        self.listen()
        self.server.say(c.Goodbye("stopping", "The server is stopping."))
        self.server.wire.lose()
        self.come_back()
        self.assertTrue(self.client.connected)
        self.server.say(c.Goodbye("kicked", "Out."))
        self.server.wire.lose()
        assert self.listening is not None
        self.failureResultOf(self.listening, Fatal)
        self.clock.advance(LONGEST_DELAY)
        self.assertEqual(self.server.connections, 2)

    def test_a_silent_server(self) -> None:
        """It is asked, and given up."""
        self.clock.advance(60)
        self.assertEqual([type(message) for message in self.server.asked], [])
        self.clock.advance(60)
        self.assertEqual([type(message) for message in self.server.asked], [c.Ping])
        self.server.say(c.Pong(self.server.asked[0].ref))
        self.clock.advance(60)
        self.clock.advance(60)
        self.assertTrue(self.client.connected)
        self.clock.advance(60)
        self.assertFalse(self.client.connected)

    def test_answering_pings(self) -> None:
        """The server wants to know as well."""
        self.server.say(c.Ping(7))
        self.assertEqual(self.server.asked, [c.Pong(7)])

    def test_rubbish_from_the_server(self) -> None:
        """It costs the connection; a message from a later version does not."""
        self.server.client_end.dataReceived(b"\x01\x7f\x00\x00\x00\x01\x90")
        self.assertTrue(self.client.connected)
        self.server.client_end.dataReceived(b"\x01\x50\x00\x00\x00\x01\x90")
        self.assertFalse(self.client.connected)

    def test_whoever_only_writes(self) -> None:
        """So many events wait; the rest is left to the server, until somebody listens after all."""
        for seq in range(1, MAX_WAITING + 101):
            self.server.say(self.server.entry(seq))
        self.server.say(c.Typing("@ann", "bob", True))
        self.server.state = [c.LogState("@ann", 1, MAX_WAITING + 100, 0, 0)]
        self.listen()
        self.assertEqual(
            [position.seq for position in self.server.logins[-1].positions], [MAX_WAITING]
        )
        for seq in range(MAX_WAITING + 1, MAX_WAITING + 101):
            self.server.say(self.server.entry(seq))
        self.assertEqual(self.bodies(), [str(seq) for seq in range(1, MAX_WAITING + 101)])

    def test_what_is_kept_over_a_reconnect(self) -> None:
        """Who is watched, and being away."""
        watching = self.start(self.client.who(["bob"], watch=True))
        away = self.start(self.client.set_presence(away=True, text="lunch"))
        who, presence = self.server.asked
        self.server.say(c.People(who.ref, [c.Person("bob", "on")]), c.Done(presence.ref))
        self.successResultOf(watching)
        self.successResultOf(away)
        self.server.asked.clear()
        self.server.wire.lose()
        self.come_back()
        again = {type(message): message for message in self.server.asked}
        self.assertEqual(again[c.Who].names, ["bob"])
        self.assertEqual((again[c.SetPresence].away, again[c.SetPresence].text), (True, "lunch"))

    def test_rooms(self) -> None:
        """What is known of them follows what happens."""
        self.listen()
        room = c.RoomInfo("#Den", 5, "", False, "bob", 1, "member")
        joining = self.start(self.client.join("#den"))
        self.server.say(c.RoomState(self.server.asked[0].ref, c.LogState("#den", 5, 7, 7, 7, room)))
        self.assertEqual(self.successResultOf(joining), room)
        happened = [("topic", "bears"), ("role", "Ann owner"), ("join", ""), ("access", "private")]
        for seq, (kind, body) in enumerate(happened, 8):
            self.server.say(c.Pushed("#den", seq, seq, 0, "bob", kind, body))
        found = self.client.rooms["#den"]
        self.assertEqual((found.topic, found.role, found.owner), ("bears", "owner", "Ann"))
        self.assertEqual((found.members, found.private), (2, True))
        self.server.say(c.Left("#Den", "kicked"))
        self.assertEqual(self.client.rooms, {})

    def test_earlier_positions(self) -> None:
        """Another program goes on where this one was, if it is the same log."""
        self.server.state = [c.LogState("@ann", 1, 9, 9, 9)]
        client = self.connect(positions=[c.Position("@ann", 1, 4)])
        self.assertEqual(self.server.logins[-1].positions, [c.Position("@ann", 1, 4)])
        self.assertEqual(client.logs["@ann"].handled, 4)

    def test_closing(self) -> None:
        """What was handled is acknowledged, then it logs out; events end; twice is once."""
        self.listen()
        self.server.say(self.server.entry(1))
        closing = self.start(self.client.close())
        self.successResultOf(closing)
        self.assertEqual(self.server.acks, [("@ann", 1)])
        self.assertEqual(type(self.server.asked[-1]), c.LogOut)
        assert self.listening is not None
        self.successResultOf(self.listening)
        self.successResultOf(self.start(self.client.close()))
        self.failureResultOf(self.start(self.client.send("bob", "x")), Fatal)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_closing_on_a_server_that_does_not_answer(self) -> None:
        """It takes no longer than it may."""
        self.server.heard = lambda wire, message: None  # type: ignore[method-assign]
        closing = self.start(self.client.close())
        self.assertNoResult(closing)
        self.clock.advance(CLOSE_TIMEOUT)
        self.successResultOf(closing)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_closing_while_it_is_away(self) -> None:
        """Then it does not come back."""
        self.listen()
        self.server.wire.lose()
        self.successResultOf(self.start(self.client.close()))
        self.clock.advance(LONGEST_DELAY)
        self.assertEqual(self.server.connections, 1)

    def test_dropping(self) -> None:
        """Nothing is acknowledged, nobody is told."""
        self.listen()
        self.server.asked.clear()
        self.client.drop()
        self.assertEqual(self.server.asked, [])
        self.assertTrue(self.server.wire.lost)
        assert self.listening is not None
        self.successResultOf(self.listening)

    def test_nobody_waits_any_more(self) -> None:
        """A message whose sender has given up waiting is sent all the same."""
        sending = self.start(self.client.send("bob", "x"))
        sending.cancel()
        self.failureResultOf(sending)
        self.server.say(c.Accepted(self.server.asked[0].ref, "@bob", 1, 9, 0))
        self.successResultOf(self.start(self.client.close()))
