"""Permissions: who may do what. This is the only module that decides it.

A function named ``check_...`` returns, or raises the refusal that is sent to the requester; one
named ``may_...`` or ``is_...`` returns a bool. Each decides by stored facts that its caller has at
hand (an account, a room's record, the logs that a session follows), so the frequent requests can
ask as well. `tests/realm/test_permissions.py` tests every function with every kind of account.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from math import ceil
from typing import TYPE_CHECKING, TypeVar

import msgspec

from chatd.core.addresses import LOCAL
from chatd.core.entries import TEXT, Entry
from chatd.core.errors import (
    AlreadyDeleted,
    BadRequest,
    Banned,
    Blocked,
    InviteRequired,
    LimitReached,
    NotAllowed,
    NotAMember,
    NotLoggedIn,
    NotTheAuthor,
    NotTheSender,
    OpenAccountsForbidden,
    OutOfScope,
    PasswordRequired,
    ReadOnly,
    RegistrationClosed,
    ScopeInvalid,
    Silenced,
    SlowMode,
    Suspended,
    TextTooLong,
    UnknownEntry,
    UnknownLog,
    UnknownMember,
    UnknownRestriction,
    UnknownRoom,
)
from chatd.core.limits import Limits
from chatd.core.names import is_mailbox, is_room, room_log
from chatd.realm.access_token import READ, SEND
from chatd.realm.proof import Scope
from chatd.realm.restrictions import (
    FOR_EVER,
    BanRecord,
    RestrictionRecord,
    SilenceRecord,
    shown_end,
)
from chatd.realm.room import (
    DEPUTY,
    JOINED,
    MEMBER,
    MEMBERS,
    MODERATOR,
    MODERATORS,
    OWNER,
    RANKS,
    Room,
    RoomFacts,
)

if TYPE_CHECKING:
    from chatd.realm.accounts import Account
    from chatd.realm.membership import Membership
    from chatd.realm.session import Session
    from chatd.realm.subscription import Subscription

S = TypeVar("S", bound="Session")

OPEN, INVITE_ONLY, CLOSED = "open", "invite", "closed"
"""registration: for everyone, with an operator's invite token, for operators only"""

_BANS = 10_000
"""addresses and networks that can be banned"""
_CERTIFICATES = 8
"""certificates that can log in to an account"""
_GRANTS = 16
"""scopes of an access token"""
ANY_SCOPE = "any"
"""the right that every session has; the others are those of `chatd.realm.access_token`"""


class Policy(msgspec.Struct, frozen=True):
    """The operator's choices: `registration` is one of the above, `open_accounts` whether accounts
    without a password can be registered and used, `list_before_login` whether all accounts are
    listed to clients that are not logged in."""

    registration: str = OPEN
    open_accounts: bool = True
    list_before_login: bool = True


# Registering and logging in


def check_registration(policy: Policy, invited: bool) -> None:
    """Registering an account; `invited`: with an invite token, valid or not.

    Raises `RegistrationClosed`, `InviteRequired`.
    """
    if policy.registration == CLOSED:
        raise RegistrationClosed()
    if policy.registration == INVITE_ONLY and not invited:
        raise InviteRequired()


def check_open_accounts(policy: Policy) -> None:
    """Registering an account without a password, and logging in to one.

    Raises `OpenAccountsForbidden`.
    """
    if not policy.open_accounts:
        raise OpenAccountsForbidden()


def created_limit(network: str, limits: Limits) -> int | None:
    """How many accounts can be created from an address in an hour; None: any number."""
    return limits.local_accounts if network == LOCAL else limits.address_accounts


def check_created_count(count: int, network: str, limits: Limits) -> None:
    """Creating an account from an address (`chatd.core.addresses.network_of`) that has created so
    many in the last hour; without an invite token. Raises `LimitReached`."""
    most = created_limit(network, limits)
    if most is not None and count >= most:
        raise LimitReached(
            f"An address can create at most {_number(most, 'account')} in an hour; try again "
            "later, or ask the operator of this server for an invite token.",
            "address_accounts",
        )


def check_open(account: Account) -> None:
    """Using an account by its name alone, without a password. Raises `PasswordRequired`."""
    if account.password is not None:
        raise PasswordRequired()


def check_ban(count: int, local: bool, force: bool) -> None:
    """Banning a network besides `count` others, for operators; `local`: this machine is in it,
    which has to be confirmed (`force`). Raises `BadRequest`, `LimitReached`."""
    if local and not force:
        raise BadRequest(
            "that includes this machine, and the clients of a proxy on it; --force bans it as well"
        )
    if count >= _BANS:
        raise LimitReached(f"At most {_BANS} addresses and networks can be banned.")


