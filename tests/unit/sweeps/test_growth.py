"""What sweeps cost those who do not look at them: children are passed by, by their numbers."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from journals.places import new_run

from handrail.journal.numbers import child_number, children_of
from handrail.journal.sqlite import SqliteJournal
from handrail.journal.sqlite.statements import SQL

VALUES = {"limit": 20, "action": None, "outcome": None, "project": None}


@pytest.mark.parametrize(
    ("statement", "searched"),
    [
        (SQL.runs_without_plans, "rowid>?"),
        (SQL.children_without_plans, "rowid>? AND rowid<?"),
        (SQL.count_children, "rowid>? AND rowid<?"),
        (SQL.numbers_of_children, "rowid<?"),
    ],
)
def test_no_list_reads_runs_that_it_does_not_show(
    tmp_path: Path, statement: str, searched: str
) -> None:
    SqliteJournal(tmp_path / "runs.db").close()
    least, greatest = children_of(1)
    values = {**VALUES, "least": least, "greatest": greatest}
    with sqlite3.connect(tmp_path / "runs.db") as connection:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall()
    connection.close()
    steps = [str(step[-1]) for step in plan]
    assert any(f"USING INTEGER PRIMARY KEY ({searched})" in step for step in steps), steps
    assert not any(step.startswith("SCAN") for step in steps), steps


def test_a_list_of_runs_asks_the_journal_as_often_with_many_children(tmp_path: Path) -> None:
    asked: dict[int, int] = {}
    for count in (1, 30):
        journal = SqliteJournal(tmp_path / str(count) / "runs.db")
        journal.open_run(new_run()).release()
        for place in range(1, count + 1):
            journal.open_child(child_number(1, place), new_run()).release()
        told: list[str] = []
        with journal._reading() as connection:
            connection.set_trace_callback(told.append)
            assert len(journal.runs(plans=False)) == 1
            assert journal.count_children([1]) == {1: {"interrupted": count}}
            connection.set_trace_callback(None)
        journal.close()
        asked[count] = len(told)
    assert asked[1] == asked[30]
