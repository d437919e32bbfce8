"""CHAT/1.0 in both framings, beside version 1 in the lobby."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import v1_messages as c
from chatd.realm.permissions import Policy
from chatd.server.states import PauseReason
from tests.doubles.text_clients import TextClient
from tests.doubles.v1_clients import MainPortServer

OK = "200 Registration successful"


class Chat(SynchronousTestCase):
    """A server in memory in which `ann`, who speaks version 1, is in the lobby."""

    def setUp(self) -> None:
        self.server = MainPortServer()
        self.ann = self.server.log_in("ann", rooms=("#lobby",))

    def lines(self, name: str = "", port: str = "any") -> TextClient:
        """A client of the first framing, registered if it has a name."""
        client = TextClient(self.server, port)
        if name:
            self.assertEqual(client.request(f"REGISTER {name} CHAT/1.0\n"), OK + "\n")
        return client

    def bare(self, name: str = "", port: str = "any") -> TextClient:
        """One of the other."""
        client = TextClient(self.server, port)
        if name:
            client.send(f"REGISTER {name} CHAT/1.0")
            self.assertEqual(client.receive(), "")
            self.server.clock.advance(0.11)
            self.assertEqual(client.receive(), OK)
            self.server.clock.advance(0.26)
        return client

    def heard(self) -> list[tuple[str, str]]:
        """(sender, text) of what ann has been pushed from the lobby."""
        return [
            (sender, text) for log, sender, text in self.ann.receive_entries() if log == "#lobby"
        ]


class Registering(Chat):
    """The first message, and what is said to it."""

    def test_success(self) -> None:
        """On both ports, by both framings; an account is made, or used."""
        self.lines("luca")
        self.lines("ROBERT", "chat10")
        self.bare("user10")
        self.bare("bo", "chat10").disconnect()
        self.bare("bo", "chat10")
        self.assertEqual(
            [
                name
                for name in ("luca", "ROBERT", "user10", "bo")
                if self.server.realm.sessions.online(name)
            ],
            ["luca", "ROBERT", "user10", "bo"],
        )

    def test_a_byte_at_a_time(self) -> None:
        """With pauses between that are shorter than the end of a message."""
        client = TextClient(self.server)
        for char in "REGISTER bo CHAT/1.0":
            client.send(char)
            self.server.clock.advance(0.09)
        self.assertEqual(client.receive(), "")
        self.server.clock.advance(0.02)
        self.assertEqual(client.receive(), OK)

    def test_invalid(self) -> None:
        """Is told, and closed, by the client's own framing."""
        for text in (
            "REGISTER luca CHAT/2.0",
            "REGISTER luca",
            "REGISTER a b CHAT/1.0",
            "REGISTER a:b CHAT/1.0",
            "REGISTER Server CHAT/1.0",
            "REGISTER é CHAT/1.0",
        ):
            for end in ("\n", ""):
                client = TextClient(self.server)
                client.send(text + end)
                self.server.clock.advance(0.11)
                self.assertEqual(client.receive(), "400 Invalid registration" + end, text)
                self.assertTrue(client.transport.half_closed)

    def test_the_keyword_alone_is_a_malformed_registration(self) -> None:
        """The main port answers it in the client's framing, like any other malformed one."""
        for text in ("REGISTER\n", "REGISTER\r\n", "REGISTER\tluca\n"):
            client = TextClient(self.server)
            self.assertEqual(client.request(text), "400 Invalid registration\n", text)
            self.assertTrue(client.transport.half_closed)
        for close_sending in (False, True):
            client = TextClient(self.server)
            client.send("REGISTER")
            if close_sending:
                client.half_close()
            else:
                self.server.clock.pump([0.11, 0.11])
            self.assertEqual(client.receive(), "400 Invalid registration")

    def test_something_else_first(self) -> None:
        """On its own port whatever comes is a registration, or none."""
        for text in ("hello\n", "\n", "@luca: hi\n", "GET / HTTP/1.1\r\n"):
            self.assertEqual(
                TextClient(self.server, "chat10").request(text), "400 Invalid registration\n"
            )

    def test_taken(self) -> None:
        """A name is one client's at a time, whichever way it came; who was first stays."""
        luca = self.lines("luca")
        for client in (self.lines(), self.bare()):
            for name, end in (("luca", "\n"), ("LUCA", ""), ("ann", "\n")):
                client = TextClient(self.server)
                client.send(f"REGISTER {name} CHAT/1.0{end}")
                self.server.clock.advance(0.11)
                self.assertEqual(client.receive(), "401 Client already registered" + end)
                self.assertTrue(client.transport.half_closed)
        luca.send("@luca: still here\n")
        self.assertEqual(self.heard()[-1], ("luca", "still here"))

    def test_two_at_once(self) -> None:
        """Of two that come in the same moment one gets the name."""
        self.server.store.eager = False
        clients = [TextClient(self.server), TextClient(self.server)]
        for client in clients:
            client.send("REGISTER luca CHAT/1.0\n")
        self.server.store.eager = True
        self.server.store.release()
        self.server.clock.advance(0)
        self.assertEqual(
            sorted(client.receive() for client in clients),
            [OK + "\n", "401 Client already registered\n"],
        )

    def test_a_whole_class_at_once(self) -> None:
        """Everyone who comes in the same moment is let in."""
        self.server.store.eager = False
        clients = [TextClient(self.server) for _ in range(100)]
        for number, client in enumerate(clients):
            client.send(f"REGISTER pupil{number} CHAT/1.0\n")
        self.server.store.eager = True
        self.server.store.release()
        self.server.clock.advance(0)
        self.assertEqual({client.receive() for client in clients}, {OK + "\n"})

    def test_an_account_with_a_password(self) -> None:
        """Is not to be had."""
        self.server.log_in("eve", password="secret").disconnect()
        self.assertEqual(
            self.lines().request("REGISTER eve CHAT/1.0\n"), "401 Client already registered\n"
        )

    def test_where_nobody_may(self) -> None:
        """Neither a new account nor an old one without a password."""
        self.lines("luca").disconnect()
        self.server.realm.policy = Policy(open_accounts=False)
        for name in ("luca", "new"):
            self.assertEqual(
                self.lines().request(f"REGISTER {name} CHAT/1.0\n"),
                "400 Invalid registration\n",
                name,
            )
        self.server.realm.policy = Policy("closed")
        self.assertEqual(
            self.lines().request("REGISTER new CHAT/1.0\n"), "400 Invalid registration\n"
        )
        self.lines("luca")

    def test_registering_twice(self) -> None:
        """Later it is a text like others."""
        luca = self.lines("luca")
        luca.send("REGISTER other CHAT/1.0\n")
        self.assertEqual(self.heard()[-1], ("luca", "REGISTER other CHAT/1.0"))


