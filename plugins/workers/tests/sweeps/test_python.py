"""`sweep()`: the same from Python."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sweeping import calls, models

from handrail import StepFailedError, resume, rollback
from handrail.errors import ActionError, ParamsError
from handrail.sqlite import SqliteJournal
from handrail_workers import sweep

OVER = {"epochs": range(10, 30, 10), "hyper.rate": (0.1, 2)}


@pytest.fixture
def journal(folder: Path) -> Iterator[SqliteJournal]:
    """The journal of the project."""
    journal = SqliteJournal(folder / ".handrail" / "runs.db")
    yield journal
    journal.close()


@pytest.mark.parametrize("in_a_thread", [False, True])
def test_a_sweep_returns_what_came_of_its_runs(
    flows: ModuleType, journal: SqliteJournal, folder: Path, in_a_thread: bool
) -> None:
    options: dict[str, Any] = {"over": OVER, "journal": journal, "max_failed": "50%"}
    if in_a_thread:
        told = asyncio.run(asyncio.to_thread(sweep, flows.TrainAction, {"data": "x"}, **options))
    else:
        told = sweep(flows.TrainAction, {"data": "x"}, **options)
    assert (told["success"], told["number"], told["runs"], told["failed"]) == (True, 1, 2, 2)
    assert [each["number"] for each in told["children"]] == [2, 3, 4, 5]
    first, second, *_ = told["children"]
    assert first["point"] == {"epochs": 10, "hyper.rate": 0.1}
    assert first["metrics"]["accuracy"] == 0.01
    assert (second["state"], "diverged" in second["error"]) == ("failed, rolled back", True)
    assert models(folder) == ["10-0.1", "20-0.1"]


def test_too_many_failures_end_it_and_it_is_resumed_and_rolled_back(
    flows: ModuleType, journal: SqliteJournal, folder: Path
) -> None:
    with pytest.raises(StepFailedError, match="of 4 runs failed") as error:
        sweep(flows.TrainAction, over=OVER, journal=journal)
    assert error.value.outcome == "failed"
    (folder / "mended").touch()
    done = calls(folder).count("fit 10 0.1")
    assert resume(flows.TrainAction, 1, journal=journal)["runs"] == 4
    assert calls(folder).count("fit 10 0.1") == done == 1
    assert rollback(flows.TrainAction, 1, journal=journal) == {"rolled_back": True, "number": 1}
    assert models(folder) == []


def test_what_is_wrong_is_told_before_anything_runs(
    flows: ModuleType, journal: SqliteJournal, folder: Path
) -> None:
    for over in ({"epoch": [1]}, {"epochs": []}, {"epochs": ["x"]}, {}):
        with pytest.raises(ParamsError):
            sweep(flows.TrainAction, over=over, journal=journal)

    class LocalAction(flows.TrainAction):  # type: ignore[name-defined, misc]
        pass

    with pytest.raises(ActionError, match="cannot be found in other processes"):
        sweep(LocalAction, over={"epochs": [1]}, journal=journal)
    assert journal.runs() == []
    assert not (folder / "calls.txt").exists()
