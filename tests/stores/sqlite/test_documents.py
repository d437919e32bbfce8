"""Documents in the file: many that are deleted at once."""

from __future__ import annotations

from chatd.core.entries import Cursor
from chatd.core.errors import Conflict, Exists
from chatd.stores import (
    Create,
    CreateLog,
    Delete,
    DeleteKey,
    DeleteScope,
    DropLog,
    Position,
    Require,
    RequireNone,
    Save,
    StateChange,
    Update,
)
from chatd.stores.sqlite import documents as documents_module
from chatd.stores.sqlite import maintenance as maintenance_module
from tests.doubles.sqlite_writer import WithWriter

ROWS = 40
DELETION: list[StateChange] = [
    DropLog("#7"),
    DeleteScope("member", "7"),
    DeleteKey("membership", "7"),
]


class ManyDeleted(WithWriter):
    """Room 7 with many members, each of which is in room 8 as well."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(documents_module, "_AT_ONCE", 5)
        self.patch(maintenance_module, "_PURGE_STEP", 10)
        self.patch(maintenance_module, "_DOCUMENTS_STEP", 10)
        self.write(CreateLog("#7"))
        for number in range(ROWS):
            self.write(
                Create("member", f"user{number:02}", b"", "7"),
                Create("membership", "7", b"", str(100 + number)),
                Create("membership", "8", b"", str(100 + number)),
                Save(Position(100 + number, "#7", Cursor(1))),
            )

    def write(self, *changes: StateChange) -> list[int]:
        """Write changes; the versions."""
        versions: list[int] = self.call(lambda writer: writer.write(changes))
        return versions

    def refused(self, *changes: StateChange) -> type[BaseException]:
        """What refuses changes."""
        refusal: type[BaseException] = self.call(lambda writer: writer.write(changes)).type
        return refusal

    def rows(self, table: str) -> int:
        """The number of rows of a table."""
        (rows,) = self.writer.connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(rows)

    def maintain(self) -> int:
        """Do all maintenance; the number of steps."""
        steps = 0
        while self.writer.maintenance.needed:
            self.writer.maintenance.run()
            steps += 1
        return steps

    def check_deleted(self) -> None:
        """No document of the room is found in any way, and the others are."""
        documents = self.writer.documents
        self.assertEqual(documents.scan("member", "7", "", ROWS), [])
        self.assertEqual(documents.count("member", "7"), 0)
        self.write(RequireNone("member", "7"))
        self.assertIs(self.refused(Require("member", "user03", scope="7")), Conflict)
        self.assertIs(self.refused(Update("member", "user03", 1, b"", "7")), Conflict)
        self.assertIs(self.refused(Delete("member", "user03", 1, "7")), Conflict)
        for account in ("100", "139"):
            self.assertIsNone(documents.get("membership", "7", account))
            found = [document.key for document in documents.scan("membership", account, "", 9)]
            self.assertEqual(found, ["8"])
            self.assertEqual(documents.count("membership", account), 1)
        self.assertEqual(self.writer.positions.of(100), [])

    def test_deletion_changes_few_rows(self) -> None:
        """Maintenance removes the others some at a time, also after a restart."""
        before = self.writer.connection.total_changes
        self.write(*DELETION)
        self.assertLess(self.writer.connection.total_changes - before, 10)
        self.check_deleted()
        self.writer.maintenance.run()
        self.reopen()
        self.check_deleted()
        self.assertGreater(self.maintain(), 3 * ROWS // 10)
        self.check_deleted()
        for table, rows in (
            ("documents", ROWS),
            ("counters", ROWS),
            ("positions", 0),
            ("rubbish", 0),
            ("deleted_documents", 0),
        ):
            self.assertEqual(self.rows(table), rows, table)

    def test_each_step_changes_a_bounded_number_of_rows(self) -> None:
        """So no step delays messages."""
        self.write(*DELETION)
        while self.writer.maintenance.needed:
            before = self.writer.connection.total_changes
            self.writer.maintenance.run()
            self.assertLess(self.writer.connection.total_changes - before, 35)

    def test_document_is_created_again_before_the_old_one_is_removed(self) -> None:
        """It has another version, and stays; so does what is created in the scope meanwhile."""
        (old,) = self.write(Update("member", "user03", 1, b"", "7"))
        self.write(*DELETION)
        (version, *_) = self.write(
            Create("member", "user03", b"new", "7"),
            Create("member", "other", b"new", "7"),
            Create("membership", "7", b"new", "100"),
        )
        self.assertGreater(version, old)
        self.assertIs(self.refused(Create("member", "user03", b"", "7")), Exists)
        for _ in range(2):
            documents = self.writer.documents
            found = [document.key for document in documents.scan("member", "7", "", 9)]
            self.assertEqual(found, ["other", "user03"])
            self.assertEqual(documents.count("member", "7"), 2)
            self.assertEqual(documents.count("membership", "100"), 2)
            self.assertEqual(documents.count("membership", "101"), 1)
            self.maintain()

    def test_second_deletion_before_the_first_is_complete(self) -> None:
        """It deletes what was created meanwhile."""
        self.write(*DELETION)
        self.write(
            Create("member", "user03", b"new", "7"), Create("membership", "7", b"new", "100")
        )
        self.write(*DELETION[1:])
        self.check_deleted()
        self.maintain()
        self.check_deleted()

    def check_count(self, *deletions: StateChange) -> None:
        """Account 100, with many rooms, is deleted as well as room 7; it joins another room."""
        self.write(*[Create("membership", str(room), b"", "100") for room in range(20, 60)])
        self.write(*deletions)
        self.write(Create("membership", "9", b"", "100"))
        for _ in range(2):
            self.assertEqual(self.writer.documents.count("membership", "100"), 1)
            self.assertEqual(self.writer.documents.count("membership", "101"), 1)
            self.maintain()

    def test_document_deleted_by_key_and_then_with_its_scope_is_counted_once(self) -> None:
        """The counter has what was created afterwards."""
        self.check_count(DeleteKey("membership", "7"), DeleteScope("membership", "100"))

    def test_document_deleted_with_its_scope_and_then_by_key_is_counted_once(self) -> None:
        """The counter has what was created afterwards."""
        self.check_count(DeleteScope("membership", "100"), DeleteKey("membership", "7"))

    def test_refused_deletion_deletes_nothing(self) -> None:
        """Whether many or few documents would have been deleted."""
        refused = self.refused(*DELETION, Require("room", "no such room"))
        self.assertIs(refused, Conflict)
        self.maintain()
        self.assertEqual(self.writer.documents.count("member", "7"), ROWS)
        self.assertEqual(self.rows("documents"), 3 * ROWS)
        self.assertEqual(self.rows("positions"), ROWS)
