"""A source that is not what it was when the run began: the run stops, and nothing is undone."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from killing.told import Does, flow, interrupted
from pydantic import BaseModel, field_validator

from handrail import (
    BaseAction,
    Run,
    SourceChangedError,
    StepFailedError,
    StepResult,
    StepWrapper,
    Undo,
    resume,
    resume_async,
    rollback,
    rollback_async,
)
from handrail.errors import DriftError, ExitCode, LeaseLostError
from handrail.events import Event, MessageLogged, RunFinished, StepFailed, UndoStarted
from handrail.journal.records import AttemptChange, RunRow
from handrail.recovery import prepare

GoOn = Callable[..., Any]


class World:
    """What the steps read, and what they have done."""

    changed = True

    def __init__(self) -> None:
        self.calls: list[str] = []

    def look(self) -> None:
        if self.changed:
            raise SourceChangedError("data.csv has other lines", ways_out=("look at data.csv",))


class Reads(Does):
    """Looks at the source before it goes on, and in whatever process restores it."""

    def __init__(self, name: str, world: World, *, restores: bool = False) -> None:
        super().__init__(name, lambda context: context.record_rollback("n", "first"))
        self.world, self.restores = world, restores

    def execute(self, context: Any) -> StepResult:
        self.world.calls.append(f"{self.name} runs")
        return super().execute(context)

    def restore(self, context: Any, result: StepResult) -> None:
        if self.restores:
            self.world.look()


class GoesOn(Reads):
    """Goes on where it was interrupted, and records more before it looks."""

    def resume(self, context: Any, result: StepResult) -> StepResult:
        self.world.calls.append(f"{self.name} goes on with {result.rollback_data}")
        context.record_rollback("n", "second")
        self.world.look()
        return StepResult()


class GoesOnAsync(GoesOn):
    """The same in a coroutine."""

    async def resume(self, context: Any, result: StepResult) -> StepResult:  # type: ignore[override]
        await asyncio.sleep(0)
        return super().resume(context, result)


class Retries(StepWrapper[Any]):
    """Tries again whatever fails, after an undo."""

    def around(self, context: Any) -> Any:
        with contextlib.suppress(Exception):
            return (yield Run())
        yield Undo()
        return (yield Run())


class OneLayerMore(Retries):
    """A layer around that."""


def _blocking(function: GoOn) -> GoOn:
    return function


def _async(function: GoOn) -> GoOn:
    return lambda *words, **named: asyncio.run(function(*words, **named))


drivers = pytest.mark.parametrize(
    ("go_on", "undo"),
    [
        pytest.param(_blocking(resume), _blocking(rollback), id="blocking"),
        pytest.param(_async(resume_async), _async(rollback_async), id="async"),
    ],
)


@pytest.fixture
def world() -> World:
    return World()


def _stays(before: RunRow, after: RunRow) -> None:
    # It is known by now when the process of the interrupted one was heard of last.
    assert [row._replace(ended=None) for row in after.attempts] == [
        row._replace(ended=None) for row in before.attempts
    ]
    assert after.fields == before.fields
    assert (after.outcome, after.direction) == (None, before.direction)


@drivers
@pytest.mark.parametrize("kind", [GoesOn, GoesOnAsync])
@pytest.mark.parametrize("layers", [(), (Retries,), (Retries, OneLayerMore)])
def test_a_resume_that_finds_another_source_stops_the_run(writes, world, go_on, undo, kind, layers):
    """Nothing is undone, tried again or said to have failed; put back, the run goes on."""
    first, closes = Does("a"), Does("closes", always=True)
    inner = kind("lost", world)

    def plan() -> Any:
        step: Any = inner
        for layer in layers:
            step = layer(step)
        return flow(first, step, closes)

    interrupted(writes, first)
    before, events = writes.read(1), list[Event]()
    for _ in range(2):
        with pytest.raises(SourceChangedError, match="has other lines") as stopped:
            go_on(plan(), 1, journal=writes, packs=(), observers=(events.append,))
        _stays(before, writes.read(1))
    assert (first.undone, inner.undone, closes.undone) == ([], [], [])
    assert world.calls == [
        "lost goes on with {}",
        "lost goes on with {'n': ['second']}",
    ]
    assert not [each for each in events if isinstance(each, StepFailed | UndoStarted)]
    [finished] = [each for each in events if isinstance(each, RunFinished)][1:]
    assert finished.outcome == "interrupted"
    _tells(stopped.value, "lost")
    world.changed = False
    assert go_on(plan(), 1, journal=writes, packs=())["steps_executed"] == 3
    assert writes.read(1).outcome == "completed"
    assert undo(plan(), 1, journal=writes, packs=())["rolled_back"]
    assert inner.undone == [{"n": ["second"]}]


def _tells(error: SourceChangedError, step: str) -> None:
    assert error.exit_code == ExitCode.PLAN
    assert (error.step, error.origin is not None) == (step, True)
    assert error.message == (
        f"step '{step}' cannot go on: data.csv has other lines; nothing was undone"
    )
    assert error.ways_out == (
        "look at data.csv",
        "put back what was there, then go on:  handrail resume 1",
        "or undo the run, which does not need it:  handrail rollback 1",
    )
    assert error.to_dict()["step"] == step
    assert str(error) == error.message


@drivers
def test_a_restore_that_finds_another_source_stops_the_run(writes, world, go_on, undo):
    """Before the step in doubt is undone for its new attempt."""
    first, lost = Reads("a", world, restores=True), Does("lost")
    interrupted(writes, first)
    before = writes.read(1)
    with pytest.raises(SourceChangedError) as stopped:
        go_on(flow(first, lost), 1, journal=writes, packs=())
    _tells(stopped.value, "a")
    _stays(before, writes.read(1))
    assert (first.undone, lost.undone) == ([], [])
    world.changed = False
    assert go_on(flow(first, lost), 1, journal=writes, packs=())["steps_executed"] == 2
    assert lost.undone == [{}]


@drivers
def test_an_undo_does_not_need_the_source(writes, world, go_on, undo):
    """It says that something has changed, and goes on, also when it is an undo that is resumed."""
    first, lost = Reads("a", world, restores=True), Does("lost")
    interrupted(writes, first)
    events: list[Event] = []
    done = undo(flow(first, lost), 1, journal=writes, packs=(), observers=(events.append,))
    assert done == {"rolled_back": True, "number": 1}
    assert (first.undone, lost.undone) == ([{"n": ["first"]}], [{}])
    [noted] = [each for each in events if isinstance(each, MessageLogged)]
    assert (noted.step, noted.name) == ("a", "source_changed")
    assert noted.data == {"summary": "ignored for the undo: data.csv has other lines"}


def test_a_run_that_only_has_to_close_does_not_need_the_source(writes, world):
    """A sealed one could neither be finished nor undone otherwise."""
    first, closes = Reads("a", world, restores=True), Does("lost", always=True)
    closes.work = lambda context: context.seal("nothing is left to undo it with")
    interrupted(writes, first)
    assert resume(flow(first, closes), 1, journal=writes, packs=())["steps_executed"] == 2
    row = writes.read(1)
    assert (row.outcome, row.sealed) == ("completed", "nothing is left to undo it with")


@drivers
def test_a_new_attempt_that_finds_another_source_fails_as_always(writes, world, go_on, undo):
    """Only `restore` and `resume` can tell a difference from a failure."""

    class Looks(Reads):
        def execute(self, context: Any) -> StepResult:
            self.world.look()
            return StepResult()

    first, looks = Does("a"), Looks("lost", world)
    interrupted(writes, first)
    with pytest.raises(StepFailedError) as failed:
        go_on(flow(first, looks), 1, journal=writes, packs=())
    assert isinstance(failed.value.__cause__, SourceChangedError)
    assert failed.value.outcome == writes.read(1).outcome == "rolled_back"
    assert len(first.undone) == 1


def test_a_kept_run_that_stops_is_no_failed_one(writes, world):
    """With `--on-failure keep` too, it is interrupted, and can go on."""
    first, lost = Does("a"), GoesOn("lost", world)
    interrupted(writes, first)
    recovery = prepare(flow(first, lost), writes.read(1), writes, "resume", packs=())
    recovery.options |= {"journal": writes, "on_failure": "keep"}
    with pytest.raises(SourceChangedError):
        recovery.run()
    assert writes.read(1).outcome is None
    world.changed = False
    assert resume(flow(first, lost), 1, journal=writes, packs=())["success"]


def _with_params(*steps: Any, valid: bool) -> Any:
    class Params(BaseModel):
        name: str = "n"

        @field_validator("name")
        @classmethod
        def _there(cls, name: str) -> str:
            if not valid:
                raise ValueError(f"there is no file {name}")
            return name

    class Flow(flow(*steps), BaseAction[Params]):  # type: ignore[misc]
        pass

    Flow.params_model = Params
    return Flow


def test_params_that_are_not_valid_any_more_stop_a_run_that_goes_forward(writes):
    """They are named, nothing is claimed; an undo says so and goes on."""
    first, lost = Does("a"), Does("lost")
    _interrupted_with(writes, _with_params(first, lost, valid=True))
    before = writes.read(1)
    gone = _with_params(first, lost, valid=False)
    with pytest.raises(DriftError) as stopped:
        resume(gone, 1, journal=writes, packs=())
    error = stopped.value
    assert (error.code, error.exit_code) == ("run-drifted", ExitCode.PLAN)
    assert "the run cannot go on, and stays as it is" in error.message
    assert "name: there is no file n" in error.message
    assert error.ways_out[0].endswith("handrail resume 1")
    assert error.ways_out[1].endswith("handrail rollback 1")
    _stays(before, writes.read(1))
    assert writes.read(1).fence == before.fence
    assert resume(_with_params(first, lost, valid=True), 1, journal=writes, packs=())["success"]
    assert rollback(gone, 1, journal=writes, packs=())["rolled_back"]


def _interrupted_with(writes: Any, action: Any) -> None:
    writes.fail = lambda change: (
        isinstance(change, AttemptChange) and (change.step, change.state) == ("lost", "done")
    )
    writes.error = LeaseLostError
    with pytest.raises(LeaseLostError):
        action({}, packs=()).run(journal=writes)


def test_other_steps_than_before_undo_nothing_and_can_be_put_back(writes):
    """The run that began with them stays as it is, also in an undo."""
    first, lost = Does("a"), Does("lost")
    interrupted(writes, first)
    before = writes.read(1)
    for go_on in (resume, rollback):
        with pytest.raises(DriftError, match="a is not in the plan any more"):
            go_on(flow(lost), 1, journal=writes, packs=())
        _stays(before, writes.read(1))
    assert (first.undone, lost.undone) == ([], [])
    assert resume(flow(first, lost), 1, journal=writes, packs=())["success"]
