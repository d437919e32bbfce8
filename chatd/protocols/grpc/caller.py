"""The client of one call: its address, and the password and invite token that were sent with it."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from chatd.core.addresses import LOCAL
from chatd.core.errors import WrongPassword
from chatd.server.rate_limit import TokenBucket

INVITE = "chatd-invite"
"""the key of the metadata with an invite token"""


class Caller:
    """The client of a call, as the call describes it. It is read at once: a call object must not be
    asked after the call was cancelled."""

    def __init__(self, context: Any) -> None:
        self.peer: str = context.peer()
        """as gRPC writes it: ``ipv4:127.0.0.1:5000``, ``ipv6:%5B::1%5D:5000`` or ``unix:``"""
        kind, _, rest = self.peer.partition(":")
        self.local = kind not in ("ipv4", "ipv6")
        """whether the client is connected to a unix socket: all these have the same `peer`"""
        host, _, port = unquote(rest).rpartition(":")
        self.address = LOCAL if self.local else host.strip("[]")
        """the address without the port"""
        self.address_and_port = f"({self.address}, {'' if self.local else port})"
        """address and port as the log shows them"""
        metadata = list(context.invocation_metadata() or ())
        self._authorization: list[str] = [
            value for key, value in metadata if key == "authorization"
        ]
        self.disconnected = False
        """whether the call was cancelled, or its connection is closed"""
        self.token_bucket: TokenBucket | None = None
        """the rate of its connection; None if there is no limit, or before it was counted"""
        self.has_session: Callable[[], None] = lambda: None
        """called when the call has a session of its own"""
        self.invite: str | None = next((value for key, value in metadata if key == INVITE), None)
        """the invite token, None if there is none"""

    def password(self, name: str) -> str | None:
        """The password given by Basic authentication (RFC 7617), None if there is none.

        Raises `WrongPassword` if it is malformed or for another account than `name`.
        """
        if not self._authorization:
            return None
        scheme, _, encoded = self._authorization[0].partition(" ")
        try:
            user, colon, password = b64decode(encoded, validate=True).decode().partition(":")
        except (NotBase64, UnicodeDecodeError):
            user = colon = password = ""
        if scheme.lower() != "basic" or not colon or user.lower() != name.lower():
            raise WrongPassword()
        return password
