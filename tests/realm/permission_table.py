"""The table of permissions: every action, by every kind of account, through the realm.

The kinds of account differ in what they are in the rooms #public and #private, which the owner
created. `target` is another account; it blocks the account *blocked*.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from chatd.core.limits import Limits
from chatd.realm import permissions as p
from chatd.realm.accounts import Account, Suspension, fingerprints
from chatd.realm.proof import Scope
from chatd.realm.room import RoomRecord
from chatd.realm.session import Session
from tests.doubles.realm import AckRecorder, RealmHarness, Text

NO_SESSION = "no session"
KINDS = (
    NO_SESSION,
    "outsider",
    "invited",
    "member",
    "moderator",
    "deputy",
    "owner",
    "blocked",
    # A member of #public whose name belonged to another account, which was deleted.
    "successor",
)
TARGET = "target"
ALLOWED = None
NOTHING = "nothing"
"""the outcome of what is allowed, and has no effect"""


@dataclass
class _Facts:
    """A room that is not in a store."""

    name: str
    display_name: str
    record: RoomRecord


class World:
    """Accounts of every kind, the rooms #public and #private, and some messages."""

    def __init__(self, **limits: Any) -> None:
        self.harness = RealmHarness(**limits)
        self.realm = self.harness.realm
        self.sessions: dict[str, Session] = {}
        self.peers: dict[str, AckRecorder] = {}
        run, rooms = self.harness.run, self.realm.rooms
        run(self.realm.start())
        for name in (*KINDS[1:], TARGET, "other"):
            self.open(name)
        for room, private in (("#public", False), ("#private", True)):
            run(rooms.create(self.sessions["owner"], room, "", private))
            for name in ("member", "moderator", "deputy", "invited"):
                run(rooms.invite(self.sessions["owner"], room, name))
                if name != "invited":
                    run(rooms.join(self.sessions[name], room))
            for name in ("moderator", "deputy"):
                run(rooms.set_role(self.sessions["owner"], room, name, name))
        run(rooms.join(self.sessions["successor"], "#public"))
        for name in ("member", "successor"):
            for recipient in ("#public", TARGET):
                run(self.send(self.sessions[name], recipient))
        run(self.realm.blocking.set_blocked(self.sessions[TARGET], "blocked", True))
        run(self.realm.delete(self.sessions.pop("successor")))
        self.open("successor")
        run(rooms.join(self.sessions["successor"], "#public"))
        self.realm.flush()
        self.harness.settle()
        entries = run(self.read(self.harness.log("#public")))
        self.seqs: dict[str, int] = {
            entry.sender: entry.seq for entry in entries if entry.kind == "text"
        }

    def open(self, name: str) -> None:
        """Register an account and log it in."""
        self.harness.register(name)
        session, peer = self.harness.login_ack(name)
        session.wants_typing = True
        self.sessions[name], self.peers[name] = session, peer

    async def read(self, log: str) -> Any:
        """The entries of a log."""
        return await self.realm.store.read(log, 0, 1_000)

    async def send(
        self, session: Session, recipient: str, sender: str = "", text: str = "x"
    ) -> None:
        """Send a text."""
        message = Text(sender or session.name, recipient, text)
        await self.realm.deliver(session, message)
        self.realm.flush()

    async def typing_arrives(self, session: Session, recipient: str) -> str | None:
        """Send a typing notice; the outcome says whether the target was notified."""
        await self.realm.presence.notify_typing(session, recipient, True)
        return ALLOWED if self.peers[TARGET].typing_notices else NOTHING

    def seq(self, author: str) -> int:
        """The seq of an account's message in #public."""
        return self.seqs[author]


Action = Callable[[World, Session], Awaitable[Any]]


@dataclass
class Row:
    """An action, the functions that decide it, and its outcome: `refusals` by kind of account,
    allowed for all others. Without a session everything is refused."""

    action: str
    functions: tuple[Callable[..., Any], ...]
    perform: Action
    refusals: dict[str, str] = field(default_factory=dict)
    limits: dict[str, int] = field(default_factory=dict)


def refused(code: str, *kinds: str) -> dict[str, str]:
    """Refusals with the same code; of all kinds if none is given."""
    return dict.fromkeys(kinds or KINDS[1:], code)


OUTSIDE_PUBLIC = ("outsider", "invited", "blocked")
OUTSIDE_PRIVATE = ("outsider", "blocked", "successor")
MAILBOX_SEQ = {"member": 1, "successor": 2}
"""the seqs of their messages in the target's mailbox"""


def edit(author: str) -> Action:
    """Edit a message in #public."""
    return lambda w, s: w.realm.edits.edit(s, "#public", w.seq(author), "y", None)


def edit_sent(author: str) -> Action:
    """Edit a message in the target's mailbox."""
    return lambda w, s: w.realm.edits.edit(s, "@target", MAILBOX_SEQ[author], "y", None)


