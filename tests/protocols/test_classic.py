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
from tests.doubles.classic_clients import ClassicServer


class Ordering(SynchronousTestCase):
    """With a store that commits when told to."""

    def setUp(self) -> None:
        self.server = ClassicServer()
        self.ann = self.server.client("ann")
        self.bob = self.server.client("Bob")

    def test_nothing_before_it_is_durable(self) -> None:
        """Neither echo nor delivery before the commit; then the very frame, to both."""
        self.server.store.eager = False
        frame = encode_send("ann", "Bob", "hi")
        self.ann.send(frame)
        self.assertEqual((self.ann.transport.out, self.bob.transport.out), (b"", b""))
        self.server.store.release()
        self.assertEqual((self.ann.transport.out, self.bob.transport.out), (frame, frame))

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
        texts = self.ann.texts()
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
        self.assertEqual(self.bob.texts(), ["1", "2", "4"])

    def test_readers_before_senders(self) -> None:
        """A reader is handed an entry before its sender hears of it."""
        order: list[str] = []
        for name, client in (("ann", self.ann), ("Bob", self.bob)):
            write = client.transport.write
            client.transport.write = partial(self._note, order, name, write)  # type: ignore[method-assign]
        self.ann.say("ann", "Bob", "1", "2")
        self.assertEqual(order, ["Bob", "ann"])

    def _note(
        self, order: list[str], name: str, write: Callable[[bytes], None], data: bytes
    ) -> None:
        order.append(name)
        write(data)

    def test_to_oneself_twice(self) -> None:
        """Delivered, and acknowledged."""
        self.ann.say("ann", "ann", "note")
        self.assertEqual(self.ann.texts(), ["note", "note"])

    def test_refused_by_the_store(self) -> None:
        """What could not be written is refused in its place; when the store recovers, all goes
        on."""
        self.server.store.refusal = StoreUnavailable("the store cannot write at the moment: full")
        self.ann.say("ann", "Bob", "1", "2")
        self.assertEqual(self.ann.texts(), ["the store cannot write at the moment: full"] * 2)
        self.server.store.refusal = None
        self.ann.say("ann", "Bob", "3")
        self.assertEqual((self.ann.texts(), self.bob.texts()), (["3"], ["3"]))

    def test_a_response_comes_before_any_push(self) -> None:
        """Somebody writes while the login is under way: RESPONSE first, whatever comes."""
        self.bob.lose()
        self.server.store.eager = False
        late = self.server.client()
        late.send(encode(LOGIN, "bob"))
        for number in range(6):
            self.ann.say("ann", "Bob", str(number))
            self.server.store.release()
        late_got = late.got()
        self.assertEqual(late_got[0], Response(""))
        pushed = [message.text for message in late_got[1:] if isinstance(message, Send)]
        self.server.store.eager = True
        late.send(encode(DELIVER))
        waiting = late.texts()
        self.assertEqual(sorted(pushed + waiting), [str(number) for number in range(6)])
        self.assertEqual((pushed, waiting), (sorted(pushed), sorted(waiting)))
        self.assertEqual(
            {message.recipient for message in late_got[1:] if isinstance(message, Send)}, {"bob"}
        )

    def test_mail_before_what_comes_meanwhile(self) -> None:
        """DELIVER gives the old mail oldest first; what is said meanwhile comes after it; nothing
        again."""
        self.bob.lose()
        self.ann.say("ann", "Bob", *[f"old {n}" for n in range(600)])
        bob = self.server.login("Bob")
        self.ann.say("ann", "Bob", "live")
        self.assertEqual(bob.texts(), ["live"])
        self.server.store.eager = False
        bob.send(encode(DELIVER))
        self.ann.say("ann", "Bob", "new")
        for _ in range(20):
            self.server.store.release()
        self.assertEqual(bob.texts(), [*[f"old {n}" for n in range(600)], "new"])
        bob.send(encode(DELIVER), encode(LIST, "none"))
        for _ in range(5):
            self.server.store.release()
        self.assertEqual(bob.texts(), ["ListResponse"])

    def test_later_commands_wait_until_fetched_mail_is_recorded(self) -> None:
        """Whoever has an answer to a later command does not get the mail again, even after a
        crash."""
        self.bob.lose()
        self.ann.say("ann", "Bob", "old")
        bob = self.server.login("Bob")
        self.server.store.eager = False
        bob.send(encode(DELIVER), encode(LIST, "B*"))
        for _ in range(20):
            self.server.store.release()
            texts = bob.texts()
            if "Bob" in texts:
                break
        cursor = self.server.store._documents["cursor"]["@bob"]
        self.assertEqual(cursor.body, b"\x92\x01\x90")

    def test_two_logins_at_once(self) -> None:
        """The first one wins."""
        self.bob.lose()
        one, two = self.server.client(), self.server.client()
        self.server.store.eager = False
        one.send(encode(LOGIN, "Bob"))
        two.send(encode(LOGIN, "BOB"))
        for _ in range(6):
            self.server.store.release()
        self.assertEqual(
            (one.got(), two.got()), ([Response("")], [Response("user is already logged in")])
        )

    def test_gone_during_the_login(self) -> None:
        """Who does not wait for the answer is not left logged in."""
        self.bob.lose()
        one = self.server.client()
        self.server.store.eager = False
        one.send(encode(LOGIN, "Bob"))
        one.lose()
        for _ in range(6):
            self.server.store.release()
        self.server.store.eager = True
        self.server.login("Bob")

    def test_change_of_account(self) -> None:
        """CREATE or LOGIN as another: the former account is offline at once, and its mail waits."""
        self.bob.become("cyd")
        self.ann.say("ann", "Bob", "for Bob")
        self.ann.say("ann", "cyd", "for cyd")
        self.assertEqual(self.bob.texts(), ["for cyd"])
        self.bob.become("Bob", LOGIN)
        self.bob.send(encode(DELIVER))
        self.assertEqual(self.bob.texts(), ["for Bob"])
        self.bob.send(encode(LOGIN, "ann"))
        self.assertEqual(self.bob.texts(), ["user is already logged in"])
        self.ann.say("ann", "Bob", "still Bob")
        self.assertEqual(self.bob.texts(), ["still Bob"])

    def test_delete(self) -> None:
        """No answer; the connection goes on, logged out; the name is free and its mailbox empty."""
        self.ann.say("ann", "ann", "old")
        self.ann.got()
        self.ann.send(encode(DELETE), encode(DELIVER), encode(LIST))
        self.assertEqual(
            self.ann.texts(),
            ["attempting to deliver undelivered messages before logging in", "Bob"],
        )
        self.ann.become("ANN")
        self.ann.send(encode(DELIVER), encode(LIST))
        self.assertEqual(self.ann.texts(), ["Bob,ANN"])

    def test_before_logging_in(self) -> None:
        """What needs an account says so."""
        stranger = self.server.client()
        stranger.send(encode_send("x", "Bob", "hi"), encode(DELIVER), encode(DELETE), encode(LIST))
        self.assertEqual(
            stranger.texts(),
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
        stranger = self.server.client()
        for name, sentence in (
            ("ANN", "username already exists"),
            ("", "Empty string is not a valid username."),
            ("a b", "Illegal username character"),
            ("x" * 33, "username has 33 characters, the limit is 32"),
            ("server", "the username server is reserved"),
        ):
            stranger.send(encode(CREATE, name))
            (text,) = stranger.texts()
            self.assertTrue(text.startswith(sentence), text)
        stranger.send(encode(CREATE, "a", "b", "c"))
        self.assertEqual(stranger.texts(), ["illegal character sequence ||| in username"])

    def test_passwords(self) -> None:
        """An account with a password is nobody's without it; an open one is anybody's."""
        self.server.client().become("eve", CREATE, "s3cret").lose()
        eve = self.server.client()
        eve.send(encode(LOGIN, "eve"), encode(LOGIN, "eve", "wrong"), encode(LOGIN, "nobody", "x"))
        self.assertEqual(
            eve.texts(),
            ["password required: this account has one", "wrong password", "wrong password"],
        )
        eve.become("eve", LOGIN, "s3cret")

    def test_commands_wait_for_a_hash(self) -> None:
        """While a password is checked, nothing else of this connection is done, and it is not read
        from."""
        self.server.client().become("eve", CREATE, "s3cret").lose()
        eve = self.server.client()
        self.server.passwords.waiting = Deferred()
        eve.send(encode(LOGIN, "eve", "s3cret"), encode(LIST, "e*"))
        self.assertEqual((eve.got(), eve.transport.producerState), ([], "paused"))
        self.server.passwords.waiting.callback(None)
        self.assertEqual(
            (eve.texts(), eve.transport.producerState), (["Response", "eve"], "producing")
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
        eve = self.server.client().become("eve", CREATE, "passw0rd")
        eve.say("eve", "Bob", "a-secret-text")
        eve.say("eve", "nobody", "a-secret-text")
        eve.say("ann", "Bob", "a-secret-text")
        eve.send(encode(CREATE, "Bob", "passw0rd"))
        eve.lose()
        told = "\n".join(events)
        self.assertIn("Client (192.0.2.7, 3) connected  [ eve ]", told)
        self.assertIn("Client (192.0.2.7, 3) is offline  [ eve ]", told)
        self.assertIn("refused: unknown-account  [ eve ]", told)
        self.assertNotIn("a-secret-text", told)
        self.assertNotIn("passw0rd", told)
