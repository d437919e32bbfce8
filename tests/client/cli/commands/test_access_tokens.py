"""``/token``."""

from __future__ import annotations

from chatd.codecs import v1_messages as c
from tests.doubles.chat import CommandTestCase, RequestCase
from tests.doubles.client import SINCE

TOKEN = "chatd_q1Uv5xkz"

CASES: list[RequestCase] = [
    ("/token list", [c.GetAccessTokens(0)]),
    (
        "/token create bot 2 send #ci,  read  #ci\nsecret",
        [c.CreateAccessToken(0, "bot", ["send #ci", "read #ci"], 172_800, "secret")],
    ),
    ("/token create bot 0 all\nsecret", [c.CreateAccessToken(0, "bot", ["all"], 0, "secret")]),
    ("/token revoke bot", [c.RevokeAccessToken(0, "bot")]),
]


class AccessTokenTests(CommandTestCase):
    """A person whose account has a password."""

    def setUp(self) -> None:
        super().setUp()
        self.client.answers |= {
            c.GetAccessTokens: c.AccessTokens(0, []),
            c.CreateAccessToken: c.NewAccessToken(0, TOKEN),
        }

    def test_commands_send_their_requests(self) -> None:
        """Only the making of a token needs the password."""
        self.check_requests(CASES)

    def test_wrong_arguments_print_the_usage(self) -> None:
        """Nothing is requested."""
        self.check_usage("/token", "/token x", "/token revoke", "/token revoke a b")
        for line in (
            "/token create",
            "/token create bot",
            "/token create bot 2",
            "/token create bot forever all",
            "/token create bot 36501 all",
        ):
            (usage,) = self.type(line)
            self.assertIn("Usage: /token create NAME DAYS SCOPE, ...", usage)
        self.assertEqual(self.requests(), [])

    def test_new_token_is_a_line_of_its_own(self) -> None:
        """So it can be copied, or read from a pipe."""
        self.type("/token create bot 0 all")
        shown, note = self.type("secret")
        self.assertEqual(shown, TOKEN)
        self.assertIn("It is not shown again.", note)

    def test_list_shows_scopes_expiry_and_last_use(self) -> None:
        """One line for each token."""
        self.client.answers[c.GetAccessTokens] = c.AccessTokens(
            0,
            [
                c.AccessTokenInfo("bot", ["send #ci", "read #ci"], SINCE, 0, 0, 0, False),
                c.AccessTokenInfo("web", ["all"], SINCE, SINCE, SINCE, 1, True),
            ],
        )
        first, second = self.type("/token list")
        self.assertEqual(first, "bot: send #ci, read #ci (does not expire, not used yet)")
        self.assertRegex(
            second,
            r"^web: all \(until \d{4}-\d\d-\d\d, last used \d{4}-\d\d-\d\d, made by an operator\)$",
        )

    def test_empty_list_is_a_note(self) -> None:
        """A script gets no line."""
        self.assertEqual(self.type("/token list"), ["(There are no access tokens.)"])
