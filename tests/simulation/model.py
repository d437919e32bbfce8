"""The reference model: what must hold, as far as clients can know what the daemon was asked.

It is told what clients send and receive, and nothing of the daemon's state. Every method that
finds something wrong calls `Model.violated` with a kind, which names the broken promise, and a
sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from chatd.core.names import is_room
from tests.simulation.state import State

TOKEN = re.compile(r"\bm\d+\b")
"""the mark in a text that tells it from all others of a history"""


@dataclass(eq=False)
class Message:
    """A text that a client sends. `log` is the mailbox or the room of its recipient."""

    token: str
    body: str
    sender: str
    log: str
    key: str | None
    sent: int
    accepted: int | None = None
    refused: bool = False
    refused_at: int = 0
    attempts: int = 0
    sent_last: int = 0
    place: tuple[int, int, int] | None = None
    """seq, id and time, as the first answer gave them"""
    kind: str = "text"
    framed: bool = True
    """whether the sender's protocol tells where the text ends"""


@dataclass(eq=False)
class Entry:
    """An entry as a client has seen it."""

    log: str
    since: int
    seq: int
    id: int
    time: int
    sender: str
    kind: str
    body: str
    about: int


@dataclass(eq=False)
class Reader:
    """What the model knows of the session that reads: its account, and when it began."""

    name: str
    login_sent: int
    login_answered: int = 0
    log_since: dict[str, int] = field(default_factory=dict)
    log_began: dict[str, int] = field(default_factory=dict)
    """for each log, the tick of the request by which the session follows it"""
    access_token: str = ""
    """the access token that opened the session, if one did: it ends with that, and a new password
    may leave it"""
    by_number: bool = False
    """whether the client can fetch the mail of an open account by its number, without a session"""


