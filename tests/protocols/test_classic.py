"""The classic protocol: what is answered, in which order, and what waits for what."""

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
from chatd.core.errors import StoreUnavailable
from chatd.protocols import classic as classic_protocol
from tests.doubles.classic_clients import ClassicServer


class Ordering(SynchronousTestCase):
    """With a store that commits when told to."""

    def setUp(self) -> None:
        self.server = ClassicServer()
        self.ann = self.server.register("ann")
        self.bob = self.server.register("Bob")

    def test_nothing_before_it_is_durable(self) -> None:
        """Neither echo nor delivery before the commit; then the very frame, to both."""
        self.server.store.eager = False
        frame = encode_send("ann", "Bob", "hi")
        self.ann.send(frame)
        self.assertEqual((self.ann.transport.output, self.bob.transport.output), (b"", b""))
        self.server.store.release()
        self.assertEqual((self.ann.transport.output, self.bob.transport.output), (frame, frame))

    def test_replies_in_the_order_of_the_commands(self) -> None:
        """Many commands in one piece, commits late: each answer in its place."""
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

    def test_readers_before_senders(self) -> None:
        """A reader is handed an entry before its sender hears of it."""
        order: list[str] = []
        for name, client in (("ann", self.ann), ("Bob", self.bob)):
            write = client.transport.write
            client.transport.write = partial(self._note, order, name, write)  # type: ignore[method-assign]
        self.ann.send_texts("ann", "Bob", "1", "2")
        self.assertEqual(order, ["Bob", "ann"])

    def _note(
        self, order: list[str], name: str, write: Callable[[bytes], None], data: bytes
    ) -> None:
        order.append(name)
        write(data)

    def test_to_oneself_twice(self) -> None:
        """Delivered, and acknowledged."""
        self.ann.send_texts("ann", "ann", "note")
        self.assertEqual(self.ann.receive_texts(), ["note", "note"])

    def test_refused_by_the_store(self) -> None:
        """What could not be written is refused in its place; when the store recovers, all goes
        on."""
        self.server.store.refusal = StoreUnavailable("the store cannot write at the moment: full")
        self.ann.send_texts("ann", "Bob", "1", "2")
        self.assertEqual(
            self.ann.receive_texts(), ["the store cannot write at the moment: full"] * 2
        )
        self.server.store.refusal = None
        self.ann.send_texts("ann", "Bob", "3")
        self.assertEqual((self.ann.receive_texts(), self.bob.receive_texts()), (["3"], ["3"]))

    def test_a_response_comes_before_any_push(self) -> None:
        """Somebody writes while the login is under way: RESPONSE first, whatever comes."""
        self.bob.disconnect()
        self.server.store.eager = False
        late = self.server.connect()
        late.send(encode(LOGIN, "bob"))
        for number in range(6):
            self.ann.send_texts("ann", "Bob", str(number))
            self.server.store.release()
        late_got = late.receive()
        self.assertEqual(late_got[0], Response(""))
        pushed = [message.text for message in late_got[1:] if isinstance(message, Send)]
        self.server.store.eager = True
        late.send(encode(DELIVER))
        waiting = late.receive_texts()
        self.assertEqual(sorted(pushed + waiting), [str(number) for number in range(6)])
        self.assertEqual((pushed, waiting), (sorted(pushed), sorted(waiting)))
        self.assertEqual(
            {message.recipient for message in late_got[1:] if isinstance(message, Send)}, {"bob"}
        )

    def test_mail_before_what_comes_meanwhile(self) -> None:
        """DELIVER gives the old mail oldest first; what is said meanwhile comes after it; nothing
        again."""
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

    def test_later_commands_wait_until_fetched_mail_is_recorded(self) -> None:
        """Whoever has an answer to a later command does not get the mail again, even after a
        crash."""
        self.bob.disconnect()
        self.ann.send_texts("ann", "Bob", "old")
        bob = self.server.log_in("Bob")
        self.server.store.eager = False
        bob.send(encode(DELIVER), encode(LIST, "B*"))
        for _ in range(20):
            self.server.store.release()
            texts = bob.receive_texts()
            if "Bob" in texts:
                break
        cursor = self.server.store._documents["cursor"]["@bob"]
        self.assertEqual(cursor.body, b"\x92\x01\x90")

    def test_two_logins_at_once(self) -> None:
        """The first one wins."""
        self.bob.disconnect()
        one, two = self.server.connect(), self.server.connect()
        self.server.store.eager = False
        one.send(encode(LOGIN, "Bob"))
        two.send(encode(LOGIN, "BOB"))
        for _ in range(6):
            self.server.store.release()
        self.assertEqual(
            (one.receive(), two.receive()),
            ([Response("")], [Response("user is already logged in")]),
        )

    def test_gone_during_the_login(self) -> None:
        """Who does not wait for the answer is not left logged in."""
        self.bob.disconnect()
        one = self.server.connect()
        self.server.store.eager = False
        one.send(encode(LOGIN, "Bob"))
        one.disconnect()
        for _ in range(6):
            self.server.store.release()
        self.server.store.eager = True
        self.server.log_in("Bob")

    def test_change_of_account(self) -> None:
        """CREATE or LOGIN as another: the former account is offline at once, and its mail waits."""
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

    def test_delete(self) -> None:
        """No answer; the connection goes on, logged out; the name is free and its mailbox empty."""
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

    def test_before_logging_in(self) -> None:
        """What needs an account says so."""
        stranger = self.server.connect()
        stranger.send(encode_send("x", "Bob", "hi"), encode(DELIVER), encode(DELETE), encode(LIST))
        self.assertEqual(
            stranger.receive_texts(),
            [
                "attempting to send a message before logging in, "
                "for message: from: x | to: Bob | body: hi",
                "attempting to deliver undelivered messages before logging in",
                "attempting to delete an account before logging in",
                "ann,Bob",
            ],
        )

    def test_names(self) -> None:
        """Every rule, and what is checked first."""
        stranger = self.server.connect()
        for name, sentence in (
            ("ANN", "username already exists"),
            ("", "Empty string is not a valid username."),
            ("a b", "Illegal username character"),
            ("x" * 33, "username has 33 characters, the limit is 32"),
            ("server", "the username server is reserved"),
        ):
            stranger.send(encode(CREATE, name))
            (text,) = stranger.receive_texts()
            self.assertTrue(text.startswith(sentence), text)
        stranger.send(encode(CREATE, "a", "b", "c"))
        self.assertEqual(stranger.receive_texts(), ["illegal character sequence ||| in username"])

    def test_passwords(self) -> None:
        """An account with a password is nobody's without it; an open one is anybody's."""
        self.server.connect().register("eve", "s3cret").disconnect()
        eve = self.server.connect()
        eve.send(encode(LOGIN, "eve"), encode(LOGIN, "eve", "wrong"), encode(LOGIN, "nobody", "x"))
        self.assertEqual(
            eve.receive_texts(),
            ["password required: this account has one", "wrong password", "wrong password"],
        )
        eve.log_in("eve", "s3cret")

    def test_commands_wait_for_a_hash(self) -> None:
        """While a password is checked, nothing else of this connection is done, and it is not read
        from."""
        self.server.connect().register("eve", "s3cret").disconnect()
        eve = self.server.connect()
        self.server.passwords.hold = Deferred()
        eve.send(encode(LOGIN, "eve", "s3cret"), encode(LIST, "e*"))
        self.assertEqual((eve.receive(), eve.transport.producerState), ([], "paused"))
        self.server.passwords.hold.callback(None)
        self.assertEqual(
            (eve.receive_texts(), eve.transport.producerState), (["Response", "eve"], "producing")
        )

    def test_the_log_tells_no_secrets(self) -> None:
        """Who comes and goes and why something was refused, never what was said or a password."""
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
        told = "\n".join(events)
        self.assertIn("Client (192.0.2.7, 3) connected  [ eve ]", told)
        self.assertIn("Client (192.0.2.7, 3) is offline  [ eve ]", told)
        self.assertIn("refused: unknown-account  [ eve ]", told)
        self.assertNotIn("a-secret-text", told)
        self.assertNotIn("passw0rd", told)


class Rate(SynchronousTestCase):
    """What counts against the client's rate."""

    def test_a_long_listing_counts_as_several_commands(self) -> None:
        """The rate limit counts the names of a listing."""
        server = ClassicServer(rate=10.0, burst_seconds=1.0)
        for number in range(5):
            server.register(f"user{number}").disconnect()
        self.patch(classic_protocol, "_NAMES_PER_COMMAND", 1)
        ann = server.register("ann")
        ann.send(encode(LIST))
        ann.send(encode(LIST))
        self.assertEqual(ann.transport.producerState, "paused")
