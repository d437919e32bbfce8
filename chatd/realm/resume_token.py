"""What is stored of a resume token (`chatd.realm.resume_tokens`)."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from chatd.realm import changes
from chatd.realm.proof import UNKNOWN
from chatd.stores import DeleteScope


class ResumeToken(msgspec.Struct, frozen=True, array_like=True):
    """What is stored of a token, under its hash, in the scope of the id of its account.

    `used` is when it was last used, as far as that is saved, in milliseconds since 1970 (UTC).
    `certificate` is that of `chatd.realm.proof.Proof`, of the session that the token was issued to.
    """

    document_kind: ClassVar[str] = "token"

    used: int
    certificate: str = UNKNOWN


def ending_all_resume_tokens(account: int) -> DeleteScope:
    """Return the change that ends all tokens of an account, given by its id."""
    return changes.delete_scope(ResumeToken, str(account))
