"""CHAT/1.0 in both framings, beside version 1 in the lobby."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import v1_messages as c
from chatd.realm.permissions import Policy
from chatd.realm.realm import OutgoingMessage
from chatd.realm.session import Session
from chatd.server.states import PauseReason
from tests.doubles.text_clients import TextClient
from tests.doubles.v1_clients import MainPortServer

OK = "200 Registration successful"


class Chat10Case(SynchronousTestCase):
    """A server in memory on which `ann`, who uses version 1, is a member of the lobby."""

    def setUp(self) -> None:
        self.server = MainPortServer()
        self.ann = self.server.log_in("ann", rooms=("#lobby",))

    def client_with_lines(self, name: str = "", port: str = "any") -> TextClient:
        """A client that sends lines, registered if it has a name."""
        client = TextClient(self.server, port)
        if name:
            self.assertEqual(client.request(f"REGISTER {name} CHAT/1.0\n"), OK + "\n")
        return client

    def client_without_framing(self, name: str = "", port: str = "any") -> TextClient:
        """A client that sends no line ends, registered if it has a name."""
        client = TextClient(self.server, port)
        if name:
            client.send(f"REGISTER {name} CHAT/1.0")
            self.assertEqual(client.receive(), "")
            self.server.clock.advance(0.11)
            self.assertEqual(client.receive(), OK)
            self.server.clock.advance(0.26)
        return client

    def lobby_messages(self) -> list[tuple[str, str]]:
        """(sender, text) of what ann has received from the lobby since the last call."""
        return [
            (sender, text) for log, sender, text in self.ann.receive_entries() if log == "#lobby"
        ]


class Registering(Chat10Case):
    """The first message, and its reply."""

    def test_registration_creates_an_account_or_uses_one(self) -> None:
        """It succeeds on both ports and in both framings."""
        self.client_with_lines("luca")
        self.client_with_lines("ROBERT", "chat10")
        self.client_without_framing("user10")
        self.client_without_framing("bo", "chat10").disconnect()
        self.client_without_framing("bo", "chat10")
        self.assertEqual(
            [
                name
                for name in ("luca", "ROBERT", "user10", "bo")
                if self.server.realm.sessions.online(name)
            ],
            ["luca", "ROBERT", "user10", "bo"],
        )

    def test_name_is_free_when_its_client_has_hung_up(self) -> None:
        """Also while what it has sent waits for the store."""
        former = self.client_with_lines("luca")
        self.lobby_messages()
        self.server.store.eager = False
        former.send("@luca: the last words\n")
        former.disconnect()
        self.assertTrue(self.server.realm.sessions.online("luca"))
        again = TextClient(self.server)
        again.send("REGISTER luca CHAT/1.0\n")
        self.server.store.eager = True
        self.server.store.release()
        self.server.clock.advance(0)
        self.assertEqual(again.receive(), OK + "\n")
        self.assertEqual(self.lobby_messages(), [("luca", "the last words")])

    def test_registration_may_arrive_byte_by_byte(self) -> None:
        """The pauses between bytes are shorter than the pause that ends a message."""
        client = TextClient(self.server)
        for char in "REGISTER bo CHAT/1.0":
            client.send(char)
            self.server.clock.advance(0.09)
        self.assertEqual(client.receive(), "")
        self.server.clock.advance(0.02)
        self.assertEqual(client.receive(), OK)

    def test_line_break_that_has_arrived_shows_the_framing(self) -> None:
        """The daemon has been busy for longer than the pause, and has not read it in time."""
        client = TextClient(self.server)
        client.send("REGISTER bo CHAT/1.0")
        client.transport.input_waiting = True
        self.server.clock.advance(0.3)
        client.transport.input_waiting = False
        self.assertEqual(client.request("\n"), OK + "\n")

    def test_many_lines_behind_the_registration_are_read_more_slowly(self) -> None:
        """They are more than may wait of a client without framing."""
        luca = TextClient(self.server)
        texts = "".join(f"@luca: {number}\n" for number in range(1_500))
        self.server.store.eager = False
        luca.send("REGISTER luca CHAT/1.0\n" + texts)
        self.server.store.eager = True
        self.server.store.release()
        self.server.clock.pump([0.01] * 30)
        self.assertEqual(luca.receive(), OK + "\n")
        self.assertEqual(
            [text for sender, text in self.lobby_messages() if sender == "luca"][-1500:],
            [str(number) for number in range(1_500)],
        )
        self.assertFalse(luca.transport.half_closed)

    def test_invalid_registration_is_refused(self) -> None:
        """The reply is in the framing of the client, and the connection is closed."""
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

    def test_keyword_alone_is_an_invalid_registration(self) -> None:
        """The main port answers it in the framing of the client."""
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

    def test_any_other_first_message_is_an_invalid_registration(self) -> None:
        """On the port of the protocol, every first message is a registration."""
        for text in ("hello\n", "\n", "@luca: hi\n", "GET / HTTP/1.1\r\n"):
            self.assertEqual(
                TextClient(self.server, "chat10").request(text), "400 Invalid registration\n"
            )

    def test_registration_of_a_name_that_is_online_is_refused(self) -> None:
        """The protocol and the spelling do not matter; the first client goes on."""
        luca = self.client_with_lines("luca")
        for client in (self.client_with_lines(), self.client_without_framing()):
            for name, end in (("luca", "\n"), ("LUCA", ""), ("ann", "\n")):
                client = TextClient(self.server)
                client.send(f"REGISTER {name} CHAT/1.0{end}")
                self.server.clock.advance(0.11)
                self.assertEqual(client.receive(), "401 Client already registered" + end)
                self.assertTrue(client.transport.half_closed)
        luca.send("@luca: still here\n")
        self.assertEqual(self.lobby_messages()[-1], ("luca", "still here"))

    def test_one_of_two_simultaneous_registrations_succeeds(self) -> None:
        """The other one is refused."""
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

    def test_hundred_simultaneous_registrations_succeed(self) -> None:
        """Registrations of different names do not disturb each other."""
        self.server.store.eager = False
        clients = [TextClient(self.server) for _ in range(100)]
        for number, client in enumerate(clients):
            client.send(f"REGISTER pupil{number} CHAT/1.0\n")
        self.server.store.eager = True
        self.server.store.release()
        self.server.clock.advance(0)
        self.assertEqual({client.receive() for client in clients}, {OK + "\n"})

    def test_account_with_a_password_cannot_be_used(self) -> None:
        """It looks as if it were online."""
        self.server.log_in("eve", password="secret").disconnect()
        self.assertEqual(
            self.client_with_lines().request("REGISTER eve CHAT/1.0\n"),
            "401 Client already registered\n",
        )

    def test_registration_is_refused_where_open_accounts_are_forbidden(self) -> None:
        """This holds for new and existing accounts; closed registration concerns new ones only."""
        self.client_with_lines("luca").disconnect()
        self.server.realm.policy = Policy(open_accounts=False)
        for name in ("luca", "new"):
            self.assertEqual(
                self.client_with_lines().request(f"REGISTER {name} CHAT/1.0\n"),
                "400 Invalid registration\n",
                name,
            )
        self.server.realm.policy = Policy("closed")
        self.assertEqual(
            self.client_with_lines().request("REGISTER new CHAT/1.0\n"),
            "400 Invalid registration\n",
        )
        self.client_with_lines("luca")

    def test_account_is_registered_with_an_invite_token(self) -> None:
        """The next registration needs none, and ignores one."""
        self.server.realm.policy = Policy("invite")
        token = self.server.invite_token()
        for text, reply in (
            ("REGISTER luca CHAT/1.0\n", "400 Invalid registration\n"),
            (f"REGISTER luca {token[::-1]} CHAT/1.0\n", "400 Invalid registration\n"),
            (f"REGISTER luca {token} CHAT/1.0\n", OK + "\n"),
            ("REGISTER luca CHAT/1.0\n", OK + "\n"),
            (f"REGISTER luca {token} CHAT/1.0\n", OK + "\n"),
            (f"REGISTER bo {token} CHAT/1.0\n", "400 Invalid registration\n"),
        ):
            client = self.client_with_lines()
            self.assertEqual(client.request(text), reply, text)
            client.disconnect()

    def test_token_in_the_prefix_of_a_text_is_not_sent(self) -> None:
        """An old client takes it for a part of its name."""
        self.server.realm.policy = Policy("invite")
        token = self.server.invite_token()
        client = self.client_with_lines()
        client.request(f"REGISTER luca {token} CHAT/1.0\n")
        client.send(f"@luca {token}: hello\n")
        self.assertEqual(self.lobby_messages()[-1], ("luca", "hello"))

    def test_hidden_account_appears_as_offline(self) -> None:
        """Registering it succeeds, beside its other session."""
        self.ann.request(c.SetPresence(0, hidden=True))
        self.client_with_lines("ann")
        self.ann.request(c.SetPresence(0))
        self.assertEqual(
            self.client_with_lines().request("REGISTER ann CHAT/1.0\n"),
            "401 Client already registered\n",
        )

    def test_second_registration_is_a_text(self) -> None:
        """It is sent to the lobby."""
        luca = self.client_with_lines("luca")
        luca.send("REGISTER other CHAT/1.0\n")
        self.assertEqual(self.lobby_messages()[-1], ("luca", "REGISTER other CHAT/1.0"))


class Sending(Chat10Case):
    """Messages to the lobby."""

    def test_all_members_of_the_lobby_get_a_message_but_its_sender(self) -> None:
        """The members use both framings and version 1."""
        luca, bo = self.client_with_lines("luca"), self.client_without_framing("bo")
        luca.send("@luca: hello\n")
        self.assertEqual((bo.receive(), luca.receive()), ("@luca: hello", ""))
        bo.send("@bo: hé")
        self.assertEqual((luca.receive(), bo.receive()), ("@bo: h?\n", ""))
        self.ann.request(c.Send(0, "#lobby", "one\ntwo é"))
        self.assertEqual(luca.receive(), "@ann: one\n@ann: two ?\n")
        self.assertEqual(bo.transport.writes, [b"@ann: one", "@ann: two é".encode()])
        self.assertEqual(self.lobby_messages()[-2:], [("bo", "hé"), ("ann", "one\ntwo é")])

    def test_sender_cannot_be_forged(self) -> None:
        """Neither another prefix nor several lines in one message change the sender."""
        luca, bo = self.client_with_lines("luca"), self.client_without_framing("bo")
        luca.send("@ann: I am ann\n")
        self.assertEqual(bo.receive(), "@luca: I am ann")
        bo.send("@bo: x\n@ann: I am ann\nDISCONNECT ann CHAT/1.0")
        self.assertEqual(
            luca.receive(), "@bo: x\n@bo: @ann: I am ann\n@bo: DISCONNECT ann CHAT/1.0\n"
        )

    def test_empty_texts_are_ignored(self) -> None:
        """A text is empty with the prefix of its sender and without."""
        luca, bo = self.client_with_lines("luca"), self.client_without_framing("bo")
        luca.send("\n", "@luca:\n", "@luca: \r\n")
        bo.send("@bo:", "@bo: \n")
        self.server.clock.advance(0)
        self.assertEqual((luca.receive(), bo.receive()), ("", ""))

    def test_client_gets_only_texts_sent_after_its_registration(self) -> None:
        """Earlier texts and other entries are never sent."""
        self.ann.request(c.Send(0, "#lobby", "before"))
        luca = self.client_with_lines("luca")
        self.assertEqual(luca.receive(), "")
        luca.disconnect()
        self.ann.request(c.Send(0, "#lobby", "between"))
        luca = self.client_with_lines("luca")
        self.server.log_in("eve", rooms=("#lobby",))
        self.ann.request(c.React(0, "#lobby", 1, "+1"))
        self.ann.request(c.Send(0, "#lobby", "after"))
        self.assertEqual(luca.receive(), "@ann: after\n")

    def test_registration_reply_is_read_by_itself_without_framing(self) -> None:
        """Messages sent meanwhile are written a moment later."""
        luca, bo = self.client_with_lines("luca"), TextClient(self.server)
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

    def test_each_refused_text_costs_as_much_as_a_sent_one(self) -> None:
        """The texts of a client that is no member any more are offered to the realm once each."""
        luca, bo = self.client_with_lines("luca"), self.client_with_lines("bo")
        assert isinstance(luca.transport.protocol.session, Session)
        self.server.run(self.server.realm.rooms.leave(luca.transport.protocol.session, "#lobby"))
        send = self.server.realm.send
        offered: list[int] = []

        def count_texts(session: Session, texts: Sequence[OutgoingMessage]) -> Any:
            offered.append(len(texts))
            return send(session, texts)

        self.patch(self.server.realm, "send", count_texts)
        bo.receive()
        luca.send("x\n" * 50)
        self.assertEqual((sum(offered), bo.receive()), (50, ""))

    def test_text_over_the_limit_is_dropped_in_both_framings(self) -> None:
        """A text of just 65,536 bytes is sent, and the connection goes on."""
        luca, bo = self.client_with_lines("luca"), self.client_without_framing("bo")
        longest = "x" * 65_536
        for client, name, end in ((luca, "luca", "\n"), (bo, "bo", "")):
            for text in (longest, longest + "x", "y" * 200_000, "on"):
                data = f"@{name}: {text}{end}".encode()
                for at in range(0, len(data), 65_536):
                    client.send(data[at : at + 65_536])
                self.server.clock.pump([0.01] * 5)
            self.assertEqual(
                [text for sender, text in self.lobby_messages() if sender == name][-2:],
                [longest, "on"],
            )

    def test_restricted_lobby_drops_texts(self) -> None:
        """A text in a read-only room, and the second one in slow mode, are not sent; what follows
        them in the same read is handled."""
        client = self.client_with_lines("luca")
        room = self.server.realm.rooms.loaded("#lobby")
        assert room is not None
        stored = room.stored
        self.lobby_messages()
        for changes, expected in (
            ({"read_only": True}, []),
            ({"slow": 30}, [("luca", "one")]),
            ({}, [("luca", "one"), ("luca", "two")]),
        ):
            record = msgspec.structs.replace(stored.record, **changes)
            room.stored = msgspec.structs.replace(stored, record=record)
            client.send("@luca: one\n@luca:  \n@luca: two\n")
            self.assertEqual(self.lobby_messages(), expected)
        self.assertEqual(client.request("DISCONNECT luca CHAT/1.0\n"), "DISCONNECT CHAT/1.0\n")

    def test_client_that_is_removed_from_the_lobby_is_disconnected(self) -> None:
        """After a kick it can register again, and after a ban it cannot. The reason of the ban is
        one line, without control characters."""
        rooms = self.server.realm.rooms
        self.server.run(rooms.set_role_by_operator("#lobby", "ann", "moderator"))
        for register in (self.client_with_lines, self.client_without_framing):
            client = register("luca")
            self.ann.request(c.Kick(0, "#lobby", "luca"))
            self.server.clock.advance(1)
            self.assertIn("DISCONNECT CHAT/1.0", client.receive())
            self.assertTrue(client.transport.disconnecting)
        client = self.client_with_lines("luca")
        self.ann.request(c.Ban(0, "#lobby", "luca", 0, "too\nloud\x1b[31m"))
        self.assertEqual(client.receive(), "DISCONNECT CHAT/1.0\n")
        client = self.client_with_lines()
        self.assertEqual(
            client.request("REGISTER luca CHAT/1.0\n"),
            "400 Invalid registration: You are banned from #lobby: too loud?[31m\n",
        )

    def test_refusal_of_a_bare_client_has_no_sentence(self) -> None:
        """The old client compares all of it."""
        self.server.run(self.server.realm.suspensions.suspend("ann", None, "spam"))
        client = TextClient(self.server)
        client.send("REGISTER ann CHAT/1.0")
        self.server.clock.advance(0.11)
        self.assertEqual(client.receive(), "400 Invalid registration")

    def test_blanks_at_both_ends_of_a_text_are_kept(self) -> None:
        """Only the blank after the prefix is not part of the text."""
        luca, bo = self.client_with_lines("luca"), self.client_without_framing("bo")
        luca.send("@luca:   indented \n", "  bare line\n")
        bo.send("@bo:  two")
        self.assertEqual(
            self.lobby_messages()[-3:],
            [("luca", "  indented "), ("luca", "  bare line"), ("bo", " two")],
        )
        self.assertEqual(bo.receive(), "@luca:   indented @luca:   bare line")

    def test_unfinished_line_waits_for_its_end(self) -> None:
        """Other clients are not delayed; after a time the connection is closed."""
        luca, bo = self.client_with_lines("luca"), self.client_without_framing("bo")
        luca.send("@luca: he")
        bo.send("@bo: hi")
        self.assertEqual((bo.receive(), luca.receive()), ("", "@bo: hi\n"))
        luca.send("llo\n")
        self.assertEqual(bo.receive(), "@luca: hello")
        luca.send("@luca: never")
        self.server.clock.advance(31)
        self.assertEqual(luca.receive(), "DISCONNECT CHAT/1.0\n")

    def test_slow_reader_catches_up(self) -> None:
        """Other clients are not delayed, and memory is bounded."""
        luca, bo = self.client_with_lines("luca"), self.client_without_framing("bo")
        luca.transport.capacity = 10
        for number in range(500):
            bo.send(f"@bo: {number}")
        self.assertEqual(len(luca.transport.output) + len(luca.transport.buffer) < 1000, True)
        luca.transport.drain()
        self.server.clock.advance(0)
        self.assertEqual(luca.receive(), "".join(f"@bo: {number}\n" for number in range(500)))

    def test_entries_from_before_an_account_left_acknowledge_nothing(self) -> None:
        """They arrive when another session of the account has joined the lobby again."""
        luca = self.client_with_lines("luca")
        client = self.server.log_in("luca")
        luca.transport.in_flight = 1000
        for number in range(4):
            self.ann.request(c.Send(0, "#lobby", f"old {number}"))
        self.server.clock.advance(1)
        client.request(c.Leave(0, "#lobby"))
        client.request(c.Join(0, "#lobby"))
        luca.transport.capacity = 0
        for number in range(4):
            self.ann.request(c.Send(0, "#lobby", f"new {number}"))
        luca.transport.in_flight = 0
        self.server.clock.advance(10)
        bodies = self.server.log_in_again("luca").receive_bodies()
        self.assertEqual(bodies[-4:], [f"new {number}" for number in range(4)])

    def test_client_without_framing_that_sends_too_much_is_disconnected(self) -> None:
        """One that sends lines is read more slowly instead."""
        bo = self.client_without_framing("bo")
        self.server.store.eager = False
        bo.transport.protocol.pause_for(PauseReason.RATE)
        for _ in range(1_001):
            bo.send("@bo: x")
        bo.transport.protocol.resume_after(PauseReason.RATE)
        self.server.store.eager = True
        self.server.store.release()
        self.server.clock.advance(3)
        self.assertTrue(bo.transport.half_closed or bo.transport.disconnecting)


class Mail(Chat10Case):
    """Messages to the account."""

    def test_mail_is_shown_as_private_and_acknowledged(self) -> None:
        """It is acknowledged when it has arrived."""
        luca = self.client_with_lines("luca")
        self.ann.request(c.Send(0, "luca", "psst"))
        self.assertEqual(luca.receive(), "@ann: (private) psst\n")
        self.server.clock.advance(0.1)
        luca.disconnect()
        self.assertEqual(self.server.log_in("luca").receive_entries(), [])

    def test_waiting_mail_follows_the_registration_reply(self) -> None:
        """It is sent in order and once."""
        self.server.log_in("luca").disconnect()
        for text in ("one", "two"):
            self.ann.request(c.Send(0, "luca", text))
        luca = TextClient(self.server)
        luca.send("REGISTER luca CHAT/1.0\n")
        self.server.clock.advance(0)
        self.assertEqual(luca.receive(), f"{OK}\n@ann: (private) one\n@ann: (private) two\n")
        self.server.clock.advance(0.1)
        luca.disconnect()
        self.client_with_lines("luca")

    def test_mail_that_has_not_arrived_waits_again(self) -> None:
        """It is delivered at the next login by any protocol."""
        luca = self.client_with_lines("luca")
        luca.transport.in_flight = 1000
        self.ann.request(c.Send(0, "luca", "psst"))
        self.server.clock.advance(10)
        luca.disconnect()
        self.server.clock.advance(2)
        client = self.server.log_in_again("luca")
        self.assertEqual(
            [text for log, _, text in client.receive_entries() if log == "@luca"], ["psst"]
        )


class Closing(Chat10Case):
    """Every way in which a connection ends."""

    def test_disconnect_is_answered_and_closes_the_connection(self) -> None:
        """The account remains."""
        luca, bo = self.client_with_lines("luca"), self.client_without_framing("bo")
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
        self.client_with_lines("luca")

    def test_client_that_closes_its_connection_is_logged_out(self) -> None:
        """One that closes its sending side only gets the last reply."""
        luca, bo = self.client_with_lines("luca"), self.client_without_framing("bo")
        luca.send("@luca: last")
        luca.half_close()
        self.server.clock.advance(0)
        self.assertEqual(luca.receive(), "DISCONNECT CHAT/1.0\n")
        bo.disconnect()
        self.assertEqual(
            [self.server.realm.sessions.online(name) for name in ("luca", "bo")], [False, False]
        )
        self.assertEqual(self.ann.answer_to(c.Send(0, "#lobby", "x")).command, c.Accepted.command)

    def test_registration_without_another_message_is_answered(self) -> None:
        """The client has closed its sending side."""
        bo = TextClient(self.server)
        bo.send("REGISTER bo CHAT/1.0")
        bo.half_close()
        self.server.clock.pump([0.1] * 5)
        self.assertEqual(bo.receive(), OK + "DISCONNECT CHAT/1.0")

    def test_stopping_server_disconnects_each_client_in_its_framing(self) -> None:
        """The reply is a message of its own."""
        luca, bo = self.client_with_lines("luca"), self.client_without_framing("bo")
        luca.send("@luca: x\n")
        self.server.factory.close_all()
        self.assertEqual(luca.receive(), "DISCONNECT CHAT/1.0\n")
        self.assertEqual(bo.receive(), "@luca: x")
        self.server.clock.advance(0.26)
        self.assertEqual(bo.receive(), "DISCONNECT CHAT/1.0")
        self.assertTrue(luca.transport.disconnecting and bo.transport.disconnecting)

    def test_client_whose_session_is_ended_is_disconnected(self) -> None:
        """An operator ends it, or the deletion of its account."""
        luca, bo = self.client_with_lines("luca"), self.client_with_lines("bo")
        assert isinstance(luca.transport.protocol.session, Session)
        account = luca.transport.protocol.session.account
        self.server.realm.sessions.end(account, "kicked", "You are out.")
        self.assertEqual(luca.receive(), "DISCONNECT CHAT/1.0\n")
        self.server.run(self.server.realm.delete_account("bo"))
        self.assertEqual(bo.receive(), "DISCONNECT CHAT/1.0\n")
