"""`ChatService`: what each call does, its notices word for word, and its refusals."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from chatd.codecs import chat_pb2 as pb
from chatd.codecs import v1_messages as c
from chatd.core.errors import (
    IllegalName,
    InviteInvalid,
    InviteRequired,
    NameTaken,
    OpenAccountsForbidden,
    PasswordRequired,
    RegistrationClosed,
    StoreUnavailable,
    UnknownAccount,
    WrongPassword,
)
from chatd.protocols.grpc import service
from chatd.protocols.grpc.caller import Caller
from chatd.protocols.grpc.service import ChatService
from chatd.realm.accounts import Account
from chatd.realm.invite_tokens import make
from chatd.realm.permissions import Policy
from tests.doubles.grpc_calls import CallContext, ServiceCase


class Calls(ServiceCase):
    """Calls that succeed."""

    def test_notices_of_every_call(self) -> None:
        """The texts are matched word for word by clients of the former server."""
        self.create_account("mason")
        stream = self.open("mason")
        for pattern in ("ma.+", "x", "(a+)+$", "y" * 300):
            self.find("mason", pattern)
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

    def test_long_list_comes_in_several_notices(self) -> None:
        """Each is short enough for a stream that is not read; together they have all names."""
        self.patch(service, "LIST_PART", 9)
        for name in ("mason", "wayne", "x", "y"):
            self.create_account(name)
        self.find("mason", ".*")
        self.find("mason", "[xy]")
        self.assertEqual(
            self.read_texts("mason", self.open("mason"))[1:],
            [
                "Account matched: ann,mason",
                "Account matched: wayne,x,y",
                "Account matched: x,y",
            ],
        )

    def test_deleted_account_leaves_nothing_to_the_next_of_its_name(self) -> None:
        """The stream of the deleted account ends with the notice."""
        self.create_account("mason")
        stream = self.open("mason")
        self.ann.request(c.Send(0, "mason", "hi"))
        self.call(self.service.delete_account, pb.DeleteAccountRequest(client_id="mason"))
        self.assertEqual(
            self.read("mason", stream)[-2:],
            [("ann", "hi"), ("Server", "Your account has been deleted!")],
        )
        self.assert_refused(
            UnknownAccount, self.service.log_in, pb.LogOutRequest(client_id="mason")
        )
        self.assertEqual(self.ann.refusal_code(c.Send(0, "mason", "x")), "unknown-account")
        self.create_account("Mason")
        self.assertEqual(
            self.read("Mason", self.open("Mason")), [("Server", "Account Mason has been created!")]
        )

    def test_notices_of_a_former_account_are_not_for_one_registered_by_another_protocol(
        self,
    ) -> None:
        """Neither without a call before the stream nor after LogIn; the name's former user may
        have deleted the account by either protocol."""
        eve = CallContext("eve:secret")
        self.create_account("eve")
        self.find("eve", "a.+")
        self.call(self.service.delete_account, pb.DeleteAccountRequest(client_id="eve"))
        client = self.server.log_in("eve", password="secret")
        request = pb.ChatClient(recipient_id="eve")
        self.assertIsNone(self.call(self.service.open_stream, request, eve))
        self.call(self.service.wild_card, pb.WildCardRequest(client_id="eve", pattern="a"), eve)
        client.request(c.DeleteAccount(0, "secret"))
        self.server.log_in("eve", password="secret")
        self.call(self.service.log_in, pb.LogOutRequest(client_id="eve"), eve)
        self.assertEqual(
            self.read_texts("eve", self.open_with("eve", eve)),
            ["You have been successfully logged in!"],
        )

    def test_answer_for_an_account_deleted_meanwhile_is_not_for_the_next_of_its_name(self) -> None:
        """The name gets another owner while its accounts are listed."""
        self.create_account("mason")
        realm = self.server.realm
        names_like = realm.accounts.names_like

        async def with_new_owner(*arguments: Any) -> list[str]:
            names: list[str] = await names_like(*arguments)
            await realm.delete_account("mason")
            await realm.register("mason")
            return names

        self.patch(realm.accounts, "names_like", with_new_owner)
        self.find("mason", "a.+")
        self.log_in("mason")
        self.assertEqual(
            self.read_texts("mason", self.open("mason")), ["You have been successfully logged in!"]
        )

    def test_stream_whose_name_gets_another_owner_while_its_password_is_checked(self) -> None:
        """It has nothing of what waits for the former account."""
        eve = CallContext("eve:secret")
        self.call(self.service.create_account, pb.CreateAccountRequest(client_id="eve"), eve)
        self.call(self.service.log_out, pb.LogOutRequest(client_id="eve"), eve)
        realm, prove = self.server.realm, self.server.factory.prove

        async def by_the_next_owner(*credentials: Any) -> Account:
            if not replaced:
                replaced.append(True)
                await realm.delete_account("eve")
                await realm.register("eve", "secret")
            return await prove(*credentials)

        replaced: list[bool] = []
        self.patch(self.server.factory, "prove", by_the_next_owner)
        request = pb.ChatClient(recipient_id="eve")
        self.assertIsNone(self.call(self.service.open_stream, request, eve))
        self.assertTrue(replaced)

    def test_message_is_received_with_all_its_fields(self) -> None:
        """The thread id is kept as well if the recipient has a stream open."""
        self.create_account("mason")
        self.create_account("wayne")
        stream = self.open("wayne")
        self.read("wayne", stream)
        self.send("mason", "wayne", "é\n|||", 7)
        waiting = stream.next()
        assert waiting is not None
        message = waiting.message
        self.assertEqual(
            (message.sender_id, message.recipient_id, message.message, message.thread_id),
            ("mason", "wayne", "é\n|||", 7),
        )

    def test_thread_id_reaches_a_stream_at_another_port(self) -> None:
        """The services of all gRPC ports share the thread ids."""
        other = ChatService(self.server.factory, self.thread_ids)
        self.create_account("mason")
        self.create_account("wayne")
        stream = self.open("wayne")
        self.read("wayne", stream)
        self.log_out("mason")
        self.service = other
        self.send("mason", "wayne", "hi", 7)
        waiting = stream.next()
        assert waiting is not None
        self.assertEqual((waiting.message.message, waiting.message.thread_id), ("hi", 7))

    def test_sender_that_is_not_logged_in_is_logged_in(self) -> None:
        """For an open account the name is enough."""
        self.create_account("mason")
        self.log_out("mason")
        self.send("mason", "ann", "hi")
        self.assertEqual(self.ann.receive_entries(), [("@ann", "mason", "hi")])

    def test_finding_for_an_unknown_account_does_nothing(self) -> None:
        """The call is answered without an error."""
        self.find("nobody", ".*")

    def test_stream_that_waits_for_its_password_while_the_account_logs_out(self) -> None:
        """It gets the notices that wait, and ends; no session is left behind."""
        eve = CallContext("eve:secret")
        self.call(self.service.create_account, pb.CreateAccountRequest(client_id="eve"), eve)
        hold = self.server.passwords.hold = Deferred()
        request = pb.ChatClient(recipient_id="eve")
        opening = Deferred.fromCoroutine(self.service.open_stream(request, Caller(eve)))
        self.account("eve").log_out()
        hold.callback(None)
        self.server.passwords.hold = None
        stream = self.successResultOf(opening)
        assert stream is not None
        self.assertEqual(self.read_texts("eve", stream), ["Account eve has been created!"])
        self.successResultOf(stream.ready())
        self.assertFalse(self.server.realm.sessions.online("eve"))


class Refusals(ServiceCase):
    """Calls that are refused."""

    def test_unknown_taken_and_illegal_names_are_refused(self) -> None:
        """``Server``, the sender of notices, is not an account either."""
        self.create_account("mason")
        for method in (self.service.log_in, self.service.log_out):
            self.assert_refused(UnknownAccount, method, pb.LogOutRequest(client_id="x"))
        self.assert_refused(
            UnknownAccount, self.service.delete_account, pb.DeleteAccountRequest(client_id="x")
        )
        self.assert_refused(
            UnknownAccount,
            self.service.send_message,
            pb.ChatMessageRequest(sender_id="x", recipient_id="ann"),
        )
        for name in ("mason", "MASON", "ann"):
            self.assert_refused(
                NameTaken, self.service.create_account, pb.CreateAccountRequest(client_id=name)
            )
        for name in ("", "a b", "Server", "x" * 33):
            self.assert_refused(
                IllegalName, self.service.create_account, pb.CreateAccountRequest(client_id=name)
            )
        self.assert_refused(
            UnknownAccount,
            self.service.send_message,
            pb.ChatMessageRequest(sender_id="Server", recipient_id="ann"),
        )

    def test_account_with_a_password_needs_it_in_every_call(self) -> None:
        """A password of another account is wrong."""
        right, wrong = CallContext("eve:secret"), CallContext("eve:guess")
        self.call(self.service.create_account, pb.CreateAccountRequest(client_id="eve"), right)
        message = pb.ChatMessageRequest(sender_id="eve", recipient_id="ann", message="hi")
        for method, request in (
            (self.service.log_in, pb.LogOutRequest(client_id="eve")),
            (self.service.wild_card, pb.WildCardRequest(client_id="eve", pattern=".*")),
            (self.service.send_message, message),
            (self.service.log_out, pb.LogOutRequest(client_id="eve")),
            (self.service.delete_account, pb.DeleteAccountRequest(client_id="eve")),
        ):
            self.assert_refused(PasswordRequired, method, request)
            self.assert_refused(WrongPassword, method, request, CallContext("ann:secret"))
        self.assert_refused(
            WrongPassword, self.service.log_in, pb.LogOutRequest(client_id="eve"), wrong
        )
        self.call(self.service.send_message, message, right)
        self.assertEqual(self.ann.receive_entries(), [("@ann", "eve", "hi")])
        self.call(self.service.log_out, pb.LogOutRequest(client_id="eve"), right)
        self.assert_refused(PasswordRequired, self.service.send_message, message)
        self.call(self.service.delete_account, pb.DeleteAccountRequest(client_id="eve"), right)

    def test_next_owner_of_the_name_is_not_deleted(self) -> None:
        """The name gets another owner after the right to delete was proven."""
        self.create_account("mason")
        realm, prove = self.server.realm, self.server.factory.prove

        async def with_new_owner(*credentials: Any) -> Account:
            account = await prove(*credentials)
            await realm.delete_account("mason")
            await realm.register("mason")
            return account

        self.patch(self.server.factory, "prove", with_new_owner)
        self.assert_refused(
            UnknownAccount, self.service.delete_account, pb.DeleteAccountRequest(client_id="mason")
        )
        self.patch(self.server.factory, "prove", prove)
        self.log_in("mason")

    def test_old_password_does_not_send_by_a_session_of_the_new_one(self) -> None:
        """The password is changed, and its owner logs in, while a call proves the old one."""
        old, new = CallContext("eve:old"), CallContext("eve:new")
        self.call(self.service.create_account, pb.CreateAccountRequest(client_id="eve"), old)
        prove = self.server.factory.prove

        async def while_it_changes(*credentials: Any) -> Account:
            self.patch(self.server.factory, "prove", prove)
            account = await prove(*credentials)
            await self.server.realm.set_password("eve", "new")
            await self.service.log_in(pb.LogOutRequest(client_id="eve"), Caller(new))
            return account

        self.patch(self.server.factory, "prove", while_it_changes)
        message = pb.ChatMessageRequest(sender_id="eve", recipient_id="ann", message="hi")
        self.assert_refused(WrongPassword, self.service.send_message, message, old)
        self.call(self.service.send_message, message, new)
        self.assertEqual(self.ann.receive_entries(), [("@ann", "eve", "hi")])

    def test_open_accounts_are_refused_where_they_are_forbidden(self) -> None:
        """Every call for them is refused. Closed registration is refused, too."""
        self.create_account("mason")
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
            self.assert_refused(OpenAccountsForbidden, method, request)
        self.server.realm.policy = Policy("closed")
        self.assert_refused(
            RegistrationClosed,
            self.service.create_account,
            pb.CreateAccountRequest(client_id="new"),
        )

    def test_account_by_invitation_needs_a_token(self) -> None:
        """It is in the metadata of CreateAccount, and is used once."""
        self.server.realm.policy = Policy("invite")
        context, wrong = CallContext("eve:secret"), CallContext("eve:secret")
        token = self.successResultOf(
            Deferred.fromCoroutine(make(self.server.realm.documents, self.server.now))
        )
        context.metadata.append(("chatd-invite", token))
        wrong.metadata.append(("chatd-invite", "guess"))
        create, eve = self.service.create_account, pb.CreateAccountRequest(client_id="eve")
        self.assert_refused(InviteRequired, create, eve, CallContext("eve:secret"))
        self.assert_refused(InviteInvalid, create, eve, wrong)
        self.call(create, eve, context)
        mallory = CallContext("mallory:secret")
        mallory.metadata.append(("chatd-invite", token))
        self.assert_refused(
            InviteInvalid, create, pb.CreateAccountRequest(client_id="mallory"), mallory
        )

    def test_message_that_the_store_cannot_write_is_refused(self) -> None:
        """Without a notice that it has been sent."""
        self.create_account("mason")
        stream = self.open("mason")
        self.read("mason", stream)
        self.server.store.refusal = StoreUnavailable("the store cannot write at the moment: full")
        self.assert_refused(
            StoreUnavailable,
            self.service.send_message,
            pb.ChatMessageRequest(sender_id="mason", recipient_id="ann", message="hi"),
        )
        self.assertEqual(self.read("mason", stream), [])
        self.assertEqual((self.account("mason")._sent, self.thread_ids), ({}, {}))

    def test_message_that_the_store_fails_to_take_leaves_nothing_behind(self) -> None:
        """Neither its thread id nor what waits for its outcome."""
        self.create_account("mason")

        def fail() -> None:
            raise RuntimeError("the store has failed")

        self.patch(self.server.realm, "flush", fail)
        self.assert_refused(
            RuntimeError,
            self.service.send_message,
            pb.ChatMessageRequest(sender_id="mason", recipient_id="ann", message="hi"),
        )
        self.assertEqual((self.account("mason")._sent, self.thread_ids), ({}, {}))
