"""A device that speaks version 1: its session, the logs that it follows, and checks of them."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from chatd.codecs import v1_messages as c
from chatd.core.names import is_room
from tests.simulation.device import certificate_of
from tests.simulation.model import Entry, Message, Reader
from tests.simulation.notices import Notices
from tests.simulation.v1_connection import V1Connection
from tests.simulation.v1_requests import Followed, Request

if TYPE_CHECKING:
    from tests.simulation.world import World


_SAVE_TIME = 1.1
"""seconds after which an acknowledgement is saved, at the latest"""


class V1Device(V1Connection):
    """One device. It obeys the document of version 1."""

    def __init__(self, world: World, number: int, name: str) -> None:
        super().__init__(world, number, name)
        self.followed: dict[str, Followed] = {}
        self.positions: dict[str, tuple[int, int]] = {}
        self.texts: list[Message] = []
        """messages that were sent and may be sent again"""
        self.keys = 0
        self.notices = Notices(self)
        self.token = ""
        """the resume token that it has got last"""
        self.session_token = ""
        """the resume token of the session, if it has one"""
        self.old_tokens: list[str] = []

    def event(self, message: Any) -> None:
        """See `V1Connection`."""
        if isinstance(message, c.Pushed):
            self._pushed(message)
        elif isinstance(message, c.Joined):
            # It was written after the answer that arrived last.
            began = min(self.answered_sent, self._last_join(message.state.log))
            self._follow(message.state, began, True, None, True)
        elif isinstance(message, c.Left):
            self.followed.pop(message.room.lower(), None)
            self.positions.pop(message.room.lower(), None)
        elif isinstance(message, c.Token):
            self._token(message.token)
        elif isinstance(message, c.Sent):
            self._sent_elsewhere(message)
        elif isinstance(message, c.Presence):
            self.notices.presence(message.person)
        elif isinstance(message, c.Typing):
            self.notices.typing(message)
        elif isinstance(message, c.Receipt):
            self.notices.receipt(message)

    def end_session(self) -> None:
        """See `V1Connection`."""
        super().end_session()
        self.followed.clear()
        self.notices.session_ended()

    def own_certificate(self, random: Random) -> str | None:
        """See `Device`."""
        return certificate_of(self.number) if random.random() < 0.7 else None

    # Sessions

    def logged_in(self, answer: c.LoggedIn, sent: int, password: str | None, given: Any) -> None:
        """The device is logged in; `given` are the positions that it has sent."""
        self._check_password(sent, password)
        self.resumed_by = self.session_token = ""
        self._session_began(answer, sent, given)

    def resumed(self, answer: c.LoggedIn, sent: int, token: str, given: Any) -> None:
        """The device is logged in by a resume token or an access token."""
        model = self.model
        access = token in model.access_tokens
        tokens = model.access_tokens if access else model.resume_tokens
        if tokens.has_ended(token, self.name, sent, model.now()):
            model.violated("resume:ended-token", f"{self}")
        tokens.used(token, sent)
        self.resumed_by = token
        if access:
            self.session_token = ""
        else:
            self.token = self.session_token = token
        self._session_began(answer, sent, given)
        if self.reader is not None and access:
            self.reader.access_token = token

    def _token(self, token: str) -> None:
        """The session has got a resume token: after the log-in, or by a request that has ended the
        one before."""
        request = next(iter(self.pending.values()), None)
        change, sent = None, self.last_login
        if (
            request is not None
            and not self._issuing
            and isinstance(request.message, c.ChangePassword | c.SetCertificates)
        ):
            change, sent = request.change, request.sent
        self.model.resume_tokens.issued(token, self.name, sent, change)
        if self.token:
            self.old_tokens.append(self.token)
        self.token = self.session_token = token
        if any(isinstance(request.message, c.LogOut) for request in self.pending.values()):
            self.model.resume_tokens.doubt(token)

    def _check_password(self, sent: int, password: str | None) -> None:
        model, name = self.model, self.name
        tick = model.tick
        certified = model.certificate_may_log_in(name, self.certificate, sent)
        if model.password[name].surely_not(password, sent, tick):
            possible = model.password[name].possible(sent, tick)
            if None not in possible and not (password is None and certified):
                model.violated("login:wrong-password", f"{self} with {password}, not {possible}")
        if password is None and not (model.policy.open_accounts or certified):
            model.violated("login:open-account", f"{self}")

    def _session_began(self, answer: c.LoggedIn, sent: int, given: Any) -> None:
        model, name = self.model, self.name
        reader = self.reader = Reader(name, sent, model.now())
        self.last_login = sent
        self.log_out_refused = False
        if model.exists["@" + name].surely(False, sent, model.tick):
            model.violated("login:no-account", f"{self}")
        if answer.logs[0].log != "@" + name:
            model.violated("login:logs", f"{self}: {answer}")
        logs = {state.log for state in answer.logs}
        for room in model.rooms:
            member = model.member[room, name]
            if room in logs and member.surely(False, sent, model.tick):
                model.violated("login:not-a-member", f"{self} of {room}")
            if room in logs and self._was_refused(room):
                model.violated("refused:done-nevertheless", f"{self} is a member of {room}")
            if room not in logs and member.surely(True, sent, model.tick):
                model.violated("login:room-missing", f"{self}: {room}")
        self.followed.clear()
        self.notices.session_began()
        for state in answer.logs:
            reader.log_began[state.log] = sent
            position = given.get(state.log)
            valid = position is not None and position == (state.since, position[1])
            valid = valid and position[1] <= state.head
            self._follow(state, sent, False, position[1] if valid else None)

    def _was_refused(self, room: str) -> bool:
        """Whether all requests were refused that could have made the account a member."""
        member = self.model.member[room, self.name]
        if member.initial:
            return False
        writes = member.writes
        joins = [change for member, change in writes if member]
        return all(change.refused == "not-logged-in" for change in joins[-1:]) and not any(
            change.done for change in joins
        )

    def _last_join(self, room: str) -> int:
        """When this account has last asked to join a room."""
        changes = [change for value, change in self.model.member[room, self.name].writes if value]
        return changes[-1].sent if changes else self.model.tick

    def _follow(
        self,
        state: c.LogState,
        began: int,
        joined: bool,
        position: int | None = None,
        elsewhere: bool = False,
    ) -> None:
        """The session follows a log from now on, by a request that was sent at the tick `began`;
        `elsewhere`: by another session."""
        model = self.model
        log = state.log
        model.check_since(log, state.since, began)
        key = (log, state.since)
        known = model.head(log, state.since, began)
        if state.head < known and not elsewhere:
            model.violated("head:went-back", f"{self}: {state}, known {known}")
        model.note_head(log, state.since, state.head)
        if not is_room(log) and self.name not in model.auto_acknowledged:
            acknowledged = model.acknowledged.get(key, set())
            unread = set(range(1, state.upto + 1)) - acknowledged
            if unread:
                model.violated("login:counts-as-read", f"{self}: {state}: {sorted(unread)}")
        marks = model.marks_confirmed.get((self.own_log(log), state.since), ())
        if not joined and any(tick < began and seq > state.read for tick, seq in marks):
            model.violated("login:read-marker", f"{self}: {state}, confirmed {marks}")
        if joined and log in self.followed and self.followed[log].since == state.since:
            return
        start = state.upto if position is None else position
        if state.room is not None and not elsewhere:
            self.world.listings.info(self, state.room, began)
        self.followed[log] = Followed(state.since, start, start, position is not None)
        self.notices.follow(state)
        if self.reader is not None:
            self.reader.log_since[log] = state.since
            self.reader.log_began.setdefault(log, began)
            if joined:
                self.reader.log_began[log] = began

    def room_state(self, answer: c.RoomState, sent: int) -> None:
        """The account is a member of a room."""
        self._follow(answer.state, sent, True)

    # Entries

    def _pushed(self, entry: c.Pushed) -> None:
        model = self.model
        followed = self.followed.get(entry.log)
        if followed is None or self.reader is None:
            model.violated("pushed:not-followed", f"{self}: {entry}")
            return
        if entry.seq <= followed.last:
            model.violated("pushed:again", f"{self}: {entry} after {followed.last}")
        missing = set(range(followed.last + 1, entry.seq))
        if missing and not self._may_be_passed_over(entry.log, followed, missing):
            model.violated("pushed:gap", f"{self}: {entry} after {followed.last}")
        if not followed.contiguous and self._is_confirmed(entry, followed):
            model.violated("pushed:acknowledged", f"{self}: {entry}")
        followed.last = max(followed.last, entry.seq)
        followed.seen.add(entry.seq)
        model.observe(
            self.reader,
            Entry(
                entry.log,
                followed.since,
                entry.seq,
                entry.id,
                entry.time,
                entry.sender,
                entry.kind,
                entry.body,
                entry.about,
            ),
        )

    def own_log(self, log: str) -> str:
        """What identifies a log as this account reads it."""
        return f"{log} {self.name}" if is_room(log) else log

    def mark_read(self, log: str, seq: int) -> None:
        """Set the read marker of a log."""
        model = self.model
        place = (self.own_log(log), self.followed[log].since)
        model.marked[place] = max(model.marked.get(place, 0), seq)
        confirmed = model.marks_confirmed.setdefault(place, [])

        def marked(_: Any) -> None:
            confirmed.append((model.tick, seq))
            self.notices.note_marker(log, place[1], seq)

        self.ask(c.MarkRead(0, log, seq), then=marked)

    def _refused(self, request: Request, refusal: c.Refusal) -> None:
        super()._refused(request, refusal)
        if (
            isinstance(request.message, c.Resume)
            and request.message.token == self.token
            and refusal.code not in ("busy", "store-unavailable")
        ):
            self.old_tokens.append(self.token)
            self.token = ""
        if isinstance(request.message, c.MarkRead) and refusal.code == "store-unavailable":
            # It is recorded as soon as the store works.
            self.notices.doubtful.add(request.message.log)

    def _is_confirmed(self, entry: c.Pushed, followed: Followed) -> bool:
        """Whether the store had recorded that the account has this entry, before the log-in."""
        account = self.own_log(entry.log)
        confirmed = self.model.confirmed.get((account, followed.since), {})
        assert self.reader is not None
        return confirmed.get(entry.seq, self.model.tick) < self.reader.login_sent

    def _may_be_passed_over(self, log: str, followed: Followed, missing: set[int]) -> bool:
        if self.model.trimmed or (not is_room(log) and self.name in self.model.auto_acknowledged):
            return True
        if is_room(log) and (self.name in self.model.auto_acknowledged):
            return True
        acknowledged = self.model.acknowledged.get((log, followed.since), set())
        if is_room(log):
            acknowledged = self.model.acknowledged.get(
                (log + " " + self.name, followed.since), set()
            )
        return not followed.contiguous and missing <= acknowledged

    def acknowledge(self, log: str, first: int, last: int, ref: bool) -> None:
        """Acknowledge a range of entries that the device has."""
        followed = self.followed[log]
        account = self.own_log(log)
        acknowledged = self.model.acknowledged.setdefault((account, followed.since), set())
        seqs = range(max(1, first or 1), last + 1)
        acknowledged.update(seqs)
        followed.acknowledged.update(seqs)
        # A client may say of which log of that name.
        since = followed.since if (first + last) % 2 else 0
        message = c.Ack(0, log, last, first, since)
        if ref:
            confirmed = self.model.confirmed.setdefault((account, followed.since), {})
            self.ask(
                message,
                then=lambda _: confirmed.update(dict.fromkeys(seqs, self.model.tick)),
            )
        else:
            self.tell(message)
            self._will_be_saved((account, followed.since), seqs)
        if first <= followed.start + 1:
            self.positions[log] = (followed.since, last)

    def _will_be_saved(self, place: tuple[str, int], seqs: range) -> None:
        """An acknowledgement without an answer is saved soon, if the connection and the daemon last
        for so long."""
        model, world, link, sent = self.model, self.world, self.link, self.model.tick
        reader, refused = self.reader, self.acks_refused

        def save() -> None:
            lasts = reader is self.reader and link is self.link and self._is_quick()
            if (
                lasts
                and refused == self.acks_refused
                and world.saves_at_once()
                and not model.store_may_fail(sent)
            ):
                confirmed = model.confirmed.setdefault(place, {})
                for seq in seqs:
                    confirmed.setdefault(seq, model.tick)

        if self._is_quick() and world.saves_at_once():
            world.schedule.after(_SAVE_TIME, save)

    def _is_quick(self) -> bool:
        """Whether requests arrive at once, and are carried out at once."""
        return self.link is not None and self.link.is_well and not self.pending

    def page(self, answer: c.Page, request: c.History) -> None:
        """A page of a log has been read."""
        followed = self.followed.get(answer.log)
        if followed is None or self.reader is None:
            return
        seqs = [item.seq for item in answer.entries]
        if seqs != sorted(set(seqs)) or len(seqs) > max(1, request.limit):
            self.model.violated("page:order", f"{self}: {seqs} for {request}")
        if seqs and not self.model.trimmed and seqs != list(range(seqs[0], seqs[-1] + 1)):
            self.model.violated("page:gap", f"{self}: {seqs} for {request}")
        for item in answer.entries:
            self.model.observe(
                self.reader,
                Entry(
                    answer.log,
                    followed.since,
                    item.seq,
                    item.id,
                    item.time,
                    item.sender,
                    item.kind,
                    item.body,
                    item.about,
                ),
            )

    def _sent_elsewhere(self, sent: c.Sent) -> None:
        tokens = self.model.tokens(sent.body)
        message = self.model.messages.get(tokens[0]) if tokens else None
        if message is not None and message.sender != self.name:
            self.model.violated("sent:other-account", f"{self}: {sent}")

    # At the end

    def prepare_rest(self) -> None:
        """See `Device`."""
        if self.connected and self.reader is not None and not self.log_out_refused:
            self.notices.check_presence()

    def check_rest(self) -> None:
        """Nothing is under way any more: everything is answered and pushed."""
        for request in self.overdue()[:1]:
            self.model.violated(
                f"unanswered:{type(request.message).__name__}", f"{self}: {request.message}"
            )
        for log, followed in () if self.log_out_refused else self.followed.items():
            head = self.model.head(log, followed.since, self.model.tick + 1)
            if followed.last < head and not self._may_be_passed_over(
                log, followed, set(range(followed.last + 1, head + 1))
            ):
                self.model.violated(
                    "pushed:not-all", f"{self}: {log} up to {followed.last}, not {head}"
                )

    def random_key(self, random: Random) -> str | None:
        """A key for a message, as a client numbers its messages."""
        if random.random() < 0.2:
            return None
        self.keys += 1
        return f"{self.number}-{self.keys}"
