"""What observers of packs keep beside a run, and how it is read back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from handrail import BaseStepContext, action, hookimpl, resume, rollback, step
from handrail.builtin.records.run_record import record_of
from handrail.errors import NotFoundError, StepFailedError
from handrail.events import Event, StepFinished, StepStarted
from handrail.sqlite import SqliteJournal

KIND = "acme-trace"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SqliteJournal]:
    with closing(SqliteJournal(tmp_path / "runs.db")) as opened:
        yield opened


def observing(told: Callable[[Event, Callable[..., str]], object]) -> ModuleType:
    """Return a pack with an observer."""
    hooks = ModuleType("acme_trace")

    def observe(event: Event, keep: Callable[..., str]) -> None:
        told(event, keep)

    vars(hooks)["observe"] = hookimpl(observe)
    return hooks


@step
def scan(context: BaseStepContext) -> None:
    context.record_rollback("made", "a")


@scan.rollback
def unscan(context: BaseStepContext, result: Any) -> None: ...


@step
def copy(context: BaseStepContext) -> None: ...


flow = action("flow", [scan, copy])


def keeps_each_step(event: Event, keep: Callable[..., str]) -> None:
    if isinstance(event, StepStarted):
        assert keep(KIND, "begun", step=event.step) == ""
    if isinstance(event, StepFinished):
        assert keep(KIND, f"ended {event.position}", step=event.step) == ""
        assert keep(KIND, "one more", name="steps", seq=event.position) == ""


def test_an_observer_keeps_rows_of_a_kind_of_its_own(journal: SqliteJournal) -> None:
    """The last one of each place, beside steps and beside the run."""
    flow({}, packs=(observing(keeps_each_step),)).run(journal=journal)
    rows = journal.kept(1, [KIND])
    assert {row[:6] for row in rows} == {
        ("scan", 1, KIND, "", 0, "ended 0"),
        ("copy", 1, KIND, "", 0, "ended 1"),
        ("", 0, KIND, "steps", 0, "one more"),
        ("", 0, KIND, "steps", 1, "one more"),
    }
    assert journal.kept(1, ["another"]) == []


def test_it_is_no_part_of_what_steps_say_nor_of_an_undo(journal: SqliteJournal) -> None:
    """It is deleted with its run."""
    flow({}, packs=(observing(keeps_each_step),)).run(journal=journal)
    assert record_of(journal, 1).observations.steps == frozenset()
    rollback(flow, 1, journal=journal, packs=())
    assert len(journal.kept(1, [KIND])) == 4
    assert journal.prune(timedelta(days=-1)) == [1]
    with pytest.raises(NotFoundError):
        journal.kept(1)


def test_each_attempt_has_rows_of_its_own(journal: SqliteJournal) -> None:
    """Those of a resumed run too, within the bounds of both processes."""
    fails = [True]

    @step
    def copies(context: BaseStepContext) -> None:
        if fails:
            raise OSError(fails.pop())

    copying = action("copying", [copies])
    packs = (observing(keeps_each_step),)
    with pytest.raises(StepFailedError):
        copying({}, packs=packs).run(journal=journal, on_failure="keep")
    resume(copying, 1, journal=journal, packs=packs)
    rows = journal.kept(1, [KIND], step="copies")
    assert [(row.n, row.text) for row in rows] == [(1, "begun"), (2, "ended 0")]


def test_what_is_over_the_bounds_is_refused_and_the_observer_told(journal: SqliteJournal) -> None:
    answers: list[str] = []

    def keeps_too_much(event: Event, keep: Callable[..., str]) -> None:
        if isinstance(event, StepFinished) and event.step == "scan":
            answers.extend(keep(KIND, "x", step="scan", seq=seq) for seq in range(1_001))
            answers.append(keep(KIND, "again", step="scan", seq=0))
            answers.append(keep(KIND, "x" * 64_001))
            answers.append(keep("log", "x", step="scan"))

    flow({}, packs=(observing(keeps_too_much),)).run(journal=journal)
    assert [number for number, answer in enumerate(answers) if answer] == [1_000, 1_002, 1_003]
    rows = journal.kept(1)
    assert len(rows) == 1_000
    assert rows[0].text == "again"


def test_without_a_journal_nothing_is_kept() -> None:
    answers: list[str] = []
    hooks = observing(lambda _event, keep: answers.append(keep(KIND, "x")))
    flow({}, packs=(hooks,)).run()
    assert len(answers) > 2
    assert all(answers)