class Model(State):
    """Accounts, rooms and messages of one history."""

    def __init__(self, names: Iterable[str], rooms: Iterable[str]) -> None:
        super().__init__(names, rooms)
        self.messages: dict[str, Message] = {}
        self.seen: dict[str, set[str]] = {name: set() for name in self.names}
        self.entries: dict[tuple[str, int, int], Entry] = {}
        self.ids: dict[int, tuple[str, int, int]] = {}
        self._heads: dict[tuple[str, int], list[tuple[int, int]]] = {}
        self.acknowledged: dict[tuple[str, int], set[int]] = {}
        self.confirmed: dict[tuple[str, int], dict[int, int]] = {}
        """for each log of an account, the seqs that it has acknowledged with an answer, and when"""
        self.marked: dict[tuple[str, int], int] = {}
        """for each log of an account, the seq up to which it has marked it as read, or asked to"""
        self.marks_confirmed: dict[tuple[str, int], list[tuple[int, int]]] = {}
        """for each log of an account, the seqs of markers that were answered, and when"""
        self.saved: dict[str, dict[str, int]] = {name: {} for name in self.names}
        """for each account, the messages that were saved as read for a client that cannot
        acknowledge, and when"""
        self.auto_acknowledged: set[str] = set()
        """accounts that protocols without acknowledgements have used"""
        self.retracted: set[tuple[str, int]] = set()
        """messages that an account has asked to delete, by log and seq"""
        self.trimmed = False
        """whether entries may have been trimmed"""
        self.sinces: dict[str, dict[int, int]] = {}
        self.typing: set[tuple[str, str]] = set()
        """senders and logs of all typing notices that clients have asked for"""

    def tokens(self, body: str) -> list[str]:
        """The marks in a text."""
        return TOKEN.findall(body)

    def check_since(self, log: str, since: int, tick: int) -> None:
        """A later account or room of the same name has another `since`."""
        known = self.sinces.setdefault(log, {})
        last_seen = known.get(since)
        if last_seen is not None:
            for change in self.deletions[log]:
                settled = tick + 1 if change.settled is None else change.settled
                if change.done and last_seen <= change.sent and settled <= tick:
                    self.violated("since:not-unique", f"{log} has {since} again")
        known[since] = self.now()

    # Messages

    def send(
        self, token: str, body: str, sender: str, log: str, key: str | None, kind: str = "text"
    ) -> Message:
        """A client sends a message."""
        message = Message(token, body, sender, log, key, self.now(), kind=kind)
        self.messages[token] = message
        return message

    def accepted(self, message: Message, log: str, place: tuple[int, int, int]) -> None:
        """A message is accepted, as an entry of a log with seq, id and time."""
        tick = self.now()
        what = f"{message.token} of {message.sender} to {message.log}"
        if log != message.log:
            self.violated("accepted:other-log", f"{what} was stored in {log}")
        if message.place is not None:
            if message.place != place and not self.may_have_been_deleted(log, message):
                self.violated(
                    "key:other-answer", f"{what} was at {message.place}, and again at {place}"
                )
            return
        message.place = place
        message.accepted = tick
        message.refused = False
        self._check_accepted(message, what, tick)

    def refuse(self, message: Message) -> None:
        """A message is refused."""
        message.refused = True
        message.refused_at = self.now()

    def doubt_refusals(self) -> None:
        """The daemon has ended on a disk that still fails: what was refused since it began to fail
        may be stored nevertheless (docs/architecture.md)."""
        began = self.store_failing_since()
        for message in self.messages.values():
            if message.refused_at >= began:
                message.refused = False

    def accepted_without_place(self, message: Message) -> None:
        """A message is accepted, in a protocol that does not say as which entry."""
        message.accepted = self.now()
        self._check_accepted(
            message, f"{message.token} of {message.sender} to {message.log}", message.accepted
        )

    def _check_accepted(self, message: Message, what: str, tick: int) -> None:
        log, sent = message.log, message.sent
        if is_room(log):
            if self.member[log, message.sender].surely(False, sent, tick):
                self.violated("accepted:not-a-member", f"{what}, who is not a member")
            return
        if self.exists[log].surely(False, sent, tick):
            self.violated("accepted:unknown-account", f"{what}, which does not exist")
        own = log == "@" + message.sender and message.kind != "text"
        # A deletion sends no text.
        if (
            not own
            and message.kind != "delete"
            and self.blocks[log[1:], message.sender].surely(True, sent, tick)
        ):
            self.violated(f"accepted:blocked:{message.kind}", f"{what}, which blocks the sender")

    def may_have_been_deleted(self, log: str, message: Message) -> bool:
        """Whether the entry of a message may have been deleted with its log, or trimmed, or may be
        that of a former account of the sender's name, whose keys do not bind a later one."""
        deletions = (*self.deletions[log], *self.deletions["@" + message.sender])
        return (
            self.trimmed
            or any(change.done is not False for change in deletions)
            or not self.exists[log].surely(True, message.sent, self.tick)
        )

    # Reading

    def observe(self, reader: Reader, entry: Entry) -> None:
        """A session of version 1 has read an entry of a log that it follows."""
        tick = self.now()
        self._check_same(entry)
        where = f"{reader.name} reads {entry.log} {entry.seq}"
        if not is_room(entry.log) and entry.log != "@" + reader.name:
            self.violated("read:other-mailbox", where)
        # Rogues create accounts and send what may look like anything.
        tokens = TOKEN.findall(entry.body) if entry.sender.lower() in self.names else []
        if not tokens and entry.sender.lower() not in self.names:
            return
        if entry.kind in ("text", "edit", "reaction") and not tokens and entry.body:
            self.violated("read:unknown-text", f"{where}: {entry.body!r} was never sent")
        for token in tokens[:1]:
            message = self.messages.get(token)
            if message is None:
                self.violated("read:unknown-text", f"{where}: {entry.body!r} was never sent")
                continue
            self._check_message(reader, entry, message, where)
            self._check_joined(reader, entry, message, where)
            if message.place is None and entry.kind == message.kind:
                message.place = (entry.seq, entry.id, entry.time)
            self.read_text(reader, message, tick, where)

    def _check_joined(self, reader: Reader, entry: Entry, message: Message, where: str) -> None:
        """A member of a room reads nothing from before it joined, if the history is ``joined``."""
        outside = self.outside.get((entry.log, reader.name))
        if (
            outside is not None
            and entry.kind == "text"
            and message.accepted is not None
            and message.accepted < outside
            and self.history[entry.log].surely("joined", outside, self.tick)
        ):
            self.violated("read:before-joining", where)

    def _check_same(self, entry: Entry) -> None:
        """An entry is the same whenever it is read, and its id is that of no other."""
        place = (entry.log, entry.since, entry.seq)
        known = self.entries.setdefault(place, entry)
        shown = f"{entry.log} (since {entry.since}) {entry.seq}"
        if known != entry and vars(known) != vars(entry):
            self.violated("entry:changed", f"{shown} was {vars(known)}, now {vars(entry)}")
        other = self.ids.setdefault(entry.id, place)
        if other != place:
            self.violated("id:not-unique", f"{shown} has the id {entry.id} of {other}")
        self.note_head(entry.log, entry.since, entry.seq)

    def note_head(self, log: str, since: int, seq: int) -> None:
        """A log has an entry with this seq."""
        heads = self._heads.setdefault((log, since), [(0, 0)])
        if seq > heads[-1][1]:
            heads.append((self.tick, seq))

    def head(self, log: str, since: int, tick: int) -> int:
        """The last seq of a log that was known at a tick."""
        heads = self._heads.get((log, since), ())
        return max((seq for at, seq in heads if at < tick), default=0)

    def _check_message(self, reader: Reader, entry: Entry, message: Message, where: str) -> None:
        if message.log != entry.log:
            self.violated("read:other-log", f"{where}: {message.token} was sent to {message.log}")
        if entry.sender.lower() != message.sender:
            self.violated("read:other-sender", f"{where}: {entry.sender}, not {message.sender}")
        same = entry.body == message.body or not message.framed
        if entry.kind == message.kind == "text" and not same:
            self.violated("read:other-text", f"{where}: {entry.body!r}, not {message.body!r}")
        if message.refused:
            self.violated("read:refused", f"{where}: {message.token} was refused")
        if (
            message.place is not None
            and message.place[1] != entry.id
            and not self.may_have_been_deleted(entry.log, message)
        ):
            self.violated("read:twice", f"{where}: {message.token} is at {message.place}, too")

    def read_text(self, reader: Reader, message: Message, tick: int, where: str) -> None:
        """A session has read a message: may it?"""
        self.seen[reader.name].add(message.token)
        log = message.log
        began = reader.log_began.get(log, reader.login_sent)
        for change in self.deletions[log]:
            if not change.done or change.settled is None:
                continue
            if message.accepted is not None and message.accepted <= change.sent:
                if change.settled <= began and message.sent_last <= change.sent:
                    self.violated("read:of-deleted", f"{where}: {message.token}, which is deleted")
            elif (
                not is_room(log)
                and change.settled <= message.sent
                and 0 < reader.login_answered <= change.sent
                and not reader.by_number
            ):
                self.violated("read:after-deletion", f"{where}: {message.token}")
        for change in self.password_changes[reader.name]:
            if (
                change.done
                and change.settled is not None
                and change.settled <= message.sent
                and 0 < reader.login_answered <= change.sent
                and change.by is not reader
                and not reader.access_token
            ):
                self.violated("read:after-password-change", f"{where}: {message.token}")
        token = reader.access_token
        if token and self.access_tokens.has_ended(token, reader.name, message.sent, tick):
            self.violated("read:after-revocation", f"{where}: {message.token}")
        if is_room(log) and self.member[log, reader.name].surely(False, message.sent, tick):
            self.violated("read:not-a-member", f"{where}: {message.token}")
        if not is_room(log) and log != "@" + reader.name:
            self.violated("read:not-for-them", f"{where}: {message.token} was sent to {log}")

    # At the end

    def check_end(self) -> None:
        """Everything that was accepted has been read by its recipients."""
        self.check_registrations()
        for message in self.messages.values():
            if message.accepted is None or message.kind != "text":
                continue
            if is_room(message.log):
                # Retention keeps mail that waits, but not what waits in rooms.
                for name in () if self.trimmed else self.names:
                    if (
                        not self.may_be_unusable(name)
                        and self.member[message.log, name].surely(True, message.sent, self.tick)
                        and message.token not in self.seen[name]
                    ):
                        self.violated("lost:room", f"{name} never read {message.token}")
                continue
            name = message.log[1:]
            if (
                not self.may_be_unusable(name)
                and self.exists[message.log].surely(True, message.sent, self.tick)
                and message.token not in self.seen[name]
            ):
                self.violated("lost:mailbox", f"{name} never read {message.token}")
