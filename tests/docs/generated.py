"""Generated sections of the documents: the text between ``<!-- generated: NAME -->`` and
``<!-- end -->`` comes from the code.

`python -m tests.docs.generated` writes all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from tests.docs import classic_document, v1_document

ROOT = Path(__file__).resolve().parents[2]

DOCUMENTS: Mapping[Path, Mapping[str, Callable[[], str]]] = {
    ROOT / "docs" / "protocols" / "classic.md": classic_document.GENERATED,
    ROOT / "docs" / "protocols" / "v1.md": v1_document.GENERATED,
}
"""the function that makes each generated section of each document"""


def fill(text: str, sections: Mapping[str, Callable[[], str]]) -> str:
    """`text` with its generated sections as the code makes them now."""
    for name, make in sections.items():
        begin = f"<!-- generated: {name} -->\n"
        before, rest = text.split(begin)
        text = f"{before}{begin}\n{make()}\n<!-- end -->{rest.split('<!-- end -->', 1)[1]}"
    return text


if __name__ == "__main__":
    for path, sections in DOCUMENTS.items():
        path.write_text(fill(path.read_text(), sections))
