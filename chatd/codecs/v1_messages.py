"""The catalogue of version 1: every message, its command number, its fields, and who sends it.

Each class below is one message. Its data in a frame is a MessagePack array of its fields in the
order of the class; `command` is the number in the header of the frame (`chatd.codecs.v1`). Fields
that have defaults may be omitted from the end. A receiver ignores further elements after the last
field that it knows, so that later versions can add fields.

These rules hold for all messages:

- **Requests** are sent by the client and begin with `ref`, a number that the client chooses. Each
  has one answer, with the same `ref`: the one named with the request, or a `Refusal`. Requests are
  carried out and answered in the order in which they were sent, except that an `Accepted` may
  follow answers to later requests. A request with `ref` 0 that succeeds and would be answered by
  `Done` gets no answer.
- **Events** are sent by the server when something happens; they have no `ref`.
- A **log** is named as in the store: ``@alice``, in lower case, is the mailbox of Alice,
  ``#room`` a room.
- A **seq** counts the entries of one log: 1, 2, 3, ... without gaps. An **id** is unique among all
  logs of a server, and may be greater than 2**53. **Times** are milliseconds since 1970 (UTC).
- A **name** is that of an account, a **room** begins with ``#``. Both ignore case, and are
  displayed as they were first written.
- `Welcome` has the limits on lengths.

Specification, with the bytes of an example of each message: docs/protocols/v1.md.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

Ref = Annotated[int, Meta(ge=0, lt=2**53)]
Seq = Annotated[int, Meta(ge=0, lt=2**53)]
Id = Annotated[int, Meta(ge=0, lt=2**63)]
Time = Annotated[int, Meta(ge=0, lt=2**53)]
Name = Annotated[str, Meta(max_length=64)]
Key = Annotated[str, Meta(max_length=64)]
Short = Annotated[str, Meta(max_length=512)]
Seconds = Annotated[int, Meta(ge=0, le=10**9)]
Count = Annotated[int, Meta(ge=0, le=1000)]

FEATURES = frozenset({"receipts", "presence", "typing", "tokens"})
"""what a client can choose in `Hello`, to get `Receipt`, `Presence`, `Typing` or `Token` events"""


class Message(msgspec.Struct, array_like=True, gc=False):
    """The base class of all messages; `command` is the number in the header of the frame."""

    command: ClassVar[int]


# Parts of messages


class Position(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The position of a client in a log: it has acknowledged every entry up to `seq`.

    `since` is the time when the account or room of the log was created, from `LogState`. It
    tells the log from a later one of the same name.
    """

    log: Name
    since: Time
    seq: Seq