def check_call_count(in_all: int, of_address: int, network: str, limits: Limits) -> None:
    """Carrying out one more call of gRPC, which has no session, than those in all and those from
    the address of the client. Raises `LimitReached`."""
    if in_all >= limits.calls:
        raise LimitReached(
            f"The server carries out at most {_number(limits.calls, 'call')} at a time.", "calls"
        )
    most = limits.address_unauthenticated
    if most is not None and of_address >= most and network != LOCAL:
        raise LimitReached(
            f"An address can have at most {_number(most, 'call')} carried out at a time.",
            "address_unauthenticated",
        )


def check_session_count(of_account: int, of_address: int, network: str, limits: Limits) -> None:
    """Opening one more session than those of the account, and than those from the address of the
    client (`chatd.core.addresses.network_of`). Raises `LimitReached`."""
    if of_account >= limits.account_sessions:
        raise LimitReached(
            f"An account can have at most {_number(limits.account_sessions, 'session')}.",
            "account_sessions",
        )
    most = limits.address_sessions
    if most is not None and of_address >= most and network != LOCAL:
        raise LimitReached(
            f"An address can have at most {_number(most, 'session')}.", "address_sessions"
        )


def check_not_suspended(account: Account, now: int) -> None:
    """Using an account, after its credentials were proven. `now` is milliseconds since 1970 (UTC).

    Raises `Suspended`, with the reason and the end.
    """
    if is_suspended(account, now):
        assert account.suspension is not None
        raise Suspended(account.suspension.sentence)


def is_suspended(account: Account, now: int) -> bool:
    """Whether an account is suspended at a time."""
    suspension = account.suspension
    return suspension is not None and (suspension.until is None or now < suspension.until)


def check_certificate_count(count: int) -> None:
    """Having `count` certificates log in to an account. Raises `LimitReached`."""
    if count > _CERTIFICATES:
        raise LimitReached(f"An account can have at most {_CERTIFICATES} certificates.")


def check_logged_in(session: S | None, otherwise: str = "") -> S:
    """Every request but those before login; `otherwise` is the refusal's sentence.

    Returns the session. Raises `NotLoggedIn`.
    """
    if session is None:
        raise NotLoggedIn(otherwise)
    return session


def check_list_accounts(session: S | None, policy: Policy, otherwise: str) -> None:
    """Listing all accounts; `otherwise` is the refusal's sentence.

    Raises `NotLoggedIn`.
    """
    if not policy.list_before_login:
        check_logged_in(session, otherwise)


def check_not_deleted(deleted: bool) -> None:
    """Every request whose account may be `deleted` while the request is under way.

    Raises `NotLoggedIn`.
    """
    if deleted:
        raise NotLoggedIn()


def may_administer(user: int, daemon_user: int) -> bool:
    """Whether a system user may use the admin socket: the one that runs the daemon, and root."""
    return user in (0, daemon_user)


# Sending


def check_sender(session: Session, sender: str) -> None:
    """Sending a message that names its sender, in any spelling. Raises `NotTheSender`."""
    if sender != session.name and sender.lower() != session.name.lower():
        raise NotTheSender()


def check_text(text: str, limit: int) -> None:
    """Sending a text of at most `limit` bytes of UTF-8. Raises `TextTooLong`."""
    size = len(text) if text.isascii() else len(text.encode())
    if size > limit:
        raise TextTooLong(f"text too long: {size} bytes, the limit is {limit}")


def check_not_blocked(blocked: Container[int], sender: int) -> None:
    """Sending a message, an invitation or a typing notice to an account that blocks `blocked`.

    The accounts are given by their ids. Raises `Blocked`.
    """
    if sender in blocked:
        raise Blocked()


def check_send_to_room(session: Session, log: str) -> Subscription:
    """Sending a message or a typing notice to a room. The sessions of all members follow it.

    Returns the subscription. Raises `NotAMember`, `OutOfScope`.
    """
    subscription = session.sendable.get(log)
    if subscription is None:
        if session.scope is not None:
            raise OutOfScope()
        raise NotAMember()
    return subscription


def _number(count: int, unit: str) -> str:
    """A number with its unit, a noun whose plural ends in an s."""
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


