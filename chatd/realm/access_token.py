"""What is stored of an access token (`chatd.realm.access_tokens`)."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from chatd.realm import changes
from chatd.realm.proof import Scope
from chatd.stores import DeleteScope

ALL, SEND, READ = "all", "send", "read"
"""the rights that a token can have"""


class Grant(msgspec.Struct, frozen=True, array_like=True):
    """One scope of a token: the right `ALL`, or `SEND` or `READ` in one log. `log` is its name in
    the store, `name` that of the room or account, as it was first written."""

    right: str
    log: str = ""
    name: str = ""

    @property
    def text(self) -> str:
        """The scope for people."""
        return f"{self.right} {self.name}".rstrip()


class AccessToken(msgspec.Struct, frozen=True, array_like=True):
    """What is stored of a token, under its hash, in the scope of the id of its account.

    `name` was chosen by its maker, an operator if `by_operator`. Times are milliseconds since 1970
    (UTC): when it was `created`, when it `expires` (None: never), and when it was last `used`, as
    far as that is saved (0: never).
    """

    document_kind: ClassVar[str] = "access-token"

    name: str
    grants: tuple[Grant, ...]
    created: int
    expires: int | None
    used: int = 0
    by_operator: bool = False

    @property
    def scope(self) -> Scope | None:
        """What the token permits; None: everything. A right that this version does not know
        permits nothing."""
        if any(grant.right == ALL for grant in self.grants):
            return None
        return Scope(
            frozenset(grant.log for grant in self.grants if grant.right == SEND),
            frozenset(grant.log for grant in self.grants if grant.right == READ),
            tuple(grant.text for grant in self.grants),
        )


def ending_all_access_tokens(account: int) -> DeleteScope:
    """Return the change that ends all access tokens of an account, given by its id."""
    return changes.delete_scope(AccessToken, str(account))
