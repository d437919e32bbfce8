"""The table of slash commands: what is printed from it, and what is read with it.

`python -m tests.client.cli.commands.test_table` writes it into docs/client.md.
"""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatd.client.cli.commands import table as slash
from chatd.client.cli.commands.arguments import UsageProblem
from chatd.client.cli.output.jsonlines import REQUESTS

DOCUMENT = Path(__file__).resolve().parents[4] / "docs" / "client.md"
BEGIN, END = "<!-- commands -->\n", "<!-- end of commands -->"
NAMES = ["alice", "Albert", "bob", "#lobby", "#Lounge"]


def generated(text: str) -> str:
    """docs/client.md, whose text this is, with the table of commands as it is now."""
    rows = ["| command | |", "|---|---|"]
    for each in slash.COMMANDS:
        usage = each.usage.replace("|", "\\|")
        rows.append(f"| `{usage}` | {each.description} |")
    before, rest = text.split(BEGIN)
    return before + BEGIN + "\n" + "\n".join(rows) + "\n\n" + END + rest.split(END, 1)[1]


class TableTests(SynchronousTestCase):
    """What is printed from it."""

    def test_help_has_every_command_and_fits(self) -> None:
        """A line for each, and one about the rest; 90 columns are enough."""
        lines = slash.help_lines()
        for command, line in zip(slash.COMMANDS, lines, strict=False):
            self.assertIn(command.usage, line)
            self.assertIn(command.summary, line)
        self.assertEqual(len(lines), len(slash.COMMANDS) + 1)
        self.assertLessEqual(max(map(len, lines)), 90)

    def test_document(self) -> None:
        """docs/client.md has the same table, and names all requests that a program can make."""
        text = DOCUMENT.read_text()
        self.assertTrue(
            generated(text) == text, "run: python -m tests.client.cli.commands.test_table"
        )
        for name in REQUESTS:
            self.assertIn(f"`{name}`", text)

    def test_names(self) -> None:
        """No name means two commands."""
        names = [name for each in slash.COMMANDS for name in (each.name, *each.aliases)]
        self.assertEqual(len(names), len(set(names)))


class ParsingTests(SynchronousTestCase):
    """What is read with it."""

    def test_every_name(self) -> None:
        """Whatever its case; what follows is kept as it was typed."""
        for command in slash.COMMANDS:
            for name in (command.name, *command.aliases):
                self.assertEqual(slash.parse(f"/{name.upper()}"), (command, ""))
                self.assertEqual(slash.parse(f"/{name}  a \n b "), (command, " a \n b "))

    def test_unknown(self) -> None:
        """The nearest is named, if one is near."""
        for line, hint in (
            ("/jion #x", "/join?"),
            ("/histroy", "/history?"),
            ("/12345", "/help lists"),
        ):
            self.assertIn(hint, str(self.assertRaises(UsageProblem, slash.parse, line)))
        self.assertIn("/help lists", str(self.assertRaises(UsageProblem, slash.parse, "/")))


class CompletionTests(SynchronousTestCase):
    """What Tab makes of it."""

    def complete(self, text: str) -> list[str]:
        """All that `text` can become."""
        return slash.complete(text, NAMES)

    def test_commands(self) -> None:
        """Those of the table; short forms only if nothing else fits."""
        self.assertEqual(self.complete("/joi"), ["/join "])
        self.assertEqual(
            self.complete("/un"), ["/unblock ", "/unreact ", "/unregister ", "/unwatch "]
        )
        self.assertEqual(len(self.complete("/")), len(slash.COMMANDS))
        self.assertEqual(self.complete("/logo"), ["/logout "])
        self.assertEqual(self.complete("/help jo"), ["/help join "])

    def test_arguments(self) -> None:
        """Names where names belong, rooms where rooms do."""
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
            ("/status x", []),
            ("/nonsense a", []),
        ):
            self.assertEqual(self.complete(text), expected, text)

    def test_texts(self) -> None:
        """A name at the begin is spoken to."""
        self.assertEqual(self.complete("bo"), ["bob: "])
        self.assertEqual(self.complete("hi bo"), ["hi bob "])
        self.assertEqual(self.complete("see #lob"), ["see #lobby "])
        self.assertEqual(self.complete("#lob"), ["#lobby "])
        self.assertEqual(self.complete(""), [])


if __name__ == "__main__":
    DOCUMENT.write_text(generated(DOCUMENT.read_text()))
