"""What clients can know of accounts and rooms: facts that requests change, and who may do what."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf
from typing import Any

from chatd.realm.permissions import CLOSED, INVITE_ONLY, Policy
from tests.simulation.facts import Change, Fact
from tests.simulation.tokens import Tokens

UNKNOWN_OWNER = "?"
"""the owner of a room whose owner may have left: a member that clients cannot tell"""


class State:
    """Accounts, rooms, roles and invite tokens of one history, and the ticks of its events."""

    def __init__(self, names: Iterable[str], rooms: Iterable[str]) -> None:
        self.tick = 1
        self.violations: list[tuple[str, str]] = []
        self.log: Callable[[str], None] = lambda line: None
        self.names = list(names)
        self.rooms = list(rooms)
        mailboxes = ["@" + name for name in self.names]
        self.exists = {log: Fact(log == "#lobby") for log in [*mailboxes, *self.rooms]}
        self.password = {name: Fact(None) for name in self.names}
        self.certificates = {name: Fact(frozenset()) for name in self.names}
        self.hidden = {name: Fact(False) for name in self.names}
        self.blocks = {(a, b): Fact(False) for a in self.names for b in self.names}
        self.member = {(room, name): Fact(False) for room in self.rooms for name in self.names}
        self.moderator = {(room, name): Fact(False) for room in self.rooms for name in self.names}
        self.deputy = {(room, name): Fact(False) for room in self.rooms for name in self.names}
        self.owner = {room: Fact("") for room in self.rooms}
        self.topic = {room: Fact("") for room in self.rooms}
        self.private = {room: Fact(False) for room in self.rooms}
        self.history = {room: Fact("all") for room in self.rooms}
        self.outside: dict[tuple[str, str], int] = {}
        """by room and name, the last tick at which an account joined that certainly was no member
        until then"""
        self.invited = {(room, name): Fact(False) for room in self.rooms for name in self.names}
        self.banned = {(room, name): Fact(False) for room in self.rooms for name in self.names}
        self.silenced = {(room, name): Fact(False) for room in self.rooms for name in self.names}
        self.settings = {
            (room, setting): Fact(value)
            for room in self.rooms
            for setting, value in (("slow", "0"), ("read-only", "off"))
        }
        self.deletions: dict[str, list[Change]] = {log: [] for log in self.exists}
        self.password_changes: dict[str, list[Change]] = {name: [] for name in self.names}
        self.credential_changes: dict[str, list[Change]] = {name: [] for name in self.names}
        self.takeovers: dict[str, list[Change]] = {name: [] for name in self.names}
        self.ended_sessions: dict[str, list[Change]] = {name: [] for name in self.names}
        self.suspended: set[str] = set()
        """the accounts that were suspended at some time, until the end of the history"""
        self.bans: dict[str, list[Change]] = {name: [] for name in self.names}
        self.doubtful_passwords = dict.fromkeys(self.names, 0)
        """for each account, how many log-ins may have had a wrong password"""
        self.resume_tokens = Tokens(self.names)
        """the resume tokens"""
        self.access_tokens = Tokens(self.names, lifetime=inf)
        """the access tokens, which permit everything"""
        self.made_tokens: dict[str, list[tuple[str, str]]] = {name: [] for name in self.names}
        """by account: what each access token is called, and the token"""
        self.policy = Policy()
        self.invite_tokens: dict[str, int] = {}
        """the uses of each invite token that an operator has got"""
        self.doubtful_tokens: set[str] = set()
        """invite tokens that expire, or may have been revoked"""
        self.registrations: list[tuple[str, str | None, str | None, Change]] = []
        """name, password and invite token of each registration"""
        self._store_failures: list[tuple[int, int | None]] = []
        self.kills: list[tuple[int, bool]] = []
        self._lost_everything = 0
        """when a daemon with the memory store has ended last"""

    def now(self) -> int:
        """The next tick."""
        self.tick += 1
        return self.tick

    def violated(self, kind: str, sentence: str) -> None:
        """Something that was promised does not hold."""
        self.log(f"VIOLATION {kind}: {sentence}")
        self.violations.append((kind, sentence))

    def store_fails(self, fails: bool) -> None:
        """The store begins to fail, or fails no more."""
        tick = self.now()
        self._store_failures = [
            (start, tick if end is None else end) for start, end in self._store_failures
        ]
        if fails:
            self._store_failures.append((tick, None))

    def store_may_fail(self, start: int) -> bool:
        """Whether the store may have failed since a tick."""
        return any(end is None or end >= start for _, end in self._store_failures)

    def store_failing_since(self) -> int:
        """When the store has begun to fail the last time, without a pause until its last failure
        ended."""
        began = self.tick
        for start, end in reversed(self._store_failures):
            if began not in (self.tick, end):
                break
            began = start
        return began

    def under_way(self, changes: Iterable[Change], since: int) -> bool:
        """Whether one of these requests may have been carried out since a tick."""
        return any(
            change.done is not False and (change.settled is None or change.settled >= since)
            for change in changes
        )

    def lose_everything(self) -> None:
        """A daemon with the memory store has ended: everything begins anew."""
        change = Change(self.now())
        for log in self.exists:
            self.deletions[log].append(change)
            self.exists[log].write(log == "#lobby", change)
        tables: tuple[dict[Any, Fact], ...] = (
            self.password,
            self.certificates,
            self.hidden,
            self.blocks,
            self.member,
            self.moderator,
            self.deputy,
            self.owner,
            self.topic,
            self.private,
            self.history,
            self.invited,
            self.banned,
            self.silenced,
            self.settings,
        )
        for table in tables:
            for fact in table.values():
                fact.write(fact.initial, change)
        for name in self.names:
            self.resume_tokens.end_all(name, change)
            self.access_tokens.end_all(name, change)
        self.doubtful_tokens.update(self.invite_tokens)
        self._lost_everything = change.sent
        change.end(self.now(), True)

    # Accounts

    def register(
        self, name: str, password: str | None, token: str | None = None, creates: bool = True
    ) -> Change:
        """An account is to be created, perhaps with a token; unless `creates`, it may exist."""
        exists = self.exists["@" + name]
        change = Change(self.now())
        if creates or exists.surely(False, self.tick, self.tick):
            self.registrations.append((name, password, token, change))
        exists.write(True, change)
        self.password[name].write(password, change)
        return change

    def token_created(self, token: str, uses: int, expires: bool, sent: int) -> None:
        """An operator has got an invite token for so many accounts, requested at a tick."""
        self.invite_tokens[token] = uses
        if expires or sent < self._lost_everything:
            self.doubtful_tokens.add(token)

    def _uses(self, token: str | None, since: int) -> int:
        """How many registrations may have used a token, or may have been using it since a tick."""
        return sum(
            used == token
            and (change.done is not False or change.settled is None or change.settled >= since)
            for _, _, used, change in self.registrations
        )

    def is_valid_token(self, token: str | None, sent: int) -> bool:
        """Whether a registration that was sent at a tick could certainly use a token."""
        if token is None or token not in self.invite_tokens or token in self.doubtful_tokens:
            return False
        return self._uses(token, sent) <= self.invite_tokens[token]

    def check_registrations(self) -> None:
        """The accounts that were created are those that the operator permits."""
        done = [row for row in self.registrations if row[3].done]
        for name, password, token, _ in done:
            if password is None and not self.policy.open_accounts:
                self.violated("accepted:open-account", name)
            if self.policy.registration == CLOSED:
                self.violated("accepted:registration-closed", name)
            if self.policy.registration == INVITE_ONLY and token not in self.invite_tokens:
                self.violated("accepted:without-invite", f"{name} with {token}")
        for token, uses in self.invite_tokens.items():
            used = sum(row[2] == token for row in done)
            if self.policy.registration == INVITE_ONLY and used > uses:
                self.violated("accepted:invite-used-up", f"{token}: {used} of {uses}")

    def delete_account(self, name: str) -> Change:
        """An account is to be deleted, with everything that belongs to it."""
        change = Change(self.now())
        self.exists["@" + name].write(False, change)
        self.deletions["@" + name].append(change)
        self.password[name].write(None, change)
        self.certificates[name].write(frozenset(), change)
        self.resume_tokens.end_all(name, change)
        self.access_tokens.end_all(name, change)
        self.hidden[name].write(False, change)
        for other in self.names:
            self.blocks[name, other].write(False, change)
            # A later account of this name is another one.
            self.blocks[other, name].write(False, change)
        for room in self.rooms:
            self._leaves(room, name, change)
            self.may_vanish(room)
            self.banned[room, name].write(False, change)
            self.silenced[room, name].write(False, change)
        return change

    def set_password(self, name: str, password: str | None, by_operator: bool = False) -> Change:
        """An account is to get another password. Its certificates are removed, and its access
        tokens end, if it is open, or by an operator."""
        change = Change(self.now())
        former = self.password[name].possible(self.tick, self.tick)
        if by_operator or former == [None]:
            self.certificates[name].write(frozenset(), change)
            self.access_tokens.end_all(name, change)
        elif None in former:
            self.certificates[name].write(frozenset(), Change(change.sent))
            self.access_tokens.end_all(name, Change(change.sent))
        self.password[name].write(password, change)
        self.password_changes[name].append(change)
        self.resume_tokens.end_all(name, change)
        self.credential_changes[name].append(change)
        return change

    def set_certificates(self, name: str, fingerprints: Iterable[str]) -> Change:
        """An account is to get other certificates; log-ins that are under way may fail."""
        change = Change(self.now())
        self.certificates[name].write(frozenset(fingerprints), change)
        # They end if a certificate is removed.
        self.resume_tokens.doubt_all(name, change)
        self.credential_changes[name].append(change)
        return change

    def change_access_tokens(self, name: str) -> Change:
        """An account is to get an access token, or to lose one; log-ins that are under way may
        fail."""
        change = Change(self.now())
        self.credential_changes[name].append(change)
        return change

    def end_sessions(self, name: str) -> Change:
        """An operator ends all sessions of an account."""
        change = Change(self.now())
        self.ended_sessions[name].append(change)
        self.resume_tokens.end_all(name, change)
        return change

    def ban(self, name: str) -> Change:
        """An operator bans the address of a device of an account, for a moment."""
        change = Change(self.now())
        self.bans[name].append(change)
        return change

    def suspend(self, name: str) -> Change:
        """An operator suspends an account, or ends that. Its resume tokens stay."""
        change = Change(self.now())
        self.ended_sessions[name].append(change)
        self.suspended.add(name)
        return change

    def may_be_unusable(self, name: str) -> bool:
        """Whether an account may be open although the operator forbids open accounts."""
        return not self.policy.open_accounts and None in self.password[name].possible(
            self.tick, self.tick
        )

    def certificate_may_log_in(self, name: str, certificate: str | None, sent: int) -> bool:
        """Whether a certificate may have been one of the account's since a tick."""
        possible = self.certificates[name].possible(sent, self.tick)
        return any(certificate in fingerprints for fingerprints in possible)

    def certificate_logs_in(self, name: str, certificate: str | None, sent: int) -> bool:
        """Whether a certificate was certainly one of the account's since a tick."""
        possible = self.certificates[name].possible(sent, self.tick)
        return all(certificate in fingerprints for fingerprints in possible)

    def set_hidden(self, name: str, hidden: bool) -> Change:
        """An account is to be hidden, or to be seen again."""
        change = Change(self.now())
        self.hidden[name].write(hidden, change)
        return change

    def set_blocked(self, name: str, other: str, blocked: bool) -> Change:
        """An account is to block another, or no longer."""
        change = Change(self.now())
        self.blocks[name, other].write(blocked, change)
        return change

    # Rooms

    def may_vanish(self, room: str) -> None:
        """A member leaves a room: if it was the last one, the room is deleted."""
        if room != "#lobby":
            change = Change(self.tick)
            self.exists[room].write(False, change)
            self.private[room].write(None, change)
            self.history[room].write(None, change)
            self.topic[room].write(None, change)
            for name in self.names:
                self.invited[room, name].write(False, change)
            self._unrestrict(room, change)

    def _unrestrict(self, room: str, change: Change) -> None:
        """A room has no bans, silences and settings: it is new, or deleted."""
        for name in self.names:
            self.banned[room, name].write(False, change)
            self.silenced[room, name].write(False, change)
        for setting in ("slow", "read-only"):
            fact = self.settings[room, setting]
            fact.write(fact.initial, change)

    def create_room(
        self, name: str, room: str, private: bool, topic: str, history: str = ""
    ) -> Change:
        """A room is to be created by an account."""
        change = Change(self.now())
        self.exists[room].write(True, change)
        self.private[room].write(private, change)
        self.history[room].write(history or ("joined" if private else "all"), change)
        self.topic[room].write(topic, change)
        self.owner[room].write(name, change)
        self.moderator[room, name].write(False, change)
        self.deputy[room, name].write(False, change)
        self.member[room, name].write(True, change)
        self._unrestrict(room, change)
        return change

    def delete_room(self, room: str) -> Change:
        """A room is to be deleted."""
        change = Change(self.now())
        self.deletions[room].append(change)
        self.exists[room].write(False, change)
        self.private[room].write(None, change)
        self.history[room].write(None, change)
        self.topic[room].write(None, change)
        self.owner[room].write("", change)
        for name in self.names:
            self.member[room, name].write(False, change)
            self.moderator[room, name].write(False, change)
            self.deputy[room, name].write(False, change)
            self.invited[room, name].write(False, change)
        self._unrestrict(room, change)
        return change

    def set_member(self, room: str, name: str, member: bool) -> Change:
        """An account is to join a room, or to leave it."""
        change = Change(self.now())
        self.invited[room, name].write(False, change)
        if member:
            if self.member[room, name].surely(False, self.tick, self.tick):
                self.outside[room, name] = self.tick
            self.member[room, name].write(True, change)
        else:
            self._leaves(room, name, change)
            self.may_vanish(room)
        return change

    def _leaves(self, room: str, name: str, change: Change) -> None:
        self.member[room, name].write(False, change)
        self.moderator[room, name].write(False, change)
        self.deputy[room, name].write(False, change)
        if name in self.owner[room].possible(self.tick, self.tick):
            # Another member becomes the owner, if the owner leaves.
            self.owner[room].write(UNKNOWN_OWNER, change)

    def set_role(self, room: str, name: str, role: str) -> Change:
        """A member is to get another role."""
        change = Change(self.now())
        self.moderator[room, name].write(role == "moderator", change)
        self.deputy[room, name].write(role == "deputy", change)
        if role == "owner":
            # The former owner becomes a moderator.
            for other in self.names:
                if other != name and self.may_be_owner(room, other, self.tick):
                    self.moderator[room, other].write(True, change)
                    self.deputy[room, other].write(False, change)
            self.owner[room].write(name, change)
        return change

    def set_topic(self, room: str, topic: str) -> Change:
        """A room is to get another topic."""
        change = Change(self.now())
        self.topic[room].write(topic, change)
        return change

    def set_private(self, room: str, private: bool) -> Change:
        """A room is to become private or public."""
        change = Change(self.now())
        if private:
            # Only the history of a room that was public changes; None stands for not known.
            was_public = self.private[room].surely(False, change.sent, change.sent)
            self.history[room].write("joined" if was_public else None, change)
        self.private[room].write(private, change)
        return change

    def set_history(self, room: str, history: str) -> Change:
        """The members of a room are to read ``all`` of it, or what is sent after they joined."""
        change = Change(self.now())
        self.history[room].write(history, change)
        return change

    def invite(self, room: str, name: str) -> Change:
        """An account is to be invited to a room."""
        change = Change(self.now())
        self.invited[room, name].write(True, change)
        return change

    def set_banned(self, room: str, name: str, banned: bool) -> Change:
        """An account is to be banned from a room, which removes it, or no longer."""
        change = self.set_member(room, name, False) if banned else Change(self.now())
        self.banned[room, name].write(banned, change)
        return change

    def set_silenced(self, room: str, name: str, silenced: bool) -> Change:
        """An account is to be silenced in a room, or no longer."""
        change = Change(self.now())
        self.silenced[room, name].write(silenced, change)
        return change

    def configure_room(self, room: str, setting: str, value: str) -> Change:
        """A setting of a room is to get a value."""
        change = Change(self.now())
        self.settings[room, setting].write(value, change)
        return change

    # Who may do what in a room

    def may_be_owner(self, room: str, name: str, start: int) -> bool:
        """Whether an account may have owned a room at some moment since a tick."""
        possible = self.owner[room].possible(start, self.tick)
        return name in possible or UNKNOWN_OWNER in possible

    def may_be_moderator(self, room: str, name: str, start: int) -> bool:
        """Whether an account may have been a moderator, a deputy or the owner since a tick."""
        moderator = self.moderator[room, name]
        return self.may_be_deputy(room, name, start) or not moderator.surely(
            False, start, self.tick
        )

    def may_be_deputy(self, room: str, name: str, start: int) -> bool:
        """Whether an account may have been a deputy or the owner of a room since a tick."""
        deputy = self.deputy[room, name]
        return self.may_be_owner(room, name, start) or not deputy.surely(False, start, self.tick)

    def is_owner(self, room: str, name: str, start: int) -> bool:
        """Whether an account has certainly owned a room since a tick."""
        return self.member[room, name].surely(True, start, self.tick) and self.owner[room].surely(
            name, start, self.tick
        )

    def is_moderator(self, room: str, name: str, start: int) -> bool:
        """Whether an account has certainly been a moderator, a deputy or the owner since a tick."""
        return self.is_deputy(room, name, start) or (
            self.member[room, name].surely(True, start, self.tick)
            and self.moderator[room, name].surely(True, start, self.tick)
        )

    def is_deputy(self, room: str, name: str, start: int) -> bool:
        """Whether an account has certainly been a deputy or the owner since a tick."""
        return self.is_owner(room, name, start) or (
            self.member[room, name].surely(True, start, self.tick)
            and self.deputy[room, name].surely(True, start, self.tick)
        )
