"""The seeds of fuzzing and what it has found: each input, given to its target.

The target of the gRPC port is left to ``python -m tests.fuzz``, since it starts a daemon.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.fuzz.corpus import inputs
from tests.fuzz.seeds import seeds
from tests.fuzz.targets import TARGETS


class CorpusTests(SynchronousTestCase):
    """Targets object to none of the inputs."""

    def check(self, name: str) -> None:
        target = TARGETS[name]()
        for data in inputs(name):
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
