"""`GrpcAccount`: what waits for the streams of an account, and what they have been written."""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail

from chatd.codecs import chat_pb2 as pb
from chatd.codecs import v1_messages as c
from chatd.core.errors import StoreUnavailable
from chatd.protocols.grpc.account import LOGOUT_ACK_DELAY
from chatd.protocols.grpc.notices import MAX_NOTICES
from chatd.protocols.grpc.stream import ACK_DELAY, MAX_WAITING, MAX_WAITING_BYTES
from chatd.stores import PAGE_BYTES
from tests.doubles.grpc_calls import CallContext, ServiceCase


class Notices(ServiceCase):
    """Notices of the server."""

    def test_notices_wait_for_a_stream_in_order(self) -> None:
        """After the log-out a stream gets them, and ends. Mail waits for the next log-in."""
        self.create_account("mason")
        self.find("mason", "mason")
        self.log_out("mason")
        self.ann.request(c.Send(0, "mason", "waits"))
        stream = self.open("mason")
        self.assertEqual(
            self.read_texts("mason", stream),
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

    def test_only_the_latest_notices_wait(self) -> None:
        """Older ones are dropped."""
        self.create_account("mason")
        for number in range(MAX_NOTICES + 5):
            self.find("mason", f"x{number}")
        texts = self.read_texts("mason", self.open("mason"))
        self.assertEqual(len(texts), MAX_NOTICES)
        self.assertIn(f"x{MAX_NOTICES + 4} ", texts[-1])

    def test_notices_of_a_stream_that_is_cancelled_wait_for_the_next(self) -> None:
        """Those that were written as long ago as a message that counts as read do not."""
        self.create_account("mason")
        stream = self.open("mason")
        self.read("mason", stream)
        self.server.clock.advance(ACK_DELAY)
        self.find("mason", "x")
        self.read("mason", stream)
        self.find("mason", "y")
        self.service.close_stream(stream)
        self.find("mason", "z")
        again = self.open("mason")
        self.assertEqual(
            self.read_texts("mason", again),
            [f"Account matched to: {pattern} doesn't exist" for pattern in "xyz"],
        )
        self.server.clock.advance(ACK_DELAY)
        self.service.close_stream(again)
        self.assertEqual(self.read("mason", self.open("mason")), [])

    def test_notice_that_one_stream_has_read_is_shown_by_the_others(self) -> None:
        """Also by one that is full."""
        self.create_account("mason")
        streams = [self.open("mason"), self.open("mason")]
        for number in range(2 * MAX_WAITING):
            self.find("mason", f"x{number}")
            self.read("mason", streams[0])
        self.server.clock.advance(ACK_DELAY + 1)
        self.assertEqual(len(self.read("mason", streams[1])), 2 * MAX_WAITING + 1)
        self.server.clock.advance(ACK_DELAY + 1)
        self.assertIsNone(self.account("mason").notices.after(0))

    def test_account_is_idle_when_nothing_is_lost_by_dropping_it(self) -> None:
        """An idle account has no session, no streams and no notices."""
        self.create_account("mason")
        account = self.account("mason")
        self.assertFalse(account.idle)
        self.log_out("mason")
        self.assertFalse(account.idle, "notices are waiting")
        stream = self.open("mason")
        self.read("mason", stream)
        self.assertTrue(account.idle)


class Streams(ServiceCase):
    """The streams of an account that is logged in."""

    def setUp(self) -> None:
        super().setUp()
        self.create_account("mason")

    def test_waiting_mail_precedes_notices_and_new_messages(self) -> None:
        """Waiting mail is sent oldest first."""
        self.log_out("mason")
        self.read("mason", self.open("mason"))
        for text in ("one", "two"):
            self.ann.request(c.Send(0, "mason", text))
        self.log_in("mason")
        stream = self.open("mason")
        self.ann.request(c.Send(0, "mason", "three"))
        self.assertEqual(
            self.read_texts("mason", stream),
            ["one", "two", "You have been successfully logged in!", "three"],
        )

    def test_every_stream_gets_everything(self) -> None:
        """All streams end with the log-out."""
        streams = [self.open("mason"), self.open("mason")]
        self.ann.request(c.Send(0, "mason", "hi"))
        self.log_out("mason")
        for stream in streams:
            self.assertEqual(
                self.read_texts("mason", stream)[-2:],
                ["hi", "You have been successfully logged out!"],
            )
            self.successResultOf(stream.ready())

    def test_stream_that_is_not_read_holds_up_no_other(self) -> None:
        """Nor when it ends."""
        unread, stream = self.open("mason"), self.open("mason")
        self.read("mason", stream)
        sent, shown = 0, []
        for _ in range(4):
            for _ in range(MAX_WAITING):
                sent += 1
                self.ann.send(c.Send(sent, "mason", str(sent)))
            shown += self.read_texts("mason", stream)
        self.assertEqual(shown, [str(number + 1) for number in range(sent)])
        self.assertLessEqual(len(unread._waiting), 2 * MAX_WAITING + 1)
        self.service.close_stream(unread)
        self.ann.send(c.Send(sent + 1, "mason", "last"))
        self.assertEqual(self.read_texts("mason", stream), ["last"])

    def test_session_of_the_account_ends_with_its_last_stream(self) -> None:
        """The next stream, or the next call, begins another one."""
        online = self.server.realm.sessions.online
        streams = [self.open("mason"), self.open("mason")]
        self.service.close_stream(streams[0])
        self.assertTrue(online("mason"))
        self.service.close_stream(streams[1])
        self.assertFalse(online("mason"))
        stream = self.open("mason")
        self.assertTrue(online("mason"))
        self.ann.request(c.Send(0, "mason", "hi"))
        self.assertIn("hi", self.read_texts("mason", stream))
        self.service.close_stream(stream)
        self.send("mason", "ann", "hello")
        self.assertTrue(online("mason"))

    def test_idle_account_does_not_hold_read_entries_in_memory(self) -> None:
        """The session by which it sends is at the end of the mailbox."""
        stream = self.open("mason")
        for number in range(2_000):
            self.ann.send(c.Send(number + 1, "mason", str(number)))
            self.read("mason", stream)
            self.server.clock.advance(1)
        session = self.account("mason").session
        assert session is not None
        self.assertGreaterEqual(session.mailbox.consumed, 2_000 - ACK_DELAY - 2)

    def test_messages_written_just_before_a_cancellation_are_shown_again(self) -> None:
        """Messages that were written earlier are acknowledged and not shown again."""
        account = self.account("mason")
        stream = self.open("mason")
        for text in ("one", "two", "three"):
            self.ann.request(c.Send(0, "mason", text))
        self.assertEqual(self.read_texts("mason", stream, 2)[1:], ["one"])
        self.server.clock.advance(ACK_DELAY)
        self.read("mason", stream, 1)
        self.server.clock.advance(ACK_DELAY - 0.1)
        account.close(stream)
        again = self.open("mason")
        self.assertEqual(self.read_texts("mason", again), ["two", "three"])
        self.server.clock.advance(ACK_DELAY)
        account.close(again)
        self.assertEqual(self.read("mason", self.open("mason")), [])

    def test_daemon_that_stood_still_waits_for_another_round(self) -> None:
        """It may not have noticed that the client has disappeared."""
        stream = self.open("mason")
        self.ann.request(c.Send(0, "mason", "hi"))
        self.read("mason", stream)
        self.server.clock.advance(ACK_DELAY + 10)
        self.assertEqual(self._acknowledged(), 0)
        self.server.clock.advance(ACK_DELAY)
        self.assertEqual(self._acknowledged(), 1)

    def test_sessions_of_streams_have_the_address_of_their_clients(self) -> None:
        """Operators list them."""
        self.open("mason")
        session = self.account("mason").session
        assert session is not None
        self.assertEqual(
            sorted(each.peer.about for each in session.mailbox.sessions),
            ["gRPC", "gRPC stream, from 192.0.2.7"],
        )

    def test_long_mail_that_is_not_read_waits_in_the_log(self) -> None:
        """Each of many streams takes little memory."""
        text = "x" * 60_000
        for number in range(40):
            self.ann.send(c.Send(number + 1, "mason", text))
        stream = self.open("mason")
        size = sum(waiting.message.ByteSize() for waiting in stream._waiting)
        self.assertLessEqual(size, MAX_WAITING_BYTES + PAGE_BYTES + len(text))
        texts = [shown for sender, shown in self.read("mason", stream) if sender == "ann"]
        self.assertEqual(texts, [text] * 40)

    def test_mail_without_a_stream_waits_in_the_log(self) -> None:
        """Neither it nor the mail that a slow client has not read takes memory."""
        for number in range(700):
            self.ann.send(c.Send(number + 1, "mason", str(number)))
        stream = self.open("mason")
        self.assertLessEqual(len(stream._waiting), MAX_WAITING * 2 + 1)
        texts = [text for sender, text in self.read("mason", stream) if sender == "ann"]
        self.assertEqual(texts, [str(number) for number in range(700)])

    def test_log_out_acknowledges_the_messages_written_some_seconds_before(self) -> None:
        """By the same connection only: others may be dead. What was written later, or was not
        written, is shown at the next log-in."""
        streams = [self.open("mason"), self.open("mason", "ipv4:192.0.2.8:5000")]
        for texts in (("one", "two"), ("three",)):
            self.server.clock.advance(LOGOUT_ACK_DELAY)
            for text in texts:
                self.ann.request(c.Send(0, "mason", text))
            for stream in streams:
                self.read("mason", stream)
        self.ann.request(c.Send(0, "mason", "four"))
        self.log_out("mason")
        for stream in streams:
            self.assertIn("four", self.read_texts("mason", stream))
        self.log_in("mason")
        stream = self.open("mason", "ipv4:192.0.2.8:5000")
        expected = ["three", "four", "You have been successfully logged in!"]
        self.assertEqual(self.read_texts("mason", stream), expected)
        self.server.clock.advance(LOGOUT_ACK_DELAY)
        self.log_out("mason")
        self.read("mason", stream)
        self.log_in("mason")
        self.assertEqual(self.read_texts("mason", self.open("mason")), expected)

    def test_log_out_at_a_unix_socket_acknowledges_nothing(self) -> None:
        """The connections to it cannot be told apart, and another one may be dead."""
        stream = self.open("mason", "unix:")
        self.ann.request(c.Send(0, "mason", "one"))
        self.read("mason", stream)
        self.server.clock.advance(LOGOUT_ACK_DELAY)
        request = pb.LogOutRequest(client_id="mason")
        self.call(self.service.log_out, request, CallContext(peer="unix:"))
        self.log_in("mason")
        self.assertIn("one", self.read_texts("mason", self.open("mason")))

    def _replace_account(self) -> None:
        """Delete the account by another protocol, register it again, and send it a message."""
        realm = self.server.realm
        self.successResultOf(Deferred.fromCoroutine(realm.delete_account("mason")))
        self.successResultOf(Deferred.fromCoroutine(realm.register("mason")))
        self.ann.request(c.Send(0, "mason", "new"))
        self.log_in("mason")

    def _acknowledged(self) -> int:
        """The seq up to which the mailbox of the account has been acknowledged."""
        session = self.account("mason").session
        assert session is not None
        return session.mailbox.state.cursor.upto

    def test_what_a_deleted_account_was_written_acknowledges_nothing_of_the_next(self) -> None:
        """The entries of the next owner of the name have the same seqs."""
        stream = self.open("mason")
        self.ann.request(c.Send(0, "mason", "old"))
        self.read("mason", stream)
        self._replace_account()
        self.server.clock.advance(2 * ACK_DELAY)
        self.assertEqual(self._acknowledged(), 0)
        self.assertIn("new", self.read_texts("mason", self.open("mason")))

    def test_what_a_deleted_account_is_still_written_acknowledges_nothing_of_the_next(self) -> None:
        """Its stream goes on with what was queued before."""
        stream = self.open("mason")
        self.ann.request(c.Send(0, "mason", "old"))
        self._replace_account()
        self.assertIn("old", self.read_texts("mason", stream))
        self.server.clock.advance(2 * ACK_DELAY)
        self.assertEqual(self._acknowledged(), 0)
        self.assertIn("new", self.read_texts("mason", self.open("mason")))

    def test_stream_of_a_session_ended_by_the_operator_gives_the_reason(self) -> None:
        """The stream ends after the reason."""
        stream = self.open("mason")
        session = self.account("mason").session
        assert session is not None
        self.server.realm.sessions.end(session.account, "kicked", "You are out.")
        self.assertEqual(self.read("mason", stream)[-1], ("Server", "You are out."))
        self.successResultOf(stream.ready())
        self.assertFalse(self.server.realm.sessions.online("mason"))

    def test_reading_mail_is_tried_again_when_the_store_has_failed(self) -> None:
        """The account waits for a second before it reads again."""
        self.ann.request(c.Send(0, "mason", "waits"))
        read = self.server.store.read
        unavailable = StoreUnavailable("the disk is full")
        self.patch(self.server.store, "read", lambda *_: fail(unavailable))
        stream = self.open("mason")
        self.assertEqual(self.read("mason", stream), [])
        self.patch(self.server.store, "read", read)
        self.server.clock.advance(0.9)
        self.assertEqual(self.read("mason", stream), [])
        self.server.clock.advance(0.2)
        self.assertEqual(
            self.read_texts("mason", stream), ["waits", "Account mason has been created!"]
        )

    def test_error_in_showing_mail_ends_the_stream(self) -> None:
        """The sender is answered, and the mail is shown by the other streams and the next one."""
        stream = self.open("mason")
        self.read("mason", stream)
        account = self.account("mason")
        self.patch(stream, "_shown", lambda *_: 1 // 0)
        other = self.open("mason")
        self.ann.request(c.Send(0, "mason", "hi"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.successResultOf(stream.ready())
        self.assertIn("hi", self.read_texts("mason", other))
        account.close(stream)
        account.close(other)
        self.assertIn("hi", self.read_texts("mason", self.open("mason")))

    def test_rooms_of_the_account_are_not_shown(self) -> None:
        """Rooms joined before the log-in or meanwhile by another session are not shown."""
        self.log_out("mason")
        other = self.server.log_in("mason", rooms=("#lobby",))
        self.log_in("mason")
        stream = self.open("mason")
        self.read("mason", stream)
        other.request(c.CreateRoom(0, "#den"))
        other.request(c.Send(0, "#den", "hi"))
        other.request(c.Send(0, "#lobby", "hi"))
        self.assertEqual(self.read("mason", stream), [])