def check_blocked_count(count: int, limits: Limits) -> None:
    """Blocking one more account than `count`. Raises `LimitReached`."""
    if count >= limits.blocked:
        raise LimitReached(
            f"An account can block at most {_number(limits.blocked, 'other')}.", "blocked"
        )


def check_watched_count(count: int, limits: Limits) -> None:
    """Watching the presence of `count` accounts in a session. Raises `LimitReached`."""
    if count > limits.watched:
        raise LimitReached(
            f"A session can watch at most {_number(limits.watched, 'account')}.", "watched"
        )


# Access tokens


def check_right(session: Session, right: str) -> None:
    """A request of a session that requires a right: `ANY_SCOPE`, `SEND`, `READ`, or `ALL`, which is
    the right of sessions without a scope only. Raises `OutOfScope`."""
    scope = session.scope
    if scope is None or right == ANY_SCOPE:
        return
    if not ((right == SEND and scope.send) or (right == READ and scope.read)):
        raise OutOfScope()


def may_send_in_scope(scope: Scope, log: str) -> bool:
    """Whether an access token with this scope permits sending to a log, by its name in the
    store."""
    return log in scope.send


def check_send_in_scope(scope: Scope, log: str) -> None:
    """Sending to a log, by its name in the store, with an access token. Raises `OutOfScope`."""
    if not may_send_in_scope(scope, log):
        raise OutOfScope()


def may_read_in_scope(scope: Scope, log: str) -> bool:
    """Whether an access token with this scope permits reading a log, by its name in the store, if
    its account can read it."""
    return log in scope.read


def rooms_in_scope(scope: Scope | None, memberships: Mapping[str, Membership]) -> list[str]:
    """The rooms of an account, by the names by which clients know them, that a session with this
    scope follows, or may send to."""
    return [
        name
        for name, membership in memberships.items()
        if scope is None or room_log(membership.room) in scope.send | scope.read
    ]


def check_access_token_count(count: int, limits: Limits) -> None:
    """Making one more access token than `count`. Raises `LimitReached`."""
    if count >= limits.access_tokens:
        raise LimitReached(
            f"An account can have at most {_number(limits.access_tokens, 'access token')}.",
            "access_tokens",
        )


def check_grant_count(count: int) -> None:
    """Making an access token with so many scopes. Raises `ScopeInvalid`, `LimitReached`."""
    if not count:
        raise ScopeInvalid()
    if count > _GRANTS:
        raise LimitReached(f"An access token can have at most {_GRANTS} scopes.")


# Logs


def check_read_log(session: Session, log: str) -> Subscription:
    """Reading the history of a log, and setting its read marker.

    An account can read its mailbox, and the rooms that it is a member of, both after seq
    `readable_after`. Returns the subscription. Raises `UnknownLog`.
    """
    subscription = session.subscriptions.get(log)
    if subscription is None:
        raise UnknownLog()
    return subscription


def readable_after(session: Session, subscription: Subscription) -> int:
    """The seq after which an account can read a log that its session follows: 0, or in a room whose
    history is ``joined`` the last seq from before it joined."""
    room = subscription.live_log
    if not isinstance(room, Room) or room.record.shown_history != JOINED:
        return 0
    membership = session.mailbox.memberships.get(room.name)
    if membership is None or membership.room != room.id:
        return room.head
    return membership.joined


def check_acknowledge(session: Session, log: str, since: int) -> Subscription:
    """Acknowledging entries of a log that the account can read. `since` is when the account or room
    of the log was created; 0: it is not known which log of this name is meant.

    Returns the subscription. Raises `UnknownLog`.
    """
    subscription = check_read_log(session, log)
    mailbox = session.mailbox
    created = session.created
    if log != mailbox.name:
        membership = mailbox.memberships.get(log)
        if membership is None:
            raise UnknownLog()
        created = membership.since
    if since and since != created:
        raise UnknownLog()
    return subscription


def check_receipts(log: str) -> None:
    """Asking for the receipts of messages in a log: there are some in mailboxes only.

    Receipts are given for the account's own messages only (`is_author`). Raises `UnknownLog`.
    """
    if not is_mailbox(log):
        raise UnknownLog()


def check_look_up(session: Session, log: str) -> None:
    """Looking up an entry of a log: of every mailbox, and of the rooms that the account can read.

    `check_entry` decides about the entry. Raises `UnknownEntry`.
    """
    if is_room(log) and log not in session.subscriptions:
        raise UnknownEntry()


