"""An invited person and a bot: the link of an invitation, and an access token until it is revoked,
with the daemon and the clients as processes."""

from __future__ import annotations

from subprocess import PIPE

from tests.doubles.admin import run_command
from tests.doubles.client_process import PATIENCE
from tests.doubles.program import Program, environment, run
from tests.doubles.startup import Start


class InvitedWithABot(Start):
    """Accounts are created by invitation."""

    def output(self, *words: str) -> str:
        """What an operator's command shows."""
        completed = run_command(*words, cwd=self.folder)
        self.assertEqual(completed.status, 0, completed.stderr)
        return completed.stdout

    def test_bot_of_an_invited_person_works_until_its_token_is_revoked(self) -> None:
        """The link is typed as it was sent; the token is read from a pipe, and from a file."""
        daemon = self.daemon("--port", "0", "--registration", "invite")
        (self.folder / "class").write_text("zoe\n")
        server = f"chat://127.0.0.1:{daemon.port}"
        shown = self.output("invite", "--names", "class", "--server", server)
        link = shown.split()[-1]
        person = run(
            ["chatd.client", link],
            cwd=self.folder,
            env=environment({"CHATD_PASSWORD": "s3cret"}),
            timeout=PATIENCE,
            input="/create #ci\n/token create bot 0 send #ci, read #ci\n",
        )
        self.assertEqual((person.returncode, person.stderr), (0, ""))
        self.assertIn("CREATED ACCOUNT: zoe", person.stdout)
        (token,) = (line for line in person.stdout.splitlines() if line.startswith("chatd_"))
        (self.folder / "token").write_text(token)
        bot = Program(
            ["chatd.client", "zoe", server, "--token-file", "token"],
            cwd=self.folder,
            env=environment(),
            stdin=PIPE,
            stderr=PIPE,
        )
        with bot:
            assert bot.stdin is not None and bot.stdout is not None and bot.stderr is not None
            bot.stdin.write("built\n")
            bot.stdin.flush()
            self.assertEqual(bot.stdout.readline(), "#ci <zoe> built\n")
            self.assertIn("bot    send #ci, read #ci", self.output("token", "list", "zoe"))
            self.output("token", "revoke", "zoe", "bot")
            self.assertIn("has been revoked", bot.stdout.readline())
            self.assertEqual(bot.wait(PATIENCE), 1)
        self.assertNotIn(token, daemon.output)
