"""Every way chatd says no, each a class with a stable code and a sentence for whoever reads it.

`Refused` answers one request and the session goes on; `Fatal` ends the process or the connection it
is about. A docstring is the sentence a person reads when the raiser gave none of its own.
"""

from __future__ import annotations

from typing import ClassVar


class ChatdError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "error"

    def __init__(self, sentence: str = "") -> None:
        super().__init__(sentence or " ".join((type(self).__doc__ or "").split()))


class Refused(ChatdError):
    """The request was refused."""

    code = "refused"


class Fatal(ChatdError):
    """chatd cannot go on."""

    code = "fatal"


class IllegalName(Refused):
    """A name has 1 to 32 letters, digits, dots, underscores or hyphens."""

    code = "illegal-name"


class NameTaken(Refused):
    """Username already exists; choose another one."""

    code = "name-taken"


class UnknownAccount(Refused):
    """There is no account of that name."""

    code = "unknown-account"


class AlreadyLoggedIn(Refused):
    """The account is logged in elsewhere."""

    code = "already-logged-in"


class NotLoggedIn(Refused):
    """Log in first."""

    code = "not-logged-in"


class NotTheSender(Refused):
    """A message can be sent in one's own name only."""

    code = "not-the-sender"


class PasswordRequired(Refused):
    """password required: this account has one"""

    code = "password-required"


class WrongPassword(Refused):
    """wrong password"""

    code = "wrong-password"


class PasswordTooLong(Refused):
    """A password has at most 1024 characters."""

    code = "password-too-long"


class OpenAccountsForbidden(Refused):
    """Accounts without a password are not allowed here: choose one, or ask the operator to set
    one."""

    code = "password-needed"


class RegistrationClosed(Refused):
    """New accounts cannot be made here; ask the operator of this server for one."""

    code = "registration-closed"


class InviteRequired(Refused):
    """A new account takes an invite token here; ask the operator of this server for one."""

    code = "invite-required"


class InviteInvalid(Refused):
    """This invite token is unknown, used up or expired; ask the operator of this server for
    another."""

    code = "invite-invalid"


class TextTooLong(Refused):
    """The text is longer than this daemon takes."""

    code = "text-too-long"


class TopicTooLong(Refused):
    """The topic is longer than this daemon takes."""

    code = "topic-too-long"


class PatternTooLong(Refused):
    """The search pattern is longer than this daemon takes."""

    code = "pattern-too-long"


class CertificateUnusable(Fatal):
    """The TLS certificate cannot be used."""

    code = "certificate-unusable"


class FingerprintInvalid(Refused):
    """The fingerprint of a certificate is its SHA-256: 64 hexadecimal digits."""

    code = "fingerprint-invalid"


class PatternInvalid(Refused):
    """The search pattern is not one that this protocol knows."""

    code = "pattern-invalid"


class UnknownLog(Refused):
    """There is no such log, or it is not yours to read."""

    code = "unknown-log"


class UnknownEntry(Refused):
    """There is no such entry, or it is not yours to read."""

    code = "unknown-entry"


class NothingToAcknowledge(Refused):
    """The log has no such entry yet."""

    code = "nothing-to-acknowledge"


class TooManyGaps(Refused):
    """Too many gaps in what has been acknowledged; acknowledge the older entries first."""

    code = "too-many-gaps"


class NotTheAuthor(Refused):
    """Only messages of one's own can be changed."""

    code = "not-the-author"


class Blocked(Refused):
    """The recipient takes no messages from you."""

    code = "blocked"


class IllegalRoom(Refused):
    """A room's name is a # and then 1 to 32 letters, digits, dots, underscores or hyphens."""

    code = "illegal-room"


class RoomTaken(Refused):
    """There is a room of that name already."""

    code = "room-taken"


class UnknownRoom(Refused):
    """There is no room of that name, or one has to be invited to it."""

    code = "unknown-room"


class NotAMember(Refused):
    """That takes a member of the room; join it first."""

    code = "not-a-member"


class NotAllowed(Refused):
    """That takes another role in the room."""

    code = "not-allowed"


class UnknownMember(Refused):
    """The room has no such member."""

    code = "unknown-member"


class UnknownRole(Refused):
    """A role is owner, moderator or member."""

    code = "unknown-role"


class LimitReached(Refused):
    """There are as many of these as this daemon allows."""

    code = "limit-reached"


class BadRequest(Refused):
    """This is no request."""

    code = "bad-request"


class Busy(Refused):
    """The daemon has too much of this to do at the moment; try again later."""

    code = "busy"


class StoreUnavailable(Refused):
    """The store fails at the moment, so nothing was done; try again later."""

    code = "store-unavailable"


class BackupFailed(Refused):
    """The store could not be copied."""

    code = "backup-failed"


class Exists(Refused):
    """A document of that kind and key exists already."""

    code = "exists"


class Conflict(Refused):
    """The document was changed by someone else since it was read, or is gone."""

    code = "conflict"


class KeyReused(Refused):
    """This sender has used this key for another text."""

    code = "key-reused"


class StoreUnusable(Fatal):
    """The store cannot be used."""

    code = "store-unusable"


class SocketUnusable(Fatal):
    """The socket cannot be used."""

    code = "socket-unusable"
