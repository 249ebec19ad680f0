"""Steps that were renamed since a run began, with their former names as aliases."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from killing.processes import in_child

from handrail import (
    BaseAction,
    BaseStep,
    DuplicateStepError,
    PlanError,
    Run,
    StepFailedError,
    StepResult,
    StepWrapper,
    hookimpl,
    parallel,
    resume,
    rollback,
)
from handrail.sqlite import SqliteJournal

Names = dict[str, tuple[str, ...]]
"""The steps `first`, `second`, ... by what they are called, each with its aliases."""

BEFORE: Names = {"find": (), "push": (), "tell": ()}
ONCE: Names = {"search": ("find",), "upload": ("push",), "tell": ()}
TWICE: Names = {"seek": ("find", "search"), "send": ("push", "upload"), "report": ("tell",)}
FILES = {"0", "1", "2"}


class Makes(BaseStep[Any]):
    """Makes a file with its key in it, and takes it back only if that is its own."""

    progress_weight = 1.0

    def __init__(self, world: Path, number: int, name: str, aliases: tuple[str, ...]) -> None:
        self.world, self.number, self.name, self.aliases = world, number, name, aliases

    def work(self, context: Any) -> StepResult:
        context.record_rollback("made", str(self.number))
        (self.world / str(self.number)).write_text(context.idempotency_key)
        if (dies := self.world.parent / f"dies at {self.number}").exists():
            dies.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        if (self.world.parent / f"fails at {self.number}").exists():
            raise ValueError("told to fail")
        return StepResult(data={"number": self.number})

    def execute(self, context: Any) -> Any:
        return self.work(context)

    def rollback(self, context: Any, result: StepResult) -> None:
        for name in result.rollback_data.get("made", ()):
            made = self.world / name
            if made.exists() and made.read_text() == context.idempotency_key:
                made.unlink()


class AsyncMakes(Makes):
    async def execute(self, context: Any) -> StepResult:
        await asyncio.sleep(0)
        return self.work(context)


class Watch(StepWrapper[Any]):
    def around(self, context: Any) -> Any:
        return (yield Run())


class Logged(StepWrapper[Any]):
    """A wrapper with a name of its own."""

    @property
    def name(self) -> Any:
        return f"logged_{self.wrapped.name}"


class Watching:
    """A pack with a layer around each step."""

    @hookimpl
    def wrap_step(self, action: Any, step: Any) -> Any:
        return Watch(step)


def in_line(steps: list[Makes]) -> list[Any]:
    return [*steps]


def in_group(steps: list[Makes]) -> list[Any]:
    return [parallel("side", [steps[:2], [steps[2]]])]


def logged(steps: list[Makes]) -> list[Any]:
    return [Logged(step) for step in steps]


Shape = Callable[[list[Makes]], list[Any]]


def flow(folder: Path, names: Names, shape: Shape = in_line) -> type[BaseAction[Any]]:
    """Return an action of these steps."""

    class Flow(BaseAction[Any]):
        action_name = "flow"

        def setup_steps(self, registry: Any) -> None:
            steps: list[Makes] = []
            for number, (name, aliases) in enumerate(names.items()):
                kind = AsyncMakes if number == 1 else Makes
                steps.append(kind(folder / "world", number, name, aliases))
            for each in shape(steps):
                registry.register(each)

    return Flow


def there(folder: Path) -> set[str]:
    return {path.name for path in (folder / "world").iterdir()}


def begin(folder: Path, shape: Shape = in_line, packs: Any = ()) -> None:
    """Run it under its former names."""
    (folder / "world").mkdir()

    def body() -> None:
        journal = SqliteJournal(folder / "runs.db")
        flow(folder, BEFORE, shape)({}, packs=packs).run(journal=journal)

    in_child(body)


@pytest.fixture
def opened(tmp_path: Path) -> Any:
    journal = SqliteJournal(tmp_path / "runs.db")
    yield journal
    journal.close()


shapes = pytest.mark.parametrize("shape", [in_line, in_group, logged])
renamings = pytest.mark.parametrize("names", [ONCE, TWICE])


@shapes
@renamings
@pytest.mark.parametrize("packs", [(), (Watching(),)])
def test_a_completed_run_is_rolled_back(
    tmp_path: Path, opened: Any, shape: Shape, names: Names, packs: Any
) -> None:
    """Also with layers around its steps, in lanes, and after two renamings."""
    begin(tmp_path, shape, packs)
    assert there(tmp_path) == FILES
    rollback(flow(tmp_path, names, shape), 1, journal=opened, packs=packs)
    assert there(tmp_path) == set()
    recorded = opened.read(1)
    assert recorded.outcome == "rolled_back"
    prefix = "logged_" if shape is logged else ""
    assert {row.step for row in recorded.attempts} == {f"{prefix}{name}" for name in BEFORE}
    assert {row.state for row in recorded.attempts} == {"undone"}


@shapes
@renamings
@pytest.mark.parametrize("dies", [0, 1, 2])
def test_a_killed_run_is_resumed(
    tmp_path: Path, opened: Any, shape: Shape, names: Names, dies: int
) -> None:
    """What the killed attempt made is taken back by its own key, and made again under it."""
    (tmp_path / f"dies at {dies}").touch()
    begin(tmp_path, shape)
    resume(flow(tmp_path, names, shape), 1, journal=opened, packs=())
    assert there(tmp_path) == FILES
    recorded = opened.read(1)
    prefix = "logged_" if shape is logged else ""
    assert {row.step for row in recorded.attempts} == {f"{prefix}{name}" for name in BEFORE}
    rollback(flow(tmp_path, names, shape), 1, journal=opened, packs=())
    assert there(tmp_path) == set()


@shapes
def test_a_killed_run_is_rolled_back(tmp_path: Path, opened: Any, shape: Shape) -> None:
    """Its interrupted step too."""
    (tmp_path / "dies at 1").touch()
    begin(tmp_path, shape)
    rollback(flow(tmp_path, ONCE, shape), 1, journal=opened, packs=())
    assert there(tmp_path) == set()


def test_results_are_found_under_both_names(tmp_path: Path, opened: Any) -> None:
    """A step asks by the name of today, another pack perhaps by the former one."""
    (tmp_path / "dies at 1").touch()
    begin(tmp_path)
    found: list[Any] = []

    class Looks(Makes):
        def execute(self, context: Any) -> StepResult:
            found.extend(context.results[name].data["number"] for name in ("search", "find"))
            found.append(context.current_step)
            return self.work(context)

    def looking(steps: list[Makes]) -> list[Any]:
        return [*steps[:2], Looks(tmp_path / "world", 2, "announce", ("tell",))]

    resume(flow(tmp_path, ONCE, looking), 1, journal=opened, packs=())
    assert found == [0, 0, "tell"]


def test_a_name_that_went_to_another_step_clashes(tmp_path: Path, opened: Any) -> None:
    """Before anything is done: it cannot be told which of them the run had."""
    (tmp_path / "dies at 1").touch()
    begin(tmp_path)
    swapped: Names = {"push": ("find",), "upload": ("push",), "tell": ()}
    with pytest.raises(DuplicateStepError):
        resume(flow(tmp_path, swapped), 1, journal=opened, packs=(), accept_drift=True)
    assert there(tmp_path) == {"0", "1"}


def test_a_former_name_that_a_pack_gives_to_its_step_clashes(tmp_path: Path, opened: Any) -> None:
    """Likewise, as a problem of the plan."""
    (tmp_path / "dies at 1").touch()
    begin(tmp_path)

    class Pack:
        @hookimpl
        def insert_after(self, action: Any, step: Any) -> Any:
            return Makes(tmp_path / "world", 3, "push", ()) if step.name == "tell" else None

    with pytest.raises(PlanError) as raised:
        resume(flow(tmp_path, ONCE), 1, journal=opened, packs=(Pack(),), accept_drift=True)
    assert [problem.code for problem in raised.value.problems] == ["duplicate-step"]
    assert there(tmp_path) == {"0", "1"}


def test_of_two_recorded_steps_that_became_one_the_one_of_its_name_stays(
    tmp_path: Path, opened: Any
) -> None:
    """The other one is gone, which is drift."""
    begin(tmp_path)
    one: Names = {"find": (), "push": ("tell",)}
    with pytest.raises(StepFailedError) as raised:
        rollback(flow(tmp_path, one), 1, journal=opened, packs=(), accept_drift=True)
    assert raised.value.outcome == "rollback_incomplete"
    assert there(tmp_path) == {"2"}


def test_a_run_that_was_kept_goes_on(tmp_path: Path, opened: Any) -> None:
    """A step that failed is undone under its former name, then done again."""
    (tmp_path / "world").mkdir()
    (tmp_path / "fails at 1").touch()
    with pytest.raises(StepFailedError):
        flow(tmp_path, BEFORE)({}, packs=()).run(journal=opened, on_failure="keep")
    (tmp_path / "fails at 1").unlink()
    resume(flow(tmp_path, ONCE), 1, journal=opened, packs=())
    assert there(tmp_path) == FILES
    assert [(row.step, row.n) for row in opened.read(1).attempts] == [
        *(("find", 1), ("push", 1), ("push", 2), ("tell", 1))
    ]
