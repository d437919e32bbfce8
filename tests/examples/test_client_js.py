"""examples/client.js with a scripted server. It was written from docs/protocols/v1.md alone."""

from __future__ import annotations

import socket
import subprocess
from subprocess import PIPE

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
    LoggedIn,
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
    Resume,
    Send,
    Token,
)
from tests.codecs.v1_examples import frame
from tests.doubles.node import CLIENT, PATIENCE, JsClient, node
from tests.doubles.program import environment
from tests.doubles.v1_socket_server import ID, SINCE, SocketServer, entry, mailbox, room


class ScriptedServerTests(SynchronousTestCase):
    """The test is the server."""

    def setUp(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.listener.close)
        self.listener.settimeout(PATIENCE)
        self.port: int = self.listener.getsockname()[1]

    def start(self, *states: LogState) -> tuple[JsClient, SocketServer]:
        """Start a client, and answer until it has joined the lobby."""
        client = JsClient(self, self.port, "Ann", "s3cret")
        server = self.accept()
        server.answer_register()
        server.answer_login(*states)
        server.answer_join()
        return client, server

    def accept(self) -> SocketServer:
        """Accept the next connection of the client."""
        return SocketServer(self, self.listener)

    def test_log_in_send_and_log_out(self) -> None:
        """With a password. At the end of input it logs out when all messages are accepted."""
        client = JsClient(self, self.port, "Ann", "s3cret")
        server = self.accept()
        server.answer_hello()
        register = server.receive(Register)
        self.assertEqual((register.name, register.password), ("Ann", "s3cret"))
        server.send(Done(register.ref))
        log_in = server.answer_login()
        self.assertEqual((log_in.name, log_in.password, log_in.positions), ("Ann", "s3cret", []))
        server.answer_join()
        client.type("@bob hi")
        client.end_input()
        server.accept()
        server.answer_logout()
        self.assertEqual(client.exit_status(), 0)

    def test_account_that_exists(self) -> None:
        """If the name is taken it logs in; without a password it sends none."""
        client = JsClient(self, self.port, "ann")
        server = self.accept()
        server.answer_hello()
        register = server.receive(Register)
        self.assertIsNone(register.password)
        server.send(Refusal(register.ref, "name-taken", "Taken.", Register.command))
        self.assertIsNone(server.answer_login().password)
        server.answer_join()
        client.end_input()
        server.answer_logout()
        self.assertEqual(client.exit_status(), 0)

    def test_refused_login_ends_the_client(self) -> None:
        """The server's sentence is printed."""
        client = JsClient(self, self.port, "Ann", "wrong")
        server = self.accept()
        server.answer_register()
        server.send(
            Refusal(server.receive(LogIn).ref, "wrong-password", "wrong password", LogIn.command)
        )
        self.assertEqual(client.exit_status(), 1)
        self.assertEqual(client.next_error(), "wrong password")

    def test_account_that_cannot_be_registered_ends_the_client(self) -> None:
        """The reason is why it does not exist, not that it cannot be logged in to."""
        client = JsClient(self, self.port, "Ann", "s3cret")
        server = self.accept()
        server.answer_hello()
        register = server.receive(Register)
        server.send(Refusal(register.ref, "invite-required", "Ask the operator.", Register.command))
        log_in = server.receive(LogIn)
        server.send(Refusal(log_in.ref, "wrong-password", "wrong password", LogIn.command))
        self.assertEqual(client.exit_status(), 1)
        self.assertEqual(client.next_error(), "Ask the operator.")

    def test_lost_connection_is_resumed_by_the_token(self) -> None:
        """With the positions; if the token has ended, by the password on the same connection."""
        client, server = self.start()
        server.send(Token("t1"), entry("@ann", 1, "1"))
        server.receive_acks("@ann", 1)
        server.socket.close()
        server = self.accept()
        server.answer_hello()
        resume = server.receive(Resume)
        self.assertEqual((resume.name, resume.token), ("Ann", "t1"))
        self.assertIn(Position("@ann", SINCE, 1), resume.positions)
        server.send(Refusal(resume.ref, "wrong-password", "wrong password", Resume.command))
        log_in = server.answer_login(mailbox(1, 1))
        self.assertEqual((log_in.password, log_in.positions), ("s3cret", resume.positions))
        server.send(Token("t2"))
        server.answer_join()
        server.socket.close()
        server = self.accept()
        server.answer_hello()
        resume = server.receive(Resume)
        self.assertEqual(resume.token, "t2")
        server.send(LoggedIn(resume.ref, "Ann", [mailbox(1, 1)]))
        server.answer_join()
        client.end_input()
        server.answer_logout()
        self.assertEqual(client.exit_status(), 0)

    def test_token_is_kept_while_it_cannot_be_used(self) -> None:
        """The client tries again later with the same token, or ends; it sends no password."""
        client, server = self.start()
        server.send(Token("t1"))
        server.send(Ping(7))
        server.receive(Pong)
        server.socket.close()
        for code in ("limit-reached", "suspended"):
            server = self.accept()
            server.answer_hello()
            resume = server.receive(Resume)
            self.assertEqual(resume.token, "t1")
            server.send(Refusal(resume.ref, code, f"It is {code}.", Resume.command))
        self.assertEqual(client.exit_status(), 1)
        self.assertEqual(client.next_error(), "the connection was closed; connecting again")
        self.assertEqual(client.next_error(), "It is limit-reached.; connecting again")
        self.assertEqual(client.next_error(), "It is suspended.")

    def test_lines_are_sent_as_messages(self) -> None:
        """To accounts and rooms, each with its own key; other lines are refused."""
        client, server = self.start()
        client.type(
            "@bob Grüße, 🌱\t|||'\"\\",
            "#Garden  two  blanks ",
            "",
            "nobody",
            "@x ",
            "#lobby \u202e",
        )
        sent = [server.accept(seq) for seq in range(4)]
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
        self.assertEqual(client.next_error(), "Type @NAME TEXT or #ROOM TEXT.")

    def test_entries_are_printed_and_acknowledged(self) -> None:
        """Control characters are replaced; entries of other kinds than text are not printed."""
        client, server = self.start(mailbox(3, 1))
        server.send(
            entry("@ann", 2, "Grüße 🌱 \x1b[31m\nx\u0085"), entry("@ann", 3, "#garden", "invite")
        )
        self.assertEqual(client.next_line(), "Bob: Grüße 🌱  [31m x ")
        server.receive_acks("@ann", 3)
        server.send(
            entry("#lobby", 8, "", "join"), entry("#lobby", 9, "1"), entry("#lobby", 10, "", "new")
        )
        self.assertEqual(client.next_line(), "#lobby Bob: 1")
        server.receive_acks("#lobby", 10)

    def test_entry_that_cannot_be_written_is_not_acknowledged(self) -> None:
        """The client ends, with the reason."""
        command = [node(), str(CLIENT), "Ann", f"chat://127.0.0.1:{self.port}"]
        with (
            open("/dev/full", "w") as full,
            subprocess.Popen(
                command, stdin=PIPE, stdout=full, stderr=PIPE, env=environment(), text=True
            ) as client,
        ):
            self.addCleanup(client.kill)
            server = self.accept()
            server.answer_register()
            server.answer_login()
            server.answer_join()
            server.send(entry("@ann", 1, "hi"))
            self.assertEqual(server.socket.recv(1), b"")
            self.assertEqual(client.wait(PATIENCE), 1)
            assert client.stderr is not None
            self.assertEqual(client.stderr.read(), "the output cannot be written: ENOSPC\n")

    def test_entries_in_the_same_write_as_the_login(self) -> None:
        """They are printed and acknowledged."""
        client = JsClient(self, self.port, "Ann")
        server = self.accept()
        server.answer_register()
        server.answer_login(mailbox(2, 0), then=(entry("@ann", 1, "1"), entry("@ann", 2, "2")))
        self.assertEqual([client.next_line(), client.next_line()], ["Bob: 1", "Bob: 2"])
        # In either order.
        kinds = {type(server.receive(Message)) for _ in range(2)}
        self.assertEqual(kinds, {Join, Ack})

    def test_acknowledgement_that_is_refused(self) -> None:
        """It names the log, which may have been replaced meanwhile; no line of the user is lost."""
        client, server = self.start(mailbox(0))
        server.send(entry("@ann", 1, "1"))
        self.assertEqual(server.receive(Ack).since, SINCE)
        server.send(Refusal(0, "unknown-log", "No such log.", Ack.command))
        client.end_input()
        server.answer_logout()
        self.assertEqual(client.exit_status(), 0)

    def test_frames_in_pieces(self) -> None:
        """Data may be divided anywhere."""
        client, server = self.start(mailbox(0))
        data = encode(entry("@ann", 1, "🌱" * 300)) + encode(entry("@ann", 2, "x" * 70_000))
        for at in range(0, 1400, 3):
            server.socket.sendall(data[at : at + 3])
        server.socket.sendall(data[1401:])
        self.assertEqual(client.next_line(), "Bob: " + "🌱" * 300)
        self.assertEqual(client.next_line(), "Bob: " + "x" * 70_000)
        server.receive_acks("@ann", 2)

    def test_unknown_messages_and_fields_are_ignored(self) -> None:
        """A later version of the protocol may add them."""
        client, server = self.start(mailbox(0))
        pushed = [*msgspec.to_builtins(entry("@ann", 1, "hi")), "new", [None, -1, 1.5]]
        server.socket.sendall(frame(200, b"\x91\xc0") + frame(79, b"\x91\x01") + frame(90, b"\x90"))
        server.socket.sendall(frame(Pushed.command, msgspec.msgpack.encode(pushed)))
        self.assertEqual(client.next_line(), "Bob: hi")
        server.receive_acks("@ann", 1)

    def test_ping_is_answered(self) -> None:
        """With the same `ref`."""
        _, server = self.start()
        server.send(Ping(0), Ping(7))
        self.assertEqual([server.receive(Pong), server.receive(Pong)], [Pong(0), Pong(7)])

    def test_refused_message_is_reported(self) -> None:
        """It is not sent again; the client continues."""
        client, server = self.start()
        client.type("@bob 1", "@bob 2")
        first = server.receive(Send)
        server.send(Refusal(first.ref, "unknown-account", "No such account.", Send.command))
        server.accept()
        self.assertEqual(client.next_error(), "not sent to bob: No such account.")
        client.end_input()
        server.answer_logout()
        self.assertEqual(client.exit_status(), 1)

    def test_lines_that_cannot_be_sent(self) -> None:
        """A frame may be so long as `Welcome` says: a longer one is refused, and so is a line that
        is not UTF-8. The lines after them are sent."""
        client, server = self.start()
        client.type("@bob " + "x" * 98_304, "@" + "b" * 98_304 + " hi")
        client.type_bytes(b"@bob caf\xe9\n")
        client.type("@bob " + "x" * 98_000)
        self.assertEqual(server.accept().text, "x" * 98_000)
        self.assertEqual(client.next_error(), "not sent to bob: The line is too long.")
        self.assertIn("b: The line is too long.", client.next_error())
        self.assertEqual(client.next_error(), "not sent: a line is not valid UTF-8")
        client.end_input()
        server.answer_logout()
        self.assertEqual(client.exit_status(), 1)

    def test_temporarily_refused_message_is_sent_again(self) -> None:
        """Over another connection, with the messages after it, in order and with the same keys."""
        client, server = self.start()
        client.type("@bob 1", "@bob 2")
        first, second = server.receive(Send), server.receive(Send)
        server.send(Refusal(first.ref, "busy", "Later.", Send.command))
        again = self.accept()
        again.answer_hello()
        again.answer_login()
        again.answer_join()
        sent = [again.accept(), again.accept()]
        self.assertEqual([message.key for message in sent], [first.key, second.key])
        self.assertEqual([message.text for message in sent], ["1", "2"])

    def test_lost_connection_is_resumed(self) -> None:
        """With the positions, the unaccepted messages and the acknowledgements."""
        client, server = self.start(mailbox(4, 1))
        server.send(entry("@ann", 2, "2"), entry("@ann", 3, "3"))
        self.assertEqual([client.next_line(), client.next_line()], ["Bob: 2", "Bob: 3"])
        server.receive_acks("@ann", 3)
        client.type("@bob a", "@bob b", "@bob c")
        server.accept()
        lost = [server.receive(Send), server.receive(Send)]
        server.socket.close()
        client.type("@bob d")

        again = self.accept()
        again.answer_hello()
        request = again.answer_login(mailbox(4, 1), room("#lobby", 7, 7))
        self.assertEqual(
            request.positions, [Position("@ann", SINCE, 3), Position("#lobby", SINCE, 7)]
        )
        again.receive_acks("@ann", 3)
        again.answer_join()
        sent = [again.accept(2), again.accept(3), again.accept(4)]
        self.assertEqual([message.text for message in sent], ["b", "c", "d"])
        self.assertEqual([message.key for message in sent[:2]], [message.key for message in lost])
        # A server may push entries that were received before.
        again.send(entry("@ann", 2, "2"), entry("@ann", 3, "3"), entry("@ann", 4, "4"))
        self.assertEqual(client.next_line(), "Bob: 4")
        again.receive_acks("@ann", 4)
        self.assertIn("; connecting again", client.next_error())

    def test_position_in_another_log_of_the_same_name_is_dropped(self) -> None:
        """The log was created again, or its room was left."""
        client, server = self.start(mailbox(5, 5), room("#a", 5, 5), room("#b", 5, 5))
        server.socket.close()
        again = self.accept()
        again.answer_hello()
        request = again.answer_login(mailbox(2, 1, SINCE + 1), room("#a", 6, 5))
        self.assertEqual(len(request.positions), 4)
        again.answer_join()
        again.send(entry("@ann", 2, "new"), entry("#b", 6, "not mine"), entry("#a", 6, "next"))
        self.assertEqual([client.next_line(), client.next_line()], ["Bob: new", "#a Bob: next"])
        again.receive_acks("@ann", 2)
        again.receive_acks("#a", 6)

    def test_all_positions_are_dropped_when_the_server_was_restored(self) -> None:
        """One log has fewer entries than were received; what is pushed before another login without
        positions is ignored, and new entries under known seqs are printed."""
        client, server = self.start(mailbox(5, 5), room("#a", 5, 5))
        server.socket.close()
        again = self.accept()
        again.answer_hello()
        states = (mailbox(4, 3), room("#a", 9, 4))
        again.answer_login(*states, then=(entry("#a", 6, "from the old position"),))
        self.assertEqual(again.answer_login(*states).positions, [])
        again.answer_join()
        again.send(entry("@ann", 4, "other"), entry("#a", 5, "others"))
        self.assertEqual([client.next_line(), client.next_line()], ["Bob: other", "#a Bob: others"])
        again.receive_acks("@ann", 4)
        again.receive_acks("#a", 5)

    def test_room_joined_by_another_session_is_followed(self) -> None:
        """Until that session leaves it."""
        client, server = self.start()
        server.send(Joined(room("#garden", 3, 3)), entry("#garden", 4, "hi"))
        self.assertEqual(client.next_line(), "#garden Bob: hi")
        server.receive_acks("#garden", 4)
        server.send(Left("#Garden", "left"), entry("#garden", 5, "no more"), entry("@ann", 1, "hi"))
        self.assertEqual(client.next_line(), "Bob: hi")
        server.receive_acks("@ann", 1)

    def test_goodbye_tells_whether_to_reconnect(self) -> None:
        """The client reconnects if the server is stopping; otherwise it exits."""
        client, server = self.start()
        server.send(Goodbye("stopping", "Stopping."))
        server.socket.close()
        self.assertEqual(client.next_error(), "Stopping.; connecting again")
        again = self.accept()
        again.answer_hello()
        again.answer_login()
        again.answer_join()
        again.send(Goodbye("password-changed", "Log in again."))
        again.socket.close()
        self.assertEqual(client.exit_status(), 1)
        self.assertEqual(client.next_error(), "Log in again.")

    def test_other_protocol_ends_the_connection(self) -> None:
        """Data that is no frame, a frame that is too long, and a frame with invalid data."""
        client, server = self.start()
        server.socket.close()
        self.assertIn("; connecting again", client.next_error())
        wrongs = (
            b"HTTP/1.1 400 Bad Request\r\n",
            frame(80, b"", length=2**31),
            frame(80, b"\xc1"),
        )
        for wrong in wrongs:
            server = self.accept()
            server.receive(Hello)
            server.socket.sendall(wrong)
            self.assertEqual(server.socket.recv(1), b"")
            self.assertIn("; connecting again", client.next_error())

    def test_first_connection_that_fails_ends_the_client(self) -> None:
        """The address may be wrong: the server speaks another protocol, or there is none."""
        client = JsClient(self, self.port, "Ann")
        server = self.accept()
        server.socket.sendall(b"HTTP/1.1 400 Bad Request\r\n")
        self.assertEqual(client.exit_status(), 1)
        self.assertEqual(client.next_error(), "this is not a chatd server")
        self.listener.close()
        client = JsClient(self, self.port, "Ann")
        self.assertEqual(client.exit_status(), 1)
        self.assertIn("ECONNREFUSED", client.next_error())

    def test_input_is_paused_while_many_messages_are_pending(self) -> None:
        """At most 64 messages wait to be accepted."""
        client, server = self.start()
        client.type(*(f"@bob {number}" for number in range(200)))
        sent = [server.receive(Send) for _ in range(64)]
        server.send(Ping(1))
        server.receive(Pong)
        for message in sent:
            server.send(Accepted(message.ref, "@bob", message.ref, ID, SINCE))
        for number in range(64, 200):
            self.assertEqual(server.accept(number).text, str(number))

    def test_entry_received_while_logging_out_is_not_acknowledged(self) -> None:
        """It is not printed either: it is pushed after the next login."""
        client, server = self.start()
        server.send(entry("@ann", 1, "1"))
        self.assertEqual(client.next_line(), "Bob: 1")
        server.receive_acks("@ann", 1)
        client.end_input()
        request = server.receive(LogOut)
        server.send(entry("@ann", 2, "2"), Done(request.ref))
        self.assertEqual(server.socket.recv(1), b"")
        server.socket.close()
        self.assertEqual((client.exit_status(), client.printed), (0, ["Bob: 1"]))
