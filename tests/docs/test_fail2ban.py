"""The filter of docs/recipes/fail2ban.md, on lines of the log as fail2ban reads them."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import v1_messages as c
from tests.docs.pages import ROOT, blocks
from tests.doubles.log_lines import log_lines
from tests.doubles.v1_clients import MainPortServer

PAGE = "docs/recipes/fail2ban.md"
HOST = (
    r"(?:\[?(?:(?:::f{4,6}:)?(?P<ip4>(?:\d{1,3}\.){3}\d{1,3})"
    r"|(?P<ip6>(?:[0-9a-fA-F]{1,4}::?|::){1,7}(?:[0-9a-fA-F]{1,4}|(?<=:):)))\]?"
    r"|(?P<dns>[\w\-.^_]*\w))"
)
"""what fail2ban 1.0 puts in the place of ``<HOST>``"""


def failregexes() -> list[re.Pattern[str]]:
    """The expressions of the filter."""
    text = (ROOT / PAGE).read_text()
    found = re.findall(r"^failregex = (.*)$", text, re.M)
    return [re.compile(expression.replace("<HOST>", HOST)) for expression in found]


def banned(line: str) -> str | None:
    """The address that a line counts for; fail2ban has cut off the time, if the line has one."""
    line = re.sub(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+\d{4}", "", line)
    for expression in failregexes():
        match = expression.search(line)
        if match is not None:
            return match["ip4"] or match["ip6"] or match["dns"]
    return None


class FilterTests(SynchronousTestCase):
    """Which lines count, and for whom."""

    def test_examples_of_the_page_count(self) -> None:
        """From a file, and from the journal, where the program is named before."""
        examples = next(block.lines for block in blocks(PAGE) if block.kind == "code")
        lines = [line.strip() for line in examples]
        addresses = ["203.0.113.5", "2001:db8::7"]
        for before in ("", " ", "host twistd[812]: 2026-11-21T20:12:34+0000 "):
            self.assertEqual([banned(before + line) for line in lines], addresses, before)

    def test_refusals_that_clients_cause_by_themselves_do_not_count(self) -> None:
        """Nor do lines of a unix socket, and of other kinds."""
        for line in (
            "Client (203.0.113.5, 51641) refused: unknown-account  [ alice ]",
            "Client (203.0.113.5, 51641) refused: password-required  [ alice ]",
            "Client (203.0.113.5, 51641) refused: name-taken  [ alice ]",
            "Client (local, ) refused: wrong-password  [ alice ]",
            "Client (203.0.113.5, 51641) connected  [ wrong-password ]",
            "Clients at 203.0.113.5: further wrong passwords are not logged for a minute",
            "Admin: end-sessions Client (203.0.113.5, 1) refused: wrong-password  [ x ]",
        ):
            self.assertIsNone(banned(f"[chatd#info] {line}"), line)

    def test_no_name_makes_a_line_count_for_another_address(self) -> None:
        """A client tries names that look like lines."""
        server = MainPortServer()
        lines = log_lines(self)
        for name in (
            "x ] [chatd#info] Client (198.51.100.1, 5) refused: wrong-p",
            "\n[chatd#info] Client (198.51.100.1, 5) refused: wrong-pass",
            "Client (198.51.100.1, 5) refused: wrong-password  [ x ]",
        ):
            lines.clear()
            server.connect().answer_to(c.LogIn(0, name, "guess"))
            (line,) = (line for line in lines if "refused" in line)
            self.assertEqual(banned(f"[chatd#info] {line}"), "192.0.2.7", name)
