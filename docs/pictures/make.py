"""Draw docs/pictures/conversation.svg: the terminal of one of two clients that talk to a daemon.

Starts a real daemon with a store in memory and two real clients, each in a pseudo-terminal, types a
short conversation, and writes the screen of one client as SVG. Run it in the top folder of the
project: ``pip install -e '.[docs]'``, then ``python docs/pictures/make.py``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.sax.saxutils import escape

import pexpect
import pyte
from pyte.screens import Char

ROOT = Path(__file__).resolve().parents[2]
PICTURE = Path(__file__).with_name("conversation.svg")
COLUMNS, LINES = 80, 15
TIMEOUT = 20
"""seconds to wait for a text on a screen"""

CELL_WIDTH, CELL_HEIGHT, FONT_SIZE, MARGIN = 8.43, 19, 14, 16
BACKGROUND, FOREGROUND = "#16181d", "#d8dadf"
COLOURS = {
    "default": FOREGROUND,
    "brightblack": "#7f848e",
    "green": "#8cc265",
    "brightgreen": "#a5e075",
    "brown": "#d18f52",
    "blue": "#4aa5f0",
    "brightblue": "#7cc0ff",
    "magenta": "#c162de",
    "brightmagenta": "#de73ff",
    "cyan": "#42b3c2",
    "brightcyan": "#4cd1e0",
}
"""the colours of the picture, by the names that pyte gives to the colours of ECMA-48"""


class Screen(pyte.Screen):  # type: ignore[misc]
    """A terminal screen that shows faint text in grey, since pyte does not record faintness."""

    def select_graphic_rendition(self, *attributes: int) -> None:
        """Set the style of the text that follows (SGR)."""
        faint, grey = 2, 90
        shown = [grey if attribute == faint else attribute for attribute in attributes]
        super().select_graphic_rendition(*shown)


class Terminal:
    """A client in a pseudo-terminal."""

    def __init__(self, name: str, address: str, environment: dict[str, str]) -> None:
        self.screen = Screen(COLUMNS, LINES)
        self._stream = pyte.Stream(self.screen)
        self._child = pexpect.spawn(
            sys.executable,
            ["-m", "chatd.client", name, address],
            env=environment,
            dimensions=(LINES, COLUMNS),
            encoding="utf-8",
        )

    def wait_for(self, text: str) -> None:
        """Read the client's output until `text` is on the screen."""
        deadline = time.monotonic() + TIMEOUT
        while not any(text in line for line in self.screen.display):
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"{text!r} is not on the screen:\n" + "\n".join(self.screen.display)
                )
            try:
                self._stream.feed(self._child.read_nonblocking(4096, timeout=0.1))
            except pexpect.TIMEOUT:
                continue

    def enter(self, line: str) -> None:
        """Type a line and Enter."""
        self._child.send(line + "\r")

    def type(self, text: str) -> None:
        """Type without Enter."""
        self._child.send(text)

    def close(self) -> None:
        """End the client."""
        self._child.close()


def start_daemon(folder: str, environment: dict[str, str]) -> tuple[subprocess.Popen[str], str]:
    """A daemon on a free port of 127.0.0.1, and its address."""
    daemon = subprocess.Popen(
        [sys.executable, "-m", "chatd", "--port", "0", "--store", "memory"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert daemon.stdout is not None
    for line in daemon.stdout:
        listening = re.search(r"listening on 127\.0\.0\.1:(\d+)", line)
        if listening:
            return daemon, f"chat://127.0.0.1:{listening[1]}"
    raise SystemExit("the daemon did not start")


def converse(alicia: Terminal, bobert: Terminal) -> None:
    """The conversation of the picture; it ends with a line that is not sent yet."""
    for terminal in (bobert, alicia):
        terminal.wait_for("Password")
        terminal.enter("")
        terminal.wait_for("#lobby>")
    bobert.wait_for("Alicia joined")
    alicia.enter("Salutations! Is it snowy where you are?")
    bobert.wait_for("Is it snowy")
    bobert.enter("Very snowy. The garden is white.")
    alicia.wait_for("is white")
    bobert.enter("/msg Alicia But I have cocoa.")
    alicia.wait_for("cocoa")
    alicia.enter("/to Bobert")
    alicia.wait_for("Bobert>")
    alicia.enter("Keep some for me")
    bobert.wait_for("Keep some")
    alicia.wait_for("read by")
    bobert.enter("/react ♥")
    alicia.wait_for("reacted")
    alicia.type("On my w")
    alicia.wait_for("On my w")


def runs(row: list[Char]) -> Iterator[tuple[int, str, Char]]:
    """The parts of a row that look the same: column, text, and a character of each part."""
    column = 0
    for _, cells in groupby(row, key=lambda cell: (cell.fg, cell.bold)):
        part = list(cells)
        text = "".join(cell.data for cell in part)
        if text.strip():
            yield column + len(text) - len(text.lstrip()), text.strip(), part[0]
        column += len(part)


def picture(screen: pyte.Screen, title: str) -> str:
    """A screen as SVG."""
    width = COLUMNS * CELL_WIDTH + 2 * MARGIN
    height = LINES * CELL_HEIGHT + 2 * MARGIN
    drawing = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}"'
        f' width="{width:.0f}" height="{height}" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>',
        f'<g font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="{FONT_SIZE}">',
    ]
    for number in range(LINES):
        y = MARGIN + number * CELL_HEIGHT + FONT_SIZE
        for column, text, cell in runs([screen.buffer[number][each] for each in range(COLUMNS)]):
            weight = ' font-weight="bold"' if cell.bold else ""
            drawing.append(
                f'<text x="{MARGIN + column * CELL_WIDTH:.1f}" y="{y}" fill="{COLOURS[cell.fg]}"'
                f'{weight} textLength="{len(text) * CELL_WIDTH:.1f}"'
                f' lengthAdjust="spacingAndGlyphs">{escape(text)}</text>'
            )
    x = MARGIN + screen.cursor.x * CELL_WIDTH
    y = MARGIN + screen.cursor.y * CELL_HEIGHT
    drawing.append(
        f'<rect x="{x:.1f}" y="{y}" width="{CELL_WIDTH}" height="{CELL_HEIGHT - 2}"'
        f' fill="{FOREGROUND}" fill-opacity="0.7"/>'
    )
    return "\n".join([*drawing, "</g>", "</svg>", ""])


def main() -> None:
    """Hold the conversation and write the picture."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color"}
    for name in ("CHATD_PASSWORD", "NO_COLOR"):
        environment.pop(name, None)
    with ExitStack() as cleanup:
        folder = cleanup.enter_context(TemporaryDirectory())
        daemon, address = start_daemon(folder, environment)
        cleanup.callback(daemon.wait, TIMEOUT)
        cleanup.callback(daemon.terminate)
        bobert = Terminal("Bobert", address, environment)
        cleanup.callback(bobert.close)
        alicia = Terminal("Alicia", address, environment)
        cleanup.callback(alicia.close)
        converse(alicia, bobert)
    PICTURE.write_text(picture(alicia.screen, "A conversation of two people in a terminal"))


if __name__ == "__main__":
    main()
