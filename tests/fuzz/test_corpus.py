"""The seeds of fuzzing and what it has found: each input, given to its target.

The target of the gRPC port is left to ``python -m tests.fuzz``, since it starts a daemon.
"""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.fuzz.seeds import seeds
from tests.fuzz.targets import TARGETS

_CORPUS = Path(__file__).parent / "corpus"


class CorpusTests(SynchronousTestCase):
    """Targets object to none of the inputs."""

    def check(self, name: str) -> None:
        target = TARGETS[name]()
        inputs = [*seeds(name), *(path.read_bytes() for path in sorted(_CORPUS.glob(f"{name}/*")))]
        self.assertTrue(inputs)
        for data in inputs:
            target(data)

    def test_every_target_has_seeds(self) -> None:
        """That of the gRPC port, too."""
        for name in TARGETS:
            self.assertTrue(seeds(name))

    def test_codecs(self) -> None:
        """Classic, version 1, CHAT/1.0, ops and the admin socket."""
        for name in ("classic", "v1", "chat10", "ops", "admin"):
            self.check(name)

    def test_sniffer(self) -> None:
        """The first bytes of a connection."""
        self.check("sniffer")

    def test_connections(self) -> None:
        """Whole connections."""
        self.check("connections")
