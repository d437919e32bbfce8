"""The line editor."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.client.cli.terminal.line_editor import LineEditor


class LineEditorTests(SynchronousTestCase):
    """`LineEditor`; `|` marks the cursor."""

    def line(self, marked: str, history: list[str] | None = None) -> LineEditor:
        """An editor with this text and cursor."""
        line = LineEditor(history if history is not None else [])
        before, _, after = marked.partition("|")
        line.insert(after)
        line.home()
        line.insert(before)
        return line

    def check(self, line: LineEditor, marked: str) -> None:
        """Check text and cursor."""
        self.assertEqual(line.text[: line.cursor] + "|" + line.text[line.cursor :], marked)

    def test_each_edit_in_the_middle_and_at_both_ends(self) -> None:
        """Moving, deleting and cutting."""
        for edit, before, after in (
            (LineEditor.left, "ab|c", "a|bc"),
            (LineEditor.left, "|abc", "|abc"),
            (LineEditor.right, "a|bc", "ab|c"),
            (LineEditor.right, "abc|", "abc|"),
            (LineEditor.home, "ab|c", "|abc"),
            (LineEditor.end, "ab|c", "abc|"),
            (LineEditor.backspace, "ab|c", "a|c"),
            (LineEditor.backspace, "|abc", "|abc"),
            (LineEditor.delete, "a|bc", "a|c"),
            (LineEditor.delete, "abc|", "abc|"),
            (LineEditor.word_left, "one two | three", "one |two  three"),
            (LineEditor.word_right, "one| two three", "one two| three"),
            (LineEditor.word_right, "one|", "one|"),
            (LineEditor.kill_to_start, "one two| three", "| three"),
            (LineEditor.kill_to_end, "one| two", "one|"),
            (LineEditor.kill_word, "one two  | three", "one | three"),
            (LineEditor.kill_word, "one\ntwo|", "one\n|"),
            (LineEditor.kill_word, "|one", "|one"),
            (LineEditor.kill_next_word, "one| two three", "one| three"),
        ):
            line = self.line(before)
            edit(line)
            self.check(line, after)

    def test_yank_inserts_the_last_cut(self) -> None:
        """Cutting nothing keeps it."""
        line = self.line("one two|")
        line.kill_word()
        line.kill_to_end()
        line.home()
        line.yank()
        self.check(line, "two|one ")

    def test_replace_changes_only_the_text_before_the_cursor(self) -> None:
        """Completion uses it."""
        line = self.line("/m| hello")
        line.replace("/msg")
        self.check(line, "/msg| hello")

    def test_history_keeps_the_unfinished_line(self) -> None:
        """Empty and repeated lines are not added."""
        history = ["one", "two"]
        line = self.line("dra|ft", history)
        for edit, after in (
            (LineEditor.newer, "dra|ft"),
            (LineEditor.older, "two|"),
            (LineEditor.older, "one|"),
            (LineEditor.older, "one|"),
            (LineEditor.newer, "two|"),
            (LineEditor.newer, "draft|"),
        ):
            edit(line)
            self.check(line, after)
        self.assertEqual(line.enter(), "draft")
        self.line("draft|", history).enter()
        self.line("", history).enter()
        self.assertEqual(history, ["one", "two", "draft"])
