"""Accounts: the one rule for names, the record the store keeps, and the name of an inbox."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from chatd.core.errors import FingerprintInvalid, IllegalName, LimitReached

ACCOUNT = "account"
"""the kind of document that holds an account; its key is the name"""

# Letters and digits of ASCII only: every protocol must be able to spell every name. One character
# class without alternatives, so matching is linear; `Server` speaks for the daemon itself.
_NAME = re.compile(r"[A-Za-z0-9._-]{1,32}")
_CERTIFICATES = 8
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_RESERVED = frozenset({"server"})


class Account(msgspec.Struct, frozen=True, array_like=True):
    """What is stored of an account beside its name: when it was made (milliseconds since 1970, UTC),
    the hash of its password in PHC string format, or None for an open account, and the SHA-256 fingerprints
    of certificates that log in to it, in hexadecimal digits."""

    created: int
    password: str | None = None
    certificates: tuple[str, ...] = ()


def check_word(word: str) -> bool:
    """Whether this has the letters and the length that a name may have."""
    return _NAME.fullmatch(word) is not None


def check_name(name: str) -> None:
    """Accept the name of an account, or raise `IllegalName` saying which rule it breaks."""
    if not name:
        raise IllegalName("Empty string is not a valid username.")
    if len(name) > 32:
        raise IllegalName(f"username has {len(name)} characters, the limit is 32")
    if _NAME.fullmatch(name) is None:
        wrong = next(char for char in name if _NAME.fullmatch(char) is None)
        raise IllegalName(f"Illegal username character: {wrong!r} (letters, digits and . _ - are legal)")
    if name.lower() in _RESERVED:
        raise IllegalName(f"the username {name} is reserved")


def fingerprints(texts: Sequence[str]) -> tuple[str, ...]:
    """The SHA-256 of certificates, with or without colons, as they are kept. Raises `FingerprintInvalid`,
    `LimitReached`."""
    if len(texts) > _CERTIFICATES:
        raise LimitReached(f"an account has at most {_CERTIFICATES} certificates")
    found = tuple(text.replace(":", "").lower() for text in texts)
    if not all(map(_FINGERPRINT.fullmatch, found)):
        raise FingerprintInvalid()
    return tuple(dict.fromkeys(found))


def inbox(name: str) -> str:
    """The name of the log that is this account's inbox; the same for every spelling of the name."""
    return "@" + name.lower()
