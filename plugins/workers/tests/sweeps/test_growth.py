"""What sweeps cost those who do not look at them: lists pass by the runs that are parts."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from journals.places import new_run

from handrail.builtin.sqlite.database import SQL
from handrail.sqlite import SqliteJournal

VALUES = {"limit": 20, "action": None, "outcome": None, "project": None, "run": 1, "item": 1}


@pytest.mark.parametrize(
    ("statement", "searched"),
    [
        (SQL.runs, "run_parent (parent=?)"),
        (SQL.parts, "run_parent (parent=?)"),
        (SQL.parts_of_item, "run_of_parent (parent=? AND parent_item=?)"),
        (SQL.count_parts, "run_of_parent (parent=? AND parent_item=? AND parent_step=?"),
        (SQL.numbers_of_parts, "run_of_parent (parent>?)"),
    ],
)
def test_no_list_reads_runs_that_it_does_not_show(
    tmp_path: Path, statement: str, searched: str
) -> None:
    SqliteJournal(tmp_path / "runs.db").close()
    with sqlite3.connect(tmp_path / "runs.db") as connection:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}", VALUES).fetchall()
    connection.close()
    steps = [str(step[-1]) for step in plan]
    assert any(searched in step for step in steps), steps
    assert not any(step.startswith("SCAN run") and "INDEX" not in step for step in steps), steps


def test_a_list_of_runs_asks_the_journal_as_often_with_many_parts(tmp_path: Path) -> None:
    asked: dict[int, int] = {}
    for count in (1, 30):
        journal = SqliteJournal(tmp_path / str(count) / "runs.db")
        whole = journal.open_run(new_run())
        part = replace(new_run(), parent=1, parent_step="runs", parent_attempt=1, parent_fence=1)
        for item in range(1, count + 1):
            new = replace(part, uid=new_run().uid, parent_item=item)
            journal.open_run(new).release()
        whole.release()
        told: list[str] = []
        with journal._reading() as connection:
            connection.set_trace_callback(told.append)
            assert len(journal.runs()) == 1
            assert journal.count_parts(1) == {"interrupted": count}
            connection.set_trace_callback(None)
        journal.close()
        asked[count] = len(told)
    assert asked[1] == asked[30]
