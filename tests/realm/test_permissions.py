"""Who may do what."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.core.errors import (
    InviteRequired,
    NotLoggedIn,
    NotTheSender,
    OpenAccountsForbidden,
    PasswordRequired,
    RegistrationClosed,
    TextTooLong,
)
from chatd.realm.accounts import Account
from chatd.realm.permissions import (
    Policy,
    check_logged_in,
    check_open,
    check_open_accounts,
    check_registration,
    check_sender,
    check_text,
)
from tests.doubles.realm import RealmHarness


class Permissions(SynchronousTestCase):
    """Each question, answered yes and no."""

    def setUp(self) -> None:
        """Ann is logged in, and wrote her name with a capital."""
        self.harness = RealmHarness()
        self.harness.register("Ann")
        self.harness.login("Ann")
        self.session = self.harness.sessions["Ann"]

    def test_open_accounts_need_no_password(self) -> None:
        """Only an account without a password can be had by its name."""
        check_open(Account(0))
        for password in ("$argon2id$...", ""):
            self.assertRaises(PasswordRequired, check_open, Account(0, password))

    def test_registration(self) -> None:
        """Everyone, who has a token, or nobody."""
        for registration, invited, refusal in (
            ("open", False, None),
            ("open", True, None),
            ("invite", False, InviteRequired),
            ("invite", True, None),
            ("closed", False, RegistrationClosed),
            ("closed", True, RegistrationClosed),
        ):
            policy = Policy(registration)
            if refusal is None:
                check_registration(policy, invited)
            else:
                self.assertRaises(refusal, check_registration, policy, invited)

    def test_open_accounts(self) -> None:
        """Where they are not wanted, they can neither be made nor used."""
        check_open_accounts(Policy())
        self.assertRaises(OpenAccountsForbidden, check_open_accounts, Policy(open_accounts=False))

    def test_logged_in(self) -> None:
        """Who is logged in gets on; who is not is told so, in the words of what was asked for."""
        self.assertIs(check_logged_in(self.session), self.session)
        self.assertEqual(
            str(self.assertRaises(NotLoggedIn, check_logged_in, None)), "Log in first."
        )
        refusal = self.assertRaises(NotLoggedIn, check_logged_in, None, "Log in to delete.")
        self.assertEqual(str(refusal), "Log in to delete.")

    def test_everyone_speaks_for_themselves(self) -> None:
        """One's own name is good in every spelling; another's, or none, is not."""
        for sender in ("Ann", "ann", "ANN"):
            check_sender(self.session, sender)
        for sender in ("Bob", "", "Ann ", "Anna", "@ann"):
            self.assertRaises(NotTheSender, check_sender, self.session, sender)

    def test_text_up_to_the_limit(self) -> None:
        """A text may be as long as the limit, and the refusal of a longer one says both numbers."""
        check_text("", 0)
        check_text("12345", 5)
        refusal = self.assertRaises(TextTooLong, check_text, "123456", 5)
        self.assertEqual(str(refusal), "text too long: 6 bytes, the limit is 5")
