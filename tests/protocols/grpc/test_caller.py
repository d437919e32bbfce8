"""`Caller`: the address, the password and the invite token of the client of a call."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatd.core.errors import WrongPassword
from chatd.protocols.grpc.caller import Caller
from tests.doubles.grpc_calls import CallContext


class Addresses(SynchronousTestCase):
    """`Caller.address`, by which attempts to log in are throttled."""

    def test_address_has_no_port(self) -> None:
        """The address of a client of a unix socket is ``local``."""
        for peer, address in (
            ("ipv4:192.0.2.7:5000", "192.0.2.7"),
            ("ipv6:[2001:db8::7]:5000", "2001:db8::7"),
            ("ipv6:%5B2001:db8::7%5D:5000", "2001:db8::7"),
            ("ipv6:%5Bfe80::7%25eth0%5D:5000", "fe80::7%eth0"),
            ("unix:", "local"),
            ("unix:/run/chatd.sock", "local"),
        ):
            caller = Caller(CallContext(peer=peer))
            self.assertEqual(
                (caller.peer, caller.address, caller.local), (peer, address, address == "local")
            )


class InviteTokens(SynchronousTestCase):
    """`Caller.invite`."""

    def test_invite_token_is_that_of_the_metadata(self) -> None:
        """The first of several counts; a call without one has None."""
        context: Any = CallContext()
        self.assertIsNone(Caller(context).invite)
        context.metadata += [("chatd-invite", "first"), ("chatd-invite", "second")]
        self.assertEqual(Caller(context).invite, "first")


class BasicAuthentication(SynchronousTestCase):
    """`Caller.password` (RFC 7617)."""

    def caller(self, *authorization: str) -> Caller:
        """The caller of a call with these values of `authorization`."""
        context: Any = CallContext()
        context.metadata += [("authorization", value) for value in authorization]
        return Caller(context)

    def encoded(self, credentials: bytes) -> str:
        """Credentials in Base64."""
        return b64encode(credentials).decode()

    def test_call_without_metadata_has_no_password(self) -> None:
        """No password (None) differs from an empty one."""
        context: Any = CallContext()
        self.assertIsNone(Caller(context).password("eve"))
        context.metadata = None
        self.assertIsNone(Caller(context).password("eve"))
        self.assertEqual(Caller(CallContext("eve:")).password("eve"), "")

    def test_password_is_everything_after_the_first_colon(self) -> None:
        """It is read as UTF-8; case does not matter in the scheme and the name."""
        self.assertEqual(Caller(CallContext("EVE:s:é ")).password("eve"), "s:é ")
        caller = self.caller("bASIC " + self.encoded(b"eve:secret"))
        self.assertEqual(caller.password("Eve"), "secret")

    def test_first_of_several_values_counts(self) -> None:
        """Further values of `authorization` are ignored."""
        caller = self.caller(
            "Basic " + self.encoded(b"eve:first"), "Basic " + self.encoded(b"eve:second")
        )
        self.assertEqual(caller.password("eve"), "first")

    def test_malformed_values_are_refused_as_wrong_passwords(self) -> None:
        """A password for another account is refused, too."""
        for value in (
            "",
            "Basic",
            "Basic !!!",
            "Basic " + self.encoded(b"eve"),
            "Basic " + self.encoded(b"eve:\xff"),
            "Basic " + self.encoded(b"ann:secret"),
            "Bearer " + self.encoded(b"eve:secret"),
        ):
            self.assertRaises(WrongPassword, self.caller(value).password, "eve")
