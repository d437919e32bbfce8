"""The commands in the blocks of code can be typed: programs, commands and options exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase

from bench.measurements import MEASUREMENTS
from chatd.admin.command_line import Options as AdminOptions
from chatd.admin.commands import COMMANDS
from chatd.client.cli.options import Options as ClientOptions
from chatd.config.options import _VALUES, Options, variable
from tests.docs.pages import blocks, documents, name, spans, table

_PROGRAM = re.compile(r"(?:python3? -m (chatd[.\w]*)|twistd (?:\S+ )*?(chatd\b)(?!\.))(.*)")
_TWISTD = re.compile(r"\btwistd ((?:-\S+ )*)chatd\b")


def commands() -> Iterator[tuple[str, str, list[str]]]:
    """(page, program, arguments) of each command line in a block of code."""
    for document in documents():
        page = name(document)
        for block in blocks(page) if page != "CHANGELOG.md" else ():
            text = "\n".join(block.lines).replace("\\\n", " ") if block.kind == "code" else ""
            for line in text.splitlines():
                if line.lstrip().startswith("["):
                    continue  # A line of the daemon's log.
                found = _PROGRAM.search(line.partition("  #")[0])
                if found:
                    rest = re.split(r" [|<>&]|   ", found[3].replace("\\%", "%"))[0]
                    yield page, found[1] or found[2], shlex.split(rest)


def known(options: type[usage.Options]) -> set[str]:
    """The long and short options of a program, with their hyphens."""
    made = options()
    return {f"--{option.rstrip('=')}" for option in made.longOpt} | {
        f"-{option}" for option in made.shortOpt.replace(":", "")
    }


class CommandTests(SynchronousTestCase):
    """Programs and their options, as the documents type them."""

    def test_options_exist(self) -> None:
        """Each option of a command line belongs to its program and command."""
        lines = list(commands())
        self.assertGreater(len(lines), 40)
        admin_commands = {command.name: command for command in COMMANDS}
        for page, program, arguments in lines:
            allowed = {"--help", "--version"}
            if program == "chatd.admin":
                allowed |= known(AdminOptions)
                chosen = [word for word in arguments if word in admin_commands]
                for word in chosen[:1]:
                    allowed |= known(admin_commands[word])
                self.assertTrue(chosen or set(arguments) & {"COMMAND", "--help"}, arguments)
            elif program == "chatd.client":
                allowed |= known(ClientOptions)
            else:
                self.assertEqual(program, "chatd", page)
                allowed |= known(Options)
            used = {word.partition("=")[0] for word in arguments if word.startswith("-")}
            self.assertLessEqual(used, allowed, f"{page}: {program} {arguments}")

    def test_environment_variables_exist(self) -> None:
        """Each word that begins with CHATD_ is a variable of an option, or of the client."""
        variables = {variable(each) for each in (*_VALUES, "listen", "config")}
        variables |= {"CHATD_PASSWORD", "CHATD_TOKEN"}
        for document in documents():
            for word in re.findall(r"\bCHATD_[A-Z_]+\b", document.read_text()):
                self.assertIn(word, variables, document.name)

    def test_explained_settings_of_systemd_are_in_the_unit(self) -> None:
        """The table of docs/recipes/systemd.md explains what the unit above it has."""
        page = "docs/recipes/systemd.md"
        unit = next(block for block in blocks(page) if block.lines[0] == "[Unit]")
        for row in table(page, "Running under systemd"):
            for span in spans(row[0]):
                self.assertIn(span, "\n".join(unit.lines))

    def test_parts_of_the_benchmark_are_those_of_the_document(self) -> None:
        """The table of bench/README.md, and the list behind ``--only``."""
        parts = {spans(row[0])[0] for row in table("bench/README.md", "What is measured")}
        self.assertEqual(parts, set(MEASUREMENTS))
        usage_lines = next(block for block in blocks("bench/README.md") if block.kind == "code")
        listed = re.search(r"one part: (.*)", "\n".join(usage_lines.lines))
        assert listed is not None
        self.assertEqual(set(listed[1].split(", ")), set(MEASUREMENTS))

    def test_terms_of_the_glossary_are_in_order(self) -> None:
        """A reader finds a term by the alphabet, and only once."""
        terms = [row[0].casefold() for row in table("docs/glossary.md", "Glossary")]
        self.assertEqual(terms, sorted(set(terms)))
