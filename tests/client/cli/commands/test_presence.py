"""``/away``, ``/back``, ``/hide``, ``/show``, ``/seen``, ``/watch`` and ``/unwatch``."""

from __future__ import annotations

from chatd.codecs import v1_messages as c
from tests.doubles.chat import CommandTestCase, RequestCase

_OWN_PRESENCE = c.Who(0, ["alice"])

CASES: list[RequestCase] = [
    ("/seen bob", [c.Who(0, ["bob"])]),
    ("/watch bob carl", [c.Who(0, ["bob", "carl"], True)]),
    ("/unwatch bob", [c.Unwatch(0, ["bob"])]),
    ("/away having lunch", [_OWN_PRESENCE, c.SetPresence(0, True, "having lunch")]),
    ("/hide", [c.SetPresence(0, True, "having lunch", True)]),
    ("/show", [c.SetPresence(0, True, "having lunch")]),
    ("/back", [_OWN_PRESENCE, c.SetPresence(0)]),
]


class PresenceTests(CommandTestCase):
    """A person in the lobby."""

    def test_commands_send_their_requests(self) -> None:
        """``/hide`` and ``/show`` keep the text of ``/away``."""
        self.check_requests(CASES)

    def test_wrong_arguments_print_the_usage(self) -> None:
        """Nothing is requested."""
        self.check_usage(
            "/seen", "/seen a b", "/watch", "/unwatch", "/back x", "/hide x", "/show x"
        )

    def test_away_does_not_end_hiding(self) -> None:
        """The account may have been hidden by an earlier session."""
        self.client.answers[c.Who] = c.People(0, [c.Person("alice", "off")])
        self.type("/away")
        self.assertEqual(self.requests()[-1], c.SetPresence(0, True, "", True))

    def test_back_does_not_end_hiding(self) -> None:
        """Only ``/show`` does."""
        self.client.answers[c.Who] = c.People(0, [c.Person("alice", "off")])
        self.type("/back")
        self.assertEqual(self.requests()[-1], c.SetPresence(0, False, "", True))

    def test_presence_is_printed(self) -> None:
        """Each account has one line."""
        people = [c.Person("Bob", "away", "lunch"), c.Person("carl", "unknown")]
        self.client.answers[c.Who] = c.People(0, people)
        self.assertEqual(
            self.type("/watch bob carl"),
            [
                "Bob is away: lunch",
                "There is no account called carl.",
                "(You will be notified of changes.)",
            ],
        )

    def test_at_most_100_accounts_are_watched_by_one_line(self) -> None:
        """The server accepts no more in one request."""
        names = [f"user{number}" for number in range(101)]
        self.type(f"/watch {' '.join(names)}")
        self.assertEqual(self.requests(), [c.Who(0, names[:100], True)])
