"""What operators are shown."""

from __future__ import annotations

import io
import json

from twisted.trial.unittest import SynchronousTestCase

from chatd.admin.output import Output, moment, printable


class Outputs(SynchronousTestCase):
    """To people and to programs."""

    def output(self, json: bool) -> Output:
        """One whose texts are kept."""
        self.out, self.err = io.StringIO(), io.StringIO()
        return Output(json, self.out, self.err)

    def test_a_table(self) -> None:
        """Columns as wide as what is in them; without rows nothing, not even headings."""
        items = [{"name": "Ann", "count": 1}, {"name": "Bartholomew", "count": 22}]
        self.output(False).table(
            items, ("NAME", "COUNT"), lambda item: (item["name"], item["count"])
        )
        self.assertEqual(
            self.out.getvalue(), "NAME         COUNT\nAnn          1\nBartholomew  22\n"
        )
        self.output(False).table([], ("NAME",), lambda item: ())
        self.assertEqual(self.out.getvalue(), "")

    def test_json(self) -> None:
        """An object a line, whatever people are shown; what is only for people is left out."""
        items = [{"name": "Ann"}, {"name": "b\nc"}]
        output = self.output(True)
        output.table(items, ("NAME",), lambda item: self.fail("nobody looks"))
        output.paragraphs(items, lambda item: self.fail("nobody looks"))
        output.answer({"done": True}, "done")
        output.note("by the way")
        lines = [json.loads(line) for line in self.out.getvalue().splitlines()]
        self.assertEqual(lines, [*items, *items, {"done": True}])
        self.assertEqual(self.err.getvalue(), "")

    def test_paragraphs(self) -> None:
        """The first line is a heading; none of the others can pass for one."""
        self.output(False).paragraphs(
            [{"body": "1\n2"}], lambda item: ("heading", *item["body"].split("\n"))
        )
        self.assertEqual(self.out.getvalue(), "heading\n    1\n    2\n")

    def test_what_others_wrote(self) -> None:
        """Does nothing to the terminal, wherever it is shown."""
        bad = "a\x1b[2Jb\r\x07\u202e\x9b\ud800é"
        shown = "a\\x1b[2Jb\\r\\x07\\u202e\\x9b\\ud800é"
        self.assertEqual(printable(bad), shown)
        output = self.output(False)
        output.table([{}], ("TOPIC",), lambda item: (bad,))
        output.paragraphs([{}], lambda item: (bad, bad))
        output.answer({}, bad)
        output.note(bad)
        self.assertEqual(self.out.getvalue().split(), ["TOPIC", *[shown] * 4])
        self.assertEqual(self.err.getvalue(), shown + "\n")

    def test_moments(self) -> None:
        """To the minute; none is a dash."""
        self.assertRegex(moment(1_700_000_000_000), r"\A2023-11-1[45] \d\d:\d\d\Z")
        self.assertEqual((moment(0), moment(None)), ("-", "-"))
