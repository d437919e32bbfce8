"""By what a session was opened: it ends when that can open the account no more."""

from __future__ import annotations

import msgspec

UNKNOWN = "?"
"""in place of a certificate: earlier versions of chatd did not store what a token was issued for"""


class Scope(msgspec.Struct, frozen=True):
    """What an access token permits, if that is not everything: sending to the logs in `send`, and
    reading those in `read`. Logs are named as in the store; `texts` are the scopes for people."""

    send: frozenset[str]
    read: frozenset[str]
    texts: tuple[str, ...]


class Proof(msgspec.Struct, frozen=True):
    """What a client has shown to open a session.

    `certificate` is the SHA-256 fingerprint of the client's certificate, if that is what counted,
    for the session or for the one that obtained its resume token; `UNKNOWN`; or empty: a password,
    or the name of an open account. `access_token` is the hash of the access token that was shown,
    empty if none was, `scope` what it permits, None for everything.
    """

    certificate: str = ""
    access_token: str = ""
    scope: Scope | None = None


BY_NAME_OR_PASSWORD = Proof()
"""what most sessions are opened by"""