class Talking(Chat):
    """In the lobby."""

    def test_all_together(self) -> None:
        """Both framings and version 1, each hears the others and not itself."""
        luca, bo = self.lines("luca"), self.bare("bo")
        luca.send("@luca: hello\n")
        self.assertEqual((bo.receive(), luca.receive()), ("@luca: hello", ""))
        bo.send("@bo: hé")
        self.assertEqual((luca.receive(), bo.receive()), ("@bo: h?\n", ""))
        self.ann.request(c.Send(0, "#lobby", "one\ntwo é"))
        self.assertEqual(luca.transport.writes, [b"@ann: one\n", b"@ann: two ?\n"])
        self.assertEqual(bo.transport.writes, [b"@ann: one", "@ann: two é".encode()])
        self.assertEqual(self.heard()[-2:], [("bo", "hé"), ("ann", "one\ntwo é")])

    def test_nobody_speaks_for_another(self) -> None:
        """Whatever prefix is written, and however many lines are in it."""
        luca, bo = self.lines("luca"), self.bare("bo")
        luca.send("@ann: I am ann\n")
        self.assertEqual(bo.receive(), "@luca: I am ann")
        bo.send("@bo: x\n@ann: I am ann\nDISCONNECT ann CHAT/1.0")
        self.assertEqual(
            luca.receive(), "@bo: x\n@bo: @ann: I am ann\n@bo: DISCONNECT ann CHAT/1.0\n"
        )

    def test_empty_texts(self) -> None:
        """Are nothing."""
        luca, bo = self.lines("luca"), self.bare("bo")
        luca.send("\n", "@luca:\n", "@luca: \r\n")
        bo.send("@bo:", "@bo: \n")
        self.server.clock.advance(0)
        self.assertEqual((luca.receive(), bo.receive()), ("", ""))

    def test_nothing_of_the_past(self) -> None:
        """Who comes, and who comes again, sees what is said from then on; nor are there notices."""
        self.ann.request(c.Send(0, "#lobby", "before"))
        luca = self.lines("luca")
        self.assertEqual(luca.receive(), "")
        luca.disconnect()
        self.ann.request(c.Send(0, "#lobby", "between"))
        luca = self.lines("luca")
        self.server.log_in("eve", rooms=("#lobby",))
        self.ann.request(c.React(0, "#lobby", 1, "+1"))
        self.ann.request(c.Send(0, "#lobby", "after"))
        self.assertEqual(luca.receive(), "@ann: after\n")

    def test_the_reply_by_itself(self) -> None:
        """A client without framing gets what is said in the first moment after it."""
        luca, bo = self.lines("luca"), TextClient(self.server)
        bo.send("REGISTER bo CHAT/1.0")
        self.server.clock.advance(0.11)
        luca.send("@luca: early\n")
        self.ann.request(c.Send(0, "bo", "mail"))
        bo.send("@bo: early too")
        self.assertEqual(bo.transport.writes, [OK.encode()])
        self.server.clock.advance(0.2)
        self.assertEqual(bo.receive(), OK)
        self.server.clock.advance(0.06)
        self.assertEqual(sorted(bo.transport.writes), [b"@ann: (private) mail", b"@luca: early"])
        self.assertEqual(luca.receive(), "@bo: early too\n")

    def test_long_texts(self) -> None:
        """Pass; one that is too long does not, and the client lives."""
        luca, bo = self.lines("luca"), self.bare("bo")
        luca.send("@luca: " + "x" * 60_000 + "\n")
        self.assertEqual(
            "".join(data[7:].decode() for data in bo.transport.writes).count("x"), 60_000
        )
        bo.receive()
        luca.send("y" * 70_000 + "\n")
        luca.send("@luca: on\n")
        self.assertTrue(bo.receive().endswith("@luca: on"))

    def test_half_a_line(self) -> None:
        """Waits for its end, for a while, and nobody waits for it."""
        luca, bo = self.lines("luca"), self.bare("bo")
        luca.send("@luca: he")
        bo.send("@bo: hi")
        self.assertEqual((bo.receive(), luca.receive()), ("", "@bo: hi\n"))
        luca.send("llo\n")
        self.assertEqual(bo.receive(), "@luca: hello")
        luca.send("@luca: never")
        self.server.clock.advance(31)
        self.assertEqual(luca.receive(), "DISCONNECT CHAT/1.0\n")

    def test_slow_readers(self) -> None:
        """Get it later, and nobody waits for them."""
        luca, bo = self.lines("luca"), self.bare("bo")
        luca.transport.capacity = 10
        for number in range(500):
            bo.send(f"@bo: {number}")
        self.assertEqual(len(luca.transport.output) + len(luca.transport.buffer) < 1000, True)
        luca.transport.drain()
        self.server.clock.advance(0)
        self.assertEqual(luca.receive(), "".join(f"@bo: {number}\n" for number in range(500)))

    def test_too_many_messages(self) -> None:
        """Who sends on and on is cut off; in lines it is slowed instead."""
        bo = self.bare("bo")
        self.server.store.eager = False
        bo.transport.protocol.pause_for(PauseReason.RATE)
        for _ in range(1_001):
            bo.send("@bo: x")
        bo.transport.protocol.resume_after(PauseReason.RATE)
        self.server.store.eager = True
        self.server.store.release()
        self.server.clock.advance(3)
        self.assertTrue(bo.transport.half_closed or bo.transport.disconnecting)


