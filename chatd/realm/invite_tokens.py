"""Invite tokens: with one, an account can be registered where registration is by invitation.

The store has the hash of a token and never the token, so a token cannot be used by reading the
store or a copy of it. A token has 128 random bits, so its hash needs no salt and cannot be reversed
by guessing.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from hashlib import sha256
from typing import ClassVar

import msgspec

from chatd.core.errors import InviteInvalid
from chatd.core.invite_tokens import BYTES, encoded
from chatd.realm import changes
from chatd.realm.documents import Documents
from chatd.stores import Update


class InviteToken(msgspec.Struct, frozen=True, array_like=True):
    """What is stored of a token, under its hash.

    `created` and `expires` are milliseconds since 1970 (UTC; None: never), `uses` is how many
    accounts may still be registered with it, `note` is the operator's.
    """

    document_kind: ClassVar[str] = "invite"

    created: int
    expires: int | None
    uses: int
    note: str = ""


async def make(
    documents: Documents,
    now: int,
    uses: int = 1,
    expires: int | None = None,
    note: str = "",
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> str:
    """Store a new token and return it. Times are milliseconds since 1970 (UTC)."""
    token = encoded(random_bytes(BYTES))
    await documents.write([changes.create(hashed(token), InviteToken(now, expires, uses, note))])
    return token


def hashed(token: str) -> str:
    """Return the key under which a token is stored.

    It does not depend on the case of the letters and on how they are grouped.
    """
    letters = "".join(char for char in token if char.isalnum()).lower()
    return sha256(letters.encode()).hexdigest()


async def redeeming(documents: Documents, token: str, now: int) -> Update:
    """Return the change that uses a token once; the account is registered by the same write.

    `now` is milliseconds since 1970 (UTC). Raises `InviteInvalid`.
    """
    stored = await documents.get(InviteToken, hashed(token))
    if (
        stored is None
        or stored.record.uses < 1
        or (stored.record.expires is not None and stored.record.expires <= now)
    ):
        raise InviteInvalid()
    return changes.update(
        stored, msgspec.structs.replace(stored.record, uses=stored.record.uses - 1)
    )


async def listing(documents: Documents) -> list[tuple[str, InviteToken]]:
    """Return all tokens with their keys, also those used up or expired, in order of creation."""
    tokens = []
    for key in await documents.list(InviteToken):
        stored = await documents.get(InviteToken, key)
        if stored is not None:
            tokens.append((key, stored.record))
    return tokens


async def revoke(documents: Documents, token_or_key: str) -> str:
    """Delete a token, given by itself or by the beginning of its key, and return its key.

    Raises `InviteInvalid` if there is no such token, or if several keys begin like that.
    """
    keys = await documents.list(InviteToken)
    whole = hashed(token_or_key)
    beginning = token_or_key.lower()
    matches = [key for key in keys if key == whole] or [
        key for key in keys if beginning and key.startswith(beginning)
    ]
    if len(matches) > 1:
        raise InviteInvalid(f"{len(matches)} invites begin with {token_or_key}; give more of it.")
    if not matches:
        raise InviteInvalid(f"There is no invite that begins with {token_or_key}.")
    await documents.write([changes.delete_any(InviteToken, matches[0])])
    return matches[0]
