"""No damage to a journal makes Handrail crash or hang, or hides that there is some."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from arena import Arena
from conftest import cases
from hypothesis import given
from hypothesis import strategies as st
from strategies import HOSTILE, SAFE, spoilt

CALLS = (
    ("runs",),
    ("runs", "--json"),
    ("show", "1"),
    ("show", "2", "--json"),
    ("show", "3", "--traceback"),
    ("show", "4", "--all"),
    ("show", "2", "--step", "make"),
    ("resume", "4"),
    ("resume", "--all-dead"),
    ("rollback", "1", "--yes"),
    ("rollback", "2", "--yes"),
    ("rollback", "2", "--dry-run"),
    ("rollback", "4", "--yes"),
    ("rollback", "--all-dead"),
    ("run", "flows.py:nightly", "--times", "1"),
    ("doctor",),
)
CELLS = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.binary(max_size=12),
    SAFE,
    HOSTILE,
    st.sampled_from(
        ["[]", "{}", "[1", '{"a": [null]}', "2026", "[" * 5000, '"', '["make"]', "done"]
    ),
).map(lambda cell: cell.encode("utf-8", "replace").decode() if isinstance(cell, str) else cell)


class Cells(list[tuple[str, int, str]]):
    """All cells of a database, each its table, row and column; too many to be shown with a case."""

    def __repr__(self) -> str:
        return f"{len(self)} cells"


@pytest.fixture(scope="module")
def cells(arena: Arena) -> Cells:
    """Every cell of the journal: its table, row and column."""
    arena.put_back()
    with closing(sqlite3.connect(journal(arena))) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        tables = [
            name
            for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        found = Cells()
        for table in tables:
            columns = [row[1] for row in database.execute(f'PRAGMA table_info("{table}")')]
            try:
                rows = [row for (row,) in database.execute(f'SELECT rowid FROM "{table}"')]
            except sqlite3.OperationalError:
                continue  # A table without rowid.
            found.extend((table, row, column) for row in rows for column in columns)
    arena.keep()
    return found


def journal(arena: Arena) -> Path:
    return arena.folder / ".handrail" / "runs.db"


@cases(6)
@given(data=st.data(), call=st.sampled_from(CALLS))
def test_journals_with_other_cells(
    arena: Arena, cells: Cells, data: st.DataObject, call: tuple[str, ...]
) -> None:
    """A journal in which some cells have other values, also such as no version ever wrote."""
    arena.put_back()
    chosen = data.draw(st.lists(st.sampled_from(cells), min_size=1, max_size=3))
    with closing(sqlite3.connect(journal(arena), isolation_level=None)) as database:
        database.execute("PRAGMA ignore_check_constraints = ON")
        for table, row, column in chosen:
            value = data.draw(CELLS)
            try:
                statement = f'UPDATE "{table}" SET "{column}" = ? WHERE rowid = ?'
                database.execute(statement, (value, row))
            except sqlite3.Error:
                continue  # Strict tables take only values of the right type.
    arena.check(*call)


@cases(3)
@given(data=st.data(), call=st.sampled_from(CALLS))
def test_journals_with_other_bytes(
    arena: Arena, cells: Cells, data: st.DataObject, call: tuple[str, ...]
) -> None:
    """A journal of which bytes are others, or which was cut off."""
    arena.put_back()
    file = journal(arena)
    content = bytearray(file.read_bytes())
    if data.draw(st.booleans()):
        for _ in range(data.draw(st.integers(1, 6))):
            content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
        file.write_bytes(content)
    else:
        file.write_bytes(data.draw(spoilt(bytes(content))))
    arena.check(*call)