def delete_message(author: str) -> Action:
    """Delete a message in #public."""
    return lambda w, s: w.realm.edits.delete(s, "#public", w.seq(author), None)


async def acknowledge(w: World, session: Session, log: str) -> None:
    """Acknowledge the first entry of a log."""
    session.acknowledge(log, 0, 1)


async def receipts_of(w: World, session: Session, author: str) -> str | None:
    """Ask for the receipts of a message in the target's mailbox."""
    states = await w.realm.receipts.states(session, "@target", [MAILBOX_SEQ[author]])
    return ALLOWED if states else NOTHING


async def see(w: World, session: Session, room: str) -> str | None:
    """Find a room."""
    rooms, _, _ = await w.realm.rooms.find(session, room, "", 10)
    return ALLOWED if rooms else NOTHING


async def set_certificates(w: World, session: Session, count: int) -> None:
    """Set certificates that log in to the account."""
    certificates = fingerprints([f"{number:064x}" for number in range(count)])
    _, account = await w.realm.accounts.existing(session.name)
    await w.realm.accounts.set_certificates(session.name, account, certificates, proven=True)


async def block_two(w: World, session: Session) -> None:
    """Block two accounts."""
    await w.realm.blocking.set_blocked(session, "other", True)
    await w.realm.blocking.set_blocked(session, TARGET, True)


async def invite_over_limit(w: World, session: Session) -> None:
    """Invite an account when a room has five invitations."""
    w.open("fifth")
    for name in ("outsider", "blocked", TARGET, "fifth"):
        await w.realm.rooms.invite(w.sessions["owner"], "#public", name)
    await w.realm.rooms.invite(session, "#public", "other")


async def with_setting(
    w: World, setting: str, value: str, action: Callable[[], Awaitable[Any]]
) -> Any:
    """Do something when a setting of #public has a value."""
    await w.realm.rooms.configure(w.sessions["owner"], "#public", setting, value)
    return await action()


async def listed(w: World, session: Session, room: str) -> str | None:
    """List a room; the outcome says whether it is in the listing."""
    rooms, _, _ = await w.realm.rooms.find(session, room, "", 10)
    return ALLOWED if rooms else NOTHING


async def ban_two(w: World, session: Session) -> None:
    """Ban two accounts from #public."""
    await w.realm.rooms.ban(session, "#public", "other", 0, "")
    await w.realm.rooms.ban(session, "#public", TARGET, 0, "")


async def when_banned(
    w: World, session: Session, room: str, action: Callable[[], Awaitable[Any]]
) -> None:
    """Do something after the account has been banned, if moderators can ban it."""
    if session.name not in ("moderator", "deputy", "owner"):
        await w.realm.rooms.ban(w.sessions["moderator"], room, session.name, 0, "")
    await action()


async def invite_banned(w: World, session: Session) -> None:
    """Invite an account that is banned from #public."""
    await w.realm.rooms.ban(w.sessions["owner"], "#public", "other", 0, "")
    await w.realm.rooms.invite(session, "#public", "other")


async def end_ban(w: World, session: Session, name: str) -> None:
    """End the ban of an account from #public, from which *other* is banned."""
    await w.realm.rooms.ban(w.sessions["owner"], "#public", "other", 0, "")
    await w.realm.rooms.unban(session, "#public", name)


async def when_silenced(w: World, session: Session) -> None:
    """Send to #public after the account has been silenced, if moderators can silence it."""
    if session.name not in ("moderator", "deputy", "owner"):
        await w.realm.rooms.silence(w.sessions["moderator"], "#public", session.name, 0, "")
    await w.send(session, "#public")


async def send_twice(w: World, session: Session) -> None:
    """Send two texts to #public."""
    await w.send(session, "#public")
    await w.send(session, "#public")


