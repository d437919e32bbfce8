"""Which refusals a client of classic, ops, CHAT/1.0 or gRPC has to expect.

These protocols have sentences instead of codes. A sentence of `chatd.core.errors`, or one that the
protocol has for the same refusal, is judged as its code is judged for version 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chatd.core import errors
from tests.simulation.v1_refusals import account_may_be_changing

if TYPE_CHECKING:
    from tests.simulation.legacy import LegacyDevice

_OWN_SENTENCES = (
    ("already exists", "name-taken"),
    ("does not exist", "unknown-account"),
    ("doesn't exist", "unknown-account"),
    ("There is no account called", "unknown-account"),
    ("is not recognized", "not-open"),
    ("User not Found", "not-open"),
    ("User Not Found!", "not-open"),
    ("already logged in", "already-logged-in"),
    ("before logging in", "not-logged-in"),
    ("valid input", "not-logged-in"),
    ("check your mailbox", "mail-waits"),
    ("This account is suspended", "suspended"),
    ("have just been ended", "busy"),
    ("has just been changed", "busy"),
    ("too many attempts to log in", "too-many-attempts"),
    ("the store cannot write at the moment", "store-unavailable"),
    ("the store fails", "store-unavailable"),
    ("the store cannot be read", "store-unavailable"),
    ("the daemon stops", "store-unavailable"),
)
"""parts of the sentences of single protocols; ops says the same (``not-open``) of an account that
does not exist and of one with a password"""

_FREE_ATTEMPTS = 3
"""log-ins that need not wait, whatever the password"""


def _sentences() -> Iterator[tuple[str, str]]:
    for refusal in vars(errors).values():
        if isinstance(refusal, type) and issubclass(refusal, errors.Refused):
            yield " ".join((refusal.__doc__ or "").split()), refusal.code


_SENTENCES = (*_sentences(), *_OWN_SENTENCES)


def code_of(sentence: str) -> str:
    """The code of a refusal, empty if the sentence is none that is known."""
    return next((code for part, code in _SENTENCES if part in sentence), "")


@dataclass(frozen=True)
class Attempt:
    """What was refused: a command that was sent at a tick, with the password if it had one.
    `recipient` is the account that it concerns, if that is another than the own one; `rivals` are
    the clients of the same account that were connected."""

    command: str
    sent: int
    recipient: str = ""
    password: str | None = None
    rivals: frozenset[object] = frozenset()


def is_justified(device: LegacyDevice, attempt: Attempt, code: str) -> bool:
    """Whether a refusal may be right."""
    model, name, sent = device.model, device.name, attempt.sent
    now, policy = model.tick, model.policy
    password = model.password[name]
    match code:
        case "store-unavailable":
            return model.store_may_fail(sent)
        case "not-logged-in":
            return device.session_may_have_ended()
        case "unknown-account":
            log = "@" + (attempt.recipient or name)
            if not model.exists[log].surely(True, sent, now):
                return True
            # The account may have been deleted while the session was open.
            return bool(attempt.recipient) and device.session_may_have_ended()
        case "not-open":
            exists = model.exists["@" + name].surely(True, sent, now)
            return not (exists and password.surely(None, sent, now))
        case "name-taken":
            return not model.exists["@" + name].surely(False, sent, now)
        case "already-logged-in":
            return bool(attempt.rivals or device.rivals(sent))
        case "blocked":
            return not model.blocks[attempt.recipient, name].surely(False, sent, now)
        case "wrong-password" | "password-required":
            return not password.surely(attempt.password, sent, now)
        case "password-needed":
            return not policy.open_accounts
        case "registration-closed":
            return policy.registration == "closed"
        case "invite-required":
            return policy.registration == "invite"
        case "busy":
            return account_may_be_changing(device, sent)
        case "suspended":
            return name in model.suspended
        case "too-many-attempts":
            return model.doubtful_passwords[name] >= _FREE_ATTEMPTS
        case "mail-waits":
            return any(message.log == "@" + name for message in model.messages.values())
        case "unknown-room" | "not-a-member":
            # Of CHAT/1.0: the lobby was deleted, or its member removed, at the same moment.
            lobby = model.member["#lobby", name]
            return model.under_way(model.deletions["#lobby"], sent) or not lobby.surely(
                True, sent, now
            )
    return False
