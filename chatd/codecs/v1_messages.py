"""The catalogue of wire protocol version 1: every message there is, its number, its fields and who
sends it.

Each class below is one message. Its data on the wire is one MessagePack array of its fields, in the
order in which they stand here; `command` is the number in the frame's header (`chatd.codecs.v1`).
Fields with a default may be left out from the end, and whoever reads a message ignores fields it
does not know after the last one it does: that is how the protocol grows.

What holds everywhere:

- **Requests** come from the client and begin with `ref`, a number of the client's own choosing.
  Their one answer carries the same `ref`: the answer named with the request, or a `Refusal`.
  Requests are carried out in the order in which they came, and answered in that order, except that
  `Accepted` may come after answers to later requests. With `ref` 0 a request that would only be
  answered by `Done` is not answered when it succeeds.
- **Events** come from the server when something happens; they have no `ref`.
- A **log** is named as the store names it: ``@alice`` is Alice's inbox, in lower case, ``#room`` a
  room.
- A **seq** counts the entries of one log: 1, 2, 3, ... without gaps. An **id** is unique among all
  logs of a server; it may be greater than 2**53. **Times** are milliseconds since 1970 (UTC).
- A **name** is an account's, a **room** begins with ``#``. Both ignore case and are shown as first
  written.
- Limits of lengths are in `Welcome`.

Specification, with the bytes of an example of each: docs/protocols/v1.md.
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
Count = Annotated[int, Meta(ge=0, le=1000)]

FEATURES = frozenset({"receipts", "presence", "typing"})
"""what a client may say in `Hello` that it wants to be told: `Receipt`, `Presence`, `Typing`"""


class Message(msgspec.Struct, array_like=True, gc=False):
    """What all messages are; `command` is the number in the frame's header."""

    command: ClassVar[int]


# Parts of messages