TABLE = [
    # Sending
    Row(
        "send to an account",
        (p.check_logged_in, p.check_not_blocked),
        lambda w, s: w.send(s, TARGET),
        refused("blocked", "blocked"),
    ),
    Row(
        "send to a room",
        (p.check_send_to_room,),
        lambda w, s: w.send(s, "#public"),
        refused("not-a-member", *OUTSIDE_PUBLIC),
    ),
    Row(
        "send under the own name in another spelling",
        (p.check_sender,),
        lambda w, s: w.send(s, "owner", s.name.upper()),
    ),
    Row(
        "send under another name",
        (p.check_sender,),
        lambda w, s: w.send(s, "owner", "target"),
        refused("not-the-sender"),
    ),
    Row(
        "send a text over the limit",
        (p.check_text,),
        lambda w, s: w.send(s, "owner", text="x" * 65_537),
        refused("text-too-long"),
    ),
    Row(
        "notify an account of typing",
        (p.check_not_blocked,),
        lambda w, s: w.typing_arrives(s, TARGET),
        refused(NOTHING, "blocked"),
    ),
    Row(
        "notify a room of typing",
        (p.check_send_to_room,),
        lambda w, s: w.realm.presence.notify_typing(s, "#public", True),
        refused("not-a-member", *OUTSIDE_PUBLIC),
    ),
    Row(
        "block an account",
        (p.check_blocked_count,),
        lambda w, s: w.realm.blocking.set_blocked(s, "owner", True),
    ),
    Row(
        "block accounts over the limit",
        (p.check_blocked_count,),
        block_two,
        refused("limit-reached"),
        {"blocked": 1},
    ),
    Row(
        "watch accounts",
        (p.check_watched_count,),
        lambda w, s: w.realm.presence.find(s, ["owner", TARGET], True),
    ),
    Row(
        "watch accounts over the limit",
        (p.check_watched_count,),
        lambda w, s: w.realm.presence.find(s, ["owner", TARGET], True),
        refused("limit-reached"),
        {"watched": 1},
    ),
    Row(
        "set certificates",
        (p.check_certificate_count,),
        lambda w, s: set_certificates(w, s, 8),
    ),
    Row(
        "set certificates over the limit",
        (p.check_certificate_count,),
        lambda w, s: set_certificates(w, s, 9),
        refused("limit-reached"),
    ),
    # Logs
    Row(
        "read the history of the own mailbox",
        (p.check_read_log,),
        lambda w, s: w.realm.history.page(s, s.mailbox.name, 0, 0, 10),
    ),
    Row(
        "clear the own mailbox",
        (),
        lambda w, s: w.realm.history.clear_mailbox(s, 1),
    ),
    Row(
        "read the history of another mailbox",
        (p.check_read_log,),
        lambda w, s: w.realm.history.page(s, "@target", 0, 0, 10),
        refused("unknown-log"),
    ),
    Row(
        "read the history of a public room",
        (p.check_read_log, p.readable_after),
        lambda w, s: w.realm.history.page(s, "#public", 0, 0, 10),
        refused("unknown-log", *OUTSIDE_PUBLIC),
    ),
    Row(
        "read the history of a private room",
        (p.check_read_log, p.readable_after),
        lambda w, s: w.realm.history.page(s, "#private", 0, 0, 10),
        refused("unknown-log", "invited", *OUTSIDE_PRIVATE),
    ),
    Row(
        "set the read marker in a room",
        (p.check_read_log,),
        lambda w, s: w.realm.receipts.mark_read(s, "#public", 1),
        refused("unknown-log", *OUTSIDE_PUBLIC),
    ),
    Row(
        "set the read marker in another mailbox",
        (p.check_read_log,),
        lambda w, s: w.realm.receipts.mark_read(s, "@target", 1),
        refused("unknown-log"),
    ),
    Row(
        "acknowledge entries of a room",
        (p.check_acknowledge,),
        lambda w, s: acknowledge(w, s, "#public"),
        refused("unknown-log", *OUTSIDE_PUBLIC),
    ),
    Row(
        "acknowledge entries of another mailbox",
        (p.check_acknowledge,),
        lambda w, s: acknowledge(w, s, "@target"),
        refused("unknown-log"),
    ),
    Row(
        "ask for the receipts of a member's message to the target",
        (p.check_receipts, p.is_author),
        lambda w, s: receipts_of(w, s, "member"),
        refused(NOTHING) | {"member": ""},
    ),
    Row(
        "ask for the receipts of a former account's message",
        (p.check_receipts, p.is_author),
        lambda w, s: receipts_of(w, s, "successor"),
        refused(NOTHING),
    ),
    Row(
        "ask for the receipts of messages in a room",
        (p.check_receipts,),
        lambda w, s: w.realm.receipts.states(s, "#public", [1]),
        refused("unknown-log"),
    ),
    Row(
        "report a message in a room",
        (p.check_look_up, p.check_entry, p.wrote),
        lambda w, s: w.realm.reports.report(s, "member", "", "#public", w.seq("member")),
        refused("unknown-entry", *OUTSIDE_PUBLIC),
    ),
    Row(
        "report a message in another mailbox",
        (p.check_look_up, p.check_entry),
        lambda w, s: w.realm.reports.report(s, "member", "", "@target", 1),
        refused("unknown-entry") | {"member": ""},
    ),
    # Messages
    Row(
        "edit a member's message in a room",
        (p.check_edit, p.is_author),
        edit("member"),
        refused("unknown-entry", *OUTSIDE_PUBLIC)
        | refused("not-the-author", "moderator", "deputy", "owner", "successor"),
    ),
    Row(
        "edit a former account's message in a room",
        (p.check_edit, p.is_author),
        edit("successor"),
        refused("unknown-entry", *OUTSIDE_PUBLIC)
        | refused("not-the-author", "member", "moderator", "deputy", "owner", "successor"),
    ),
    Row(
        "edit a member's message to an account",
        (p.check_edit, p.check_entry),
        edit_sent("member"),
        refused("unknown-entry") | {"member": ""},
    ),
    Row(
        "edit a former account's message to an account",
        (p.check_edit, p.check_entry),
        edit_sent("successor"),
        refused("unknown-entry"),
    ),
    Row(
        "delete a member's message in a room",
        (p.check_delete_message, p.is_moderator),
        delete_message("member"),
        refused("unknown-entry", *OUTSIDE_PUBLIC) | refused("not-the-author", "successor"),
    ),
    Row(
        "delete a former account's message in a room",
        (p.check_delete_message, p.is_moderator),
        delete_message("successor"),
        refused("unknown-entry", *OUTSIDE_PUBLIC)
        | refused("not-the-author", "member", "successor"),
    ),
    Row(
        "react to a message in a room",
        (p.check_look_up,),
        lambda w, s: w.realm.edits.react(s, "#public", w.seq("member"), "+", None),
        refused("unknown-entry", *OUTSIDE_PUBLIC),
    ),
    # Rooms
    Row("see a public room", (p.may_see_room,), lambda w, s: see(w, s, "#public")),
    Row(
        "see a private room",
        (p.may_see_room,),
        lambda w, s: see(w, s, "#private"),
        refused(NOTHING, *OUTSIDE_PRIVATE),
    ),
    Row(
        "create a room",
        (p.check_room_count,),
        lambda w, s: w.realm.rooms.create(s, "#new", "", False),
    ),
    Row(
        "create a room over the account's limit",
        (p.check_room_count,),
        lambda w, s: w.realm.rooms.create(s, "#new", "", False),
        refused("limit-reached", "member", "moderator", "deputy", "owner"),
        {"rooms": 2},
    ),
    Row(
        "join a public room",
        (p.check_join,),
        lambda w, s: w.realm.rooms.join(s, "#public"),
    ),
    Row(
        "join a private room",
        (p.check_join, p.check_see_room),
        lambda w, s: w.realm.rooms.join(s, "#private"),
        refused("unknown-room", *OUTSIDE_PRIVATE),
    ),
    Row(
        "join a room that is full",
        (p.check_join,),
        lambda w, s: w.realm.rooms.join(s, "#public"),
        refused("limit-reached", *OUTSIDE_PUBLIC),
        {"members": 5},
    ),
    Row(
        "leave a public room",
        (p.check_member, p.is_member),
        lambda w, s: w.realm.rooms.leave(s, "#public"),
        refused("not-a-member", *OUTSIDE_PUBLIC),
    ),
    Row(
        "leave a private room",
        (p.check_member, p.check_see_room),
        lambda w, s: w.realm.rooms.leave(s, "#private"),
        refused("unknown-room", *OUTSIDE_PRIVATE) | refused("not-a-member", "invited"),
    ),
    Row(
        "list the members of a public room",
        (p.check_list_members,),
        lambda w, s: w.realm.rooms.members(s, "#public", "", 10),
    ),
    Row(
        "list the members of a private room",
        (p.check_list_members,),
        lambda w, s: w.realm.rooms.members(s, "#private", "", 10),
        refused("unknown-room", *OUTSIDE_PRIVATE) | refused("not-a-member", "invited"),
    ),
    Row(
        "set the topic",
        (p.check_moderator,),
        lambda w, s: w.realm.rooms.set_topic(s, "#public", "x"),
        refused("not-a-member", *OUTSIDE_PUBLIC) | refused("not-allowed", "member", "successor"),
    ),
    Row(
        "set the topic of a private room",
        (p.check_moderator,),
        lambda w, s: w.realm.rooms.set_topic(s, "#private", "x"),
        refused("unknown-room", *OUTSIDE_PRIVATE)
        | refused("not-a-member", "invited")
        | refused("not-allowed", "member"),
    ),
    Row(
        "make a room private",
        (p.check_deputy,),
        lambda w, s: w.realm.rooms.set_private(s, "#public", True),
        refused("not-a-member", *OUTSIDE_PUBLIC)
        | refused("not-allowed", "member", "moderator", "successor"),
    ),
    Row(
        "set what members read of a room's history",
        (p.check_deputy,),
        lambda w, s: w.realm.rooms.set_history(s, "#public", "joined"),
        refused("not-a-member", *OUTSIDE_PUBLIC)
        | refused("not-allowed", "member", "moderator", "successor"),
    ),
    Row(
        "set slow mode",
        (p.check_moderator,),
        lambda w, s: w.realm.rooms.configure(s, "#public", "slow", "5"),
        refused("not-a-member", *OUTSIDE_PUBLIC) | refused("not-allowed", "member", "successor"),
    ),
    Row(
        "make a room read-only",
        (p.check_deputy,),
        lambda w, s: w.realm.rooms.configure(s, "#public", "read-only", "on"),
        refused("not-a-member", *OUTSIDE_PUBLIC)
        | refused("not-allowed", "member", "moderator", "successor"),
    ),
    Row(
        "send to a read-only room",
        (p.check_speak,),
        lambda w, s: with_setting(w, "read-only", "on", lambda: w.send(s, "#public")),
        refused("not-a-member", *OUTSIDE_PUBLIC) | refused("read-only", "member", "successor"),
    ),
    Row(
        "send twice to a room in slow mode",
        (p.check_slow_mode,),
        lambda w, s: with_setting(w, "slow", "5", lambda: send_twice(w, s)),
        refused("not-a-member", *OUTSIDE_PUBLIC) | refused("slow-mode", "member", "successor"),
    ),
    Row(
        "delete a room",
        (p.check_owner,),
        lambda w, s: w.realm.rooms.delete(s, "#private"),
        refused("unknown-room", *OUTSIDE_PRIVATE)
        | refused("not-a-member", "invited")
        | refused("not-allowed", "member", "moderator", "deputy"),
    ),
    Row(
        "invite to a public room",
        (p.check_invite,),
        lambda w, s: w.realm.rooms.invite(s, "#public", "outsider"),
        refused("not-a-member", *OUTSIDE_PUBLIC),
    ),
    Row(
        "invite to a public room where moderators invite",
        (p.check_invite,),
        lambda w, s: with_setting(
            w, "invite", "moderators", lambda: w.realm.rooms.invite(s, "#public", "outsider")
        ),
        refused("not-a-member", *OUTSIDE_PUBLIC) | refused("not-allowed", "member", "successor"),
    ),
    Row(
        "list an unlisted room",
        (p.may_list_room,),
        lambda w, s: with_setting(w, "unlisted", "on", lambda: listed(w, s, "#public")),
        refused(NOTHING, "outsider", "blocked"),
    ),
    Row(
        "set who may invite",
        (p.check_deputy,),
        lambda w, s: w.realm.rooms.configure(s, "#public", "invite", "members"),
        refused("not-a-member", *OUTSIDE_PUBLIC)
        | refused("not-allowed", "member", "moderator", "successor"),
    ),
    Row(
        "make a room unlisted",
        (p.check_deputy,),
        lambda w, s: w.realm.rooms.configure(s, "#public", "unlisted", "on"),
        refused("not-a-member", *OUTSIDE_PUBLIC)
        | refused("not-allowed", "member", "moderator", "successor"),
    ),
    Row(
        "invite to a private room",
        (p.check_invite,),
        lambda w, s: w.realm.rooms.invite(s, "#private", "outsider"),
        refused("unknown-room", *OUTSIDE_PRIVATE)
        | refused("not-a-member", "invited")
        | refused("not-allowed", "member"),
    ),
    Row(
        "invite an account that blocks one",
        (p.check_not_blocked,),
        lambda w, s: w.realm.rooms.invite(s, "#public", TARGET),
        refused("not-a-member", "outsider", "invited") | refused("blocked", "blocked"),
    ),
    Row(
        "invite over the limit",
        (p.check_invitation_count,),
        invite_over_limit,
        refused("not-a-member", *OUTSIDE_PUBLIC)
        | refused("limit-reached", "member", "moderator", "deputy", "owner", "successor"),
        {"members": 5},
    ),
    Row(
        "kick a member",
        (p.check_kick,),
        lambda w, s: w.realm.rooms.kick(s, "#public", "successor"),
        refused("not-a-member", *OUTSIDE_PUBLIC) | refused("not-allowed", "member", "successor"),
    ),
    Row(
        "kick a moderator",
        (p.check_kick,),
        lambda w, s: w.realm.rooms.kick(s, "#public", "moderator"),
        refused("not-a-member", *OUTSIDE_PUBLIC)
        | refused("not-allowed", "member", "moderator", "successor"),
    ),
    Row(
        "kick a deputy",
        (p.check_kick,),
        lambda w, s: w.realm.rooms.kick(s, "#public", "deputy"),
        refused("not-a-member", *OUTSIDE_PUBLIC)
        | refused("not-allowed", "member", "moderator", "deputy", "successor"),
    ),
    Row(
        "kick the owner",
        (p.check_kick,),
        lambda w, s: w.realm.rooms.kick(s, "#public", "owner"),
        refused("not-a-member", *OUTSIDE_PUBLIC)
        | refused("not-allowed", "member", "moderator", "deputy", "owner", "successor"),
    ),
    Row(
        "withdraw an invitation",
        (p.check_kick,),
        lambda w, s: w.realm.rooms.kick(s, "#private", "invited"),
        refused("unknown-room", *OUTSIDE_PRIVATE)
        | refused("not-a-member", "invited")
        | refused("not-allowed", "member"),
    ),
    Row(
        "kick an account that is not in the room",
        (p.check_kick,),
        lambda w, s: w.realm.rooms.kick(s, "#public", TARGET),
        refused("not-a-member", *OUTSIDE_PUBLIC)
        | refused("not-allowed", "member", "successor")
        | refused("unknown-member", "moderator", "deputy", "owner"),
    ),
    Row(
        "ban an account that is not in the room",
        (p.check_restrict, p.may_restrict, p.check_moderator),
        lambda w, s: w.realm.rooms.ban(s, "#public", TARGET, 0, ""),
        refused("not-a-member", *OUTSIDE_PUBLIC) | refused("not-allowed", "member", "successor"),
    ),
    Row(
        "ban a moderator",
        (p.check_restrict,),
        lambda w, s: w.realm.rooms.ban(s, "#public", "moderator", 0, ""),
        refused("not-a-member", *OUTSIDE_PUBLIC)
        | refused("not-allowed", "member", "moderator", "successor"),
    ),
    Row(
        "ban the owner",
        (p.check_restrict,),
        lambda w, s: w.realm.rooms.ban(s, "#public", "owner", 0, ""),
        refused("not-a-member", *OUTSIDE_PUBLIC)
        | refused("not-allowed", "member", "moderator", "deputy", "owner", "successor"),
    ),
    Row(
        "ban a pattern of names",
        (p.check_moderator,),
        lambda w, s: w.realm.rooms.ban(s, "#public", "x*", 0, ""),
        refused("not-a-member", *OUTSIDE_PUBLIC) | refused("not-allowed", "member", "successor"),
    ),
    Row(
        "ban over the limit",
        (p.check_restriction_count,),
        ban_two,
        refused("not-a-member", *OUTSIDE_PUBLIC)
        | refused("not-allowed", "member", "successor")
        | refused("limit-reached", "moderator", "deputy", "owner"),
        {"restrictions": 1},
    ),
    Row(
        "list the bans of a private room",
        (p.check_moderator,),
        lambda w, s: w.realm.rooms.bans(s, "#private", "", 10),
        refused("unknown-room", *OUTSIDE_PRIVATE)
        | refused("not-a-member", "invited")
        | refused("not-allowed", "member"),
    ),
    Row(
        "join a public room that one is banned from",
        (p.check_not_banned,),
        lambda w, s: when_banned(w, s, "#public", lambda: w.realm.rooms.join(s, "#public")),
        refused("banned", *OUTSIDE_PUBLIC, "member", "successor"),
    ),
    Row(
        "join a private room that one is banned from",
        (p.check_not_banned, p.check_see_room),
        lambda w, s: when_banned(w, s, "#private", lambda: w.realm.rooms.join(s, "#private")),
        refused("unknown-room", "invited", "member", *OUTSIDE_PRIVATE),
    ),
    Row(
        "invite a banned account",
        (p.check_invite_unbanned,),
        invite_banned,
        refused("not-a-member", *OUTSIDE_PUBLIC)
        | refused("banned", "member", "moderator", "deputy", "owner", "successor"),
    ),
    Row(
        "end a ban",
        (p.check_lift,),
        lambda w, s: end_ban(w, s, "other"),
        refused("not-a-member", *OUTSIDE_PUBLIC) | refused("not-allowed", "member", "successor"),
    ),
    Row(
        "end a ban that there is not",
        (p.check_lift,),
        lambda w, s: end_ban(w, s, TARGET),
        refused("not-a-member", *OUTSIDE_PUBLIC)
        | refused("not-allowed", "member", "successor")
        | refused("unknown-restriction", "moderator", "deputy", "owner"),
    ),
    Row(
        "silence a member",
        (p.check_restrict,),
        lambda w, s: w.realm.rooms.silence(s, "#public", "successor", 0, ""),
        refused("not-a-member", *OUTSIDE_PUBLIC) | refused("not-allowed", "member", "successor"),
    ),
    Row(
        "send to a room in which one is silenced",
        (p.check_speak,),
        when_silenced,
        refused("not-a-member", *OUTSIDE_PUBLIC) | refused("silenced", "member", "successor"),
    ),
    Row(
        "set the role of a member",
        (p.check_set_role,),
        lambda w, s: w.realm.rooms.set_role(s, "#public", "member", "moderator"),
        refused("not-a-member", *OUTSIDE_PUBLIC)
        | refused("not-allowed", "member", "moderator", "successor"),
    ),
    Row(
        "set the role of an invited account",
        (p.check_set_role,),
        lambda w, s: w.realm.rooms.set_role(s, "#private", "invited", "moderator"),
        refused("unknown-room", *OUTSIDE_PRIVATE)
        | refused("not-a-member", "invited")
        | refused("not-allowed", "member", "moderator")
        | refused("unknown-member", "deputy", "owner"),
    ),
    Row(
        "make a member a deputy",
        (p.check_set_role,),
        lambda w, s: w.realm.rooms.set_role(s, "#public", "member", "deputy"),
        refused("not-a-member", *OUTSIDE_PUBLIC)
        | refused("not-allowed", "member", "moderator", "deputy", "successor"),
    ),
    Row(
        "make a deputy a member",
        (p.check_set_role,),
        lambda w, s: w.realm.rooms.set_role(s, "#public", "deputy", "member"),
        refused("not-a-member", *OUTSIDE_PUBLIC)
        | refused("not-allowed", "member", "moderator", "deputy", "successor"),
    ),
    Row(
        "make a moderator a member",
        (p.check_set_role,),
        lambda w, s: w.realm.rooms.set_role(s, "#public", "moderator", "member"),
        refused("not-a-member", *OUTSIDE_PUBLIC)
        | refused("not-allowed", "member", "moderator", "successor"),
    ),
    Row(
        "take the room from its owner",
        (p.check_set_role,),
        lambda w, s: w.realm.rooms.set_role(s, "#public", s.name, "owner"),
        refused("not-a-member", *OUTSIDE_PUBLIC)
        | refused("not-allowed", "member", "moderator", "deputy", "successor"),
    ),
]

