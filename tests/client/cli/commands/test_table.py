"""The table of slash commands: help, parsing and completion.

``python -m tests.client.cli.commands.test_table`` writes the table into docs/client.md.
"""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatd.client.cli.commands import table as slash
from chatd.client.cli.commands.arguments import UsageProblem
from chatd.client.cli.output.jsonlines import REQUESTS
from tests.client.cli.commands import (
    test_access_tokens,
    test_accounts,
    test_blocking,
    test_edits,
    test_history,
    test_moderation,
    test_presence,
    test_receipts,
    test_reports,
    test_rooms,
    test_sending,
    test_session,
)
from tests.doubles.chat import CommandTestCase, RequestCase

DOCUMENT = Path(__file__).resolve().parents[4] / "docs" / "client.md"
BEGIN, END = "<!-- commands -->\n", "<!-- end of commands -->"
NAMES = ["alice", "Albert", "bob", "#lobby", "#Lounge"]

CASES: list[RequestCase] = [("/help", []), ("/help join", [])]
ALL_CASES = [
    *CASES,
    *test_access_tokens.CASES,
    *test_accounts.CASES,
    *test_blocking.CASES,
    *test_edits.CASES,
    *test_history.CASES,
    *test_moderation.CASES,
    *test_presence.CASES,
    *test_receipts.CASES,
    *test_reports.CASES,
    *test_rooms.CASES,
    *test_sending.CASES,
    *test_session.CASES,
]
"""the requests of the commands of all modules"""


def generated(text: str) -> str:
    """The text of docs/client.md with the current table of commands."""
    rows = ["| command | |", "|---|---|"]
    for each in slash.COMMANDS:
        usage = each.usage.replace("|", "\\|")
        rows.append(f"| `{usage}` | {each.description} |")
    before, rest = text.split(BEGIN)
    return before + BEGIN + "\n" + "\n".join(rows) + "\n\n" + END + rest.split(END, 1)[1]


class TableTests(SynchronousTestCase):
    """Help and document."""

    def test_help_has_a_line_for_each_command_of_at_most_100_columns(self) -> None:
        """One more line is about messages."""
        lines = slash.help_lines()
        for command, line in zip(slash.COMMANDS, lines, strict=False):
            self.assertIn(command.usage, line)
            self.assertIn(command.summary, line)
        self.assertEqual(len(lines), len(slash.COMMANDS) + 1)
        self.assertLessEqual(max(map(len, lines)), 100)

    def test_document_has_the_commands_and_the_requests(self) -> None:
        """docs/client.md is generated from the table."""
        text = DOCUMENT.read_text()
        self.assertTrue(
            generated(text) == text, "run: python -m tests.client.cli.commands.test_table"
        )
        for name in REQUESTS:
            self.assertIn(f"`{name}`", text)

    def test_requests_of_every_command_are_tested(self) -> None:
        """By the module of tests that is named as the module of the command."""
        tested = {line.split()[0].removeprefix("/") for line, _ in ALL_CASES}
        self.assertEqual({command.name for command in slash.COMMANDS} - tested, set())

    def test_names_and_aliases_are_unique(self) -> None:
        """No two commands share one."""
        names = [name for each in slash.COMMANDS for name in (each.name, *each.aliases)]
        self.assertEqual(len(names), len(set(names)))


class HelpTests(CommandTestCase):
    """``/help``."""

    def test_help_sends_no_request(self) -> None:
        """It works without a connection."""
        self.client.connected = False
        self.check_requests(CASES)

    def test_help_explains_one_command_or_lists_all(self) -> None:
        """An alias stands for its command; an unknown one is an error."""
        self.assertEqual(self.type("/help"), slash.help_lines())
        for line in ("/help join", "/help /j"):
            self.assertEqual(self.type(line), ["/join #ROOM: join a room (also /j)"])
        self.assertIn("There is no command /jion.", self.type("/help jion")[0])


