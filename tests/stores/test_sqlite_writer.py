"""The writer's chores: what is half in the index, or on its way out."""

from __future__ import annotations

from tests.stores.contract import said
from tests.stores.with_writer import WithWriter


class HalfIndexed(WithWriter):
    """Between two steps of indexing."""

    def setUp(self) -> None:
        super().setUp()
        self.say(*[said(log, str(n)) for n in range(5) for log in ("@a", "@b")])
        self.index()
        self.say(*[said(log, str(n)) for n in range(5) for log in ("@a", "@b")])
        self.begin_index()

    def check(self) -> None:
        """Both logs read the same, from anywhere."""
        for log in ("@a", "@b"):
            for after in range(11):
                self.assertEqual(self.seqs(log, after), list(range(after + 1, 11)))
                self.assertEqual(self.seqs(log, after, 3), list(range(after + 1, min(after + 4, 11))))

    def test_each_entry_is_read_once(self) -> None:
        """Though it is in the index, and in the tail until all of that is."""
        self.check()

    def test_a_crash_there(self) -> None:
        """The tail that is read again at start has entries that are in the index."""
        self.reopen()
        self.check()
        self.index()
        self.check()

    def test_what_comes_meanwhile(self) -> None:
        """It stays in the tail when the others have left it."""
        self.say(said("@a", "more"), said("@c", "other"))
        self.assertEqual(self.seqs("@a", 8), [9, 10, 11])
        while self.writer.chores:
            self.writer.tidy()
        self.assertEqual(len(self.writer._tail), 2)
        self.assertEqual((self.seqs("@a", 8), self.seqs("@c")), ([9, 10, 11], [1]))