def check_entry(session: Session, log: str, entry: Entry) -> None:
    """Referring to an entry that the account can read, or to its own, also in other mailboxes.

    Raises `UnknownEntry`.
    """
    subscription = session.subscriptions.get(log)
    readable = subscription is not None and entry.seq > readable_after(session, subscription)
    if not readable and not is_author(session, entry):
        raise UnknownEntry()


def is_author(session: Session, entry: Entry) -> bool:
    """Whether the account of a session wrote an entry. See `wrote`."""
    return wrote(session.name, session.account, session.created, entry)


def wrote(name: str, account: int, created: int, entry: Entry) -> bool:
    """Whether an account, given by its name as first written and its id, wrote an entry, and not a
    former account of the same name.

    Entries of older versions of chatd have no author; their time tells.
    """
    if entry.author:
        return entry.author == account
    return entry.sender == name and entry.time >= created


def check_edit(session: Session, entry: Entry) -> None:
    """Editing a message: only its author can. Raises `NotTheAuthor`."""
    if not is_author(session, entry) or entry.kind != TEXT:
        raise NotTheAuthor()


def check_delete_message(session: Session, entry: Entry, role: str) -> None:
    """Deleting a message: its author can, and the moderators of its room. `role` is that of the
    account in the room, empty in a mailbox. Raises `NotTheAuthor`."""
    if entry.kind != TEXT or not is_moderator(role):
        check_edit(session, entry)


def check_message_exists(deleted: bool) -> None:
    """Editing, deleting and reacting to a message that may be deleted. Raises `AlreadyDeleted`."""
    if deleted:
        raise AlreadyDeleted()


def check_reaction_count(count: int, limits: Limits) -> None:
    """Setting a reaction to a message, or removing it, after so many times. Raises
    `LimitReached`."""
    if count >= limits.reactions:
        raise LimitReached(
            f"You can react to a message at most {_number(limits.reactions, 'time')}.", "reactions"
        )


def check_report_count(count: int, limits: Limits) -> None:
    """Reporting an account once more than `count` times in the last hour. Raises `LimitReached`."""
    if count >= limits.reports:
        raise LimitReached(
            f"You can report at most {_number(limits.reports, 'time')} in an hour.", "reports"
        )


# Rooms; `role` is that of the requester in the room (`chatd.realm.room`), empty for none


def may_see_room(room: RoomFacts, role: str) -> bool:
    """Whether an account can see a room: every public one, and private ones that it is a member of
    or invited to."""
    return not room.record.private or role != ""


def may_list_room(room: RoomFacts, role: str) -> bool:
    """Whether a listing has a room for an account: every room that it can see, but unlisted ones
    only if it is a member or invited."""
    return may_see_room(room, role) and (not room.record.unlisted or role != "")


def check_see_room(room: RoomFacts, role: str) -> None:
    """Every request about a room. Raises `UnknownRoom`, as if there were none."""
    if not may_see_room(room, role):
        raise UnknownRoom()


def is_member(role: str) -> bool:
    """Whether this is the role of a member."""
    return RANKS[role] >= RANKS[MEMBER]


def is_moderator(role: str) -> bool:
    """Whether this is the role of a moderator, a deputy or the owner."""
    return RANKS[role] >= RANKS[MODERATOR]


def check_member(room: RoomFacts, role: str) -> None:
    """Leaving a room. Raises `UnknownRoom`, `NotAMember`."""
    check_see_room(room, role)
    if not is_member(role):
        raise NotAMember()


def check_moderator(room: RoomFacts, role: str) -> None:
    """Setting a room's topic; the lobby has the moderators that operators make.

    Raises `UnknownRoom`, `NotAMember`, `NotAllowed`.
    """
    check_member(room, role)
    if not is_moderator(role):
        if not room.record.owner and not room.record.moderators:
            raise NotAllowed(f"{room.display_name} has no moderators, so no account can do that.")
        raise NotAllowed(f"Only moderators of {room.display_name} can do that.")


def check_deputy(room: RoomFacts, role: str) -> None:
    """Setting whether a room is private, and what is read of its history; for the owner and its
    deputies. The lobby has none.

    Raises `UnknownRoom`, `NotAMember`, `NotAllowed`.
    """
    check_member(room, role)
    if RANKS[role] < RANKS[DEPUTY]:
        if not room.record.owner:
            raise NotAllowed(f"{room.display_name} has no owner, so no account can do that.")
        raise NotAllowed(f"Only the owner of {room.display_name} and its deputies can do that.")