class ParsingTests(SynchronousTestCase):
    """Lines that begin with a slash."""

    def test_names_ignore_case_and_arguments_are_kept(self) -> None:
        """Aliases are parsed in the same way."""
        for command in slash.COMMANDS:
            for name in (command.name, *command.aliases):
                self.assertEqual(slash.parse(f"/{name.upper()}"), (command, ""))
                self.assertEqual(slash.parse(f"/{name}  a \n b "), (command, " a \n b "))

    def test_unknown_command_suggests_a_similar_one(self) -> None:
        """If no command is similar, the error names the help."""
        for line, hint in (
            ("/jion #x", "/join?"),
            ("/histroy", "/history?"),
            ("/12345", "/help lists"),
        ):
            self.assertIn(hint, str(self.assertRaises(UsageProblem, slash.parse, line)))
        self.assertIn("/help lists", str(self.assertRaises(UsageProblem, slash.parse, "/")))


class CompletionTests(SynchronousTestCase):
    """The Tab key."""

    def complete(self, text: str) -> list[str]:
        """All completions of `text`."""
        return slash.complete(text, NAMES)

    def test_commands_are_completed(self) -> None:
        """Aliases only if no command fits."""
        self.assertEqual(self.complete("/joi"), ["/join "])
        self.assertEqual(
            self.complete("/un"),
            [
                "/unban ",
                "/unblock ",
                "/unreact ",
                "/unregister ",
                "/unsilence ",
                "/unwatch ",
            ],
        )
        self.assertEqual(len(self.complete("/")), len(slash.COMMANDS))
        self.assertEqual(self.complete("/logo"), ["/logout "])
        self.assertEqual(self.complete("/help jo"), ["/help join "])

    def test_arguments_are_completed_by_their_placeholders(self) -> None:
        """Names where the usage has NAME, rooms where it has #ROOM."""
        for text, expected in (
            ("/msg al", ["/msg Albert ", "/msg alice "]),
            ("/msg #lob", ["/msg #lobby "]),
            ("/msg bob hi al", ["/msg bob hi Albert ", "/msg bob hi alice "]),
            ("/join #l", ["/join #Lounge ", "/join #lobby "]),
            ("/join al", []),
            ("/invite b", ["/invite bob "]),
            ("/invite bob #lob", ["/invite bob #lobby "]),
            ("/role bob mo", ["/role bob moderator "]),
            ("/who a", ["/who Albert ", "/who alice "]),
            ("/who alice b", ["/who alice bob "]),
            ("/watch alice bob al", ["/watch alice bob Albert ", "/watch alice bob alice "]),
            ("/history 5 @", ["/history 5 @me "]),
            ("/history #lob", ["/history #lobby "]),
            ("/history @m", ["/history @me "]),
            ("/create #new --p", ["/create #new --private "]),
            ("/edit al", ["/edit Albert ", "/edit alice "]),
            ("/edit 2 so al", ["/edit 2 so Albert ", "/edit 2 so alice "]),
            ("/kick bob #lobby x", []),
            ("/ban b", ["/ban bob "]),
            ("/ban #lob", ["/ban #lobby "]),
            ("/ban #lobby b", ["/ban #lobby bob "]),
            ("/ban bob b", []),
            ("/role #lobby bob mo", ["/role #lobby bob moderator "]),
            ("/status x", []),
            ("/nonsense a", []),
        ):
            self.assertEqual(self.complete(text), expected, text)

    def test_names_in_messages_are_completed(self) -> None:
        """At the beginning, a colon is added."""
        self.assertEqual(self.complete("bo"), ["bob: "])
        self.assertEqual(self.complete("hi bo"), ["hi bob "])
        self.assertEqual(self.complete("see #lob"), ["see #lobby "])
        self.assertEqual(self.complete("#lob"), ["#lobby "])
        self.assertEqual(self.complete(""), [])


if __name__ == "__main__":
    DOCUMENT.write_text(generated(DOCUMENT.read_text()))
