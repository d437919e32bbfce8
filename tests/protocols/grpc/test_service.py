"""The gRPC service without its network: what each call does, and what its streams say, in order."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import chat_pb2 as pb
from chatd.codecs import v1_messages as c
from chatd.core.errors import (
    IllegalName,
    NameTaken,
    OpenAccountsForbidden,
    PasswordRequired,
    RegistrationClosed,
    UnknownAccount,
    WrongPassword,
)
from chatd.protocols.grpc.account import ACK_DELAY, MAX_NOTICES
from chatd.protocols.grpc.caller import Caller
from chatd.protocols.grpc.service import ChatService
from chatd.protocols.grpc.stream import MAX_WAITING, Stream
from chatd.realm.permissions import Policy
from tests.doubles.v1_clients import MainPortServer


class Context:
    """That of a call, perhaps with a password."""

    def __init__(self, credentials: str = "") -> None:
        self.metadata = [("user-agent", "test")]
        if credentials:
            self.metadata.append(
                ("authorization", "Basic " + b64encode(credentials.encode()).decode())
            )

    def peer(self) -> str:
        """See grpc.ServicerContext."""
        return "ipv4:192.0.2.7:5000"

    def invocation_metadata(self) -> list[tuple[str, str]]:
        """See grpc.ServicerContext."""
        return self.metadata


class Calls(SynchronousTestCase):
    """A service, and `ann`, who speaks version 1."""

    def setUp(self) -> None:
        self.server = MainPortServer()
        self.service = ChatService(self.server.factory)
        self.ann = self.server.log_in("ann")

    def call(self, method: Any, request: Any, context: Context | None = None) -> Any:
        """What a call gives; raises what it raises."""
        return self.successResultOf(
            Deferred.fromCoroutine(method(request, Caller(context or Context())))
        )

    def refused(self, kind: Any, method: Any, request: Any, context: Context | None = None) -> None:
        """A call that is refused."""
        self.failureResultOf(
            Deferred.fromCoroutine(method(request, Caller(context or Context()))), kind
        )

    def create(self, name: str) -> None:
        """An account, logged in."""
        self.call(self.service.create_account, pb.CreateAccountRequest(client_id=name))

    def log_in(self, name: str) -> None:
        """Again."""
        self.call(self.service.log_in, pb.LogOutRequest(client_id=name))

    def log_out(self, name: str) -> None:
        """No more."""
        self.call(self.service.log_out, pb.LogOutRequest(client_id=name))

    def send(self, sender: str, recipient: str, text: str, thread_id: int = 1) -> None:
        """A message."""
        request = pb.ChatMessageRequest(
            sender_id=sender, recipient_id=recipient, message=text, thread_id=thread_id
        )
        self.assertEqual(self.call(self.service.send_message, request), pb.ChatMessageResponse())

    def open(self, name: str) -> Stream:
        """A stream."""
        return self.service._account(name).open()

    def read(self, name: str, stream: Stream, count: int = 10_000) -> list[tuple[str, str]]:
        """(sender, text) of what it has, taken as a call would that goes on."""
        found: list[tuple[str, str]] = []
        while len(found) < count and (got := stream.next()) is not None:
            self.service._account(name).entry_written(got[1])
            self.assertEqual(got[0].recipient_id, name)
            found.append((got[0].sender_id, got[0].message))
        return found


class Notices(Calls):
    """What the server says."""

    def test_each(self) -> None:
        """Word for word."""
        self.create("mason")
        stream = self.open("mason")
        for pattern in ("ma.+", "x", "(a+)+$", "y" * 300):
            self.call(
                self.service.wild_card, pb.WildCardRequest(client_id="mason", pattern=pattern)
            )
        self.send("mason", "ann", "hi")
        self.send("mason", "nobody", "hi")
        self.send("mason", "#lobby", "hi")
        self.log_in("mason")
        self.log_out("mason")
        self.assertEqual(
            self.read("mason", stream),
            [
                ("Server", text)
                for text in (
                    "Account mason has been created!",
                    "Account matched: mason",
                    "Account matched to: x doesn't exist",
                    "Account matched to: (a+)+$ doesn't exist",
                    f"Account matched to: {'y' * 300} doesn't exist",
                    "Your message has been sent!",
                    "Recipient is not found!",
                    "Recipient is not found!",
                    "You have been successfully logged in!",
                    "You have been successfully logged out!",
                )
            ],
        )
        self.successResultOf(stream.ready())
        self.assertIsNone(stream.next())

    def test_deleting(self) -> None:
        """The account is gone, the stream ends with the notice; nothing is left for the next of
        that name."""
        self.create("mason")
        stream = self.open("mason")
        self.ann.request(c.Send(0, "mason", "hi"))
        self.call(self.service.delete_account, pb.DeleteAccountRequest(client_id="mason"))
        self.assertEqual(
            self.read("mason", stream)[-2:],
            [("ann", "hi"), ("Server", "Your account has been deleted!")],
        )
        self.refused(UnknownAccount, self.service.log_in, pb.LogOutRequest(client_id="mason"))
        self.assertEqual(self.ann.refusal_code(c.Send(0, "mason", "x")), "unknown-account")
        self.create("Mason")
        self.assertEqual(
            self.read("Mason", self.open("Mason")), [("Server", "Account Mason has been created!")]
        )

    def test_they_wait(self) -> None:
        """For a stream, in order; after a logging out it has them, and ends."""
        self.create("mason")
        self.call(self.service.wild_card, pb.WildCardRequest(client_id="mason", pattern="mason"))
        self.log_out("mason")
        self.ann.request(c.Send(0, "mason", "waits"))
        stream = self.open("mason")
        self.assertEqual(
            [text for _, text in self.read("mason", stream)],
            [
                "Account mason has been created!",
                "Account matched: mason",
                "You have been successfully logged out!",
            ],
        )
        self.successResultOf(stream.ready())
        self.assertEqual(self.read("mason", self.open("mason")), [])
        self.log_in("mason")
        self.assertEqual(
            self.read("mason", self.open("mason")),
            [("ann", "waits"), ("Server", "You have been successfully logged in!")],
        )

    def test_they_are_bounded(self) -> None:
        """The latest are kept."""
        self.create("mason")
        for number in range(MAX_NOTICES + 5):
            self.call(
                self.service.wild_card, pb.WildCardRequest(client_id="mason", pattern=f"x{number}")
            )
        stream = self.open("mason")
        texts = self.read("mason", stream)
        self.assertEqual(len(texts), MAX_NOTICES)
        self.assertIn(f"x{MAX_NOTICES + 4} ", texts[-1][1])

    def test_a_client_that_nobody_knows(self) -> None:
        """Asks in vain, which is no error."""
        self.call(self.service.wild_card, pb.WildCardRequest(client_id="nobody", pattern=".*"))


class Streams(Calls):
    """Mail, and nothing lost of it."""

    def test_waiting_mail_first(self) -> None:
        """Oldest first, then the line that says so, then what comes."""
        self.create("mason")
        self.log_out("mason")
        self.open("mason")
        for text in ("one", "two"):
            self.ann.request(c.Send(0, "mason", text))
        self.log_in("mason")
        stream = self.open("mason")
        self.ann.request(c.Send(0, "mason", "three"))
        self.assertEqual(
            [text for _, text in self.read("mason", stream)],
            ["one", "two", "You have been successfully logged in!", "three"],
        )

    def test_as_sent(self) -> None:
        """All fields of a message."""
        self.create("mason")
        self.create("wayne")
        stream = self.open("wayne")
        self.read("wayne", stream)
        self.send("mason", "wayne", "é\n|||", 7)
        found = stream.next()
        assert found is not None
        self.assertEqual(
            (found[0].sender_id, found[0].recipient_id, found[0].message, found[0].thread_id),
            ("mason", "wayne", "é\n|||", 7),
        )

    def test_two_streams(self) -> None:
        """Both get everything, and both end."""
        self.create("mason")
        streams = [self.open("mason"), self.open("mason")]
        self.ann.request(c.Send(0, "mason", "hi"))
        self.log_out("mason")
        for stream in streams:
            self.assertEqual([text for _, text in self.read("mason", stream)][-2:][0], "hi")
            self.successResultOf(stream.ready())

    def test_a_stream_that_is_cancelled(self) -> None:
        """What was written a moment before comes again; what was read does not."""
        self.create("mason")
        account = self.service._account("mason")
        stream = self.open("mason")
        for text in ("one", "two", "three"):
            self.ann.request(c.Send(0, "mason", text))
        self.assertEqual([text for _, text in self.read("mason", stream, 2)][1:], ["one"])
        self.server.clock.advance(ACK_DELAY)
        self.read("mason", stream, 1)
        account.close(stream)
        again = self.open("mason")
        self.assertEqual([text for _, text in self.read("mason", again)], ["two", "three"])
        self.server.clock.advance(ACK_DELAY)
        account.close(again)
        self.assertEqual(self.read("mason", self.open("mason")), [])

    def test_without_a_stream(self) -> None:
        """Mail waits, in the log and not in memory."""
        self.create("mason")
        for number in range(700):
            self.ann.send(c.Send(number + 1, "mason", str(number)))
        stream = self.open("mason")
        self.assertLessEqual(len(stream._waiting), MAX_WAITING * 2 + 1)
        texts = [text for sender, text in self.read("mason", stream) if sender == "ann"]
        self.assertEqual(texts, [str(number) for number in range(700)])

    def test_logging_out_confirms(self) -> None:
        """Whoever says good-bye has read what came before."""
        self.create("mason")
        stream = self.open("mason")
        self.ann.request(c.Send(0, "mason", "hi"))
        self.read("mason", stream)
        self.log_out("mason")
        self.log_in("mason")
        self.assertEqual(
            [text for _, text in self.read("mason", self.open("mason"))],
            ["You have been successfully logged in!"],
        )

    def test_an_operator(self) -> None:
        """May end it: the stream says why, and ends."""
        self.create("mason")
        stream = self.open("mason")
        self.server.run(self.server.realm.sessions.end("mason", "kicked", "You are out."))
        self.assertEqual(self.read("mason", stream)[-1], ("Server", "You are out."))
        self.successResultOf(stream.ready())
        self.assertFalse(self.server.realm.sessions.online("mason"))

    def test_nobody_stays_for_ever(self) -> None:
        """Without a stream and without a call one is logged out after a while; nothing is lost."""
        self.create("mason")
        self.create("wayne")
        stream = self.open("wayne")
        self.server.clock.advance(700)
        self.service.remove_idle()
        self.assertFalse(self.server.realm.sessions.online("mason"))
        self.assertTrue(self.server.realm.sessions.online("wayne"))
        self.ann.request(c.Send(0, "wayne", "still"))
        self.assertEqual(self.read("wayne", stream)[-1], ("ann", "still"))


class Who(Calls):
    """Who is let in, and who is not."""

    def test_names(self) -> None:
        """Unknown, taken and illegal ones."""
        self.create("mason")
        for method in (self.service.log_in, self.service.log_out):
            self.refused(UnknownAccount, method, pb.LogOutRequest(client_id="x"))
        self.refused(
            UnknownAccount, self.service.delete_account, pb.DeleteAccountRequest(client_id="x")
        )
        self.refused(
            UnknownAccount,
            self.service.send_message,
            pb.ChatMessageRequest(sender_id="x", recipient_id="ann"),
        )
        for name in ("mason", "MASON", "ann"):
            self.refused(
                NameTaken, self.service.create_account, pb.CreateAccountRequest(client_id=name)
            )
        for name in ("", "a b", "Server", "x" * 33):
            self.refused(
                IllegalName, self.service.create_account, pb.CreateAccountRequest(client_id=name)
            )
        self.refused(
            UnknownAccount,
            self.service.send_message,
            pb.ChatMessageRequest(sender_id="Server", recipient_id="ann"),
        )

    def test_a_sender_who_is_not_logged_in(self) -> None:
        """Is believed as anyone would be who logs in to an open account."""
        self.create("mason")
        self.log_out("mason")
        self.send("mason", "ann", "hi")
        self.assertEqual(self.ann.receive_entries(), [("@ann", "mason", "hi")])

    def test_passwords(self) -> None:
        """Whoever has one must bring it, with every call."""
        right, wrong = Context("eve:secret"), Context("eve:guess")
        self.call(self.service.create_account, pb.CreateAccountRequest(client_id="eve"), right)
        letter = pb.ChatMessageRequest(sender_id="eve", recipient_id="ann", message="hi")
        for method, request in (
            (self.service.log_in, pb.LogOutRequest(client_id="eve")),
            (self.service.wild_card, pb.WildCardRequest(client_id="eve", pattern=".*")),
            (self.service.send_message, letter),
            (self.service.log_out, pb.LogOutRequest(client_id="eve")),
            (self.service.delete_account, pb.DeleteAccountRequest(client_id="eve")),
        ):
            self.refused(PasswordRequired, method, request)
            self.refused(WrongPassword, method, request, Context("ann:secret"))
        self.refused(WrongPassword, self.service.log_in, pb.LogOutRequest(client_id="eve"), wrong)
        self.call(self.service.send_message, letter, right)
        self.assertEqual(self.ann.receive_entries(), [("@ann", "eve", "hi")])
        self.call(self.service.log_out, pb.LogOutRequest(client_id="eve"), right)
        self.refused(PasswordRequired, self.service.send_message, letter)
        self.call(self.service.delete_account, pb.DeleteAccountRequest(client_id="eve"), right)

    def test_where_open_accounts_are_not_allowed(self) -> None:
        """Nobody is believed."""
        self.create("mason")
        self.server.realm.policy = Policy(open_accounts=False)
        for method, request in (
            (self.service.log_in, pb.LogOutRequest(client_id="mason")),
            (
                self.service.send_message,
                pb.ChatMessageRequest(sender_id="mason", recipient_id="ann"),
            ),
            (self.service.delete_account, pb.DeleteAccountRequest(client_id="mason")),
            (self.service.create_account, pb.CreateAccountRequest(client_id="new")),
        ):
            self.refused(OpenAccountsForbidden, method, request)
        self.server.realm.policy = Policy("closed")
        self.refused(
            RegistrationClosed,
            self.service.create_account,
            pb.CreateAccountRequest(client_id="new"),
        )
