"""What the audit log has of a request."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import admin as c
from chatd.protocols.admin.audited import LONGEST, operation
from chatd.realm.audit import Operation


class Audited(SynchronousTestCase):
    """Requests and answers."""

    def test_secrets_are_left_out(self) -> None:
        """Of requests and of answers."""
        for request, answer, expected in (
            (
                c.SetPassword("ann", "s3cret"),
                {"name": "Ann"},
                Operation("reset-password", {"name": "ann"}, {"name": "Ann"}),
            ),
            (
                c.CreateInviteToken(2, note="choir"),
                {"token": "s3cret", "key": "ab", "expires": None, "links": ["s3cret"]},
                Operation("invite", {"uses": 2, "note": "choir"}, {"key": "ab", "expires": None}),
            ),
            (
                c.CreateAccessToken("ann", "the bot", ["all"]),
                {"name": "Ann", "token": "s3cret", "expires": None},
                Operation(
                    "create-token",
                    {"name": "ann", "label": "the bot", "scopes": "all"},
                    {"name": "Ann", "expires": None},
                ),
            ),
            (c.RevokeInviteToken("s3cret"), {"key": "ab"}, Operation("revoke", {}, {"key": "ab"})),
        ):
            found = operation(request, answer)
            self.assertEqual(found, expected)
            self.assertNotIn("s3cret", str(found))

    def test_token_in_place_of_what_it_is_called_is_left_out(self) -> None:
        """The request is refused then."""
        found = operation(c.RevokeAccessToken("ann", "s3cret"), refused="unknown-token")
        self.assertEqual(found.arguments, {"name": "ann"})

    def test_values_are_printable_and_not_long(self) -> None:
        """A terminal that shows them is not controlled by them."""
        self.assertEqual(
            operation(c.EndSessions("ann", "a\x1b[2J\nb"), refused="busy"),
            Operation("end-sessions", {"name": "ann", "sentence": "a\\x1b[2J\\nb"}, {}, "busy"),
        )
        found = operation(c.SetCertificates("ann", ["ab", "cd" * LONGEST]))
        text = str(found.arguments["fingerprints"])
        self.assertTrue(text.startswith("ab cdcd"))
        self.assertEqual(len(text), LONGEST + 3)

    def test_all_names_of_a_page_are_there(self) -> None:
        """A page of deleted accounts, or of invited people, has up to a hundred."""
        names = [f"{number:032}" for number in range(100)]
        found = operation(c.DeleteAccounts("*", older=1), {"names": " ".join(names)})
        self.assertEqual(found.result, {"names": " ".join(names)})
        found = operation(c.CreateInviteTokens(names), {"names": " ".join(names)})
        self.assertEqual(found.arguments, {"names": " ".join(names)})
