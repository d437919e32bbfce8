"""The line being typed: its text, the cursor in it, and the history. No terminal, no drawing."""

from __future__ import annotations


class LineEditor:
    """A line under edit. `cursor` is the index of the character under it; at the end, the length.

    `history` holds the earlier lines, oldest first; `enter` appends to it.
    """

    def __init__(self, history: list[str]) -> None:
        self.text = ""
        self.cursor = 0
        self._history = history
        self._history_index = len(history)
        self._draft = ""
        self._killed = ""

    def enter(self) -> str:
        """Finish the line: add it to the history and return it."""
        if self.text and self._history[-1:] != [self.text]:
            self._history.append(self.text)
        return self.text

    def insert(self, text: str) -> None:
        """Insert `text` before the cursor."""
        self.text = self.text[: self.cursor] + text + self.text[self.cursor :]
        self.cursor += len(text)

    def replace(self, before: str) -> None:
        """Replace everything before the cursor with `before`."""
        self.text = before + self.text[self.cursor :]
        self.cursor = len(before)

    def backspace(self) -> None:
        """Delete the character before the cursor."""
        self._cut(max(self.cursor - 1, 0), self.cursor)

    def delete(self) -> None:
        """Delete the character under the cursor."""
        self._cut(self.cursor, self.cursor + 1)

    def left(self) -> None:
        """Move the cursor one character to the left."""
        self.cursor = max(self.cursor - 1, 0)

    def right(self) -> None:
        """Move the cursor one character to the right."""
        self.cursor = min(self.cursor + 1, len(self.text))

    def home(self) -> None:
        """Move the cursor to the start of the line."""
        self.cursor = 0

    def end(self) -> None:
        """Move the cursor to the end of the line."""
        self.cursor = len(self.text)

    def word_left(self) -> None:
        """Move the cursor to the start of this word, or of the previous one."""
        self.cursor = self._word_start()

    def word_right(self) -> None:
        """Move the cursor to the end of this word, or of the next one."""
        self.cursor = self._word_end()

    def kill_to_start(self) -> None:
        """Cut everything before the cursor."""
        self._kill(0, self.cursor)

    def kill_to_end(self) -> None:
        """Cut everything from the cursor to the end."""
        self._kill(self.cursor, len(self.text))

    def kill_word(self) -> None:
        """Cut the word before the cursor."""
        self._kill(self._word_start(), self.cursor)

    def kill_next_word(self) -> None:
        """Cut the word after the cursor."""
        self._kill(self.cursor, self._word_end())

    def yank(self) -> None:
        """Insert the text that was cut last."""
        self.insert(self._killed)

    def older(self) -> None:
        """Show the previous line of the history; the unfinished line is saved for `newer`."""
        if self._history_index > 0:
            if self._history_index == len(self._history):
                self._draft = self.text
            self._history_index -= 1
            self._set(self._history[self._history_index])

    def newer(self) -> None:
        """Show the next line of the history; after the newest, the unfinished line."""
        if self._history_index < len(self._history):
            self._history_index += 1
            at_end = self._history_index == len(self._history)
            self._set(self._draft if at_end else self._history[self._history_index])

    def _set(self, text: str) -> None:
        self.text = text
        self.cursor = len(text)

    def _kill(self, start: int, end: int) -> None:
        if start < end:
            self._killed = self.text[start:end]
            self._cut(start, end)

    def _cut(self, start: int, end: int) -> None:
        self.text = self.text[:start] + self.text[end:]
        self.cursor = start

    def _word_start(self) -> int:
        before = self.text[: self.cursor].rstrip()
        return max(before.rfind(" "), before.rfind("\n")) + 1

    def _word_end(self) -> int:
        index = self.cursor
        while index < len(self.text) and self.text[index].isspace():
            index += 1
        while index < len(self.text) and not self.text[index].isspace():
            index += 1
        return index
