"""The codec of the admin socket: one JSON object a line, in both directions.

A request has a `command`, which is the tag of one of the classes below, and the fields of that
class. Requests are carried out and answered in order: ``{"ok": true, ...}`` with the fields that
the request's class names, or ``{"ok": false, "code": ..., "sentence": ...}``. Times are
milliseconds since 1970 (UTC).

A listing comes in pages: about `limit` items at most, from the first after `after` on. The answer
has `items`, `more` (whether another page may follow) and `last`, the `after` of the next page.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta

from chatd.core.errors import BadRequest

MAX_LINE = 16_384
"""the most bytes of a line that is sent to the daemon"""

PageSize = Annotated[int, Meta(ge=1, le=1000)]


class Request(msgspec.Struct, tag_field="command", forbid_unknown_fields=True):
    """The base class of all requests."""


class ListAccounts(Request, tag="users"):
    """Accounts whose names match a glob, or the suspended ones of these. Items: `name`, `created`,
    `open` (it has no password), `sessions` (their number), `seen` (when it was last online; 0:
    unknown), `suspended` (null, or `since`, `until`, `reason`)."""

    pattern: str = "*"
    after: str = ""
    limit: PageSize = 100
    suspended: bool = False


class ListSessions(Request, tag="sessions"):
    """The sessions of an account, or of all accounts. Items: `name`, `since`, `about` (protocol and
    address). A page has all sessions of an account or none."""

    name: str = ""
    after: str = ""
    limit: PageSize = 100


class EndSessions(Request, tag="end-sessions"):
    """End all sessions of an account; `sentence` is the reason that they are given. Answer:
    `sessions`, the number of sessions that were ended."""

    name: str
    sentence: str = ""


class SetPassword(Request, tag="reset-password"):
    """Give an account another password, or none (null): then it is open. Its sessions are ended.
    Answer: `name`."""

    name: str
    password: str | None


class SetCertificates(Request, tag="set-certificates"):
    """Let these TLS certificates, and no others, log in to an account. They are given by their
    SHA-256 fingerprints in hexadecimal digits. Answer: `name`."""

    name: str
    fingerprints: list[str]


class DeleteAccount(Request, tag="delete"):
    """Delete an account with its mailbox. Answer: `name`."""

    name: str


class ListRooms(Request, tag="rooms"):
    """Rooms, private ones as well, whose names match a glob. Items: `room`, `created`, `topic`,
    `private`, `owner`, `members` (their number)."""

    pattern: str = "*"
    after: str = ""
    limit: PageSize = 100


class DeleteRoom(Request, tag="delete-room"):
    """Delete a room with its history. Unless it is deleted `now`, it can be restored for a time;
    `now` also removes what is left of deleted rooms of its name. Answer: `room`."""

    room: str
    now: bool = False


class ListReports(Request, tag="reports"):
    """Reports of users, or the open ones of them, oldest first. Items: `seq`, `time`, `sender`,
    `body`, `closed` (when; 0: it is open), `note` (of the operator that closed it)."""

    after: Annotated[int, Meta(ge=0, lt=2**53)] = 0
    limit: PageSize = 100
    open: bool = False


class CreateInviteToken(Request, tag="invite"):
    """Create an invite token for `uses` accounts, valid for so many seconds (null: for ever).
    Answer: `token`, `key` (its hash), `expires` (or null)."""

    uses: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    seconds: Annotated[int, Meta(ge=1, le=10**10)] | None = None
    note: Annotated[str, Meta(max_length=500)] = ""


class ListInviteTokens(Request, tag="invites"):
    """All invite tokens. Answer: `items`, each with `key`, `created`, `expires` (or null), `uses`
    (those that are left), `note`."""


class RevokeInviteToken(Request, tag="revoke"):
    """Delete an invite token, given as the token or the beginning of its key. Answer: `key`."""

    invite: Annotated[str, Meta(min_length=1)]


class GetStatistics(Request, tag="stats"):
    """Statistics of the daemon. Answer: `version`, `started`, `accounts`, `rooms`, and objects of
    numbers by name: `counts`; `queues`, the lengths of queues; since the start, `refusals` by their
    codes, `quotas_met`, how often a bound was met, and `store`, the entries, batches and commits.
    """


class Backup(Request, tag="backup"):
    """Write a copy of the whole store, as of one moment, to a new file; the path is absolute.
    Answer: `path`."""

    path: Annotated[str, Meta(min_length=1)]


class SetLogLevel(Request, tag="log-level"):
    """Log lines of this level and above from now on; without a level, change nothing. Answer:
    `level`."""

    level: Literal["", "debug", "info", "warn", "error", "critical"] = ""


class SetRoomRole(Request, tag="room-role"):
    """Give a member of a room the role ``owner``, ``deputy``, ``moderator`` or ``member``. Answer:
    `room`, `name`, `role`."""

    room: str
    name: str
    role: str


class SetRoomTopic(Request, tag="room-topic"):
    """Set the topic of a room; empty: remove it. Answer: `room`."""

    room: str
    topic: str


class Suspend(Request, tag="suspend"):
    """Suspend an account for so many seconds (null: until `unsuspend`), and end its sessions.
    Answer: `name`, `until` (or null), `sessions`, the number of sessions that were ended."""

    name: str
    seconds: Annotated[int, Meta(ge=1, le=10**10)] | None = None
    reason: Annotated[str, Meta(max_length=500)] = ""


class Unsuspend(Request, tag="unsuspend"):
    """End the suspension of an account. Answer: `name`."""

    name: str


class Announce(Request, tag="announce"):
    """Show a text to all sessions. Answer: `sessions`, their number."""

    text: Annotated[str, Meta(min_length=1, max_length=1000)]


class ListAudit(Request, tag="audit"):
    """What operators have done, oldest first. Items: `seq`, `time`, `user` (of the system),
    `command`, `arguments`, `result`, `refused` (a code; "": it was carried out)."""

    after: Annotated[int, Meta(ge=0, lt=2**53)] = 0
    limit: PageSize = 100


class CloseReport(Request, tag="close-report"):
    """Close a report, with a note for operators. Answer: `seq`."""

    seq: Annotated[int, Meta(ge=1, lt=2**53)]
    note: Annotated[str, Meta(max_length=500)] = ""


class BanAddress(Request, tag="ban"):
    """Ban an address or a network for so many seconds (null: until `unban`): its sessions are
    ended, its other connections closed, and new ones refused. With `force` the network may include
    this machine. Answer: `network`, `since`, `until` (or null), `reason`, and the numbers of
    `sessions` and of other `connections` that were ended."""

    network: str
    seconds: Annotated[int, Meta(ge=1, le=10**10)] | None = None
    reason: Annotated[str, Meta(max_length=500)] = ""
    force: bool = False


class UnbanAddress(Request, tag="unban"):
    """End the ban of an address or a network. Answer: `network`."""

    network: str


class ListAddressBans(Request, tag="bans"):
    """The addresses and networks that are banned. Answer: `items`, each with `network`, `since`,
    `until` (or null), `reason`."""


class DeleteAccounts(Request, tag="delete-accounts"):
    """Delete, of the next `limit` accounts whose names match a glob, those that were created more
    than `older` seconds ago and not seen for `idle` seconds; one of the two may be null. With
    `dry` nothing is deleted. Items: `name`, `created`, `seen`, `refused` (a code if the account
    was changed meanwhile)."""

    pattern: str
    older: Annotated[int, Meta(ge=0, le=10**10)] | None = None
    idle: Annotated[int, Meta(ge=0, le=10**10)] | None = None
    dry: bool = False
    after: str = ""
    limit: Annotated[int, Meta(ge=1, le=100)] = 50


class CreateAccessToken(Request, tag="create-token"):
    """Make an access token of an account, called `label`, valid for so many seconds (null: for
    ever). `scopes` are ``all``, ``send #room``, ``send name`` and ``read #room``. Answer: `name`
    of the account, `token`, `expires` (or null)."""

    name: str
    label: str
    scopes: list[str]
    seconds: Annotated[int, Meta(ge=1, le=10**10)] | None = None


class ListAccessTokens(Request, tag="tokens"):
    """The access tokens of an account. Answer: `items`, each with `label`, `scopes`,
    `created`, `expires` (or null), `used` (0: never), `sessions` (their number) and
    `by_operator`."""

    name: str


class RevokeAccessToken(Request, tag="revoke-token"):
    """End an access token of an account, and the sessions that it has opened. Answer: `name` of the
    account."""

    name: str
    label: str


class ExportAccount(Request, tag="export"):
    """Everything that is stored of an account. Items: objects, each with a `type`; a page has about
    `limit` of them, perhaps none. `after` is the `last` of the page before."""

    name: str
    after: str = ""
    limit: PageSize = 500


class ListDeletedRooms(Request, tag="deleted-rooms"):
    """Deleted rooms that can be restored, in the order of their deletion. Items: `room`, `id`,
    `deleted`, `by` (an account, or ``server`` for an operator), `until`, `private`, `owner`,
    `members` (their number)."""

    after: str = ""
    limit: PageSize = 100


class RestoreRoom(Request, tag="restore-room"):
    """Restore a deleted room with its history and its last members: the one with `id`, or the one
    of this name that was deleted last (""). `name` is its name from now on (empty: as before),
    `owner` an account that becomes its owner. Answer: `room`, `members` (their number)."""

    room: str
    id: Annotated[str, Meta(pattern="^[0-9]{0,19}$")] = ""
    name: str = ""
    owner: str = ""


class CreateInviteTokens(Request, tag="invite-names"):
    """Create an invite token for one account for each of these names, valid for so many seconds
    (null: for ever). Answer: `items`, each with `name` and `token`, `key`, `expires` (or null), or
    with `name` and `refused` (a code; for an account that exists, for example) and `sentence`."""

    names: Annotated[list[str], Meta(min_length=1, max_length=100)]
    seconds: Annotated[int, Meta(ge=1, le=10**10)] | None = None
    note: Annotated[str, Meta(max_length=400)] = ""


class EraseAccount(Request, tag="erase"):
    """Delete an account, and erase the texts that it has written to rooms and mailboxes: a step of
    that. Answer: `name`, `erased` (the number of texts until now), `more` (whether it is to be
    asked again, with `resume`). An erasure that was interrupted goes on."""

    name: str
    resume: bool = False


AnyRequest: TypeAlias = (
    ListAccounts
    | ListSessions
    | EndSessions
    | SetPassword
    | SetCertificates
    | DeleteAccount
    | ListRooms
    | DeleteRoom
    | ListReports
    | CreateInviteToken
    | ListInviteTokens
    | RevokeInviteToken
    | GetStatistics
    | Backup
    | SetLogLevel
    | SetRoomRole
    | SetRoomTopic
    | Suspend
    | Unsuspend
    | Announce
    | ListAudit
    | CloseReport
    | BanAddress
    | UnbanAddress
    | ListAddressBans
    | DeleteAccounts
    | CreateAccessToken
    | ListAccessTokens
    | RevokeAccessToken
    | ExportAccount
    | ListDeletedRooms
    | RestoreRoom
    | CreateInviteTokens
    | EraseAccount
)

Listing: TypeAlias = (
    ListAccounts
    | ListSessions
    | ListRooms
    | ListReports
    | ListAudit
    | DeleteAccounts
    | ExportAccount
    | ListDeletedRooms
)
"""requests that are answered by a page"""

_request_decoder: msgspec.json.Decoder[AnyRequest] = msgspec.json.Decoder(AnyRequest)
_answer_decoder = msgspec.json.Decoder(dict[str, Any])


def encode(message: Request | Mapping[str, object]) -> bytes:
    """A request or an answer as a line, with its end."""
    return msgspec.json.encode(message) + b"\n"


def command(request: Request) -> str:
    """The name of a request's command."""
    return str(request.__struct_config__.tag)


def decode_request(line: bytes) -> AnyRequest:
    """The request in a line. Raises `BadRequest`."""
    try:
        return _request_decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"not a request: {error}") from None


def decode_answer(line: bytes) -> dict[str, Any]:
    """The answer in a line. Raises `BadRequest`."""
    try:
        return _answer_decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"not an answer: {error}") from None
