"""The table of docs/explanation/how-a-run-survives.md: what a crash leaves, one test per row."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from killing.table import TOLD, Dying, Table

from handrail import StepFailedError
from handrail.errors import (
    JournalError,
    LeaseLostError,
    NotFoundError,
    RollbackRefusedError,
    RunClosedError,
)
from handrail.journal.records import AttemptChange, NoteRow, RunChange

PAGE = Path(__file__).parents[3] / "docs/explanation/how-a-run-survives.md"

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")


@pytest.fixture
def table(world, journal):
    """A world, with what may be done to it."""
    yield Table(world, journal)
    TOLD.clear()


both = pytest.mark.parametrize("way", ["resume", "rollback"])


@both
def test_before_the_run_is_opened(table, way):
    table.die("open")
    assert table.journal.runs() == []
    with pytest.raises(NotFoundError):
        getattr(table, way)()


@both
def test_before_the_first_step_is_started(table, way):
    table.die("a asked")
    assert table.journal.read(1).attempts == ()
    if way == "resume":
        table.finished()
        assert table.calls("a") == ["asked", "asked", "begins"]
    else:
        table.undone()
        assert table.calls("a") == ["asked"]


@both
def test_while_a_step_is_asked_whether_to_skip(table, way):
    table.die("g asked")
    assert table.attempts("k") == [(1, "done")]
    assert table.attempts("g") == []
    if way == "resume":
        table.finished()
        assert table.calls("g") == ["asked", "asked", "begins"]
    else:
        table.undone()
        assert table.calls("g") == ["asked"]


@both
def test_after_a_step_was_skipped(table, way):
    table.die("k begins")
    assert table.attempts("s") == [(1, "skipped")]
    if way == "resume":
        table.finished()
    else:
        table.undone()
    assert table.calls("s") == ["asked"]


@both
def test_before_a_step_has_recorded_anything(table, way):
    table.die("k begins")
    assert table.attempts("k") == [(1, "started")]
    if way == "resume":
        table.finished()
        assert table.calls("k") == ["begins", "undo ", "begins"]
        assert table.attempts("k") == [(1, "undone"), (2, "done")]
    else:
        table.undone()
        assert table.calls("k") == ["begins", "undo "]
        assert table.calls("a")[-1] == "undo made,returned"


@both
@pytest.mark.parametrize("instant", ["k recorded", "k made"])
def test_after_a_step_has_recorded(table, way, instant):
    table.die(instant)
    if way == "resume":
        table.finished()
        assert table.calls("k") == ["begins", "undo made", "begins"]
    else:
        table.undone()
        assert table.calls("k") == ["begins", "undo made"]


def is_state(step: str, state: str) -> Callable[[Any], bool]:
    return lambda change: (
        isinstance(change, AttemptChange) and (change.step, change.state) == (step, state)
    )


@both
def test_before_the_end_of_a_step_is_written(table, way):
    table.die(strike=is_state("k", "done"))
    assert "k" in table.left()
    test = table.finished if way == "resume" else table.undone
    test()
    assert "undo made" in table.calls("k")
    assert "undo made,returned" not in table.calls("k")


@both
def test_between_two_attempts_of_a_step(table, way):
    table.die("k made")
    table.die(strike=is_state("k", "undone"), when="after", work=table.resume)
    assert table.attempts("k") == [(1, "undone"), (2, "started")]
    if way == "resume":
        table.finished()
        assert table.attempts("k")[-1] == (3, "done")
    else:
        table.undone()


@both
def test_while_a_step_goes_on_by_itself(table, way):
    table.die("g made")
    table.die("more recorded", work=table.resume)
    assert table.attempts("g") == [(1, "started")]
    if way == "resume":
        table.finished("more")
        assert table.attempts("g") == [(1, "done")]
        assert table.calls("g") == ["asked", "begins", "goes on", "goes on"]
        assert table.rollback()
        assert table.left() == set()
    else:
        table.undone()


@both
def test_in_a_step_that_always_runs(table, way):
    table.die("close begins")
    if way == "resume":
        table.finished()
        assert table.calls("close") == ["begins completed"] * 2
    else:
        table.undone()


@both
def test_after_the_run_was_sealed(table, way):
    table.die("sealed", seal=True)
    if way == "resume":
        table.finished()
    with pytest.raises(RollbackRefusedError, match="told to"):
        table.rollback()
    assert table.left() == {"a", "k", "g"}


@both
def test_after_the_run_was_completed(table, way):
    table.run()
    if way == "resume":
        with pytest.raises(RunClosedError, match="completed"):
            table.resume()
        assert table.left() == {"a", "k", "g"}
    else:
        assert table.rollback()["rolled_back"]
        assert table.left() == set()
        assert table.calls("close") == ["begins completed"], "it runs once per run"


def turns_back(change: Any) -> bool:
    return isinstance(change, RunChange) and change.direction == "undo"


@both
def test_before_the_decision_to_undo_is_written(table, way):
    table.die(strike=turns_back, fail="k")
    assert table.attempts("k") == [(1, "started")]
    if way == "resume":
        table.finished()
    else:
        table.undone()
        assert table.calls("k")[-1] == "undo made"


@both
@pytest.mark.parametrize(
    "there",
    [
        {"strike": turns_back, "when": "after"},
        {"instant": "k undo"},
        {"strike": is_state("k", "undone")},
    ],
)
def test_while_it_undoes(table, way, there):
    table.die(fail="k", **there)
    if way == "resume":
        with pytest.raises(StepFailedError, match="'k' failed: told to fail"):
            table.resume()
        assert table.left() == set()
        assert table.journal.runs()[0].outcome == "rolled_back"
    else:
        table.undone()
    assert table.calls("k")[-1] == "undo made"
    assert table.calls("close") == ["begins rolled_back"]


@both
def test_after_an_undo_that_failed(table, way):
    TOLD.update(fail="g", stuck="k")
    with pytest.raises(StepFailedError):
        table.run()
    TOLD.clear()
    assert table.journal.runs()[0].outcome == "rollback_incomplete"
    if way == "resume":
        with pytest.raises(RollbackRefusedError):
            table.resume()
        assert table.left() == {"k"}
    else:
        before = table.calls("a")
        assert table.rollback()["rolled_back"]
        assert table.left() == set()
        assert table.calls("a") == before, "only what had failed is tried again"
        assert len(table.calls("close")) == 1


@both
def test_after_it_has_claimed_a_run(table, way):
    table.die("k made")

    def claim(journal: Any) -> None:
        journal.claim(1)
        os.kill(os.getpid(), signal.SIGKILL)

    table.die(work=claim)
    assert table.journal.runs()[0].fence == 2
    (table.finished if way == "resume" else table.undone)()
    assert table.journal.runs()[0].fence == 3


@both
@pytest.mark.parametrize("swallow", [True, False])
def test_on_a_full_disk_at_a_record(table, way, swallow):
    full = Dying(table.world.parent / ".handrail" / "runs.db")
    full.strike, full.when = (lambda c: isinstance(c, NoteRow) and c.step == "k"), "full"
    TOLD.update(swallow=swallow)
    with pytest.raises(JournalError, match="full"):
        table.run(full)
    full.close()
    TOLD.clear()
    assert table.left() == {"a"}, "nothing else is undone"
    assert table.calls("close") == []
    assert table.journal.runs()[0].outcome is None
    (table.finished if way == "resume" else table.undone)()


@both
@pytest.mark.parametrize("swallow", [True, False])
def test_after_its_run_was_taken_over(table, way, swallow):
    def taken() -> None:
        other = sqlite3.connect(table.world.parent / ".handrail" / "runs.db")
        with other:
            other.execute("UPDATE run SET fence = fence + 1")
        other.close()

    TOLD.update(at={"k begins": taken}, swallow=swallow)
    with pytest.raises(LeaseLostError):
        table.run()
    TOLD.clear()
    assert table.left() == {"a"}
    assert table.calls("k") == ["begins"], "nothing is touched"
    assert table.calls("close") == []
    (table.finished if way == "resume" else table.undone)()


def rows() -> list[str]:
    """Return the first cell of each row of the table."""
    text = PAGE.read_text(encoding="utf-8").split("## What a crash leaves")[1].split("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [line.split("|")[1].strip() for line in lines][1:]


def test_each_row_has_a_test():
    """And each test has its row."""
    names = {"test_" + re.sub(r"\W+", "_", row) for row in rows()}
    own = "test_each_row_has_a_test"
    assert names == {each for each in globals() if each.startswith("test_")} - {own}
