"""Editing a line."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.client.cli.terminal.line_editor import Line


class LineTests(SynchronousTestCase):
    """`|` marks the cursor."""

    def line(self, marked: str, history: list[str] | None = None) -> Line:
        """A line with this text and cursor."""
        line = Line(history if history is not None else [])
        before, _, after = marked.partition("|")
        line.insert(after)
        line.home()
        line.insert(before)
        return line

    def check(self, line: Line, marked: str) -> None:
        """The text and cursor are these."""
        self.assertEqual(line.text[: line.cursor] + "|" + line.text[line.cursor :], marked)

    def test_edits(self) -> None:
        """Each key, in the middle and at both ends."""
        for edit, before, after in (
            (Line.left, "ab|c", "a|bc"),
            (Line.left, "|abc", "|abc"),
            (Line.right, "a|bc", "ab|c"),
            (Line.right, "abc|", "abc|"),
            (Line.home, "ab|c", "|abc"),
            (Line.end, "ab|c", "abc|"),
            (Line.backspace, "ab|c", "a|c"),
            (Line.backspace, "|abc", "|abc"),
            (Line.delete, "a|bc", "a|c"),
            (Line.delete, "abc|", "abc|"),
            (Line.word_left, "one two | three", "one |two  three"),
            (Line.word_right, "one| two three", "one two| three"),
            (Line.word_right, "one|", "one|"),
            (Line.kill_begin, "one two| three", "| three"),
            (Line.kill_end, "one| two", "one|"),
            (Line.kill_word, "one two  | three", "one | three"),
            (Line.kill_word, "one\ntwo|", "one\n|"),
            (Line.kill_word, "|one", "|one"),
            (Line.kill_next_word, "one| two three", "one| three"),
        ):
            line = self.line(before)
            edit(line)
            self.check(line, after)

    def test_yank(self) -> None:
        """What was cut last comes back; an empty cut takes nothing away from it."""
        line = self.line("one two|")
        line.kill_word()
        line.kill_end()
        line.home()
        line.yank()
        self.check(line, "two|one ")

    def test_replace(self) -> None:
        """Completion changes only what is before the cursor."""
        line = self.line("/m| hello")
        line.replace("/msg")
        self.check(line, "/msg| hello")

    def test_history(self) -> None:
        """Back and forth, and the unfinished line is still there."""
        history = ["one", "two"]
        line = self.line("dra|ft", history)
        for edit, after in (
            (Line.newer, "dra|ft"),
            (Line.older, "two|"),
            (Line.older, "one|"),
            (Line.older, "one|"),
            (Line.newer, "two|"),
            (Line.newer, "draft|"),
        ):
            edit(line)
            self.check(line, after)
        self.assertEqual(line.enter(), "draft")
        self.line("draft|", history).enter()
        self.line("", history).enter()
        self.assertEqual(history, ["one", "two", "draft"])
