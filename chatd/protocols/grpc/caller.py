"""The client of one call: its address, and the password that came with the call."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as NotBase64
from typing import Any

from chatd.core.errors import WrongPassword


class Caller:
    """What a call tells of its client. It is read at once: a call object must not be asked after
    the call was cancelled."""

    def __init__(self, context: Any) -> None:
        self.peer: str = context.peer()
        """as gRPC writes it: ``ipv4:127.0.0.1:5000``, ``ipv6:[::1]:5000`` or ``unix:``"""
        kind, _, rest = self.peer.partition(":")
        self.address = rest.rpartition(":")[0].strip("[]") if kind in ("ipv4", "ipv6") else "local"
        """the address without the port"""
        self._authorization: list[str] = [
            value for key, value in context.invocation_metadata() or () if key == "authorization"
        ]

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
