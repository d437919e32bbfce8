"""The connection of a device that speaks version 1: requests, and checks of their answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from chatd.codecs import v1_messages as c
from chatd.codecs.v1 import Broken, Malformed, client_decoder, encode
from tests.simulation.device import Device
from tests.simulation.facts import Change
from tests.simulation.model import Message, Reader
from tests.simulation.v1_refusals import is_justified, must_be_refused
from tests.simulation.v1_requests import ANSWERS, APPENDS, LATE_ACK, Request, shown

if TYPE_CHECKING:
    from tests.simulation.world import World

_HASHING = (
    c.Register,
    c.LogIn,
    c.ChangePassword,
    c.SetCertificates,
    c.DeleteAccount,
    c.CreateAccessToken,
)
"""requests during which a `Ping` is answered at once"""


class V1Connection(Device):
    """Sends requests in version 1, and checks that each is answered once, in order."""

    protocol = "v1"

    def __init__(self, world: World, number: int, name: str) -> None:
        super().__init__(world, number, name)
        self.pending: dict[int, Request] = {}
        self.reader: Reader | None = None
        self.features: list[str] = []
        self._ref = 0
        self._decoder = client_decoder(1 << 24)
        self._goodbye = ""
        self.half_closed = False
        self.last_login = 0
        self.log_out_refused = False
        self._wrong_passwords = 0
        self.resumed_by = ""
        """the resume token or access token with which the session began, if it did"""
        self._resuming: list[tuple[str, int]] = []
        """the tokens of the log-ins without an answer when the daemon said goodbye, and when they
        were sent"""
        self.acks_refused = 0
        """how many acknowledgements without an answer were refused"""
        self.answered_sent = 0
        """when the latest request that has been answered was sent"""
        self._issuing = False
        """whether the log-in has been answered, and the session may still get its token"""

    # The connection

    def open(self, features: list[str]) -> None:
        """Connect, and say hello."""
        self.connect()
        self.features = features
        self._decoder = client_decoder(1 << 24)
        self._goodbye, self._resuming = "", []
        self.half_closed = self._issuing = False
        self.ask(c.Hello(0, "simulation", "1", features))

    def ask(
        self,
        message: Any,
        change: Change | None = None,
        then: Callable[[Any], None] | None = None,
        text: Message | None = None,
    ) -> None:
        """Send a request; `then` is called with its answer."""
        self._ref += 1
        message.ref = self._ref
        if change is not None:
            change.by = self.reader
        request = Request(message, self.model.now(), change, then, text)
        self.pending[self._ref] = request
        if text is not None:
            text.attempts += 1
            text.sent_last = request.sent
            text.refused = False
        self.log(f"-> {shown(message)}")
        self.write(encode(message))

    def tell(self, message: Any) -> None:
        """Send a request that has no answer."""
        self.log(f"-> {shown(message)}")
        self.write(encode(message))

    def read(self, data: bytes) -> None:
        """See `Device`."""
        for message in self._decoder.feed(data):
            if isinstance(message, Malformed | Broken):
                self.model.violated("v1:undecodable", f"{self}: {message}")
                continue
            self.log(f"<- {shown(message)}")
            self._message(message)

    def _message(self, message: Any) -> None:
        if isinstance(message, c.Ping):
            self.write(encode(c.Pong(message.ref)))
        elif 64 <= message.command < 80:
            self._answer(message)
        elif isinstance(message, c.Goodbye):
            self._goodbye = message.code
            self._resuming = [
                (request.message.token, request.sent)
                for request in self.pending.values()
                if isinstance(request.message, c.Resume)
            ]
            if message.code != "stopping":
                self.end_session()
        else:
            self._issuing = self._issuing and not isinstance(message, c.Token)
            self.event(message)

    def event(self, message: Any) -> None:
        """The daemon notifies the session of something."""
        raise NotImplementedError

    def disconnected(self) -> None:
        """See `Client`."""
        self.log("<- closed")
        self._check_disconnection()
        self.lose()

    def _check_disconnection(self) -> None:
        """A client that behaves is not disconnected without a reason of its own."""
        ended = self.link is None or self.link.daemon_start in self.world.ended_starts
        justified = {
            "stopping": ended,
            "password-changed": self.session_may_have_ended(),
            "certificate-removed": self.session_may_have_ended(),
            "account-deleted": self.session_may_have_ended(),
            "kicked": self.session_may_have_ended(),
            "suspended": self.session_may_have_ended(),
            "address-banned": self.session_may_have_ended(),
            "wrong-password": self.token_may_have_ended(),
            "token-ended": self.token_may_have_ended(),
            "": ended or self.half_closed or (self.link is not None and self.link.broken),
        }
        if not justified.get(self._goodbye):
            self.model.violated(f"disconnected:{self._goodbye}", f"{self}")

    def session_may_have_ended(self) -> bool:
        """Whether another client or an operator may have ended the session."""
        model, name = self.model, self.name
        changes = (
            *model.credential_changes[name],
            *model.deletions["@" + name],
            *model.ended_sessions[name],
            *model.bans[name],
        )
        return model.under_way(changes, self.last_login)

    def token_may_have_ended(self) -> bool:
        """Whether the token with which the session began, or was to begin, may have ended since."""
        model = self.model
        for token, sent in ((self.resumed_by, self.last_login), *self._resuming):
            tokens = model.access_tokens if token in model.access_tokens else model.resume_tokens
            if token and not tokens.is_valid(token, self.name, sent, model.tick):
                return True
        return False

    def lose(self) -> None:
        """The connection is closed: requests without an answer may have been carried out."""
        pending, self.pending = self.pending, {}
        for request in pending.values():
            if request.change is not None:
                self.world.settle_later(request.change, self.link)
        self.end_session()
        super().lose()

    def end_session(self) -> None:
        """The session has ended."""
        self.reader = None

    @property
    def connected(self) -> bool:
        """See `Device`. After Goodbye the device sends nothing more."""
        return super().connected and not self._goodbye

    # Answers

    def _answer(self, answer: Any) -> None:
        request = self.pending.pop(answer.ref, None)
        if request is None:
            if not (isinstance(answer, c.Refusal) and answer.ref == 0):
                self.model.violated("v1:unasked-answer", f"{self}: {answer}")
            elif answer.request == c.Ack.command and answer.code in LATE_ACK:
                self.acks_refused += 1
            else:
                self.model.violated(f"v1:refused:{answer.code}", f"{self}: {answer}")
            return
        asked = request.message
        if not isinstance(answer, c.Pong):
            self.answered_sent = max(self.answered_sent, request.sent)
        self._check_order(request, answer)
        if not isinstance(asked, (c.Ping, *APPENDS)):
            issues = isinstance(asked, c.LogIn) and isinstance(answer, c.LoggedIn)
            self._issuing = issues and "tokens" in self.features
        if isinstance(answer, c.Refusal):
            self._refused(request, answer)
            return
        expected = ANSWERS.get(type(asked), c.Done)
        if type(answer) is not expected:
            self.model.violated("v1:wrong-answer", f"{self}: {answer} to {asked}")
            return
        if must_be_refused(self, asked, request.sent):
            self.model.violated(f"accepted:not-allowed:{type(asked).__name__}", f"{self}: {asked}")
        if isinstance(answer, c.Accepted):
            place = (answer.seq, answer.id, answer.time)
            if request.text is not None:
                self.model.accepted(request.text, answer.log, place)
        if request.change is not None:
            request.change.end(self.model.now(), True)
        if request.then is not None:
            request.then(answer)

    def _check_order(self, request: Request, answer: Any) -> None:
        """Answers come in the order of the requests, but for `Accepted`, and for `Pong` while a
        request is carried out that may have a password hashed: `LogIn` until the session has its
        token."""
        earlier = [
            other
            for other in self.pending.values()
            if other.sent < request.sent
            and isinstance(other.message, APPENDS)
            <= (isinstance(answer, c.Accepted) and isinstance(request.message, APPENDS))
        ]
        hashing = earlier and isinstance(earlier[0].message, _HASHING)
        if isinstance(answer, c.Pong) and (hashing or self._issuing):
            return
        if earlier and not isinstance(request.message, APPENDS):
            self.model.violated("v1:order", f"{self}: {answer} before {earlier[0].message}")

    def _refused(self, request: Request, refusal: c.Refusal) -> None:
        if request.change is not None:
            request.change.refused = refusal.code
            uncertain = refusal.code in ("store-unavailable", "busy", "not-logged-in")
            request.change.end(self.model.now(), None if uncertain else False)
        self._wrong_passwords += refusal.code == "wrong-password"
        if isinstance(request.message, c.LogOut):
            # The device believes that it is logged in; what it misses is counted only once.
            self.log_out_refused = True
        if request.text is not None and request.text.attempts == 1:
            self.model.refuse(request.text)
        if not is_justified(self, request.message, request.sent, refusal.code, request.text):
            kind = f"{type(request.message).__name__}:{refusal.code}"
            if refusal.code in ("not-logged-in", "key-reused"):
                # The same for every request.
                kind = refusal.code
            self.model.violated(f"refused:{kind}", f"{self}: {request.message}: {refusal.sentence}")

    def overdue(self) -> list[Request]:
        """Requests that should be answered. After wrong passwords, log-ins may wait for minutes."""
        waiting = list(self.pending.values())
        if self._wrong_passwords >= 3 and waiting:
            first = waiting[0].message
            if isinstance(first, c.LogIn | c.ChangePassword | c.DeleteAccount | c.SetCertificates):
                return []
        return waiting
