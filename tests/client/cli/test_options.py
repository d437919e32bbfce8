"""The command line of the client."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.cli.options import INVALID_SERVER, Options
from tests.doubles.folders import folder


def parsed(*arguments: str) -> Options:
    """Options from these arguments."""
    options = Options()
    options.parseOptions(arguments)
    return options


class OptionsTests(SynchronousTestCase):
    """`Options`."""

    def setUp(self) -> None:
        self.patch_environment("")

    def patch_environment(self, password: str) -> None:
        """Set CHATD_PASSWORD for this test."""
        self.patch(os, "environ", {"CHATD_PASSWORD": password})

    def test_defaults_are_the_local_daemon_and_no_account(self) -> None:
        """There is no password either."""
        options = parsed()
        self.assertEqual(
            (options.name, options.address, options.password), (None, ("127.0.0.1", 65432), None)
        )

    def test_server_is_a_url_or_options(self) -> None:
        """The name may come before or after them."""
        for arguments, address in (
            (["alice", "chat://localhost:64700"], ("localhost", 64700)),
            (["alice", "chat://localhost"], ("localhost", 65432)),
            (["alice", "chat://localhost/"], ("localhost", 65432)),
            (["alice", "chat://[::1]:9000"], ("::1", 9000)),
            (["alice", "--host", "::1"], ("::1", 65432)),
            (["--port=9000", "alice"], ("127.0.0.1", 9000)),
            (["alice", "chat://10.0.0.1", "--port", "9000"], ("10.0.0.1", 9000)),
        ):
            options = parsed(*arguments)
            self.assertEqual((options.name, options.address), ("alice", address), arguments)
        self.assertIsNone(parsed("chat://localhost").name)
        self.assertEqual(parsed("--", "-alice").name, "-alice")

    def test_invalid_url_is_refused(self) -> None:
        """All of them have the same sentence."""
        for url in (
            "https://localhost:1",
            "http://localhost",
            "chat://",
            "chat://localhost:0",
            "chat://localhost:65536",
            "chat://localhost:x",
            "chat://[::1",
            "chat://me:secret@localhost",
            "chat://m e@localhost",
            "chat://me@localhost/room",
            "chat://localhost/room",
            "chat://local host",
        ):
            for arguments in ([url], ["alice", url]):
                error = self.assertRaises(UsageError, parsed, *arguments)
                self.assertEqual(str(error), INVALID_SERVER, url)
        self.assertRaises(UsageError, parsed, "alice", "localhost:65432")

    def test_link_of_an_invitation_has_name_and_token(self) -> None:
        """As operators send it; the name may be given beside it."""
        token = "ozx5u2l-2mzjx6a-nhhqz4o-jbv6i"
        for given in ([], ["zoe"]):
            options = parsed(*given, f"chat://zoe@chat.example.org/{token}")
            self.assertEqual(
                (options.name, options.address, options.invite),
                ("zoe", ("chat.example.org", 65432), token),
            )
        self.assertEqual(parsed("zoe", f"chat://localhost/{token}/").invite, token)
        for arguments in (("ann",), ("--invite", token)):
            error = self.assertRaises(UsageError, parsed, *arguments, f"chat://zoe@h/{token}")
            self.assertIn("given twice", str(error))

    def test_wrong_usage_is_explained(self) -> None:
        """Each mistake has its own sentence."""
        for arguments, part in (
            (["a", "chat://b", "c"], "Unexpected argument 'c'"),
            (["a", "chat://b", "--host", "c"], "host is given twice"),
            (["a", "chat://b:1", "--port", "2"], "port is given twice"),
            (["--port", "70000"], "1 to 65535"),
            (["--port", "x"], "1 to 65535"),
            (["--nonsense"], "not recognized"),
            (["a", "--password-file", "/nonexistent/file"], "cannot be read"),
        ):
            self.assertIn(part, str(self.assertRaises(UsageError, parsed, *arguments)), arguments)

    def test_protocol_is_version_1_or_classic(self) -> None:
        """Some options are for version 1 only."""
        options = parsed("alice", "--invite", "token", "--json", "--times")
        self.assertEqual(
            (options.classic, options.invite, options.json, options.times),
            (False, "token", True, True),
        )
        self.assertTrue(parsed("--protocol", "classic").classic)
        self.assertFalse(parsed("--protocol=1").classic)
        for arguments, part in (
            (["--protocol", "2"], "1 or classic"),
            (
                ["--protocol", "classic", "--json"],
                "--json cannot be used with the classic protocol",
            ),
        ):
            self.assertIn(part, str(self.assertRaises(UsageError, parsed, *arguments)))

    def test_password_file_precedes_the_environment(self) -> None:
        """Only its first line is used."""
        self.patch_environment("secret")
        self.assertEqual(parsed("alice").password, "secret")
        path = Path(folder(self), "password")
        path.write_text("from file\nmore\n")
        self.assertEqual(parsed("alice", "--password-file", str(path)).password, "from file")
        self.assertEqual(parsed("--new-password-file", str(path)).new_password, "from file")

    def test_access_token_is_taken_from_a_file_or_the_environment(self) -> None:
        """The file precedes the environment."""
        self.patch(os, "environ", {"CHATD_TOKEN": "from environment"})
        self.assertEqual(parsed("alice").token, "from environment")
        path = Path(folder(self), "token")
        path.write_text("from file\nmore\n")
        self.assertEqual(parsed("alice", "--token-file", str(path)).token, "from file")
        path.write_text("\n")
        self.assertRaises(UsageError, parsed, "alice", "--token-file", str(path))
        self.patch(os, "environ", {"CHATD_TOKEN": "caf\udce9"})
        self.assertIn("CHATD_TOKEN", str(self.assertRaises(UsageError, parsed, "alice")))

    def test_what_is_not_text_is_refused(self) -> None:
        """It would be another name or another password. An empty new password is refused, too."""
        path = Path(folder(self), "password")
        path.write_bytes(b"caf\xe9\n")
        empty = Path(folder(self), "empty")
        empty.write_bytes(b"\n")
        for arguments, part in (
            (["al\udcff"], "The argument 'al\\udcff' is not valid UTF-8."),
            (["alice", "--password-file", str(path)], "is not valid UTF-8."),
            (["alice", "--new-password-file", str(path)], "is not valid UTF-8."),
            (["alice", "--new-password-file", str(empty)], "is empty."),
        ):
            self.assertIn(part, str(self.assertRaises(UsageError, parsed, *arguments)))
        self.patch_environment("caf\udce9")
        self.assertIn("CHATD_PASSWORD", str(self.assertRaises(UsageError, parsed, "alice")))
