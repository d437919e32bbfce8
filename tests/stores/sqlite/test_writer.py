"""The writer's chores: what is half in the index, or on its way out."""

from __future__ import annotations

from tests.doubles.sqlite_writer import WithWriter
from tests.stores.contract import said


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
                self.assertEqual(
                    self.seqs(log, after, 3), list(range(after + 1, min(after + 4, 11)))
                )

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


class Sweeping(WithWriter):
    """Removing the rows of what was trimmed or dropped."""

    def tidy(self) -> int:
        """Do what there is to do; how many steps that took."""
        steps = 0
        while self.writer.chores:
            self.writer.tidy()
            steps += 1
        return steps

    def rows(self) -> tuple[int, ...]:
        """In `entries`, `places` and `rubbish`."""
        return tuple(
            self.writer.connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("entries", "places", "rubbish")
        )

    def test_while_others_write(self) -> None:
        """It goes on though the tail is never empty, which need not be indexed for it."""
        self.say(*[said("@old", "x") for _ in range(2000)])
        self.index()
        self.ask(lambda writer: writer.trim("@old", 1990))
        for n in range(1, 9):
            self.say(said("@a", "x"))
            self.writer.tidy()
            self.assertEqual(len(self.writer._tail), n)
        self.assertEqual(self.rows(), (18, 10, 0))
        self.assertEqual(self.seqs("@old"), list(range(1991, 2001)))

    def test_from_the_tail(self) -> None:
        """What is to go and is not in the index yet gets there first, and its key as well."""
        self.say(*[said("@a", "x", str(n)) for n in range(5)], said("@b", "x", "k"))
        self.ask(lambda writer: writer.trim("@a", 3))
        self.tidy()
        self.assertEqual(self.rows(), (3, 3, 0))
        self.assertEqual((self.seqs("@a"), self.seqs("@b")), ([4, 5], [1]))

    def test_from_the_index_and_the_tail(self) -> None:
        """A log that is in both."""
        self.say(*[said("@a", "x") for _ in range(5)])
        self.index()
        self.say(*[said("@a", "x") for _ in range(5)])
        self.ask(lambda writer: writer.trim("@a", 8))
        self.tidy()
        self.assertEqual(self.rows(), (2, 2, 0))
        self.assertEqual(self.seqs("@a"), [9, 10])

    def test_after_a_crash_while_the_index_was_written(self) -> None:
        """What is in both the index and the tail goes from both."""
        self.say(*[said(log, "x") for log in ("@a", "@b") for _ in range(5)])
        self.begin_index()
        self.reopen()
        self.ask(lambda writer: writer.trim("@a", 3))
        self.tidy()
        self.assertEqual(self.rows(), (7, 7, 0))
        self.assertEqual((self.seqs("@a"), self.seqs("@b")), ([4, 5], [1, 2, 3, 4, 5]))

    def test_a_few_at_a_time(self) -> None:
        """So that nobody waits long for it."""
        self.say(*[said("@a", "x") for _ in range(1200)])
        self.index()
        self.ask(lambda writer: writer.drop("@a"))
        self.assertEqual(self.tidy(), 4)
        self.assertEqual(self.rows(), (0, 0, 0))
        self.assertFalse(self.writer.rubbish)
