"""Permissions: the outcomes in the table, and the sentences of refusals."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

import chatd
from chatd.core.entries import Entry
from chatd.core.errors import Refused
from chatd.core.limits import Limits
from chatd.realm import permissions as p
from tests.realm.permission_table import (
    ALLOWED,
    KINDS,
    NO_SESSION,
    NOTHING,
    TABLE,
    WITHOUT_SESSION,
    Row,
    World,
)


def outcome(call: Callable[[], Any]) -> Any:
    """What a call returns, or the code of its refusal."""
    try:
        return call()
    except Refused as refusal:
        return refusal.code


class Table(SynchronousTestCase):
    """Every action, by every kind of account."""

    def perform(self, row: Row, kind: str) -> str | None:
        """The outcome of an action."""
        world = World(**row.limits)
        session = p.check_logged_in(world.sessions.get(kind))
        returned = world.harness.run(_coroutine(row.perform(world, session)))
        return NOTHING if returned == NOTHING else ALLOWED

    def test_outcomes(self) -> None:
        """Each kind of account is allowed an action, or gets the refusal in the table."""
        for row in TABLE:
            for kind in KINDS:
                expected = (
                    "not-logged-in" if kind == NO_SESSION else row.refusals.get(kind) or ALLOWED
                )
                actual = outcome(lambda row=row, kind=kind: self.perform(row, kind))  # type: ignore[misc]
                self.assertEqual(actual, expected, f"{row.action}, by {kind}")

    def test_outcomes_without_session(self) -> None:
        """Each function returns or refuses as its row says."""
        for function, arguments, expected in WITHOUT_SESSION:
            actual = outcome(lambda call=function, values=arguments: call(*values))  # type: ignore[misc]
            self.assertEqual(actual, expected, f"{function.__name__}{arguments}")

    def test_every_permission_is_in_the_table(self) -> None:
        """A new function of `permissions` needs its rows."""
        functions = {
            function
            for _, function in inspect.getmembers(p, inspect.isfunction)
            if function.__module__ == p.__name__ and not function.__name__.startswith("_")
        }
        in_table = {function for row in TABLE for function in row.functions}
        in_table |= {function for function, _, _ in WITHOUT_SESSION}
        self.assertEqual(in_table, functions)

    def test_only_permissions_refuses_rights(self) -> None:
        """No other module of the daemon raises these refusals."""
        refusals = {
            "Blocked",
            "InviteRequired",
            "LimitReached",
            "NotAMember",
            "NotAllowed",
            "NotLoggedIn",
            "NotTheAuthor",
            "NotTheSender",
            "OpenAccountsForbidden",
            "OutOfScope",
            "PasswordRequired",
            "RegistrationClosed",
            "UnknownLog",
            "UnknownMember",
        }
        package = Path(chatd.__file__).parent
        own = Path(p.__file__)
        for file in package.rglob("*.py"):
            if file == own or (package / "client") in file.parents:
                continue
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                    name = getattr(node.exc.func, "id", "")
                    self.assertNotIn(name, refusals, f"{file}:{node.lineno}")

    def test_refusals_name_the_bound_that_is_met(self) -> None:
        """A `LimitReached` of a bound in `Limits` has the name of the field, by which it is
        counted."""
        for function in ast.parse(Path(p.__file__).read_text()).body:
            if not isinstance(function, ast.FunctionDef):
                continue
            for node in ast.walk(function):
                if (
                    isinstance(node, ast.Call)
                    and getattr(node.func, "id", "") == "LimitReached"
                    and any(each.arg == "limits" for each in function.args.args)
                ):
                    names = [each.value for each in node.args[1:] if isinstance(each, ast.Constant)]
                    self.assertEqual(len(names), 1, function.name)
                    self.assertIn(names[0], Limits.__struct_fields__)


async def _coroutine(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


class Sentences(SynchronousTestCase):
    """What the requester reads."""

    def setUp(self) -> None:
        """Every kind of account."""
        self.world = World()

    def sentence(self, coroutine: Coroutine[Any, Any, Any]) -> str:
        """The sentence of a refusal."""
        return str(self.assertRaises(Refused, self.world.harness.run, coroutine))

    def test_refusals_name_the_role(self) -> None:
        """A refusal in a room names the role that has the right."""
        rooms = self.world.realm.rooms
        self.world.harness.run(rooms.join(self.world.sessions["member"], "#lobby"))
        for coroutine, sentence in (
            (
                rooms.set_topic(self.world.sessions["member"], "#public", ""),
                "Only moderators of #public can do that.",
            ),
            (
                rooms.set_private(self.world.sessions["moderator"], "#public", True),
                "Only the owner of #public and its deputies can do that.",
            ),
            (
                rooms.delete(self.world.sessions["deputy"], "#public"),
                "Only the owner of #public can do that.",
            ),
            (
                rooms.set_role(self.world.sessions["deputy"], "#public", "member", "deputy"),
                "Only the owner of #public makes owners and deputies.",
            ),
            (
                rooms.kick(self.world.sessions["moderator"], "#public", "moderator"),
                "Only the owner of #public and its deputies can kick a moderator.",
            ),
            (
                rooms.kick(self.world.sessions["deputy"], "#public", "deputy"),
                "Only the owner of #public can kick a deputy.",
            ),
            (
                rooms.set_role(self.world.sessions["member"], "#lobby", "member", "moderator"),
                "#lobby has no owner, so no account can do that.",
            ),
            (
                rooms.set_topic(self.world.sessions["member"], "#lobby", ""),
                "#lobby has no moderators, so no account can do that.",
            ),
            (
                rooms.kick(self.world.sessions["moderator"], "#public", "owner"),
                "The owner of #public cannot be kicked.",
            ),
            (
                rooms.kick(self.world.sessions["moderator"], "#public", "nemo"),
                "#public has no member nemo.",
            ),
        ):
            self.assertEqual(self.sentence(coroutine), sentence)

    def test_refusals_name_the_limit(self) -> None:
        """A refusal over a limit names the limit, and the number requested."""
        limits, room = Limits(members=3), self.world.realm.rooms.loaded("#public")
        assert room is not None
        for check, sentence in (
            (lambda: p.check_room_count(200, limits), "An account can be in at most 200 rooms."),
            (
                lambda: p.check_join(room, "", 3, limits),
                "#public has 3 members, and cannot have more.",
            ),
            (
                lambda: p.check_blocked_count(1_000, limits),
                "An account can block at most 1000 others.",
            ),
            (
                lambda: p.check_watched_count(501, limits),
                "A session can watch at most 500 accounts.",
            ),
            (
                lambda: p.check_certificate_count(9),
                "An account can have at most 8 certificates.",
            ),
            (lambda: p.check_text("ä", 1), "text too long: 2 bytes, the limit is 1"),
        ):
            self.assertEqual(str(self.assertRaises(Refused, check)), sentence)

    def test_refusals_over_a_limit_of_one_are_in_the_singular(self) -> None:
        """Such as those that an operator has set."""
        limits = Limits(
            **dict.fromkeys(
                (
                    "rooms",
                    "rooms_made",
                    "members",
                    "ban_patterns",
                    "blocked",
                    "watched",
                    "access_tokens",
                    "reactions",
                    "reports",
                    "account_sessions",
                    "address_sessions",
                    "address_accounts",
                    "address_unauthenticated",
                ),
                1,
            )
        )
        room = self.world.realm.rooms.loaded("#public")
        assert room is not None
        for check, words in (
            (lambda: p.check_room_count(1, limits), "at most 1 room."),
            (lambda: p.check_rooms_made(1, limits), "at most 1 room."),
            (lambda: p.check_join(room, "", 1, limits), "has 1 member, and"),
            (lambda: p.check_invitation_count(room, 1, limits), "has 1 open invitation, and"),
            (lambda: p.check_blocked_count(1, limits), "at most 1 other."),
            (lambda: p.check_watched_count(2, limits), "at most 1 account."),
            (lambda: p.check_access_token_count(1, limits), "at most 1 access token."),
            (lambda: p.check_reaction_count(1, limits), "at most 1 time."),
            (lambda: p.check_report_count(1, limits), "at most 1 time in an hour."),
            (lambda: p.check_session_count(1, 0, "192.0.2.1", limits), "at most 1 session."),
            (lambda: p.check_session_count(0, 1, "192.0.2.1", limits), "at most 1 session."),
            (lambda: p.check_created_count(1, "192.0.2.1", limits), "at most 1 account in an"),
            (lambda: p.check_call_count(0, 1, "192.0.2.1", limits), "at most 1 call carried"),
            (lambda: p.check_call_count(1, 0, "", Limits(calls=1)), "at most 1 call at a time."),
        ):
            self.assertIn(words, str(self.assertRaises(Refused, check)))

    def test_limits_are_inclusive(self) -> None:
        """A value that equals the limit is allowed."""
        p.check_text("", 0)
        p.check_text("12345", 5)
        p.check_watched_count(500, Limits())
        p.check_certificate_count(8)
        p.check_room_count(199, Limits())
        p.check_blocked_count(999, Limits())

    def test_not_logged_in_in_the_words_of_the_protocol(self) -> None:
        """A protocol can choose the sentence of the refusal."""
        refusal = self.assertRaises(Refused, p.check_logged_in, None, "Log in to delete.")
        self.assertEqual(str(refusal), "Log in to delete.")
        self.assertEqual(str(self.assertRaises(Refused, p.check_logged_in, None)), "Log in first.")
        session = self.world.sessions["owner"]
        self.assertIs(p.check_logged_in(session), session)

    def test_author_of_an_entry(self) -> None:
        """It is told by its id; entries of older versions of chatd have none, and there the name
        and the time tell."""
        session = self.world.sessions["owner"]
        session.created = 5

        def entry(sender: str, author: int, time: int = 9) -> Entry:
            return Entry(1, 1, time, sender, "text", "x", 0, author)

        for other, is_author in (
            (entry("owner", session.account), True),
            (entry("owner", session.account, 4), True),
            (entry("owner", session.account + 1), False),
            (entry("owner", 0, 5), True),
            (entry("owner", 0, 4), False),
            (entry("member", 0), False),
        ):
            self.assertEqual(p.is_author(session, other), is_author, other)

    def test_sender_in_every_spelling(self) -> None:
        """Only the account's own name is accepted, in any case."""
        session = self.world.sessions["owner"]
        for sender in ("owner", "Owner", "OWNER"):
            p.check_sender(session, sender)
        for sender in ("member", "", "owner ", "owners", "@owner"):
            self.assertRaises(Refused, p.check_sender, session, sender)
