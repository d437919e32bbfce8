"""What fuzzing has found: the inputs of each target that reach code which its seeds do not reach.

They are in ``corpus/TARGET.txt``, an input in each line, in base64 (RFC 4648).
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable
from pathlib import Path

from tests.fuzz.seeds import seeds

_FOLDER = Path(__file__).parent / "corpus"


def inputs(target: str) -> list[bytes]:
    """The seeds of a target, and its inputs in the corpus."""
    path = _FOLDER / f"{target}.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    return [*seeds(target), *map(b64decode, lines)]


def keep(target: str, found: Iterable[bytes]) -> None:
    """Replace the inputs of a target in the corpus."""
    new = set(found) - set(seeds(target))
    _FOLDER.mkdir(exist_ok=True)
    lines = [b64encode(data).decode() for data in sorted(new, key=lambda data: (len(data), data))]
    (_FOLDER / f"{target}.txt").write_text("".join(line + "\n" for line in lines))