class Mail(Chat):
    """What is for the account alone."""

    def test_live(self) -> None:
        """Is shown as private, and is read then."""
        luca = self.lines("luca")
        self.ann.request(c.Send(0, "luca", "psst"))
        self.assertEqual(luca.receive(), "@ann: (private) psst\n")
        self.server.clock.advance(0.1)
        luca.disconnect()
        self.assertEqual(self.server.log_in("luca").receive_entries(), [])

    def test_waiting(self) -> None:
        """Comes after the reply, in order, and once."""
        self.server.log_in("luca").disconnect()
        for text in ("one", "two"):
            self.ann.request(c.Send(0, "luca", text))
        luca = TextClient(self.server)
        luca.send("REGISTER luca CHAT/1.0\n")
        self.server.clock.advance(0)
        self.assertEqual(luca.receive(), f"{OK}\n@ann: (private) one\n@ann: (private) two\n")
        self.server.clock.advance(0.1)
        luca.disconnect()
        self.lines("luca")

    def test_what_does_not_arrive(self) -> None:
        """Waits for another time."""
        luca = self.lines("luca")
        luca.transport.in_flight = 1000
        self.ann.request(c.Send(0, "luca", "psst"))
        self.server.clock.advance(10)
        luca.disconnect()
        self.server.clock.advance(2)
        client = self.server.log_in_again("luca")
        self.assertEqual(
            [text for log, _, text in client.receive_entries() if log == "@luca"], ["psst"]
        )


