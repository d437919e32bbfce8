"""The output of commands: tables, paragraphs, JSON, and text that is safe for a terminal."""

from __future__ import annotations

import io
import json
import os

from twisted.trial.unittest import SynchronousTestCase

from chatd.admin.output import Output, OutputFailed, end, moment
from chatd.core.printable import printable


class Outputs(SynchronousTestCase):
    """`Output`, as text and as JSON."""

    def output(self, json: bool) -> Output:
        """An output that writes to `out` and `err`."""
        self.out, self.err = io.StringIO(), io.StringIO()
        return Output(json, self.out, self.err)

    def test_columns_are_as_wide_as_their_widest_cell(self) -> None:
        """A table without rows has no headings either."""
        items = [{"name": "Ann", "count": 1}, {"name": "Bartholomew", "count": 22}]
        self.output(False).table(
            items, ("NAME", "COUNT"), lambda item: (item["name"], item["count"])
        )
        self.assertEqual(
            self.out.getvalue(), "NAME         COUNT\nAnn          1\nBartholomew  22\n"
        )
        self.output(False).table([], ("NAME",), lambda item: ())
        self.assertEqual(self.out.getvalue(), "")

    def test_json_is_one_object_per_line(self) -> None:
        """Notes are left out."""
        items = [{"name": "Ann"}, {"name": "b\nc"}]
        output = self.output(True)
        output.table(items, ("NAME",), lambda item: self.fail("a row was made"))
        output.paragraphs(items, lambda item: self.fail("a paragraph was made"))
        output.answer({"done": True}, "done")
        output.note("by the way")
        lines = [json.loads(line) for line in self.out.getvalue().splitlines()]
        self.assertEqual(lines, [*items, *items, {"done": True}])
        self.assertEqual(self.err.getvalue(), "")

    def test_lines_below_a_heading_are_indented(self) -> None:
        """No text of a user can be taken for a heading."""
        self.output(False).paragraphs(
            [{"body": "1\n2"}], lambda item: ("heading", *item["body"].split("\n"))
        )
        self.assertEqual(self.out.getvalue(), "heading\n    1\n    2\n")

    def test_text_of_users_cannot_control_the_terminal(self) -> None:
        """This holds for tables, paragraphs, answers and notes."""
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
        output = self.output(True)
        output.answer({"topic": bad.replace("\ud800", "")})
        line = self.out.getvalue().removesuffix("\n")
        self.assertTrue(line.isprintable(), line)
        self.assertEqual(json.loads(line), {"topic": bad.replace("\ud800", "")})

    def test_characters_that_the_encoding_lacks_are_escaped(self) -> None:
        """Columns stay aligned, and JSON stays JSON."""
        items = [{"topic": "für 世界"}, {"topic": "-"}]
        raw = io.BytesIO()
        for json_wanted in (False, True):
            raw.truncate(raw.seek(0))
            out = io.TextIOWrapper(raw, encoding="latin-1")
            output = Output(json_wanted, out, out)
            output.table(items, ("TOPIC", "-"), lambda item: (item["topic"], "|"))
            output.answer(items[0], items[0]["topic"])
            output.paragraphs(items, lambda item: (item["topic"],))
            output.note(items[0]["topic"])
            lines = raw.getvalue().decode("latin-1").splitlines()
            out.detach()
            if json_wanted:
                shown = [json.loads(line) for line in lines]
                self.assertEqual(shown, [*items, items[0], *items])
            else:
                text = "für \\u4e16\\u754c"
                table = ["TOPIC" + " " * 13 + "-", f"{text}  |", "-" + " " * 17 + "|"]
                self.assertEqual(lines, [*table, text, text, "-", text])

    def test_output_that_cannot_be_written_is_an_error(self) -> None:
        """A reader that has closed it is another one."""
        with open("/dev/full", "w") as full:
            error = self.assertRaises(OutputFailed, Output(False, full).answer, {}, "done")
            self.assertEqual(str(error), "the output cannot be written: No space left on device")
            os.dup2(os.open(os.devnull, os.O_WRONLY), full.fileno())

    def test_times_are_shown_to_the_minute(self) -> None:
        """No time is a dash."""
        self.assertRegex(moment(1_700_000_000_000), r"\A2023-11-1[45] \d\d:\d\d\Z")
        self.assertEqual((moment(0), moment(None)), ("-", "-"))

    def test_ends_are_rounded_up_to_the_minute(self) -> None:
        """A suspension or ban is over at the time that is shown."""
        minute = 1_700_000_040_000
        self.assertEqual(end(minute - 59_999), moment(minute))
        self.assertEqual(end(minute), moment(minute))
        self.assertEqual(end(None), "never")
