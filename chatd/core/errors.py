"""Errors: each refusal is a class with a stable code, for programs, and a sentence, for users.

`Refused` answers one request, and the session continues; `Fatal` ends the process or the connection
that it concerns. The docstring of a class is the sentence that a user reads, unless the code that
raises the error gives a more specific one.
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

    def __init__(self, sentence: str = "", quota: str = "") -> None:
        super().__init__(sentence)
        self.quota = quota
        """the name of the bound that is met (a field of `chatd.core.limits.Limits`), empty if it is
        refused for another reason"""


class Fatal(ChatdError):
    """chatd cannot continue."""

    code = "fatal"


class IllegalName(Refused):
    """A name consists of 1 to 32 letters, digits, dots, underscores or hyphens."""

    code = "illegal-name"


class NameTaken(Refused):
    """Username already exists; choose another one."""

    code = "name-taken"


class UnknownAccount(Refused):
    """There is no account with that name."""

    code = "unknown-account"


class Suspended(Refused):
    """This account is suspended."""

    code = "suspended"


class NotSuspended(Refused):
    """This account is not suspended."""

    code = "not-suspended"


class AlreadyLoggedIn(Refused):
    """The account is logged in elsewhere."""

    code = "already-logged-in"


class NotLoggedIn(Refused):
    """Log in first."""

    code = "not-logged-in"


class NotTheSender(Refused):
    """You can only send messages in your own name."""

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
    """Accounts without a password are not allowed here; choose a password, or ask the operator to
    set one."""

    code = "password-needed"


class RegistrationClosed(Refused):
    """New accounts cannot be registered here; ask the operator of this server for one."""

    code = "registration-closed"


class InviteRequired(Refused):
    """A new account requires an invite token; ask the operator of this server for one."""

    code = "invite-required"


class InviteInvalid(Refused):
    """This invite token is unknown, used or expired; ask the operator for another."""

    code = "invite-invalid"


class TextTooLong(Refused):
    """The text is longer than this server accepts."""

    code = "text-too-long"


class TopicTooLong(Refused):
    """The topic is longer than this server accepts."""

    code = "topic-too-long"


class PatternTooLong(Refused):
    """The search pattern is longer than this server accepts."""

    code = "pattern-too-long"


class CertificateUnusable(Fatal):
    """The TLS certificate cannot be used."""

    code = "certificate-unusable"


class FingerprintInvalid(Refused):
    """A certificate fingerprint is its SHA-256 digest: 64 hexadecimal digits."""

    code = "fingerprint-invalid"


class PatternInvalid(Refused):
    """This protocol does not support that search pattern."""

    code = "pattern-invalid"


class UnknownLog(Refused):
    """There is no such log, or you cannot read it."""

    code = "unknown-log"


class UnknownEntry(Refused):
    """There is no such entry, or you cannot read it."""

    code = "unknown-entry"


class NothingToAcknowledge(Refused):
    """The log has no such entry yet."""

    code = "nothing-to-acknowledge"


class TooManyGaps(Refused):
    """Your acknowledgements have too many gaps; acknowledge the older entries first."""

    code = "too-many-gaps"


class NotTheAuthor(Refused):
    """You can only edit or delete your own messages."""

    code = "not-the-author"


class AlreadyDeleted(Refused):
    """This message has been deleted."""

    code = "already-deleted"


class Blocked(Refused):
    """The recipient does not accept messages from you."""

    code = "blocked"


class OutOfScope(Refused):
    """The access token of this session does not permit that."""

    code = "out-of-scope"


class ScopeInvalid(Refused):
    """A scope of an access token is all, send #ROOM, send NAME or read #ROOM."""

    code = "scope-invalid"


class TokenTaken(Refused):
    """The account already has an access token with that name."""

    code = "token-taken"


class UnknownToken(Refused):
    """The account has no access token with that name."""

    code = "unknown-token"


class IllegalRoom(Refused):
    """A room name consists of # and 1 to 32 letters, digits, dots, underscores or hyphens."""

    code = "illegal-room"


class RoomTaken(Refused):
    """There is already a room with that name."""

    code = "room-taken"


class UnknownRoom(Refused):
    """There is no room with that name, or you need an invitation to it."""

    code = "unknown-room"


class NotAMember(Refused):
    """Only members of the room can do that; join it first."""

    code = "not-a-member"


class NotAllowed(Refused):
    """That requires a higher role in the room."""

    code = "not-allowed"


class Banned(Refused):
    """You are banned from this room."""

    code = "banned"


class Silenced(Refused):
    """You are silenced in this room."""

    code = "silenced"


class UnknownRestriction(Refused):
    """The room has no such ban, or no such silenced account."""

    code = "unknown-restriction"


class UnknownSetting(Refused):
    """Rooms have no such setting."""

    code = "unknown-setting"


class ReadOnly(Refused):
    """Only moderators can send to this room."""

    code = "read-only"


class SlowMode(Refused):
    """This room is in slow mode; wait before you send again."""

    code = "slow-mode"


class UnknownMember(Refused):
    """The room has no such member."""

    code = "unknown-member"


class UnknownRole(Refused):
    """A role is owner, moderator or member."""

    code = "unknown-role"


class MailboxFull(Refused):
    """The mailbox of the recipient is full."""

    code = "mailbox-full"


class RoomFull(Refused):
    """The room stores no more from you."""

    code = "room-full"


class LimitReached(Refused):
    """This server does not allow any more of these."""

    code = "limit-reached"


class ReportClosed(Refused):
    """This report is closed already."""

    code = "report-closed"


class BadRequest(Refused):
    """This is not a valid request."""

    code = "bad-request"


class Busy(Refused):
    """The server is too busy for this request; try again later."""

    code = "busy"


class StoreUnavailable(Refused):
    """The store is not available, so nothing was done; try again later."""

    code = "store-unavailable"


class BackupFailed(Refused):
    """The store could not be copied."""

    code = "backup-failed"


class AddressBanned(Refused):
    """An operator has banned your address."""

    code = "address-banned"


class NotBanned(Refused):
    """This address is not banned."""

    code = "not-banned"


class Exists(Refused):
    """A document of that kind and key already exists."""

    code = "exists"


class Conflict(Refused):
    """The document was changed or deleted since it was read."""

    code = "conflict"


class KeyReused(Refused):
    """You have already used this key for another message."""

    code = "key-reused"


class StoreUnusable(Fatal):
    """The store cannot be used."""

    code = "store-unusable"


class SocketUnusable(Fatal):
    """The socket cannot be used."""

    code = "socket-unusable"