def check_owner(room: RoomFacts, role: str) -> None:
    """Deleting a room; the lobby has no owner.

    Raises `UnknownRoom`, `NotAMember`, `NotAllowed`.
    """
    check_member(room, role)
    if role != OWNER:
        if not room.record.owner:
            raise NotAllowed(f"{room.display_name} has no owner, so no account can do that.")
        raise NotAllowed(f"Only the owner of {room.display_name} can do that.")


def check_speak(room: RoomFacts, role: str, silence: SilenceRecord | None) -> None:
    """Sending a text, an edit, a reaction or a typing notice to a room, as a member that is
    silenced or not. Moderators always can, in a read-only room only they. Raises `ReadOnly`,
    `Silenced`."""
    if is_moderator(role):
        return
    if room.record.read_only:
        raise ReadOnly(f"{room.display_name} is read-only: only its moderators can send to it.")
    if silence is not None:
        raise Silenced(_sentence(f"You are silenced in {room.display_name}", silence))


def _sentence(beginning: str, restriction: RestrictionRecord) -> str:
    """A sentence with the end of a restriction and its reason."""
    if restriction.until < FOR_EVER:
        beginning += f" until {shown_end(restriction.until)}"
    return f"{beginning}: {restriction.reason}" if restriction.reason else f"{beginning}."


def check_slow_mode(room: RoomFacts, role: str, wait: float) -> None:
    """Sending a text to a room in slow mode, `wait` seconds before the interval of this member
    ends; moderators need not wait. Raises `SlowMode`."""
    if wait > 0 and not is_moderator(role):
        raise SlowMode(
            f"{room.display_name} is in slow mode: you can send again in {ceil(wait)} s."
        )


def check_rooms_made(count: int, limits: Limits) -> None:
    """Creating one more room than the `count` that the account has created and that exist, or can
    be restored.

    Raises `LimitReached`.
    """
    most = limits.rooms_made
    if most is not None and count >= most:
        raise LimitReached(f"An account can create at most {_number(most, 'room')}.", "rooms_made")


def check_room_count(count: int, limits: Limits) -> None:
    """Becoming a member of one more room than `count`. Raises `LimitReached`."""
    if count >= limits.rooms:
        raise LimitReached(
            f"An account can be in at most {_number(limits.rooms, 'room')}.", "rooms"
        )


def check_join(room: RoomFacts, role: str, members: int, limits: Limits) -> None:
    """Joining a room that has so many members: every account a public one, and invited accounts a
    private one. Raises `UnknownRoom`, `LimitReached`.
    """
    check_see_room(room, role)
    if members >= limits.members and not is_member(role):
        raise LimitReached(
            f"{room.display_name} has {_number(limits.members, 'member')}, and cannot have more.",
            "members",
        )


def check_not_banned(room: RoomFacts, ban: BanRecord | None) -> None:
    """Joining a room, as an account that can see it and is banned from it or not. Raises
    `Banned`."""
    if ban is not None:
        raise Banned(_sentence(f"You are banned from {room.display_name}", ban))


def check_invite(room: RoomFacts, role: str) -> None:
    """Inviting an account: members to a public room, moderators to a private one, unless the
    room's setting says otherwise.

    Raises `UnknownRoom`, `NotAMember`, `NotAllowed`.
    """
    check_member(room, role)
    default = MODERATORS if room.record.private else MEMBERS
    if (room.record.inviters or default) == MODERATORS:
        check_moderator(room, role)


def check_invitation_count(room: RoomFacts, count: int, limits: Limits) -> None:
    """Adding an invitation to the `count` invitations of a room. Raises `LimitReached`."""
    if count >= limits.members:
        raise LimitReached(
            f"{room.display_name} has {_number(limits.members, 'open invitation')}, and "
            "cannot have more.",
            "members",
        )


def check_invite_unbanned(room: RoomFacts, name: str, ban: BanRecord | None) -> None:
    """Inviting an account, which is banned from the room or not. Raises `Banned`."""
    if ban is not None:
        raise Banned(f"{name} is banned from {room.display_name}.")


def check_kick(room: RoomFacts, role: str, other: str, other_role: str) -> None:
    """Removing the member `other` of lower rank, or an invitation; for moderators.

    Raises `UnknownRoom`, `NotAMember`, `NotAllowed`, `UnknownMember`.
    """
    check_moderator(room, role)
    if not other_role:
        raise UnknownMember(f"{room.display_name} has no member {other}.")
    if other_role == OWNER:
        raise NotAllowed(f"The owner of {room.display_name} cannot be kicked.")
    if RANKS[other_role] >= RANKS[role]:
        if not room.record.owner:
            raise NotAllowed(f"A moderator of {room.display_name} cannot be kicked.")
        deputies = " and its deputies" if other_role == MODERATOR else ""
        raise NotAllowed(
            f"Only the owner of {room.display_name}{deputies} can kick a {other_role}."
        )


