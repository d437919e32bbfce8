"""Refusals of protocols without codes are recognized by their sentences, and judged."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import ops
from chatd.core.errors import StoreUnavailable, WrongPassword
from chatd.realm.permissions import Policy
from tests.simulation.legacy_refusals import Attempt, code_of, is_justified
from tests.simulation.model import Model


class Sentences(SynchronousTestCase):
    """`code_of`."""

    def test_sentences(self) -> None:
        """Those of all protocols have a code; a reply that refuses nothing has none."""
        for sentence, code in (
            (str(WrongPassword()), "wrong-password"),
            (str(StoreUnavailable()), "store-unavailable"),
            ("username already exists", "name-taken"),
            ("user is already logged in", "already-logged-in"),
            (ops.unknown_recipient("bob"), "unknown-account"),
            (ops.taken("bob"), "name-taken"),
            (ops.unknown_id("bob123"), "not-open"),
            (ops.UNKNOWN_MAILBOX, "not-open"),
            (ops.MAIL_WAITS, "mail-waits"),
            (ops.INVALID, "not-logged-in"),
            (ops.DELETED, ""),
        ):
            self.assertEqual(code_of(sentence), code, sentence)


class Justified(SynchronousTestCase):
    """`is_justified`, for a client of ann's account."""

    def setUp(self) -> None:
        self.model = Model(("ann", "bob"), ("#lobby",))
        self.rivals: frozenset[object] = frozenset()
        self.ended = False
        self.device: Any = SimpleNamespace(
            model=self.model,
            name="ann",
            rivals=lambda sent: self.rivals,
            session_may_have_ended=lambda: self.ended,
        )

    def justified(self, code: str, recipient: str = "", password: str | None = None) -> bool:
        """Whether a refusal of a command that is sent now is justified."""
        attempt = Attempt("send", self.model.now(), recipient, password)
        return is_justified(self.device, attempt, code)

    def test_client_that_behaves(self) -> None:
        """Nothing has happened that justifies a refusal; what is not known never is."""
        for name in ("ann", "bob"):
            self.model.register(name, None).end(self.model.now(), True)
        for code in (
            "store-unavailable",
            "not-logged-in",
            "unknown-account",
            "not-open",
            "already-logged-in",
            "blocked",
            "wrong-password",
            "password-needed",
            "registration-closed",
            "busy",
            "too-many-attempts",
            "mail-waits",
            "",
        ):
            self.assertFalse(self.justified(code, "bob"), code)

    def test_reasons(self) -> None:
        """What others have done, or the daemon's options, justify a refusal."""
        model = self.model
        self.assertTrue(self.justified("unknown-account", "bob"))
        model.register("ann", "p1").end(model.now(), True)
        model.register("bob", None).end(model.now(), True)
        model.set_blocked("bob", "ann", True).end(model.now(), True)
        self.assertTrue(self.justified("name-taken"))
        self.assertTrue(self.justified("not-open"))
        self.assertTrue(self.justified("blocked", "bob"))
        self.assertTrue(self.justified("password-required"))
        self.assertFalse(self.justified("wrong-password", password="p1"))
        model.store_fails(True)
        self.assertTrue(self.justified("store-unavailable"))
        model.policy = Policy("closed", False)
        self.assertTrue(self.justified("registration-closed"))
        self.assertTrue(self.justified("password-needed"))
        model.set_password("ann", "p2")
        self.assertTrue(self.justified("busy"))
        self.ended = True
        self.assertTrue(self.justified("not-logged-in"))
        self.rivals = frozenset({object()})
        self.assertTrue(self.justified("already-logged-in"))
