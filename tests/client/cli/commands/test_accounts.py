"""``/list``, ``/passwd``, ``/certificate`` and ``/unregister``."""

from __future__ import annotations

from chatd.codecs import v1_messages as c
from tests.doubles.chat import ChatTestCase, CommandTestCase, RequestCase

CASES: list[RequestCase] = [
    ("/list b*", [c.FindAccounts(0, "b*")]),
    ("/list", [c.FindAccounts(0, "*")]),
    ("/passwd\nsecret\nnew\nnew", [c.ChangePassword(0, "secret", "new")]),
    ("/passwd\nnew\n", [c.ChangePassword(0, "new", None)]),
    ("/certificate ab:cd ef", [c.SetCertificates(0, ["ab:cd", "ef"])]),
    ("/certificate none", [c.SetCertificates(0, [])]),
    ("/unregister\nn", []),
    ("/unregister\ny", [c.DeleteAccount(0)]),
]


class AccountTests(CommandTestCase):
    """A person whose account has a password."""

    def test_commands_send_their_requests(self) -> None:
        """The second ``/passwd`` removes the password, which is then not asked for."""
        self.check_requests(CASES)
        self.assertEqual(self.successResultOf(self.ended), 0)

    def test_wrong_arguments_print_the_usage(self) -> None:
        """Nothing is requested."""
        self.check_usage("/list a b", "/passwd x", "/certificate", "/unregister alice")

    def test_accounts_are_requested_page_by_page(self) -> None:
        """The last page ends the list."""
        self.client.answers[c.FindAccounts] = [c.Names(0, ["a", "b"], True), c.Names(0, ["c"])]
        self.assertEqual(self.type("/list"), ["a", "b", "c"])
        self.assertEqual(self.requests(), [c.FindAccounts(0, "*"), c.FindAccounts(0, "*", "b")])

    def test_long_list_of_accounts_ends_with_advice(self) -> None:
        """At most 1000 accounts are listed, in whole pages."""
        names = [f"user{number}" for number in range(600)]
        self.client.answers[c.FindAccounts] = c.Names(0, names, True)
        *listed, note = self.type("/list")
        self.assertEqual(len(listed), 1200)
        self.assertEqual(
            note,
            "(These are the first 1200 accounts: use a pattern to list others, such as /list b*)",
        )

    def test_empty_list_of_accounts_is_a_note(self) -> None:
        """A script gets no line."""
        self.assertEqual(self.type("/list x*"), ["(No account matches.)"])

    def test_typed_passwords_are_hidden(self) -> None:
        """The current one, the new one, and its repetition."""
        for line in ("/passwd", "secret", "new"):
            self.type(line)
            self.assertTrue(self.screen.hidden, line)
        self.type("new")
        self.assertFalse(self.screen.hidden)

    def test_new_password_must_not_be_empty_where_open_accounts_are_forbidden(self) -> None:
        """The question does not offer an open account."""
        self.client.welcome.open_accounts = False
        self.type("/passwd", "secret")
        self.assertEqual(self.screen.prompt, "New password: ")
        self.type("", "new", "new")
        self.assertEqual(self.requests(), [c.ChangePassword(0, "secret", "new")])

    def test_certificate_and_unregister_ask_for_the_password(self) -> None:
        """The server checks it."""
        self.check_requests(
            [
                ("/certificate ab\nsecret", [c.SetCertificates(0, ["ab"], "secret")]),
                ("/unregister\ny\nsecret", [c.DeleteAccount(0, "secret")]),
            ]
        )

    def test_unregister_prints_the_deleted_account_and_ends_the_client(self) -> None:
        """If the question is answered with no, the account is not deleted."""
        self.type("/unregister")
        self.assertEqual(
            self.screen.prompt,
            "Delete the account alice and its mailbox? What it has sent stays. (y/n): ",
        )
        self.assertEqual(self.type("n"), ["(Not deleted.)"])
        self.assertNoResult(self.ended)
        self.assertEqual(self.type("/unregister", "y", "secret"), ["DELETED ACCOUNT: alice"])
        self.assertEqual(self.successResultOf(self.ended), 0)


class ScriptTests(ChatTestCase):
    """The input is a pipe."""

    interactive = False

    def test_commands_ask_no_questions(self) -> None:
        """The passwords are those of the command line."""
        self.begin(password="old", new_password="new")
        self.type("/certificate ab", "/passwd", "/unregister")
        self.assertEqual(
            self.requests(),
            [
                c.SetCertificates(0, ["ab"], "old"),
                c.ChangePassword(0, "old", "new"),
                c.DeleteAccount(0, "new"),
            ],
        )
        self.assertEqual(self.successResultOf(self.ended), 0)

    def test_passwd_without_a_new_password_ends_the_client(self) -> None:
        """The lines after it may be passwords, which must not be sent as messages."""
        self.begin(password="old")
        (error,) = self.type("/passwd")
        self.assertIn("--new-password-file", error)
        self.assertEqual(self.requests(), [])
        self.assertEqual(self.screen.prompt, "")
        self.assertEqual(self.successResultOf(self.ended), 1)

    def test_line_that_is_a_password_is_not_sent(self) -> None:
        """It may be meant for the command before it."""
        self.begin(password="old", new_password="new")
        for line in ("/certificate ab", "old", " new ", "/passwd", "old", "new"):
            self.type(line)
        sent = [each for each in self.requests() if isinstance(each, c.Send)]
        self.assertEqual(sent, [])
        self.assertEqual(
            self.type("new"),
            ["! This line is a password or token of the account. It was not sent."],
        )
        self.type("old news")
        self.assertEqual(self.requests(), [c.Send(0, "#lobby", "old news")])
