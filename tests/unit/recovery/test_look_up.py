"""Which run is meant: of this action only, the latest that fits unless a number says so."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from garden import Garden
from killing.flow import Flow, Plain
from pydantic import BaseModel, FilePath, model_validator

from handrail import (
    BaseAction,
    BaseStep,
    StepFailedError,
    StepResult,
    resume,
    resume_async,
    rollback,
    rollback_async,
    step,
)
from handrail.builtin.cli.recovery import news
from handrail.context import BaseStepContext
from handrail.errors import (
    DriftError,
    NotFoundError,
    PackError,
    PlanError,
    RunClosedError,
)
from handrail.recovery import preparation
from handrail.recovery import recorded as recorded_runs


@pytest.fixture
def kept(kill, world, journal):
    """A run of each action that failed, and was kept."""
    for number, action in enumerate((Plain, Flow, Plain), 1):
        below = world / str(number)
        below.mkdir()
        (below / "theirs").write_text("theirs")
        values = {"world": below, "fail": "third" if action is Plain else "last"}
        with pytest.raises(StepFailedError):
            action(values, packs=()).run(journal=journal, on_failure="keep")


def test_run_of_another_action_is_refused(kill, journal, kept):
    """Its records mean nothing to this one's steps."""
    for go_on in (resume, rollback):
        with pytest.raises(NotFoundError, match=r"run 2 in .* is one of flow, not of plain"):
            go_on(Plain, 2, journal=journal, packs=())
    assert journal.runs()[1].outcome == "failed"


def test_looking_for_the_latest_reads_the_plans_of_those_only_that_may_go_on(
    kill, world, journal, kept, monkeypatch
):
    """A journal may hold thousands of runs that are over, each with a plan of megabytes."""
    rollback(Plain, 3, journal=journal, packs=())
    read, one = [], journal.read

    def read_one(number, **more):
        read.append(number)
        return one(number, **more)

    monkeypatch.setattr(journal, "read", read_one)
    assert preparation.look_up("resume", Plain, None, journal)[1].number == 1
    assert read == [2, 1, 1]


def test_latest_is_that_of_the_action(kill, world, journal, kept):
    """Runs of others are passed over, and so are those with which nothing is left to do."""
    assert preparation.look_up("resume", Plain, None, journal)[1].number == 3
    assert rollback(Flow, 2, journal=journal, packs=())["number"] == 2
    assert rollback(Plain, 3, journal=journal, packs=())["number"] == 3
    assert preparation.look_up("resume", Plain, None, journal)[1].number == 1
    assert rollback(Plain, 1, journal=journal, packs=())["number"] == 1
    assert {path.name for path in world.rglob("*") if path.is_file()} == {"theirs", "closed"}
    with pytest.raises(NotFoundError, match=r"no run of plain in .* can be resumed"):
        resume(Plain, journal=journal, packs=())
    with pytest.raises(RunClosedError, match="was rolled back"):
        rollback(Plain, 1, journal=journal, packs=())


class Here(BaseAction[Any]):
    """Makes a file, by a path that leads from the working folder."""

    action_name = "here"

    def setup_steps(self, registry: Any) -> None:
        registry.register(Puts())
        registry.register(check)


class Puts(BaseStep[BaseStepContext]):
    name = "puts"
    progress_weight = 0.5

    def execute(self, context: BaseStepContext) -> StepResult:
        context.record_rollback("made", "here.txt")
        Path("here.txt").touch()
        return StepResult()

    def rollback(self, context: BaseStepContext, result: StepResult) -> None:
        for name in result.rollback_data.get("made", ()):
            Path(name).unlink(missing_ok=True)


@step
def check(context: BaseStepContext) -> None:
    """Fail until the gate is open."""
    if not Path("open").exists():
        raise ValueError("closed")


@pytest.fixture
def project(tmp_path, monkeypatch) -> Iterator[Path]:
    """A project with a pack installed, which is the working folder."""
    garden = Garden(tmp_path)
    source = """
        from handrail import hookimpl, step

        @step
        def tag(context): ...

        @hookimpl
        def insert_before(action, step):
            if step.name == "check":
                return tag
    """
    garden.plant_hooks("acme-tag", source)
    monkeypatch.syspath_prepend(str(garden.site))
    for name in ("HANDRAIL_NO_PACKS", "HANDRAIL_ONLY_PACKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(garden.project)
    yield garden.project
    # Other tests have packs of that name, too.
    for name in [each for each in sys.modules if each.partition(".")[0] == "acme_tag"]:
        del sys.modules[name]


def fails(journal: Any) -> None:
    """Leave a run that failed, and was kept."""
    with pytest.raises(StepFailedError):
        Here().run(journal=journal, on_failure="keep")


def go_on(how: str, **more: Any) -> Any:
    """Resume or roll back the run, blocking or not."""
    works: dict[str, Any] = {"resume": resume, "rollback": rollback}
    if how in works:
        return works[how](Here, 1, **more)
    waits: dict[str, Any] = {"resume_async": resume_async, "rollback_async": rollback_async}
    return asyncio.run(waits[how](Here, 1, **more))


@pytest.mark.parametrize("how", ["resume", "rollback", "resume_async", "rollback_async"])
def test_relative_paths_lead_from_where_the_run_began(project, tmp_path, journal, how):
    """While it goes on the process is there, and after that where it was."""
    fails(journal)
    (project / "open").touch()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "here.txt").write_text("theirs")
    os.chdir(elsewhere)
    go_on(how, journal=journal)
    assert (project / "here.txt").exists() == ("resume" in how)
    assert (elsewhere / "here.txt").read_text() == "theirs"
    assert os.getcwd() == str(elsewhere)


