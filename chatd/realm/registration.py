"""Invite tokens: with one, somebody may make an account where registration takes an invitation.

The store keeps a hash of a token, never the token: whoever reads the store, or a copy of it, cannot
use what is in it. A token has 128 random bits, so that the hash needs no salt and cannot be guessed
at.
"""

from __future__ import annotations

import secrets
from base64 import b32encode
from collections.abc import Callable
from hashlib import sha256

import msgspec

from chatd.core.errors import Busy, Conflict, InviteInvalid
from chatd.stores import Document, Store

INVITE = "invite"
"""the kind of document that holds an invite; its key is the hash of its token"""

_BYTES = 16
_ATTEMPTS = 16


class InviteToken(msgspec.Struct, frozen=True, array_like=True):
    """What is stored of a token: when it was made and when it expires (milliseconds since 1970,
    UTC; None: never), how many accounts may still be made with it, and what the operator wants to
    remember."""

    created: int
    expires: int | None
    uses: int
    note: str = ""


async def make(
    store: Store, now: int, uses: int = 1, expires: int | None = None, note: str = ""
) -> str:
    """A new token, stored. Times are milliseconds since 1970 (UTC)."""
    # Letters and the digits 2 to 7, in groups, can be read out on the telephone.
    letters = b32encode(secrets.token_bytes(_BYTES)).decode().rstrip("=").lower()
    token = "-".join(letters[at : at + 7] for at in range(0, len(letters), 7))
    await store.create(
        INVITE, hashed(token), msgspec.msgpack.encode(InviteToken(now, expires, uses, note))
    )
    return token


def hashed(token: str) -> str:
    """The key under which a token is stored: the same however its letters are grouped and
    written."""
    letters = "".join(char for char in token if char.isalnum()).lower()
    return sha256(letters.encode()).hexdigest()


async def redeem(store: Store, token: str, now: int) -> None:
    """Use a token once. Raises `InviteInvalid`."""

    def spent(invite: InviteToken | None) -> InviteToken:
        if (
            invite is None
            or invite.uses < 1
            or (invite.expires is not None and invite.expires <= now)
        ):
            raise InviteInvalid()
        return msgspec.structs.replace(invite, uses=invite.uses - 1)

    await _change(store, token, spent)


async def restore(store: Store, token: str) -> None:
    """Give back the use of a redeemed token, since no account has come of it. If it has been
    revoked meanwhile, it stays so."""

    def unspent(invite: InviteToken | None) -> InviteToken | None:
        return None if invite is None else msgspec.structs.replace(invite, uses=invite.uses + 1)

    await _change(store, token, unspent)


async def _change(
    store: Store, token: str, change: Callable[[InviteToken | None], InviteToken | None]
) -> None:
    """Replace what is stored of a token, unless `change` gives None; again, if somebody was
    quicker."""
    key = hashed(token)
    for _ in range(_ATTEMPTS):
        document = await store.get(INVITE, key)
        changed = change(None if document is None else _decoded(document))
        if document is None or changed is None:
            return
        try:
            await store.update(INVITE, key, document.version, msgspec.msgpack.encode(changed))
            return
        except Conflict:
            continue
    raise Busy()


async def listing(store: Store) -> list[tuple[str, InviteToken]]:
    """All there are, those used up and expired as well, with their keys, in order of creation."""
    found = []
    for key in await store.list(INVITE):
        document = await store.get(INVITE, key)
        if document is not None:
            found.append((key, _decoded(document)))
    return found


async def revoke(store: Store, token_or_key: str) -> str:
    """Forget an invite, told by its token or by the beginning of its key; its key. Raises
    `InviteInvalid` if there is none, or if several keys begin like that."""
    keys = await store.list(INVITE)
    whole = hashed(token_or_key)
    beginning = token_or_key.lower()
    matches = [key for key in keys if key == whole] or [
        key for key in keys if beginning and key.startswith(beginning)
    ]
    if len(matches) > 1:
        raise InviteInvalid(f"{len(matches)} invites begin with {token_or_key}; give more of it.")
    for key in matches:
        for _ in range(_ATTEMPTS):
            document = await store.get(INVITE, key)
            if document is None:
                break
            try:
                await store.delete(INVITE, key, document.version)
                return key
            except Conflict:
                continue
    raise InviteInvalid(f"There is no invite that begins with {token_or_key}.")


def _decoded(document: Document) -> InviteToken:
    return msgspec.msgpack.decode(document.body, type=InviteToken)