class Setting(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A setting of a room (`ConfigureRoom`), and its value."""

    name: str
    value: str


class RoomInfo(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A room, as the account that asked sees it.

    `since` is the time when it was created; `private` is whether joining needs an invitation;
    `owner` is empty if there is none; `members` is the number of members; `role` is the role of
    the account in the room: ``owner``, ``deputy``, ``moderator``, ``member``, ``invited`` (invited,
    but not a member yet), or empty; each of the first four may do what those after it may. A client
    must expect other roles. `history` is what a member can read: ``all``, or ``joined``, what was
    sent after it joined. `settings` has those of `ConfigureRoom`; one that is missing is
    as in a new room.
    """

    room: str
    since: int
    topic: str
    private: bool
    owner: str
    members: int
    role: str
    history: str = "all"
    settings: list[Setting] = []


class LogState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The state of a log that the session follows.

    `since` is the time when its account or room was created; `head` is its last seq. `upto` is
    the seq up to which the account has acknowledged every entry: later entries are pushed,
    except those acknowledged already. `read` is the seq up to which the account has marked it
    as read. `room` describes the room, and is nil for the mailbox.
    """

    log: str
    since: int
    head: int
    upto: int
    read: int
    room: RoomInfo | None = None


class Item(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An entry of a log; the fields are those of `Pushed`."""

    seq: int
    id: int
    time: int
    sender: str
    kind: str
    body: str
    about: int = 0


class Member(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A member of a room.

    `role` is ``owner``, ``deputy``, ``moderator``, ``member``, or ``invited`` (invited, but not a
    member yet).
    """

    name: str
    role: str


class Restriction(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A ban, or an account that is silenced in a room.

    `name` is the name of the account, or a pattern; `by` the name of the moderator. It was made at
    `time` and ends at `until`, 0 if it does not end.
    """

    name: str
    by: str
    time: int
    until: int
    reason: str


class Person(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The presence of an account.

    `status` is ``on``, ``away``, ``off``, or ``unknown``: there is no such account, or the
    account that asked may not see it. `text` is its away message. `seen` is the time when it
    was last online, 0 if that is unknown or hidden.
    """

    name: str
    status: str
    text: str = ""
    seen: int = 0


class ReceiptState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The state of the entry `seq`, which this account sent.

    `delivered` is whether one of the recipient's sessions has acknowledged it, `read` whether
    the recipient has marked it as read.
    """

    seq: int
    delivered: bool
    read: bool


class AccessTokenInfo(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An access token of the account.

    `name` and `scopes` are those of `CreateAccessToken`. `created` is when it was made, by an
    operator if `by_operator`; `expires` is when it ends (0: never), `used` when it was last used,
    to the hour (0: never), and `sessions` the number of its sessions.
    """

    name: str
    scopes: list[str]
    created: int
    expires: int
    used: int
    sessions: int
    by_operator: bool


class Limits(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The limits of the server.

    `text`: bytes of UTF-8 in a text. `topic`, `pattern`: characters in a topic and in a search
    pattern. `page`: entries of a log that are pushed at once. `rate`: requests per second of a
    connection, 0 if there is no limit; the server reads from a client over its rate more
    slowly. `frame`: bytes of data in a frame from the client.
    """

    text: int
    topic: int
    pattern: int
    page: int
    rate: float
    frame: int


# Requests: from the client


class Hello(Message):
    """Identify the client program and its version, and choose features.

    `features` are those of ``receipts``, ``presence``, ``typing`` and ``tokens`` whose events the
    client wants. Without `Hello` there are none; another `Hello` replaces them. Answer: `Welcome`.
    """

    command: ClassVar[int] = 1
    ref: Ref
    client: Short = ""
    version: Short = ""
    features: list[Short] = []


class Ping(Message):
    """Check that the peer is alive; both ends may send it at any time.

    The server sends it to a client that has been silent for `Welcome.idle` seconds, or up to
    twice as long, and closes the connection if the client remains silent for `Welcome.idle`
    seconds after it. Answer: `Pong` with the same `ref`.
    """

    command: ClassVar[int] = 2
    ref: Ref


class Register(Message):
    """Create an account. The session is not logged in by it.

    An account without a password is *open*: its name is enough to log in. `invite` is a token
    from the operator, needed if `Welcome.registration` is ``invite``. Answer: `Done`.
    """

    command: ClassVar[int] = 3
    ref: Ref
    name: Name
    password: str | None = None
    invite: Short | None = None


class LogIn(Message):
    """Log in to an account, which may have other sessions.

    `positions` are how far this client has come in each log: the entries after them are pushed.
    A log without a position, or with an invalid one (another `since`, or a seq greater than the
    last), is pushed from the first entry that the account has not acknowledged. Answer:
    `LoggedIn`; then the entries follow as `Pushed`, log by log.
    """

    command: ClassVar[int] = 4
    ref: Ref
    name: Name
    password: str | None = None
    positions: list[Position] = []


class Resume(Message):
    """Log in by a resume token (`Token`) or an access token (`CreateAccessToken`) of the account,
    in place of a password.

    `positions` as in `LogIn`. Unlike `LogIn` with a password it costs the server almost nothing. It
    is refused with ``wrong-password`` if the token has ended: log in again with `LogIn`. Answer:
    `LoggedIn`, as to `LogIn`.
    """

    command: ClassVar[int] = 40
    ref: Ref
    name: Name
    token: Short
    positions: list[Position] = []


class LogOut(Message):
    """End the session and, unless `keep_token`, its resume token; the connection stays open.

    Answer: `Done`, when everything that the session has acknowledged is stored.
    """

    command: ClassVar[int] = 5
    ref: Ref
    keep_token: bool = False


class ChangePassword(Message):
    """Set the password of the account, or remove it (`new` is nil: the account becomes open).

    `old` is needed if the account has a password. All other sessions of the account end. If it has
    none, the certificates of the account are removed, since any client could have added them.
    `new` nil is refused with ``password-needed`` if `Welcome.open_accounts` is false. Answer:
    `Done`. Access tokens stay, except those of an account that had no password.
    """

    command: ClassVar[int] = 6
    ref: Ref
    old: str | None
    new: str | None


class SetCertificates(Message):
    """Set the client certificates with which TLS connections can log in without the password.

    `fingerprints` are at most 8 SHA-256 fingerprints in hexadecimal digits; they replace those
    set before. `password` is needed if the account has one. The other sessions that a removed
    certificate has opened end, also those that were resumed by a token it has obtained. Answer:
    `Done`.
    """

    command: ClassVar[int] = 9
    ref: Ref
    fingerprints: list[str]
    password: str | None = None


class DeleteAccount(Message):
    """Delete the account with its mailbox, and leave its rooms.

    `password` is needed if the account has one. Answer: `Done`; then this session has ended,
    and the other sessions of the account get `Goodbye`.
    """

    command: ClassVar[int] = 7
    ref: Ref
    password: str | None = None


class FindAccounts(Message):
    """List the names of accounts that match a glob, in alphabetical order, after `after`.

    A glob has ``*``, ``?``, ``[a-d]`` and ``[!a]``, and is case-sensitive. Answer: `Names`.
    """

    command: ClassVar[int] = 8
    ref: Ref
    pattern: str = "*"
    after: Name = ""
    limit: Count = 100


class Send(Message):
    """Send a text to an account or, as a member, to a room.

    `key` is chosen by the sender and identifies the message for as long as it exists: sending
    it again with the same key stores nothing and gets the same answer; another text with the
    same key is refused (``key-reused``). Answer: `Accepted`.
    """

    command: ClassVar[int] = 10
    ref: Ref
    recipient: Name
    text: str
    key: Key | None = None

    sender: ClassVar[str | None] = None


class Ack(Message):
    """Acknowledge the entries `first` to `last` of `log`: they are not pushed again.

    `first` 0 stands for all entries up to `last`. `since` is that of the log's `LogState`: if it
    is given and the log is now another one of the same name, nothing is acknowledged, and the
    request is refused with ``unknown-log``. Answer: `Done`, when that is stored; none if `ref`
    is 0.
    """

    command: ClassVar[int] = 11
    ref: Ref
    log: Name
    last: Seq
    first: Seq = 0
    since: Time = 0


class MarkRead(Message):
    """Mark the entries of `log` up to `seq` as read by the user. Answer: `Done`."""

    command: ClassVar[int] = 12
    ref: Ref
    log: Name
    seq: Seq


class GetReceipts(Message):
    """Get the state of messages that this account sent to the mailbox `log`.

    `seqs` are at most 100, from `Accepted`. Seqs of entries that the account did not send, or
    that no longer exist, are omitted in the answer. Answer: `Receipts`.
    """

    command: ClassVar[int] = 13
    ref: Ref
    log: Name
    seqs: Annotated[list[Seq], Meta(max_length=100)]


class Edit(Message):
    """Replace the text of a message that this account sent.

    An entry of kind ``edit`` in the same log refers to the message. `key` as in `Send`. Answer:
    `Accepted`.
    """

    command: ClassVar[int] = 14
    ref: Ref
    log: Name
    seq: Seq
    text: str
    key: Key | None = None


class Retract(Message):
    """Delete a message that this account sent or, as a moderator, any message of the room.

    An entry of kind ``delete`` in the same log refers to the message; clients then show its text no
    more, and no later edit of it. The log keeps the text, and `History` has it. `key` as in
    `Send`. Answer: `Accepted`.
    """

    command: ClassVar[int] = 15
    ref: Ref
    log: Name
    seq: Seq
    key: Key | None = None


class React(Message):
    """Set a reaction to a message: a word or an emoji of at most 32 characters; empty: remove it.

    An entry of kind ``reaction`` refers to the message. It is appended to the log of the room,
    or to the mailbox of the other account of a private message: its sender if this account
    received it, otherwise its recipient. `key` as in `Send`. Answer: `Accepted`.
    """

    command: ClassVar[int] = 16
    ref: Ref
    log: Name
    seq: Seq
    reaction: Annotated[str, Meta(max_length=32)]
    key: Key | None = None


class History(Message):
    """Get entries of the own mailbox, or of a room of which the account is a member.

    They are the first ones after the seq `after` or, if `before` is greater than 0, the last
    ones before it; in both cases oldest first. Answer: `Page`.
    """

    command: ClassVar[int] = 17
    ref: Ref
    log: Name
    after: Seq = 0
    before: Seq = 0
    limit: Count = 100


class SayTyping(Message):
    """Notify an account or a room that the user is typing, or has stopped.

    The notification is not stored; clients with the feature ``typing`` get `Typing`. Answer:
    `Done`.
    """

    command: ClassVar[int] = 18
    ref: Ref
    recipient: Name
    typing: bool = True


class CreateRoom(Message):
    """Create a room, with this account as its owner.

    A private room can be joined by invitation only, and only its members and invited accounts
    find it; its name is taken nevertheless, so the refusal ``room-taken`` may concern a room that
    the account cannot see. `history` as in `SetHistory`; empty: ``joined`` for a private room,
    ``all`` for a public one. Answer: `RoomState`.
    """

    command: ClassVar[int] = 20
    ref: Ref
    room: Name
    topic: str = ""
    private: bool = False
    history: Short = ""


class Join(Message):
    """Become a member of a room.

    All sessions of the account follow the room from the entry of kind ``join`` on. If the
    account is a member already, only the answer is sent. Answer: `RoomState`.
    """

    command: ClassVar[int] = 21
    ref: Ref
    room: Name


class Leave(Message):
    """Leave a room.

    If the owner leaves, the longest-standing deputy becomes the owner; if there is no deputy, the
    longest-standing moderator; if there is no moderator, the longest-standing member. A room
    without members is deleted, except ``#lobby``, as by `DeleteRoom`. Answer: `Done`.
    """

    command: ClassVar[int] = 22
    ref: Ref
    room: Name


class SetTopic(Message):
    """Change the topic of a room; for the owner and moderators. Those of ``#lobby`` are made by
    operators.

    Answer: `Done`.
    """

    command: ClassVar[int] = 23
    ref: Ref
    room: Name
    topic: str


class SetPrivate(Message):
    """Make a room private or public; for the owner and its deputies.

    `RoomInfo.history` becomes ``joined`` when a public room is made private, and otherwise stays.
    Answer: `Done`.
    """

    command: ClassVar[int] = 24
    ref: Ref
    room: Name
    private: bool


class SetHistory(Message):
    """Set what members of a room can read from before they joined; for the owner and its deputies.

    `history` is ``all``, or ``joined``: nothing from before. It applies to the present members as
    well. Answer: `Done`.
    """

    command: ClassVar[int] = 39
    ref: Ref
    room: Name
    history: Short


class ConfigureRoom(Message):
    """Set one of the settings of a room.

    ``slow``, for the owner and moderators: slow mode, the seconds from 0 (off) to 21600 that a
    member waits between two texts. ``read-only``, for the owner and its deputies: ``on`` or
    ``off``; only the owner and moderators send, edit and react. An entry of kind ``setting``
    announces it. ``invite``, for the owner and its deputies: ``members`` or ``moderators``, who may
    invite. ``unlisted``, for the owner and its deputies: ``on`` or ``off``; `FindRooms` has the
    room only for its members and invited accounts, and every account that knows its name can join
    it if it is public. A setting that the server does not know is refused with ``unknown-setting``.
    Answer: `Done`.
    """

    command: ClassVar[int] = 41
    ref: Ref
    room: Name
    setting: Name
    value: Short


class Invite(Message):
    """Invite an account to a room; for the owner and moderators, in a public room for all members,
    unless `ConfigureRoom` has set who may invite.

    The account gets an entry of kind ``invite`` in its mailbox. Answer: `Done`.
    """

    command: ClassVar[int] = 25
    ref: Ref
    room: Name
    name: Name


class Kick(Message):
    """Remove a member from a room, or withdraw an invitation; for the owner and moderators.

    The member must have a lower role than this account. Answer: `Done`.
    """

    command: ClassVar[int] = 26
    ref: Ref
    room: Name
    name: Name


class SetRole(Message):
    """Change the role of a member to ``owner``, ``deputy``, ``moderator`` or ``member``; for the
    owner and its deputies.

    Deputies can do all that the owner can, except for deleting the room and making owners and
    deputies, or ending their roles. A room has one owner: an owner that makes another member the
    owner becomes a moderator. Answer: `Done`.
    """

    command: ClassVar[int] = 27
    ref: Ref
    room: Name
    name: Name
    role: Name


class FindRooms(Message):
    """List rooms whose names match a glob (see `FindAccounts`), after `after`.

    They are public rooms that are not unlisted, and rooms of which the account is a member or to
    which it is invited. Answer: `Rooms`.
    """

    command: ClassVar[int] = 28
    ref: Ref
    pattern: str = "*"
    after: Name = ""
    limit: Count = 100


class FindMembers(Message):
    """List the members of a room in alphabetical order, after `after`.

    Only members can list those of a private room. The owner and moderators also get the invited
    accounts. Answer: `Members`.
    """

    command: ClassVar[int] = 29
    ref: Ref
    room: Name
    after: Name = ""
    limit: Count = 100


class DeleteRoom(Message):
    """Delete a room with its history; for the owner.

    The sessions of its members get `Left`. For a time, usually a day, an operator can restore it;
    then they get `Joined`, and the room has the same `since`, seqs and members. Answer: `Done`.
    """

    command: ClassVar[int] = 30
    ref: Ref
    room: Name


class Ban(Message):
    """Ban an account from a room, or all accounts that match a pattern; for the owner and
    moderators.

    A pattern has ``*`` (any characters) and ``?`` (one character), and ignores case. `seconds` is
    how long the ban lasts, 0: without end. Members of lower rank are removed with that, and their
    sessions get `Left` with ``banned``; invitations are withdrawn. What is banned cannot join and
    cannot be invited (``banned``). Another ban of the same name or pattern replaces the first.
    Answer: `Done`.
    """

    command: ClassVar[int] = 42
    ref: Ref
    room: Name
    name: Name
    seconds: Seconds = 0
    reason: Short = ""


class Unban(Message):
    """End the ban of an account or of a pattern; for the owner and moderators. Answer: `Done`."""

    command: ClassVar[int] = 43
    ref: Ref
    room: Name
    name: Name


class FindBans(Message):
    """List the bans of a room in alphabetical order, after `after`; for the owner and moderators.

    Bans that have ended are not listed. Answer: `Restrictions`.
    """

    command: ClassVar[int] = 44
    ref: Ref
    room: Name
    after: Name = ""
    limit: Count = 100


class Silence(Message):
    """Silence an account in a room, which stays a member; for the owner and moderators.

    Its texts, edits, reactions and typing notices in the room are refused (``silenced``), also
    after it has left and joined again. It must have a lower role than this account. `seconds` and
    `reason` as in `Ban`. Answer: `Done`.
    """

    command: ClassVar[int] = 45
    ref: Ref
    room: Name
    name: Name
    seconds: Seconds = 0
    reason: Short = ""


class Unsilence(Message):
    """Let a silenced account send to a room again; for the owner and moderators. Answer: `Done`."""

    command: ClassVar[int] = 46
    ref: Ref
    room: Name
    name: Name


class FindSilenced(Message):
    """List the silenced accounts of a room, as `FindBans` does. Answer: `Restrictions`."""

    command: ClassVar[int] = 47
    ref: Ref
    room: Name
    after: Name = ""
    limit: Count = 100


class SetPresence(Message):
    """Set the presence of the account.

    `away`: the user is away, for the reason `text`. `hidden`: other accounts see the status
    ``off`` and no time of the last visit. `hidden` is stored with the account; `away` ends with
    the last session of the account. Answer: `Done`.
    """

    command: ClassVar[int] = 32
    ref: Ref
    away: bool = False
    text: Short = ""
    hidden: bool = False


class Who(Message):
    """Get the presence of at most 100 accounts; with `watch`, also be notified when it changes.

    A session can watch at most 500 accounts; changes come as `Presence`. An account that is deleted
    becomes `unknown`, and is not watched any more. Answer: `People`.
    """

    command: ClassVar[int] = 33
    ref: Ref
    names: Annotated[list[Name], Meta(max_length=100)]
    watch: bool = False


class Unwatch(Message):
    """Stop watching accounts. Answer: `Done`."""

    command: ClassVar[int] = 34
    ref: Ref
    names: Annotated[list[Name], Meta(max_length=100)]


class Block(Message):
    """Block private messages from an account or, if `blocked` is false, allow them again.

    Messages of a blocked account in rooms are pushed nevertheless, because seqs have no gaps; a
    client may hide them. A block ends when the blocked account is deleted: a later account of its
    name is another one. Answer: `Done`.
    """

    command: ClassVar[int] = 36
    ref: Ref
    name: Name
    blocked: bool = True


class GetBlocked(Message):
    """List the accounts that this account blocks. Answer: `Names`."""

    command: ClassVar[int] = 37
    ref: Ref


class Report(Message):
    """Report an account to the operators, with a reason.

    `log` and `seq` name an entry that the account wrote, in a log that the reporting account
    may read; they are optional. Answer: `Done`.
    """

    command: ClassVar[int] = 38
    ref: Ref
    name: Name
    reason: Short
    log: Name = ""
    seq: Seq = 0


class CreateAccessToken(Message):
    """Make an access token, with which a bot or a script logs in to the account (`Resume`).

    `name` names the token: 1 to 32 letters, digits, dots, underscores or hyphens. `scopes` are what
    it permits: ``all``, or up to 16 of ``send #room`` and ``read #room``, for rooms that the
    account is a member of, and ``send name``, to an account. It ends after so many `seconds` (0:
    never). `password` is needed if the account has one. An account has at most 64. Answer:
    `NewAccessToken`.
    """

    command: ClassVar[int] = 48
    ref: Ref
    name: Name
    scopes: Annotated[list[Short], Meta(max_length=100)]
    seconds: Seconds = 0
    password: str | None = None


class GetAccessTokens(Message):
    """List the access tokens of the account. Answer: `AccessTokens`."""

    command: ClassVar[int] = 49
    ref: Ref


class RevokeAccessToken(Message):
    """End the access token of this name, and the sessions that it has opened. Answer: `Done`."""

    command: ClassVar[int] = 50
    ref: Ref
    name: Name


class ClearMailbox(Message):
    """Remove the oldest entries of the account's mailbox for ever, up to seq `upto`.

    Entries stay that are not acknowledged, or that another session has still to be sent, and all
    after these. Mailboxes of other accounts stay as they are. What is removed makes room in a
    mailbox that is full (``mailbox-full``) some moments later. Answer: `Done`.
    """

    command: ClassVar[int] = 51
    ref: Ref
    upto: Seq


# Answers: from the server


class Done(Message):
    """The request was carried out, and what it changed is stored."""

    command: ClassVar[int] = 64
    ref: int


class Refusal(Message):
    """The request was not carried out.

    `code`, for programs, is one of the codes below; `sentence` is for users. `ref` is 0 if that
    of the request could not be read; `request` is the command number of the request.
    """

    command: ClassVar[int] = 65
    ref: int
    code: str
    sentence: str
    request: int = 0


class Welcome(Message):
    """The server: its program and version, limits, and policies.

    `registration` is ``open``, ``invite`` or ``closed``; `open_accounts` is whether accounts
    without a password can be used; `time` is the time of the server; `idle` is the number of
    seconds after which a silent client gets `Ping`.
    """

    command: ClassVar[int] = 66
    ref: int
    server: str
    version: str
    limits: Limits
    registration: str
    open_accounts: bool
    time: int
    idle: float


class Pong(Message):
    """The answer to `Ping`, from either end."""

    command: ClassVar[int] = 67
    ref: Ref


class LoggedIn(Message):
    """The session is logged in.

    `name` is the name as it was registered; `logs` are the logs that the session follows, the
    mailbox first. `changed` is when the certificates or access tokens of the account were last
    changed, if that was in the last 7 days or since the account was last online, otherwise 0: show
    it to the user, because they log in without the password. `scopes` are those of the access
    token by which the session was opened, empty if everything is permitted.
    """

    command: ClassVar[int] = 68
    ref: int
    name: str
    logs: list[LogState]
    changed: int = 0
    scopes: list[str] = []


class Accepted(Message):
    """The message is stored, as the entry `seq` of `log`."""

    command: ClassVar[int] = 69
    ref: int
    log: str
    seq: int
    id: int
    time: int


class Names(Message):
    """Names of accounts; `more` is whether there are others after the last one."""

    command: ClassVar[int] = 70
    ref: int
    names: list[str]
    more: bool = False


class Rooms(Message):
    """Rooms; `more` is whether there may be others, and `last` the `after` of the next request."""

    command: ClassVar[int] = 71
    ref: int
    rooms: list[RoomInfo]
    more: bool = False
    last: str = ""


class RoomState(Message):
    """A room of which the account is now a member, with its log as in `LoggedIn`."""

    command: ClassVar[int] = 72
    ref: int
    state: LogState


class Members(Message):
    """Members of a room; `more` is whether there are others after the last one."""

    command: ClassVar[int] = 73
    ref: int
    members: list[Member]
    more: bool = False


class Page(Message):
    """Entries of a log, oldest first.

    `more` is whether there are others beyond, in the requested direction. A page with long
    texts has fewer entries than requested.
    """

    command: ClassVar[int] = 74
    ref: int
    log: str
    entries: list[Item]
    more: bool = False


class People(Message):
    """The presence of accounts, in the order of the request."""

    command: ClassVar[int] = 75
    ref: int
    people: list[Person]


class Receipts(Message):
    """The state of messages that this account sent to a mailbox."""

    command: ClassVar[int] = 76
    ref: int
    log: str
    states: list[ReceiptState]


class Restrictions(Message):
    """Bans of a room, or accounts that are silenced in it; `more` is whether there may be others
    after the last one."""

    command: ClassVar[int] = 77
    ref: int
    restrictions: list[Restriction]
    more: bool = False


class NewAccessToken(Message):
    """An access token has been made.

    `token` is a secret like a password, and cannot be found out later. `expires` is when it ends,
    0: never.
    """

    command: ClassVar[int] = 78
    ref: int
    token: str
    expires: int = 0


class AccessTokens(Message):
    """The access tokens of the account, in alphabetical order of their names."""

    command: ClassVar[int] = 79
    ref: int
    tokens: list[AccessTokenInfo]


# Events: from the server, when something happens


class Pushed(Message):
    """An entry of a log that the session follows, in the order of `seq` within its log.

    The client must acknowledge it (`Ack`). `kind` defines `body`:

    ``text``: the text of `sender`. ``edit``: the new text of the entry whose id is `about`.
    ``delete``: that entry is deleted; `body` is empty. ``reaction``: the reaction of `sender`
    to that entry, empty if it is removed. ``join``, ``leave``: `sender` joined or left the
    room. ``kick``: `sender` removed the account `body`. ``topic``: the new topic. ``access``:
    ``private`` or ``public``. ``history``: ``all`` or ``joined``. ``role``: the name of a member
    and its new role. ``setting``: the name of a setting and its new value. ``ban``,
    ``silence``: the name or pattern, when it ends (milliseconds since 1970, 0: not) and perhaps the
    reason, with blanks between them; each member that a ban removes has a ``kick``. ``unban``,
    ``unsilence``: the name or pattern. ``restore``: the room was deleted and has been restored.
    ``invite``, in a mailbox: `sender` invites the account to the room `body`. ``erased``: an
    operator has erased the text.

    What an operator does in a room has the sender ``server``, a name that no account can have. A
    client must acknowledge entries of unknown kinds, and otherwise ignore them.
    """

    command: ClassVar[int] = 80
    log: str
    seq: int
    id: int
    time: int
    sender: str
    kind: str
    body: str
    about: int = 0


class Sent(Message):
    """Another session of the account sent this entry to the mailbox `log` of another account.

    It is not acknowledged. It is sent to the sessions that are logged in at that time only.
    """

    command: ClassVar[int] = 81
    log: str
    seq: int
    id: int
    time: int
    kind: str
    body: str
    about: int = 0


class Receipt(Message):
    """Messages were delivered or read; with the feature ``receipts``.

    If `log` is the mailbox of another account: the messages with `seqs` that this account sent
    there were delivered (`what` is ``delivered``) or read (``read``, which includes delivered).
    If `log` is a log of this account: another session has marked it as read up to the last of
    `seqs`.
    """

    command: ClassVar[int] = 82
    log: str
    what: str
    seqs: list[int]


class Presence(Message):
    """The presence of a watched account has changed; with the feature ``presence``."""

    command: ClassVar[int] = 83
    person: Person


class Typing(Message):
    """The user of the account `name` is typing, or has stopped; with the feature ``typing``.

    `log` is the own mailbox or a room.
    """

    command: ClassVar[int] = 84
    log: str
    name: str
    typing: bool


class Token(Message):
    """A resume token: the session can be resumed with it (`Resume`); with the feature ``tokens``.

    It is sent after `LogIn`, and when a request of this session has ended the token before it. A
    token is a secret like a password. It ends with `LogOut`, when it has not been used for 30 days,
    when the password is changed or a certificate is removed, when an operator ends the sessions of
    the account, and with the account. An account has at most 64: then the one that was last used
    longest ago ends.
    """

    command: ClassVar[int] = 88
    token: str


class Joined(Message):
    """Another session of the account joined or created this room, or an operator has restored it;
    its entries follow."""

    command: ClassVar[int] = 85
    state: LogState


class Left(Message):
    """The account is no longer a member of the room.

    `reason` is ``left``, ``kicked``, ``banned``, or ``deleted`` (the room was deleted). Of a ban,
    `note` is the reason that the moderator has given (empty: none), and `until` its end (0: none).
    """

    command: ClassVar[int] = 86
    room: str
    reason: str
    note: str = ""
    until: int = 0


class Goodbye(Message):
    """The server is about to close this connection; `code` and `sentence` as in `Refusal`."""

    command: ClassVar[int] = 87
    code: str
    sentence: str


class Announcement(Message):
    """An operator has sent a text to all sessions. It is not stored, and not acknowledged."""

    command: ClassVar[int] = 89
    time: int
    text: str


MESSAGES: dict[int, type[Message]] = {kind.command: kind for kind in Message.__subclasses__()}
"""every message by its number"""

REQUESTS: dict[int, type[Message]] = {
    number: kind for number, kind in MESSAGES.items() if number < 64 or kind is Pong
}
"""the messages that a client may send, by number"""

REPLIES: dict[int, type[Message]] = {
    number: kind for number, kind in MESSAGES.items() if number >= 64 or kind is Ping
}
"""the messages that a server may send, by number"""
