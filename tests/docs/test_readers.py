"""Every strong sentence, table and example of the documents has a test that reads it or would fail
without it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache

from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase

from chatd.admin.command_line import Options as AdminOptions
from chatd.admin.commands import COMMANDS
from chatd.client.cli.options import Options as ClientOptions
from chatd.codecs import v1_messages as c
from chatd.config.options import Options
from tests.docs.pages import ROOT, blocks, documents, name, sentences
from tests.docs.readers import CLAIMS, EXAMPLES, TABLES
from tests.doubles.v1_clients import MainPortServer

_STRONG = re.compile(r"\b(?:always|never|at most|within)\b(?! a (?:message|cell))", re.I)


_LIST = "List it in tests/docs/readers.py with its test, or say it without a strong word."


def pages() -> list[str]:
    """All documents but the list of changes, which is about former versions, too."""
    return [name(document) for document in documents() if document.name != "CHANGELOG.md"]


@cache
def methods_of(module: str) -> frozenset[str]:
    """The names of the tests in a module: `CLASS.METHOD`, and `FUNCTION`."""
    tree = ast.parse((ROOT / (module.replace(".", "/") + ".py")).read_text())
    return frozenset(_names(tree))


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            yield from (f"{node.name}.{each}" for each in _names(node))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name


class ReaderTests(SynchronousTestCase):
    """`readers` is complete."""

    def test_every_strong_sentence_has_a_test(self) -> None:
        """A sentence is listed once, by words of its own; what is listed is in the page."""
        self.assertLessEqual(set(CLAIMS), set(pages()))
        for page in pages():
            strong = [text for text in sentences(page) if _STRONG.search(text)]
            words = CLAIMS.get(page, {})
            for text in strong:
                found = [each for each in words if each in text]
                self.assertEqual(len(found), 1, f"{page}: {text}\n{_LIST}")
            for each in words:
                self.assertTrue(any(each in text for text in strong), f"{page}: {each}")

    def test_every_table_has_a_test(self) -> None:
        """Tables are listed by their headings."""
        self._check_blocks("table", TABLES)

    def test_every_example_has_a_test(self) -> None:
        """Blocks of code are listed by their headings."""
        self._check_blocks("code", EXAMPLES)

    def _check_blocks(self, kind: str, listed: Mapping[str, Mapping[str, str]]) -> None:
        found = {
            (page, block.heading)
            for page in pages()
            for block in blocks(page)
            if block.kind == kind
        }
        self.assertEqual(
            found, {(page, heading) for page, headings in listed.items() for heading in headings}
        )

    def test_listed_tests_exist(self) -> None:
        """Each is a method of a class, in a module of tests."""
        for listed in (CLAIMS, TABLES, EXAMPLES):
            for page, tests in listed.items():
                for words, test in tests.items():
                    module, kind, method = f"tests.{test}".rsplit(".", 2)
                    self.assertIn(f"{kind}.{method}", methods_of(module), f"{page}: {words}")


class PromiseTests(SynchronousTestCase):
    """Promises of the documents that have no better place."""

    def test_no_option_takes_a_password(self) -> None:
        """Other users of a machine see the arguments of a program."""
        programs: list[type[usage.Options]] = [Options, ClientOptions, AdminOptions, *COMMANDS]
        for program in programs:
            taken = [option for option in program().longOpt if option.endswith("=")]
            self.assertFalse({"password=", "token="} & set(taken), program)

    def test_logs_are_in_lower_case(self) -> None:
        """Those of an account and of a room whose names have capital letters."""
        server = MainPortServer()
        bob = server.log_in("Bob")
        answer = bob.request(c.CreateRoom(0, "#Garden"))
        self.assertEqual(answer.state.log, "#garden")
        self.assertEqual(bob.request(c.Send(0, "BOB", "hi")).log, "@bob")