ROOM = _Facts("#a", "#A", RoomRecord(1, 9, owner=1, owner_name="Ann"))

SCOPE = Scope(frozenset({"#1"}), frozenset({"#2"}), ("send #one", "read #two"))
MEMBERSHIPS = {
    "#one": SimpleNamespace(room=1),
    "#two": SimpleNamespace(room=2),
    "#three": SimpleNamespace(room=3),
}

WITHOUT_SESSION: list[tuple[Callable[..., Any], tuple[Any, ...], Any]] = [
    (p.check_registration, (p.Policy(p.OPEN), False), ALLOWED),
    (p.check_registration, (p.Policy(p.OPEN), True), ALLOWED),
    (p.check_registration, (p.Policy(p.INVITE_ONLY), False), "invite-required"),
    (p.check_registration, (p.Policy(p.INVITE_ONLY), True), ALLOWED),
    (p.check_registration, (p.Policy(p.CLOSED), False), "registration-closed"),
    (p.check_registration, (p.Policy(p.CLOSED), True), "registration-closed"),
    (p.check_open_accounts, (p.Policy(),), ALLOWED),
    (p.check_open_accounts, (p.Policy(open_accounts=False),), "password-needed"),
    (p.check_list_accounts, (None, p.Policy(), "x"), ALLOWED),
    (p.check_list_accounts, (None, p.Policy(list_before_login=False), "x"), "not-logged-in"),
    (p.check_list_accounts, ("session", p.Policy(list_before_login=False), "x"), ALLOWED),
    (p.check_open, (Account(0),), ALLOWED),
    (p.check_open, (Account(0, "$argon2id$..."),), "password-required"),
    (p.check_open, (Account(0, ""),), "password-required"),
    (p.check_ban, (0, False, False), ALLOWED),
    (p.check_ban, (9_999, True, True), ALLOWED),
    (p.check_ban, (0, True, False), "bad-request"),
    (p.check_ban, (10_000, False, True), "limit-reached"),
    (p.check_call_count, (999, 199, "192.0.2.7", Limits()), ALLOWED),
    (p.check_call_count, (999, 999, "local", Limits()), ALLOWED),
    (p.check_call_count, (1000, 0, "local", Limits()), "limit-reached"),
    (p.check_call_count, (200, 200, "192.0.2.7", Limits()), "limit-reached"),
    (p.created_limit, ("192.0.2.7", Limits()), 20),
    (p.created_limit, ("local", Limits()), None),
    (p.check_created_count, (19, "192.0.2.7", Limits()), ALLOWED),
    (p.check_created_count, (20, "192.0.2.7", Limits()), "limit-reached"),
    (p.check_created_count, (20, "192.0.2.7", Limits(address_accounts=None)), ALLOWED),
    (p.check_created_count, (15_000, "local", Limits()), ALLOWED),
    (p.check_created_count, (1, "local", Limits(local_accounts=1)), "limit-reached"),
    (p.check_message_exists, (False,), ALLOWED),
    (p.check_message_exists, (True,), "already-deleted"),
    (p.check_report_count, (99, Limits()), ALLOWED),
    (p.check_report_count, (100, Limits()), "limit-reached"),
    (p.check_reaction_count, (7, Limits()), ALLOWED),
    (p.check_reaction_count, (8, Limits()), "limit-reached"),
    (p.check_rooms_made, (49, Limits()), ALLOWED),
    (p.check_rooms_made, (50, Limits()), "limit-reached"),
    (p.check_rooms_made, (10_000, Limits(rooms_made=None)), ALLOWED),
    (p.check_session_count, (63, 999, "192.0.2.7", Limits()), ALLOWED),
    (p.check_session_count, (64, 0, "192.0.2.7", Limits()), "limit-reached"),
    (p.check_session_count, (64, 0, "local", Limits()), "limit-reached"),
    (p.check_session_count, (0, 1000, "192.0.2.7", Limits()), "limit-reached"),
    (p.check_session_count, (0, 15_000, "local", Limits()), ALLOWED),
    (p.check_session_count, (0, 15_000, "192.0.2.7", Limits(address_sessions=None)), ALLOWED),
    (p.check_not_suspended, (Account(0), 5), ALLOWED),
    (p.check_not_suspended, (Account(0, suspension=Suspension(1, 5)), 5), ALLOWED),
    (p.check_not_suspended, (Account(0, suspension=Suspension(1, 6)), 5), "suspended"),
    (p.check_not_suspended, (Account(0, suspension=Suspension(1)), 5), "suspended"),
    (p.is_suspended, (Account(0), 5), False),
    (p.is_suspended, (Account(0, suspension=Suspension(1, 5)), 5), False),
    (p.is_suspended, (Account(0, suspension=Suspension(1, 6)), 5), True),
    (p.check_access_token_count, (63, Limits()), ALLOWED),
    (p.check_access_token_count, (64, Limits()), "limit-reached"),
    (p.check_grant_count, (0,), "scope-invalid"),
    (p.check_grant_count, (16,), ALLOWED),
    (p.check_grant_count, (17,), "limit-reached"),
    (p.may_send_in_scope, (SCOPE, "#1"), True),
    (p.may_send_in_scope, (SCOPE, "#2"), False),
    (p.may_read_in_scope, (SCOPE, "#1"), False),
    (p.may_read_in_scope, (SCOPE, "#2"), True),
    (p.check_send_in_scope, (SCOPE, "#1"), ALLOWED),
    (p.check_send_in_scope, (SCOPE, "#2"), "out-of-scope"),
    (p.rooms_in_scope, (SCOPE, MEMBERSHIPS), ["#one", "#two"]),
    (p.rooms_in_scope, (None, MEMBERSHIPS), ["#one", "#two", "#three"]),
    *(
        (p.check_right, (SimpleNamespace(scope=scope), right), outcome)
        for scope, right, outcome in (
            (None, "all", ALLOWED),
            (SCOPE, "all", "out-of-scope"),
            (SCOPE, p.ANY_SCOPE, ALLOWED),
            (SCOPE, "send", ALLOWED),
            (SCOPE, "read", ALLOWED),
            (Scope(frozenset(), frozenset({"#2"}), ()), "send", "out-of-scope"),
            (Scope(frozenset({"#1"}), frozenset(), ()), "read", "out-of-scope"),
            (Scope(frozenset(), frozenset(), ()), p.ANY_SCOPE, ALLOWED),
        )
    ),
    (p.check_not_deleted, (False,), ALLOWED),
    (p.check_not_deleted, (True,), "not-logged-in"),
    (p.may_administer, (1000, 1000), True),
    (p.may_administer, (0, 1000), True),
    (p.may_administer, (1001, 1000), False),
    (p.may_administer, (1001, 0), False),
    (p.check_has_member, (ROOM, "bob", "member"), ALLOWED),
    (p.check_has_member, (ROOM, "bob", "invited"), "unknown-member"),
    (p.check_has_member, (ROOM, "bob", ""), "unknown-member"),
    (p.check_set_role_by_operator, (ROOM, False, "bob", "member", "owner"), ALLOWED),
    (p.check_set_role_by_operator, (ROOM, False, "bob", "owner", "member"), ALLOWED),
    (p.check_set_role_by_operator, (ROOM, False, "bob", "", "member"), "unknown-member"),
    (p.check_set_role_by_operator, (ROOM, True, "bob", "member", "moderator"), ALLOWED),
    (p.check_set_role_by_operator, (ROOM, True, "bob", "moderator", "member"), ALLOWED),
    (p.check_set_role_by_operator, (ROOM, True, "bob", "member", "deputy"), "not-allowed"),
    (p.check_set_role_by_operator, (ROOM, True, "bob", "member", "owner"), "not-allowed"),
    (p.check_delete_room_by_operator, (ROOM, False), ALLOWED),
    (p.check_delete_room_by_operator, (ROOM, True), "not-allowed"),
    (p.check_restored_members, ("#a", 1), ALLOWED),
    (p.check_restored_members, ("#a", 0), "unknown-member"),
]
"""functions that decide before there is a session, their arguments, and the outcome"""
