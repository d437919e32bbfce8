"""The contract of positions: what accounts have acknowledged and read, for each back end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chatd.core.entries import Cursor, ranges
from chatd.core.errors import Conflict
from chatd.stores import (
    Change,
    CreateLog,
    DropLog,
    Forget,
    Position,
    RenameLog,
    Require,
    RequireLog,
    RequireSome,
    Save,
)
from tests.stores.contract import StoreContract
from tests.stores.sequences import LOGS, SequenceContract

ANN, BOB = 2**61, 7
"""ids of accounts"""


class PositionContract(StoreContract):
    """Positions of two accounts in two logs."""

    def setUp(self) -> None:
        super().setUp()
        self.store.write([CreateLog("@1"), CreateLog("#2")])

    async def check(self, account: int, *positions: Position) -> None:
        """Check that the account has these positions, and no others, in all logs and in each."""
        self.assertCountEqual(await self.store.positions(account), positions)
        for log in ("@1", "#2", "@no-log"):
            self.assertEqual(
                list(await self.store.positions(account, log)),
                [position for position in positions if position.log == log],
            )

    async def test_saved_position_is_read_as_it_was_saved(self) -> None:
        """Each account has one position in each log."""
        first = Position(ANN, "@1", Cursor(3, ((5, 6), (9, 9))), 2, 1_700_000_000_123)
        second, third = Position(ANN, "#2", Cursor(2**40), 1), Position(BOB, "#2", Cursor())
        await self.check(ANN)
        await self.store.save([first, second, third])
        await self.check(ANN, first, second)
        await self.check(BOB, third)

    async def test_positions_only_grow(self) -> None:
        """What is saved is merged with what is stored: the union of the cursors, and the greater of
        the others; also what was saved in the wrong order."""
        for cursor, read, seen in (
            (Cursor(4), 1, 30),
            (Cursor(2, ((6, 7),)), 3, 10),
            (Cursor(0, ((8, 8), (10, 11))), 2, 20),
        ):
            await self.store.save([Position(ANN, "@1", cursor, read, seen)])
        await self.check(ANN, Position(ANN, "@1", Cursor(4, ((6, 8), (10, 11))), 3, 30))
        await self.store.save([Position(ANN, "@1", Cursor(5))])
        await self.check(ANN, Position(ANN, "@1", Cursor(8, ((10, 11),)), 3, 30))
        await self.store.save([Position(ANN, "@1", Cursor(50))])
        await self.check(ANN, Position(ANN, "@1", Cursor(50), 3, 30))
        await self.store.save([Position(ANN, "@1", Cursor(9))])
        await self.check(ANN, Position(ANN, "@1", Cursor(50), 3, 30))

    async def test_many_positions_are_saved_at_once(self) -> None:
        """Some of them twice, with ranges and without."""
        await self.store.save(
            [Position(account, "#2", Cursor(account % 5), 1) for account in range(1, 1000)]
            + [Position(account, "#2", Cursor(0, ((7, 7),))) for account in range(1, 1000, 10)]
            + [Position(account, "#2", Cursor(6)) for account in range(1, 1000, 20)]
        )
        for account in (1, 11, 20, 21, 999):
            cursor = Cursor(account % 5)
            if account % 10 == 1:
                cursor = cursor.acknowledge(7, 7)
            if account % 20 == 1:
                cursor = cursor.acknowledge(1, 6)
            await self.check(account, Position(account, "#2", cursor, 1))

    async def test_positions_of_one_log_saved_at_once_are_merged(self) -> None:
        """In any order."""
        for log, first, second in (
            ("@1", Cursor(5), Cursor(0, ((3, 4), (6, 7)))),
            ("#2", Cursor(0, ((3, 4), (6, 7))), Cursor(5)),
        ):
            await self.store.save([Position(ANN, log, first), Position(ANN, log, second)])
        await self.check(ANN, Position(ANN, "@1", Cursor(7)), Position(ANN, "#2", Cursor(7)))

    async def test_position_in_unknown_log_is_ignored(self) -> None:
        """It does not appear when the log is created."""
        unknown = Position(ANN, "@3", Cursor(5), 4, 3)
        known = Position(ANN, "@1", Cursor(1))
        await self.store.save([unknown, known])
        await self.store.write([Save(unknown), CreateLog("@3")])
        await self.check(ANN, known)

    async def test_nothing_to_save_is_a_save(self) -> None:
        """It is answered in the order of the queue."""
        self.assertIsNone(await self.store.save([]))

    async def test_save_is_in_the_queue(self) -> None:
        """It sees a log that was created before it, and is seen by what follows."""
        position = Position(ANN, "@3", Cursor(1))
        self.store.write([CreateLog("@3")])
        self.store.save([position])
        self.assertEqual(list(await self.store.positions(ANN)), [position])

    async def test_dropped_log_has_no_positions(self) -> None:
        """Neither has a new log of the same name; other logs are unchanged."""
        others = [Position(ANN, "@1", Cursor(1)), Position(BOB, "@1", Cursor(0, ((2, 2),)))]
        await self.store.save(
            [Position(ANN, "#2", Cursor(1)), Position(BOB, "#2", Cursor(0, ((2, 2),))), *others]
        )
        await self.store.write([DropLog("#2"), CreateLog("#2")])
        await self.check(ANN, others[0])
        await self.check(BOB, others[1])
        await self.store.save([Position(BOB, "#2", Cursor(1))])
        await self.check(BOB, others[1], Position(BOB, "#2", Cursor(1)))

    async def test_forgotten_position_begins_anew(self) -> None:
        """That of the account in the log, and no other; there need not be one."""
        await self.store.save(
            [
                Position(ANN, "#2", Cursor(5, ((7, 8),)), 4, 3),
                Position(ANN, "@1", Cursor(1)),
                Position(BOB, "#2", Cursor(1)),
            ]
        )
        await self.store.write([Forget(ANN, "#2"), Forget(BOB, "@1"), Forget(BOB, "@unknown")])
        await self.check(ANN, Position(ANN, "@1", Cursor(1)))
        await self.check(BOB, Position(BOB, "#2", Cursor(1)))
        await self.store.save([Position(ANN, "#2", Cursor(2))])
        await self.check(ANN, Position(ANN, "@1", Cursor(1)), Position(ANN, "#2", Cursor(2)))

    async def test_refused_write_changes_no_position(self) -> None:
        """Whatever was saved, forgotten or dropped before the condition that refuses it."""
        stored = [Position(ANN, "@1", Cursor(1, ((3, 3),)), 1), Position(ANN, "#2", Cursor(9), 9)]
        await self.store.save(stored)
        for refused in (Require("account", "Ann"), RequireLog("@3"), RequireSome("member", "7")):
            await self.assertFailure(
                self.store.write(
                    [
                        Save(Position(ANN, "@1", Cursor(2), 7, 7)),
                        Forget(ANN, "#2"),
                        Save(Position(BOB, "@1", Cursor(1))),
                        DropLog("@1"),
                        CreateLog("@1"),
                        Save(Position(ANN, "@1", Cursor(5))),
                        RenameLog("@1", "@9"),
                        Save(Position(ANN, "@9", Cursor(6))),
                        refused,
                    ]
                ),
                Conflict,
            )
            await self.check(ANN, *stored)
            await self.check(BOB)
        await self.store.save([Position(ANN, "@1", Cursor(2))])
        await self.check(ANN, Position(ANN, "@1", Cursor(3), 1), stored[1])


_Seen = tuple[frozenset[int], int, int]


class _Model:
    """Positions as the sets of the seqs that were acknowledged, with the read marker and the end of
    the last session, by account and log."""

    def __init__(self) -> None:
        self.logs = set(LOGS[:2])
        self.positions: dict[tuple[int, str], _Seen] = {}

    def save(self, position: Position) -> None:
        """Merge a position."""
        if position.log in self.logs:
            place = position.account, position.log
            seqs, read, seen = self.positions.get(place, (frozenset(), 0, 0))
            self.positions[place] = (
                seqs | frozenset(seq for seq in range(1, 40) if position.cursor.has(seq)),
                max(read, position.read),
                max(seen, position.seen),
            )

    def write(self, changes: Iterable[Change]) -> bool:
        """Make changes; whether they are not refused."""
        logs, positions = set(self.logs), dict(self.positions)
        for change in changes:
            match change:
                case Save(position):
                    self.save(position)
                case Forget(account, log):
                    self.positions.pop((account, log), None)
                case DropLog(log):
                    self.logs.discard(log)
                    self.positions = {
                        place: seen for place, seen in self.positions.items() if place[1] != log
                    }
                case RenameLog(log, name) if log in self.logs and name not in self.logs:
                    self.logs ^= {log, name}
                    self.positions = {
                        (account, name if of == log else of): seen
                        for (account, of), seen in self.positions.items()
                    }
                case CreateLog(log) if log not in self.logs:
                    self.logs.add(log)
                case RequireLog(log) if log in self.logs:
                    pass
                case _:
                    self.logs, self.positions = logs, positions
                    return False
        return True

    def of(self, account: int) -> list[Position]:
        """The positions of an account, with cursors in their only form."""
        found = []
        for (owner, log), (seqs, read, seen) in self.positions.items():
            if owner == account:
                parts = list(ranges(seqs))
                upto = parts.pop(0)[1] if parts and parts[0][0] == 1 else 0
                found.append(Position(account, log, Cursor(upto, tuple(parts)), read, seen))
        return found


def _cursor(upto: int, acknowledged: list[tuple[int, int]]) -> Cursor:
    cursor = Cursor(upto)
    for first, count in acknowledged:
        cursor = cursor.acknowledge(first, first + count)
    return cursor


_logs = st.sampled_from(LOGS[:2])
_accounts = st.sampled_from([ANN, BOB])
_cursors = st.builds(
    _cursor,
    st.integers(0, 12),
    st.lists(st.tuples(st.integers(1, 20), st.integers(0, 3)), max_size=3),
)
_plain = st.builds(_cursor, st.integers(0, 12), st.just([]))
_positions = st.builds(
    Position, _accounts, _logs, st.one_of(_plain, _cursors), st.integers(0, 9), st.integers(0, 9)
)
_changes: st.SearchStrategy[Change] = st.one_of(
    st.builds(Save, _positions),
    st.builds(Save, _positions),
    st.builds(Forget, _accounts, _logs),
    st.builds(DropLog, _logs),
    st.builds(RenameLog, _logs, _logs),
    st.builds(CreateLog, _logs),
    st.builds(RequireLog, _logs),
)
_steps: st.SearchStrategy[tuple[str, list[Any]]] = st.one_of(
    st.tuples(st.just("save"), st.lists(_positions, max_size=4)),
    st.tuples(st.just("save"), st.lists(_positions, max_size=4)),
    st.tuples(st.just("write"), st.lists(_changes, min_size=1, max_size=4)),
    st.tuples(st.just("restart"), st.just([])),
)


PositionScript = list[tuple[str, list[Any]]]
"""steps and their positions or changes"""
any_position_script = given(st.lists(_steps, min_size=4, max_size=20))


class PositionSequenceContract(SequenceContract):
    """Any sequence of saves, and of writes that change positions, compared with a model."""

    def play_positions(self, script: PositionScript) -> None:
        """Run a script; the positions are compared after each step."""
        store = self.open()
        model = _Model()
        self.wait_for(store.write([CreateLog(log) for log in LOGS[:2]]))
        for step, values in script:
            if step == "save":
                for position in values:
                    model.save(position)
                self.wait_for(store.save(values))
            elif step == "write":
                refused = self.wait_for(
                    store.write(values).addCallbacks(lambda _: False, lambda _: True)
                )
                self.assertEqual(refused, not model.write(values), values)
            else:
                store = self.restart(store)
            for account in (ANN, BOB):
                self.assertCountEqual(
                    self.wait_for(store.positions(account)), model.of(account), (step, values)
                )
        self.close(store)


del StoreContract, SequenceContract
