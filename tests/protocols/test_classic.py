"""The classic protocol: replies, their order, and the commands that wait for others."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from twisted.internet.defer import Deferred
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from chatd.codecs.classic import (
    CREATE,
    DELETE,
    DELIVER,
    LIST,
    LOGIN,
    Response,
    Send,
    encode,
    encode_send,
)
from chatd.core.entries import Cursor
from chatd.core.errors import InviteInvalid, InviteRequired, StoreUnavailable
from chatd.realm import requester
from chatd.realm.permissions import Policy
from chatd.realm.positions import VERY_SOON
from chatd.server.arrivals import INTERVAL
from tests.doubles.classic_clients import ClassicServer


class Ordering(SynchronousTestCase):
    """Ann and Bob, with a store that commits when the test says so."""

    def setUp(self) -> None:
        self.server = ClassicServer()
        self.ann = self.server.register("ann")
        self.bob = self.server.register("Bob")

    def test_message_is_echoed_and_delivered_when_it_is_durable(self) -> None:
        """Nothing is sent before the commit; then the same frame is sent to both."""
        self.server.store.eager = False
        frame = encode_send("ann", "Bob", "hi")
        self.ann.send(frame)
        self.assertEqual((self.ann.transport.output, self.bob.transport.output), (b"", b""))
        self.server.store.release()
        self.assertEqual((self.ann.transport.output, self.bob.transport.output), (frame, frame))

    def test_recipient_that_is_deleted_meanwhile_does_not_exist(self) -> None:
        """The refusal is the same whenever the message meets the deletion."""
        replies: set[str] = set()
        for releases in range(12):
            server = ClassicServer()
            ann, bob = server.register("ann"), server.register("Bob")
            server.store.eager = False
            bob.send(encode(DELETE))
            for _ in range(releases):
                server.store.release()
            ann.send(encode_send("ann", "Bob", "hi"))
            for _ in range(20):
                server.store.release()
            replies.update(ann.receive_texts())
        refusal = "specific recipient Bob does not exist, for message: from: ann | to: Bob | body: "
        self.assertEqual(replies, {"hi", refusal + "hi"})

    def test_replies_are_sent_in_the_order_of_the_commands(self) -> None:
        """The commands arrive in one segment, and some wait for a commit."""
        self.server.store.eager = False
        self.ann.send(
            encode_send("ann", "Bob", "1"),
            encode_send("ann", "Bob", "2"),
            encode(LIST, "B*"),
            encode_send("ann", "nobody", "3"),
            encode_send("ann", "Bob", "4"),
            encode(99),
            encode_send("Bob", "Bob", "5"),
            encode(LIST, "a*"),
        )
        for _ in range(20):
            self.server.store.release()
        texts = self.ann.receive_texts()
        self.assertEqual(texts[:3], ["1", "2", "Bob"])
        self.assertTrue(
            texts[3].startswith("specific recipient nobody does not exist, for message: from: ann")
        )
        self.assertEqual(texts[4:6], ["4", "unknown command 99"])
        self.assertTrue(
            texts[6].startswith(
                "specified from name is not the sender. Got username Bob, current username is ann"
            )
        )
        self.assertEqual(texts[7:], ["ann"])
        self.assertEqual(self.bob.receive_texts(), ["1", "2", "4"])

    def test_recipient_is_sent_an_entry_before_its_sender_gets_the_echo(self) -> None:
        """Each client is sent both entries in one write."""
        order: list[str] = []
        for name, client in (("ann", self.ann), ("Bob", self.bob)):
            write = partial(self._record, order, name, client.transport.write)
            self.patch(client.transport, "write", write)
        self.ann.send_texts("ann", "Bob", "1", "2")
        self.assertEqual(order, ["Bob", "ann"])

    def _record(
        self, order: list[str], name: str, write: Callable[[bytes], None], data: bytes
    ) -> None:
        """Record whose transport is written to."""
        order.append(name)
        write(data)

    def test_message_to_oneself_is_delivered_and_echoed(self) -> None:
        """The client receives it twice."""
        self.ann.send_texts("ann", "ann", "note")
        self.assertEqual(self.ann.receive_texts(), ["note", "note"])

    def test_message_that_the_store_cannot_write_is_refused(self) -> None:
        """In its place; when the store has recovered, messages are accepted."""
        self.server.store.refusal = StoreUnavailable("the store cannot write at the moment: full")
        self.ann.send_texts("ann", "Bob", "1", "2")
        self.assertEqual(
            self.ann.receive_texts(), ["the store cannot write at the moment: full"] * 2
        )
        self.server.store.refusal = None
        self.ann.send_texts("ann", "Bob", "3")
        self.assertEqual((self.ann.receive_texts(), self.bob.receive_texts()), (["3"], ["3"]))

    def test_response_to_a_login_precedes_every_message(self) -> None:
        """Messages that are sent during the login are delivered after it."""
        self.bob.disconnect()
        self.server.store.eager = False
        client = self.server.connect()
        client.send(encode(LOGIN, "bob"))
        for number in range(6):
            self.ann.send_texts("ann", "Bob", str(number))
            self.server.store.release()
        replies = client.receive()
        self.assertEqual(replies[0], Response(""))
        pushed = [message.text for message in replies[1:] if isinstance(message, Send)]
        self.server.store.eager = True
        client.send(encode(DELIVER))
        waiting = client.receive_texts()
        self.assertEqual(sorted(pushed + waiting), [str(number) for number in range(6)])
        self.assertEqual((pushed, waiting), (sorted(pushed), sorted(waiting)))
        self.assertEqual(
            {message.recipient for message in replies[1:] if isinstance(message, Send)}, {"bob"}
        )

    def test_deliver_sends_waiting_mail_before_new_messages(self) -> None:
        """It is sent oldest first and once."""
        self.bob.disconnect()
        self.ann.send_texts("ann", "Bob", *[f"old {n}" for n in range(600)])
        bob = self.server.log_in("Bob")
        self.ann.send_texts("ann", "Bob", "live")
        self.assertEqual(bob.receive_texts(), ["live"])
        self.server.store.eager = False
        bob.send(encode(DELIVER))
        self.ann.send_texts("ann", "Bob", "new")
        for _ in range(20):
            self.server.store.release()
        self.assertEqual(bob.receive_texts(), [*[f"old {n}" for n in range(600)], "new"])
        bob.send(encode(DELIVER), encode(LIST, "none"))
        for _ in range(5):
            self.server.store.release()
        self.assertEqual(bob.receive_texts(), ["ListResponse"])

    def test_mail_comes_before_the_answers_to_later_commands(self) -> None:
        """It is acknowledged, and that is saved, a moment after it has arrived."""
        self.bob.disconnect()
        self.ann.send_texts("ann", "Bob", "old")
        bob = self.server.log_in("Bob")
        self.server.store.eager = False
        bob.send(encode(DELIVER), encode(LIST, "B*"))
        for _ in range(20):
            self.server.store.release()
        self.assertEqual(bob.receive_texts(), ["old", "Bob"])
        self.server.store.eager = True
        self.server.clock.pump([INTERVAL, VERY_SOON])
        assert bob.protocol.session is not None
        (position,) = self.successResultOf(
            self.server.store.positions(bob.protocol.session.account)
        )
        self.assertEqual(position.cursor, Cursor(1))

    def test_first_of_two_simultaneous_logins_succeeds(self) -> None:
        """The second is refused."""
        self.bob.disconnect()
        first, second = self.server.connect(), self.server.connect()
        self.server.store.eager = False
        first.send(encode(LOGIN, "Bob"))
        second.send(encode(LOGIN, "BOB"))
        for _ in range(6):
            self.server.store.release()
        self.assertEqual(
            (first.receive(), second.receive()),
            ([Response("")], [Response("user is already logged in")]),
        )

    def test_client_that_disconnects_during_its_login_is_not_logged_in(self) -> None:
        """The account can log in on another connection."""
        self.bob.disconnect()
        client = self.server.connect()
        self.server.store.eager = False
        client.send(encode(LOGIN, "Bob"))
        client.disconnect()
        for _ in range(6):
            self.server.store.release()
        self.server.store.eager = True
        self.server.log_in("Bob")

    def test_login_to_another_account_logs_the_former_one_out(self) -> None:
        """Mail of the former account waits. A refused login changes nothing."""
        self.bob.register("cyd")
        self.ann.send_texts("ann", "Bob", "for Bob")
        self.ann.send_texts("ann", "cyd", "for cyd")
        self.assertEqual(self.bob.receive_texts(), ["for cyd"])
        self.bob.log_in("Bob")
        self.bob.send(encode(DELIVER))
        self.assertEqual(self.bob.receive_texts(), ["for Bob"])
        self.bob.send(encode(LOGIN, "ann"))
        self.assertEqual(self.bob.receive_texts(), ["user is already logged in"])
        self.ann.send_texts("ann", "Bob", "still Bob")
        self.assertEqual(self.bob.receive_texts(), ["still Bob"])

    def test_messages_on_their_way_arrive_before_the_account_changes(self) -> None:
        """They are not sent again; those that do not arrive within a second are."""
        for change, arrives in (((CREATE, "eve"), True), ((LOGIN, "eve"), False)):
            self.bob.transport.in_flight = 5
            self.ann.send_texts("ann", "Bob", "hi")
            self.bob.receive()
            self.bob.send(encode(*change))
            self.server.clock.advance(0.2)
            self.assertEqual(self.bob.receive(), [])
            self.bob.transport.in_flight = 0 if arrives else 5
            self.server.clock.pump([0.01] * (2 if arrives else 100))
            self.assertEqual(self.bob.receive(), [Response("")])
            self.bob.transport.in_flight = 0
            self.bob.log_in("Bob").send(encode(DELIVER))
            self.assertEqual(self.bob.receive_texts(), [] if arrives else ["hi"])

    def test_account_is_created_with_an_invite_token(self) -> None:
        """It follows the password, which is empty for an open account."""
        self.server.realm.policy = Policy("invite")
        token = self.server.invite_token(uses=2)
        client = self.server.connect()
        client.send(
            encode(CREATE, "cyd"),
            encode(CREATE, "cyd", "", token[::-1]),
            encode(CREATE, "cyd", "", token),
            encode(CREATE, "eve", "secret", token),
            encode(CREATE, "zoe", "", token),
        )
        self.assertEqual(
            client.receive_texts(),
            [
                str(InviteRequired()),
                str(InviteInvalid()),
                "Response",
                "Response",
                str(InviteInvalid()),
            ],
        )
        client.disconnect()
        self.server.log_in("cyd")
        self.server.connect().log_in("eve", "secret")

    def test_control_characters_are_sent_as_question_marks(self) -> None:
        """Line breaks and tabs are not; the echo is the frame as it was."""
        frame = encode_send("ann", "Bob", "\x1b[2J\ta\nb\x07\x7f")
        self.ann.send(frame)
        self.assertEqual(self.ann.transport.output, frame)
        self.assertEqual(self.bob.receive_texts(), ["?[2J\ta\nb??"])

    def test_deleted_account_leaves_an_empty_mailbox_and_a_free_name(self) -> None:
        """DELETE has no answer; the connection goes on, logged out."""
        self.ann.send_texts("ann", "ann", "old")
        self.ann.receive()
        self.ann.send(encode(DELETE), encode(DELIVER), encode(LIST))
        self.assertEqual(
            self.ann.receive_texts(),
            ["attempting to deliver undelivered messages before logging in", "Bob"],
        )
        self.ann.register("ANN")
        self.ann.send(encode(DELIVER), encode(LIST))
        self.assertEqual(self.ann.receive_texts(), ["Bob,ANN"])

    def test_commands_that_need_a_login_are_refused_without_it(self) -> None:
        """LIST needs none."""
        client = self.server.connect()
        client.send(encode_send("x", "Bob", "hi"), encode(DELIVER), encode(DELETE), encode(LIST))
        self.assertEqual(
            client.receive_texts(),
            [
                "attempting to send a message before logging in, "
                "for message: from: x | to: Bob | body: hi",
                "attempting to deliver undelivered messages before logging in",
                "attempting to delete an account before logging in",
                "ann,Bob",
            ],
        )

    def test_illegal_and_taken_names_are_refused(self) -> None:
        """Each refusal has its sentence."""
        client = self.server.connect()
        for name, sentence in (
            ("ANN", "username already exists"),
            ("", "Empty string is not a valid username."),
            ("a b", "Illegal username character"),
            ("x" * 33, "username has 33 characters, the limit is 32"),
            ("server", "the username server is reserved"),
        ):
            client.send(encode(CREATE, name))
            (text,) = client.receive_texts()
            self.assertTrue(text.startswith(sentence), text)
        client.send(encode(CREATE, "a", "b", "c"))
        self.assertEqual(client.receive_texts(), ["illegal character sequence ||| in username"])

    def test_account_with_a_password_needs_it(self) -> None:
        """An unknown account looks like a wrong password."""
        self.server.connect().register("eve", "s3cret").disconnect()
        eve = self.server.connect()
        eve.send(encode(LOGIN, "eve"), encode(LOGIN, "eve", "wrong"), encode(LOGIN, "nobody", "x"))
        self.assertEqual(
            eve.receive_texts(),
            ["password required: this account has one", "wrong password", "wrong password"],
        )
        eve.log_in("eve", "s3cret")

    def test_commands_wait_while_a_password_is_verified(self) -> None:
        """The connection is not read from meanwhile."""
        self.server.connect().register("eve", "s3cret").disconnect()
        eve = self.server.connect()
        self.server.passwords.hold = Deferred()
        eve.send(encode(LOGIN, "eve", "s3cret"), encode(LIST, "e*"))
        self.assertEqual((eve.receive(), eve.transport.producerState), ([], "paused"))
        self.server.passwords.hold.callback(None)
        self.assertEqual(
            (eve.receive_texts(), eve.transport.producerState), (["Response", "eve"], "producing")
        )

    def test_log_has_neither_texts_nor_passwords(self) -> None:
        """It has connections, log-outs and the codes of refusals."""
        events: list[str] = []

        @implementer(ILogObserver)
        def observe(event: LogEvent) -> None:
            template = str(event.get("log_format", ""))
            events.append(template.format(**dict(event.items())))
            events.append(
                repr({key: value for key, value in event.items() if not key.startswith("log_")})
            )

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        eve = self.server.connect().register("eve", "passw0rd")
        eve.send_texts("eve", "Bob", "a-secret-text")
        eve.send_texts("eve", "nobody", "a-secret-text")
        eve.send_texts("ann", "Bob", "a-secret-text")
        eve.send(encode(CREATE, "Bob", "passw0rd"))
        eve.disconnect()
        log = "\n".join(events)
        self.assertIn("Client (192.0.2.7, 3) connected  [ eve ]", log)
        self.assertIn("Client (192.0.2.7, 3) is offline  [ eve ]", log)
        self.assertIn("refused: unknown-account  [ eve ]", log)
        self.assertNotIn("a-secret-text", log)
        self.assertNotIn("passw0rd", log)

    def test_ten_refusals_of_a_connection_are_logged(self) -> None:
        """The last of them says that there may be more; another connection has ten of its own."""
        lines: list[str] = []

        @implementer(ILogObserver)
        def observe(event: LogEvent) -> None:
            lines.append(str(event.get("log_format", "")).format(**dict(event.items())))

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        for name in ("eve", "zoe"):
            client = self.server.connect().register(name)
            client.send_texts(name, "nobody", *["x"] * 15)
            refusals = [line for line in lines if "refused: unknown-account" in line]
            self.assertEqual(len(refusals), 10)
            self.assertIn("further refusals of this client are not logged", refusals[-1])
            lines.clear()


class Rate(SynchronousTestCase):
    """What counts against the client's rate."""

    def test_long_listing_counts_as_several_commands(self) -> None:
        """The rate limit counts the names of a listing."""
        server = ClassicServer(rate=10.0, burst_seconds=1.0)
        for number in range(5):
            server.register(f"user{number}").disconnect()
        self.patch(requester, "NAMES_PER_COMMAND", 1)
        ann = server.register("ann")
        ann.send(encode(LIST))
        ann.send(encode(LIST))
        self.assertEqual(ann.transport.producerState, "paused")
