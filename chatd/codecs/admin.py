"""The language of the admin socket: one JSON object a line, both ways.

A request has a `command`, the name of one of the classes below in lower case with hyphens, and its
fields. Requests are carried out and answered in order: ``{"ok": true, ...}`` with the fields named
with the request, or ``{"ok": false, "code": ..., "sentence": ...}``. Times are milliseconds since
1970 (UTC).

Listings come in pages: `limit` items at most, about, from the first after `after` on. The answer
has `items`, `more`, and `last`, which is the `after` to ask on with.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta

from chatd.core.errors import BadRequest

LINE = 16_384
"""bytes that a line may have which is sent to the daemon"""

Count = Annotated[int, Meta(ge=1, le=1000)]


def _tag(name: str) -> str:
    return "".join(f"-{char.lower()}" if char.isupper() else char for char in name).lstrip("-")


class Request(msgspec.Struct, tag_field="command", tag=_tag, forbid_unknown_fields=True):
    """What all requests are."""


class Users(Request):
    """Accounts whose names match a glob. Items: `name`, `created`, `open` (it has no password),
    `sessions` (how many), `seen` (when it last was; 0: not known)."""

    pattern: str = "*"
    after: str = ""
    limit: Count = 100


class Sessions(Request):
    """Those of one account, or all. Items: `name`, `since`, `about` (protocol and address). A page
    has all sessions of an account or none."""

    name: str = ""
    after: str = ""
    limit: Count = 100


class Kick(Request):
    """End all sessions of an account; `sentence` is told to them. Answer: `sessions`, how many they
    were."""

    name: str
    sentence: str = ""


class ResetPassword(Request):
    """Give an account another password, or none (null): then it is open. Its sessions are ended.
    Answer: `name`."""

    name: str
    password: str | None


class SetCertificates(Request):
    """Let certificates log in to an account by TLS, by their SHA-256 fingerprints in hexadecimal
    digits, and no others. Answer: `name`."""

    name: str
    fingerprints: list[str]


class Delete(Request):
    """Delete an account with its inbox. Answer: `name`."""

    name: str


class Rooms(Request):
    """Rooms, private ones as well, whose names match a glob. Items: `room`, `created`, `topic`,
    `private`, `owner`, `members` (how many)."""

    pattern: str = "*"
    after: str = ""
    limit: Count = 100


class DeleteRoom(Request):
    """Delete a room with its history. Answer: `room`."""

    room: str


class Reports(Request):
    """What users have told the operators, oldest first. Items: `seq`, `time`, `sender`, `body`."""

    after: Annotated[int, Meta(ge=0, lt=2**53)] = 0
    limit: Count = 100


class Invite(Request):
    """Make an invite token, good for so many accounts, for so many seconds (null: for ever).
    Answer: `token`, `key` (its hash), `expires` (or null)."""

    uses: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    seconds: Annotated[int, Meta(ge=1, le=10**10)] | None = None
    note: Annotated[str, Meta(max_length=500)] = ""


class Invites(Request):
    """All invites. Items: `key`, `created`, `expires` (or null), `uses` (that are left), `note`."""


class Revoke(Request):
    """Forget an invite, named by its token or the beginning of its key. Answer: `key`."""

    invite: Annotated[str, Meta(min_length=1)]


class Stats(Request):
    """What there is. Answer: `version`, `started`, `accounts`, `rooms`, and `counts`, numbers by
    name."""


class Backup(Request):
    """Write a copy of the whole store, as of one moment, to a file that is not there yet; its path
    is absolute. Answer: `path`."""

    path: Annotated[str, Meta(min_length=1)]


AnyRequest: TypeAlias = (
    Users
    | Sessions
    | Kick
    | ResetPassword
    | SetCertificates
    | Delete
    | Rooms
    | DeleteRoom
    | Reports
    | Invite
    | Invites
    | Revoke
    | Stats
    | Backup
)

_requests: msgspec.json.Decoder[AnyRequest] = msgspec.json.Decoder(AnyRequest)
_answers = msgspec.json.Decoder(dict[str, Any])


def encode(message: Request | dict[str, Any]) -> bytes:
    """A request or an answer as a line, with its end."""
    return msgspec.json.encode(message) + b"\n"


def decode_request(line: bytes) -> AnyRequest:
    """The request in a line. Raises `BadRequest`."""
    try:
        return _requests.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"no request: {error}") from None


def decode_answer(line: bytes) -> dict[str, Any]:
    """The answer in a line. Raises `BadRequest`."""
    try:
        return _answers.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"no answer: {error}") from None
