"""The line being typed: its text, the cursor in it, and the lines typed before. No terminal, no
drawing."""

from __future__ import annotations


class Line:
    """A text under edit. `cursor` is the index of the character it stands on, or the end of the
    text.

    `history` holds the earlier lines, oldest first; `enter` adds to it.
    """

    def __init__(self, history: list[str]) -> None:
        self.text = ""
        self.cursor = 0
        self._history = history
        self._at = len(history)
        self._draft = ""
        self._killed = ""

    def enter(self) -> str:
        """The text is complete."""
        if self.text and self._history[-1:] != [self.text]:
            self._history.append(self.text)
        return self.text

    def insert(self, text: str) -> None:
        """Put `text` before the cursor."""
        self.text = self.text[: self.cursor] + text + self.text[self.cursor :]
        self.cursor += len(text)

    def replace(self, before: str) -> None:
        """Put `before` in the place of all that is before the cursor."""
        self.text = before + self.text[self.cursor :]
        self.cursor = len(before)

    def backspace(self) -> None:
        """Delete the character before the cursor."""
        self._cut(max(self.cursor - 1, 0), self.cursor)

    def delete(self) -> None:
        """Delete the character under the cursor."""
        self._cut(self.cursor, self.cursor + 1)

    def left(self) -> None:
        """One character back."""
        self.cursor = max(self.cursor - 1, 0)

    def right(self) -> None:
        """One character on."""
        self.cursor = min(self.cursor + 1, len(self.text))

    def home(self) -> None:
        """To the begin."""
        self.cursor = 0

    def end(self) -> None:
        """To the end."""
        self.cursor = len(self.text)

    def word_left(self) -> None:
        """To the begin of this word, or of the one before."""
        self.cursor = self._word_begin()

    def word_right(self) -> None:
        """To the end of this word, or of the next."""
        self.cursor = self._word_end()

    def kill_begin(self) -> None:
        """Cut all before the cursor."""
        self._kill(0, self.cursor)

    def kill_end(self) -> None:
        """Cut all from the cursor on."""
        self._kill(self.cursor, len(self.text))

    def kill_word(self) -> None:
        """Cut the word before the cursor."""
        self._kill(self._word_begin(), self.cursor)

    def kill_next_word(self) -> None:
        """Cut the word after the cursor."""
        self._kill(self.cursor, self._word_end())

    def yank(self) -> None:
        """Insert what was cut last."""
        self.insert(self._killed)

    def older(self) -> None:
        """The line before this one in the history; what is typed is kept for `newer`."""
        if self._at > 0:
            if self._at == len(self._history):
                self._draft = self.text
            self._at -= 1
            self._set(self._history[self._at])

    def newer(self) -> None:
        """The line after this one in the history, at last what was being typed."""
        if self._at < len(self._history):
            self._at += 1
            self._set(self._history[self._at] if self._at < len(self._history) else self._draft)

    def _set(self, text: str) -> None:
        self.text = text
        self.cursor = len(text)

    def _kill(self, begin: int, end: int) -> None:
        if begin < end:
            self._killed = self.text[begin:end]
            self._cut(begin, end)

    def _cut(self, begin: int, end: int) -> None:
        self.text = self.text[:begin] + self.text[end:]
        self.cursor = begin

    def _word_begin(self) -> int:
        before = self.text[: self.cursor].rstrip()
        return max(before.rfind(" "), before.rfind("\n")) + 1

    def _word_end(self) -> int:
        at = self.cursor
        while at < len(self.text) and self.text[at].isspace():
            at += 1
        while at < len(self.text) and not self.text[at].isspace():
            at += 1
        return at