class Position(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How far a client is in a log: it has acknowledged every entry up to `seq`. `since` is the
    time when the log's account or room was made, as `LogState` told it: a later log of the same
    name is another log."""

    log: Name
    since: Time
    seq: Seq


class RoomInfo(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A room: when it was made, its topic, whether one has to be invited, its owner (empty: none),
    how many members it has, and what the asker is in it: ``owner``, ``moderator``, ``member`` or
    empty."""

    room: str
    since: int
    topic: str
    private: bool
    owner: str
    members: int
    role: str


class LogState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A log that the session follows. `head` is its last seq; `upto` is how far the account has
    acknowledged it (entries after `upto` are about to be pushed, except those acknowledged ahead);
    `read` is how far it has been marked as read. `room` tells about the room, and is nil for the
    inbox."""

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
    """A member of a room; `role` is ``owner``, ``moderator``, ``member``, or ``invited`` (no member
    yet)."""

    name: str
    role: str


class Person(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Who somebody is at the moment: `status` is ``on``, ``away``, ``off``, or ``unknown`` (no such
    account, as far as the asker may know); `text` is what they said about being away; `seen` is
    when they were last seen, 0 if that is not known or hidden."""

    name: str
    status: str
    text: str = ""
    seen: int = 0


class ReceiptState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Whether the entry `seq` has been delivered (acknowledged by one of the recipient's sessions),
    and whether it has been marked as read."""

    seq: int
    delivered: bool
    read: bool


class Limits(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What the server takes: bytes of UTF-8 in a text, characters in a topic and in a search
    pattern, entries pushed at once from a log, requests a second (0: as many as one likes; whoever
    sends more is read more slowly), bytes of data in a frame of the client's."""

    text: int
    topic: int
    pattern: int
    page: int
    rate: float
    frame: int


# Requests: from the client


class Hello(Message):
    """Who is there: the program and its version, and which of the features ``receipts``,
    ``presence`` and ``typing`` it wants. Answer: `Welcome`. It may be left out, and then no feature
    is on; sent again, it replaces what was said before."""

    command: ClassVar[int] = 1
    ref: Ref
    client: Short = ""
    version: Short = ""
    features: list[Short] = []


class Ping(Message):
    """Are you there? Either end may ask, at any time; the answer is `Pong` with the same `ref`. A
    client that has sent nothing for `Welcome.idle` seconds is asked, and dropped if it says nothing
    for as long again."""

    command: ClassVar[int] = 2
    ref: Ref


class Register(Message):
    """Make an account; without a password it is open: its name is enough to log in. `invite` is a
    token from the operator, where `Welcome.registration` is ``invite``. Does not log in. Answer:
    `Done`."""

    command: ClassVar[int] = 3
    ref: Ref
    name: Name
    password: str | None = None
    invite: Short | None = None


class LogIn(Message):
    """Be an account on this connection, besides other sessions that it may have. `positions` are
    where this client stopped reading before: the entries after them are pushed. In a log without a
    position, or with one that cannot be (another `since`, a seq after the last), it begins after
    what the account has acknowledged. Answer: `LoggedIn`, and then `Pushed`, log by log."""

    command: ClassVar[int] = 4
    ref: Ref
    name: Name
    password: str | None = None
    positions: list[Position] = []


class LogOut(Message):
    """Be nobody again. Answer: `Done`, when everything this session has acknowledged is stored."""

    command: ClassVar[int] = 5
    ref: Ref


class ChangePassword(Message):
    """Give the account logged in another password; nil: none, it becomes open. `old` is needed if
    it has one. Its other sessions are logged out. Answer: `Done`."""

    command: ClassVar[int] = 6
    ref: Ref
    old: str | None
    new: str | None


class SetCertificates(Message):
    """Let whoever shows one of these certificates in the TLS handshake log in to the account
    without its password, and nobody else by a certificate: SHA-256 fingerprints in hexadecimal
    digits, at most 8, instead of those before. `password` is needed if the account has one. Answer:
    `Done`."""

    command: ClassVar[int] = 9
    ref: Ref
    fingerprints: list[str]
    password: str | None = None


class DeleteAccount(Message):
    """Delete the account logged in, with its inbox; it leaves its rooms. `password` is needed if it
    has one. Answer: `Done`; then this connection is nobody, and the account's other sessions get a
    `Goodbye`."""

    command: ClassVar[int] = 7
    ref: Ref
    password: str | None = None


class FindAccounts(Message):
    """The names of accounts that match a glob (``*``, ``?``, ``[a-d]``, ``[!a]``; with regard to
    case), in alphabetical order, from the first one after `after` on. Answer: `Names`."""

    command: ClassVar[int] = 8
    ref: Ref
    pattern: str = "*"
    after: Name = ""
    limit: Count = 100


class Send(Message):
    """Say something to an account or, as a member, in a room. `key` is the sender's own name for
    the message: for as long as the message exists, sending it again with the same key changes
    nothing and gets the same answer, and another text with that key is refused (``key-reused``).
    Answer: `Accepted`."""

    command: ClassVar[int] = 10
    ref: Ref
    recipient: Name
    text: str
    key: Key | None = None

    sender: ClassVar[str | None] = None


class Ack(Message):
    """The client has taken the entries of `log` from `first` to `last`, inclusive, and need not be
    sent them again; `first` 0: all up to `last`. Answer: `Done`, when that is stored (with `ref` 0:
    none)."""

    command: ClassVar[int] = 11
    ref: Ref
    log: Name
    last: Seq
    first: Seq = 0


class MarkRead(Message):
    """A person has seen the entries of `log` up to `seq`. Answer: `Done`."""

    command: ClassVar[int] = 12
    ref: Ref
    log: Name
    seq: Seq


class GetReceipts(Message):
    """What became of messages that this account sent to the inbox `log`: at most 100 seqs, from
    `Accepted`. Seqs of entries that it did not send, or that are gone, are left out. Answer:
    `Receipts`."""

    command: ClassVar[int] = 13
    ref: Ref
    log: Name
    seqs: Annotated[list[Seq], Meta(max_length=100)]


class Edit(Message):
    """Replace the text of a message that this account sent: an entry of kind ``edit`` in the same
    log refers to it. `key` as in `Send`. Answer: `Accepted`."""

    command: ClassVar[int] = 14
    ref: Ref
    log: Name
    seq: Seq
    text: str
    key: Key | None = None


class Retract(Message):
    """Delete a message that this account sent (a moderator: any in the room): an entry of kind
    ``delete`` in the same log refers to it. `key` as in `Send`. Answer: `Accepted`."""

    command: ClassVar[int] = 15
    ref: Ref
    log: Name
    seq: Seq
    key: Key | None = None


class React(Message):
    """React to a message with a word or an emoji of at most 32 characters; empty: take the reaction
    back. An entry of kind ``reaction`` refers to it: in the room, or in the inbox of the message's
    other end (its sender's, if it was sent to this account, else its recipient's). `key` as in
    `Send`. Answer: `Accepted`."""

    command: ClassVar[int] = 16
    ref: Ref
    log: Name
    seq: Seq
    reaction: Annotated[str, Meta(max_length=32)]
    key: Key | None = None


class History(Message):
    """Entries of one's own inbox, or of a room that one is in: those after seq `after`, oldest
    first, or, with `before` above 0, the last ones before it, likewise oldest first. Answer:
    `Page`."""

    command: ClassVar[int] = 17
    ref: Ref
    log: Name
    after: Seq = 0
    before: Seq = 0
    limit: Count = 100


class SayTyping(Message):
    """Tell an account or a room that one is writing, or has stopped. Never stored, told to those
    who want `Typing`. Answer: `Done`."""

    command: ClassVar[int] = 18
    ref: Ref
    recipient: Name
    typing: bool = True


class CreateRoom(Message):
    """Make a room and be its owner; `private`: one has to be invited, and it is not listed to
    others. Answer: `RoomState`."""

    command: ClassVar[int] = 20
    ref: Ref
    room: Name
    topic: str = ""
    private: bool = False


class Join(Message):
    """Become a member. All sessions of the account follow the room from then on, from the entry
    that tells of the joining on. A member who joins again only gets the answer. Answer:
    `RoomState`."""

    command: ClassVar[int] = 21
    ref: Ref
    room: Name


class Leave(Message):
    """Be no member any more. An owner's place goes to the oldest of the moderators, else members; a
    room that its last member leaves is deleted (``#lobby`` never is). Answer: `Done`."""

    command: ClassVar[int] = 22
    ref: Ref
    room: Name


class SetTopic(Message):
    """Change the topic; for moderators and the owner, in ``#lobby`` for nobody. Answer: `Done`."""

    command: ClassVar[int] = 23
    ref: Ref
    room: Name
    topic: str


class SetPrivate(Message):
    """Make a room private or public; for its owner. Answer: `Done`."""

    command: ClassVar[int] = 24
    ref: Ref
    room: Name
    private: bool


class Invite(Message):
    """Let somebody join: they get an entry of kind ``invite``. For moderators and the owner, in a
    public room for all members. Answer: `Done`."""

    command: ClassVar[int] = 25
    ref: Ref
    room: Name
    name: Name


class Kick(Message):
    """Put a member, who must be less than oneself there, out of a room, or take an invitation back;
    for moderators and the owner. Answer: `Done`."""

    command: ClassVar[int] = 26
    ref: Ref
    room: Name
    name: Name


class SetRole(Message):
    """Make a member ``moderator``, ``member`` or, giving the place away, ``owner``; for the owner.
    Answer: `Done`."""

    command: ClassVar[int] = 27
    ref: Ref
    room: Name
    name: Name
    role: Name


class FindRooms(Message):
    """Rooms whose names match a glob (as in `FindAccounts`): public ones, and those that one is in
    or invited to. Answer: `Rooms`."""

    command: ClassVar[int] = 28
    ref: Ref
    pattern: str = "*"
    after: Name = ""
    limit: Count = 100


class FindMembers(Message):
    """The members of a room (a private one's for its members only), and, for moderators and the
    owner, who is invited; in alphabetical order, from the first after `after` on. Answer:
    `Members`."""

    command: ClassVar[int] = 29
    ref: Ref
    room: Name
    after: Name = ""
    limit: Count = 100


class DeleteRoom(Message):
    """Delete a room with its history; for its owner. Its members' sessions get `Left`. Answer:
    `Done`."""

    command: ClassVar[int] = 30
    ref: Ref
    room: Name


class SetPresence(Message):
    """Say that one is away (`text`: why), or back; `hidden`: look ``off`` to others, never last
    seen. Whether one is hidden is kept, being away ends with the account's last session. Answer:
    `Done`."""

    command: ClassVar[int] = 32
    ref: Ref
    away: bool = False
    text: Short = ""
    hidden: bool = False


class Who(Message):
    """How some accounts, at most 100, are at the moment; `watch`: and every change from now on
    (`Presence`), for this session, of at most 500 accounts. Answer: `People`."""

    command: ClassVar[int] = 33
    ref: Ref
    names: Annotated[list[Name], Meta(max_length=100)]
    watch: bool = False


class Unwatch(Message):
    """No longer be told about some accounts. Answer: `Done`."""

    command: ClassVar[int] = 34
    ref: Ref
    names: Annotated[list[Name], Meta(max_length=100)]


class Block(Message):
    """Take nothing in one's inbox from an account any more, or, with `blocked` false, again. What
    they say in rooms is pushed as ever, or seqs would have gaps: hiding it is the client's. Answer:
    `Done`."""

    command: ClassVar[int] = 36
    ref: Ref
    name: Name
    blocked: bool = True


class GetBlocked(Message):
    """Whom this account blocks. Answer: `Names`."""

    command: ClassVar[int] = 37
    ref: Ref


class Report(Message):
    """Tell the operators about an account, perhaps about an entry it wrote, which must be in a log
    that one may read. Answer: `Done`."""

    command: ClassVar[int] = 38
    ref: Ref
    name: Name
    reason: Short
    log: Name = ""
    seq: Seq = 0


# Answers: from the server


class Done(Message):
    """It is done, and stored if there was anything to store."""

    command: ClassVar[int] = 64
    ref: int


class Refusal(Message):
    """It was not done. `code` is from a fixed list, for programs; `sentence` is for people. `ref`
    is 0 if the request's own could not be read; `request` is the number of its command."""

    command: ClassVar[int] = 65
    ref: int
    code: str
    sentence: str
    request: int = 0


class Welcome(Message):
    """The server: its program and version, what it takes, its registration policy (``open``,
    ``invite``, ``closed``), whether open accounts may be used, its time, and the seconds after
    which a silent client is asked whether it is there."""

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
    """I am here: the answer to `Ping`, from either end."""

    command: ClassVar[int] = 67
    ref: Ref


class LoggedIn(Message):
    """Logged in, as `name` in its first spelling; `logs` are what the session follows, the inbox
    first."""

    command: ClassVar[int] = 68
    ref: int
    name: str
    logs: list[LogState]


class Accepted(Message):
    """The message is durable, as the entry `seq` of `log`."""

    command: ClassVar[int] = 69
    ref: int
    log: str
    seq: int
    id: int
    time: int


class Names(Message):
    """Names of accounts; `more`: there are others after the last of them."""

    command: ClassVar[int] = 70
    ref: int
    names: list[str]
    more: bool = False


class Rooms(Message):
    """Rooms; `more`: there may be others after `last`, which is the name to ask on from."""

    command: ClassVar[int] = 71
    ref: int
    rooms: list[RoomInfo]
    more: bool = False
    last: str = ""


class RoomState(Message):
    """A room that one is a member of now, with its log as in `LoggedIn`."""

    command: ClassVar[int] = 72
    ref: int
    state: LogState


class Members(Message):
    """Members of a room; `more`: there are others after the last of them."""

    command: ClassVar[int] = 73
    ref: int
    members: list[Member]
    more: bool = False


class Page(Message):
    """Entries of a log, oldest first; `more`: there are others beyond, in the direction that was
    asked for. A page ends early when its texts become long."""

    command: ClassVar[int] = 74
    ref: int
    log: str
    entries: list[Item]
    more: bool = False


class People(Message):
    """How they are, in the order in which they were asked for."""

    command: ClassVar[int] = 75
    ref: int
    people: list[Person]


class Receipts(Message):
    """What became of one's messages in an inbox."""

    command: ClassVar[int] = 76
    ref: int
    log: str
    states: list[ReceiptState]


# Events: from the server, when something happens


class Pushed(Message):
    """An entry of a log that the session follows, in order of `seq` within its log. To be
    acknowledged.

    `kind` tells what `body` is: ``text``: what `sender` said; ``edit``: the new text of the entry
    whose id is `about`; ``delete``: that entry is deleted; ``reaction``: a reaction to it, empty if
    it is taken back; ``join``, ``leave``: `sender` joined or left the room; ``kick``: `sender` put
    the account named in `body` out; ``topic``: the new topic; ``access``: ``private`` or
    ``public``; ``role``: ``NAME ROLE``; ``invite``, in an inbox: `sender` invites to the room in
    `body`. Kinds unknown to a client are to be acknowledged and otherwise ignored.
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
    """Another session of the same account put this entry into somebody's inbox. Not to be
    acknowledged, and not told to sessions that were not there."""

    command: ClassVar[int] = 81
    log: str
    seq: int
    id: int
    time: int
    kind: str
    body: str
    about: int = 0


class Receipt(Message):
    """With the feature ``receipts``. Of messages sent by this account to the inbox `log`: those
    with the seqs `seqs` have been delivered or read (`what` is ``delivered`` or ``read``; what is
    read has been delivered). Of a log of one's own: another session has marked it as read up to the
    last of `seqs`."""

    command: ClassVar[int] = 82
    log: str
    what: str
    seqs: list[int]


class Presence(Message):
    """With the feature ``presence``: somebody watched has changed."""

    command: ClassVar[int] = 83
    person: Person


class Typing(Message):
    """With the feature ``typing``: `name` is writing, or has stopped, in `log`: one's own inbox or
    a room."""

    command: ClassVar[int] = 84
    log: str
    name: str
    typing: bool


class Joined(Message):
    """Another session of the account joined or made this room; its entries follow."""

    command: ClassVar[int] = 85
    state: LogState


class Left(Message):
    """The account is no member any more, whoever's doing that was: `reason` is ``left``, ``kicked``
    or ``deleted`` (the room)."""

    command: ClassVar[int] = 86
    room: str
    reason: str


class Goodbye(Message):
    """The server is about to close this connection; `code` and `sentence` as in `Refusal`."""

    command: ClassVar[int] = 87
    code: str
    sentence: str


MESSAGES: dict[int, type[Message]] = {kind.command: kind for kind in Message.__subclasses__()}
"""every message by its number"""

REQUESTS: dict[int, type[Message]] = {
    number: kind for number, kind in MESSAGES.items() if number < 64 or kind is Pong
}
"""what a client may send"""

REPLIES: dict[int, type[Message]] = {
    number: kind for number, kind in MESSAGES.items() if number >= 64 or kind is Ping
}
"""what a server may send"""