def may_restrict(role: str, other_role: str) -> bool:
    """Whether a moderator may ban or silence an account, which may be a member: one of lower
    rank."""
    return is_moderator(role) and RANKS[other_role] < RANKS[role]


def check_restrict(room: RoomFacts, role: str, other: str, other_role: str) -> None:
    """Banning or silencing the account `other`, which may be a member of lower rank; for
    moderators. Raises `UnknownRoom`, `NotAMember`, `NotAllowed`.
    """
    check_moderator(room, role)
    if other_role == OWNER:
        raise NotAllowed(f"The owner of {room.display_name} cannot be banned or silenced.")
    if not may_restrict(role, other_role):
        raise NotAllowed(
            f"Only members of {room.display_name} with a higher role can ban or silence a"
            f" {other_role}."
        )


def check_lift(room: RoomFacts, role: str, other: str, restricted: bool, restriction: str) -> None:
    """Ending the ban or the silence of `other`, if it is `restricted`; for moderators.
    `restriction` is ``banned from`` or ``silenced in``. Raises `UnknownRoom`, `NotAMember`,
    `NotAllowed`, `UnknownRestriction`.
    """
    check_moderator(room, role)
    if not restricted:
        raise UnknownRestriction(f"{other} is not {restriction} {room.display_name}.")


def check_restriction_count(room: RoomFacts, count: int, patterns: int, limits: Limits) -> None:
    """Adding a ban to the `count` bans of a room, of which so many are patterns (with the new one,
    if it is one), or a silenced account to as many. Raises `LimitReached`."""
    if count >= limits.restrictions:
        raise LimitReached(
            f"{room.display_name} has {limits.restrictions} of these, and cannot have more.",
            "restrictions",
        )
    if patterns > limits.ban_patterns:
        raise LimitReached(
            f"{room.display_name} has {_number(limits.ban_patterns, 'pattern')}, and "
            "cannot have more.",
            "ban_patterns",
        )


def check_set_role(
    room: RoomFacts, role: str, member: str, member_role: str, new_role: str
) -> None:
    """Giving a member another role; for the owner, and for its deputies among moderators and
    members.

    Raises `UnknownRoom`, `NotAMember`, `NotAllowed`, `UnknownMember`.
    """
    check_deputy(room, role)
    if role != OWNER and max(RANKS[member_role], RANKS[new_role]) >= RANKS[DEPUTY]:
        raise NotAllowed(f"Only the owner of {room.display_name} makes owners and deputies.")
    check_has_member(room, member, member_role)


def check_set_role_by_operator(
    room: RoomFacts, permanent: bool, member: str, member_role: str, new_role: str
) -> None:
    """Giving a member another role, as an operator. The lobby (`permanent`) has moderators and
    members only, since its owner could delete it or make it private.

    Raises `NotAllowed`, `UnknownMember`.
    """
    check_has_member(room, member, member_role)
    if permanent and RANKS[new_role] >= RANKS[DEPUTY]:
        raise NotAllowed(f"{room.display_name} has moderators and members only.")


def check_delete_room_by_operator(room: RoomFacts, permanent: bool) -> None:
    """Deleting a room, as an operator: any but the lobby (`permanent`). Raises `NotAllowed`."""
    if permanent:
        raise NotAllowed(f"{room.display_name} cannot be deleted.")


def check_restored_members(room: str, members: int) -> None:
    """Restoring a deleted room, as an operator, with so many members: it needs one. Raises
    `UnknownMember`."""
    if not members:
        raise UnknownMember(
            f"No member that {room} had still has its account; an owner must be named."
        )


def check_has_member(room: RoomFacts, member: str, member_role: str) -> None:
    """Giving the account `member`, with this role in the room, another one. Raises
    `UnknownMember`."""
    if not is_member(member_role):
        raise UnknownMember(f"{room.display_name} has no member {member}.")


def check_list_members(room: RoomFacts, role: str) -> None:
    """Listing the members of a room: of every public one, and of private ones for members.

    Raises `UnknownRoom`, `NotAMember`.
    """
    check_see_room(room, role)
    if room.record.private:
        check_member(room, role)