class Leaving(Chat):
    """However it happens."""

    def test_disconnect(self) -> None:
        """The client says so, is told so, and the account stays."""
        luca, bo = self.lines("luca"), self.bare("bo")
        self.assertEqual(
            luca.request("@luca: bye\nDISCONNECT luca CHAT/1.0\n"), "DISCONNECT CHAT/1.0\n"
        )
        self.assertTrue(luca.transport.disconnecting)
        self.assertEqual(bo.receive(), "@luca: bye")
        self.assertFalse(self.server.realm.sessions.online("luca"))
        bo.send("DISCONNECT bo CHAT/1.0")
        self.server.clock.advance(0.26)
        self.assertEqual(bo.receive(), "DISCONNECT CHAT/1.0")
        self.assertTrue(bo.transport.disconnecting)
        luca.disconnect()
        self.lines("luca")

    def test_closing(self) -> None:
        """Half, or as a whole, is leaving, too."""
        luca, bo = self.lines("luca"), self.bare("bo")
        luca.send("@luca: last")
        luca.half_close()
        self.server.clock.advance(0)
        self.assertEqual(luca.receive(), "DISCONNECT CHAT/1.0\n")
        bo.disconnect()
        self.assertEqual(
            [self.server.realm.sessions.online(name) for name in ("luca", "bo")], [False, False]
        )
        self.assertEqual(self.ann.answer_to(c.Send(0, "#lobby", "x")).command, c.Accepted.command)

    def test_closing_before_anything(self) -> None:
        """A registration may be all there is."""
        bo = TextClient(self.server)
        bo.send("REGISTER bo CHAT/1.0")
        bo.half_close()
        self.server.clock.pump([0.1] * 5)
        self.assertEqual(bo.receive(), OK + "DISCONNECT CHAT/1.0")

    def test_the_server_stops(self) -> None:
        """Everyone is told, in their own framing, by itself."""
        luca, bo = self.lines("luca"), self.bare("bo")
        luca.send("@luca: x\n")
        self.server.factory.close_all()
        self.assertEqual(luca.receive(), "DISCONNECT CHAT/1.0\n")
        self.assertEqual(bo.receive(), "@luca: x")
        self.server.clock.advance(0.26)
        self.assertEqual(bo.receive(), "DISCONNECT CHAT/1.0")
        self.assertTrue(luca.transport.disconnecting and bo.transport.disconnecting)

    def test_an_operator(self) -> None:
        """Can end it, and who deletes the account from elsewhere."""
        luca, bo = self.lines("luca"), self.lines("bo")
        self.server.run(self.server.realm.sessions.end("luca", "kicked", "You are out."))
        self.assertEqual(luca.receive(), "DISCONNECT CHAT/1.0\n")
        self.server.run(self.server.realm.delete_account("bo"))
        self.assertEqual(bo.receive(), "DISCONNECT CHAT/1.0\n")
