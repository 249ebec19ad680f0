"""Exports with one target: no undo takes what another run relies on, and all leave nothing."""

from __future__ import annotations

from contextlib import closing

import pytest

from handrail.cli import main
from handrail.sqlite import SqliteJournal
from handrail_export.target import open_target
from handrail_storage.claims import State, claims_at

OVER = {"if_exists": "overwrite"}
ORDERS = pytest.mark.parametrize("order", [(0, 1), (1, 0)])


@ORDERS
def test_an_export_over_another_and_both_undone(run, target, rows, order):
    """In either order nothing is left: nobody puts back what nobody relies on any more."""
    runs = run(), run()
    file = f"{target.url}/out.csv"
    rows(1)
    runs[0].go(file)
    first = target.data()["out.csv"]
    rows(2)
    runs[1].go(file, stop="after", **OVER)
    second = target.data()["out.csv"]
    assert second != first
    runs[order[0]].undo()
    assert target.data() == {"out.csv": second if order[0] == 0 else first}
    runs[order[1]].undo()
    assert target.files() == {}


@ORDERS
@pytest.mark.parametrize("shape", ["file", "folder"])
def test_two_exports_over_what_somebody_else_has_and_both_undone(run, target, rows, order, shape):
    """What was there before is back, also where the first of them is undone first."""
    runs = run(), run()
    path = target.url if shape == "folder" else f"{target.url}/out.csv"
    key = "data.csv" if shape == "folder" else "out.csv"
    target.put(key, b"mine")
    for number, each in enumerate(runs, 1):
        rows(number)
        each.go(path, stop="after", **OVER)
    runs[order[0]].undo()
    assert target.data()[key] != b"mine"
    runs[order[1]].undo()
    assert target.files() == {key: b"mine"}


@ORDERS
def test_what_two_exports_have_replaced_is_back_once_both_are_undone(run, target, rows, order):
    """Both are completed; in either order, the file of somebody else is what is left."""
    runs = run(), run()
    target.put("out.csv", b"mine")
    for number, each in enumerate(runs, 1):
        rows(number)
        each.go(f"{target.url}/out.csv", **OVER)
    for number in order:
        runs[number].undo()
    assert target.files() == {"out.csv": b"mine"}


def test_an_export_that_was_replaced_for_good_is_undone(run, target, rows):
    """It has nothing left at the target, and does not touch what has taken its place."""
    first, second = run(), run()
    file = f"{target.url}/out.csv"
    target.put("out.csv", b"mine")
    rows(1)
    first.go(file, stop="after", **OVER)
    rows(2)
    second.go(file, keep_replaced=False, **OVER)
    before = target.data()
    first.undo()
    assert target.data() == before
    assert not [key for key in target.files() if "/aside/" in key]


def test_an_equal_export_relies_on_what_is_there(run, target, rows):
    """It is left by the undo of the run that made it, and taken by that of the last one."""
    first, second, third = run(), run(), run()
    file = f"{target.url}/out.csv"
    rows(3)
    first.go(file)
    before = target.data()
    second.go(file, **OVER)
    third.go(file, **OVER)
    assert target.data() == before
    told = first.undo()
    assert told.startswith("1 stays: run 1 on ")
    assert told.endswith(" relies on it")
    assert target.data() == before
    second.undo()
    assert target.data() == before
    assert third.undo() == "1 file deleted"
    assert target.files() == {}


def test_the_preview_says_what_stays_and_for_whom(run, target, rows):
    """Before anything is undone, and nothing is changed by it."""
    first, second = run(), run()
    file = f"{target.url}/out.csv"
    rows(3)
    first.go(file)
    assert any(": 1 file deleted (" in line for line in first.preview())
    second.go(file, **OVER)
    before = target.files()
    (line,) = [each for each in first.preview() if each.startswith("at ")]
    assert ": 1 stays: run 1 on " in line
    assert target.files() == before


def test_equal_exports_run_side_by_side(run, target, rows):
    """One that was killed is in nobody's way where the other wants the same bytes."""
    first, second = run(), run()
    file = f"{target.url}/out.csv"
    rows(3)
    first.go(file, stop="middle")
    before = target.data()
    second.go(file, **OVER)
    assert first.undo().startswith("1 stays: run 1 on ")
    assert target.data() == before
    second.undo()
    assert target.files() == {}


def test_runs_that_are_relied_on_are_recorded(run, target, rows):
    """So `handrail runs` and `show` can mark them."""
    first = run()
    second = run(first.journal)
    file = f"{target.url}/out.csv"
    rows(3)
    first.go(file)
    second.go(file, **OVER)
    with closing(SqliteJournal(first.journal)) as journal:
        assert journal.reliance([2])[2].relies_on == (1,)


def test_a_run_that_its_journal_forgets_still_relies_on_what_it_has_exported(
    run, target, rows, monkeypatch
):
    """The undo of the run that made it leaves it, though it can be undone no more."""
    first, second = run(), run()
    file = f"{target.url}/out.csv"
    rows(3)
    first.go(file)
    second.go(file, **OVER)
    before = target.data()
    monkeypatch.setenv("HANDRAIL_JOURNAL", str(second.journal))
    monkeypatch.setenv("HANDRAIL_ONLY_PACKS", "handrail-storage")
    assert main(["runs", "prune", "--older-than", "0s"]) == 0
    first.undo()
    assert target.data() == before
    left, _ = claims_at(open_target(target.url))  # None, where the storage honours conditions.
    assert {each.state for each in left} <= {State.PRUNED}
