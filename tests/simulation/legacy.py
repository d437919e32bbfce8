"""What devices of protocols without acknowledgements have in common."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.simulation.device import Device
from tests.simulation.legacy_refusals import Attempt, code_of, is_justified
from tests.simulation.model import Message, Reader

if TYPE_CHECKING:
    from tests.simulation.world import World

_SAVE_TIME = 0.06
_SHOWN = re.compile(
    r"(ann|bob|cat)(?: sends)?: (?:\(private\) )?(?:\[corrected\] |\[reacted: )?(m\d+)[ .]"
)
"""a text as clients of text protocols read it: the sender and the mark of the text"""


class LegacyDevice(Device):
    """A device whose protocol cannot acknowledge: what has arrived at it counts as read."""

    save_time = _SAVE_TIME
    """seconds after which what has arrived is saved as read, at the latest"""

    def __init__(self, world: World, number: int, name: str) -> None:
        super().__init__(world, number, name)
        self.reader: Reader | None = None
        self.half_closed = False
        self.last_login = 0
        self.shown: set[str] = set()
        self.saved_here: set[str] = set()
        """the texts that this device has read and that were saved as read"""
        self._latest: dict[tuple[str, bool], int] = {}
        """the latest message that was read, by log and by whether it was sent in this session"""

    @property
    def ready(self) -> bool:
        """Whether the device is logged in and waits for no answer."""
        return self.connected and self.reader is not None

    def connect(self) -> None:
        """See `Device`."""
        self.half_closed = False
        self.begin_reading()
        super().connect()

    def begin_reading(self) -> None:
        """A new connection: what follows is read from the beginning."""
        self.shown.clear()
        self._latest.clear()

    def session_began(self, sent: int, password: str | None = None) -> None:
        """The device is logged in, by a request that was sent at a tick."""
        model = self.model
        self.model.auto_acknowledged.add(self.name)
        self.reader = Reader(self.name, sent, model.now(), by_number=self.protocol == "ops")
        self.last_login = sent
        if model.exists["@" + self.name].surely(False, sent, model.tick):
            model.violated("login:no-account", f"{self}")
        if model.password[self.name].surely_not(password, sent, model.tick):
            possible = model.password[self.name].possible(sent, model.tick)
            if None not in possible:
                model.violated("login:wrong-password", f"{self} with {password}, not {possible}")
        if password is None and not model.policy.open_accounts:
            model.violated("login:open-account", f"{self}")

    def show(self, sender: str, token: str) -> None:
        """A text was read."""
        model = self.model
        if sender.lower() not in model.names:
            # Rogues create accounts and send what may look like anything.
            return
        message = model.messages.get(token)
        where = f"{self} reads {token} of {sender}"
        if message is None:
            model.violated("read:unknown-text", where)
            return
        tick = model.now()
        if message.sender != sender.lower():
            model.violated("read:other-sender", f"{where}, not {message.sender}")
        if message.refused:
            model.violated("read:refused", where)
        # What a slow network has not delivered within a second counts as not delivered.
        slow = self.link is not None and self.link.conditions.delay > 0.002
        resent = message.attempts > 1
        # Nor does what is on its way when another client or an operator ends the session.
        late = slow or self.session_may_have_ended()
        if token in self.shown and not (self.world.faults_happened or late or resent):
            model.violated("read:shown-again", where)
        if self.was_saved(token) and not resent:
            model.violated("read:again", f"{where}, which was acknowledged")
        self._will_be_saved(token)
        reader = self.reading_as or Reader(self.name, self.last_login)
        if token not in self.shown and not resent:
            self._check_order(message, reader, where)
        self.shown.add(token)
        model.read_text(reader, message, tick, where)

    def _check_order(self, message: Message, reader: Reader, where: str) -> None:
        """Texts that waited come in the order of their log, and so do those that are sent now."""
        if not reader.login_answered:
            return
        live = message.sent > reader.login_answered
        if not live and (message.accepted is None or message.accepted >= reader.login_sent):
            return
        place = (message.log, live)
        latest = self._latest.get(place, 0)
        if message.accepted is not None and message.accepted < latest:
            self.model.violated("read:order", f"{where}, after one that was sent later")
        self._latest[place] = max(latest, message.sent)

    def was_saved(self, token: str) -> bool:
        """Whether a text was saved as read before this session began."""
        return self.model.saved[self.name].get(token, self.last_login) < self.last_login

    @property
    def reading_as(self) -> Reader | None:
        """The session that reads."""
        return self.reader

    @property
    def reading_from(self) -> object:
        """What the device reads from, None unless what is written to it arrives at once."""
        return self.link if self.link is not None and self.link.is_well else None

    def _will_be_saved(self, token: str) -> None:
        """What has arrived is acknowledged and saved soon, if the connection and the daemon last
        for so long: then no later session is shown it again."""
        model, world, source, shown = self.model, self.world, self.reading_from, self.model.tick

        def save() -> None:
            lasts = source is self.reading_from and self.connected and world.saves_at_once()
            # The session may have ended before the text arrived, and the connection not yet.
            lasts = lasts and not self.session_may_have_ended()
            if lasts and not model.store_may_fail(shown):
                model.saved[self.name].setdefault(token, model.now())
                self.saved_here.add(token)

        if source is not None and world.saves_at_once():
            world.schedule.after(self.save_time, save)

    def show_all(self, text: str) -> int:
        """Read the texts in a stream; returns where the last one ends."""
        end = 0
        for match in _SHOWN.finditer(text):
            self.show(match[1], match[2])
            end = match.end()
        return end

    def rivals(self, sent: int) -> frozenset[object]:
        """The other clients of the account that the daemon may count as connected, or may have
        counted so since a tick."""
        world = self.world
        return frozenset(
            link
            for link in world.machine.links
            if link is not self.link
            and getattr(link.client, "name", "") == self.name
            and not (link.transport is not None and link.transport.disconnected)
        ) | frozenset(
            device
            for device in world.devices
            if device is not self
            and device.name == self.name
            and (device.may_have_session() or device.connected_last >= sent)
        )

    def attempt(self, command: str, recipient: str = "", password: str | None = None) -> Attempt:
        """A command that is sent now."""
        model = self.model
        if not model.password[self.name].surely(password, model.tick, model.tick):
            model.doubtful_passwords[self.name] += 1
        rivals = self.rivals(model.tick)
        return Attempt(command, model.tick, recipient, password, rivals)

    def check_refusal(self, attempt: Attempt, sentence: str) -> str:
        """A command was refused: return the code of the refusal, which must be justified."""
        code = code_of(sentence)
        if not is_justified(self, attempt, code):
            kind = f"refused:{self.protocol}:{attempt.command}:{code or 'unknown-sentence'}"
            self.model.violated(kind, f"{self}: {sentence}")
        return code

    def session_may_have_ended(self) -> bool:
        """Whether another client or an operator may have ended the session."""
        model, name = self.model, self.name
        changes = (
            *model.credential_changes[name],
            *model.deletions["@" + name],
            *model.ended_sessions[name],
            *model.bans[name],
            *model.takeovers[name],
        )
        return model.under_way(changes, self.last_login)

    def disconnected(self) -> None:
        """See `Client`."""
        self.log("<- closed")
        link = self.link
        ended = link is None or link.broken or link.daemon_start in self.world.ended_starts
        if not (ended or self.half_closed or self.session_may_have_ended()):
            self.model.violated(f"disconnected:{self.protocol}", f"{self}")
        self.lose()

    def lose(self) -> None:
        """See `Device`. What has arrived counts as read, even if the client has never read it."""
        if self.link is not None:
            unread = self.unread().decode("ascii", "replace")
            self.model.seen[self.name].update(self.model.tokens(unread))
        self.reader = None
        super().lose()

    def new_message(self, recipient: str) -> Message:
        """A text to an account, in ASCII on one line."""
        token = self.world.new_token()
        return self.model.send(token, token + " hi.", self.name, recipient, None)
