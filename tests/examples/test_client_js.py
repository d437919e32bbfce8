"""examples/client.js, written from docs/protocols/v1.md alone, against a scripted server."""

from __future__ import annotations

import socket

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs.v1 import encode
from chatd.codecs.v1_messages import (
    Accepted,
    Ack,
    Done,
    Goodbye,
    Hello,
    Join,
    Joined,
    Left,
    LogIn,
    LogOut,
    LogState,
    Message,
    Ping,
    Pong,
    Position,
    Pushed,
    Refusal,
    Register,
    Send,
)
from tests.codecs.v1_examples import frame
from tests.examples.node import PATIENCE, Program
from tests.examples.server import ID, SINCE, Peer, entry, inbox, room


class Scripted(SynchronousTestCase):
    """Each test is both ends of a conversation."""

    def setUp(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.listener.close)
        self.listener.settimeout(PATIENCE)
        self.port: int = self.listener.getsockname()[1]

    def start(self, *states: LogState) -> tuple[Program, Peer]:
        """A client that has just come in."""
        program = Program(self, self.port, "Ann", "s3cret")
        peer = self.peer()
        peer.register()
        peer.log_in(*states)
        peer.join()
        return program, peer

    def peer(self) -> Peer:
        """The other end of its next connection."""
        return Peer(self, self.listener)

    def test_coming_and_leaving(self) -> None:
        """With a password; it leaves at the end of input, when it may."""
        program = Program(self, self.port, "Ann", "s3cret")
        peer = self.peer()
        peer.greet()
        register = peer.take(Register)
        self.assertEqual((register.name, register.password), ("Ann", "s3cret"))
        peer.tell(Done(register.ref))
        log_in = peer.log_in()
        self.assertEqual((log_in.name, log_in.password, log_in.positions), ("Ann", "s3cret", []))
        peer.join()
        program.types("@bob hi")
        program.ends_input()
        peer.accept()
        peer.part()
        self.assertEqual(program.ends(), 0)

    def test_an_account_that_exists(self) -> None:
        """A name that is taken is its own, without a password perhaps."""
        program = Program(self, self.port, "ann")
        peer = self.peer()
        peer.greet()
        register = peer.take(Register)
        self.assertIsNone(register.password)
        peer.tell(Refusal(register.ref, "name-taken", "Taken.", Register.command))
        self.assertIsNone(peer.log_in().password)
        peer.join()
        program.ends_input()
        peer.part()
        self.assertEqual(program.ends(), 0)

    def test_who_may_not_come_in(self) -> None:
        """It says why, and gives up."""
        program = Program(self, self.port, "Ann", "wrong")
        peer = self.peer()
        peer.register()
        peer.tell(Refusal(peer.take(LogIn).ref, "wrong-password", "wrong password", LogIn.command))
        self.assertEqual(program.ends(), 1)
        self.assertEqual(program.complains(), "wrong password")

    def test_what_it_says(self) -> None:
        """Each message with a key of its own, to accounts and rooms."""
        program, peer = self.start()
        program.types(
            "@bob Grüße, 🌱\t|||'\"\\",
            "#Garden  two  blanks ",
            "",
            "nobody",
            "@x ",
            "#lobby \u202e",
        )
        sent = [peer.accept(seq) for seq in range(4)]
        self.assertEqual(
            [(message.recipient, message.text) for message in sent],
            [
                ("bob", "Grüße, 🌱\t|||'\"\\"),
                ("#Garden", " two  blanks "),
                ("x", ""),
                ("#lobby", "\u202e"),
            ],
        )
        self.assertEqual(len({message.key for message in sent} | {None}), 5)
        self.assertEqual(program.complains(), "say @NAME TEXT or #ROOM TEXT")

    def test_what_it_prints(self) -> None:
        """Mail and rooms, each entry acknowledged; other kinds are, too, but not printed."""
        program, peer = self.start(inbox(3, 1))
        peer.tell(
            entry("@ann", 2, "Grüße 🌱 \x1b[31m\nx\u0085"), entry("@ann", 3, "#garden", "invite")
        )
        self.assertEqual(program.prints(), "Bob: Grüße 🌱  [31m x ")
        peer.acknowledged("@ann", 3)
        peer.tell(
            entry("#lobby", 8, "", "join"), entry("#lobby", 9, "1"), entry("#lobby", 10, "", "new")
        )
        self.assertEqual(program.prints(), "#lobby Bob: 1")
        peer.acknowledged("#lobby", 10)

    def test_mail_with_the_login(self) -> None:
        """What comes in the same write as the answer to the login is not missed."""
        program = Program(self, self.port, "Ann")
        peer = self.peer()
        peer.register()
        peer.log_in(inbox(2, 0), then=(entry("@ann", 1, "1"), entry("@ann", 2, "2")))
        self.assertEqual([program.prints(), program.prints()], ["Bob: 1", "Bob: 2"])
        # Either may come first.
        kinds = {type(peer.take(Message)) for _ in range(2)}
        self.assertEqual(kinds, {Join, Ack})

    def test_in_pieces(self) -> None:
        """However the bytes come."""
        program, peer = self.start(inbox(0))
        data = encode(entry("@ann", 1, "🌱" * 300)) + encode(entry("@ann", 2, "x" * 70_000))
        for at in range(0, 1400, 3):
            peer.socket.sendall(data[at : at + 3])
        peer.socket.sendall(data[1401:])
        self.assertEqual(program.prints(), "Bob: " + "🌱" * 300)
        self.assertEqual(program.prints(), "Bob: " + "x" * 70_000)
        peer.acknowledged("@ann", 2)

    def test_what_it_does_not_know(self) -> None:
        """New messages, and new fields after the last, are passed over."""
        program, peer = self.start(inbox(0))
        pushed = [*msgspec.to_builtins(entry("@ann", 1, "hi")), "new", [None, -1, 1.5]]
        peer.socket.sendall(frame(200, b"\x91\xc0") + frame(79, b"\x91\x01") + frame(90, b"\x90"))
        peer.socket.sendall(frame(Pushed.command, msgspec.msgpack.encode(pushed)))
        self.assertEqual(program.prints(), "Bob: hi")
        peer.acknowledged("@ann", 1)

    def test_ping(self) -> None:
        """It answers."""
        _, peer = self.start()
        peer.tell(Ping(0), Ping(7))
        self.assertEqual([peer.take(Pong), peer.take(Pong)], [Pong(0), Pong(7)])

    def test_refused(self) -> None:
        """It says so and goes on; nothing is sent again."""
        program, peer = self.start()
        program.types("@bob 1", "@bob 2")
        first = peer.take(Send)
        peer.tell(Refusal(first.ref, "unknown-account", "No such account.", Send.command))
        peer.accept()
        self.assertEqual(program.complains(), "not sent to bob: No such account.")
        program.ends_input()
        peer.part()
        self.assertEqual(program.ends(), 0)

    def test_refused_for_now(self) -> None:
        """It tries again a little later, with what came after it, in order and with the same
        keys."""
        program, peer = self.start()
        program.types("@bob 1", "@bob 2")
        first, second = peer.take(Send), peer.take(Send)
        peer.tell(Refusal(first.ref, "busy", "Later.", Send.command))
        again = self.peer()
        again.greet()
        again.log_in()
        again.join()
        sent = [again.accept(), again.accept()]
        self.assertEqual([message.key for message in sent], [first.key, second.key])
        self.assertEqual([message.text for message in sent], ["1", "2"])

    def test_connection_lost(self) -> None:
        """It goes on where it was: its positions, its messages, what it had acknowledged."""
        program, peer = self.start(inbox(4, 1))
        peer.tell(entry("@ann", 2, "2"), entry("@ann", 3, "3"))
        self.assertEqual([program.prints(), program.prints()], ["Bob: 2", "Bob: 3"])
        peer.acknowledged("@ann", 3)
        program.types("@bob a", "@bob b", "@bob c")
        peer.accept()
        lost = [peer.take(Send), peer.take(Send)]
        peer.socket.close()
        program.types("@bob d")

        again = self.peer()
        again.greet()
        request = again.log_in(inbox(4, 1), room("#lobby", 7, 7))
        self.assertEqual(
            request.positions, [Position("@ann", SINCE, 3), Position("#lobby", SINCE, 7)]
        )
        again.acknowledged("@ann", 3)
        again.join()
        sent = [again.accept(2), again.accept(3), again.accept(4)]
        self.assertEqual([message.text for message in sent], ["b", "c", "d"])
        self.assertEqual([message.key for message in sent[:2]], [message.key for message in lost])
        # A server may send more than it has to.
        again.tell(entry("@ann", 2, "2"), entry("@ann", 3, "3"), entry("@ann", 4, "4"))
        self.assertEqual(program.prints(), "Bob: 4")
        again.acknowledged("@ann", 4)
        self.assertIn("; connecting again", program.complains())

    def test_another_log_of_the_same_name(self) -> None:
        """A position is worth nothing in a log that was made anew or set back, nor in one that it
        left."""
        program, peer = self.start(inbox(5, 5), room("#a", 5, 5), room("#b", 5, 5))
        peer.socket.close()
        again = self.peer()
        again.greet()
        request = again.log_in(inbox(2, 1, SINCE + 1), room("#a", 4, 3))
        self.assertEqual(len(request.positions), 4)
        again.join()
        again.tell(entry("@ann", 2, "new"), entry("#b", 6, "not mine"), entry("#a", 4, "back"))
        self.assertEqual([program.prints(), program.prints()], ["Bob: new", "#a Bob: back"])
        again.acknowledged("@ann", 2)
        again.acknowledged("#a", 4)

    def test_rooms_joined_elsewhere(self) -> None:
        """Another session of the account joins and leaves."""
        program, peer = self.start()
        peer.tell(Joined(room("#garden", 3, 3)), entry("#garden", 4, "hi"))
        self.assertEqual(program.prints(), "#garden Bob: hi")
        peer.acknowledged("#garden", 4)
        peer.tell(Left("#Garden", "left"), entry("#garden", 5, "no more"), entry("@ann", 1, "hi"))
        self.assertEqual(program.prints(), "Bob: hi")
        peer.acknowledged("@ann", 1)

    def test_goodbye(self) -> None:
        """It comes again when the server was only stopping, and not when it was put out."""
        program, peer = self.start()
        peer.tell(Goodbye("stopping", "Stopping."))
        peer.socket.close()
        self.assertEqual(program.complains(), "Stopping.; connecting again")
        again = self.peer()
        again.greet()
        again.log_in()
        again.join()
        again.tell(Goodbye("password-changed", "Log in again."))
        again.socket.close()
        self.assertEqual(program.ends(), 1)
        self.assertEqual(program.complains(), "Log in again.")

    def test_a_server_of_another_sort(self) -> None:
        """It hangs up on what is no frame, or has too long a one, and on what is no data."""
        program = Program(self, self.port, "Ann")
        for wrong in (
            b"HTTP/1.1 400 Bad Request\r\n",
            frame(80, b"", length=2**31),
            frame(80, b"\xc1"),
        ):
            peer = self.peer()
            peer.take(Hello)
            peer.socket.sendall(wrong)
            self.assertEqual(peer.socket.recv(1), b"")
            self.assertIn("; connecting again", program.complains())

    def test_how_much_it_reads(self) -> None:
        """No more than 64 messages wait to be accepted, however much there is to say."""
        program, peer = self.start()
        program.types(*(f"@bob {number}" for number in range(200)))
        sent = [peer.take(Send) for _ in range(64)]
        peer.tell(Ping(1))
        peer.take(Pong)
        for message in sent:
            peer.tell(Accepted(message.ref, "@bob", message.ref, ID, SINCE))
        for number in range(64, 200):
            self.assertEqual(peer.accept(number).text, str(number))

    def test_nothing_is_lost_by_leaving(self) -> None:
        """What comes while it leaves is neither printed nor acknowledged."""
        program, peer = self.start()
        peer.tell(entry("@ann", 1, "1"))
        self.assertEqual(program.prints(), "Bob: 1")
        peer.acknowledged("@ann", 1)
        program.ends_input()
        request = peer.take(LogOut)
        peer.tell(entry("@ann", 2, "2"), Done(request.ref))
        self.assertEqual(peer.socket.recv(1), b"")
        peer.socket.close()
        self.assertEqual((program.ends(), program.printed), (0, ["Bob: 1"]))