def test_the_working_folder_comes_back_after_a_failure_too(project, tmp_path, journal):
    fails(journal)
    os.chdir(tmp_path)
    with pytest.raises(StepFailedError, match="closed"):
        resume(Here, journal=journal)
    assert os.getcwd() == str(tmp_path)


def test_a_folder_that_is_gone_is_named_with_the_way_out(project, tmp_path, journal):
    fails(journal)
    os.chdir(tmp_path)
    project.rename(tmp_path / "moved")
    with pytest.raises(NotFoundError, match=r"run 1 ran in .*project, which cannot") as gone:
        rollback(Here, 1, journal=journal)
    assert any("folder=PATH" in way for way in gone.value.ways_out)
    assert rollback(Here, 1, journal=journal, folder=tmp_path / "moved")["number"] == 1
    assert not (tmp_path / "moved" / "here.txt").exists()


def test_packs_are_those_of_the_run(project, journal, monkeypatch):
    """What a variable selected then is recorded; what one says now does not count."""
    with monkeypatch.context() as without:
        without.setenv("HANDRAIL_NO_PACKS", "acme-tag")
        fails(journal)
    assert json.loads(journal.read(1).packs)["no_packs"] == ["acme-tag"]
    (project / "open").touch()
    assert resume(Here, journal=journal)["steps_total"] == 2
    (project / "open").unlink()
    fails(journal)
    (project / "open").touch()
    monkeypatch.setenv("HANDRAIL_ONLY_PACKS", "")
    assert resume(Here, journal=journal)["steps_total"] == 3


def test_what_is_required_stops_a_resume_and_no_undo(project, journal):
    """Nor does a problem of the rest of the plan."""
    fails(journal)
    settings = project / "handrail.toml"
    settings.write_text('[required]\npacks = ["acme-sign"]\n')
    with pytest.raises(PackError):
        resume(Here, journal=journal)
    settings.write_text('[actions.here]\nremove = ["nothing"]\n')
    with pytest.raises(PlanError):
        resume(Here, journal=journal)
    settings.write_text('[required]\nsteps = [{step = "acme-sign:s", after = "check"}]\n')
    assert rollback(Here, 1, journal=journal) == {"rolled_back": True, "number": 1}
    assert not (project / "here.txt").exists()


class Source(BaseModel):
    """What to read."""

    source: FilePath


class Reads(Here):
    """Needs a file to begin with."""

    action_name = "reads"
    params_model = Source


def test_an_undo_does_not_need_what_the_run_read(project, journal):
    """A param that is not valid any more is taken as it is."""
    (project / "given").touch()
    with pytest.raises(StepFailedError):
        Reads({"source": "given"}).run(journal=journal, on_failure="keep")
    (project / "given").unlink()
    with pytest.raises(DriftError, match="source"):
        resume(Reads, journal=journal)
    assert rollback(Reads, 1, journal=journal) == {"rolled_back": True, "number": 1}
    assert not (project / "here.txt").exists()


class Both(BaseModel):
    """What fits together, or does not."""

    name: str

    @model_validator(mode="after")
    def _fits(self) -> Both:
        if Path("refuse").exists():
            raise ValueError("they do not fit")
        return self


class Fits(Here):
    """Has params that are looked at as a whole."""

    action_name = "fits"
    params_model = Both


def test_what_is_wrong_with_all_params_together_is_told_without_the_name_of_one(project, journal):
    """A validator of a whole model has no name to put before what it says."""
    with pytest.raises(StepFailedError):
        Fits({"name": "x"}).run(journal=journal, on_failure="keep")
    (project / "refuse").touch()
    cls, recorded = preparation.look_up("rollback", Fits, 1, journal)
    ready = preparation.prepare(cls, recorded, journal, "rollback")
    assert ready.ignored == ("they do not fit",)


@pytest.mark.parametrize(("aim", "times"), [("resume", 0), ("rollback", 1)])
def test_the_recorded_plan_is_decoded_where_it_has_to_be_and_once(journal, kept, aim, times):
    """It has megabytes in a long run; its beginning tells whether anything has changed.

    An undo asks whose the steps are that began.
    """
    recorded_runs._decoded.cache_clear()
    cls, recorded = preparation.look_up(aim, Plain, 1, journal)
    ready = preparation.prepare(cls, recorded, journal, aim, packs=())
    assert not recorded_runs.drift(recorded, ready.plan)
    assert not news(recorded, ready.plan)
    assert recorded_runs._decoded.cache_info().misses == times
    other = replace(ready.plan, steps=ready.plan.steps[:1])
    assert recorded_runs.drift(recorded, other)
    assert news(recorded, other)
    assert recorded_runs._decoded.cache_info().misses == 1


@pytest.mark.parametrize("function", [rollback, rollback_async])
def test_what_is_undone_is_named(journal, function):
    """No program undoes the latest run by leaving the number out."""
    with pytest.raises(TypeError, match="number"):
        function(Here, journal=journal)
