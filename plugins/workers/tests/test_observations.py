"""What isolated steps and items say is kept in the journal, as what other steps say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from saying import isolated, work_aloud

from handrail import BaseStep, RuntimeContext, StepResult, action
from handrail.records import RecordedStep, record_of
from handrail.sqlite import SqliteJournal


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SqliteJournal]:
    opened = SqliteJournal(tmp_path / ".handrail" / "runs.db")
    yield opened
    opened.close()


class Silent:
    """Shows nothing."""

    def log(self, *given: Any) -> None: ...
    def set_progress(self, *given: Any) -> None: ...
    def set_metrics(self, *given: Any) -> None: ...


def quiet() -> RuntimeContext:
    return RuntimeContext(logger=Silent())


def read(journal: SqliteJournal, name: str) -> RecordedStep:
    found = record_of(journal, 1).step(name)
    assert found is not None
    return found


def test_an_isolated_step_says_it_too(journal: SqliteJournal) -> None:
    """From a process of its own; also numbers that JSON lacks, and what is left out."""
    isolated.run(journal=journal, ctx=quiet(), packs=())
    found = read(journal, "apart")
    assert [line.event for line in found.log] == ["found", "not_kept", "not_kept"]
    assert "'thing' is not attached: it has no JSON form" in found.log[2].data["summary"]
    assert found.metrics["share"].last.value == 0.5
    assert [each.name for each in found.attachments] == ["curves", "notes"]


class Maps(BaseStep[Any]):
    """Works on items that log."""

    name = "maps"
    progress_weight = 1.0
    executor = "threads:1"

    def execute(self, context: Any) -> StepResult:
        context.map_items(work_aloud, range(120), chunk=60, executor=self.executor)
        return StepResult()


@pytest.mark.parametrize("executor", ["threads:1", "processes:1"])
def test_items_say_it_too(
    journal: SqliteJournal, executor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first 50 lines of each chunk, with the item; and how far they came."""
    monkeypatch.setattr(Maps, "executor", executor)
    action("mapped", [Maps()]).run(journal=journal, ctx=quiet(), packs=())
    found = read(journal, "maps")
    assert [line.data["item"] for line in found.log] == [*range(50), *range(60, 110)]
    assert found.log[0].data == {"item": 0, "on": 0}
    assert found.progress is not None
    assert (found.progress.current, found.progress.total) == (120, 120)
